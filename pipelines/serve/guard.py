"""Access to the page: only the browser that opened the printed address may see it, and no page of another site in that browser.

    token       part of the printed address; it becomes a cookie (HttpOnly, SameSite=Strict) that every other request must carry
    Host        must be the served address: a name that a stranger's DNS points here is refused (DNS rebinding)
    Origin      must be the page's own in a request that changes something
    policy      allows only the page's own scripts, styles and pictures; nothing inline, no frames, no requests to other sites

Every response carries the policy, even a refusal.
"""

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import URL, Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_SAFE = ("GET", "HEAD")


def new_token() -> str:
    """Return an unguessable token."""
    return secrets.token_urlsafe(24)


def accepted_hosts(host: str, port: int) -> frozenset[str]:
    """Return the accepted Host headers."""
    names = {host, *(("127.0.0.1", "localhost", "[::1]") if host in ("127.0.0.1", "localhost", "::1") else ())}
    return frozenset(f"{name}:{port}" for name in names)


@dataclass(frozen=True)
class Guard:
    """ASGI middleware that lets only the invited browser through."""

    app: ASGIApp
    token: str
    hosts: frozenset[str]
    cookie: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        answer = self._refusal(Request(scope))
        await (answer or self.app)(scope, receive, _with_headers(send))

    def _refusal(self, request: Request) -> Response | None:
        headers = Headers(scope=request.scope)
        if headers.get("host") not in self.hosts:
            return _refused("This address is not the one that is served.", 421)
        if request.method not in _SAFE and not self._is_own(headers):
            return _refused("This request comes from another page.", 403)
        given = request.query_params.get("token")
        if given is not None and request.method in _SAFE:
            if not hmac.compare_digest(given.encode(), self.token.encode()):
                return _refused("The token is not that of this server: use the address that `curate serve` printed last.", 403)
            answer = RedirectResponse(_without_token(request.url), 303)
            answer.set_cookie(self.cookie, self.token, httponly=True, samesite="strict", path="/")
            return answer
        held = request.cookies.get(self.cookie, "")
        if not hmac.compare_digest(held.encode(), self.token.encode()):
            return _refused("Open the address that `curate serve` printed: it holds a token.", 403)
        return None

    def _is_own(self, headers: Headers) -> bool:
        return (
            headers.get("origin") in {f"http://{host}" for host in self.hosts} and headers.get("origin") == f"http://{headers.get('host')}"
        )


def _without_token(url: URL) -> str:
    rest = urlencode([(name, value) for name, value in parse_qsl(url.query) if name != "token"])
    path = "/" + url.path.lstrip("/\\")  # `//host` would be another site
    return f"{path}?{rest}" if rest else path


def _refused(why: str, status: int) -> Response:
    return PlainTextResponse(f"{why}\n", status)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return sending


def addresses(hosts: Iterable[str], token: str) -> list[str]:
    """Return the addresses to print."""
    return [f"http://{host}/?token={token}" for host in sorted(hosts)]

"""The web application: its routes, and the template of each. It writes nothing but labels.

Invariants
    - Every template escapes what it shows; document texts first go through `readable`, which removes control characters.
    - A run is never executed: none of its files is imported, and its recipe is only shown.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.resources import files
from threading import Lock
from typing import Any, TypeVar

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from curation.errors import CurationError
from pipelines.inspect.looking import looks_at_runs
from pipelines.serve import document, views
from pipelines.serve.guard import Guard
from pipelines.serve.served import Served
from pipelines.serve.waiting import WAITS, Waiting
from pipelines.terminal.wording import compact, number, readable, size

_Result = TypeVar("_Result")

STATIC = {
    "report.css": ("templates/report.css", "text/css"),
    "app.css": ("serve/static/app.css", "text/css"),
    "app.js": ("serve/static/app.js", "text/javascript"),
    "icon.svg": ("serve/static/icon.svg", "image/svg+xml"),
}
"""The page's static files, below `pipelines/`; it also uses the report's style."""

PAGES = (
    ("overview", "Overview"),
    ("signals", "Signals"),
    ("lab", "Lab"),
    ("documents", "Documents"),
    ("duplicates", "Duplicates"),
    ("synthetic", "Synthetic"),
    ("label", "Label"),
)


def application(what: Served, token: str, hosts: frozenset[str], cookie: str = "curate") -> Guard:
    """Return the guarded application."""
    environment = _environment()
    turn, waiting = Lock(), Waiting()

    def page(template: str, show: Callable[[Served, Request, str], dict[str, Any]]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            name = request.query_params.get("run") or next(iter(what.runs))
            around = {"pages": PAGES, "page": template, "run": name, "runs": list(what.runs)}

            def written() -> str:
                return environment.get_template(f"{template}.html").render(**around, **show(what, request, name))

            def in_turn() -> str:
                return _in_turn(turn, what, name, written)

            if WAITS in request.headers:
                await waiting.ready(str(request.url), in_turn)
                return Response(status_code=204)
            whole = await waiting.page(str(request.url), in_turn)
            if whole is None:
                label = dict(PAGES).get(template, "Document")
                whole = environment.get_template("waiting.html").render(**around, label=label, **views.at_once(what, name))
            return HTMLResponse(whole)

        return answer

    def data(show: Callable[[Served, Request, str, Any], dict[str, Any]]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            body = await request.json() if request.method == "POST" else None
            name = request.query_params.get("run") or next(iter(what.runs))
            return JSONResponse(await run_in_threadpool(_in_turn, turn, what, name, lambda: _plain(show(what, request, name, body))))

        return answer

    async def refused(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 400
        said = error.detail if isinstance(error, HTTPException) else str(error)
        if request.url.path.startswith("/api/"):
            return JSONResponse({"error": readable(said, 2000)}, status)
        around = {"pages": PAGES, "page": "", "run": next(iter(what.runs)), "runs": list(what.runs)}
        return HTMLResponse(environment.get_template("error.html").render(**around, said=said), status)

    routes = [
        Route("/", page("overview", views.overview)),
        *(Route(f"/{name}", page(name, getattr(views, name))) for name, _ in PAGES),
        Route("/document", page("document", document.document)),
        Route("/compare", page("compare", document.compare)),
        Route("/api/threshold", data(views.threshold)),
        Route("/api/label", data(views.give_label), methods=["POST"]),
        Route("/static/{name}", _static),
    ]
    handlers: Mapping[Any, Any] = {CurationError: refused, HTTPException: refused, ValueError: refused}
    return Guard(Starlette(routes=routes, exception_handlers=handlers), token, hosts, cookie)


def _in_turn(turn: Lock, what: Served, name: str, show: Callable[[], _Result]) -> _Result:
    """Work out one page at a time: looking holds back what libraries print, for the whole process.

    Raises UnreadableRun for what nobody foresaw, as every verb that looks does: the run may be damaged, or made to break its readers.
    """

    def look(_folder: str) -> _Result | Exception:
        try:
            return show()
        except (HTTPException, ValueError) as told:
            return told

    with turn:
        found = looks_at_runs()(look)(str(what.run(name)))
    if isinstance(found, Exception):
        raise found
    return found


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in STATIC:
        return PlainTextResponse("There is no such file.\n", 404)
    path, kind = STATIC[name]
    return Response(files("pipelines").joinpath(*path.split("/")).read_bytes(), media_type=kind)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pipelines.serve"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    shown = {"text": _text, "name": _name, "body": _body, "value": _value}
    figures = {"number": number, "plain": _plain_number, "compact": compact, "size": size, "percent": _percent}
    environment.filters.update(shown | figures)
    return environment


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _text(value: object, most: int = 200) -> Markup:
    """Return untrusted text on one line: escaped, of limited length, and isolated in its own writing direction."""
    return Markup("<bdi>{}</bdi>").format(" ".join(readable(str(value or ""), most).split()))


def _name(value: str) -> Markup:
    """Return a dotted name that may wrap after its dots and underscores."""
    return Markup("<wbr>").join(re.findall(r"[^._]*[._]?", readable(value, 200)))


def _plain_number(value: float) -> str:
    """Return a number in the form that an input field accepts."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def _body(value: str) -> str:
    """Return a document's text without control characters; the template escapes it."""
    return readable(value)


def _value(value: Any) -> str:
    """Return a signal's value as text."""
    if value is None:
        return "not measured"
    if isinstance(value, bool | str) or not isinstance(value, int | float):
        return readable(str(value), 200)
    return number(value) if math.isfinite(value) else str(value)


def _plain(value: Any) -> Any:
    """Return a value as JSON represents it; NaN and infinity become null."""
    if hasattr(value, "__dataclass_fields__"):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return readable(value) if isinstance(value, str) else value

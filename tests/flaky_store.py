"""A proxy in front of an object store that fails some requests, as a busy or broken store does.

Which requests fail is drawn from a seed and the request's number, so a test fails alike each time as far as its requests come alike.
"""

import http.client
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

ANSWERS = {
    "500": (500, "InternalError", "We encountered an internal error. Please try again."),
    "503": (503, "SlowDown", "Please reduce your request rate."),
    "403": (403, "AccessDenied", "Access Denied"),
}
"""Kinds of fault that are an answer: status, code and message."""

PASSING = ("500", "503", "reset", "cut", "drip")
"""Kinds of fault that pass: the same request may succeed the next time."""


class FlakyStore:
    """What the proxy does now: `kind` of fault, for this `share` of the requests whose path holds `where`, at most `most` of them.

    `failed` counts the faults by method and kind.
    """

    def __init__(self, endpoint: str) -> None:
        """Stand before the store at an endpoint."""
        self.behind = urlsplit(endpoint).netloc
        self.endpoint = ""
        self.kind, self.share, self.where, self.most = "500", 0.0, "", 1 << 40
        self.failed: Counter[str] = Counter()
        self.requests = 0
        self._drawing = random.Random(7)
        self._lock = threading.Lock()

    def fails(self, method: str, path: str) -> bool:
        """Draw whether a request fails."""
        with self._lock:
            self.requests += 1
            failing = self.most > 0 and self.where in path and self._drawing.random() < self.share
            self.most -= failing
            self.failed[f"{method} {self.kind}"] += failing
            return failing


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    store: FlakyStore

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        body = self._body()
        failing = self.store.fails(self.command, self.path)
        kind = self.store.kind if failing else ""
        if kind in ANSWERS:
            self._answer(*ANSWERS[kind])
        elif kind == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
        else:
            self._forward(body, kind)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve

    def handle_expect_100(self) -> bool:
        """Say at once that a body may come: a client waits a second for it."""
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, status: int, code: str, message: str) -> None:
        content = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _forward(self, body: bytes, kind: str) -> None:
        asked = http.client.HTTPConnection(self.store.behind, timeout=60)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in ("transfer-encoding", "content-length")}
            asked.request(self.command, self.path, body if self.command in ("PUT", "POST") else None, headers)
            answer = asked.getresponse()
            content = answer.read()
        finally:
            asked.close()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if kind == "cut" and content:
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
        elif kind == "flip" and content:
            middle = len(content) // 2
            self.wfile.write(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        elif kind == "drip":
            for start in range(0, len(content), max(1, len(content) // 4)):
                self.wfile.write(content[start : start + max(1, len(content) // 4)])
                time.sleep(0.2)
        else:
            self.wfile.write(content)


@contextmanager
def flaky_store(endpoint: str) -> Iterator[FlakyStore]:
    """Serve a proxy in front of the store at an endpoint; it fails nothing until it is told to."""
    store = FlakyStore(endpoint)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"store": store}))
    server.daemon_threads = True
    store.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""A chat endpoint on the loopback interface, for tests: a real HTTP server that answers, errs, hangs and lies as it is told."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What the endpoint sends: `hang` seconds first, then status, headers and body; `cut` closes the connection halfway."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hang: float = 0.0
    cut: bool = False


def completion(text: str | None, finish_reason: str = "stop", *, prompt: int = 10, answer: int = 20, **message: Any) -> Answer:
    """An answer of the usual form."""
    choice = {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", "content": text, **message}}
    usage = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
    content = {"id": "c", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
    return Answer(body=json.dumps(content).encode())


def failure(status: int, message: str = "no", code: str | None = None, **headers: str) -> Answer:
    """An error of the usual form."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps({"error": {"message": message, "type": "error", "code": code, "param": None}}).encode(), names)


def models(*names: str) -> Answer:
    """A list of models of the usual form."""
    entries = [{"id": name, "object": "model", "created": 0, "owned_by": "us"} for name in names]
    return Answer(body=json.dumps({"object": "list", "data": entries}).encode())


@dataclass
class Endpoint:
    """The server's side: what it was asked (`bodies`, `headers`, `times`), and `answer(body, number of the call)`.

    `models` is what it says to who asks for its list of models.
    """

    answer: Callable[[dict[str, Any], int], Answer]
    url: str = ""
    models: Answer = field(default_factory=lambda: failure(404))
    bodies: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: Any = field(default_factory=threading.Lock)


@contextmanager
def serving(answer: Callable[[dict[str, Any], int], Answer]) -> Iterator[Endpoint]:
    """Serve on a free port of 127.0.0.1."""
    endpoint = Endpoint(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with endpoint.lock:
                number = len(endpoint.bodies)
                endpoint.bodies.append(body)
                endpoint.paths.append(self.path)
                endpoint.headers.append({name.lower(): value for name, value in self.headers.items()})
                endpoint.times.append(time.monotonic())
                endpoint.at_once += 1
                endpoint.most_at_once = max(endpoint.most_at_once, endpoint.at_once)
            try:
                self._send(endpoint.answer(body, number))
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            finally:
                with endpoint.lock:
                    endpoint.at_once -= 1

        def do_GET(self) -> None:
            with endpoint.lock:
                endpoint.paths.append(self.path)
                endpoint.headers.append({name.lower(): value for name, value in self.headers.items()})
            self._send(endpoint.models)

        def _send(self, told: Answer) -> None:
            time.sleep(told.hang)
            self.send_response(told.status)
            for name, value in {"Content-Type": "application/json", **told.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(told.body)))
            self.end_headers()
            self.wfile.write(told.body[: len(told.body) // 2] if told.cut else told.body)
            self.wfile.flush()
            self.close_connection = told.cut

        def log_message(self, format: str, *args: Any) -> None:
            """Be silent."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Be silent where a client was killed under way."""
            if not isinstance(sys.exc_info()[1], (ConnectionError, json.JSONDecodeError)):
                super().handle_error(request, client_address)

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

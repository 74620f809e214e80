"""A Batch API on the loopback interface, for tests: files go up, batches end in their own time, results come down in any order."""

import json
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.endpoint import Answer


@dataclass
class BatchEndpoint:
    """Answers each line by `answer(body, how often its request came)`: an Answer, "expired" or "lost". A batch ends after `looks` looks.

    `paid` counts the answers that were made for each request; `refuse` refuses batches as a whole, with a code and a message.
    """

    answer: Callable[[dict[str, Any], int], Answer | str]
    looks: int = 2
    refuse: tuple[str, str] | None = None
    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    looked: Counter[str] = field(default_factory=Counter)
    paid: Counter[str] = field(default_factory=Counter)
    came: Counter[str] = field(default_factory=Counter)
    lock: Any = field(default_factory=threading.Lock)

    def posted(self, path: str, body: bytes, kind: str) -> dict[str, Any]:
        """Take a file, or begin a batch."""
        if path.endswith("/files"):
            boundary = re.search(r"boundary=(\S+)", kind)
            assert boundary is not None
            part = next(part for part in body.split(b"--" + boundary[1].encode()) if b'name="file"' in part)
            return self._kept(part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n"))
        told = json.loads(body)
        name = f"batch_{len(self.batches)}"
        self.batches[name] = {
            "id": name, "object": "batch", "endpoint": told["endpoint"], "completion_window": "24h", "status": "validating",
            "input_file_id": told["input_file_id"], "metadata": told["metadata"], "created_at": 0,
        }  # fmt: skip
        return self.batches[name]

    def got(self, path: str) -> Any:
        """Return a batch, all batches, or a file."""
        parts = path.split("?", maxsplit=1)[0].strip("/").split("/")
        if parts[-1] == "batches":
            return {"object": "list", "data": list(self.batches.values())[::-1], "has_more": False}
        if parts[-1] == "content":
            return self.files[parts[-2]]
        batch = self.batches[parts[-1]]
        self.looked[batch["id"]] += 1
        if batch["status"] == "validating" and self.looked[batch["id"]] >= self.looks:
            self._end(batch)
        return batch

    def _kept(self, content: bytes) -> dict[str, Any]:
        name = f"file-{len(self.files)}"
        self.files[name] = content
        about = {"object": "file", "created_at": 0, "filename": "f", "purpose": "batch", "status": "processed"}
        return {"id": name, "bytes": len(content), **about}

    def _end(self, batch: dict[str, Any]) -> None:
        if self.refuse is not None:
            code, message = self.refuse
            batch |= {"status": "failed", "errors": {"object": "list", "data": [{"code": code, "message": message, "line": 1}]}}
            self.refuse = None
            return
        good, bad = [], []
        for line in self.files[batch["input_file_id"]].splitlines():
            call = json.loads(line)
            assert (call["method"], call["url"]) == ("POST", "/v1/chat/completions")
            key = call["custom_id"].rpartition("-")[0]
            self.came[key] += 1
            answer = self.answer(call["body"], self.came[key])
            if answer == "expired":
                expired = {"code": "batch_expired", "message": "This request could not be executed before the completion window expired."}
                bad.append({"id": "r", "custom_id": call["custom_id"], "response": None, "error": expired})
            elif isinstance(answer, Answer):
                response = {"status_code": answer.status, "request_id": "r", "body": json.loads(answer.body)}
                (good if answer.status == 200 else bad).append({"custom_id": call["custom_id"], "response": response, "error": None})
                self.paid[key] += answer.status == 200
        random.Random(0).shuffle(good)
        status = "expired" if any(line["error"] for line in bad) else "completed"
        names = {name: self._kept(b"".join(json.dumps(line).encode() + b"\n" for line in lines))["id"] for name, lines in
                 (("output_file_id", good), ("error_file_id", bad)) if lines}  # fmt: skip
        batch |= {"status": status, **names}


@contextmanager
def serving_batches(answer: Callable[[dict[str, Any], int], Answer | str], **settings: Any) -> Iterator[BatchEndpoint]:
    """Serve on a free port of 127.0.0.1."""
    endpoint = BatchEndpoint(answer, **settings)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with endpoint.lock:
                self._send(endpoint.posted(self.path, body, self.headers["Content-Type"]))

        def do_GET(self) -> None:
            with endpoint.lock:
                self._send(endpoint.got(self.path))

        def _send(self, told: Any) -> None:
            body = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Be silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
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

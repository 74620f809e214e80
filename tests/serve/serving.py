"""A server started as a user starts it, on a port of its own, and requests to it."""

import contextlib
import http.client
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.running import CURATE


@dataclass(frozen=True)
class Server:
    """Where a server listens, and its token."""

    port: int
    token: str
    process: "subprocess.Popen[str]"

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, Mapping[str, str], str]:
        """Send a request with the cookie, unless `cookie` says otherwise; return status, headers and text of the whole page."""
        while "<div data-waiting>" in (answer := self.ask_once(path, method, body, **headers))[2]:
            time.sleep(0.1)
        return answer

    def ask_once(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, Mapping[str, str], str]:
        """Send a request; what comes may be the frame of a page that is not ready."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {"Cookie": f"curate-{self.port}={self.token}", **{name.replace("_", "-"): value for name, value in headers.items()}}
        connection.putrequest(method, path, skip_host="Host" in sent)
        for name, value in sent.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        text = answer.read().decode()
        connection.close()
        return answer.status, told, text


@contextlib.contextmanager
def serving(*folders: Path | str, labels: Path, env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run `curate serve` and end it afterwards."""
    arguments = [str(CURATE), "serve", *map(str, folders), "--port", "0", "--labels", str(labels)]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
    assert process.stderr is not None
    try:
        said = process.stderr.readline()
        match = re.search(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)", said)
        assert match is not None, said + process.stderr.read()
        yield Server(int(match[1]), match[2], process)
    finally:
        process.terminate()
        process.communicate(timeout=30)

"""A Hugging Face Hub on this machine: repositories of datasets, as far as reading, listing and committing need them.

Written from the requests of huggingface_hub's client: repository, tree, paths, resolve with ranges, create, preupload, Git LFS, commit.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest


@dataclass
class Hub:
    """Repositories by name, each with its files by path; `asked` lists the requests. `token` is the only one that may write."""

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)
    commits: int = 0
    token: str = "secret"
    endpoint: str = ""
    fails: Callable[[str, str], bool] = lambda method, path: False


def blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *_: Any) -> None: ...

    def _answer(self, status: int, content: Any = b"", kind: str = "application/json", **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        sent = {"Content-Type": kind, "Content-Length": str(len(body)), **{name.replace("_", "-"): text for name, text in headers.items()}}
        for name, text in sent.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.hub.asked.append((self.command, path))
        if self.hub.fails(self.command, path):
            self._answer(500, {"error": "the Hub is out of order"})
            return
        writes = self.command == "POST" and "paths-info" not in path
        if writes and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            self._answer(401, {"error": "Invalid credentials"})
            return
        for pattern, method in _ROUTES:
            match = re.fullmatch(pattern, path)
            if match:
                method(self, body, parse_qs(parts.query), **match.groupdict())
                return
        self._answer(404, {"error": "no such route"})

    do_GET = do_POST = do_PUT = do_HEAD = _handle

    def _files(self, repo: str) -> dict[str, bytes] | None:
        files = self.hub.repositories.get(repo)
        if files is None:
            self._answer(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
        return files

    def _create(self, body: bytes, _: Any) -> None:
        asked = json.loads(body)
        name = f"{asked['organization']}/{asked['name']}"
        known = name in self.hub.repositories
        self.hub.repositories.setdefault(name, {})
        told = {"url": f"{self.hub.endpoint}/datasets/{name}", "name": name, "id": name}
        self._answer(409 if known else 200, told)

    def _repository(self, _: bytes, __: Any, repo: str) -> None:
        files = self._files(repo)
        if files is not None:
            siblings = [{"rfilename": path} for path in sorted(files)]
            self._answer(200, {"id": repo, "sha": f"{self.hub.commits:040x}", "siblings": siblings, "private": False, "tags": []})

    def _entry(self, path: str, content: bytes) -> dict[str, Any]:
        return {"type": "file", "path": path, "size": len(content), "oid": blob_id(content)}

    def _tree(self, _: bytes, asked: Any, repo: str, below: str | None) -> None:
        files = self._files(repo)
        if files is None:
            return
        prefix = f"{below}/" if below else ""
        inside = {path: content for path, content in files.items() if path.startswith(prefix)}
        if prefix and not inside:
            self._answer(404, {"error": "not found"}, X_Error_Code="EntryNotFound")
            return
        recursive = asked.get("recursive", ["false"])[0].lower() == "true"
        found = [self._entry(path, content) for path, content in inside.items() if recursive or "/" not in path[len(prefix) :]]
        parents = {"/".join(path.split("/")[:depth]) for path in inside for depth in range(1, path.count("/") + 1)}
        folders = [name for name in parents if name.startswith(prefix) and name != below and (recursive or "/" not in name[len(prefix) :])]
        found += [{"type": "directory", "path": name, "oid": "0" * 40, "size": 0} for name in folders]
        self._answer(200, sorted(found, key=lambda entry: entry["path"]))

    def _paths(self, body: bytes, _: Any, repo: str) -> None:
        files = self._files(repo)
        if files is not None:
            wanted = json.loads(body)["paths"]
            self._answer(200, [self._entry(path, files[path]) for path in wanted if path in files])

    def _resolve(self, _: bytes, __: Any, repo: str, file: str) -> None:
        files = self._files(repo)
        if files is None:
            return
        if file not in files:
            self._answer(404, {"error": "not found"}, X_Error_Code="EntryNotFound")
            return
        content, told = files[file], {"ETag": f'"{blob_id(files[file])}"', "X_Repo_Commit": "0" * 40, "Accept_Ranges": "bytes"}
        ranged = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if ranged:
            begin, end = int(ranged[1]), min(int(ranged[2] or len(content) - 1), len(content) - 1)
            told |= {"Content_Range": f"bytes {begin}-{end}/{len(content)}"}
            self._answer(206, content[begin : end + 1], "application/octet-stream", **told)
        else:
            self._answer(200, content, "application/octet-stream", **told)

    def _preupload(self, body: bytes, _: Any, repo: str) -> None:
        files = self._files(repo)
        if files is not None:
            told = []
            for asked in json.loads(body)["files"]:
                mode = "lfs" if asked["path"].endswith(".parquet") else "regular"
                held = files.get(asked["path"])
                oid = None if held is None else hashlib.sha256(held).hexdigest() if mode == "lfs" else blob_id(held)
                told.append({"path": asked["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
            self._answer(200, {"files": told})

    def _large(self, body: bytes, _: Any, repo: str) -> None:
        told = []
        for asked in json.loads(body)["objects"]:
            upload = {"upload": {"href": f"{self.hub.endpoint}/lfs/{asked['oid']}", "header": {}}}
            told.append({**asked, **({} if asked["oid"] in self.hub.stored else {"actions": upload})})
        self._answer(200, {"transfer": "basic", "objects": told})

    def _store(self, body: bytes, _: Any, oid: str) -> None:
        right = hashlib.sha256(body).hexdigest() == oid
        if right:
            self.hub.stored[oid] = body
        self._answer(200 if right else 400)

    def _commit(self, body: bytes, _: Any, repo: str) -> None:
        files = self._files(repo)
        if files is None:
            return
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            match entry["key"]:
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    files[value["path"]] = self.hub.stored[value["oid"]]
                case "deletedFile":
                    del files[value["path"]]
        self.hub.commits += 1
        self._answer(200, {"commitUrl": f"{self.hub.endpoint}/datasets/{repo}/commit/{self.hub.commits:040x}", "commitOid": "0" * 40})


_REPO = r"(?P<repo>[\w.-]+/[\w.-]+)"
_ROUTES: tuple[tuple[str, Any], ...] = (
    (r"/api/repos/create", _Handler._create),
    (rf"/api/datasets/{_REPO}(?:/revision/[\w.-]+)?", _Handler._repository),
    (rf"/api/datasets/{_REPO}/tree/[\w.-]+(?:/(?P<below>.+))?", _Handler._tree),
    (rf"/api/datasets/{_REPO}/paths-info/[\w.-]+", _Handler._paths),
    (rf"/datasets/{_REPO}/resolve/[\w.-]+/(?P<file>.+)", _Handler._resolve),
    (rf"/api/datasets/{_REPO}/preupload/[\w.-]+", _Handler._preupload),
    (rf"/datasets/{_REPO}\.git/info/lfs/objects/batch", _Handler._large),
    (r"/lfs/(?P<oid>[0-9a-f]{64})", _Handler._store),
    (rf"/api/datasets/{_REPO}/commit/[\w.-]+", _Handler._commit),
    (r"/api/validate-yaml", lambda handler, body, asked: handler._answer(200, {"errors": [], "warnings": []})),
)


@contextmanager
def hub() -> Iterator[Hub]:
    """Serve a Hub without repositories."""
    made = Hub()
    handler = type("Handler", (_Handler,), {"hub": made})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    made.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def using(served: Hub) -> Iterator[None]:
    """Let commands in this process use a Hub: tests are offline elsewhere, and the client reads most of its environment when imported."""
    from huggingface_hub import constants

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        patch.setenv("HF_ENDPOINT", served.endpoint)
        patch.setenv("HF_TOKEN", served.token)
        yield

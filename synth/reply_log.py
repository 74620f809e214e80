"""The reply log records requests and replies permanently, so that no work is paid for twice.

`DIR/replies.jsonl` holds one JSON object per line: the request's key and task, the reply, and a checksum of the rest of the line. Lines are
only appended. A reply goes to the operating system before anyone reads it, so a killed process loses none; after every SYNC_EVERY replies,
and at the end, the file is flushed to disk. An incomplete line (a power cut, a full disk) is counted and skipped, and its request is sent
again. Of two lines with the same key the later one counts: an answer may follow a passing failure.

The log belongs to no recipe and no run: `--replies DIR` opens another run's log, reads it and extends it. This project never deletes it.

Invariants
    - One process writes at a time (a lock on the folder). Memory holds only keys and positions; texts stay in the file.
    - Every line that is used passed its checksum.
"""

import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xxhash

from curation.errors import CorruptShard, Refused, UsageError
from curation.storage.digests import canonical
from curation.storage.location import Location
from synth.teacher import Reply, Request

FILE = "replies.jsonl"
SYNC_EVERY = 64
_START = b'{"checksum":"'
"""The beginning of every line of a log."""


def _checksum(content: Mapping[str, Any]) -> str:
    return xxhash.xxh3_64_hexdigest(canonical(content).encode())


def _sealed_line(content: Mapping[str, Any]) -> bytes:
    return f"{canonical({**content, 'checksum': _checksum(content)})}\n".encode()


def _opened_line(line: bytes) -> dict[str, Any] | None:
    """Return the content of a line, or None if it is incomplete or damaged."""
    try:
        content = json.loads(line)
        checksum = content.pop("checksum")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return None
    return content if checksum == _checksum(content) else None


def require_log(folder: Location) -> None:
    """Raise Refused if a folder's reply file is not ours, because we would write to it. An incomplete or damaged log is still ours.

    Raises UsageError if the folder is not on local disk.
    """
    if not folder.is_local:
        raise UsageError(f"replies must be kept on local disk, but {folder} is not local; name a local folder with --replies DIR")
    place = Path(folder.path) / FILE
    if place.is_file():
        with place.open("rb") as lines:
            head = lines.read(len(_START))
            lines.seek(0)
            if _START.startswith(head) or any(_opened_line(line) is not None for line in lines):
                return
    elif not place.exists():
        return
    raise Refused(
        f"{place} is not a reply log of this program, so nothing was written to it; name another folder with --replies, or move it away"
    )


def _encodable(reply: Reply) -> Reply:
    """Return the reply with halves of surrogate pairs, which JSON can express but no file can hold, replaced by question marks."""
    text, detail = (value and value.encode("utf-8", "replace").decode() for value in (reply.text, reply.detail))
    return dataclasses.replace(reply, text=text or "", detail=detail)


class ReplyLog:
    """A folder's log, open for reading and appending. Use `ReplyLog.open`."""

    def __init__(self, folder: Path, descriptor: int) -> None:
        """Take an open log; `open` opens and locks it."""
        self.folder = folder
        self.damaged_lines = 0
        self._descriptor = descriptor
        self._places: dict[str, tuple[int, int]] = {}
        self._final: set[str] = set()
        self._unsynced = 0
        self._end = 0
        self._read()

    @classmethod
    @contextmanager
    def open(cls, folder: Path) -> Iterator["ReplyLog"]:
        """Open or create the log of a folder. Raises Refused if another process has it open, or the file is not a log."""
        require_log(Location.of(folder))
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Refused(f"another run writes to the replies in {folder}; wait for it or choose another --replies") from None
            log = cls(folder, descriptor)
            try:
                yield log
            finally:
                log.sync()
        finally:
            os.close(descriptor)

    def __len__(self) -> int:
        """Return the number of replies."""
        return len(self._places)

    def answered(self, key: str) -> bool:
        """Return whether a final reply to that request is in the log."""
        return key in self._final

    def get(self, key: str) -> Reply:
        """Return the reply to a request. Raises KeyError if there is none, CorruptShard if its bytes have changed since."""
        begin, length = self._places[key]
        content = _opened_line(os.pread(self._descriptor, length, begin))
        if content is None:
            raise CorruptShard(f"{self.folder / FILE}, byte {begin}: the line has changed since it was read; run the same command again")
        return Reply(**content["reply"])

    def append(self, request: Request, reply: Reply) -> None:
        """Append a reply; on return the operating system has it."""
        content = {"key": request.key, "task": request.task, "model": request.model, "reply": dataclasses.asdict(_encodable(reply))}
        line = _sealed_line(content)
        self._write(line)
        self._remember(request.key, reply, self._end - len(line), len(line))
        self._unsynced += 1
        if self._unsynced >= SYNC_EVERY:
            self.sync()

    def sync(self) -> None:
        """Flush the appended lines to disk."""
        if self._unsynced:
            os.fsync(self._descriptor)
            self._unsynced = 0

    def _read(self) -> None:
        line = b"\n"
        with (self.folder / FILE).open("rb") as lines:
            for line in lines:
                content = _opened_line(line)
                if content is None:
                    self.damaged_lines += 1
                else:
                    self._remember(content["key"], Reply(**content["reply"]), self._end, len(line))
                self._end += len(line)
        if not line.endswith(b"\n"):
            self._write(b"\n")

    def _write(self, line: bytes) -> None:
        written = 0
        while written < len(line):
            written += os.write(self._descriptor, line[written:])
        self._end += len(line)

    def _remember(self, key: str, reply: Reply, begin: int, length: int) -> None:
        self._places[key] = (begin, length)
        if reply.final:
            self._final.add(key)
        else:
            self._final.discard(key)

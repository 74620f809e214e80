"""The reply log records calls, answers and replies permanently, so that no work is paid for twice and no cent forgotten.

`DIR/replies.jsonl` holds one JSON object per line, each with a request's key and a checksum of the rest of the line:

    sent      a call is about to be sent, with its worst case
    received  an answer with status 200, unread
    failed    a call brought no readable answer, with its cost
    reply     the reply to the request, with task and model; it settles all earlier lines of the request

Lines are only appended. A line goes to the operating system before its content is used, so a killed process loses nothing that it has
received. After every SYNC_EVERY replies, and at the end, the file is flushed to disk. An incomplete line (a power cut, a full disk) is
counted and skipped, and its request is sent again. Of two replies with the same key the later one counts, because an answer may follow a
passing failure. Lines after a request's last reply are `unfinished`: their answers are read and not asked for again, and calls without an
answer count at their worst case.

The log belongs to no recipe and no run: `--replies DIR` opens another run's log, reads it and extends it. This project never deletes it.

Invariants
    - One process writes at a time (a lock on the folder). Memory holds keys and positions in some 30 bytes each; texts stay in the file.
    - Every line that is used passed its checksum.
    - `spent_before` is the cost of all replies when the log is opened, and the worst case of everything unfinished.
"""

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
from synth.ask.desk import Unfinished, call_name
from synth.ask.key_table import KeyTable
from synth.ask.teacher import Reply, Request

FILE = "replies.jsonl"
SYNC_EVERY = 64
_START = b'{"checksum":"'
"""The beginning of every line of a log."""
_CHECKSUM_DIGITS = 16
_CHUNK = 16 << 10


def _sealed_line(content: Mapping[str, Any]) -> bytes:
    """Return a line: the checksum, then the canonical form of the content.

    Halves of surrogate pairs, which JSON can express but no file can hold, become question marks.
    """
    rest = canonical(content).encode("utf-8", "replace")
    return b'%s%s",%s\n' % (_START, xxhash.xxh3_64_hexdigest(rest).encode(), rest[1:])


def _opened_line(line: bytes) -> dict[str, Any] | None:
    """Return the content of a line, or None if it is incomplete or damaged."""
    body = len(_START) + _CHECKSUM_DIGITS + len('",')
    rest = b"{" + line[body:].rstrip(b"\n")
    if not line.startswith(_START) or line[len(_START) : body] != f'{xxhash.xxh3_64_hexdigest(rest)}",'.encode():
        return None
    try:
        content = json.loads(rest)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) and isinstance(content.get("key"), str) else None


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


class ReplyLog:
    """A folder's log, open for reading and appending. Use `ReplyLog.open` or `looked_at`."""

    def __init__(self, folder: Path, descriptor: int) -> None:
        """Take an open log; `open` and `looked_at` open it."""
        self.folder = folder
        self.damaged_lines = 0
        self.spent_before = 0.0
        self._descriptor = descriptor
        self._places = KeyTable()
        self._unfinished: dict[str, Unfinished] = {}
        self._starts: dict[str, str] | None = None
        self._unsynced = 0
        self._end = 0
        self._read()
        self.spent_before += sum(left.worst for left in self._unfinished.values())

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
            log.end_last_line()
            try:
                yield log
            finally:
                log.sync()
        finally:
            os.close(descriptor)

    @classmethod
    @contextmanager
    def looked_at(cls, folder: Path) -> Iterator["ReplyLog | None"]:
        """Open the log of a folder for reading alone, while a run may write to it; None if there is no log."""
        if not (folder / FILE).is_file():
            yield None
            return
        descriptor = os.open(folder / FILE, os.O_RDONLY)
        try:
            yield cls(folder, descriptor)
        finally:
            os.close(descriptor)

    def __len__(self) -> int:
        """Return the number of requests with a reply."""
        return len(self._places)

    def answered(self, key: str) -> bool:
        """Return whether a final reply to that request is in the log."""
        place = self._places.get(key)
        return place is not None and bool(place & 1)

    def holds(self, key: str) -> bool:
        """Return whether any reply to that request is in the log."""
        return self._places.get(key) is not None

    def final(self, request: Request) -> Reply | None:
        """Return the final reply to a request, or None."""
        return self.get(request.key) if self.answered(request.key) else None

    def get(self, key: str) -> Reply:
        """Return the reply to a request. Raises KeyError if there is none, CorruptShard if its bytes have changed since."""
        place = self._places.get(key)
        if place is None:
            raise KeyError(key)
        begin = place >> 1
        content = _opened_line(self._line_at(begin))
        if content is None or content["key"] != key or "reply" not in content:
            raise CorruptShard(f"{self.folder / FILE}, byte {begin}: the line has changed since it was read; run the same command again")
        return Reply(**content["reply"])

    def append(self, request: Request, reply: Reply) -> None:
        """Append a reply; on return the operating system has it."""
        content = {"key": request.key, "task": request.task, "model": request.model, "reply": reply}
        begin = self._end
        self._write(_sealed_line(content))
        self._remember(request.key, reply.final, begin)
        self._unsynced += 1
        if self._unsynced >= SYNC_EVERY:
            self.sync()

    def sending(self, key: str, call: int, worst: float) -> None:
        """Record that call number `call` of a request is about to be sent, and its worst case."""
        self._write(_sealed_line({"key": key, "sent": {"call": call, "worst": worst}}))

    def arrived(self, key: str, call: int, body: str) -> None:
        """Record the answer to a call, unread."""
        self._write(_sealed_line({"key": key, "received": {"call": call, "body": body}}))

    def failed(self, key: str, call: int, cost: float, lost: bool = False) -> None:
        """Record that a call brought no readable answer, its cost, and whether nothing came at all."""
        self._write(_sealed_line({"key": key, "failed": {"call": call, "cost": cost, **({"lost": True} if lost else {})}}))

    def unfinished(self, key: str) -> Unfinished | None:
        """Return and forget what an ended command left of a request."""
        return self._unfinished.pop(key, None)

    def late(self, call: str, body: str | None) -> float:
        """Record the outcome of a call of an ended command, and return by how much its cost falls. Unknown calls are ignored."""
        if self._starts is None:
            self._starts = {call_name(key, 0)[:-1]: key for key in self._unfinished}
        start, _, number = call.rpartition("-")
        key = self._starts.get(f"{start}-", "")
        left = self._unfinished.get(key)
        if left is None or not number.isdigit() or int(number) not in left.pending:
            return 0.0
        left.lost.discard(int(number))
        if body is not None:
            self.arrived(key, int(number), body)
            left.bodies.append((int(number), left.pending.pop(int(number)), body))
            return 0.0
        self.failed(key, int(number), 0.0)
        released, left.pending[int(number)] = left.pending[int(number)], 0.0
        return released

    def sync(self) -> None:
        """Flush the appended lines to disk."""
        if self._unsynced:
            os.fsync(self._descriptor)
            self._unsynced = 0

    def end_last_line(self) -> None:
        """End a line that a killed process left incomplete, before another one is appended."""
        if self._is_torn:
            self._write(b"\n")

    def _read(self) -> None:
        line = b"\n"
        with (self.folder / FILE).open("rb") as lines:
            for line in lines:
                content = _opened_line(line)
                if content is None:
                    self.damaged_lines += 1
                else:
                    self._take_in(content)
                self._end += len(line)
        self._is_torn = not line.endswith(b"\n")

    def _take_in(self, content: Mapping[str, Any]) -> None:
        """Apply the line that begins where reading ended."""
        key = content["key"]
        if "reply" in content:
            reply = Reply(**content["reply"])
            self._remember(key, reply.final, self._end)
            self.spent_before += reply.cost or 0.0
            return
        left = self._unfinished.setdefault(key, Unfinished())
        if "sent" in content:
            left.calls = content["sent"]["call"]
            left.lost.add(left.calls)
            left.pending[left.calls] = content["sent"]["worst"]
        elif "failed" in content:
            call = content["failed"]["call"]
            if "lost" not in content["failed"]:
                left.lost.discard(call)
            left.pending[call] = content["failed"]["cost"]
            left.bodies = [body for body in left.bodies if body[0] != call]
        elif "received" in content:
            call = content["received"]["call"]
            left.lost.discard(call)
            left.bodies.append((call, left.pending.pop(call, 0.0), content["received"]["body"]))

    def _line_at(self, begin: int) -> bytes:
        line = b""
        while b"\n" not in line:
            more = os.pread(self._descriptor, _CHUNK + len(line), begin + len(line))
            if not more:
                break
            line += more
        return line[: line.find(b"\n") + 1]

    def _write(self, line: bytes) -> None:
        written = 0
        while written < len(line):
            written += os.write(self._descriptor, line[written:])
        self._end += len(line)

    def _remember(self, key: str, final: bool, begin: int) -> None:
        self._unfinished.pop(key, None)
        self._places.put(key, begin << 1 | final)

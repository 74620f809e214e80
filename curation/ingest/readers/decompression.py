"""Decompression: read a compressed file as a stream of plain bytes with limits, which reports where it broke off.

gzip, Zstandard, bzip2 and xz (any number of members, see `curation.ingest.readers.members`) and LZ4 frames are recognised by their first
bytes, never by the file's name; all other content is plain. `Content` is the reader's view of such a stream: look ahead, take, skip,
search, always with a known offset.

Invariants
    - Offsets count plain bytes, so they do not depend on the file's compression, members, frames or read sizes.
    - Damage never raises. A truncated, corrupt or explosive stream ends where it broke, and `Content.damage` says how. Every byte of a
      truncated file is read, but for what LZ4 decoded last; other damage also loses at most one read before it. After a corrupt member a
      reader may `resume` at the next one; offsets then count the readable bytes.
    - A high ratio alone does not make a file a bomb: repetitive data compresses a thousand times. A record is limited to MAX_RECORD_BYTES;
      a file is limited only beyond MAX_UNPACKED_BYTES, to MAX_EXPANSION times its compressed size.
    - An error of the file system is not damage: it is raised unchanged, because it says nothing about the file.
    - Memory is bounded by the amount that a reader looks ahead, plus one block.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa

from curation.ingest.readers.lz4_frames import Lz4Frames
from curation.ingest.readers.members import READ, STARTS, BrokeOff, inflate, members
from curation.ingest.readers.outcomes import BOMB, MAX_EXPANSION, MAX_UNPACKED_BYTES, Broken

READ_BYTES = 4 << 10
_MAGIC = {**STARTS, "lz4": re.compile(rb"\x04\x22\x4d\x18")}


@dataclass(frozen=True)
class Damage:
    """Why bytes cannot be trusted: the name of a rule (`truncated`, `corrupt`, `bomb`, ...) and a description.

    `since` is the offset from which they are in doubt: the start of a member whose checksum was not reached or differs.
    """

    reason: str
    detail: str
    since: int = 0


class WatchedFile:
    """A file that counts the bytes read from it and remembers its own failure, so that it is not mistaken for damage in the content."""

    def __init__(self, file: BinaryIO) -> None:
        """Watch what is read from a file."""
        self._file = file
        self.count = 0
        self.failure: Exception | None = None
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """Read and count bytes."""
        try:
            block = self._file.read(size)
        except Exception as failure:
            self.failure = failure
            raise
        self.count += len(block)
        return block

    def read_at(self, offset: int, size: int) -> bytes:
        """Return the bytes at an offset: fewer at the end, none outside (files opened for random access)."""
        if not 0 <= offset <= self.seek(0, 2) or size < 0:
            return b""
        self.seek(offset)
        return self.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to an offset (files opened for random access)."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the offset."""
        return self._file.tell()

    def close(self) -> None:
        """Close."""
        self.closed = True
        self._file.close()

    def raise_failure(self) -> None:
        """Raise the file's own failure, if there was one."""
        if self.failure is not None:
            raise self.failure


class _Rejoined:
    """A file whose first bytes were already read; the opener closes it."""

    closed = False

    def close(self) -> None:
        """Do nothing."""

    def __init__(self, head: bytes, file: WatchedFile) -> None:
        self._head = head
        self._file = file

    def read(self, size: int) -> bytes:
        if not self._head:
            return self._file.read(size)
        block, self._head = self._head[:size], self._head[size:]
        return block


class Content:
    """A file's plain bytes from start to end. `offset` is the position of the next byte; `compression` is "" for plain files.

    Reading past the end gives fewer bytes. If the stream broke off there, `damage` is set as soon as that point is reached. A caller who
    knows the compression (of an HTTP body) may name it: "brotli" or "deflate", which have no magic bytes.
    """

    def __init__(self, file: BinaryIO, compression: str = "") -> None:
        """Read a file from its beginning."""
        self.offset = 0
        self.damage: Damage | None = None
        self.compression = compression
        self._blocks = self._plain(WatchedFile(file))
        self._held = bytearray()
        self._start = 0
        self._ended = False
        self._produced = 0
        self._checked = 0

    def peek(self, size: int, after: int = 0) -> bytes:
        """Return `size` bytes that start `after` bytes ahead, or as many as exist, without taking them."""
        self._hold(after + size)
        first = self._start + after
        return bytes(memoryview(self._held)[first : first + size])

    def ahead(self, size: int) -> int:
        """Return how many of the next `size` bytes exist."""
        self._hold(size)
        return min(size, len(self._held) - self._start)

    def contains(self, pattern: re.Pattern[bytes], size: int) -> bool:
        """Return whether `pattern` matches in the next `size` bytes."""
        self._hold(size)
        return pattern.search(self._held, self._start, self._start + size) is not None

    def at_end(self) -> bool:
        """Return whether nothing is left."""
        return not self._hold(1)

    def take(self, size: int) -> bytes:
        """Take the next `size` bytes, or all remaining bytes."""
        taken = self.peek(size)
        self._advance(len(taken))
        return taken

    def skip(self, size: int) -> int:
        """Skip `size` bytes without keeping them; return how many existed."""
        left = size
        while left and self._hold(1):
            step = min(left, len(self._held) - self._start)
            self._advance(step)
            left -= step
        return size - left

    def skip_any(self, characters: bytes) -> bytes:
        """Skip bytes that are among `characters`; return the first few of them."""
        first = b""
        while self._hold(1) and self._held[self._start] in characters:
            ahead = self.peek(READ_BYTES)
            passed = len(ahead) - len(ahead.lstrip(characters))
            first = first or ahead[:passed]
            self._advance(passed)
        return first

    def take_line(self, limit: int) -> bytes | None:
        """Take bytes through the next newline (the last line may lack it); return None and take nothing if it is longer than `limit`."""
        searched = 0
        while (newline := self._held.find(b"\n", self._start + searched)) < 0:
            searched = len(self._held) - self._start
            if searched > limit or self.ahead(searched + 1) == searched:
                break
        length = (newline + 1 if newline >= 0 else len(self._held)) - self._start
        return self.take(length) if length <= limit else None

    def skip_to(self, start: re.Pattern[bytes], reach: int) -> None:
        """Skip to the end of the next match of `start` (at most `reach` bytes long), or to the end if there is no match."""
        while self._hold(READ + reach):
            found = start.search(self._held, self._start)
            if found:
                self._advance(found.end() - self._start)
                return
            ahead = len(self._held) - self._start
            self._advance(ahead if self._ended else ahead - reach)

    def damaged(self, at: int | None = None) -> Iterator[Broken]:
        """Yield one Broken at offset `at`, or at the end of the stream, if the file broke off: its last frame."""
        if self.at_end() and self.damage is not None:
            yield Broken(self.offset if at is None else at, self.damage.reason, self.damage.detail)

    def confirms(self, offset: int) -> bool:
        """Return whether the stream broke off, and what it gave before `offset` is not in doubt."""
        return self.damage is not None and self.damage.since >= offset

    def resume(self) -> bool:
        """Continue after damage at the next readable member; return whether there is one. This clears the damage."""
        while self.at_end() and self.damage is not None:
            self.damage = None
            self._ended = False
        return not self.at_end()

    def _hold(self, size: int) -> bool:
        """Read until `size` bytes are ahead or the file ends; return whether any are ahead."""
        while not self._ended and len(self._held) - self._start < size:
            if self._start > 1 << 20:
                del self._held[: self._start]
                self._start = 0
            try:
                block = next(self._blocks, b"")
            except BrokeOff as broke_off:
                block = self._damage_of(broke_off)
            if isinstance(block, Damage):
                self.damage = block
                block = b""
            self._produced += len(block)
            self._ended = not block
            self._held += block
        return len(self._held) > self._start

    def _damage_of(self, broke_off: BrokeOff) -> Damage:
        return Damage(broke_off.reason, str(broke_off), self._checked)

    def _advance(self, size: int) -> None:
        self._start += size
        self.offset += size
        if self._start == len(self._held):
            self._held.clear()
            self._start = 0

    def _plain(self, file: WatchedFile) -> Iterator[bytes | Damage]:
        head = file.read(READ)
        self.compression = self.compression or _compression_of(head)
        if not self.compression:
            while head:
                yield head
                head = file.read(READ)
            return
        for block in self._decompressed(head, file):
            yield block
            if self._produced > max(MAX_UNPACKED_BYTES, MAX_EXPANSION * file.count):
                raise BrokeOff(
                    BOMB,
                    f"{file.count} bytes of {self.compression} became more than {MAX_UNPACKED_BYTES}, and more than {MAX_EXPANSION} times "
                    "as many; the rest is not read. If they are sound, decompress the file first",
                )

    def _decompressed(self, head: bytes, file: WatchedFile) -> Iterator[bytes | Damage]:
        if self.compression == "deflate":
            yield from inflate(head, file)
            return
        if self.compression == "lz4":
            yield from self._lz4(Lz4Frames(head, file), file)
            return
        if self.compression not in STARTS:
            yield from self._decode(_Rejoined(head, file), file)
            return
        for block in members(self.compression, head, file):
            if block is None:
                self._checked = self._produced
            else:
                yield self._damage_of(block) if isinstance(block, BrokeOff) else block

    def _lz4(self, frames: Lz4Frames, file: WatchedFile) -> Iterator[bytes | Damage]:
        """Yield the content of each LZ4 frame, and a Damage for what is not one."""
        while (found := frames.next_frame()) is not False:
            try:
                if found is None:
                    raise BrokeOff("corrupt", "bytes that are no lz4 frame follow the last one")
                yield from self._decode(frames, file)
            except BrokeOff as broke_off:
                yield self._damage_of(broke_off)
                frames.skip_to_start()

    def _decode(self, packed: Lz4Frames | _Rejoined, file: WatchedFile) -> Iterator[bytes]:
        """Yield the content of an LZ4 frame or of Brotli data."""
        stream = pa.CompressedInputStream(pa.PythonFile(packed, mode="r"), self.compression)
        while True:
            try:
                block = stream.read(READ_BYTES)
            except OSError as error:
                file.raise_failure()
                reason = "truncated" if "Truncated" in str(error) else "corrupt"
                raise BrokeOff(reason, f"the {self.compression} data cannot be decompressed: {error}") from None
            if not block:
                return
            yield block
            self._checked = self._produced


def _compression_of(head: bytes) -> str:
    return next((kind for kind, start in _MAGIC.items() if start.match(head)), "")

"""LZ4 frames: cut a compressed stream at the ends of its frames, without decoding it.

Arrow decodes LZ4 but does not say where a frame ends, and where it meets damage it drops what it decoded last. So it is given one frame at
a time: then the bytes after a frame, sound or not, cost nothing of it. The format is the LZ4 frame format 1.6: a header, blocks that each
begin with their size, a size of zero, and a checksum if the header says so.

Invariant: the bytes given are those of the file, whatever they are; a frame that the file does not hold whole is given as far as it goes.
"""

import re
from collections.abc import Iterator

from curation.ingest.readers.members import READ, ByteFile

START = re.compile(rb"\x04\x22\x4d\x18|[\x50-\x5f]\x2a\x4d\x18")
"""How a frame starts: one with content, or one to skip."""

_START_BYTES = 4
_SIZE_MASK = 0x7FFFFFFF
_BLOCK_CHECKSUM, _CONTENT_SIZE, _CONTENT_CHECKSUM, _DICTIONARY = 0x10, 0x08, 0x04, 0x01


class Lz4Frames:
    """Compressed bytes, frame by frame: `next_frame` goes to a frame, and `read` gives no more than that frame."""

    closed = False

    def __init__(self, head: bytes, file: ByteFile) -> None:
        """Begin with bytes that were read already."""
        self._held = head
        self._file = file
        self._pieces: Iterator[bytes] = iter(())
        self._piece = b""

    def next_frame(self) -> bool | None:
        """Go to the frame that follows; zeros before it are padding. Return False at the end of the file, None where no frame follows."""
        while self._fill(1) and not (held := self._held.lstrip(b"\0")):
            self._held = held
        self._held = self._held.lstrip(b"\0")
        if not self._fill(1):
            return False
        self._fill(_START_BYTES)
        if not START.match(self._held):
            return None
        self._pieces, self._piece = self._frame(), b""
        return True

    def skip_to_start(self) -> None:
        """Skip to the start of a frame, or to the end of the file."""
        while not (start := START.search(self._held)):
            kept = len(self._held[1 - _START_BYTES :])
            self._held = self._held[1 - _START_BYTES :]
            if not self._fill(kept + 1):
                self._held = b""
                return
        self._held = self._held[start.start() :]

    def read(self, size: int) -> bytes:
        """Return at most `size` more bytes of the frame, none at its end."""
        self._piece = self._piece or next(self._pieces, b"")
        given, self._piece = self._piece[:size], self._piece[size:]
        return given

    def close(self) -> None:
        """Do nothing; the opener closes the file."""

    def _fill(self, size: int) -> bool:
        """Try to hold so many bytes; return whether they are there."""
        while len(self._held) < size and (block := self._file.read(READ)):
            self._held += block
        return len(self._held) >= size

    def _take(self, size: int) -> bytes:
        self._fill(size)
        taken, self._held = self._held[:size], self._held[size:]
        return taken

    def _frame(self) -> Iterator[bytes]:
        start = self._take(_START_BYTES)
        if start[0] != 0x04:
            told = self._take(4)
            yield start + told
            yield from self._through(int.from_bytes(told, "little"))
            return
        described = self._take(2)
        flags = described[0] if described else 0
        yield start + described + self._take(1 + 8 * bool(flags & _CONTENT_SIZE) + 4 * bool(flags & _DICTIONARY))
        while size := int.from_bytes(head := self._take(4), "little") & _SIZE_MASK:
            yield head
            yield from self._through(size + 4 * bool(flags & _BLOCK_CHECKSUM))
        yield head + self._take(4 * bool(flags & _CONTENT_CHECKSUM))

    def _through(self, size: int) -> Iterator[bytes]:
        while size > 0 and (block := self._take(min(size, READ))):
            yield block
            size -= len(block)

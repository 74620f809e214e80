"""Framing: cut archives of *head, length, block* (WARC and ARC files) into records, even if lengths are wrong.

Both formats put a short head before each record, which gives the length of its block; newlines close the block. A length is believed only
if the next record or the end of the file follows the block. Otherwise the record is faulty, and reading continues at the next line that
looks like the start of a record, so that one wrong length costs one record.

Invariants
    - Every byte of the file belongs to a frame or is a newline between frames: skipped bytes become a frame with a fault.
    - After a corrupt gzip member reading continues at the next one, so the corruption costs one row too.
    - A record that ends the readable part of a damaged gzip member is faulty too: no checksum confirms its bytes.
    - A block of more than MAX_RECORD_BYTES is skipped; no more than that is held in memory. If the file ends before, or another record
      starts in the part that is held, the length is wrong: the records that it spans are read, at the price of reading a huge record that
      holds an archive as the records of that archive.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from curation.ingest.readers.decompression import Content, Damage
from curation.ingest.readers.outcomes import BOMB, MAX_RECORD_BYTES, Broken

NEWLINES = b"\r\n"
_NO_LENGTH = Damage("bad_content_length", "the record does not say how long it is")
ENDS_FILE = ("truncated", "corrupt", BOMB)
"""Faults that may cost more than their own record: they are reported for every kind of record."""
_GAP = 64


@dataclass(frozen=True)
class Frame:
    """An unparsed record: `head` with its newline(s), `block`, and the reason why the block (then empty) cannot be trusted."""

    offset: int
    head: bytes
    block: bytes
    fault: Damage | None = None


class Shape(Protocol):
    """The differences between WARC and ARC."""

    start: re.Pattern[bytes]
    """Matches a newline that a record follows (by lookahead); at most `reach` bytes."""

    reach: int
    newlines_after: int
    """Number of line ends that close a block."""

    def take_head(self, content: Content) -> bytes | None:
        """Take a record's head; return None and take nothing if no record starts here."""
        ...

    def length_of(self, head: bytes) -> int | None:
        """Return the block's length according to the head; None if the head does not give one."""
        ...


def frames(content: Content, shape: Shape) -> Iterator[Frame | Broken]:
    """Yield the records of an archive, and a Broken for each stretch of bytes outside any record."""
    while True:
        content.skip_any(NEWLINES)
        offset = content.offset
        if content.at_end():
            yield from content.damaged()
            if content.resume():
                continue
            return
        head = shape.take_head(content)
        if head is None:
            content.skip_to(shape.start, shape.reach)
            yield Broken(offset, "garbage", f"{content.offset - offset} bytes that belong to no record")
            continue
        length = shape.length_of(head)
        fault = _fault(content, shape, length)
        if fault is None and length is not None:
            yield Frame(offset, head, content.take(length))
            continue
        if length is None or (fault and fault.reason == "wrong_content_length"):
            if not shape.start.match(b"\n" + content.peek(shape.reach)):
                content.skip_to(shape.start, shape.reach)
        else:
            missing = length - content.skip(length)
            fault = _cut_off(content, missing) if missing else fault
            content.skip_any(NEWLINES)
        yield Frame(offset, head, b"", fault)
        if content.at_end() and fault and fault.reason in ENDS_FILE and not content.resume():
            return


def _fault(content: Content, shape: Shape, length: int | None) -> Damage | None:
    """Return what is wrong with a record, from the bytes that follow its head; the head was already taken."""
    if length is None:
        return _cut_off(content, 1) if content.at_end() else _NO_LENGTH
    ahead = content.ahead(min(length, MAX_RECORD_BYTES + 1))
    if (ahead > MAX_RECORD_BYTES or ahead < length) and content.contains(shape.start, ahead):
        return Damage("wrong_content_length", f"the record says it has {length} bytes, but the next record starts before")
    if ahead > MAX_RECORD_BYTES:
        return Damage("too_large", f"the record has {length} bytes, more than {MAX_RECORD_BYTES}")
    if ahead < length:
        return _cut_off(content, length - ahead)
    following = content.peek(_GAP + shape.reach, after=length)
    gap = following[: len(following) - len(following.lstrip(NEWLINES))]
    if len(following) == len(gap):
        return None if content.confirms(content.offset + length) else content.damage
    if shape.start.match(b"\n" + following[len(gap) :]):
        return None
    if gap.count(b"\n") >= shape.newlines_after and not content.contains(shape.start, length):
        return None
    return Damage("wrong_content_length", f"the record says it has {length} bytes, but no record starts where those end")


def _cut_off(content: Content, missing: int) -> Damage:
    return content.damage or Damage("truncated", f"the file ends {missing} bytes or more before the record does")

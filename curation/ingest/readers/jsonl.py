"""JSON Lines: one JSON object per line, in UTF-8; the recipe names its fields (`Fields`).

A line is a record unless it is blank; blank lines are not counted. A byte-order mark at the start of the file is skipped. The module
`curation.ingest.readers.rows` turns an object into a record.

Where compressed data break off, the line before may lack its newline and still be whole: it is a record if a checksum confirms it and it is
an object, because the beginning of an object is never an object. LZ4's library does not say where a frame ends, so there the object alone
decides.
"""

import re
from collections.abc import Iterator

from curation.ingest.readers.decompression import Content
from curation.ingest.readers.json_objects import object_of
from curation.ingest.readers.outcomes import MAX_RECORD_BYTES, Broken, Outcome
from curation.ingest.readers.repair import BadRow, Repairs
from curation.ingest.readers.rows import row_record
from curation.storage.source_file import SourceFile

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NEWLINE = re.compile(rb"\n")


Line = tuple[int, bytes]
"""The offset at which a line starts, and the line. A plain tuple, because a file has millions of frames and an object with named fields
costs more."""


class JsonlReader:
    """Reads one record per line."""

    def frames(self, content: Content, source: SourceFile) -> Iterator[Line | Broken]:  # noqa: ARG002
        """Yield the lines that are not blank."""
        if content.peek(3) == _BYTE_ORDER_MARK:
            content.skip(3)
        while True:
            content.skip_any(b"\r\n")
            offset = content.offset
            line = content.take_line(MAX_RECORD_BYTES)
            if line is None:
                content.skip_to(_NEWLINE, 1)
                yield Broken(offset, "too_large", f"the line has more than {MAX_RECORD_BYTES} bytes")
            elif line.endswith(b"\n") or (line and content.damage is None):
                if line.strip():
                    yield offset, line
            else:
                if line and content.confirms(content.offset) and _is_object(line):
                    yield offset, line
                    offset = content.offset
                yield from content.damaged(offset)
                if not content.resume():
                    return

    def parse(self, frame: Line, source: SourceFile) -> Outcome:
        """Return a line's outcome."""
        offset, line = frame
        repairs = Repairs()
        try:
            return row_record(object_of(line, source.fields.text, repairs), offset, source, repairs)
        except BadRow as error:
            return Broken(offset, error.reason, str(error), raw=line.rstrip(b"\r\n"))


def _is_object(line: bytes) -> bool:
    try:
        object_of(line, "", Repairs())
    except BadRow:
        return False
    return True

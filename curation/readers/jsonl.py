"""JSON Lines: one JSON object a line, in UTF-8, its fields named by the recipe (`Fields`).

A line is a record unless it is blank; blank lines are not counted. A byte-order mark at the start of the file is passed over. How an
object becomes a record is told in `curation.readers.rows`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from curation.readers.contract import MAX_RECORD_BYTES, Broken, Outcome, SourceFile
from curation.readers.decompression import Content
from curation.readers.rows import BadRow, row_record

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NEWLINE = re.compile(rb"\n")


Line = tuple[int, bytes]
"""The offset a line starts at, and the line. Frames of which a file has millions are plain tuples: an object with names costs a
microsecond."""


class JsonlReader:
    """Reads a record a line."""

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
                yield from content.damaged(offset)
                if not content.resume():
                    return

    def parse(self, frame: Line, source: SourceFile) -> Outcome:
        """Return a line's outcome."""
        offset, line = frame
        try:
            return row_record(_object(line), offset, source)
        except BadRow as error:
            return Broken(offset, error.reason, str(error), raw=line.rstrip(b"\r\n"))
        except RecursionError:
            return Broken(offset, "broken_json", "the line nests too deeply", raw=line.rstrip(b"\r\n"))


def _object(line: bytes) -> Mapping[str, Any]:
    try:
        fields = _DECODER.decode(line.decode())
    except UnicodeDecodeError as error:
        raise BadRow("undecodable", f"the line is not UTF-8: {error.reason} at byte {error.start}") from None
    except json.JSONDecodeError:
        # Not the library's own words: they differ between Python versions, and the ledger must not.
        raise BadRow("broken_json", "the line is not JSON") from None
    except ValueError as error:
        raise BadRow("broken_json", f"the line is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise BadRow("not_an_object", f"the line holds no JSON object but {type(fields).__name__}")
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
"""One for all lines: `json.loads` makes a new one for each where constants are refused."""

"""ARC files, the Internet Archive's format before WARC (Burner and Kahle, 1996; versions 1 and 2).

A record is one line, `URL IP-address Archive-date [...] Content-type Archive-length`, then a block of that length, then a newline. The
first record of a file, `filedesc://`, describes the file and is Ignored. A block is an HTTP response or, if it does not begin like one, the
content itself. URLs may contain spaces: a record line is recognised by the date between words and the length at its end.
"""

import re
from collections.abc import Iterator

from curation.ingest.readers.dates import parse_date
from curation.ingest.readers.decompression import Content
from curation.ingest.readers.framing import ENDS_FILE, Frame, frames
from curation.ingest.readers.http_response import BadBody, parse_response
from curation.ingest.readers.mime import content_type
from curation.ingest.readers.outcomes import Broken, Ignored, Outcome, Record
from curation.ingest.readers.repair import Repairs, mended_string
from curation.storage.source_file import SourceFile

_MAX_LINE = 8 << 10
_RECORD_LINE = rb"([A-Za-z][A-Za-z0-9+.-]{0,30}:[^\r\n]{1,6000}?) ([0-9A-Fa-f.:]{1,60}) (\d{8,18}) ([^\r\n]{0,1000}?) ?(\S{1,60})\r?\n"
_LINE = re.compile(_RECORD_LINE)


class _ArcShape:
    start = re.compile(rb"\n(?=" + _RECORD_LINE + rb")")
    reach = _MAX_LINE
    newlines_after = 1

    def take_head(self, content: Content) -> bytes | None:
        line = _LINE.match(content.peek(_MAX_LINE))
        return content.take(line.end()) if line else None

    def length_of(self, head: bytes) -> int | None:
        length = head.split()[-1]
        return int(length) if length.isdigit() and len(length) <= 18 else None


class ArcReader:
    """Reads ARC records."""

    def frames(self, content: Content, source: SourceFile) -> Iterator[Frame | Broken]:  # noqa: ARG002
        """Yield the file's records, unparsed."""
        return frames(content, _ArcShape())

    def parse(self, frame: Frame, source: SourceFile) -> Outcome:  # noqa: ARG002
        """Return a record's outcome; an ARC record has no id of its own."""
        line = _LINE.match(frame.head)
        if line is None:
            return Broken(frame.offset, "bad_header", "the record line cannot be read")
        url = line[1].decode("utf-8", "replace")
        if url.startswith("filedesc:") and not (frame.fault and frame.fault.reason in ENDS_FILE):
            return Ignored(frame.offset, "filedesc")
        if frame.fault:
            return Broken(frame.offset, frame.fault.reason, frame.fault.detail, url=url)
        status, sent, payload, raw = None, line[4].decode("utf-8", "replace"), frame.block, frame.block
        response = parse_response(frame.block)
        if response is not None:
            status, sent, raw = response.status, response.content_type or sent, response.stored
            try:
                payload = response.body()
            except BadBody as error:
                return Broken(frame.offset, error.reason, str(error), url=url, raw=raw)
            if status is None:
                return Broken(frame.offset, "bad_http", "the status line holds no status", url=url, raw=raw)
        crawled_at = parse_date(line[3].decode())
        repairs = Repairs()
        return Record(
            frame.offset, None, mended_string(url, repairs), crawled_at, payload, raw, status, content_type([sent]) or sent, repairs=repairs
        )

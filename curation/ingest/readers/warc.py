"""WARC files (ISO 28500, versions 1.0 and 1.1), and WET files, which are WARC files with `conversion` records.

`response` and `resource` records are pages, `conversion` records are texts; all other kinds are Ignored by name, and kinds outside the
standard as "other". A response contains an HTTP message, whose body is the payload; for another protocol (dns, ftp) or a stored file the
payload is the block. FastWARC parses heads (Bevendorff et al., 2018); `curation.ingest.readers.framing` finds where records begin, because
FastWARC silently skips damage.

Common mistakes of crawlers are accepted: LF line ends, spaces or <> around URIs, a missing status text, several records in one gzip member,
extra newlines, decoded bodies under headers that say otherwise, `warc/1.0` in lower case. If a server did not give a content type, or gave
an unknown one, the crawler's own WARC-Identified-Payload-Type counts.
"""

import re
from collections.abc import Iterator

from curation.ingest.readers.dates import parse_date
from curation.ingest.readers.decompression import Content
from curation.ingest.readers.framing import ENDS_FILE, Frame, frames
from curation.ingest.readers.heads import HeaderMap, parse_head
from curation.ingest.readers.http_response import BadBody, parse_response
from curation.ingest.readers.mime import identified
from curation.ingest.readers.outcomes import Broken, Ignored, Outcome, Record
from curation.ingest.readers.repair import BadRow, Repairs, decoded, mended_string
from curation.storage.source_file import SourceFile

MAX_HEAD_BYTES = 64 << 10
_DOCUMENTS = ("response", "resource", "conversion")
_COUNTED = ("warcinfo", "request", "metadata", "revisit", "continuation")
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,18})[ \t\r]*$", re.IGNORECASE | re.MULTILINE)
_END_OF_HEAD = re.compile(rb"\n\r*\n\Z")
_HTTP = "application/http"


class _WarcShape:
    start = re.compile(rb"\n(?=WARC/\d+\.\d+[ \t]*\r?\n)", re.IGNORECASE)
    reach = 32
    newlines_after = 2

    def take_head(self, content: Content) -> bytes | None:
        if content.peek(5).upper() != b"WARC/":
            return None
        head = bytearray()
        while line := content.take_line(MAX_HEAD_BYTES - len(head)):
            head += line
            if not line.strip():
                break
        return bytes(head)

    def length_of(self, head: bytes) -> int | None:
        length = _LENGTH.search(head)
        return int(length[1]) if length and _END_OF_HEAD.search(head) else None


class WarcReader:
    """Reads WARC records."""

    def frames(self, content: Content, source: SourceFile) -> Iterator[Frame | Broken]:  # noqa: ARG002
        """Yield the file's records, unparsed."""
        return frames(content, _WarcShape())

    def parse(self, frame: Frame, source: SourceFile) -> Outcome:  # noqa: ARG002
        """Return a record's outcome."""
        try:
            headers = parse_head(frame.head)
        except OSError as error:
            return Broken(frame.offset, "bad_header", f"the record's head cannot be read: {error}")
        kind = (headers.get("WARC-Type") or "").strip().lower()
        end_of_file = frame.fault is not None and frame.fault.reason in ENDS_FILE
        if kind and kind not in _DOCUMENTS and not end_of_file:
            return Ignored(frame.offset, kind if kind in _COUNTED else "other")
        if frame.fault:
            return _broken(frame, headers, frame.fault.reason, frame.fault.detail)
        if not kind:
            return _broken(frame, headers, "bad_header", "the record does not say its WARC-Type")
        return _conversion(frame, headers) if kind == "conversion" else _page(frame, headers)


def _page(frame: Frame, headers: HeaderMap) -> Outcome:
    content_type, found = headers.get("Content-Type"), headers.get("WARC-Identified-Payload-Type")
    response = parse_response(frame.block)
    if response is None:
        if (content_type or "").lower().startswith(_HTTP):
            return _broken(frame, headers, "bad_http", "the block is said to be HTTP but does not begin with a status line and headers")
        return _record(frame, headers, frame.block, frame.block, None, identified(content_type, found))
    try:
        body = response.body(cut=bool(headers.get("WARC-Truncated")))
    except BadBody as error:
        return _broken(frame, headers, error.reason, str(error), response.stored)
    if response.status is None:
        return _broken(frame, headers, "bad_http", "the status line holds no status", response.stored)
    return _record(frame, headers, body, response.stored, response.status, identified(response.content_type, found))


def _conversion(frame: Frame, headers: HeaderMap) -> Outcome:
    content_type = headers.get("Content-Type")
    if content_type and not content_type.lower().startswith("text/plain"):
        return _record(frame, headers, frame.block, frame.block, None, content_type)
    repairs = Repairs()
    try:
        text = mended_string(decoded("the text", frame.block, repairs), repairs)
    except BadRow as error:
        return _broken(frame, headers, error.reason, str(error), frame.block)
    return _record(frame, headers, text, frame.block, None, content_type, repairs)


def _record(
    frame: Frame,
    headers: HeaderMap,
    payload: bytes | str,
    raw: bytes,
    status: int | None,
    content_type: str | None,
    repairs: Repairs | None = None,
) -> Record:
    cut = headers.get("WARC-Truncated")
    counted = Repairs() if repairs is None else repairs
    return Record(
        offset=frame.offset,
        own_id=_mended(_own_id(headers), counted),
        url=_mended(_url(headers), counted),
        crawled_at=parse_date(headers.get("WARC-Date") or ""),
        payload=payload,
        raw=raw,
        status=status,
        content_type=content_type,
        metadata={"warc_truncated": mended_string(cut, counted)} if cut else {},
        repairs=counted,
    )


def _mended(header: str | None, repairs: Repairs) -> str | None:
    return mended_string(header, repairs) or None if header else None


def _broken(frame: Frame, headers: HeaderMap, reason: str, detail: str, raw: bytes = b"") -> Broken:
    return Broken(frame.offset, reason, detail, _own_id(headers), _url(headers), raw)


def _own_id(headers: HeaderMap) -> str | None:
    return (headers.get("WARC-Record-ID") or "").strip() or None


def _url(headers: HeaderMap) -> str | None:
    return (headers.get("WARC-Target-URI") or "").strip().removeprefix("<").removesuffix(">").strip() or None

"""HTTP responses as crawlers store them: status line, headers, and a body that may be chunked and compressed (RFC 9110, 9112).

Crawlers differ in what they store: some keep the body as it came, others decode it but keep the headers that said it was encoded. So a
header is only a claim. A body under `Transfer-Encoding: chunked` that does not start with a chunk size is taken unchanged. So is a body
under `Content-Encoding` that lacks the format's magic bytes or, if the format has none (deflate, br), fails to decode and looks like
markup. Unknown encodings are ignored, as in browsers.

Invariants
    - A body that begins encoded and then breaks is an error (BadBody), unless the crawler says that it truncated the record: then the body
      is the part that could be decoded. Bytes after the end of a compressed body are ignored, as browsers do.
    - No body grows beyond MAX_RECORD_BYTES.
"""

import io
import re
from dataclasses import dataclass

from curation.ingest.readers.decompression import Content
from curation.ingest.readers.heads import parse_head
from curation.ingest.readers.mime import content_type
from curation.ingest.readers.outcomes import MAX_RECORD_BYTES

_BLANK_LINE = re.compile(rb"(?<!\r)\r*+\n\r*+\n")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r?\n")
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*<")
_BY_MAGIC = ("gzip", "x-gzip", "zstd")
_BY_NAME = {"br": "brotli", "deflate": "deflate"}
_STATUS = re.compile(r"\S+\s+(\d{3})(?!\d)")


class BadBody(Exception):
    """A body that cannot be decoded; `reason` is the name of a rule."""

    def __init__(self, reason: str, detail: str) -> None:
        """Take the rule's name and what was found."""
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class Response:
    """A response's status, Content-Type, stored body (`stored`), and the headers that describe its encoding."""

    status: int | None
    content_type: str | None
    stored: bytes
    transfer_encoding: str
    content_encoding: str

    def body(self, cut: bool = False) -> bytes:
        """Return the decoded body. `cut`: the crawler says that it did not store all of it. Raises BadBody."""
        body = _dechunk(self.stored, cut) if "chunked" in self.transfer_encoding else self.stored
        for coding in reversed(self.content_encoding.split(",")):
            body = _decompress(body, coding.strip(), cut)
        return body


def parse_response(block: bytes) -> Response | None:
    """Return the response in a block; None if the block does not begin with a status line and readable headers."""
    if not block.startswith(b"HTTP/"):
        return None
    end = _BLANK_LINE.search(block)
    head, stored = (block[: end.start()], block[end.end() :]) if end else (block, b"")
    try:
        headers = parse_head(head)
    except OSError:
        return None
    status = _STATUS.match(headers.status_line or "")
    return Response(
        status=int(status[1]) if status else None,
        content_type=content_type(headers.get_multiple("Content-Type")),
        stored=stored,
        transfer_encoding=(headers.get("Transfer-Encoding") or "").lower(),
        content_encoding=(headers.get("Content-Encoding") or "").lower(),
    )


def _dechunk(stored: bytes, cut: bool) -> bytes:
    """Join the chunks; a missing last chunk (of size 0) is accepted."""
    if not _CHUNK_SIZE.match(stored):
        return stored
    chunks = []
    at = 0
    while at < len(stored):
        size_line = _CHUNK_SIZE.match(stored, at)
        if not size_line:
            if cut:
                break
            raise BadBody("bad_chunking", f"byte {at} of the body should start a chunk's size and does not")
        size = int(size_line[1], 16)
        if size == 0:
            break
        chunk = stored[size_line.end() : size_line.end() + size]
        chunks.append(chunk)
        if len(chunk) < size and not cut:
            raise BadBody("bad_chunking", f"the body ends {size - len(chunk)} bytes before its last chunk does")
        at = size_line.end() + size
        at += 2 if stored.startswith(b"\r\n", at) else 1 if stored.startswith(b"\n", at) else 0
    return b"".join(chunks)


def _decompress(body: bytes, coding: str, cut: bool) -> bytes:
    if not body or (coding not in _BY_MAGIC and coding not in _BY_NAME):
        return body
    content = Content(io.BytesIO(body), _BY_NAME.get(coding, ""))
    plain = content.take(MAX_RECORD_BYTES)
    if not content.at_end():
        raise BadBody("too_large", f"the body has more than {MAX_RECORD_BYTES} bytes once decompressed")
    damage = content.damage
    if damage is None or (cut and damage.reason == "truncated"):
        return plain
    if plain and coding in _BY_MAGIC and damage.reason == "corrupt" and content.confirms(content.offset):
        return plain
    if coding in _BY_NAME and _MARKUP.match(body):
        return body
    raise BadBody("bad_content_encoding", f"Content-Encoding {coding}: {damage.detail}")

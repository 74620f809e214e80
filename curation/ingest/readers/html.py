"""HTML files: one file is one record, and its bytes are the payload. It has no URL, no id of its own and no date.

The encoding is decided elsewhere (see `curation.ingest.encoding`). Where compressed data break off, a page that a checksum confirms and
that ends with its own end tag is whole, and the damage is a row of its own.
"""

import re
from collections.abc import Iterator

from curation.ingest.readers.decompression import Content
from curation.ingest.readers.outcomes import MAX_RECORD_BYTES, Broken, Outcome, Record
from curation.storage.source_file import SourceFile

PAGE_BEGINNING = re.compile(
    rb"(?:\xef\xbb\xbf)?(?>\s|<\?[^>]*>|<!--.*?-->)*+<(?:!doctype\s+html|html)\b",  # nothing is tried twice: linear
    re.IGNORECASE | re.DOTALL,
)
"""How a page begins, HTML or XHTML, after an XML declaration and comments."""

_PAGE_END = re.compile(rb"</html\s*>\s*\Z", re.IGNORECASE)
_TAIL = 64


class HtmlReader:
    """Reads one page per file."""

    def frames(self, content: Content, source: SourceFile) -> Iterator[bytes | Broken]:  # noqa: ARG002
        """Yield the whole file, once."""
        page = content.take(MAX_RECORD_BYTES + 1)
        if len(page) > MAX_RECORD_BYTES:
            yield Broken(0, "too_large", f"the page has more than {MAX_RECORD_BYTES} bytes")
        elif content.at_end() and content.damage:
            whole = content.confirms(content.offset) and _PAGE_END.search(page[-_TAIL:])
            if whole:
                yield page
            yield from content.damaged(content.offset if whole else 0)
        else:
            yield page

    def parse(self, frame: bytes, source: SourceFile) -> Outcome:  # noqa: ARG002
        """Return the page as a record."""
        return Record(offset=0, own_id=None, url=None, crawled_at=None, payload=frame, raw=frame, content_type="text/html")

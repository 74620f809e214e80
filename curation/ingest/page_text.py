"""The text of a web record's payload: decoded, and extracted where it is a page.

Pages are extracted: HTML, every kind of XHTML (`application/vnd.wap.xhtml+xml` of mobile sites, say), and other XML that begins like a
page, which browsers show as one too. Plain text that a server sent is a document as it is, unless it begins like a page.

Invariant: the result depends only on the payload's bytes and on its record's fields.
"""

import re

from curation.ingest.encoding import Undecodable, decode_text
from curation.ingest.extraction import Extractor
from curation.ingest.readers import Record
from curation.ingest.readers.html import PAGE_BEGINNING
from curation.ingest.side_fields import json_text

_PAGE = re.compile(r"text/html|application/(?:[^/+]*[.-])?xhtml(?:[.-][^/+]*)?\+xml")
_XML = re.compile(r"(?:text|application)/xml|[^/]*/[^/]*\+xml")
_PLAIN = "text/plain"
_WEB = ("http:", "https:", "ftp:", "file:")


class NoPage(Exception):
    """A payload that gives no text: the fate of its record, the rule, and in words what it is instead."""

    def __init__(self, fate: str, rule: str, detail: str) -> None:
        """Take fate, rule and explanation."""
        super().__init__(detail)
        self.fate = fate
        self.rule = rule


def text_of_page(record: Record, payload: bytes, extractor: Extractor, metadata: dict[str, str], repairs: dict[str, int]) -> str:
    """Return the text of a payload, and add what is learnt on the way to its metadata and repairs. Raises NoPage."""
    kind = (record.content_type or "text/html").partition(";")[0].strip().lower()
    begins_like_a_page = PAGE_BEGINNING.match(payload) is not None
    is_page = _PAGE.fullmatch(kind) or (_XML.fullmatch(kind) and begins_like_a_page)
    if not is_page and not (kind == _PLAIN and _is_of_the_web(record)):
        raise NoPage("dropped", "not_html", f"content type {kind}")
    try:
        decoded = decode_text(payload, record.content_type)
    except Undecodable as error:
        if kind == _PLAIN:  # what servers call a file that they do not know
            raise NoPage("dropped", "not_html", f"content type {kind}, but {error}") from error
        raise NoPage("unreadable", "undecodable_charset", str(error)) from error
    metadata["encoding"] = decoded.encoding
    repairs |= {name: count for name, count in (("control", decoded.controls), ("undecodable", decoded.damaged)) if count}
    if kind == _PLAIN and not begins_like_a_page:
        return decoded.text
    extracted = extractor.extract(decoded.text)
    if extracted.title:
        metadata["title"] = json_text(extracted.title)
    for name, value in extracted.facts.items():
        metadata.setdefault(name, json_text(value) if isinstance(value, str) else str(value))
    return extracted.text


def _is_of_the_web(record: Record) -> bool:
    """Whether a record is a server's, and not what a crawler wrote of itself (its log, its arguments) as text."""
    return record.status is not None or (record.url or "http:").lower().startswith(_WEB)

"""What becomes of a payload by its type and its bytes."""

import pytest

from curation.ingest.extraction.plain import Plain
from curation.ingest.page_text import NoPage, text_of_page
from curation.ingest.readers import Record

PAGE = b"<html><head><title>A title</title></head><body><p>One line of text.</p></body></html>"


def read(payload: bytes, content_type: str | None, status: int | None = 200) -> tuple[str, dict[str, str], dict[str, int]]:
    metadata: dict[str, str] = {}
    repairs: dict[str, int] = {}
    record = Record(0, None, "https://a.example/", None, payload, payload, status, content_type)
    return text_of_page(record, payload, Plain(), metadata, repairs), metadata, repairs


@pytest.mark.parametrize("content_type", [None, "", "text/html", "Text/HTML; charset=utf-8", "application/xhtml+xml"])
def test_a_page_is_extracted_and_one_without_a_type_is_a_page(content_type: str | None) -> None:
    text, metadata, repairs = read(PAGE, content_type)
    assert "One line of text." in text
    assert "<p>" not in text
    assert (metadata["encoding"], metadata["title"], repairs) == ("utf-8", "A title", {})


MOBILE = (
    b"""<?xml version="1.0" encoding="UTF-8"?>
<!-- for telephones --><?xml-stylesheet href="a.css"?>
<!DOCTYPE html PUBLIC "-//WAPFORUM//DTD XHTML Mobile 1.0//EN" "http://www.wapforum.org/DTD/xhtml-mobile10.dtd">
"""
    + PAGE
)
FEED = b'<?xml version="1.0"?><!-- <html> --><rss><channel><title>One line of text.</title></channel></rss>'


@pytest.mark.parametrize(
    ("content_type", "payload"),
    [
        ("application/vnd.wap.xhtml+xml", MOBILE),
        ("application/vnd.wap.xhtml+xml; charset=utf-8", PAGE[6:]),  # a page by its type, however it begins
        ("application/vnd.pwg-xhtml-print+xml", PAGE),
        ("application/xml", MOBILE),
        ("text/xml", PAGE),
        ("application/vnd.example+xml", MOBILE),
        ("text/plain", MOBILE),
    ],
)
def test_xhtml_is_a_page_by_its_type_or_by_its_beginning(content_type: str, payload: bytes) -> None:
    text, _, _ = read(payload, content_type)
    assert "One line of text." in text
    assert "<" not in text


@pytest.mark.parametrize(
    "content_type", ["application/xml", "text/xml", "application/rss+xml", "image/svg+xml", "application/xhtmlish+xml"]
)
def test_xml_that_is_no_page_is_dropped(content_type: str) -> None:
    with pytest.raises(NoPage, match=content_type.replace("+", r"\+")):
        read(FEED, content_type)


def test_a_hostile_beginning_takes_linear_time() -> None:
    for piece in (b"<!---->", b"<!-- ", b"<? ", b"<?>", b" "):
        with pytest.raises(NoPage):
            read(piece * 100_000, "text/xml")


def test_another_type_is_dropped_and_said() -> None:
    with pytest.raises(NoPage, match="content type image/png") as refused:
        read(PAGE, "image/png")
    assert (refused.value.fate, refused.value.rule) == ("dropped", "not_html")


def test_controls_and_broken_bytes_are_counted() -> None:
    _, _, repairs = read(PAGE.replace(b"One", b"One\x01\x02" + b" and more of it" * 40), "text/html; charset=utf-8")
    assert repairs == {"control": 2}

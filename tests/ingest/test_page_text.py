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


def test_another_type_is_dropped_and_said() -> None:
    with pytest.raises(NoPage, match="content type image/png") as refused:
        read(PAGE, "image/png")
    assert (refused.value.fate, refused.value.rule) == ("dropped", "not_html")


def test_controls_and_broken_bytes_are_counted() -> None:
    _, _, repairs = read(PAGE.replace(b"One", b"One\x01\x02" + b" and more of it" * 40), "text/html; charset=utf-8")
    assert repairs == {"control": 2}

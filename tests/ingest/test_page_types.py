"""What kind of page a page is: what it declares, what is kept of it, and which of these comes first."""

from typing import Any

import numpy as np
import pytest

from curation.ingest.extraction.page_blocks import page_types
from curation.ingest.extraction.page_blocks.extract import extracted_by_blocks
from curation.ingest.extraction.page_blocks.page_types import PAGE_TYPES, page_type
from curation.ingest.extraction.page_blocks.reading import read_page

NOTHING: dict[str, int] = {}
DECLARED = {"og_article": 0, "og_product": 2, "article": 4, "product": 5, "forum": 6, "list": 7}
"""Where the counts of what a page declares stand (`curation.ingest.extraction.declared`)."""


def kind(monkeypatch: pytest.MonkeyPatch, *said: str, letters: int = 1000, **shares: int) -> str:
    """Return the type of a page that declares some things and keeps `letters` letters, of which so many are links, code or prose."""
    found = (letters, *(shares.get(name, 0) for name in ("linked", "code", "prose", "posts")))
    monkeypatch.setattr(page_types, "_shares", lambda *_: found)
    declared = np.zeros(8)
    for name in said:
        declared[DECLARED[name]] = 1
    page: Any = read_page("<p>x").cut  # type: ignore[union-attr]
    return page_type(page, np.ones(1, bool), declared)


def test_shares_of_the_kept_letters_tell_a_page_that_declares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kind(monkeypatch) == "other"
    for name, least, told, below in (
        ("code", 100, "documentation", "other"),
        ("linked", 250, "listing", "other"),
        ("prose", 500, "article", "other"),
        ("posts", 3, "forum", "other"),
    ):
        assert kind(monkeypatch, **{name: least}) == told
        assert kind(monkeypatch, **{name: least - 1}) == below
    assert kind(monkeypatch, letters=0) == "other", "a page of which nothing is kept"


def test_what_a_page_declares_comes_first_but_for_code_and_links(monkeypatch: pytest.MonkeyPatch) -> None:
    much = {"code": 500, "linked": 600, "prose": 900, "posts": 9}
    for said in ("product", "og_product"):
        assert kind(monkeypatch, said, "forum", "article", **much) == "product"
    assert kind(monkeypatch, "forum", "article", **much) == "forum"
    for said in ("article", "og_article"):
        assert kind(monkeypatch, said, **much) == "documentation"
        assert kind(monkeypatch, said, **{**much, "code": 0}) == "listing"
        assert kind(monkeypatch, said, **{**much, "code": 0, "linked": 499}) == "article"
    assert kind(monkeypatch, linked=400, prose=900, posts=9) == "forum"
    assert kind(monkeypatch, linked=400, prose=900) == "listing"
    assert kind(monkeypatch, "list", prose=900) == "listing"


PROSE = "The sea rises and falls twice a day, and the moon is why; sailors have known it for as long as there were ships. " * 6


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (f"<p>{PROSE}</p><p>{PROSE}</p>", "article"),
        (f"<p>{PROSE}</p><pre>{'x = call(value)  ' * 60}</pre>", "documentation"),
        (f'<script type=\'application/ld+json\'>{{"@type": "Product"}}</script><p>{PROSE}</p>', "product"),
        (f"<ul>{''.join(f'<li><a href=/{number}>{PROSE[:90]}</a></li>' for number in range(12))}</ul><p>{PROSE[:200]}</p>", "listing"),
    ],
)
def test_real_shares_are_those_of_what_is_kept(body: str, told: str) -> None:
    found = extracted_by_blocks(f"<html><head><title>T</title></head><body><main>{body}</main></body></html>", favour="coverage")
    assert found.facts["page_type"] == told
    assert told in PAGE_TYPES

"""Kinds of pages: what the block extractor notes, and what the filter makes of it."""

from collections.abc import Mapping
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from curation.errors import RecipeError
from curation.ingest.extraction.blocks import Blocks
from curation.ingest.extraction.page_blocks.page_types import PAGE_TYPES
from curation.text.text import Text
from filters.page_kind import _KINDS, PageKind

PROSE = "Rivers carry sand, and where they slow down, they drop it; so deltas grow into the sea, year after year."
LINKS = "".join(f"<li><a href=/{k}>All about rivers and deltas, number {k} of them</a></li>" for k in range(30))


def ld(kind: str) -> str:
    return f'<script type=\'application/ld+json\'>{{"@type": "{kind}"}}</script>'


@pytest.mark.parametrize(
    ("html", "kind"),
    [
        (f"<main><h1>Deltas</h1>{f'<p>{PROSE}' * 6}</main>", "article"),
        (f"{ld('Product')}<main><h1>A spade</h1>{f'<p>{PROSE}' * 6}</main>", "product"),
        (f"<meta property=og:type content=product><main><h1>A spade</h1>{f'<p>{PROSE}' * 6}</main>", "product"),
        (f"{ld('QAPage')}<main><h1>Why?</h1>{f'<p>{PROSE}' * 6}</main>", "forum"),
        (f"<main>{f'<div class=message>{PROSE}</div>' * 6}</main>", "forum"),
        (f"{ld('NewsArticle')}<main>{f'<div class=message>{PROSE}</div>' * 6}</main>", "article"),
        (f"<main><h1>Use</h1>{f'<p>{PROSE}</p><pre>dig --deep river.toml</pre>' * 4}</main>", "documentation"),
        (f"<main><ul>{LINKS}</ul></main>", "listing"),
        ("<main><p>Open</p><p>Monday to Friday</p><p>9 to 5</p></main>", "other"),
    ],
)
def test_a_page_is_told_by_what_it_declares_and_holds(html: str, kind: str) -> None:
    made = Blocks(favour="coverage").extract(f"<html><head>{html}")
    assert made.facts["page_type"] == kind
    assert kind in PAGE_TYPES == _KINDS


def signals(metadata: Mapping[str, str] | None, judge: PageKind | None = None) -> dict[str, Any]:
    pairs = None if metadata is None else list(metadata.items())
    documents = pa.table({"metadata": pa.array([pairs], pa.map_(pa.string(), pa.string()))})
    found = (judge or PageKind()).signals(Text.from_strings(["x"]), documents)
    assert {name: column.type for name, column in found.items()} == dict(PageKind.signal_types)
    return {name: column.to_pylist()[0] for name, column in found.items()}


def dropped(metadata: Mapping[str, str] | None, judge: PageKind) -> list[str]:
    row = pl.DataFrame(
        signals(metadata, judge), schema_overrides={"confidence": pl.Float64, "link_share": pl.Float64, "page_type": pl.String}
    )
    return [name for name, rule in judge.rules().items() if row.select(rule.drops).item()]


SURE = {"confidence": "0.97", "kept_share": "0.4", "link_share": "0.02", "page_type": "forum"}


def test_facts_of_the_extractor_are_signals() -> None:
    assert signals(SURE) == {"confidence": 0.97, "kept_share": 0.4, "link_share": 0.02, "page_type": "forum", "rescued": False}
    assert signals({**SURE, "rescued": "yes"})["rescued"] is True
    nothing = dict.fromkeys(PageKind.signal_types)
    assert signals(None) == signals({}) == nothing
    assert signals({"page_type": "forum"}) == nothing  # a field of the source's own
    assert signals({**SURE, "confidence": "high"}) == {**nothing, "kept_share": 0.4, "link_share": 0.02}


def test_each_rule_drops_its_pages() -> None:
    assert dropped(SURE, PageKind()) == []
    assert dropped({**SURE, "confidence": "0.49"}, PageKind()) == ["unsure"]
    assert dropped({**SURE, "link_share": "0.51"}, PageKind()) == ["mostly_links"]
    assert dropped(SURE, PageKind(drop=("forum", "listing"))) == ["kind"]
    assert dropped({}, PageKind(drop=("forum",))) == []
    with pytest.raises(RecipeError, match="no page is of the kind blog"):
        PageKind(drop=("blog",))

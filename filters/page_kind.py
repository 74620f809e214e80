"""Page kind: the extractor's facts about a page: its confidence in the text, the share of links, and the type of the page.

Source: ours, rules over facts that the block extractor notes in a document's metadata
(`curation.ingest.extraction.blocks`); a document from another source, or another extractor, has none and passes.

    confidence  the word F1 that the extractor's models predict for the text, 0 to 1
    kept_share  letters of the text divided by all visible letters of the page; low for menus, and for an article on a long page
    link_share  linked letters divided by all letters of the text
    page_type   article, documentation, forum, listing, product or other, from the page's declarations and the form of its text
    rescued     whether the models kept only a small part of a page full of prose, so that all of its prose was kept instead

The effect of these thresholds on a trained language model has not been measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curation.arrays import Table
from curation.choices import Share
from curation.errors import RecipeError
from curation.text.text import Text
from filters.contract import Filter, Rule, Signals, Threshold, above, below

_KINDS = ("article", "documentation", "forum", "listing", "other", "product")
_NUMBERS = ("confidence", "kept_share", "link_share")


@dataclass(frozen=True)
class PageKind(Filter):
    """Drops pages with a low confidence, with mostly links, or of an unwanted type.

    min_confidence  0.5
    max_link_share  0.5
    drop            types of pages to drop: article, documentation, forum, listing, product, other; none by default
    """

    min_confidence: Threshold[Share] = 0.5
    max_link_share: Threshold[Share] = 0.5
    drop: Threshold[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        """Raise RecipeError for an unknown type of page."""
        unknown = sorted(set(self.drop) - set(_KINDS))
        if unknown:
            raise RecipeError(f"page_kind: no page is of the kind {', '.join(unknown)}; there are {', '.join(_KINDS)}")

    signal_types: ClassVar[Mapping[str, pa.DataType]] = {
        **dict.fromkeys(_NUMBERS, pa.float64()),
        "page_type": pa.string(),
        "rescued": pa.bool_(),
    }
    examples: ClassVar[tuple[tuple[str, str | None], ...]] = (("A text is not judged where nothing is known of its page.", None),)

    def signals(self, text: Text, documents: Table) -> Signals:  # noqa: ARG002
        """Read the facts of a batch from its metadata; the text is not read."""
        found = {name: pc.map_lookup(documents["metadata"], pa.scalar(name), "first") for name in self.signal_types}
        measured = {name: pl.Series(found[name], dtype=pl.String).cast(pl.Float64, strict=False).to_arrow() for name in _NUMBERS}
        known = pc.is_valid(measured["confidence"])
        rescued = pc.if_else(known, pc.fill_null(pc.equal(found["rescued"], "yes"), False), pa.scalar(None, pa.bool_()))
        return {**measured, "page_type": pc.if_else(known, found["page_type"], pa.scalar(None, pa.string())), "rescued": rescued}

    def rules(self) -> Mapping[str, Rule]:
        """Return the rules; low confidence comes first."""
        return {
            "unsure": below("confidence", self.min_confidence, ("kept_share", "rescued")),
            "mostly_links": above("link_share", self.max_link_share, ("page_type",)),
            "kind": Rule(pl.col("page_type").is_in(list(self.drop)), "page_type", None, ("confidence",)),
        }

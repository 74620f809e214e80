"""From a page's HTML to its main text: read, score, choose, write; and the facts by which a filter can judge the result."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from curation.ingest.extraction import Extracted
from curation.ingest.extraction.dom import without_tags
from curation.ingest.extraction.page_blocks.block_text import LETTERS_IN, LINKED, OWNER
from curation.ingest.extraction.page_blocks.choosing import Choice, chosen
from curation.ingest.extraction.page_blocks.cutting import Cut
from curation.ingest.extraction.page_blocks.elements import UNSEEN
from curation.ingest.extraction.page_blocks.features import features
from curation.ingest.extraction.page_blocks.joining import joined
from curation.ingest.extraction.page_blocks.page_types import page_type
from curation.ingest.extraction.page_blocks.reading import Reading, read_page
from curation.ingest.extraction.page_blocks.second_look import context
from curation.ingest.extraction.page_blocks.trees import loaded, probabilities
from curation.ingest.extraction.page_blocks.writing import Format, write

Favour = Literal["precision", "balanced", "coverage"]

UNLIKELY = 0.03
"""Probability below which the first model is believed, and the second not asked: nearly half of all blocks."""


@dataclass(frozen=True)
class ChosenBlocks:
    """A page in blocks, each with its probability; `choice` has the kept ones."""

    reading: Reading
    probability: Any
    choice: Choice


def choose_blocks(reading: Reading, *, favour: Favour = "balanced", fast: bool = False) -> ChosenBlocks:
    """Score the blocks of a page and choose those to keep."""
    models = loaded()
    page, places = joined(reading.cut)
    rows = features(page, reading.declared.counts, reading.echoes.joined(places, len(page.blocks)))
    probability = probabilities(models["first"], rows)
    if not fast:
        seen, open_yet = context(page, probability), np.flatnonzero(probability >= UNLIKELY)
        probability[open_yet] = probabilities(models["second"], np.hstack((rows[open_yet], seen[open_yet])))
    probability = probability[places]
    return ChosenBlocks(reading, probability, chosen(reading.cut, probability, favour))


def extracted_by_blocks(html: str, *, favour: Favour = "balanced", form: Format = "text", fast: bool = False) -> Extracted:
    """Return the main text of a page; beyond the limits of parsing, the text between the tags."""
    reading = read_page(html)
    if reading is None:
        return without_tags(html)
    facts = dict(reading.declared.facts)
    title, language = facts.pop("title", ""), facts.get("language")
    if not len(reading.cut.blocks):
        return Extracted("", title, language, facts)
    chosen_blocks = choose_blocks(reading, favour=favour, fast=fast)
    text = write(reading.cut, chosen_blocks.choice.kept, form)
    kind = page_type(reading.cut, chosen_blocks.choice.kept, reading.declared.counts)
    return Extracted(text, title, language, facts | facts_of(reading.cut, chosen_blocks.choice) | {"page_type": kind})


def whole_text(html: str, *, form: Format = "text") -> Extracted:
    """Return the text of all visible blocks of a page; beyond the limits of parsing, the text between the tags."""
    reading = read_page(html)
    if reading is None:
        return without_tags(html)
    facts = dict(reading.declared.facts)
    shown = reading.cut.elements[reading.cut.blocks[:, OWNER], UNSEEN] == 0
    return Extracted(write(reading.cut, shown, form), facts.pop("title", ""), facts.get("language"), facts)


def facts_of(page: Cut, choice: Choice) -> dict[str, str | float]:
    """Return the confidence of the models, and the shares of the page that were kept, rounded to three decimals."""
    letters, linked = page.blocks[:, LETTERS_IN], page.blocks[:, LINKED]
    kept = int(letters[choice.kept].sum())
    facts: dict[str, str | float] = {
        "confidence": round(choice.confidence, 3),
        "kept_share": round(kept / max(1, int(letters.sum())), 3),
        "link_share": round(int(linked[choice.kept].sum()) / max(1, kept), 3),
    }
    return facts | {"rescued": "yes"} if choice.was_rescued else facts

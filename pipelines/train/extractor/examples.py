"""Pages with gold text become rows for fitting models: the features of each block, and the share of its words that the gold text has.

A block's weight is its share of its page's gold words, so that long pages do not dominate. A page on which little of its gold text is found
weighs less. A file of few pages weighs more, up to three times. Pages whose alignment would be too large are left out and reported.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import polars as pl

from curation.errors import RecipeError
from curation.ingest.encoding import Undecodable, decode_text
from curation.ingest.extraction.page_blocks.cutting import Cut
from curation.ingest.extraction.page_blocks.features import features
from curation.ingest.extraction.page_blocks.reading import block_texts, read_page
from filters.support.hosts import ascii_host, site_of
from pipelines.train.extractor.alignment import matched

MOST_CELLS = 300_000_000
MOST_BLOCKS = 8_000
_CONTENT = 0.5
_MOST_WEIGHT = 30.0
_RARER = 3.0


@dataclass(frozen=True)
class LabelledPage:
    """A page with gold text: where it is from, which kind it is of (a page type, or the name of its source)."""

    name: str
    site: str
    kind: str
    source: str
    html: str
    gold: str


@dataclass(frozen=True)
class PageExamples:
    """Pages, as they were cut, and the rows of all their blocks: page k has rows begins[k] to begins[k + 1]."""

    pages: Sequence[LabelledPage]
    cuts: Sequence[Cut]
    begins: Any
    rows: Any
    content: Any
    weights: Any


def pages_of(paths: Sequence[Path]) -> Iterator[LabelledPage]:
    """Yield the pages of Parquet files with the columns html (text, or bytes of any encoding), gold_text, and url or host; page_type and
    gold_kind, where a file has them, name the kind. Raises RecipeError where a column is missing."""
    for path in paths:
        table = pl.read_parquet(path)
        missing = [column for column in ("html", "gold_text") if column not in table.columns]
        if missing or not {"url", "host"} & set(table.columns):
            raise RecipeError(
                f"{path} has no column {', '.join(missing) or 'url or host'}; pages to train on need html, gold_text, and url or host"
            )
        for number, row in enumerate(table.iter_rows(named=True)):
            host = row.get("host") or urlsplit(row.get("url") or "").hostname or f"{path.name}-{number}"
            site = site_of(ascii_host(host.partition(":")[0])).domain or host
            try:
                html = row["html"] if isinstance(row["html"], str) else decode_text(row["html"] or b"", "text/html").text
            except Undecodable as error:
                print(f"{path}, page {number}: left out, {error}", file=sys.stderr)
                continue
            kind = row.get("page_type") or row.get("gold_kind") or path.stem
            if html and row["gold_text"]:
                yield LabelledPage(f"{path.name}:{row.get('id', number)}", site, str(kind), str(path), html, row["gold_text"])


def page_examples_of(pages: Sequence[LabelledPage]) -> PageExamples:
    """Cut, describe and label pages; say on stderr which are left out, and why."""
    kept, cuts, tables, shares, weights = [], [], [], [], []
    for page in pages:
        reading = read_page(page.html)
        if reading is None or not 0 < len(reading.cut.blocks) <= MOST_BLOCKS:
            print(f"{page.name}: left out, it has no block or more than {MOST_BLOCKS}", file=sys.stderr)
            continue
        labels = matched(block_texts(reading.cut), page.gold, MOST_CELLS)
        if labels is None:
            print(f"{page.name}: left out, its text and gold text are too long to be laid side by side", file=sys.stderr)
            continue
        share, words, wanted = labels
        found = (share * words).sum() / wanted
        weight = np.minimum((words + 2) / (wanted + 50) * 100, _MOST_WEIGHT) * (0.2 if found < 0.8 else 1.0)
        kept.append(page)
        cuts.append(reading.cut)
        tables.append(features(reading.cut, reading.declared.counts, reading.echoes))
        shares.append(share)
        weights.append(np.where(words == 0, 0.01, weight))
    counts: dict[str, int] = {}
    for page in kept:
        counts[page.source] = counts.get(page.source, 0) + 1
    most = max(counts.values(), default=1)
    weights = [own * min(_RARER, (most / counts[page.source]) ** 0.5) for own, page in zip(weights, kept, strict=True)]
    begins = np.concatenate(([0], np.cumsum([len(table) for table in tables])))
    return PageExamples(kept, cuts, begins, np.concatenate(tables), np.concatenate(shares) >= _CONTENT, np.concatenate(weights))

"""Samples: a few documents with the beginning of their text, read from the shards row group by row group.

Invariant: which documents are shown depends on values and keys alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from curation.location import Location
from pipelines.run_folder import Place, read_rows

EXCERPT = 200
"""Characters of text in a sample."""

Row = tuple[str, str, int]
"""A row by origin, shard and number."""


@dataclass(frozen=True)
class Sample:
    """A document as an example: why it was chosen, and the beginning of its text (empty where that was deleted)."""

    where: str
    value: float | None
    id: str
    url: str | None
    source: str
    fate: str
    rule: str | None
    excerpt: str


def take_samples(chosen: Sequence[tuple[str, pl.LazyFrame]], found: Iterable[Place], characters: int = EXCERPT) -> list[Sample]:
    """Collect the chosen rows (with `value`, the ledger's columns, `origin`, `shard`, `row`) and read the beginnings of their texts."""
    frames = pl.collect_all([frame for _, frame in chosen], engine="streaming")
    rows = [(where, row) for (where, _), frame in zip(chosen, frames, strict=True) for row in frame.iter_rows(named=True)]
    texts = texts_of([(row["origin"], row["shard"], row["row"]) for _, row in rows], found)
    samples = []
    for where, row in rows:
        text = texts.get((row["origin"], row["shard"], row["row"]))
        named = {name: row[name] for name in ("value", "id", "url", "source", "fate", "rule")}
        samples.append(Sample(where, **named, excerpt=excerpt(text, characters)))
    return samples


def texts_of(rows: Iterable[Row], found: Iterable[Place]) -> dict[Row, str]:
    """Return the texts of some rows; those whose shard was deleted are absent."""
    wanted: dict[tuple[str, str], list[int]] = {}
    for origin, shard, row in rows:
        wanted.setdefault((origin, shard), []).append(row)
    documents: dict[tuple[str, str], Location | None] = {(place.origin, place.name): place.documents for place in found}
    texts = {}
    for (origin, shard), numbers in sorted(wanted.items()):
        location = documents.get((origin, shard))
        if location is not None:
            for number, values in read_rows(location, numbers, ["text"]).items():
                texts[origin, shard, number] = str(values["text"])
    return texts


def excerpt(text: str | None, characters: int = EXCERPT) -> str:
    """Return the beginning of a text on one line."""
    if text is None:
        return ""
    begin = " ".join(text[: 4 * characters].split())
    return begin if len(begin) <= characters else f"{begin[: characters - 1]}…"

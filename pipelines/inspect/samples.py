"""Samples: a few documents with the beginning of their text, read from the shards row group by row group.

Choosing reads narrow columns of all rows; the rest is then read for the chosen rows only. All choices are read together, so each row group
is decoded once. Only the beginnings of texts are kept, so the memory of a sample does not grow with its document.

Invariant: which documents are shown depends on values and keys alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipelines.inspect.run_folder import ShardPlace, iter_rows, scan

EXCERPT = 200
"""Characters of text in a sample."""

RowPlace = tuple[str, str, int]
"""A row by origin, shard and number."""

_FACTS = ["id", "url", "source", "fate", "rule"]


@dataclass(frozen=True)
class SampleQuery:
    """A query for sample rows: why they are chosen, their `origin`, `shard`, `row` and `value`, and how many characters to show."""

    where: str
    rows: pl.LazyFrame
    characters: int = EXCERPT


@dataclass(frozen=True)
class Sample:
    """A sample document: why it was chosen, and the beginning of its text (empty if the text was deleted)."""

    where: str
    value: float | None
    id: str
    url: str | None
    source: str
    fate: str
    rule: str | None
    excerpt: str


def take_samples(choices: Sequence[SampleQuery], found: Sequence[ShardPlace]) -> list[Sample]:
    """Collect the chosen rows and read their ledger entries and texts, in the order of the choices and of their rows."""
    chosen = [
        (choice, (origin, shard, row), value)
        for choice in choices
        for origin, shard, row, value in choice.rows.select("origin", "shard", "row", "value").collect(engine="streaming").iter_rows()
    ]
    rows = [row for _, row, _ in chosen]
    facts = _facts_of(rows, found)
    texts = _beginnings(rows, found, max((_span(choice.characters) for choice, _, _ in chosen), default=0))
    return [Sample(choice.where, value, **facts[row], excerpt=excerpt(texts.get(row), choice.characters)) for choice, row, value in chosen]


def _facts_of(rows: Iterable[RowPlace], found: Iterable[ShardPlace]) -> dict[RowPlace, Mapping[str, Any]]:
    """Return the ledger entries of some rows."""
    facts: dict[RowPlace, Mapping[str, Any]] = {}
    wanted = _by_shard(rows)
    for place in found:
        numbers = wanted.get((place.origin, place.name))
        if numbers:
            table = scan([place.ledger]).select(_FACTS).with_row_index("row").filter(pl.col("row").is_in(sorted(set(numbers))))
            for row in table.collect(engine="streaming").iter_rows(named=True):
                facts[place.origin, place.name, row.pop("row")] = row
    return facts


def _beginnings(rows: Iterable[RowPlace], found: Iterable[ShardPlace], characters: int) -> dict[RowPlace, str]:
    """Return the beginnings of the texts of some rows; rows whose shard was deleted are absent."""
    beginnings: dict[RowPlace, str] = {}
    wanted = _by_shard(rows)
    for place in found:
        numbers = wanted.get((place.origin, place.name))
        if numbers and place.documents is not None:
            for number, values in iter_rows(place.documents, numbers, ["text"]):
                beginnings[place.origin, place.name, number] = str(values["text"])[:characters]
    return beginnings


def _by_shard(rows: Iterable[RowPlace]) -> dict[tuple[str, str], list[int]]:
    """Return the numbers of rows by the origin and shard they are in."""
    numbers: dict[tuple[str, str], list[int]] = {}
    for origin, shard, row in rows:
        numbers.setdefault((origin, shard), []).append(row)
    return numbers


def _span(characters: int) -> int:
    """Return the number of characters to read for an excerpt: more than it shows, since a run of white space becomes one blank."""
    return 4 * characters


def excerpt(text: str | None, characters: int = EXCERPT) -> str:
    """Return the beginning of a text on one line."""
    if text is None:
        return ""
    begin = " ".join(text[: _span(characters)].split())
    return begin if len(begin) <= characters else f"{begin[: characters - 1]}…"

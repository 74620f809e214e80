"""A page of search results: fifty documents, sorted by a signal or in the order of the run.

Lazy scans of the ledger and the signals filter by columns. Text is read only to search it, shard by shard, and only until the page is full.

Invariant: the same search of the same run gives the same page.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from curation.arrays import Flags, Table
from curation.errors import UsageError
from curation.storage.location import Location
from pipelines.inspect.run_folder import ShardPlace, iter_rows, iter_tables, places, read_ledger_rows, scan, undecided
from pipelines.inspect.samples import excerpt
from pipelines.inspect.views import full_name, has_thresholds, signals_in

PAGE = 50
_EXCERPT = 180
_LONGEST_PATTERN = 500
_AT_ONCE = 2000
"""Texts that are searched in the first turn."""

_SHOWN = ["id", "url", "source", "fate", "rule", "text_bytes", "cluster_size"]
_UNDECIDED = {"fate": "undecided", "text_bytes": 0, "cluster_size": 1}
"""What is shown of a record that has no row in the ledger yet."""


@dataclass(frozen=True)
class Search:
    """A search. `words` are searched for in `where`; between slashes they are a regular expression.

    `rule` is the full name of a rule, or a filter's name for all its rules.
    """

    words: str = ""
    where: Literal["id", "url", "text"] = "text"
    fate: str = ""
    stage: str = ""
    rule: str = ""
    source: str = ""
    origin: str = ""
    signal: str = ""
    low: float | None = None
    high: float | None = None
    descending: bool | None = None
    page: int = 1


@dataclass(frozen=True)
class FoundDocument:
    """A document on a page."""

    shard: str
    row: int
    origin: str
    id: str
    url: str | None
    source: str
    fate: str
    rule: str | None
    text_bytes: int
    cluster_size: int
    value: Any
    excerpt: str


@dataclass(frozen=True)
class Found:
    """A page of documents; `total` is None if the search of texts stopped when the page was full."""

    lines: Sequence[FoundDocument]
    total: int | None
    more: bool


def all_places(out: Location) -> list[ShardPlace]:
    """Return every shard with fates or, in a run without fates yet, the ingested shards."""
    found = places(out)
    return [*found, *undecided(out, found)]


def search(out: Location, asked: Search) -> Found:
    """Return a page of search results. Raises UsageError for an invalid pattern or signal."""
    found = [place for place in all_places(out) if not asked.origin or place.origin == asked.origin]
    signal = full_name(asked.signal, found)[0] if asked.signal else ""
    in_text = bool(asked.words) and asked.where == "text"
    _check_pattern(asked.words)
    frames = pl.collect_all([_narrow(place, asked, signal) for place in found], engine="streaming")
    numbered = [frame.with_columns(pl.lit(number, pl.Int32).alias("place")) for number, frame in enumerate(frames)]
    rows = pl.concat(numbered) if numbered else None
    if rows is None or rows.height == 0:
        return Found([], 0, False)
    begin, total = (max(1, asked.page) - 1) * PAGE, rows.height
    if asked.descending is not None and signal:
        rows = in_order_of_signal(rows, asked.descending, total if in_text else begin + PAGE)
    if not in_text:
        return Found(_lines(found, rows[begin : begin + PAGE]), total, total > begin + PAGE)
    chosen = list(_with_text(found, rows, asked.words, begin + PAGE + 1))
    return Found(_lines(found, rows[chosen[begin : begin + PAGE]]), None, len(chosen) > begin + PAGE)


def in_order_of_signal(rows: pl.DataFrame, descending: bool, most: int) -> pl.DataFrame:
    """Return at least the first `most` rows in the order of `_signal`, `place` and `row`, nulls last; of millions, few are sorted."""
    values = rows["_signal"]
    if most < len(values) - values.null_count():
        last = values.top_k(most).min() if descending else values.bottom_k(most).max()
        rows = rows.filter(pl.col("_signal") >= last if descending else pl.col("_signal") <= last)
    return rows.sort("_signal", "place", "row", descending=[descending, False, False], nulls_last=True)


def _check_pattern(words: str) -> None:
    if len(words) > _LONGEST_PATTERN:
        raise UsageError(f"a search may have {_LONGEST_PATTERN} characters")
    try:
        pl.DataFrame({"text": [""]}).select(_contains(pl.col("text"), words))  # a linear engine: no pattern takes exponential time
    except pl.exceptions.PolarsError as error:
        raise UsageError(f"{words} is no regular expression: {str(error).splitlines()[0][:200]}") from error


def _contains(column: pl.Expr, words: str) -> pl.Expr:
    if len(words) > 2 and words.startswith("/") and words.endswith("/"):
        return column.str.contains(words[1:-1])
    return column.str.to_lowercase().str.contains(words.lower(), literal=True)


def _narrow(place: ShardPlace, asked: Search, signal: str) -> pl.LazyFrame:
    """Return the numbers of a shard's rows (and the signal's value as `_signal`) that pass the filters by column."""
    there = scan([place.ledger])
    known = set(there.collect_schema().names())
    table = there.with_row_index("row").with_columns(
        [pl.lit(None, _kind(name)).alias(name) for name in ("stage", "rule", "cluster_size", "failed") if name not in known]
    )
    if "fate" not in known:
        table = table.with_columns(pl.lit("undecided").alias("fate"))
    if signal:
        measured = place.signals is not None and signal in scan([place.signals]).collect_schema().names()
        if not measured or place.signals is None:
            table = table.with_columns(pl.lit(None, pl.Float64).alias("_signal")).filter(False)
        else:
            values = scan([place.signals]).select(pl.col(signal).alias("_signal"))
            table = pl.concat([table, values], how="horizontal")
            if has_thresholds(values.collect_schema()["_signal"]):
                table = table.with_columns(pl.col("_signal").cast(pl.Float64))
                table = table.filter(pl.col("_signal") >= asked.low) if asked.low is not None else table
                table = table.filter(pl.col("_signal") <= asked.high) if asked.high is not None else table
    for column, wanted in (("fate", asked.fate), ("stage", asked.stage), ("source", asked.source)):
        if wanted:
            table = table.filter((pl.col(column) == wanted).fill_null(False))
    if asked.rule:
        table = table.filter(((pl.col("rule") == asked.rule) | pl.col("rule").str.starts_with(f"{asked.rule}.")).fill_null(False))
    if asked.words and asked.where != "text":
        table = table.filter(_contains(pl.col(asked.where), asked.words).fill_null(False))
    return table.select("row", *(["_signal"] if signal else []))


def _kind(name: str) -> Any:
    return {"stage": pl.String, "rule": pl.String, "cluster_size": pl.Int64}.get(name, pl.List(pl.String))


def _with_text(found: Sequence[ShardPlace], rows: pl.DataFrame, words: str, most: int) -> Iterator[int]:
    """Yield the numbers of the rows whose text matches, in order, up to `most`.

    Each turn searches four times as many rows as the last: in the order of a signal, any rows may lie in all row groups.
    """
    matched, begin, many = 0, 0, _AT_ONCE
    while begin < rows.height and matched < most:
        hits = np.flatnonzero(_matching(found, rows[begin : begin + many], words))[: most - matched]
        yield from (begin + hits).tolist()
        matched, begin, many = matched + len(hits), begin + many, 4 * many


def _matching(found: Sequence[ShardPlace], rows: pl.DataFrame, words: str) -> Flags:
    """Return which rows have a text that matches. It holds the texts of one row group at a time."""
    places, numbers = rows["place"].to_numpy(), rows["row"].to_numpy()
    flags = np.zeros(rows.height, np.bool_)
    for place in np.unique(places).tolist():
        own = np.flatnonzero(places == place)
        own = own[np.argsort(numbers[own])]
        documents = found[place].documents
        if documents is not None:
            hits = [_hits(table, words) for _, table in iter_tables(documents, numbers[own].tolist(), ["text"])]
            flags[own] = np.concatenate(hits)
    return flags


def _hits(table: Table, words: str) -> Flags:
    hits: Flags = pl.DataFrame(table).select(_contains(pl.col("text"), words).fill_null(False))["text"].to_numpy()
    return hits


def _lines(found: Sequence[ShardPlace], rows: pl.DataFrame) -> list[FoundDocument]:
    """Read the columns that a page shows."""
    facts: dict[tuple[int, int], Mapping[str, Any]] = {}
    texts: dict[tuple[int, int], str] = {}
    for (number,), own in rows.group_by(["place"]):
        place, wanted = found[int(str(number))], own["row"].to_list()
        known = [name for name in _SHOWN if name in scan([place.ledger]).collect_schema().names()]
        for row, values in read_ledger_rows(place.ledger, wanted, known).items():
            facts[int(str(number)), row] = {**dict.fromkeys(_SHOWN), **_UNDECIDED, **values}
        if place.documents is not None:
            for row, values in iter_rows(place.documents, wanted, ["text"]):
                texts[int(str(number)), row] = excerpt(values["text"], _EXCERPT)
    lines = []
    for own_row in rows.iter_rows(named=True):
        place, at = found[own_row["place"]], (own_row["place"], own_row["row"])
        lines.append(FoundDocument(place.name, at[1], place.origin, **facts[at], value=own_row.get("_signal"), excerpt=texts.get(at, "")))
    return lines


def numeric_signals(out: Location) -> list[str]:
    """Return the signals of a run that are numbers."""
    try:
        return [name for name, kind in signals_in(all_places(out)).items() if has_thresholds(kind)]
    except UsageError:
        return []

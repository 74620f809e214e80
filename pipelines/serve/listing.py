"""A page of search results: fifty documents, sorted by a signal or in the order of the run.

Lazy scans of the ledger and the signals filter by columns, shard by shard; the rows of one shard are held, and those of the page. Text is
read only to search it: in the order of the run until the page is full, in the order of a signal once. The last few searches of texts are
held, so that they go on where they stopped (`pipelines.serve.searching`).

Invariant: a finished search of the same run always gives the same page.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import polars as pl

from curation.errors import UsageError
from curation.storage.location import Location
from pipelines.inspect.run_folder import ShardPlace, iter_rows, places, read_ledger_rows, scan, undecided
from pipelines.inspect.samples import excerpt
from pipelines.inspect.views import full_name, has_thresholds, signals_in
from pipelines.serve.searching import TextSearch, check_pattern, contains, search_shards

PAGE = 50
_EXCERPT = 180
_HELD = 4
"""Searches of texts that are held."""

_HELD_IN_ORDER = 100 * PAGE
"""Rows that a search of texts in the order of a signal holds."""

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
    """A page of documents; `total` is None if a search of texts stopped when the page was full.

    `under_way` is set if a search stopped before it knew what the page shows: the number of documents it has read, and of all.
    """

    lines: Sequence[FoundDocument]
    total: int | None
    more: bool
    under_way: tuple[int, int] | None = None


def all_places(out: Location) -> list[ShardPlace]:
    """Return every shard with fates or, in a run without fates yet, the ingested shards."""
    found = places(out)
    return [*found, *undecided(out, found)]


def search(out: Location, asked: Search, stamp: object = None) -> Found:
    """Return a page of search results. A held search of texts starts again if `stamp` differs, as it does for a run that has changed.

    Raises UsageError for an invalid pattern or signal.
    """
    found = [place for place in all_places(out) if not asked.origin or place.origin == asked.origin]
    signal = full_name(asked.signal, found)[0] if asked.signal else ""
    check_pattern(asked.words)
    narrowed = (_narrow(number, place, asked, signal).collect(engine="streaming") for number, place in enumerate(found))
    begin, end = (max(1, asked.page) - 1) * PAGE, max(1, asked.page) * PAGE
    descending = asked.descending if signal else None
    if asked.words and asked.where == "text":
        most = None if descending is None else max(end, _HELD_IN_ORDER)
        name = out, stamp, replace(asked, page=1), most
        texts = _held.pop(name, None) or _begun(found, narrowed, asked.words, descending, most)
        texts.go_on(end + 1 if descending is None else None)
        _held[name] = texts
        for oldest in list(_held)[:-_HELD]:
            del _held[oldest]
        is_known = texts.ended or (descending is None and texts.matched > end)
        under_way = None if is_known else (texts.searched, texts.of)
        return Found(_lines(found, texts.rows[begin:end]), texts.matched if texts.ended else None, texts.matched > end, under_way)
    if descending is not None:
        rows, total = _first_in_order(narrowed, descending, end)
        return Found(_lines(found, rows[begin:]), total, total > end)
    rows, total = _between(narrowed, begin, end)
    return Found(_lines(found, rows), total, total > end)


_held: dict[tuple[Location, object, Search, int | None], TextSearch] = {}


def _begun(
    found: Sequence[ShardPlace], narrowed: Iterable[pl.DataFrame], words: str, descending: bool | None, most: int | None
) -> TextSearch:
    """Return a search of the texts of some rows; in the order of a signal it holds the first `most`."""
    sizes = [scan([place.ledger]).select(pl.len()).collect().item() for place in found]
    shards = ((place.documents, rows, size) for place, rows, size in zip(found, narrowed, sizes, strict=True))

    def held(rows: pl.DataFrame) -> pl.DataFrame:
        return rows if descending is None or most is None else in_order_of_signal(rows, descending, most)[:most]

    return TextSearch(search_shards(shards, words), sum(sizes), held)


def _between(frames: Iterable[pl.DataFrame], begin: int, end: int) -> tuple[pl.DataFrame, int]:
    """Return the rows from `begin` to `end`, and the number of all rows."""
    chosen, total = [], 0
    for rows in frames:
        chosen.append(rows[max(0, begin - total) : max(0, end - total)])
        total += rows.height
    return pl.concat(chosen) if chosen else pl.DataFrame(), total


def _first_in_order(frames: Iterable[pl.DataFrame], descending: bool, most: int) -> tuple[pl.DataFrame, int]:
    """Return the first `most` rows in the order of the signal, and the number of all rows."""
    first, total = pl.DataFrame(), 0
    for rows in frames:
        total += rows.height
        first = in_order_of_signal(pl.concat([first, rows]) if first.height else rows, descending, most)[:most]
    return first, total


def in_order_of_signal(rows: pl.DataFrame, descending: bool, most: int) -> pl.DataFrame:
    """Return at least the first `most` rows in the order of `_signal`, `place` and `row`, nulls last; of millions, few are sorted."""
    values = rows["_signal"]
    if most < len(values) - values.null_count():
        last = values.top_k(most).min() if descending else values.bottom_k(most).max()
        rows = rows.filter(pl.col("_signal") >= last if descending else pl.col("_signal") <= last)
    return rows.sort("_signal", "place", "row", descending=[descending, False, False], nulls_last=True)


def _narrow(number: int, place: ShardPlace, asked: Search, signal: str) -> pl.LazyFrame:
    """Return the rows of a shard that pass the filters by column: `place`, `row`, and the signal's value as `_signal`."""
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
        table = table.filter(contains(pl.col(asked.where), asked.words).fill_null(False))
    return table.select(pl.lit(number, pl.Int32).alias("place"), "row", *(["_signal"] if signal else []))


def _kind(name: str) -> Any:
    return {"stage": pl.String, "rule": pl.String, "cluster_size": pl.Int64}.get(name, pl.List(pl.String))


def _lines(found: Sequence[ShardPlace], rows: pl.DataFrame) -> list[FoundDocument]:
    """Read the columns that a page shows."""
    facts: dict[tuple[int, int], Mapping[str, Any]] = {}
    texts: dict[tuple[int, int], str] = {}
    for (number,), own in rows.group_by(["place"]) if rows.height else ():
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

"""The folder of a run for readers: the places of its tables, and which tables belong together.

A shard of documents, its signals and its ledger have the same name and the same rows in the same order, so a document is row *i* of three
files. Tables are scanned lazily: only counts and a few samples are collected, for a run of any size.

Invariants
    - A file that no record of the run names is never opened (`curation.engine.leftovers`).
    - This module writes nothing and reads nothing outside the folder.
    - Two tables are zipped by row only if their digests of keys are equal.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from curation.arrays import Integers, Table
from curation.engine.leftovers import named_by_run, path_below
from curation.errors import UsageError
from curation.schema import LEDGER
from curation.shuffle import exchange
from curation.storage.location import Location
from curation.storage.ownership import read_mark, refuse_links_out
from curation.storage.records import find_record
from curation.storage.shards import Shard, check_aligned, open_parquet
from pipelines.inspect.store_scan import scan_on_store
from pipelines.inspect.unchanged import require_unchanged

GENERATED_FOLDER = "stages/6-synthesize"
"""The folder of the stages over generated rows."""

_AT_ONCE = 8
"""Shards of a part."""

CUTS_STAGE = "4i-cuts"
"""The stage whose shards hold each document's cuts; repeating its name here saves inspection an import."""


@dataclass(frozen=True)
class ShardPlace:
    """The files with the rows of one ledger shard; a file that was deleted, or never existed (rejects), is None."""

    name: str
    origin: Literal["web", "synthetic"]
    ledger: Location
    documents: Location | None
    signals: Location | None
    cuts: Location | None = None


def checked_folder(folder: str) -> Location:
    """Return the place of a run. Raises UsageError if the folder is not a run, and Refused if a link leads out of it."""
    out = Location.of(folder)
    if not (out / "ledger").is_folder() and not (out / "stages").is_folder():
        if read_mark(out) is not None:
            raise UsageError(f"{folder} holds a run that ended before it had read anything; give its command again")
        raise UsageError(f"{folder} is not the folder of a run: it has no ledger/ and no stages/; give the --out of a `curate run`")
    refuse_links_out(out)
    return out


def places(out: Location) -> list[ShardPlace]:
    """Return every ledger shard with the shards of the same rows: web before synthetic, ordered by name."""
    ours = named_by_run(out)
    generated: dict[str, Location] = {}
    for name, location in _parquet(out, GENERATED_FOLDER, ours, recursive=True).items():
        if location.parent.name not in ("2-measure", "3-judge") and _has_text(location):
            generated[name] = location
    layout: list[tuple[Literal["web", "synthetic"], dict[str, Location], dict[str, Location], dict[str, Location]]] = [
        ("web", _parquet(out, "ledger", ours), _parquet(out, "stages/1-ingest", ours), _parquet(out, "stages/2-measure", ours)),
        ("synthetic", _parquet(out, "ledger/synthetic", ours), generated, _parquet(out, f"{GENERATED_FOLDER}/2-measure", ours)),
    ]
    cuts = _parquet(out, f"stages/{CUTS_STAGE}", ours)
    found = []
    for origin, ledger, documents, signals in layout:
        for name, location in sorted(ledger.items()):
            rejected = name.endswith("-rejected")
            cut = cuts.get(name) if origin == "web" else None
            found.append(ShardPlace(name, origin, location, None if rejected else documents.get(name), signals.get(name), cut))
    return found


def undecided(out: Location, found: Iterable[ShardPlace]) -> list[ShardPlace]:
    """Return the ingested shards that have no ledger yet, as in an unfinished run; each serves as its own ledger."""
    known = {place.name for place in found}
    ours = named_by_run(out)
    signals = _parquet(out, "stages/2-measure", ours)
    ingested = sorted(_parquet(out, "stages/1-ingest", ours).items())
    return [
        ShardPlace(name, "web", shard, None if name.endswith("-rejected") else shard, signals.get(name))
        for name, shard in ingested
        if name not in known
    ]


def scan(locations: Iterable[Location]) -> pl.LazyFrame:
    """Scan Parquet files as one table, in the given order."""
    files = list(locations)
    if files and not files[0].is_local:
        return scan_on_store(files)
    return pl.scan_parquet([file.path for file in files], glob=False)


def scan_ledger(out: Location, origin: Literal["web", "synthetic"] = "web") -> pl.LazyFrame:
    """Scan a run's ledger; the synthetic ledger is empty when the run has no synthetic rows."""
    folder = "ledger" if origin == "web" else "ledger/synthetic"
    files = list(_parquet(out, folder, named_by_run(out)).values())
    return scan(files) if files else empty_ledger()


def empty_ledger() -> pl.LazyFrame:
    """Return a ledger without rows."""
    return pl.DataFrame(LEDGER.empty_table()).lazy()


def scan_rows(found: Iterable[ShardPlace]) -> pl.LazyFrame:
    """Scan the ledgers of some places, with `origin`, `shard` (the place's name) and `row` (in the shard)."""
    return pl.concat([_numbered(place, scan([place.ledger])) for place in found])


def matching_rows(found: Sequence[ShardPlace], wanted: pl.Expr) -> Iterator[tuple[ShardPlace, int]]:
    """Yield the place and the number of every ledger row that matches; only the columns in `wanted` are read, of few shards at once."""
    for begin in range(0, len(found), _AT_ONCE):
        some = found[begin : begin + _AT_ONCE]
        queries = [scan([place.ledger]).with_row_index("_row").filter(wanted).select("_row") for place in some]
        for place, frame in zip(some, pl.collect_all(queries, engine="streaming"), strict=True):
            for number in frame["_row"].to_list():
                yield place, int(number)


def scan_measured(found: Iterable[ShardPlace], ledger: list[str], signals: list[str]) -> pl.LazyFrame:
    """Zip columns of the ledger and of the signals, with `origin`, `shard` and `row` as `scan_rows` has them, for all that was measured.

    Raises CorruptShard where a signals shard does not hold the rows of its ledger.
    """
    frames = [_zipped(place, place.signals, ledger, signals) for place in found if place.signals is not None]
    if not frames:
        raise UsageError("this run has no signals: its recipe has no filters, or stages/2-measure was deleted")
    return pl.concat(frames)


def measured_parts(found: Iterable[ShardPlace]) -> list[list[ShardPlace]]:
    """Divide what was measured for scans one after another: a scan holds a part of every shard in it, so one of many needs much memory."""
    measured = [place for place in found if place.signals is not None]
    return [measured[begin : begin + _AT_ONCE] for begin in range(0, len(measured), _AT_ONCE)]


def scan_texts(found: Iterable[ShardPlace], ledger: list[str], documents: list[str]) -> pl.LazyFrame:
    """Zip columns of the ledger and of the documents, numbered as `scan_rows` does, for all that was ingested.

    Raises CorruptShard where a documents shard does not hold the rows of its ledger.
    """
    frames = [_zipped(place, place.documents, ledger, documents) for place in found if place.documents is not None]
    if not frames:
        raise UsageError("this run has no documents: nothing was ingested, or stages/1-ingest was deleted")
    return pl.concat(frames)


def _zipped(place: ShardPlace, beside: Location, ledger: list[str], columns: list[str]) -> pl.LazyFrame:
    check_aligned([_as_shard(place.name, place.ledger), _as_shard(place.name, beside)])
    return _numbered(place, pl.concat([scan([place.ledger]).select(ledger), scan([beside]).select(columns)], how="horizontal"))


def _numbered(place: ShardPlace, table: pl.LazyFrame) -> pl.LazyFrame:
    return table.with_row_index("row").with_columns(pl.lit(place.name).alias("shard"), pl.lit(place.origin).alias("origin"))


def iter_rows(location: Location, rows: Iterable[int], columns: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (number, values) for some rows of a shard in rising order. It reads only the row groups that it needs, one at a time."""
    for numbers, first, table in exchange.groups_with_rows(_as_shard(location.name, location), columns, _in_order(rows)):
        for number in numbers.tolist():
            yield number, table.slice(number - first, 1).to_pylist()[0]  # for one row `take` would load all of Arrow's functions


def iter_tables(location: Location, rows: Iterable[int], columns: list[str]) -> Iterator[tuple[Integers, Table]]:
    """Yield the same as (numbers, table), one for each row group."""
    yield from exchange.read_rows(_as_shard(location.name, location), columns, _in_order(rows))


def _in_order(rows: Iterable[int]) -> Integers:
    return np.unique(np.fromiter(rows, np.int64))


def read_ledger_rows(location: Location, rows: Iterable[int], columns: list[str]) -> dict[int, dict[str, Any]]:
    """Return some rows of a shard by number. It reads only the row groups that contain them."""
    return dict(iter_rows(location, rows, columns))


def manifest(out: Location) -> Mapping[str, Any] | None:
    """Return the dataset's manifest, or None if the run has not written one."""
    return manifest_of(out / "dataset")


def manifest_of(dataset: Location) -> Mapping[str, Any] | None:
    """Return the manifest in a dataset's folder, or None if there is none. Raises CorruptRecord if it is damaged."""
    return find_record(dataset / "manifest.json")


def _as_shard(name: str, location: Location) -> Shard:
    """Return a shard to read, without the facts of its sidecar, which inspection does not need."""
    return Shard(name, location, 0, 0, "")


def _parquet(out: Location, folder: str, ours: frozenset[str], recursive: bool = False) -> dict[str, Location]:
    """Return name -> place of the Parquet files in a folder below OUT that belong to the run. Raises CorruptShard for a damaged one."""
    there = (facts for facts in (out / folder).files(recursive=recursive) if facts.location.name.endswith(".parquet"))
    shards = [facts for facts in there if path_below(out, facts.location) in ours]
    require_unchanged(out, shards)
    return {facts.location.name.removesuffix(".parquet"): facts.location for facts in shards}


def _has_text(location: Location) -> bool:
    with open_parquet(location) as file:
        return {"text", "metadata", "key"} <= set(file.schema_arrow.names)

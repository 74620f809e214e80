"""The tables of a run folder as lazy frames: its ledger, its signals and its documents.

In all three, `origin`, `shard` and `row` name a row, so they join exactly; several records may share an id or a key. Nothing is read until
a frame is collected, and then only the requested columns are read.

An unfinished run is read as far as it is done: documents without a fate have the fate "undecided".

Invariant: this module reads only files that `pipelines.inspect.run_folder` names, and writes nothing.
"""

from collections.abc import Callable, Sequence

import polars as pl

from pipelines.inspect.looking import looks_at_runs
from pipelines.inspect.run_folder import ShardPlace, checked_folder, empty_ledger, places, scan_measured, scan_rows, scan_texts, undecided
from pipelines.inspect.views import signals_in

UNDECIDED = "undecided"
"""The fate of a document that no ledger tells of yet."""

_NUMBER = ["origin", "shard", "row"]
_NAMES = ["id", "key", "url", "source"]
_FATE = ["fate", "rule"]
_PLACE = ["file_path", "offset"]
_TEXT = ["crawled_at", "text_bytes", "text", "metadata"]

_Scan = Callable[[Sequence[ShardPlace], list[str]], pl.LazyFrame]


@looks_at_runs()
def scan_ledgers(folder: str) -> pl.LazyFrame:
    """Scan the ledger of a run, web records before generated rows; empty if no record has a fate yet."""
    found = places(checked_folder(folder))
    if found:
        return scan_rows(found).select(pl.exclude(_NUMBER), *_NUMBER)
    return empty_ledger().with_columns(pl.lit("web").alias("origin"), pl.lit("").alias("shard"), pl.lit(0, pl.UInt32).alias("row"))


@looks_at_runs()
def scan_signals(folder: str) -> pl.LazyFrame:
    """Scan names, fate and every signal of every measured document. Raises UsageError if there is none."""
    found, waiting = _parts(folder, lambda place: place.signals is not None)
    names = list(signals_in([*found, *waiting]))
    table = _decided_or_not(found, waiting, lambda part, columns: scan_measured(part, columns, names), _NAMES)
    return table.select(*_NAMES, *_FATE, *names, *_NUMBER)


@looks_at_runs()
def scan_documents(folder: str) -> pl.LazyFrame:
    """Scan names, fate, text and metadata of every document. Raises UsageError if there is none."""
    found, waiting = _parts(folder, lambda place: place.documents is not None)
    table = _decided_or_not(found, waiting, lambda part, columns: scan_texts(part, columns, _TEXT), [*_NAMES, *_PLACE])
    return table.select(*_NAMES, *_FATE, *_PLACE, *_TEXT, *_NUMBER)


def _parts(folder: str, wanted: Callable[[ShardPlace], bool]) -> tuple[list[ShardPlace], list[ShardPlace]]:
    """Return the shards with a ledger, and the shards that have none yet."""
    out = checked_folder(folder)
    found = places(out)
    return [place for place in found if wanted(place)], [place for place in undecided(out, found) if wanted(place)]


def _decided_or_not(found: Sequence[ShardPlace], waiting: Sequence[ShardPlace], scan: _Scan, names: list[str]) -> pl.LazyFrame:
    if not waiting:
        return scan(found, [*names, *_FATE])
    fate = pl.lit(UNDECIDED).alias("fate"), pl.lit(None, pl.String).alias("rule")
    table = scan(waiting, names).with_columns(*fate)
    return pl.concat([scan(found, [*names, *_FATE]), table], how="diagonal") if found else table

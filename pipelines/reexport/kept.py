"""The kept rows of a run: their shards, and their columns other than the text."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curation.arrays import Hashes, Integers
from curation.engine.stage import Finished, Workspace, finished_units
from curation.errors import InputError
from curation.ingest.ingest import Ingest
from curation.ledger.write import Select, SelectSynthetic
from curation.repeats.repeated_lines import FindCuts
from curation.schema import REJECTED
from curation.storage.location import Location
from curation.storage.record_keys import halves_of
from curation.storage.shards import Shard, open_parquet, read_shard
from filters.measure import Measure
from pipelines.export.export import Source
from pipelines.inspect.run_folder import GENERATED_FOLDER, scan_ledger
from pipelines.inspect.views import has_thresholds
from pipelines.reexport.mix import CLUSTER_SIZE, Known
from synth.synthesize import Synthesize

ORIGINS = ("web", "synthetic")

_LEDGER = ["key", "id", "url", "source", "fate", "text_bytes", "cluster_size"]


def kept_sources(run: Location) -> list[Source]:
    """Return the shards of documents of a finished run with their ledger and signals. Raises InputError if they are gone."""
    web = Workspace(run)
    generated = Workspace(run, GENERATED_FOLDER)
    cuts = finished_units(web, FindCuts)
    sources = _sources(finished_units(web, Ingest), finished_units(web, Select), finished_units(web, Measure), cuts)
    made = _sources(finished_units(web, Synthesize), finished_units(generated, SelectSynthetic), finished_units(generated, Measure))
    sources += [replace(source, generated=True) for source in made]
    if not sources:
        raise InputError(f"{run} holds no finished run with its stages; export needs the documents in {run}/stages")
    return sources


def _sources(
    documents: Sequence[Finished], ledger: Sequence[Finished], signals: Sequence[Finished], cuts: Sequence[Finished] = ()
) -> list[Source]:
    fates = {unit.name: unit for unit in ledger}
    measured = {shard.name: shard for unit in signals for shard in unit.shards}
    cut = {shard.name: shard for unit in cuts for shard in unit.shards}
    shards: list[Shard] = [shard for unit in documents for shard in unit.shards if not shard.name.endswith(REJECTED)]
    missing = [shard.name for shard in shards if shard.name not in fates]
    if missing:
        raise InputError(f"{missing[0]} has no ledger yet: the run has not ended; run its command again, then export")
    return [
        Source(
            shard,
            fates[shard.name].shard(shard.name),
            measured.get(shard.name),
            fates[shard.name].counts["kept_bytes"],
            cut.get(shard.name),
        )
        for shard in sorted(shards, key=lambda shard: shard.name)
    ]


def known_in(run: Location, sources: Sequence[Source]) -> Known:
    """Return the names that a mix may use: origins and sources of the kept rows, and the run's signals."""
    names: list[str] = []
    found: set[str] = set()
    for origin in ORIGINS:
        kept = scan_ledger(run, "web" if origin == "web" else "synthetic").filter(pl.col("fate") == "kept")
        own = kept.select(pl.col("source").unique()).collect(engine="streaming")["source"].to_list()
        if own:
            names.append(origin)
            found |= set(own)
    signals = {CLUSTER_SIZE: True}
    for measured in [source.signals for source in sources if source.signals is not None][:1]:
        with open_parquet(measured.location) as file:
            schema = file.schema_arrow
        kinds = pl.DataFrame(schema.empty_table()).schema
        signals |= {name: has_thresholds(kind) for name, kind in kinds.items() if name not in ("key", "id")}
    return Known([*names, *sorted(found - set(names))], signals)


@dataclass(frozen=True)
class KeptRows:
    """The kept rows of a shard of documents: `rows` has id, url, source, cluster_size and the requested signals."""

    rows: pl.DataFrame
    halves: Hashes
    text_bytes: Integers
    origin: str

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.text_bytes)


def kept_rows_of(source: Source, signals: Sequence[str]) -> KeptRows:
    """Read the columns of the kept rows of one shard of documents, except the text."""
    ledger = read_shard(source.ledger, _LEDGER)
    kept = pc.equal(ledger["fate"], "kept")
    size = ledger["text_bytes"]
    if source.cuts is not None:
        size = pc.subtract(size, read_shard(source.cuts, ["cut_bytes"])["cut_bytes"])
    table = ledger.select(["id", "url", "source", CLUSTER_SIZE])
    measured = [name for name in signals if name != CLUSTER_SIZE]
    if measured and source.signals is not None:
        for name, column in zip(measured, read_shard(source.signals, measured).columns, strict=True):
            table = table.append_column(name, column)
    chosen: Any = table.filter(kept)
    frame = pl.DataFrame(chosen) if isinstance(chosen, pa.Table) else pl.DataFrame()
    missing = [pl.lit(None, pl.Float64).alias(name) for name in measured if name not in frame.columns]
    own = ledger["key"].filter(kept)
    sizes = size.filter(kept).to_numpy().astype(np.int64)
    return KeptRows(frame.with_columns(missing), halves_of(own), sizes, ORIGINS[source.generated])


def metadata_of_kept(source: Source) -> list[Any]:
    """Return the metadata of the kept rows of one shard of documents."""
    kept = pc.equal(read_shard(source.ledger, ["fate"])["fate"], "kept")
    found: list[Any] = read_shard(source.documents, ["metadata"])["metadata"].filter(kept).to_pylist()
    return found

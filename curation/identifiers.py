"""Ids: one id names one record, although crawls use an id twice.

Where two records have one id but different keys, both stay: the one with the smallest key keeps the id, every other gets `~` and the first
eight hex digits of its key appended (all 32 where another key under this id begins with the same eight). Records with one id and one key
are the same record; they keep one id, and deduplication keeps one of them.

    hashes       for a group of shards, rows (hash, check, local row, key) of all ids
    conflicts    the exchange brings equal ids together: which records get a longer id, and how much longer
    ids          beside each shard, key and final id, row by row

Invariant: final ids depend on the set of (id, key) pairs alone. Memory: about 100 bytes for each record of a group, 330 for one of a range.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from curation.exchange import Range, ranges_for, read_range, write_sorted
from curation.numbering import groups_of
from curation.schema import KEY
from curation.session import Session
from curation.shards import Shard, batches, read
from curation.stage import Output, Stage, Unit

RANGE_ROWS = 1 << 21
"""Ids that one unit looks at for conflicts, about."""

SHORT, WHOLE = 8, 32
"""Hex digits of the key that are appended."""

ID_HASHES = pa.schema(
    [
        pa.field("hash", pa.uint64(), nullable=False),
        pa.field("check", pa.uint64(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("key", KEY, nullable=False),
    ]
)
CONFLICTS = pa.schema([pa.field("number", pa.int64(), nullable=False), pa.field("digits", pa.int64(), nullable=False)])
IDS = pa.schema([pa.field("key", KEY, nullable=False), pa.field("id", pa.string(), nullable=False)])


@dataclass(frozen=True)
class Named:
    """A shard with the columns `key` and `id`: documents or rejects."""

    shard: Shard

    @property
    def counted(self) -> Shard:
        """The shard whose rows are counted."""
        return self.shard


@dataclass(frozen=True)
class HashIds(Stage):
    """Hashes the ids of a group of shards."""

    name: ClassVar[str] = "1a-id-hashes"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "polars", "xxhash")

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        """Write one row for each record of the group."""
        tables = [ID_HASHES.empty_table()]
        row = 0
        for shard in unit.inputs["shards"]:
            for batch in batches(shard, ["id", "key"]):
                digests = b"".join(xxhash.xxh3_128_digest(own_id) for own_id in batch["id"].cast(pa.binary()).to_pylist())
                halves = np.frombuffer(digests, np.dtype("<u8")).reshape(-1, 2)
                rows = np.arange(row, row + batch.num_rows)
                tables.append(pa.table({"hash": halves[:, 0], "check": halves[:, 1], "row": rows, "key": batch["key"]}, schema=ID_HASHES))
                row += batch.num_rows
        write_sorted(output, unit.name, pa.concat_tables(tables), ID_HASHES, ("hash",))
        return {"records": row}


@dataclass(frozen=True)
class FindConflicts(Stage):
    """Finds the records of one range of id hashes that need a longer id."""

    name: ClassVar[str] = "1b-id-conflicts"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "polars")

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        """Write the numbers of those records and how many digits each gets."""
        wanted = Range(unit.extra["low"], unit.extra["high"])
        found = [
            pl.DataFrame(read_range([shard], "hash", wanted, ID_HASHES)).with_columns(number=pl.col("row") + base)
            for shard, base in zip(unit.inputs["hashes"], unit.extra["bases"], strict=True)
        ]
        conflicts = conflicting(pl.concat(found))
        write_sorted(output, unit.name, conflicts.to_arrow().cast(CONFLICTS), CONFLICTS, ("number",))
        return {"conflicts": conflicts.height}


def conflicting(ids: pl.DataFrame) -> pl.DataFrame:
    """Return (number, digits) of the records, given as (hash, check, key, number), that get a longer id."""
    named = ("hash", "check")
    clashing = ids.filter(pl.len().over(named) > 1)
    keys = clashing.select(*named, "key").unique().with_columns(start=pl.col("key").bin.slice(0, SHORT // 2))
    digits = keys.with_columns(
        first=pl.col("key").min().over(named),
        digits=pl.when(pl.len().over(*named, "start") > 1).then(WHOLE).otherwise(SHORT).cast(pl.Int64),
    ).filter(pl.col("key") != pl.col("first"))
    return clashing.join(digits, on=[*named, "key"]).select("number", "digits")


@dataclass(frozen=True)
class WriteIds(Stage):
    """Writes the final ids of a group of shards."""

    name: ClassVar[str] = "1-ids"
    version: ClassVar[int] = 1

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        """Write a side shard for each shard of the group."""
        base, rows = unit.extra["base"], unit.extra["rows"]
        conflicts = read_range(unit.inputs["conflicts"], "number", Range(base, base + rows), CONFLICTS).sort_by("number")
        numbers, digits = conflicts["number"].to_numpy(), conflicts["digits"].to_pylist()
        for shard in unit.inputs["shards"]:
            start, end = np.searchsorted(numbers, [base, base + shard.rows])
            table = read(shard, ["key", "id"]).combine_chunks()
            output.write(shard.name, _with_longer(table, numbers[start:end] - base, digits[start:end]).cast(IDS))
            base += shard.rows
        return {"records": rows, "renamed": conflicts.num_rows}


def _with_longer(table: Any, rows: Any, digits: Sequence[int]) -> Any:
    """Return the table with so many hex digits of the key appended to the ids of some rows, which rise."""
    if not len(rows):
        return table
    chosen = table.take(pa.array(rows))
    pairs = zip(chosen["id"].to_pylist(), chosen["key"].to_pylist(), digits, strict=True)
    longer = pa.array([f"{own_id}~{key.hex()[:count]}" for own_id, key, count in pairs], pa.string())
    replaced = np.zeros(table.num_rows, np.bool_)
    replaced[rows] = True
    return table.set_column(1, "id", pc.replace_with_mask(table["id"].combine_chunks(), pa.array(replaced), longer))


def resolve_ids(session: Session, shards: Sequence[Shard]) -> tuple[Shard, ...]:
    """Give every record of documents and rejects an id of its own; returns shards of IDS with the given shards' names, by name."""
    if not shards:
        return ()
    groups = groups_of([Named(shard) for shard in shards])
    inputs = {group.name: tuple(named.shard for named in group.members) for group in groups}
    hashed = session.run(HashIds(), [Unit(group.name, {"shards": inputs[group.name]}) for group in groups]).units
    bases = [group.base for group in groups]
    ranges = ranges_for(sum(group.rows for group in groups), RANGE_ROWS)
    hashes = tuple(unit.shard(unit.name) for unit in hashed)
    conflicts = session.run(
        FindConflicts(),
        [
            Unit(f"{place:06d}", {"hashes": hashes}, extra={"low": wanted.low, "high": wanted.high, "bases": bases})
            for place, wanted in enumerate(ranges)
        ],
    ).shards
    units = [
        Unit(group.name, {"shards": inputs[group.name], "conflicts": conflicts}, extra={"base": group.base, "rows": group.rows})
        for group in groups
    ]
    return session.run(WriteIds(), units).shards

"""Record ids: one id names one record, although crawls may use an id twice.

If two records have the same id but different keys, both stay: the one with the smallest key keeps the id, and every other one gets `~` and
the first eight hex digits of its key appended (all 32 if another key with this id begins with the same eight). Records with the same id and
key are the same record; they keep one id, and deduplication keeps one of them.

    HashIds         writes, for a group of shards, rows (hash, check, number, key) of all ids
    FindConflicts   receives equal ids from the shuffle, and decides which records get a longer id, and how much longer
    WriteIds        writes key and final id beside each shard, row by row

Invariant: final ids depend only on the set of (id, key) pairs. Memory: about 100 bytes for each record of a group, 330 for each in a range.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from curation.arrays import JsonMapping, Table
from curation.engine.session import Session
from curation.engine.stage import Output, Stage, Unit
from curation.schema import KEY
from curation.shuffle.exchange import Range, ranges_for, read_range, write_sorted
from curation.shuffle.merging import merge, range_of
from curation.shuffle.numbering import numbered_groups
from curation.storage.shards import Shard, batches, read_shard

IDS_PER_UNIT = 1 << 19
"""Approximate number of ids that one unit checks for conflicts."""

SHORT, WHOLE = 8, 32
"""Numbers of hex digits of the key that are appended."""

ID_HASHES = pa.schema(
    [
        pa.field("hash", pa.uint64(), nullable=False),
        pa.field("check", pa.uint64(), nullable=False),
        pa.field("number", pa.int64(), nullable=False),
        pa.field("key", KEY, nullable=False),
    ]
)
CONFLICTS = pa.schema([pa.field("number", pa.int64(), nullable=False), pa.field("digits", pa.int64(), nullable=False)])
ID_ROWS = pa.schema([pa.field("key", KEY, nullable=False), pa.field("id", pa.string(), nullable=False)])


@dataclass(frozen=True)
class IdShard:
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
    version: ClassVar[int] = 2
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "polars", "xxhash")

    def make(self, unit: Unit, output: Output) -> JsonMapping:
        """Write one row for each record of the group."""
        tables = [ID_HASHES.empty_table()]
        begin = unit.extra["base"]
        for shard in unit.inputs["shards"]:
            for batch in batches(shard, ["id", "key"]):
                digests = b"".join(xxhash.xxh3_128_digest(own_id) for own_id in batch["id"].cast(pa.binary()).to_pylist())
                halves = np.frombuffer(digests, np.dtype("<u8")).reshape(-1, 2)
                columns = {"hash": halves[:, 0], "check": halves[:, 1], "number": np.arange(begin, begin + batch.num_rows)}
                tables.append(pa.table({**columns, "key": batch["key"]}, schema=ID_HASHES))
                begin += batch.num_rows
        write_sorted(output, unit.name, pa.concat_tables(tables), ID_HASHES, ("hash",))
        return {"records": begin - unit.extra["base"]}


@dataclass(frozen=True)
class FindConflicts(Stage):
    """Finds the records of one range of id hashes that need a longer id."""

    name: ClassVar[str] = "1b-id-conflicts"
    version: ClassVar[int] = 2
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "polars")

    def make(self, unit: Unit, output: Output) -> JsonMapping:
        """Write the numbers of those records and how many digits each gets."""
        conflicts = conflicting(pl.DataFrame(read_range(unit.inputs["hashes"], "hash", range_of(unit), ID_HASHES)))
        write_sorted(output, unit.name, conflicts.to_arrow().cast(CONFLICTS), CONFLICTS, ("number",))
        return {"conflicts": conflicts.height}


def conflicting(ids: pl.DataFrame) -> pl.DataFrame:
    """Return (number, digits) of the records that get a longer id, from rows (hash, check, key, number)."""
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

    def make(self, unit: Unit, output: Output) -> JsonMapping:
        """Write a side shard for each shard of the group."""
        base, rows = unit.extra["base"], unit.extra["rows"]
        conflicts = read_range(unit.inputs["conflicts"], "number", Range(base, base + rows), CONFLICTS).sort_by("number")
        numbers, digits = conflicts["number"].to_numpy(), conflicts["digits"].to_pylist()
        for shard in unit.inputs["shards"]:
            start, end = np.searchsorted(numbers, [base, base + shard.rows])
            table = read_shard(shard, ["key", "id"]).combine_chunks()
            output.write(shard.name, _with_longer(table, numbers[start:end] - base, digits[start:end]).cast(ID_ROWS))
            base += shard.rows
        return {"records": rows, "renamed": conflicts.num_rows}


def _with_longer(table: Table, rows: Any, digits: Sequence[int]) -> Any:
    """Return the table with hex digits of the key, as many as `digits` says, appended to the ids of some ascending rows."""
    if not len(rows):
        return table
    chosen = table.take(pa.array(rows))
    pairs = zip(chosen["id"].to_pylist(), chosen["key"].to_pylist(), digits, strict=True)
    longer = pa.array([f"{own_id}~{key.hex()[:count]}" for own_id, key, count in pairs], pa.string())
    replaced = np.zeros(table.num_rows, np.bool_)
    replaced[rows] = True
    return table.set_column(1, "id", pc.replace_with_mask(table["id"].combine_chunks(), pa.array(replaced), longer))


def resolve_ids(session: Session, shards: Sequence[Shard]) -> tuple[Shard, ...]:
    """Give every record of documents and rejects its own id; return shards of IDS with the given shards' names, sorted by name."""
    if not shards:
        return ()
    groups = numbered_groups([IdShard(shard) for shard in shards])
    inputs = {group.name: tuple(named.shard for named in group.members) for group in groups}
    units = [Unit(group.name, {"shards": inputs[group.name]}, extra={"base": group.base}) for group in groups]
    hashes = merge(session, HashIds.name, session.run(HashIds(), units).shards, ("hash",))
    ranges = ranges_for(hashes.rows, IDS_PER_UNIT)
    found = session.run(FindConflicts(), hashes.units("hashes", ranges))
    conflicts = merge(session, FindConflicts.name, found.shards, ("number",), Range(0, hashes.rows))
    units = []
    for group in groups:
        meeting = conflicts.meeting(Range(group.base, group.base + group.rows))
        extra = {"base": group.base, "rows": group.rows}
        units.append(Unit(group.name, {"shards": inputs[group.name], "conflicts": meeting}, extra=extra))
    return session.run(WriteIds(), units).shards

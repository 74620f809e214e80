"""The shuffle brings rows that belong together into one place, though different units made them (MapReduce, Dean and Ghemawat 2004).

The map side writes its rows into one Parquet file, sorted by a 64-bit hash, in small row groups. The footer holds the hash range of each
row group and serves as the index. The reduce side takes a range of hashes from every file and reads only the row groups that overlap it.
Rows with equal hashes are always in one range, whatever the number of ranges. That number is free, so ranges can fit in memory while files
stay few. If there are still many files, they are merged first (`curation.shuffle.merging`).

The same code reads any shard that is sorted by a number, for instance the documents of one group.

Invariants
    - A range holds exactly the rows of all files whose hash lies in it, in the order of the files.
    - Files are checked on reading: pages by their checksums, row groups by their order.
    - The number of ranges depends on the rows or bytes to be read, never on the number of workers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from curation.arrays import Array, Column, Integers, Schema, Table
from curation.engine.stage import Output
from curation.errors import CorruptShard
from curation.storage.outages import telling_damage
from curation.storage.shards import Shard, open_parquet

EXCHANGE_ROW_GROUP_BYTES = 1 << 20
"""Bytes in one row group of an exchange file: the smallest amount that is read from it."""


@dataclass(frozen=True)
class Range:
    """The numbers from `low` to `high`, without `high`."""

    low: int
    high: int

    def cut(self, count: int) -> list["Range"]:
        """Return at most `count` ranges of about equal width that cover the same numbers; a part is empty only if this range is."""
        bounds = [self.low + (self.high - self.low) * place // count for place in range(count + 1)]
        return [Range(low, high) for low, high in pairwise(bounds) if low < high] or [self]


HASHES = Range(0, 1 << 64)
"""All 64-bit hashes."""


def ranges_for(amount: int, most: int, whole: Range = HASHES) -> list[Range]:
    """Split a range so that each part gets about `most` (rows or bytes) of `amount`, assuming an even spread."""
    return whole.cut(max(1, -(-amount // most)))


def write_sorted(output: Output, name: str, table: Table, schema: Schema, by: Sequence[str]) -> Shard:
    """Write a table as one exchange file, sorted by the columns `by`; ranges refer to the first of them.

    Rows that agree in all of these columns stay in the table's order.
    """
    table = table.combine_chunks()  # otherwise every row group copies all of it
    order = order_of(table, by)
    rows = max(1, EXCHANGE_ROW_GROUP_BYTES * table.num_rows // max(1, table.nbytes))
    with output.shard(name, schema) as writer:
        for start in range(0, table.num_rows, rows):
            writer.write(table.take(pa.array(order[start : start + rows])))
    return output.shards[-1]


def order_of(table: Table, by: Sequence[str]) -> Integers:
    """Return the row order of a table sorted by the columns `by`: numbers, or binary values of 16 bytes."""
    order: Integers = np.lexsort([part for name in reversed(by) for part in _as_numbers(table[name])])
    return order


def _as_numbers(column: Column) -> list[Array]:
    """Return numbers that sort like a column's values, the least significant first."""
    if column.type != pa.binary(16):
        return [column.to_numpy()]
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    halves = np.frombuffer(array.buffers()[1], np.dtype(">u8"), 2 * len(array), 16 * array.offset).reshape(-1, 2)
    return [halves[:, 1], halves[:, 0]]


class Runs:
    """Collects tables and writes a sorted file whenever they reach `most` bytes; `close` writes the rest, and at least one file."""

    def __init__(self, output: Output, name: str, schema: Schema, by: Sequence[str], most: int) -> None:
        """Write tables of a schema, sorted by some columns, as files of that name and a number."""
        self.rows = self.bytes = 0
        self._output, self._name, self._schema, self._by, self._most = output, name, schema, by, most
        self._tables: list[Table] = []
        self._waiting = self._written = 0

    def add(self, table: Table) -> None:
        """Add a table; its columns may still need a cast."""
        self._tables.append(table.cast(self._schema))
        self._waiting += table.nbytes
        self.rows, self.bytes = self.rows + table.num_rows, self.bytes + table.nbytes
        if self._waiting >= self._most:
            self._write()

    def close(self) -> None:
        """Write the remaining rows."""
        if self._tables or not self._written:
            self._write()

    def _write(self) -> None:
        name = f"{self._name}-{self._written:04d}"
        self._written += 1
        write_sorted(self._output, name, self._taken(), self._schema, self._by)

    def _taken(self) -> Table:
        tables, self._tables, self._waiting = self._tables, [], 0
        return pa.concat_tables([self._schema.empty_table(), *tables])


def read_range(shards: Sequence[Shard], column: str, wanted: Range, schema: Schema) -> Table:
    """Return the rows of every shard, in turn, whose `column` lies in the range; each shard must be sorted by that column.

    `schema` lists the columns to read. Raises CorruptShard for a shard that is damaged or not sorted.
    """
    tables = list(tables_in(shards, column, wanted, schema))
    return pa.concat_tables(tables) if tables else schema.empty_table()


def tables_in(shards: Sequence[Shard], column: str, wanted: Range, schema: Schema) -> Iterator[Table]:
    """Yield the rows of `read_range` one row group at a time, to bound memory."""
    for shard in shards:
        for _, table in rows_in(shard, column, wanted, schema):
            yield table


def rows_in(shard: Shard, column: str, wanted: Range, schema: Schema) -> Iterator[tuple[int, Table]]:
    """Yield (row number of the first, table) for the consecutive rows of a shard whose `column` lies in a range."""
    begin = 0
    with open_parquet(shard.location, pre_buffer=False) as file:
        position = file.schema_arrow.names.index(column)
        for index in range(file.num_row_groups):
            first, begin = begin, begin + file.metadata.row_group(index).num_rows
            known = file.metadata.row_group(index).column(position).statistics
            if known is None or not known.has_min_max:
                raise CorruptShard(f"{shard.location} has no index of its {column}; the run's command rebuilds it")
            if known.max < wanted.low or known.min >= wanted.high:
                continue
            table = read_row_group(shard, file, index, schema.names)
            values = table[column].to_numpy()
            if (values[1:] < values[:-1]).any():
                raise CorruptShard(f"{shard.location}, row group {index}, is not sorted by {column}; the run's command rebuilds it")
            start, end = _place(values, wanted.low), _place(values, wanted.high)
            if start < end:
                yield first + start, _alone(table, start, end).cast(schema)


def _alone(table: Table, start: int, end: int) -> Table:
    """Return a slice of a table; copy a small slice, so that it does not keep the whole table in memory."""
    few = 2 * (end - start) < table.num_rows
    return table.take(pa.array(np.arange(start, end))) if few else table.slice(start, end - start)


def _place(values: Array, bound: int) -> int:
    """Return how many of the sorted values are below a bound, which may be outside their type's range."""
    limits = np.iinfo(values.dtype)
    if bound > limits.max:
        return len(values)
    return int(np.searchsorted(values, values.dtype.type(max(bound, limits.min))))


def read_row_group(shard: Shard, file: Any, index: int, columns: Sequence[str] | None) -> Table:
    """Return some columns (None: all) of one row group of an open shard. Raises CorruptShard if its pages are damaged."""
    with telling_damage(shard.location, f", row group {index},"):
        table = file.read_row_group(index, columns=None if columns is None else list(columns), use_threads=False)
    return table.replace_schema_metadata(None)


def read_rows(shard: Shard, columns: Sequence[str] | None, rows: Integers) -> Iterator[tuple[Integers, Table]]:
    """Yield (row numbers, table) for some rows of a shard, in order, one row group at a time; skip row groups without any."""
    for numbers, begin, table in groups_with_rows(shard, columns, rows):
        yield numbers, table.take(pa.array(numbers - begin))


def groups_with_rows(shard: Shard, columns: Sequence[str] | None, rows: Integers) -> Iterator[tuple[Integers, int, Table]]:
    """Yield (row numbers, number of the first row, table) for each whole row group that holds some of the rows."""
    with open_parquet(shard.location, pre_buffer=False) as file:
        begin = 0
        for index in range(file.num_row_groups):
            end = begin + file.metadata.row_group(index).num_rows
            inside = rows[np.searchsorted(rows, begin) : np.searchsorted(rows, end)]
            if len(inside):
                yield inside, begin, read_row_group(shard, file, index, columns)
            begin = end

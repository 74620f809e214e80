"""The exchange: how rows that belong together come together, though made apart (the shuffle of MapReduce, Dean and Ghemawat 2004).

The map side writes its rows into one Parquet file, sorted by a 64-bit hash, in small row groups. The hash ranges of the row groups stand in
the file's footer: they are the index. The reduce side takes a range of hashes from every file, reading only the row groups that meet it.
Rows with equal hashes are always in one range, whatever the number of ranges; and that number is free, so that a range fits in memory and
files stay few. Where there are many files all the same, they are merged first (curation.shuffle.merging).

The same reading serves any shard sorted by a number, for instance for the documents of one group.

Invariants
    - A range holds exactly the rows of all files whose hash lies in it, in the order of the files.
    - Files are checked when they are read: pages by their checksums, row groups by being sorted.
    - The number of ranges follows from the rows or bytes to be read, never from the number of workers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.engine.stage import Output
from curation.errors import CorruptShard
from curation.storage.shards import Shard, open_parquet

ROW_GROUP_BYTES = 1 << 20
"""Bytes in one row group of an exchange file: the least that is read of it."""


@dataclass(frozen=True)
class Range:
    """The numbers from `low` up to, but without, `high`."""

    low: int
    high: int

    def cut(self, count: int) -> list["Range"]:
        """Return at most `count` ranges of about equal width that hold the same numbers; none of them is empty, unless this is."""
        bounds = [self.low + (self.high - self.low) * place // count for place in range(count + 1)]
        return [Range(low, high) for low, high in pairwise(bounds) if low < high] or [self]


HASHES = Range(0, 1 << 64)
"""All 64-bit hashes."""


def ranges_for(amount: int, most: int, whole: Range = HASHES) -> list[Range]:
    """Cut a range so that each part gets about `most` (rows or bytes) of `amount`, which is spread evenly over it."""
    return whole.cut(max(1, -(-amount // most)))


def write_sorted(output: Output, name: str, table: Any, schema: Any, by: Sequence[str]) -> Shard:
    """Write a table as one exchange file, sorted by the columns `by`, of which the first is the one that ranges are taken of.

    Rows that agree in all of them stay in the table's order.
    """
    table = table.combine_chunks()  # else every row group copies all of it
    order = order_of(table, by)
    rows = max(1, ROW_GROUP_BYTES * table.num_rows // max(1, table.nbytes))
    with output.shard(name, schema) as writer:
        for start in range(0, table.num_rows, rows):
            writer.write(table.take(pa.array(order[start : start + rows])))
    return output.shards[-1]


def order_of(table: Any, by: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the rows of a table in the order of the columns `by`: numbers, or binary values of 16 bytes."""
    order: npt.NDArray[np.int64] = np.lexsort([part for name in reversed(by) for part in _as_numbers(table[name])])
    return order


def _as_numbers(column: Any) -> list[npt.NDArray[Any]]:
    """Return numbers that are in the order of a column's values, the last one first in importance."""
    if column.type != pa.binary(16):
        return [column.to_numpy()]
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    halves = np.frombuffer(array.buffers()[1], np.dtype(">u8"), 2 * len(array), 16 * array.offset).reshape(-1, 2)
    return [halves[:, 1], halves[:, 0]]


class Runs:
    """Gathers tables and writes a sorted file whenever they are `most` bytes, the last one on `close`; there is always one."""

    def __init__(self, output: Output, name: str, schema: Any, by: Sequence[str], most: int) -> None:
        """Write tables of a schema, sorted by some columns, as files of that name and a number."""
        self.rows = self.bytes = 0
        self._output, self._name, self._schema, self._by, self._most = output, name, schema, by, most
        self._tables: list[Any] = []
        self._waiting = self._written = 0

    def add(self, table: Any) -> None:
        """Add a table, whose columns may not yet have their types."""
        self._tables.append(table.cast(self._schema))
        self._waiting += table.nbytes
        self.rows, self.bytes = self.rows + table.num_rows, self.bytes + table.nbytes
        if self._waiting >= self._most:
            self._write()

    def close(self) -> None:
        """Write what waits."""
        if self._tables or not self._written:
            self._write()

    def _write(self) -> None:
        name = f"{self._name}-{self._written:04d}"
        self._written += 1
        write_sorted(self._output, name, self._taken(), self._schema, self._by)

    def _taken(self) -> Any:
        tables, self._tables, self._waiting = self._tables, [], 0
        return pa.concat_tables([self._schema.empty_table(), *tables])


def read_range(shards: Sequence[Shard], column: str, wanted: Range, schema: Any) -> Any:
    """Return the rows whose `column` lies in the range, of every shard in turn; each must be sorted by that column.

    `schema` says which columns are read. Raises CorruptShard for a shard that is damaged or not sorted.
    """
    tables = list(tables_in(shards, column, wanted, schema))
    return pa.concat_tables(tables) if tables else schema.empty_table()


def tables_in(shards: Sequence[Shard], column: str, wanted: Range, schema: Any) -> Iterator[Any]:
    """Yield what `read_range` returns a row group at a time, so that memory holds one."""
    for shard in shards:
        for _, table in rows_in(shard, column, wanted, schema):
            yield table


def rows_in(shard: Shard, column: str, wanted: Range, schema: Any) -> Iterator[tuple[int, Any]]:
    """Yield (place of the first one in the shard, table) for the rows of a shard whose `column` lies in a range; they follow each other."""
    begin = 0
    with open_parquet(shard.location, pre_buffer=False) as file:
        position = file.schema_arrow.names.index(column)
        for index in range(file.num_row_groups):
            first, begin = begin, begin + file.metadata.row_group(index).num_rows
            known = file.metadata.row_group(index).column(position).statistics
            if known is None or not known.has_min_max:
                raise CorruptShard(f"{shard.location} has no index of its {column}; the run's command makes it again")
            if known.max < wanted.low or known.min >= wanted.high:
                continue
            table = read_row_group(shard, file, index, schema.names)
            values = table[column].to_numpy()
            if (values[1:] < values[:-1]).any():
                raise CorruptShard(f"{shard.location}, row group {index}, is not sorted by {column}; the run's command makes it again")
            start, end = _place(values, wanted.low), _place(values, wanted.high)
            if start < end:
                yield first + start, _alone(table, start, end).cast(schema)


def _alone(table: Any, start: int, end: int) -> Any:
    """Return some rows of a table; where they are few, a copy, so that the others do not stay in memory with them."""
    few = 2 * (end - start) < table.num_rows
    return table.take(pa.array(np.arange(start, end))) if few else table.slice(start, end - start)


def _place(values: npt.NDArray[Any], bound: int) -> int:
    """Return how many of the rising values are below a bound, which may lie outside their type."""
    limits = np.iinfo(values.dtype)
    if bound > limits.max:
        return len(values)
    return int(np.searchsorted(values, values.dtype.type(max(bound, limits.min))))


def read_row_group(shard: Shard, file: Any, index: int, columns: Sequence[str] | None) -> Any:
    """Return some columns (None: all) of one row group of an open shard. Raises CorruptShard where its pages are damaged."""
    try:
        return file.read_row_group(index, columns=None if columns is None else list(columns), use_threads=False).replace_schema_metadata(
            None
        )
    except (pa.ArrowInvalid, OSError) as error:
        raise CorruptShard(f"{shard.location}, row group {index}, is damaged ({error}); the run's command makes it again") from error


def read_rows(shard: Shard, columns: Sequence[str] | None, rows: npt.NDArray[np.int64]) -> Iterator[tuple[npt.NDArray[np.int64], Any]]:
    """Yield (rows, their table) for some rows of a shard, rising, one row group at a time; row groups without any are not read."""
    with open_parquet(shard.location, pre_buffer=False) as file:
        begin = 0
        for index in range(file.num_row_groups):
            end = begin + file.metadata.row_group(index).num_rows
            inside = rows[np.searchsorted(rows, begin) : np.searchsorted(rows, end)]
            if len(inside):
                yield inside, read_row_group(shard, file, index, columns).take(pa.array(inside - begin))
            begin = end

"""The rows of one Parquet row group: every readable value beside the others of its row, and the number of lost rows.

Columns are read together. The footer's claims are compared with the data:

    before    a column whose page headers announce another number of values than the footer (`curation.ingest.readers.parquet_pages`) is not
              read with the others: its values would appear in the wrong rows
    after     if reading breaks off, or ends before the footer's count, the rest is read again one column at a time, so that damage in one
              column does not cost the others

An unreadable text makes the row unreadable: one Broken, with its number of rows, represents a run of lost rows. An unreadable side column
is null from there on, and its rows are marked.

Invariant: the yielded rows and the rows that Brokens represent together equal the footer's count.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.arrays import JsonObject, Table
from curation.ingest.readers.columns import as_binary, python_rows
from curation.ingest.readers.decompression import WatchedFile
from curation.ingest.readers.outcomes import Broken
from curation.ingest.readers.parquet_pages import announced_values

BATCH_BYTES = 8 << 20
_MAX_BATCH_ROWS = 1024
_REPEATED_BYTES = 256 << 20
_ALONE = 32
"""Rows read at once when a column is read alone: damage costs at most this many rows before it."""

ParquetRow = tuple[int, tuple[str, ...], tuple[Any, ...], int, tuple[str, ...]]
"""A row's number, the names and the values of its columns (at least the text still as bytes), the bytes of its strings, and the lost
columns. A plain tuple, because a file has millions of rows and an object with named fields costs more."""


def claimed_rows(parquet: pq.ParquetFile, group: int) -> int:
    """Return the number of rows in a row group: the most frequent value among its own count and those of its columns."""
    facts = parquet.metadata.row_group(group)
    claims = Counter({facts.num_rows: 1})
    claims.update(facts.column(index).num_values for index in range(facts.num_columns) if _is_flat(parquet, index))
    most = max(claims.values())
    return int(facts.num_rows) if claims[facts.num_rows] == most else max(claim for claim, times in claims.items() if times == most)


def group_rows(
    parquet: pq.ParquetFile, group: int, first: int, columns: list[str], text: str, file: WatchedFile
) -> Iterator[ParquetRow | Broken]:
    """Yield the rows of a row group, numbered from `first`, and a Broken for lost ones."""
    facts = parquet.metadata.row_group(group)
    end = first + claimed_rows(parquet, group)
    miscounted = _miscounted(parquet, group, set(columns), end - first, file)
    if text in miscounted:
        yield _lost(first, end, group, miscounted[text])
        return
    together = [name for name in columns if name not in miscounted]
    lost = tuple(name for name in columns if name in miscounted)
    number, fault = first, "fewer rows came than the footer says"
    try:
        for batch in parquet.iter_batches(_rows_at_once(facts, set(together)), row_groups=[group], columns=together, use_threads=False):
            named = _named(batch, text)
            names = tuple(named)
            for size, values in python_rows(list(named.values())):
                yield number, names, values, size, lost
                number += 1
    except (OSError, pa.ArrowException) as error:
        file.raise_failure()
        fault = str(error)
    if number < end:
        yield from _one_by_one(parquet, group, range(first, end), number, (together, lost, text), fault, file)


def _one_by_one(
    parquet: pq.ParquetFile,
    group: int,
    rows: range,
    number: int,
    read: tuple[list[str], tuple[str, ...], str],
    fault: str,
    file: WatchedFile,
) -> Iterator[ParquetRow | Broken]:
    """Yield the rows from `number` on, reading each column by itself."""
    columns, lost, text = read
    texts = _alone(parquet, group, text, text, number - rows.start, file)
    sides = {name: _alone(parquet, group, name, text, number - rows.start, file) for name in dict.fromkeys(columns) if name != text}
    for row in range(number, rows.stop):
        size, payload = next(texts, (0, _NOTHING))
        if payload is _NOTHING:
            yield _lost(row, rows.stop, group, fault)
            return
        values = {text: payload}
        missing = list(lost)
        for name, side in sides.items():
            side_size, value = next(side, (0, _NOTHING))
            if value is _NOTHING:
                missing.append(name)
            else:
                values[name] = value
                size += side_size
        yield row, tuple(values), tuple(values.values()), size, tuple(missing)


_NOTHING = object()


def _alone(parquet: pq.ParquetFile, group: int, name: str, text: str, skipped: int, file: WatchedFile) -> Iterator[tuple[int, Any]]:
    """Yield the values of a column after `skipped` ones, each with its size, while they are readable."""
    try:
        for batch in parquet.iter_batches(_ALONE, row_groups=[group], columns=[name], use_threads=False):
            passed = min(skipped, batch.num_rows)
            skipped -= passed
            if passed < batch.num_rows:
                for size, (value,) in python_rows(list(_named(batch.slice(passed), text).values())):
                    yield size, value
    except (OSError, pa.ArrowException):
        file.raise_failure()


def _named(batch: Table, text: str) -> JsonObject:
    """Return the columns of a batch by name (the last of a repeated name), with the text as bytes."""
    named = dict(zip(batch.schema.names, batch.columns, strict=True))
    if text in named:
        named[text] = as_binary(named[text])
    return named


def _lost(start: int, end: int, group: int, fault: str) -> Broken:
    return Broken(start, "corrupt", f"{end - start} rows of row group {group} cannot be read: {fault}", records=end - start)


def _rows_at_once(facts: Any, columns: set[str]) -> int:
    """Return how many rows a batch should have, from their average size.

    In DELTA_BYTE_ARRAY a value may repeat the previous one at the price of a byte, so any value may be as long as the whole chunk.
    """
    average = max(facts.total_byte_size, 1) / max(facts.num_rows, 1)
    chunks = (facts.column(index) for index in range(facts.num_columns))
    repeating = [
        chunk.total_uncompressed_size
        for chunk in chunks
        if "DELTA_BYTE_ARRAY" in chunk.encodings and is_part(chunk.path_in_schema, columns)
    ]
    return max(1, min(_MAX_BATCH_ROWS, int(BATCH_BYTES / average), *(int(_REPEATED_BYTES // max(size, 1)) for size in repeating)))


def _miscounted(parquet: pq.ParquetFile, group: int, columns: set[str], rows: int, file: WatchedFile) -> dict[str, str]:
    """Return the columns whose counts contradict each other, with a description."""
    found = {}
    facts = parquet.metadata.row_group(group)
    for index in range(facts.num_columns):
        chunk = facts.column(index)
        path = chunk.path_in_schema
        name = path if path in columns else path.partition(".")[0]
        if name not in columns:
            continue
        if _is_flat(parquet, index) and chunk.num_values != rows:
            found[name] = f"column {name!r} has {chunk.num_values} values by the footer, not {rows}"
            continue
        start = chunk.data_page_offset
        if chunk.has_dictionary_page and chunk.dictionary_page_offset:
            start = min(start, chunk.dictionary_page_offset)
        announced = announced_values(file.read_at, start, chunk.total_compressed_size, chunk.num_values)
        if announced is not None and announced != chunk.num_values:
            found[name] = f"the pages of column {name!r} announce {announced} values, the footer says {chunk.num_values}"
    return found


def _is_flat(parquet: pq.ParquetFile, index: int) -> bool:
    """Return whether a column has one value per row."""
    return bool(parquet.schema.column(index).max_repetition_level == 0)


def is_part(path: str, columns: Collection[str]) -> bool:
    """Return whether a footer's leaf path is one of some columns, or is nested in one."""
    return path in columns or path.partition(".")[0] in columns

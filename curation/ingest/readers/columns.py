"""Columns: turn the rows of an Arrow batch into Python values one column at a time, without a scalar object for each value.

Strings come decoded, unless they are long or one of their neighbours is not UTF-8; then they come as bytes, and the caller finds the bad
one by decoding them. Binary comes as bytes. Times come as Arrow writes them; a time that Arrow cannot write (no such year, no such zone)
comes as its number.

Invariants
    - A batch is processed in pieces of at most PIECE_BYTES of strings, or of one row: no more than one piece exists twice, whatever the
      batch contains. A dictionary is expanded within a piece only, so a text repeated a million times costs its bytes once.
    - Arrow cannot measure its string views: such a column is copied once per batch.
    - A nested value is assumed to have the average size of its batch.
    - Only dictionary entries that the batch refers to are examined: many batches may share a dictionary of millions.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from curation.arrays import Column, Integers, JsonValue
from curation.ingest.readers.nested import nested_values, time_text

PIECE_BYTES = 256 << 10
"""Small enough that a piece is still in the processor's cache when its rows are parsed."""


def python_rows(columns: Sequence[Column]) -> Iterator[tuple[int, tuple[JsonValue, ...]]]:
    """Yield, for every row of some columns, the total bytes of its strings, and its values (None for null)."""
    columns = [column.cast(pa.large_binary()) if _is_view(column.type) else column for column in columns]
    sizes = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        if _holds_strings(column.type):
            sizes += _sizes(column)
        elif types.is_nested(column.type) and len(column):
            sizes += column.nbytes // len(column)
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        within = int(np.searchsorted(ends, ends[start] - sizes[start] + PIECE_BYTES, side="right"))
        end = max(within, start + 1)
        is_long = ends[end - 1] - ends[start] + sizes[start] > PIECE_BYTES
        values = (_values(column[start:end], is_long) for column in columns)
        yield from zip(sizes[start:end].tolist(), zip(*values, strict=True), strict=True)
        start = end


def as_binary(column: Column) -> Column:
    """Return a column with any strings as binary, without copying."""
    if types.is_dictionary(column.type):
        return pa.DictionaryArray.from_arrays(column.indices, as_binary(column.dictionary))
    if types.is_string_view(column.type):
        return column.cast(pa.large_binary())
    return column.cast(pa.large_binary() if _is_large(column.type) else pa.binary()) if is_string(column.type) else column


def is_string(kind: pa.DataType) -> bool:
    """Return whether a type is one of Arrow's text types."""
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def is_binary(kind: pa.DataType) -> bool:
    """Return whether a type is one of Arrow's variable-length binary types."""
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))


def _is_view(kind: pa.DataType) -> bool:
    return bool(types.is_string_view(kind) or types.is_binary_view(kind))


def _is_large(kind: pa.DataType) -> bool:
    return bool(types.is_large_string(kind) or types.is_large_binary(kind))


def _holds_strings(kind: pa.DataType) -> bool:
    kind = kind.value_type if types.is_dictionary(kind) else kind
    return is_string(kind) or is_binary(kind)


def _sizes(column: Column) -> Integers:
    """Return the number of bytes in each string of a column; 0 for null."""
    if not types.is_dictionary(column.type):
        return np.asarray(pc.fill_null(pc.binary_length(column), 0))
    entries = column.dictionary
    if not len(entries):
        return np.zeros(len(column), np.int64)
    offsets = np.frombuffer(entries.buffers()[1], np.int64 if _is_large(entries.type) else np.int32)[entries.offset :]
    places = np.asarray(pc.fill_null(column.indices, 0))
    return np.where(np.asarray(column.is_valid()), offsets[places + 1] - offsets[places], 0)


def _values(column: Column, is_long: bool) -> list[JsonValue]:
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_temporal(column.type):
        return _times(column)
    if types.is_nested(column.type) or types.is_decimal(column.type):
        return nested_values(column)
    try:
        values: list[JsonValue] = (as_binary(column) if is_long else column).to_pylist()
    except UnicodeDecodeError:
        values = as_binary(column).to_pylist()
    return values


def _times(column: Column) -> list[str | None]:
    try:
        written: list[str | None] = column.cast(pa.string()).to_pylist()
        return written
    except pa.ArrowException:
        return [time_text(scalar) if scalar.is_valid else None for scalar in column]

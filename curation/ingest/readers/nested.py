"""Nested columns (structs, lists, maps) and decimals of an Arrow batch, converted to JSON values.

A map becomes an object, with the last value of a repeated key; times are written as ISO 8601, and decimals as strings, so that no digit is
lost. Columns that contain binary data at any level are not read, nor are lists of floating-point numbers (embeddings): they say nothing
readable about a text, and may be huge.

Invariant: no value raises. Invalid UTF-8 in strings becomes U+FFFD.
"""

from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pyarrow as pa
from pyarrow import types

from curation.arrays import Column, JsonValue

_MAX_DEPTH = 32


def is_readable(kind: pa.DataType, depth: int = 0) -> bool:
    """Return whether values of a type can be written as JSON: nested or not, without binary data."""
    if depth > _MAX_DEPTH:
        return False
    if types.is_struct(kind):
        return all(is_readable(kind.field(place).type, depth + 1) for place in range(kind.num_fields))
    if types.is_map(kind):
        return is_readable(kind.key_type, depth + 1) and is_readable(kind.item_type, depth + 1)
    if is_list(kind):
        is_vector = depth == 0 and types.is_floating(kind.value_type)
        return not is_vector and is_readable(kind.value_type, depth + 1)
    if types.is_dictionary(kind):
        return is_readable(kind.value_type, depth + 1)
    is_time = types.is_temporal(kind) and not types.is_interval(kind)
    is_string = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    return bool(is_string or is_number or is_time or types.is_boolean(kind) or types.is_null(kind))


def is_list(kind: pa.DataType) -> bool:
    """Return whether a type is one of Arrow's list types."""
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def nested_values(column: Column) -> list[JsonValue]:
    """Return the values of a column of a readable type; null becomes None."""
    try:
        return [_plain(value) for value in column.to_pylist(maps_as_pydicts="lossy")]
    except (UnicodeDecodeError, ValueError, OverflowError, pa.ArrowException):
        return [_by_parts(scalar) for scalar in column]


def time_text(scalar: pa.Scalar) -> str:
    """Return a time as Arrow writes it, or its number where Arrow has no words for it: Python represents the years 1 to 9999 only."""
    try:
        return str(scalar.cast(pa.string()).as_py())
    except pa.ArrowException:
        return str(scalar.cast(pa.int64()).as_py())


def _by_parts(scalar: pa.Scalar) -> JsonValue:
    """Return a value part by part: it has strings that are no UTF-8, or times that Python cannot represent."""
    if not scalar.is_valid:
        return None
    if types.is_dictionary(scalar.type):
        return _by_parts(scalar.value)
    if types.is_struct(scalar.type):
        return {name: _by_parts(inner) for name, inner in scalar.items()}
    if types.is_map(scalar.type):
        return {str(_by_parts(pair["key"])): _by_parts(pair["value"]) for pair in scalar.values}
    if is_list(scalar.type):
        return [_by_parts(inner) for inner in scalar.values]
    try:
        return _plain(scalar.as_py())
    except UnicodeDecodeError:
        return bytes(scalar.as_buffer()).decode("utf-8", "replace")
    except (ValueError, OverflowError):
        return time_text(scalar)


def _plain(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {name if isinstance(name, str) else str(_plain(name)): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    return str(value) if isinstance(value, (Decimal, timedelta)) else value

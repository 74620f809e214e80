"""Parquet page headers: count the values that a column chunk's pages announce, without opening a page.

A column chunk is a sequence of pages, each behind a header in Thrift's compact encoding (parquet.thrift, `PageHeader`). Page checksums
cover a page but not its header, and Arrow believes the header: if a header gives fewer values than its page has, Arrow silently returns
fewer rows, or moves every later value into another row. The footer's count of the chunk is a second source; this module returns the sum to
compare with it.

Invariants
    - An unreadable header gives None, not an error: Arrow then reports what is wrong with it.
    - Only the headers of pages are read; a header of more than _MAX_HEADER bytes is not read.
"""

from collections.abc import Callable, Sequence
from typing import Any

_HEADER = 256
_MAX_HEADER = 1 << 20
_DATA, _DATA_V2 = 0, 3
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
"""The types of Thrift's compact protocol."""

_MAX_DEPTH = 8

ReadAt = Callable[[int, int], bytes]
"""Returns the bytes at an offset, up to a size (fewer at the end)."""


def announced_values(read_at: ReadAt, start: int, size: int, expected: int) -> int | None:
    """Return how many values the data pages of a chunk announce, up to the page that reaches `expected`."""
    values, place, end = 0, start, start + size
    while place < end and values < expected:
        header = _header_at(read_at, place, end)
        if header is None:
            return None
        fields, length = header
        kind, packed = fields.get(1), fields.get(3)
        if not isinstance(packed, int) or packed < 0:
            return None
        if kind in (_DATA, _DATA_V2):
            described = fields.get(5 if kind == _DATA else 8)
            announced = described.get(1) if isinstance(described, dict) else None
            if not isinstance(announced, int) or announced < 0:
                return None
            values += announced
        place += length + packed
    return values


def lies_about_levels(footer: bytes, levels: Sequence[tuple[int, int, bool]]) -> bool:
    """Return whether a footer's size statistics do not fit its columns, given as highest levels and whether the column contains strings.

    Arrow throws when it first reads such a column, at a point that pyarrow does not guard, and the process ends.
    """
    try:
        groups = _Cut(footer).struct().get(4) or []
        for group in groups:
            for (repetition, definition, strings), chunk in zip(levels, group.get(1) or [], strict=False):
                sizes = (chunk.get(3) or {}).get(16) or {}
                if any(sizes.get(field) and len(sizes[field]) != level + 1 for field, level in ((2, repetition), (3, definition))):
                    return True
                if 1 in sizes and not strings:
                    return True
    except (IndexError, ValueError, AttributeError, TypeError):
        return False  # Arrow cannot read this footer either, and reports it
    return False


def _header_at(read_at: ReadAt, place: int, end: int) -> tuple[dict[int, Any], int] | None:
    """Return the fields of the header at a position, and its length; the statistics in it may make it long."""
    size = _HEADER
    while True:
        cut = _Cut(read_at(place, min(size, end - place)))
        try:
            return cut.struct(), cut.at
        except IndexError:
            if size > _MAX_HEADER or size >= end - place:
                return None
            size *= 8
        except ValueError:
            return None


class _Cut:
    """Bytes in Thrift's compact encoding. Raises IndexError where they end, ValueError where they are invalid."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.at = 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Take a struct and return its fields by number; strings and similar values become None."""
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deeply")
        fields: dict[int, Any] = {}
        number = 0
        while byte := self._byte():
            number = number + (byte >> 4) if byte >> 4 else self._signed()
            fields[number] = self._value(byte & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind in (_I16, _I32, _I64):
            return self._signed()
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in (_BYTE, _DOUBLE):
            self._skip(1 if kind == _BYTE else 8)
        elif kind == _BINARY:
            self._skip(self._unsigned())
        elif kind in (_LIST, _SET):
            return self._list(depth)
        else:
            raise ValueError("an unknown type")
        return None

    def _list(self, depth: int) -> list[Any]:
        """Take a list; each element takes at least a byte, so a length that is a lie ends where the bytes do."""
        byte = self._byte()
        kind = byte & 15
        count = byte >> 4 if byte >> 4 < 15 else self._unsigned()
        return [self._byte() if kind in (_TRUE, _FALSE) else self._value(kind, depth + 1) for _ in range(count)]

    def _skip(self, size: int) -> None:
        self.at += size
        if self.at > len(self._content):
            raise IndexError

    def _byte(self) -> int:
        byte = self._content[self.at]
        self.at += 1
        return byte

    def _unsigned(self) -> int:
        number, shift = 0, 0
        while True:
            byte = self._byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7
            if shift > 63:
                raise ValueError("an overlong number")

    def _signed(self) -> int:
        number = self._unsigned()
        return number >> 1 ^ -(number & 1)

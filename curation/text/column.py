"""A text column: a batch of texts as Arrow holds them, one run of UTF-8 bytes and the offsets between documents.

Kernels scan these two arrays directly; no Python string is made. `curation.text.text` adds the words, lines and other pieces of the texts.

Invariants
    - `offsets` has n + 1 entries, rises, and starts at the first byte of the first document; document i is data[offsets[i]:offsets[i+1]].
    - A null becomes an empty text; slices and chunks of any Arrow string type are accepted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
import pyarrow as pa

from curation.arrays import Array, Bytes, Column, Integers

Offsets = Integers


@dataclass(frozen=True)
class TextColumn:
    """n texts as bytes (uint8) and n + 1 offsets (int64)."""

    data: Bytes
    offsets: Offsets

    def __post_init__(self) -> None:
        """Make both arrays read-only: some of Arrow's are writable, and numba would compile every kernel again for those."""
        for name in ("data", "offsets"):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @classmethod
    def from_arrow(cls, array: Column) -> Self:
        """Wrap an Arrow string array (any string type, sliced or chunked), without copying if it is already large_string."""
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
        if array.type != pa.large_string():
            array = array.cast(pa.large_string())
        if array.null_count:
            array = array.fill_null("")
        _, offset_buffer, data_buffer = array.buffers()
        if len(array) == 0:
            return cls(np.empty(0, np.uint8), np.zeros(1, np.int64))
        offsets = np.frombuffer(offset_buffer, np.int64)[array.offset : array.offset + len(array) + 1]
        data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None and data_buffer.size else np.empty(0, np.uint8)
        return cls(data, offsets)

    @classmethod
    def from_strings(cls, texts: Sequence[str | None]) -> Self:
        """Build a column from Python strings (tests, small inputs)."""
        return cls.from_arrow(pa.array(texts, pa.large_string()))

    @classmethod
    def from_utf8(cls, data: bytes | bytearray, lengths: Sequence[int]) -> Self:
        """Wrap concatenated texts; their UTF-8 is not validated again."""
        return cls(np.frombuffer(data, np.uint8), offsets_of(np.array(lengths, np.int64)))

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Integers:
        """Number of bytes in each text."""
        return np.diff(self.offsets)

    def string(self, index: int) -> str:
        """Return text `index` as a Python string."""
        return self.data[self.offsets[index] : self.offsets[index + 1]].tobytes().decode("utf-8", "replace")

    def to_arrow(self) -> Column:
        """Return the column as a large_string array that shares its bytes."""
        offsets = pa.py_buffer(np.ascontiguousarray(self.offsets))
        return pa.Array.from_buffers(pa.large_string(), len(self), [None, offsets, pa.py_buffer(self.data)])


_Column = TypeVar("_Column", bound=TextColumn)


def offsets_of(counts: Array) -> Integers:
    """Return the offsets of concatenated pieces with these counts of values, from 0."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])


def rewritten(text: _Column, replacements: Mapping[int, bytes]) -> _Column:
    """Return the column with some documents replaced (index -> UTF-8 bytes); return the column itself if there are none."""
    if not replacements:
        return text
    lengths = text.lengths.copy()
    pieces = []
    copied = 0
    for index in sorted(replacements):
        pieces.append(text.data[text.offsets[copied] : text.offsets[index]])
        pieces.append(np.frombuffer(replacements[index], np.uint8))
        lengths[index] = len(replacements[index])
        copied = index + 1
    pieces.append(text.data[text.offsets[copied] : text.offsets[-1]])
    return type(text)(np.concatenate(pieces), offsets_of(lengths))

"""A batch of texts as Arrow holds them: one run of UTF-8 bytes and the offsets between documents.

Kernels scan these two arrays directly; no Python string is made. What many filters need (words, chunks, lines, rows, paragraphs, sentences)
is found once a batch by the kernels of `curation.text.words`, `curation.text.chunks`, `curation.text.lines` and `curation.text.sentences`,
and kept on the column.

Invariants
    - `offsets` has n + 1 entries, rises, and starts at the first byte of the first document; document i is data[offsets[i]:offsets[i+1]].
    - A null becomes an empty text; slices and chunks of any Arrow string type are accepted.
    - Nothing here depends on how documents are cut into batches.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.text.slicing import already_found, carry, offsets_of, slices

if TYPE_CHECKING:
    from curation.text.chunks import Chunks
    from curation.text.lines import Lines, Paragraphs, Rows
    from curation.text.sentences import Sentences
    from curation.text.words import Words

Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TextColumn:
    """n texts as bytes (uint8) and n + 1 offsets (int64)."""

    data: Bytes
    offsets: Offsets

    def __post_init__(self) -> None:
        """Make both arrays read-only: Arrow's are sometimes writable, and numba would compile every kernel once more for those."""
        for name in ("data", "offsets"):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @classmethod
    def from_arrow(cls, array: Any) -> "TextColumn":
        """Take over an Arrow string array (any string type, sliced or chunked) without copying where it is already large_string."""
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
        if array.type != pa.large_string():
            array = array.cast(pa.large_string())
        if array.null_count:
            array = pc.fill_null(array, "")
        _, offset_buffer, data_buffer = array.buffers()
        if len(array) == 0:
            return cls(np.empty(0, np.uint8), np.zeros(1, np.int64))
        offsets = np.frombuffer(offset_buffer, np.int64)[array.offset : array.offset + len(array) + 1]
        data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None and data_buffer.size else np.empty(0, np.uint8)
        return cls(data, offsets)

    @classmethod
    def from_strings(cls, texts: Sequence[str | None]) -> "TextColumn":
        """Build a column from Python strings (tests, small inputs)."""
        return cls.from_arrow(pa.array(texts, pa.large_string()))

    @classmethod
    def from_utf8(cls, data: bytes | bytearray, lengths: Sequence[int]) -> "TextColumn":
        """Take over texts that lie end to end; whether they are UTF-8 is not looked at again."""
        return cls(np.frombuffer(data, np.uint8), offsets_of(np.array(lengths, np.int64)))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Bytes in each text."""
        return np.diff(self.offsets)

    def string(self, index: int) -> str:
        """Return text `index` as a Python string."""
        return self.data[self.offsets[index] : self.offsets[index + 1]].tobytes().decode("utf-8", "replace")

    def to_arrow(self) -> Any:
        """Return the column as a large_string array that shares its bytes."""
        offsets = pa.py_buffer(np.ascontiguousarray(self.offsets))
        return pa.Array.from_buffers(pa.large_string(), len(self), [None, offsets, pa.py_buffer(self.data)])

    def where(self, stays: npt.NDArray[np.bool_]) -> "TextColumn":
        """Return the column of the texts that stay, with their words and lines where those were found before."""
        if stays.all():
            return self
        chosen = TextColumn(slices(self.data, self.offsets, stays), offsets_of(self.lengths[stays]))
        for name, found in already_found(self):
            vars(chosen)[name] = carry(found, stays, chosen)
        return chosen

    @cached_property
    def words(self) -> "Words":
        """The words of every text, found once."""
        from curation.text.words import find_words

        return find_words(self)

    @cached_property
    def chunks(self) -> "Chunks":
        """What stands between spaces in every text, found once."""
        from curation.text.chunks import find_chunks

        return find_chunks(self.words)

    @cached_property
    def lines(self) -> "Lines":
        """The lines of every text, found once."""
        from curation.text.lines import find_lines

        return find_lines(self)

    @cached_property
    def rows(self) -> "Rows":
        """The rows of every text (lines as `str.splitlines` cuts them), found once."""
        from curation.text.unicode_lines import find_rows

        return find_rows(self)

    @cached_property
    def paragraphs(self) -> "Paragraphs":
        """The paragraphs of every text, found once."""
        from curation.text.lines import find_paragraphs

        return find_paragraphs(self)

    @cached_property
    def sentences(self) -> "Sentences":
        """The sentences of every text, found once."""
        from curation.text.sentences import find_sentences

        return find_sentences(self)

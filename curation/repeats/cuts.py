"""Cuts are byte spans that the export removes from a document's text; they are stored in a side shard beside the documents.

Only ingest and export write text. A step over the whole corpus therefore stores what it removes as spans, and a document's text stays
unchanged until export leaves the spans out.

A passage (a line, a paragraph) is cut together with the newlines after it, or, if it is the last one, with those before it; so remaining
lines are joined by newlines as before. A cut leaves no larger gap than there was, and no blank lines at either end. So the blank lines
after a cut passage are cut too in three cases: it begins the text, a blank line is before it, or nothing else follows.

Invariants
    - Spans ascend, are not empty, do not touch, and start and end between characters.
    - The remaining text is the bytes outside the spans, in order.
"""

import numpy as np
import pyarrow as pa

from curation.arrays import Bytes, Column, Flags, Integers, Unsigned32
from curation.repeats.passages import Passages
from curation.schema import KEY
from curation.text.column import Offsets, offsets_of
from curation.text.kernels import kernel
from curation.text.text import Text

SPANS = pa.list_(pa.struct([pa.field("start", pa.uint32(), nullable=False), pa.field("end", pa.uint32(), nullable=False)]))

CUTS = pa.schema(
    [
        pa.field("key", KEY, nullable=False),
        pa.field("rule", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("passages", pa.int64(), nullable=False),
        pa.field("cut_bytes", pa.int64(), nullable=False),
        pa.field("spans", SPANS, nullable=False),
    ]
)
"""What is cut from a document. `rule` is set if too little of it is left (null: it stays); `value` is the share of its text that repeats.

`passages` counts the repeated passages, `cut_bytes` the bytes of all spans, newlines included.
"""


class Spans:
    """The spans of n texts: text i has spans offsets[i] to offsets[i + 1] of `starts` and `ends`."""

    def __init__(self, offsets: Offsets, starts: Unsigned32, ends: Unsigned32) -> None:
        """Take the spans of all texts, those of text i from offsets[i] up to offsets[i + 1]."""
        self.offsets = offsets
        self.starts = starts
        self.ends = ends

    @classmethod
    def from_arrow(cls, column: Column) -> "Spans":
        """Read a SPANS column, sliced or chunked."""
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        values = array.flatten()
        offsets = offsets_of(array.value_lengths().to_numpy(zero_copy_only=False))
        return cls(offsets, values.field("start").to_numpy(), values.field("end").to_numpy())

    def to_arrow(self) -> Column:
        """Return the spans as a SPANS column."""
        pairs = pa.StructArray.from_arrays([pa.array(self.starts), pa.array(self.ends)], fields=list(SPANS.value_type))
        return pa.ListArray.from_arrays(pa.array(self.offsets.astype(np.int32)), pairs, type=SPANS)

    @property
    def bytes(self) -> Integers:
        """Number of bytes in the spans of each text."""
        before = offsets_of(self.ends.astype(np.int64) - self.starts)
        sums: Integers = before[self.offsets[1:]] - before[self.offsets[:-1]]
        return sums


def spans_of(text: Text, passages: Passages, goes: Flags) -> Spans:
    """Return the spans that remove the passages marked in `goes` from every text."""
    offsets = np.zeros(len(text) + 1, np.int64)
    starts, ends = (np.empty(int(goes.sum()), np.uint32) for _ in range(2))
    goes = goes.copy()
    _take_blank_along(passages.offsets, passages.sizes == 0, goes)
    found = _find_spans(text.offsets, passages.offsets, passages.starts, passages.ends, goes, offsets, starts, ends)
    return Spans(offsets, starts[:found], ends[:found])


def without(text: Text, spans: Spans) -> Text:
    """Return the texts without their spans."""
    offsets = offsets_of(text.lengths - spans.bytes)
    data = np.empty(offsets[-1], np.uint8)
    _copy_outside(text.data, text.offsets, spans.offsets, spans.starts, spans.ends, data)
    return Text(data, offsets)


@kernel
def _take_blank_along(offsets: Offsets, blank: Flags, goes: Flags) -> None:
    """Mark the blank passages that are cut together with marked ones."""
    for text in range(len(offsets) - 1):
        first, after = offsets[text], offsets[text + 1]
        passage = first
        while passage < after:
            if not goes[passage]:
                passage += 1
                continue
            takes_blank = passage == first or blank[passage - 1]
            while passage < after and (goes[passage] or (takes_blank and blank[passage])):
                goes[passage] = True
                passage += 1
        for step in (1, -1):
            edge = first if step == 1 else after - 1
            inner = edge
            cut = False
            while first <= inner < after and (goes[inner] or blank[inner]):
                cut |= goes[inner]
                inner += step
            while cut and edge != inner:
                goes[edge] = True
                edge += step


@kernel
def _find_spans(
    text_offsets: Offsets,
    offsets: Offsets,
    starts: Unsigned32,
    ends: Unsigned32,
    goes: Flags,
    span_offsets: Offsets,
    span_starts: Unsigned32,
    span_ends: Unsigned32,
) -> int:
    """Fill the spans of each text, one for each run of marked passages; return their number."""
    found = 0
    for text in range(len(text_offsets) - 1):
        first, after = offsets[text], offsets[text + 1]
        passage = first
        while passage < after:
            if not goes[passage]:
                passage += 1
                continue
            begin = passage
            while passage < after and goes[passage]:
                passage += 1
            if passage < after:
                span_starts[found] = starts[begin] if begin > first else 0
                span_ends[found] = starts[passage]
            else:
                span_starts[found] = ends[begin - 1] if begin > first else 0
                span_ends[found] = text_offsets[text + 1] - text_offsets[text]
            found += 1
        span_offsets[text + 1] = found
    return found


@kernel
def _copy_outside(
    data: Bytes, text_offsets: Offsets, span_offsets: Offsets, span_starts: Unsigned32, span_ends: Unsigned32, copied: Bytes
) -> None:
    place = 0
    for text in range(len(text_offsets) - 1):
        begin = text_offsets[text]
        at = begin
        for span in range(span_offsets[text], span_offsets[text + 1]):
            size = begin + np.int64(span_starts[span]) - at
            for byte in range(size):
                copied[place + byte] = data[at + byte]
            place += size
            at = begin + np.int64(span_ends[span])
        size = text_offsets[text + 1] - at
        for byte in range(size):
            copied[place + byte] = data[at + byte]
        place += size

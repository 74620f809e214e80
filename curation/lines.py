"""The lines and the paragraphs of a batch of texts, found once and shared by every filter.

    line        what stands between newlines (\\n) or the ends of the text, empty lines included: as `text.split("\\n")`
    paragraph   what stands between runs of two or more newlines of the stripped text: as `re.split("\\n{2,}", text.strip())`

So every text has at least one line and one paragraph, if an empty one, and a text has one newline fewer than it has lines. Other line ends
(\\r, U+2028) are space like any other: readers bring them to \\n.

Each piece has a 64-bit hash of its bytes; two pieces are held to be equal where their hashes are.

Invariant: a text's pieces do not depend on its neighbours in the batch; positions count bytes from the text's own start (below 4 GiB).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curation.jit import kernel
from curation.text import Bytes, Offsets, TextColumn
from curation.unicode_classes import SPACE, character_classes, decode
from curation.words import extend_hash, mixed

_NEWLINE = 0x0A


@dataclass(frozen=True, eq=False)
class Lines:
    """The m lines (or paragraphs) of n texts: text i has lines offsets[i] to offsets[i + 1]."""

    offsets: Offsets
    """n + 1 places in the arrays below (int64)."""
    starts: npt.NDArray[np.uint32]
    """First byte of each line, counted from the start of its text."""
    ends: npt.NDArray[np.uint32]
    """The byte after each line (its newline, where it has one), counted likewise."""
    visible_starts: npt.NDArray[np.uint32]
    """First byte that is not space; equal to `visible_ends` in a blank line."""
    visible_ends: npt.NDArray[np.uint32]
    """The byte after the last character that is not space."""
    characters: npt.NDArray[np.uint32]
    """Code points in each line."""
    hashes: npt.NDArray[np.uint64]
    """Hash of each line's bytes."""

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Lines in each text."""
        return np.diff(self.offsets)

    @property
    def text_characters(self) -> npt.NDArray[np.int64]:
        """Code points in each text, newlines included (lines only, not paragraphs)."""
        return self.sums(self.characters) + self.counts - 1

    def sums(self, values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Return for each text the sum of a value of its lines."""
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(values, dtype=np.int64)])
        sums: npt.NDArray[np.int64] = before[self.offsets[1:]] - before[self.offsets[:-1]]
        return sums

    @property
    def blank(self) -> npt.NDArray[np.bool_]:
        """Whether each line holds nothing but space."""
        blank: npt.NDArray[np.bool_] = self.visible_starts == self.visible_ends
        return blank


class Duplicates(NamedTuple):
    """What stood before in the same text, for each of n texts (int64)."""

    among: npt.NDArray[np.int64]
    """Lines that took part."""
    repeated: npt.NDArray[np.int64]
    """Lines equal to an earlier one: of three equal lines, two."""
    characters: npt.NDArray[np.int64]
    """Characters of the repeated lines."""


def duplicates(lines: Lines, taking_part: npt.NDArray[np.bool_]) -> Duplicates:
    """Count the lines (or paragraphs) of each text that repeat an earlier one, among those that take part."""
    repeats = np.zeros(len(lines.hashes), np.bool_)
    _mark_repeats(lines.offsets, lines.hashes, taking_part, int(lines.counts.max(initial=0)), repeats)
    return Duplicates(lines.sums(taking_part), lines.sums(repeats), lines.sums(np.where(repeats, lines.characters, 0)))


def find_lines(column: TextColumn) -> Lines:
    """Find the lines of every text of a column."""
    offsets = np.zeros(len(column) + 1, np.int64)
    _count_lines(column.data, column.offsets, offsets)
    starts, ends = (np.empty(offsets[-1], np.uint32) for _ in range(2))
    _place_lines(column.data, column.offsets, offsets, starts, ends)
    return _described(column, offsets, starts, ends)


def find_paragraphs(column: TextColumn) -> Lines:
    """Find the paragraphs of every text of a column."""
    offsets = np.zeros(len(column) + 1, np.int64)
    capacity = len(column) + int(column.offsets[-1] - column.offsets[0]) // 3
    starts, ends = (np.empty(capacity, np.uint32) for _ in range(2))
    found = _place_paragraphs(column.data, column.offsets, character_classes(), offsets, starts, ends)
    return _described(column, offsets, starts[:found], ends[:found])


def _described(column: TextColumn, offsets: Offsets, starts: npt.NDArray[np.uint32], ends: npt.NDArray[np.uint32]) -> Lines:
    visible_starts, visible_ends, characters = (np.empty(len(starts), np.uint32) for _ in range(3))
    hashes = np.empty(len(starts), np.uint64)
    _describe(column.data, column.offsets, character_classes(), offsets, starts, ends, visible_starts, visible_ends, characters, hashes)
    return Lines(offsets, starts, ends, visible_starts, visible_ends, characters, hashes)


@kernel
def _mark_repeats(
    offsets: Offsets,
    hashes: npt.NDArray[np.uint64],
    taking_part: npt.NDArray[np.bool_],
    longest: int,
    repeats: npt.NDArray[np.bool_],
) -> None:
    """Mark each line whose hash occurred before in its text."""
    slots = 64
    while slots < 2 * longest:
        slots *= 2
    keys = np.empty(slots, np.uint64)
    filled = np.full(slots, -1, np.int64)  # the text that filled a slot last; the next text needs no clearing
    for text in range(len(offsets) - 1):
        for line in range(offsets[text], offsets[text + 1]):
            if not taking_part[line]:
                continue
            slot = np.int64(hashes[line] & np.uint64(slots - 1))
            while filled[slot] == text and keys[slot] != hashes[line]:
                slot = (slot + 1) & (slots - 1)
            if filled[slot] == text:
                repeats[line] = True
            else:
                filled[slot] = text
                keys[slot] = hashes[line]


@kernel
def _count_lines(data: Bytes, text_offsets: Offsets, offsets: Offsets) -> None:
    for text in range(len(text_offsets) - 1):
        lines = 1
        for byte in data[text_offsets[text] : text_offsets[text + 1]]:
            lines += byte == _NEWLINE
        offsets[text + 1] = offsets[text] + lines


@kernel
def _place_lines(
    data: Bytes, text_offsets: Offsets, offsets: Offsets, starts: npt.NDArray[np.uint32], ends: npt.NDArray[np.uint32]
) -> None:
    for text in range(len(text_offsets) - 1):
        begin, end = text_offsets[text], text_offsets[text + 1]
        line = offsets[text]
        start = begin
        for place in range(begin, end):
            if data[place] == _NEWLINE:
                starts[line] = start - begin
                ends[line] = place - begin
                start = place + 1
                line += 1
        starts[line] = start - begin
        ends[line] = end - begin


@kernel
def _place_paragraphs(
    data: Bytes,
    text_offsets: Offsets,
    classes: npt.NDArray[np.uint8],
    offsets: Offsets,
    starts: npt.NDArray[np.uint32],
    ends: npt.NDArray[np.uint32],
) -> int:
    """Fill bounds of paragraphs; return their number."""
    found = 0
    for text in range(len(text_offsets) - 1):
        begin = text_offsets[text]
        start, end = strip(data, begin, text_offsets[text + 1], classes)
        place = start
        while place < end:
            if data[place] == _NEWLINE and data[place + 1] == _NEWLINE:  # the last byte is not space
                starts[found] = start - begin
                ends[found] = place - begin
                found += 1
                while data[place] == _NEWLINE:
                    place += 1
                start = place
            else:
                place += 1
        starts[found] = start - begin
        ends[found] = end - begin
        found += 1
        offsets[text + 1] = found
    return found


@kernel
def strip(data: Bytes, start: int, end: int, classes: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """Return the bounds of data[start:end] without the space at both ends; (end, end) where it is all space."""
    while start < end:
        point, size = decode(data, start, end)
        if classes[point] != SPACE:
            break
        start += size
    while end > start:
        last = end - 1
        while last > start and data[last] & 0xC0 == 0x80:
            last -= 1
        point, size = decode(data, last, end)
        if classes[point] != SPACE or last + size != end:
            break
        end = last
    return start, end


@kernel
def _describe(
    data: Bytes,
    text_offsets: Offsets,
    classes: npt.NDArray[np.uint8],
    offsets: Offsets,
    starts: npt.NDArray[np.uint32],
    ends: npt.NDArray[np.uint32],
    visible_starts: npt.NDArray[np.uint32],
    visible_ends: npt.NDArray[np.uint32],
    characters: npt.NDArray[np.uint32],
    hashes: npt.NDArray[np.uint64],
) -> None:
    """Fill what is known of each piece besides its bounds."""
    for text in range(len(text_offsets) - 1):
        begin = text_offsets[text]
        for line in range(offsets[text], offsets[text + 1]):
            start, end = begin + np.int64(starts[line]), begin + np.int64(ends[line])
            visible_start, visible_end = strip(data, start, end, classes)
            visible_starts[line] = visible_start - begin
            visible_ends[line] = visible_end - begin
            value = np.uint64(0)
            count = 0
            for byte in data[start:end]:
                value = extend_hash(value, byte)
                count += (byte & 0xC0) != 0x80
            characters[line] = count
            hashes[line] = mixed(value)

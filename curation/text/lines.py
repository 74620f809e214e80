"""The lines and paragraphs of a batch of texts, found once and shared by every filter.

    line        the text between newlines (\\n) or the ends of the text, including empty lines: as `text.split("\\n")`
    paragraph   the text between runs of two or more newlines of the stripped text: as `re.split("\\n{2,}", text.strip())`

So every text has at least one line and one paragraph (empty if the text is), and one newline fewer than it has lines.

Each line and paragraph has a 64-bit hash of its bytes; two with equal hashes count as equal. A paragraph is a run of lines, and its
hash is computed from theirs; bytes are read again only if the text begins or ends with space.

Invariant: a text's pieces do not depend on its neighbours in the batch; positions count bytes from the text's own start (below 4 GiB).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from curation.arrays import Array, Bytes, Flags, Hashes, Integers, Unsigned32
from curation.text.column import Offsets, TextColumn, offsets_of
from curation.text.kernels import kernel
from curation.text.simd import BLOCK, copy_block, lowest_bit, mask_of
from curation.text.unicode_classes import SPACE, character_classes, decode_character
from curation.text.words import hash_bytes, mix_bits

NEWLINE = 0x0A
_RUN = np.uint64(0xD1342543DE82EF95)


@dataclass(frozen=True, eq=False)
class PieceBounds:
    """The m pieces of n texts: text i has pieces offsets[i] to offsets[i + 1]."""

    offsets: Offsets
    """n + 1 positions in the arrays below (int64)."""
    starts: Unsigned32
    """First byte of each piece, counted from the start of its text."""
    ends: Unsigned32
    """The byte after each piece (its newline, where it has one), counted likewise."""

    @property
    def counts(self) -> Integers:
        """Number of pieces in each text."""
        return np.diff(self.offsets)

    def sums(self, values: Array) -> Integers:
        """Return for each text the sum of a value over its pieces."""
        before = offsets_of(values)
        sums: Integers = before[self.offsets[1:]] - before[self.offsets[:-1]]
        return sums


@dataclass(frozen=True, eq=False)
class VisibleBounds(PieceBounds):
    """Pieces, with the bounds of their visible text."""

    visible_starts: Unsigned32
    """First byte that is not space; equal to `visible_ends` in a blank piece."""
    visible_ends: Unsigned32
    """The byte after the last character that is not space."""


@dataclass(frozen=True, eq=False)
class Paragraphs(PieceBounds):
    """Paragraphs, with their hashes and lengths."""

    characters: Unsigned32
    """Code points in each paragraph."""
    hashes: Hashes
    """Hash of each paragraph's bytes."""


@dataclass(frozen=True, eq=False)
class Lines(VisibleBounds, Paragraphs):
    """Lines: pieces with the bounds of their visible text, their hashes and lengths."""

    @property
    def text_characters(self) -> Integers:
        """Code points in each text, newlines included."""
        return self.sums(self.characters) + self.counts - 1

    @property
    def blank(self) -> Flags:
        """Whether each line is empty or only space."""
        blank: Flags = self.visible_starts == self.visible_ends
        return blank


class RepeatedPieces(NamedTuple):
    """Counts of repetitions within each of n texts (int64)."""

    among: Integers
    """Lines that were compared."""
    repeated: Integers
    """Lines equal to an earlier one: of three equal lines, two."""
    characters: Integers
    """Characters of the repeated lines."""


def repeated_pieces(lines: Paragraphs, taking_part: Flags) -> RepeatedPieces:
    """Count the lines (or paragraphs) of each text that repeat an earlier one, among those marked in `taking_part`."""
    repeats = np.zeros(len(lines.hashes), np.bool_)
    _mark_repeats(lines.offsets, lines.hashes, taking_part, int(lines.counts.max(initial=0)), repeats)
    return RepeatedPieces(lines.sums(taking_part), lines.sums(repeats), lines.sums(np.where(repeats, lines.characters, 0)))


def find_lines(column: TextColumn) -> Lines:
    """Find the lines of every text of a column."""
    offsets = np.zeros(len(column) + 1, np.int64)
    _count_lines(column.data, column.offsets, offsets)
    starts, ends, visible_starts, visible_ends, characters = (np.empty(offsets[-1], np.uint32) for _ in range(5))
    hashes = np.empty(offsets[-1], np.uint64)
    _place_lines(column.data, column.offsets, offsets, starts, ends)
    _describe(column.data, column.offsets, character_classes(), offsets, starts, ends, visible_starts, visible_ends, characters, hashes)
    return Lines(
        offsets=offsets,
        starts=starts,
        ends=ends,
        characters=characters,
        hashes=hashes,
        visible_starts=visible_starts,
        visible_ends=visible_ends,
    )


def find_paragraphs(column: TextColumn, lines: Lines) -> Paragraphs:
    """Find the paragraphs of every text of a column, from its lines."""
    offsets = np.zeros(len(column) + 1, np.int64)
    starts, ends, characters = (np.empty(len(lines.starts), np.uint32) for _ in range(3))
    hashes = np.empty(len(lines.starts), np.uint64)
    of_lines = (lines.offsets, lines.starts, lines.ends, lines.visible_starts, lines.visible_ends, lines.characters, lines.hashes)
    found = _join_lines(column.data, column.offsets, *of_lines, offsets, starts, ends, characters, hashes)
    return Paragraphs(offsets, starts[:found], ends[:found], characters[:found], hashes[:found])


@kernel
def _mark_repeats(offsets: Offsets, hashes: Hashes, taking_part: Flags, longest: int, repeats: Flags) -> None:
    """Mark each line whose hash occurred before in its text."""
    slots = 64
    while slots < 2 * longest:
        slots *= 2
    keys = np.empty(slots, np.uint64)
    filled = np.empty(slots, np.int64)  # the text that last filled each slot, so that slots need no clearing
    for free in range(slots):
        filled[free] = -1
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
            lines += byte == NEWLINE
        offsets[text + 1] = offsets[text] + lines


@kernel
def _place_lines(data: Bytes, text_offsets: Offsets, offsets: Offsets, starts: Unsigned32, ends: Unsigned32) -> None:
    spare = np.zeros(BLOCK, np.uint8)
    for text in range(len(text_offsets) - 1):
        begin, end = text_offsets[text], text_offsets[text + 1]
        line = offsets[text]
        starts[line] = 0
        for place in range(begin, end, BLOCK):
            if place + BLOCK <= len(data):
                newlines = mask_of(data, place, NEWLINE)
            else:
                copy_block(data, place, end, spare)
                newlines = mask_of(spare, 0, NEWLINE)
            while newlines != np.uint64(0):
                at = place + lowest_bit(newlines)
                newlines &= newlines - np.uint64(1)
                if at >= end:
                    break
                ends[line] = at - begin
                line += 1
                starts[line] = at - begin + 1
        ends[line] = end - begin


@kernel
def strip(data: Bytes, start: int, end: int, classes: Bytes) -> tuple[int, int]:
    """Return the bounds of data[start:end] without surrounding space; (end, end) if it is all space."""
    while start < end:
        point, size = decode_character(data, start, end)
        if classes[point] != SPACE:
            break
        start += size
    while end > start:
        last = end - 1
        while last > start and data[last] & 0xC0 == 0x80:
            last -= 1
        point, size = decode_character(data, last, end)
        if classes[point] != SPACE or last + size != end:
            break
        end = last
    return start, end


@kernel
def _describe(
    data: Bytes,
    text_offsets: Offsets,
    classes: Bytes,
    offsets: Offsets,
    starts: Unsigned32,
    ends: Unsigned32,
    visible_starts: Unsigned32,
    visible_ends: Unsigned32,
    characters: Unsigned32,
    hashes: Hashes,
) -> None:
    """Fill the columns of each line besides its bounds."""
    for text in range(len(text_offsets) - 1):
        begin = text_offsets[text]
        for line in range(offsets[text], offsets[text + 1]):
            start, end = begin + np.int64(starts[line]), begin + np.int64(ends[line])
            visible_start, visible_end = strip(data, start, end, classes)
            visible_starts[line] = visible_start - begin
            visible_ends[line] = visible_end - begin
            hashes[line], characters[line] = hash_bytes(data, start, end)


@kernel
def _join_lines(
    data: Bytes,
    text_offsets: Offsets,
    line_offsets: Offsets,
    line_starts: Unsigned32,
    line_ends: Unsigned32,
    visible_starts: Unsigned32,
    visible_ends: Unsigned32,
    line_characters: Unsigned32,
    line_hashes: Hashes,
    offsets: Offsets,
    starts: Unsigned32,
    ends: Unsigned32,
    characters: Unsigned32,
    hashes: Hashes,
) -> int:
    """Fill the columns of paragraphs; return their number. A text that is all space has one empty paragraph, at its end."""
    found = 0
    for text in range(len(text_offsets) - 1):
        begin = text_offsets[text]
        first, last = line_offsets[text], line_offsets[text + 1] - 1
        while first <= last and visible_starts[first] == visible_ends[first]:
            first += 1
        while last > first and visible_starts[last] == visible_ends[last]:
            last -= 1
        if first > last:
            starts[found] = ends[found] = text_offsets[text + 1] - begin
            hashes[found], characters[found] = hash_bytes(data, text_offsets[text + 1], text_offsets[text + 1])
            found += 1
            offsets[text + 1] = found
            continue
        starts[found] = visible_starts[first]
        value, count = np.uint64(0), np.int64(0)
        for line in range(first, last + 1):
            start = visible_starts[line] if line == first else line_starts[line]
            end = visible_ends[line] if line == last else line_ends[line]
            if start == end:
                if line_ends[line - 1] > line_starts[line - 1]:  # the paragraph ends here, and more empty lines may follow
                    ends[found] = line_ends[line - 1]
                    hashes[found], characters[found] = mix_bits(value), count - 1
                    found += 1
                    value, count = np.uint64(0), np.int64(0)
                starts[found] = line_ends[line] + 1
                continue
            if start == line_starts[line] and end == line_ends[line]:
                value = (value + line_hashes[line]) * _RUN
                count += np.int64(line_characters[line]) + 1
            else:
                own, length = hash_bytes(data, begin + np.int64(start), begin + np.int64(end))
                value = (value + own) * _RUN
                count += length + 1
        ends[found] = visible_ends[last]
        hashes[found], characters[found] = mix_bits(value), count - 1
        found += 1
        offsets[text + 1] = found
    return found

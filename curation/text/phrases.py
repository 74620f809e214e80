"""Searching for many phrases at once: one automaton over bytes, whatever the number of phrases.

Source: Aho and Corasick, "Efficient String Matching: An Aid to Bibliographic Search", Communications of the ACM 18(6), 1975. A state is the
longest prefix of any phrase that ends the bytes read so far. All transitions are precomputed, so reading a byte is one table look-up; bytes
that occur in no phrase share a column of the table.

Phrases are in lower case, and the letters A to Z of a text match in either case. Other letters match exactly: `lower_cased` first converts
a text to lower case, as `str.lower` does.

Invariant: a phrase is found wherever its characters are, and nowhere else: UTF-8 is self-synchronizing, so no match begins or ends inside a
character.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from curation.arrays import Bytes, Flags, Integers, Integers32
from curation.text.column import Offsets, TextColumn, rewritten
from curation.text.kernels import kernel
from curation.text.simd import BLOCK, mask_of_three
from curation.text.unicode_classes import LETTER, NUMBER, SOLITARY, character_classes, decode_character

_CASED = range(0x80, 0x1E944)
"""The range of letters with a lower case, besides A to Z."""


class Phrases(NamedTuple):
    """The automaton of p phrases. A state is named by the position of its row in `moves`; state 0 has matched nothing."""

    columns: Bytes
    """The column of each byte (256)."""
    moves: Integers32
    """The next state, at state + column; all arrays below have the same length, and are read only at states."""
    ending: Integers32
    """The number of the phrase that is exactly the prefix of each state, or -1."""
    longest: Integers32
    """The state whose `ending` is the longest phrase that ends in each state, or 0."""
    shorter: Integers32
    """The state for the next shorter such phrase, or 0."""
    lengths: Integers
    """Bytes of each phrase (p)."""

    @classmethod
    def of(cls, phrases: Sequence[str]) -> "Phrases":
        """Build the automaton of distinct, non-empty phrases in lower case."""
        encoded = [phrase.encode() for phrase in phrases]
        held = sorted({byte for phrase in encoded for byte in phrase})
        width = len(held) + 1
        columns = np.zeros(256, np.uint8)
        columns[held] = range(1, width)
        for letter in range(ord("a"), ord("z") + 1):
            columns[letter - 0x20] = columns[letter]
        children: list[dict[int, int]] = [{}]
        ends: dict[int, int] = {}
        for number, phrase in enumerate(encoded):
            state = 0
            for byte in phrase:
                state = children[state // width].setdefault(int(columns[byte]), len(children) * width)
                if state == len(children) * width:
                    children.append({})
            ends[state] = number
        moves, shorter = (np.zeros(len(children) * width, np.int32) for _ in range(2))
        ending = np.full(len(moves), -1, np.int32)
        ending[list(ends)] = list(ends.values())
        fallback = dict.fromkeys(range(0, len(moves), width), 0)  # the longest other state that is a suffix of each state
        waiting = deque([0])
        while waiting:
            state = waiting.popleft()
            behind = fallback[state]
            moves[state : state + width] = moves[behind : behind + width]
            shorter[state] = behind if behind in ends else shorter[behind]
            for column, child in children[state // width].items():
                fallback[child] = int(moves[state + column])
                moves[state + column] = child
                waiting.append(child)
        longest = np.where(ending >= 0, np.arange(len(moves), dtype=np.int32), shorter)
        return cls(columns, moves, ending, longest, shorter, np.array([len(phrase) for phrase in encoded], np.int64))

    def flags(self, bits: Sequence[int]) -> Bytes:
        """Return for each state the bits (one number per phrase) of all phrases that end there, combined by "or"."""
        flags = np.zeros(len(self.moves), np.uint8)
        for state in np.flatnonzero(self.longest).tolist():
            at = int(self.longest[state])
            while at:
                flags[state] |= bits[self.ending[at]]
                at = int(self.shorter[at])
        return flags

    def find(self, column: TextColumn, flanked: bool = False, near: bytes = b"") -> "PhraseHits":
        """Search every text; `flanked` counts only phrases that touch no letter, number or underscore (like `\\W` in a pattern).

        `near` is three lower-case letters that occur in every phrase; texts without them are skipped quickly.
        """
        hits, first = np.zeros(len(column), np.int32), np.full(len(column), -1, np.int32)
        looked_at = np.ones(len(column), np.bool_)
        if near:
            _mark_near(column.data, column.offsets, near[0], near[1], near[2], looked_at)
        _find(column.data, column.offsets, self, character_classes(), flanked, looked_at, hits, first)
        return PhraseHits(hits, first)


@dataclass(frozen=True, eq=False)
class PhraseHits:
    """The matches in each of n texts."""

    hits: Integers32
    """Number of occurrences; overlapping and nested ones count too."""
    first: Integers32
    """Number of the phrase that begins first, the longest of several; -1 if there is none."""


def lower_cased(column: TextColumn) -> TextColumn:
    """Return the column in lower case. A text stays unchanged if its only capitals are A to Z, which match in either case."""
    cased = np.zeros(len(column), np.bool_)
    _mark_cased(column.data, column.offsets, _has_lower_case(), cased)
    return rewritten(column, {text: column.string(text).lower().encode() for text in np.flatnonzero(cased).tolist()})


@lru_cache(maxsize=1)
def _has_lower_case() -> Flags:
    """Return for each code point below 0x1E944 whether `str.lower` changes it, except A to Z."""
    return np.array([point in _CASED and chr(point).lower() != chr(point) for point in range(_CASED.stop)])


@kernel
def _mark_cased(data: Bytes, offsets: Offsets, cased: Flags, texts: Flags) -> None:
    """Mark the texts that contain a character of `cased`."""
    for text in range(len(offsets) - 1):
        place, end = offsets[text], offsets[text + 1]
        while place < end:
            if data[place] < 0x80:
                place += 1
                continue
            point, size = decode_character(data, place, end)
            if point < len(cased) and cased[point]:
                texts[text] = True
                break
            place += size


@kernel
def _mark_near(data: Bytes, offsets: Offsets, one: int, two: int, three: int, found: Flags) -> None:
    """Mark each text in which the three letters occur, in either case, or may occur because it ends at the end of the data."""
    for text in range(len(offsets) - 1):
        seen = np.uint64(0)
        if offsets[text + 1] + BLOCK + 2 <= len(data):
            for place in range(offsets[text], offsets[text + 1], BLOCK):
                seen |= mask_of_three(data, place, one, two, three)
            found[text] = seen != np.uint64(0)


@kernel
def _find(
    data: Bytes, offsets: Offsets, phrases: Phrases, classes: Bytes, flanked: bool, looked_at: Flags, hits: Integers32, first: Integers32
) -> None:
    """Fill `hits` and `first` for each text in `looked_at`."""
    columns, moves, ending, longest, shorter, lengths = phrases
    for text in range(len(offsets) - 1):
        begin, end = offsets[text], offsets[text + 1]
        if not looked_at[text]:
            continue
        first_start = first_length = np.int64(0)
        state = np.int64(0)
        for place in range(begin, end):
            state = np.int64(moves[state + columns[data[place]]])
            at = np.int64(longest[state])
            while at:
                length = lengths[ending[at]]
                start = place + 1 - length
                if not flanked or not (
                    _is_word(data, _before(data, start, begin), start, classes) or _is_word(data, place + 1, end, classes)
                ):
                    hits[text] += 1
                    if first[text] < 0 or start < first_start or (start == first_start and length > first_length):
                        first[text] = ending[at]
                        first_start, first_length = start, length
                at = np.int64(shorter[at])


@kernel
def _before(data: Bytes, place: int, begin: int) -> int:
    """Return where the character before `place` begins; `begin` at the start of the text."""
    if place > begin:
        place -= 1
        while place > begin and data[place] & 0xC0 == 0x80:
            place -= 1
    return place


@kernel
def _is_word(data: Bytes, place: int, end: int, classes: Bytes) -> bool:
    """Return whether a letter, a number or an underscore begins at `place`; false at the end."""
    if place >= end:
        return False
    point, _ = decode_character(data, place, end)
    return point == 0x5F or classes[point] in (LETTER, NUMBER, SOLITARY)

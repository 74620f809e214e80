"""The words of a batch of texts, found in one pass over its bytes and shared by every filter.

What a word is, for every filter (classes from `curation.unicode_classes`):

    word        a maximal run of letters, numbers and the marks upon them. An apostrophe (' or ’) between a letter or number and another
                belongs to it ("don't"), and so do a point and a comma between two numbers ("1,024.5"). A letter of a script that is written
                without spaces (Han, Kana, Thai, Lao, Khmer, Burmese) is, with its marks, a word by itself.
    symbol      every other character that is not space, with its marks, is a token by itself; but a run of points or of hyphens is one
                ("...", "-----").

The tokens of a text are its words and symbols in order. The published ratios need both: the tokens of datatrove, whose thresholds we use,
come from spaCy and include punctuation. Where spaCy's English tokens differ: it splits "don't" into "do" and "n't", and keeps an
abbreviation with its points, a URL and an e-mail address whole.

Each token has a 64-bit hash of its code points, h -> (h + point + 1) * B modulo 2^64, then mixed. Two tokens are held to be equal where
their hashes are: among 10^6 different words of a batch, a pair is confused with probability 3 * 10^-8.

Invariants
    - A text's tokens do not depend on its neighbours in the batch; positions count bytes from the text's own start (below 4 GiB).
    - The text `"".join(tokens)` is the text without its spaces: no character is lost, none is counted twice.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.jit import inline_kernel, kernel
from curation.text import Bytes, Offsets, TextColumn
from curation.unicode_classes import LETTER, MARK, NUMBER, SOLITARY, SPACE, character_classes, decode, folded_forms

WORD = 1
"""The bit of `Words.kinds` that tells a word from a symbol."""
ALPHABETIC = 2
"""The bit of `Words.kinds` that tells that a word holds a letter."""

_BASE = np.uint64(0x9E6C63D0876A9A47)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_POINT, _HYPHEN, _COMMA, _APOSTROPHE, _TYPOGRAPHIC_APOSTROPHE = 0x2E, 0x2D, 0x2C, 0x27, 0x2019


@dataclass(frozen=True, eq=False)
class Words:
    """The m tokens of n texts: text i has tokens offsets[i] to offsets[i + 1]."""

    data: Bytes
    text_offsets: Offsets
    offsets: Offsets
    """n + 1 places in the arrays below (int64)."""
    starts: npt.NDArray[np.uint32]
    """First byte of each token, counted from the start of its text."""
    ends: npt.NDArray[np.uint32]
    """The byte after each token, counted likewise."""
    characters: npt.NDArray[np.uint32]
    """Code points in each token."""
    hashes: npt.NDArray[np.uint64]
    """Hash of each token as it is written."""
    kinds: npt.NDArray[np.uint8]
    """0 for a symbol, WORD for a word, WORD | ALPHABETIC for a word that holds a letter."""

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Tokens in each text."""
        return np.diff(self.offsets)

    @cached_property
    def folded(self) -> npt.NDArray[np.uint64]:
        """Hash of each token's folded form, found when asked for: the same whatever its case, accents, ligatures, width and apostrophes."""
        hashes = np.empty(len(self.hashes), np.uint64)
        _fold_words(self.data, self.text_offsets, self.offsets, self.starts, self.ends, folded_forms(), hashes)
        return hashes

    def strings(self, index: int) -> list[str]:
        """Return the tokens of text `index` as Python strings (tests, small inputs)."""
        start = self.text_offsets[index]
        bounds = range(self.offsets[index], self.offsets[index + 1])
        return [self.data[start + self.starts[i] : start + self.ends[i]].tobytes().decode("utf-8", "replace") for i in bounds]


def find_words(column: TextColumn) -> Words:
    """Find the words and symbols of every text of a column."""
    capacity = int(column.offsets[-1] - column.offsets[0])  # a token has at least one byte; pages never written to cost nothing
    offsets = np.zeros(len(column) + 1, np.int64)
    starts, ends, characters = (np.empty(capacity, np.uint32) for _ in range(3))
    hashes = np.empty(capacity, np.uint64)
    kinds = np.empty(capacity, np.uint8)
    found = _scan_words(column.data, column.offsets, character_classes(), offsets, starts, ends, characters, hashes, kinds)
    return Words(column.data, column.offsets, offsets, starts[:found], ends[:found], characters[:found], hashes[:found], kinds[:found])


@inline_kernel
def extend_hash(value: Any, point: Any) -> Any:
    """Return the unmixed hash (uint64) of a word, one code point longer."""
    return (value + (np.uint64(point) + np.uint64(1))) * _BASE


@inline_kernel
def mixed(value: Any) -> Any:
    """Return a uint64 whose every bit depends on every bit of value."""
    value = (value ^ (value >> np.uint64(32))) * _MIX
    return value ^ (value >> np.uint64(32))


@kernel
def _scan_words(
    data: Bytes,
    offsets: Offsets,
    classes: npt.NDArray[np.uint8],
    found_offsets: Offsets,
    starts: npt.NDArray[np.uint32],
    ends: npt.NDArray[np.uint32],
    characters: npt.NDArray[np.uint32],
    hashes: npt.NDArray[np.uint64],
    kinds: npt.NDArray[np.uint8],
) -> int:
    """Fill the arrays of Words; return the number of tokens."""
    found = 0
    for text in range(len(offsets) - 1):
        begin, end = offsets[text], offsets[text + 1]
        place = begin
        while place < end:
            point, size = decode(data, place, end)
            group = classes[point]
            if group == SPACE:
                place += size
                continue
            start = place
            count = 1
            value = extend_hash(np.uint64(0), point)
            place += size
            kind = 0
            if group in (LETTER, NUMBER):
                kind = WORD | ALPHABETIC if group == LETTER else WORD
                while place < end:
                    point, size = decode(data, place, end)
                    following = classes[point]
                    if following in (LETTER, NUMBER):
                        group = following
                        if group == LETTER:
                            kind = WORD | ALPHABETIC
                    elif following != MARK:
                        apostrophe = point in (_APOSTROPHE, _TYPOGRAPHIC_APOSTROPHE)
                        if not apostrophe and (group != NUMBER or point not in (_POINT, _COMMA)):
                            break
                        if place + size >= end:
                            break
                        after = classes[decode(data, place + size, end)[0]]
                        if after != NUMBER and (after != LETTER or not apostrophe):
                            break
                    value = extend_hash(value, point)
                    count += 1
                    place += size
            else:
                if group == SOLITARY:
                    kind = WORD | ALPHABETIC
                repeated = point if point in (_POINT, _HYPHEN) else -1
                while place < end:
                    point, size = decode(data, place, end)
                    if point != repeated and classes[point] != MARK:
                        break
                    value = extend_hash(value, point)
                    count += 1
                    place += size
            starts[found] = start - begin
            ends[found] = place - begin
            characters[found] = count
            hashes[found] = mixed(value)
            kinds[found] = kind
            found += 1
        found_offsets[text + 1] = found
    return found


@kernel
def _fold_words(
    data: Bytes,
    text_offsets: Offsets,
    offsets: Offsets,
    starts: npt.NDArray[np.uint32],
    ends: npt.NDArray[np.uint32],
    forms: npt.NDArray[np.uint64],
    hashes: npt.NDArray[np.uint64],
) -> None:
    """Fill `hashes` with the hash of each token's folded form."""
    slot = np.uint64(0x1FFFFF)
    for text in range(len(offsets) - 1):
        begin = text_offsets[text]
        for word in range(offsets[text], offsets[text + 1]):
            place = begin + np.int64(starts[word])
            end = begin + np.int64(ends[word])
            value = np.uint64(0)
            while place < end:
                point, size = decode(data, place, end)
                place += size
                form = forms[point] if point < len(forms) else np.uint64(point)
                while form != 0:
                    value = extend_hash(value, form & slot)
                    form >>= np.uint64(21)
            hashes[word] = mixed(value)

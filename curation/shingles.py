"""Shingles: a text as the set of its word n-grams, each a 64-bit hash (Broder 1997, "On the resemblance and containment of documents").

Two texts are compared by their words alone. A word is a run of letters, numbers and the marks upon them; a letter of a script that is
written without spaces (Han, Kana, Thai, ...) is a word by itself. Words are folded (`curation.unicode_classes`): case, accents, ligatures
and full-width forms make no difference, and neither does what stands between words. All tables are Unicode's, in every script.

    word        h -> rotate(h, 9) + value(code point), modulo 2^64
    shingle     the sum of its n word hashes, each times its place's odd factor, modulo 2^64; MinHash reads the upper 32 bits
    text hash   128 bits over the sequence of all words: equal where the normalised texts are equal

A text of fewer than n words has one shingle, of all its words. A text without any word (a rule of dashes, a picture made of symbols) has
one, the hash of its bytes: such texts are alike only where they are equal.

Collisions: for two given texts that differ, the text hash agrees with a chance of about 2^-64 where they differ in one word and 2^-128
otherwise; of the 10^4 shingles of a long text, two agree by chance once in 10^11 texts. The hashes resist accident, not attack.

How it is fast. The loop over ASCII bytes has no branch to mispredict: each byte looks up a value that is zero between words, the word hash
is stored always, and the place it is stored at moves on when a word has just ended. Other characters are decoded.

Invariant: shingles depend on the text's own bytes and on n, not on the batch, the machine or the process.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from curation.jit import inline_kernel, kernel
from curation.text import Bytes, Offsets, TextColumn
from curation.unicode_classes import LETTER, MARK, NUMBER, SOLITARY, character_classes, decode, folded_forms

Hashes = npt.NDArray[np.uint64]

_ASCII_END = 0x80
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_TEXT_1 = np.uint64(0xD6E8FEB86659FD93)
_TEXT_2 = np.uint64(0xA0761D6478BD642F)


@dataclass(frozen=True, eq=False)
class Shingles:
    """The shingles of n texts: text i has hashes[offsets[i]:offsets[i + 1]], in the order of the text, repeated ones included."""

    offsets: Offsets
    hashes: Hashes


@inline_kernel
def spread(value: np.uint64) -> np.uint64:
    """Return a 64-bit number with every bit depending on every bit of value (the SplitMix64 finalizer; a bijection)."""
    value = (value ^ (value >> np.uint64(30))) * _MIX_1
    value = (value ^ (value >> np.uint64(27))) * _MIX_2
    return value ^ (value >> np.uint64(31))


@kernel
def spread_all(values: npt.NDArray[np.int64]) -> Hashes:
    """Return `spread` of every value."""
    spreads = np.empty(len(values), np.uint64)
    for at in range(len(values)):
        spreads[at] = spread(np.uint64(values[at]))
    return spreads


class Alphabet(NamedTuple):
    """The tables that kernels read: what each ASCII byte adds to a word (0: it ends one), and class and folded form of all characters."""

    ascii: Hashes
    classes: npt.NDArray[np.uint8]
    forms: Hashes


def alphabet() -> Alphabet:
    """Return the tables of all characters."""
    values = np.zeros(_ASCII_END, np.uint64)
    classes, forms = character_classes(), folded_forms()
    for byte in range(_ASCII_END):
        if classes[byte] in (LETTER, NUMBER):
            values[byte] = _value_of(forms[byte])
    return Alphabet(values, classes, forms)


@kernel
def _value_of(point: np.uint64) -> np.uint64:
    """Return what a code point adds to the hash of its word."""
    return spread((point + np.uint64(1)) * _GOLDEN)


@inline_kernel
def _extended(word: np.uint64, value: np.uint64) -> np.uint64:
    return ((word << np.uint64(9)) | (word >> np.uint64(55))) + value


@kernel
def hash_words(data: Bytes, place: int, end: int, alphabet: Alphabet, words: Hashes) -> np.int64:
    """Write the hash of each word of data[place:end] and return how many there are, at least one (see above for a text without words).

    `words` must hold (end - place) // 2 + 2 entries.
    """
    begin = place
    word = np.uint64(0)
    within = np.int64(0)
    found = np.int64(0)
    while place < end:
        byte = data[place]
        if byte < _ASCII_END:
            value = alphabet.ascii[byte]
            continues = np.int64(value != np.uint64(0))
            words[found] = word
            found += within & (1 - continues)
            within = continues
            word = _extended(word, value) if continues else np.uint64(0)
            place += 1
        else:
            place, found, word = _hash_character(data, place, end, alphabet, words, found, word)
            within = np.int64(word != np.uint64(0))
    words[found] = word
    found += within
    if found == 0:
        words[0] = _hash_bytes(data, begin, end)
        found = np.int64(1)
    return found


@kernel
def _hash_character(
    data: Bytes, place: int, end: int, alphabet: Alphabet, words: Hashes, found: np.int64, word: np.uint64
) -> tuple[int, np.int64, np.uint64]:
    """Take a character that is not ASCII; return the place after it, how many words have ended, and the hash of the one under way, or 0."""
    point, size = decode(data, place, end)
    place += size
    group = alphabet.classes[point]
    if group in (LETTER, NUMBER, MARK):
        return place, found, _with_folded(word, point, alphabet.forms)
    words[found] = word
    found += np.int64(word != np.uint64(0))
    if group != SOLITARY:
        return place, found, np.uint64(0)
    word = _with_folded(np.uint64(0), point, alphabet.forms)
    while place < end:
        point, size = decode(data, place, end)
        if alphabet.classes[point] != MARK:
            break
        word = _with_folded(word, point, alphabet.forms)
        place += size
    words[found] = word
    return place, found + np.int64(1), np.uint64(0)


@kernel
def _with_folded(word: np.uint64, point: int, forms: Hashes) -> np.uint64:
    """Return the hash of a word, longer by the folded form of a character (which may be nothing)."""
    form = forms[point] if point < len(forms) else np.uint64(point)
    while form != np.uint64(0):
        word = _extended(word, _value_of(form & np.uint64(0x1FFFFF)))
        form >>= np.uint64(21)
    return word


@kernel
def _hash_bytes(data: Bytes, place: int, end: int) -> np.uint64:
    value = _GOLDEN
    for at in range(place, end):
        value = spread(value ^ np.uint64(data[at])) + _GOLDEN
    return value


@kernel
def combine_words(words: Hashes, count: np.int64, ngram: int, shingles: Hashes) -> int:
    """Write the shingle hashes of a text of `count` >= 1 words and return how many there are."""
    size = min(ngram, int(count))
    total = int(count) - size + 1
    factor = _GOLDEN
    for at in range(total):
        shingles[at] = words[at] * factor
    for place in range(1, size):
        factor *= _GOLDEN
        for at in range(total):
            shingles[at] += words[at + place] * factor
    return total


@kernel
def hash_sequence(words: Hashes, count: np.int64) -> tuple[np.uint64, np.uint64]:
    """Return the two halves of the text hash: two polynomials over the word hashes, mixed with their number."""
    first, second = np.uint64(count), np.uint64(count)
    for at in range(count):
        first = (first ^ words[at]) * _TEXT_1
        second = (second + words[at]) * _TEXT_2
    return spread(first), spread(second)


def longest_text(text: TextColumn) -> int:
    """Return the bytes of the longest text of a column."""
    return int(text.lengths.max(initial=0))


def shingle(text: TextColumn, ngram: int = 5) -> Shingles:
    """Return the shingles of every text."""
    capacity = int((text.lengths // 2 + 1).sum())
    offsets, hashes = np.zeros(len(text) + 1, np.int64), np.empty(capacity, np.uint64)
    words = np.empty(longest_text(text) // 2 + 2, np.uint64)
    _shingle_all(text.data, text.offsets, alphabet(), ngram, words, offsets, hashes)
    return Shingles(offsets, hashes[: offsets[-1]])


@kernel
def _shingle_all(data: Bytes, bounds: Offsets, alphabet: Alphabet, ngram: int, words: Hashes, offsets: Offsets, hashes: Hashes) -> None:
    for text in range(len(bounds) - 1):
        count = hash_words(data, bounds[text], bounds[text + 1], alphabet, words)
        offsets[text + 1] = offsets[text] + combine_words(words, count, ngram, hashes[offsets[text] :])


def distinct(shingles: Shingles) -> Shingles:
    """Return the distinct shingles of every text, rising within it."""
    hashes = shingles.hashes.copy()
    for start, end in pairwise(shingles.offsets):
        hashes[start:end].sort()
    offsets = shingles.offsets.copy()
    _drop_repeated(offsets, hashes)
    return Shingles(offsets, hashes[: offsets[-1]])


@kernel
def _drop_repeated(offsets: Offsets, hashes: Hashes) -> None:
    """Close up the sorted hashes of each text to its distinct ones, and move the offsets with them."""
    kept = 0
    start = offsets[0]
    for text in range(len(offsets) - 1):
        end = offsets[text + 1]
        for at in range(start, end):
            if at == start or hashes[at] != hashes[at - 1]:
                hashes[kept] = hashes[at]
                kept += 1
        start = end
        offsets[text + 1] = kept

"""Shingles represent a text as the set of its word n-grams, each as a 64-bit hash (Broder 1997, "On the resemblance and containment of
documents").

Two texts are compared only by their words. A word is a run of letters, numbers and their combining marks; a letter of a script written
without spaces (Han, Kana, Thai, ...) is a word by itself, with its marks. Words are folded (`curation.text.unicode_classes`): case,
accents, ligatures, full-width forms and the characters between words make no difference. All tables come from Unicode and cover every
script.

    word        folded, as UTF-8, padded with blanks to a multiple of 16 bytes, eight at a time: h -> spread(h + bytes), modulo 2^64
    shingle     the sum of its n word hashes, each times the odd factor of its position, modulo 2^64; MinHash reads the upper 32 bits
    text hash   128 bits over the sequence of all words: equal if the normalised texts are equal

If the settings say so, n-grams of characters are used instead: the characters of the folded words, with one blank between words.

A text of fewer than n words has one shingle, made of all its words. A text without words (a rule of dashes, a picture made of symbols) has
one, the hash of its bytes, so two such texts match only if they are equal.

Collisions: the text hashes of two given different texts agree with a probability of about 2^-64 if the texts differ in one word, and 2^-128
otherwise; among the 10^4 shingles of a long text, two agree by chance once in 10^11 texts. The hashes resist accidents, not attacks.

How it is fast: the starts and ends of words are computed for 64 bytes at a time as bit masks (`curation.text.simd`), and only these
positions are visited. One OR folds an ASCII word, because it contains only letters and digits. Other characters are decoded.

Invariant: shingles depend on the text's own bytes and on the settings, not on the batch, the machine or the process.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from curation.arrays import Bytes, Hashes, Integers, Scalar
from curation.text.column import Offsets
from curation.text.kernels import inline_kernel, kernel
from curation.text.simd import BLOCK, copy_block, load_eight_bytes, load_part, lowest_bit, mask_between
from curation.text.text import Text
from curation.text.unicode_classes import LETTER, MARK, NUMBER, SOLITARY, character_classes, decode_character, folded_forms

_ASCII_END = 0x80
_SMALL = np.uint64(0x2020202020202020)
"""Eight blanks; as an OR mask it turns ASCII capitals into small letters and leaves digits unchanged."""
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_HIGH = np.uint64(0x8080808080808080)
_POINT = np.uint64(0x1FFFFF)
_BLANK = 0x20
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_TEXT_1 = np.uint64(0xD6E8FEB86659FD93)
_TEXT_2 = np.uint64(0xA0761D6478BD642F)


@dataclass(frozen=True, eq=False)
class Shingles:
    """The shingles of n texts: text i has hashes[offsets[i]:offsets[i + 1]], in text order, with repetitions."""

    offsets: Offsets
    hashes: Hashes


@inline_kernel
def spread(value: np.uint64) -> np.uint64:
    """Return a 64-bit number in which every bit depends on every bit of value (the SplitMix64 finalizer; a bijection)."""
    value = (value ^ (value >> np.uint64(30))) * _MIX_1
    value = (value ^ (value >> np.uint64(27))) * _MIX_2
    return value ^ (value >> np.uint64(31))


@kernel
def spread_all(values: Integers) -> Hashes:
    """Return `spread` of every value."""
    spreads = np.empty(len(values), np.uint64)
    for at in range(len(values)):
        spreads[at] = spread(np.uint64(values[at]))
    return spreads


class Alphabet(NamedTuple):
    """The tables that kernels read: class and folded form of every character."""

    classes: Bytes
    forms: Hashes


class Working(NamedTuple):
    """Working space for a block of bytes, and for the words of a block that are deferred: their numbers and bounds."""

    spare: Bytes
    odd_words: Integers
    odd_starts: Integers
    odd_ends: Integers


def working_space() -> Working:
    """Return working space for one thread."""
    return Working(np.zeros(BLOCK, np.uint8), *(np.empty(BLOCK + 1, np.int64) for _ in range(3)))


def alphabet() -> Alphabet:
    """Return the tables of all characters."""
    return Alphabet(character_classes(), folded_forms())


@kernel
def hash_words(data: Bytes, begin: int, end: int, alphabet: Alphabet, working: Working, words: Hashes) -> Scalar:
    """Write the hash of each word of data[begin:end]; return how many there are, at least one (see above for a text without words).

    `words` must hold (end - begin) // 2 + 2 entries. Long or non-ASCII words are deferred to the end of their block, so that the loop over
    words is short and has no branch.
    """
    none, one, last = np.uint64(0), np.uint64(1), np.uint64(BLOCK - 1)
    every = np.uint64(0xFFFFFFFFFFFFFFFF)
    classes, forms = alphabet
    odd_words, odd_starts, odd_ends = working.odd_words, working.odd_starts, working.odd_ends
    found = np.int64(0)
    start = np.int64(-1)  # start of the current word
    was_word, was_solitary, over_word, over_solitary, over = none, none, none, none, none
    for place in range(begin, end, BLOCK):
        valid = every if end - place >= BLOCK else (one << np.uint64(end - place)) - one
        if place + BLOCK <= len(data):
            word, others = _ascii_words(data, place)
        else:
            copy_block(data, place, end, working.spare)
            word, others = _ascii_words(working.spare, 0)
        word, others, solitary, following = (word & valid) | over_word, others & valid & ~over, over_solitary, over
        over_word, over_solitary, over = none, none, none
        while others != none:
            bit = lowest_bit(others)
            point, size = decode_character(data, place + bit, end)
            group = classes[point]
            first = one << np.uint64(bit)
            own = ((one << np.uint64(size)) - one) << np.uint64(bit)
            beyond = (one << np.uint64(bit + size - BLOCK)) - one if bit + size > BLOCK else none
            others &= ~own
            following |= own & ~first
            over = beyond
            if group == MARK:
                if (word << one | was_word) & first:
                    group = LETTER
                elif (solitary << one | was_solitary) & first:
                    group = SOLITARY
                    following |= first
            if group in (LETTER, NUMBER):
                word, over_word = word | own, beyond
            elif group == SOLITARY:
                solitary, over_solitary = solitary | own, beyond
        begins = (word & ~(word << one | was_word) & ~following) | (solitary & ~following)
        ends = ((word | solitary) << one | was_word | was_solitary) & (begins | ~(word | solitary))
        if start < 0 and begins != none:
            start = place + lowest_bit(begins)
            begins &= begins - one
        first_word, odd = found, np.int64(0)
        while ends != none:  # each word has one end; each but the block's last is followed by another start
            end_of_word = place + lowest_bit(ends)
            words[found], is_odd = _short_word_hash(data, start, end_of_word)
            odd_words[odd], odd_starts[odd], odd_ends[odd] = found, start, end_of_word
            odd += is_odd
            found += 1
            ends &= ends - one
            start = place + lowest_bit(begins) if begins != none else np.int64(-1)
            begins &= begins - one
        for index in range(odd):
            words[odd_words[index]] = _word_hash(data, odd_starts[index], odd_ends[index], forms)
        if odd > 0:
            found = _without_zeros(words, first_word, found)
        was_word, was_solitary = word >> last, solitary >> last
    if start >= 0:
        words[found] = _word_hash(data, start, end, forms)
        found += np.int64(words[found] != none)
    if found == 0:
        words[0] = _hash_bytes(data, begin, end)
        found = np.int64(1)
    return found


@inline_kernel
def _ascii_words(data: Bytes, place: int) -> tuple[Scalar, Scalar]:
    """Return which of 64 bytes are ASCII letters and digits, and which are not ASCII."""
    letters = mask_between(data, place, 0x61, 0x7A) | mask_between(data, place, 0x41, 0x5A)
    return letters | mask_between(data, place, 0x30, 0x39), mask_between(data, place, 0x80, 0xFF)


@inline_kernel
def _short_word_hash(data: Bytes, start: Scalar, end: Scalar) -> tuple[Scalar, Scalar]:
    """Return the hash of an ASCII word of at most 16 bytes; and 1 for any other word, whose hash this is not."""
    if start + 16 > len(data):
        return np.uint64(0), np.int64(1)
    size = end - start
    first, second = load_eight_bytes(data, start), load_eight_bytes(data, start + 8)
    half, more = np.uint64(4 * min(size, 8)), np.uint64(4 * max(size - 8, 0))  # a shift by 64 is undefined, so two shifts are used
    first &= ~((_ALL << half) << half)
    second &= ~((_ALL << more) << more)
    return spread(spread(first | _SMALL) + (second | _SMALL)), np.int64((size > 16) | ((first | second) & _HIGH != np.uint64(0)))


@kernel
def _word_hash(data: Bytes, start: Scalar, end: Scalar, forms: Hashes) -> Scalar:
    """Return the hash of any word; 0 if folding leaves nothing of it."""
    value, high = np.uint64(0), np.uint64(0)
    for place in range(start, start + ((end - start + 15) & ~15), 8):
        part = load_part(data, min(place, end), min(place + 8, end))
        high |= part
        value = spread(value + (part | _SMALL))
    return value if high & _HIGH == np.uint64(0) else _folded_hash(data, start, end, forms)


@kernel
def _without_zeros(words: Hashes, first: Scalar, found: Scalar) -> Scalar:
    """Remove the zeros from words[first:found]; return the new end."""
    kept = first
    for at in range(first, found):
        words[kept] = words[at]
        kept += np.int64(words[at] != np.uint64(0))
    return kept


@kernel
def _folded_hash(data: Bytes, place: int, end: int, forms: Hashes) -> Scalar:
    """Return the hash of a word that is not all ASCII."""
    value, part, filled = np.uint64(0), np.uint64(0), np.uint64(0)  # filled: number of bits in part
    parts = 0
    while place < end:
        point, size = decode_character(data, place, end)
        place += size
        form = forms[point] if point < len(forms) else np.uint64(point)
        while form != np.uint64(0):
            units, bits = _utf8(form & _POINT)
            if filled == np.uint64(64):
                value, part, filled, parts = spread(value + part), np.uint64(0), np.uint64(0), parts + 1
            part |= units << filled
            if filled + bits > np.uint64(64):
                value, part, parts = spread(value + part), units >> (np.uint64(64) - filled), parts + 1
                filled -= np.uint64(64)
            filled += bits
            form >>= np.uint64(21)
    if filled == np.uint64(0):
        return np.uint64(0)
    value = spread(value + (part | (_SMALL << filled if filled < np.uint64(64) else np.uint64(0))))
    return value if parts % 2 else spread(value + _SMALL)


@inline_kernel
def _utf8(point: Scalar) -> tuple[Scalar, Scalar]:
    """Return a code point (uint64) as UTF-8, first byte lowest, and its number of bits."""
    if point < np.uint64(0x80):
        return point, np.uint64(8)
    last = np.uint64(0x80) | (point & np.uint64(0x3F))
    if point < np.uint64(0x800):
        return np.uint64(0xC0) | point >> np.uint64(6) | last << np.uint64(8), np.uint64(16)
    middle = np.uint64(0x80) | (point >> np.uint64(6) & np.uint64(0x3F))
    if point < np.uint64(0x10000):
        return np.uint64(0xE0) | point >> np.uint64(12) | middle << np.uint64(8) | last << np.uint64(16), np.uint64(24)
    second = np.uint64(0x80) | (point >> np.uint64(12) & np.uint64(0x3F))
    first = np.uint64(0xF0) | point >> np.uint64(18)
    return first | second << np.uint64(8) | middle << np.uint64(16) | last << np.uint64(24), np.uint64(32)


@kernel
def hash_characters(data: Bytes, place: int, end: int, alphabet: Alphabet, values: Hashes) -> Scalar:
    """Write a hash for each character of the folded words of data[place:end], and for a blank between two words; return how many.

    There is at least one, as in `hash_words`. `values` must hold 2 * (end - place) + 2 entries.
    """
    begin = place
    found = np.int64(0)
    apart = False
    while place < end:
        point, size = decode_character(data, place, end)
        place += size
        group = alphabet.classes[point]
        if group not in (LETTER, NUMBER, SOLITARY) and (group != MARK or apart or found == 0):
            apart = True
            continue
        form = alphabet.forms[point] if point < len(alphabet.forms) else np.uint64(point)
        if apart and found > 0 and form != np.uint64(0):
            values[found] = spread(np.uint64(_BLANK))
            found += 1
        apart = apart and form == np.uint64(0)
        while form != np.uint64(0):
            values[found] = spread(form & _POINT)
            found += 1
            form >>= np.uint64(21)
    if found == 0:
        values[0] = _hash_bytes(data, begin, end)
        found = np.int64(1)
    return found


@inline_kernel
def hash_units(data: Bytes, begin: int, end: int, alphabet: Alphabet, characters: bool, working: Working, units: Hashes) -> Scalar:
    """Write the hashes of the units that shingles consist of (words or characters); return how many."""
    if characters:
        return hash_characters(data, begin, end, alphabet, units)
    return hash_words(data, begin, end, alphabet, working, units)


@kernel
def combine_units(units: Hashes, count: Scalar, ngram: int, shingles: Hashes) -> Scalar:
    """Write the shingle hashes of a text of `count` >= 1 words (or characters); return how many there are."""
    size = min(ngram, int(count))
    total = int(count) - size + 1
    factor = _GOLDEN
    for at in range(total):
        shingles[at] = units[at] * factor
    for place in range(1, size):
        factor *= _GOLDEN
        for at in range(total):
            shingles[at] += units[at + place] * factor
    return total


@kernel
def _hash_bytes(data: Bytes, place: int, end: int) -> np.uint64:
    value = _GOLDEN
    for at in range(place, end):
        value = spread(value ^ np.uint64(data[at])) + _GOLDEN
    return value


@kernel
def hash_sequence(words: Hashes, count: Scalar) -> tuple[Scalar, Scalar]:
    """Return the two halves of the text hash: two sums over the word hashes, each mixed with its position."""
    first, second = np.uint64(count), np.uint64(count)
    for at in range(count):
        first += spread(words[at] ^ (np.uint64(at) * _TEXT_1))
        second += spread(words[at] + (np.uint64(at) * _TEXT_2))
    return spread(first), spread(second)


def shingle_units(text: Text, characters: bool) -> Any:
    """Return working space for the words, or characters, of a column's longest text."""
    longest = int(text.lengths.max(initial=0))
    return np.empty(2 * longest + 2 if characters else longest // 2 + 2, np.uint64)


def shingle(text: Text, ngram: int = 5, characters: bool = False) -> Shingles:
    """Return the shingles of every text: n-grams of words, or of characters."""
    units = shingle_units(text, characters)
    capacity = int((2 * text.lengths + 2 if characters else text.lengths // 2 + 1).sum())  # unwritten pages cost nothing
    offsets, hashes = np.zeros(len(text) + 1, np.int64), np.empty(capacity, np.uint64)
    _shingle_all(text.data, text.offsets, alphabet(), ngram, characters, working_space(), units, offsets, hashes)
    return Shingles(offsets, hashes[: offsets[-1]])


@kernel
def _shingle_all(
    data: Bytes,
    bounds: Offsets,
    alphabet: Alphabet,
    ngram: int,
    characters: bool,
    working: Working,
    units: Hashes,
    offsets: Offsets,
    hashes: Hashes,
) -> None:
    for text in range(len(bounds) - 1):
        count = hash_units(data, bounds[text], bounds[text + 1], alphabet, characters, working, units)
        offsets[text + 1] = offsets[text] + combine_units(units, count, ngram, hashes[offsets[text] :])


def distinct(shingles: Shingles) -> Shingles:
    """Return the distinct shingles of every text, in ascending order."""
    hashes = shingles.hashes.copy()
    for start, end in pairwise(shingles.offsets):
        hashes[start:end].sort()
    offsets = shingles.offsets.copy()
    _drop_repeated(offsets, hashes)
    return Shingles(offsets, hashes[: offsets[-1]])


@kernel
def _drop_repeated(offsets: Offsets, hashes: Hashes) -> None:
    """Reduce the sorted hashes of each text to distinct ones, and adjust the offsets."""
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

"""The words of a batch of texts, found in one pass over its bytes and shared by every filter.

The definition of a word, for every filter (classes from `curation.text.unicode_classes`):

    word        a maximal run of letters, numbers and their marks. An apostrophe (' or ’) between two letters or numbers belongs to the word
                ("don't"), and so do a point and a comma between two numbers ("1,024.5"). A letter of a script that is written without
                spaces (Han, Kana, Thai, Lao, Khmer, Burmese) is a word by itself, with its marks.
    symbol      every other character that is not space, with its marks; a run of points or of hyphens is one symbol ("...", "-----").

A text's tokens are its words and symbols in order. The published ratios need both: datatrove's tokens come from spaCy and include
punctuation. spaCy's English tokens differ: it splits "don't", and keeps URLs, e-mail addresses and abbreviations with points whole.

The rules are computed for 64 bytes at a time as bit masks (`curation.text.simd`). Tokens with equal 64-bit hashes count as equal.

Invariants
    - A text's tokens do not depend on its neighbours in the batch; positions count bytes from the text's own start (below 4 GiB).
    - The text `"".join(tokens)` is the text without its spaces: no character is lost, none is counted twice.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from curation.arrays import Bytes, Hashes, Integers, Scalar, Unsigned32
from curation.text.column import Offsets, TextColumn, offsets_of
from curation.text.kernels import inline_kernel, kernel
from curation.text.simd import BLOCK, copy_block, count_bits, load_eight_bytes, load_part, lowest_bit, mask_between, mask_of
from curation.text.unicode_classes import (
    LETTER,
    MARK,
    NUMBER,
    SOLITARY,
    SPACE,
    character_classes,
    decode_character,
    encode_character,
    folded_forms,
    lowered_forms,
)

WORD, ALPHABETIC = 1, 2
"""Bits of `Words.kinds`: the token is a word; the word contains a letter."""

_BASE = np.uint64(0x9E6C63D0876A9A47)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_POINT, _HYPHEN, _COMMA, _APOSTROPHE, _TYPOGRAPHIC_APOSTROPHE = 0x2E, 0x2D, 0x2C, 0x27, 0x2019
_IDEOGRAPHIC_ZERO = 0x3007
_UNDECIDED = 0xFF

_ONE, _ALL = np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFF)
_LAST = np.uint64(BLOCK - 1)
_EACH_BYTE = np.uint64(0x0101010101010101)


class Tokens(NamedTuple):
    """The arrays of `Words` that kernels read, in one argument."""

    offsets: Offsets
    starts: Unsigned32
    ends: Unsigned32
    characters: Unsigned32
    hashes: Hashes
    kinds: Bytes


@dataclass(frozen=True, eq=False)
class Words:
    """The m tokens of n texts: text i has tokens offsets[i] to offsets[i + 1]."""

    data: Bytes
    text_offsets: Offsets
    offsets: Offsets
    """n + 1 positions in the arrays below (int64)."""
    starts: Unsigned32
    """First byte of each token, counted from the start of its text."""
    ends: Unsigned32
    """The byte after each token, counted likewise."""
    characters: Unsigned32
    """Code points in each token."""
    hashes: Hashes
    """Hash of each token, unfolded."""
    kinds: Bytes
    """0 for a symbol, WORD for a word, WORD | ALPHABETIC for a word with a letter."""

    @property
    def tokens(self) -> Tokens:
        """The arrays that kernels read."""
        return Tokens(self.offsets, self.starts, self.ends, self.characters, self.hashes, self.kinds)

    @property
    def counts(self) -> Integers:
        """Number of tokens in each text."""
        return np.diff(self.offsets)

    @cached_property
    def folded(self) -> Hashes:
        """Hash of each token's folded form, computed on first use; it ignores case, accents, ligatures, width and apostrophes.

        Over the code points of the form: h -> (h + point + 1) * B modulo 2^64, then mixed.
        """
        hashes = np.empty(len(self.hashes), np.uint64)
        _fold_words(self.data, self.text_offsets, self.offsets, self.starts, self.ends, folded_forms(), hashes)
        return hashes

    @cached_property
    def lowered(self) -> Hashes:
        """Hash of each token in lower case, computed on first use (see `curation.text.unicode_classes.lowered_forms`)."""
        hashes = np.empty(len(self.hashes), np.uint64)
        longest = int((self.ends - self.starts).max(initial=0))
        _lower_words(self.data, self.text_offsets, self.offsets, self.starts, self.ends, lowered_forms(), longest, hashes)
        return hashes

    @cached_property
    def without_symbols(self) -> tuple[Offsets, Hashes, Unsigned32]:
        """Offsets, hashes and characters of the words, without symbols."""
        is_word = (self.kinds & WORD) != 0
        return offsets_of(is_word)[self.offsets], self.hashes[is_word], self.characters[is_word]

    def strings(self, index: int) -> list[str]:
        """Return the tokens of text `index` as Python strings (tests, small inputs)."""
        start = self.text_offsets[index]
        bounds = range(self.offsets[index], self.offsets[index + 1])
        return [self.data[start + self.starts[i] : start + self.ends[i]].tobytes().decode("utf-8", "replace") for i in bounds]


def find_words(column: TextColumn) -> Words:
    """Find the words and symbols of every text of a column."""
    capacity = int(column.offsets[-1] - column.offsets[0]) + 1  # a token has at least one byte; unwritten pages cost nothing
    offsets = np.zeros(len(column) + 1, np.int64)
    starts, ends = (np.empty(capacity, np.uint32) for _ in range(2))
    found = _find_tokens(column.data, column.offsets, character_classes(), offsets, starts, ends)
    described = np.empty(found, np.uint32), np.empty(found, np.uint64), np.empty(found, np.uint8)
    tokens = Tokens(offsets, starts[:found], ends[:found], *described)
    _describe(column.data, column.offsets, character_classes(), _ascii_kinds(), tokens)
    return Words(column.data, column.offsets, *tokens)


@inline_kernel
def extend_hash(value: Scalar, point: Scalar) -> Scalar:
    """Return the unmixed hash (uint64) of a folded word, extended by one code point."""
    return (value + (np.uint64(point) + np.uint64(1))) * _BASE


@inline_kernel
def mix_bits(value: Scalar) -> Scalar:
    """Return a uint64 in which every bit depends on every bit of value."""
    value = (value ^ (value >> np.uint64(32))) * _MIX
    return value ^ (value >> np.uint64(32))


@kernel
def hash_bytes(data: Bytes, start: int, end: int) -> tuple[Scalar, int]:
    """Return a hash (uint64) of data[start:end], and its number of code points."""
    size = np.int64(end) - np.int64(start)
    value = np.uint64(size) * _BASE
    following = np.int64(0)
    place = np.int64(start)
    while end - place > 8:
        word = load_eight_bytes(data, place)
        following += count_bits((word >> np.uint64(7)) & ~(word >> np.uint64(6)) & _EACH_BYTE)
        value = mix_bits((value ^ word) * _BASE)
        place += 8
    word = load_part(data, place, end)
    following += count_bits((word >> np.uint64(7)) & ~(word >> np.uint64(6)) & _EACH_BYTE)
    return mix_bits((value ^ word) * _BASE), size - following


@inline_kernel
def _ascii_classes(data: Bytes, place: int) -> tuple[Scalar, Scalar, Scalar, Scalar]:
    """Return which of 64 bytes are ASCII letters, digits and space, and which are not ASCII."""
    letters = mask_between(data, place, 0x61, 0x7A) | mask_between(data, place, 0x41, 0x5A)
    digits = mask_between(data, place, 0x30, 0x39)
    space = mask_of(data, place, 0x20) | mask_between(data, place, 0x09, 0x0D) | mask_between(data, place, 0x1C, 0x1F)
    return letters, digits, space, mask_between(data, place, 0x80, 0xFF)


@inline_kernel
def _joiners(data: Bytes, place: int) -> tuple[Scalar, Scalar, Scalar, Scalar]:
    """Return which of 64 bytes are apostrophes, commas, points and hyphens."""
    return mask_of(data, place, _APOSTROPHE), mask_of(data, place, _COMMA), mask_of(data, place, _POINT), mask_of(data, place, _HYPHEN)


@inline_kernel
def _shifted(mask: Scalar, before: Scalar) -> Scalar:
    """Return for each byte the bit of the previous byte; the highest bit of `before` is that of the byte before the block."""
    return mask << _ONE | before >> _LAST


@kernel
def _find_tokens(data: Bytes, text_offsets: Offsets, classes: Bytes, offsets: Offsets, starts: Unsigned32, ends: Unsigned32) -> Scalar:
    """Write the bounds of all tokens; return their number.

    All masks cover one block; names that begin with `last_` belong to the previous block, of which only the highest bit matters. A class
    that a character passes on to its following bytes in the next block is kept in the lowest bits of `over_` masks.
    """
    spare = np.zeros(BLOCK, np.uint8)
    none = np.uint64(0)
    found = np.int64(0)
    for text in range(len(text_offsets) - 1):
        begin, end = text_offsets[text], text_offsets[text + 1]
        last_letters, last_digits, last_solitary, last_space = none, none, none, _ALL
        last_word, last_points, last_hyphens = none, none, none
        over_letters, over_digits, over_solitary, over_space, over_joined, over = none, none, none, none, none, none
        is_open = np.int64(0)
        for place in range(begin, end, BLOCK):
            valid = _ALL if end - place >= BLOCK else (_ONE << np.uint64(end - place)) - _ONE
            if place + BLOCK <= len(data):
                letters, digits, space, others = _ascii_classes(data, place)
                apostrophes, commas, points, hyphens = _joiners(data, place)
            else:
                copy_block(data, place, end, spare)
                letters, digits, space, others = _ascii_classes(spare, 0)
                apostrophes, commas, points, hyphens = _joiners(spare, 0)
            letters, digits, space, others = letters & valid, digits & valid, space & valid, others & valid & ~over
            letters, digits, solitary, space = letters | over_letters, digits | over_digits, over_solitary, space | over_space
            joined, following = over_joined, over  # following: bytes that begin no token, because they continue the previous character
            over_letters, over_digits, over_solitary, over_space, over_joined, over = none, none, none, none, none, none
            while others != none:
                bit = lowest_bit(others)
                at = place + bit
                point, size = decode_character(data, at, end)
                group = classes[point]
                first = _ONE << np.uint64(bit)
                own = ((_ONE << np.uint64(size)) - _ONE) << np.uint64(bit)
                beyond = (_ONE << np.uint64(bit + size - BLOCK)) - _ONE if bit + size > BLOCK else none
                others &= ~own
                following |= own & ~first
                over = beyond
                if group == MARK:
                    before_letter = _shifted(letters, last_letters) & first
                    before_digit = _shifted(digits, last_digits) & first
                    if not _shifted(space, last_space) & first:
                        following |= first
                    if before_letter:
                        group = LETTER
                    elif before_digit:
                        group = NUMBER
                    elif _shifted(solitary, last_solitary) & first:
                        group = SOLITARY
                if group == LETTER:
                    letters, over_letters = letters | own, beyond
                elif group == NUMBER:
                    digits, over_digits = digits | own, beyond
                elif group == SOLITARY:
                    solitary, over_solitary = solitary | own, beyond
                elif group == SPACE:
                    space, over_space = space | own, beyond
                elif point == _TYPOGRAPHIC_APOSTROPHE and at + size < end:
                    after = classes[decode_character(data, at + size, end)[0]]
                    if _shifted(letters | digits, last_letters | last_digits) & first and after in (LETTER, NUMBER):
                        joined, over_joined = joined | own, beyond
            beginning = (letters | digits) & ~following
            after_letter_or_digit, after_digit = beginning >> _ONE, digits & ~following
            after_digit >>= _ONE
            if (apostrophes | commas | points) >> _LAST and place + BLOCK < end:
                after = classes[decode_character(data, place + BLOCK, end)[0]]
                highest = _ONE << _LAST
                if after == NUMBER:
                    after_digit |= highest
                if after in (LETTER, NUMBER):
                    after_letter_or_digit |= highest
            joined |= apostrophes & _shifted(letters | digits, last_letters | last_digits) & after_letter_or_digit
            joined |= (commas | points) & _shifted(digits, last_digits) & after_digit
            word = letters | digits | joined
            symbols = valid & ~(word | space | solitary)
            points &= symbols
            hyphens &= symbols
            runs = (points & _shifted(points, last_points)) | (hyphens & _shifted(hyphens, last_hyphens))
            beginnings = ~following & (solitary | (symbols & ~runs) | (word & ~_shifted(word, last_word)))
            events = beginnings | (space & ~_shifted(space, last_space))
            while events != none:
                bit = lowest_bit(events)
                events &= events - _ONE
                ends[found] = place - begin + bit
                found += is_open
                starts[found] = place - begin + bit
                is_open = np.int64((beginnings >> np.uint64(bit)) & _ONE)
            last_letters, last_digits, last_solitary, last_space = letters, digits, solitary, space
            last_word, last_points, last_hyphens = word, points, hyphens
        ends[found] = end - begin
        found += is_open
        offsets[text + 1] = found
    return found


@kernel
def _describe(data: Bytes, text_offsets: Offsets, classes: Bytes, ascii_kinds: Bytes, tokens: Tokens) -> None:
    """Fill the characters, hash and kind of each token."""
    offsets, starts, ends, characters, hashes, kinds = tokens
    for text in range(len(text_offsets) - 1):
        begin, text_end = text_offsets[text], text_offsets[text + 1]
        for token in range(offsets[text], offsets[text + 1]):
            start, end = begin + np.int64(starts[token]), begin + np.int64(ends[token])
            if end - start <= 8 and start + 8 <= len(data):
                word = load_part(data, start, end)
                hashes[token] = mix_bits(((np.uint64(end - start) * _BASE) ^ word) * _BASE)
                characters[token] = end - start - count_bits((word >> np.uint64(7)) & ~(word >> np.uint64(6)) & _EACH_BYTE)
            else:
                hashes[token], characters[token] = hash_bytes(data, start, end)
            kinds[token] = ascii_kinds[data[start]]
            if kinds[token] == _UNDECIDED:
                kinds[token] = _kind(data, start, end, text_end, classes)


def _ascii_kinds() -> Bytes:
    """Return the kind of a token for each first byte; undecided where a number may contain letters or the byte is not ASCII."""
    of_class = {LETTER: WORD | ALPHABETIC, NUMBER: _UNDECIDED}
    return np.array([of_class.get(int(group), 0) for group in character_classes()[:0x80]] + [_UNDECIDED] * 0x80, np.uint8)


@kernel
def _kind(data: Bytes, start: int, end: int, text_end: int, classes: Bytes) -> int:
    point, size = decode_character(data, start, text_end)
    group = classes[point]
    if group == LETTER:
        return WORD | ALPHABETIC
    if group == SOLITARY:
        return WORD if point == _IDEOGRAPHIC_ZERO else WORD | ALPHABETIC
    if group != NUMBER:
        return 0
    start += size
    while start < end:
        point, size = decode_character(data, start, end)
        if classes[point] == LETTER:
            return WORD | ALPHABETIC
        start += size
    return WORD


@kernel
def _fold_words(
    data: Bytes, text_offsets: Offsets, offsets: Offsets, starts: Unsigned32, ends: Unsigned32, forms: Hashes, hashes: Hashes
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
                point, size = decode_character(data, place, end)
                place += size
                form = forms[point] if point < len(forms) else np.uint64(point)
                while form != 0:
                    value = extend_hash(value, form & slot)
                    form >>= np.uint64(21)
            hashes[word] = mix_bits(value)


@kernel
def _lower_words(
    data: Bytes, text_offsets: Offsets, offsets: Offsets, starts: Unsigned32, ends: Unsigned32, forms: Hashes, longest: int, hashes: Hashes
) -> None:
    """Fill `hashes` with the hash of each token in lower case, in working space for a token of `longest` bytes.

    Eight ASCII bytes are lowered at once: an addition sets the highest bit of each byte that is at least "A", or more than "Z".
    """
    spare = np.empty(12 * longest + 8, np.uint8)  # a character becomes at most three, of four bytes each
    slot, high = np.uint64(0x1FFFFF), _EACH_BYTE << np.uint64(7)
    for text in range(len(offsets) - 1):
        begin = text_offsets[text]
        for token in range(offsets[text], offsets[text + 1]):
            place, end = begin + np.int64(starts[token]), begin + np.int64(ends[token])
            if end - place <= 8:
                word = load_part(data, place, end)
                if word & high == np.uint64(0):
                    capitals = (word + np.uint64(0x80 - 0x41) * _EACH_BYTE) & ~(word + np.uint64(0x7F - 0x5A) * _EACH_BYTE) & high
                    hashes[token] = mix_bits(((np.uint64(end - place) * _BASE) ^ (word | capitals >> np.uint64(2))) * _BASE)
                    continue
            size = 0
            while place < end:
                point, step = decode_character(data, place, end)
                place += step
                form = forms[point] if point < len(forms) else np.uint64(point)
                if point == 0:
                    spare[size] = 0
                    size += 1
                while form != np.uint64(0):
                    size += encode_character(np.int64(form & slot), spare, size)
                    form >>= np.uint64(21)
            hashes[token], _ = hash_bytes(spare, 0, size)

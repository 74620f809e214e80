"""An index of word n-grams, and the longest passage that a text shares with it.

A text and the indexed items are compared as sequences of folded words (`Words.folded`, without symbols), so differences of case, accents,
punctuation, spacing, line breaks and typography do not hide a copy. Every run of n words of an item is indexed; n depends on the item's
number of words (`Lengths`).

A passage is a maximal run of a text's words covered by overlapping n-grams of the index. It is attributed to the item of its first n-gram;
an n-gram that several items contain belongs to the first of them.

The hash of an n-gram of words w is the sum of w[i] * B^(n - 1 - i) modulo 2^64 (Karp and Rabin 1987), plus n, mixed; so the hash of an
n-gram of any length at any place costs two look-ups in an array of prefixes. A bit table, small enough for the processor's cache, first
tells whether any indexed n-gram begins with the words at a place (as many words as the shortest n-gram has). Among 10^7 indexed n-grams, a
text of 10^6 words has a chance match with probability 10^-6.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from curation.arrays import Bytes, Hashes, Integers, Integers32, Scalar, Unsigned32
from curation.text.column import Offsets, offsets_of
from curation.text.kernels import inline_kernel, kernel
from curation.text.text import Text
from curation.text.words import WORD, Words, mix_bits

_BASE = np.uint64(0xA24BAED4963EE407)


class Lengths(NamedTuple):
    """How many words n of an item make a passage, for an item of w words.

    n is `percent` of w, rounded up, but at least `smallest` and at most `size`; an item of fewer than `smallest` words must match as a
    whole; an item of fewer than `fewest` is not searched for.
    """

    size: int
    smallest: int
    percent: int
    fewest: int

    def of(self, words: Integers) -> Integers:
        """Return n for items with these numbers of words; 0 for an item that is not searched for."""
        lengths = np.minimum(np.clip(-(-words * self.percent // 100), self.smallest, self.size), words)
        return np.where(words >= self.fewest, lengths, 0).astype(np.int64)


class SharedPassages(NamedTuple):
    """The longest shared passage of each of n texts."""

    words: Integers32
    """Number of its words; 0 if nothing is shared."""
    items: Integers32
    """Index of its item; -1 if nothing is shared."""
    starts: Integers
    """Its first byte, counted from the start of the text."""
    ends: Integers
    """The byte after it."""


class NgramIndex(NamedTuple):
    """n-grams of items in an open-addressed table of 2^k slots."""

    lengths: Integers
    """The lengths of the indexed n-grams, longest first."""
    keys: Hashes
    """Hash of the n-gram in each slot."""
    owners: Integers32
    """Index of the item that contains it; -1 in a free slot."""
    beginnings: Bytes
    """Eight bits per byte, set at the hash of the first words of each n-gram (as many words as the shortest n-gram has)."""

    @classmethod
    def of(cls, items: Sequence[str], rule: Lengths) -> "NgramIndex":
        """Index the n-grams of items. 1 <= fewest <= smallest <= size."""
        words = Text.from_strings(items).words
        offsets, folded = _words_only(words)
        counts = np.diff(offsets)
        lengths = rule.of(counts)
        slots = 64
        while slots < 2 * int(np.where(lengths > 0, counts - lengths + 1, 0).sum()):
            slots *= 2
        keys = np.zeros(slots, np.uint64)
        owners = np.full(slots, -1, np.int32)
        beginnings = np.zeros(slots, np.uint8)
        occurring = np.unique(lengths[lengths > 0])[::-1].astype(np.int64)
        _fill(offsets, folded, lengths, occurring[-1] if len(occurring) else 0, keys, owners, beginnings)
        return cls(occurring, keys, owners, beginnings)

    def longest_passages(self, words: Words) -> SharedPassages:
        """Return the longest passage that each text shares with the items; the first of equally long ones."""
        texts = len(words.counts)
        offsets, folded = _words_only(words)
        is_word = (words.kinds & WORD) != 0
        found = SharedPassages(
            np.zeros(texts, np.int32), np.full(texts, -1, np.int32), np.zeros(texts, np.int64), np.zeros(texts, np.int64)
        )
        _find_passages(offsets, folded, words.starts[is_word], words.ends[is_word], self, found)
        return found


def _words_only(words: Words) -> tuple[Offsets, Hashes]:
    """Return offsets and folded hashes of the words, without symbols."""
    is_word = (words.kinds & WORD) != 0
    return offsets_of(is_word)[words.offsets], words.folded[is_word]


@inline_kernel
def _ngram_hash(prefixes: Hashes, place: int, length: int, power: Scalar) -> Scalar:
    return mix_bits(prefixes[place + length] - prefixes[place] * power + np.uint64(length))


@inline_kernel
def _slot_of(key: Scalar, keys: Hashes, owners: Integers32) -> Any:
    slot = np.int64(key & np.uint64(len(keys) - 1))
    while owners[slot] >= 0 and keys[slot] != key:
        slot = (slot + 1) & (len(keys) - 1)
    return slot


@inline_kernel
def _byte_of(beginning: Scalar, beginnings: Bytes) -> Scalar:
    return np.int64((beginning >> np.uint64(3)) & np.uint64(len(beginnings) - 1))


@inline_kernel
def _bit_of(beginning: Scalar) -> Scalar:
    return np.uint8(1) << np.uint8(beginning & np.uint64(7))


@kernel
def _power(length: int) -> Scalar:
    power = np.uint64(1)
    for _ in range(length):
        power *= _BASE
    return power


@kernel
def _prefixes(folded: Hashes, begin: int, end: int, prefixes: Hashes) -> None:
    prefixes[0] = np.uint64(0)
    for word in range(begin, end):
        prefixes[word - begin + 1] = prefixes[word - begin] * _BASE + folded[word]


@kernel
def _fill(offsets: Offsets, folded: Hashes, lengths: Integers, shortest: int, keys: Hashes, owners: Integers32, beginnings: Bytes) -> None:
    """Insert every n-gram of length lengths[item] of each item; the first item that contains an n-gram owns it."""
    prefixes = np.empty(len(folded) + 1, np.uint64)
    for item in range(len(offsets) - 1):
        length = lengths[item]
        if length == 0:
            continue
        power, shortest_power = _power(length), _power(shortest)
        count = offsets[item + 1] - offsets[item]
        _prefixes(folded, offsets[item], offsets[item + 1], prefixes)
        for place in range(count - length + 1):
            key = _ngram_hash(prefixes, place, length, power)
            slot = _slot_of(key, keys, owners)
            if owners[slot] < 0:
                keys[slot] = key
                owners[slot] = item
                beginning = _ngram_hash(prefixes, place, shortest, shortest_power)
                beginnings[_byte_of(beginning, beginnings)] |= _bit_of(beginning)


@kernel
def _find_passages(
    offsets: Offsets, folded: Hashes, starts: Unsigned32, ends: Unsigned32, ngrams: NgramIndex, passages: SharedPassages
) -> None:
    """Find the longest passage of each text."""
    lengths, keys, owners, beginnings = ngrams
    passage_words, passage_items, passage_starts, passage_ends = passages
    if len(lengths) == 0:
        return
    shortest = lengths[-1]
    prefixes = np.empty(len(folded) + 1, np.uint64)
    powers = np.empty(len(lengths), np.uint64)
    for index in range(len(lengths)):
        powers[index] = _power(lengths[index])
    for text in range(len(offsets) - 1):
        begin = offsets[text]
        count = offsets[text + 1] - begin
        _prefixes(folded, begin, offsets[text + 1], prefixes)
        first, after, item = np.int64(0), np.int64(0), np.int32(-1)  # the current passage: its words from `first` to `after`
        for place in range(count - shortest + 1):
            beginning = _ngram_hash(prefixes, place, shortest, powers[-1])
            if not beginnings[_byte_of(beginning, beginnings)] & _bit_of(beginning):
                continue
            for index in range(len(lengths)):
                length = lengths[index]
                if place + length <= after or place + length > count:
                    continue
                slot = _slot_of(_ngram_hash(prefixes, place, length, powers[index]), keys, owners)
                if owners[slot] < 0:
                    continue
                if place >= after:
                    first, item = np.int64(place), owners[slot]
                after = np.int64(place + length)
                if after - first > passage_words[text]:
                    passage_words[text] = after - first
                    passage_items[text] = item
                    passage_starts[text] = starts[begin + first]
                    passage_ends[text] = ends[begin + after - 1]
                break

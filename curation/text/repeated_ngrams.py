"""Repeated n-grams: the share of a text in top n-grams and duplicated n-grams (Gopher's repetition rules), in two readings.

Source of the measures: Rae et al. 2021 (Gopher), appendix A.1.1, table A1. The paper does not say how to count overlapping occurrences, and
code bases differ:

    `repeated_characters`, over all tokens, as datatrove counts (Penedo et al. 2024, FineWeb)
        top n-gram          the most frequent n-gram, the first of several: the characters of its tokens and of the n - 1 spaces
                            between them, times its occurrences (which may overlap)
        duplicated n-grams  reading from left to right, an n-gram that was read before counts with its tokens' characters, and reading
                            continues after it; any other is remembered, and reading continues at the next token

    `covered_characters`, over words alone, as DCLM counts (Li et al. 2024)
        top n-gram          of the most frequent n-grams, the one with the most characters, times its occurrences; 0 if none repeats
        duplicated n-grams  the words in any n-gram that occurs more than once, including first occurrences, each word once

How it is fast: a byte table, small enough for the first-level cache, tells which bigrams may occur twice; only these are looked up. From
there on an n-gram is named by the place of its first occurrence, and an (n + 1)-gram is the pair of names of its two n-grams, so only pairs
whose halves both repeat need a look-up: a handful after n = 4 in natural text. (Karp, Miller and Rosenberg 1972 find repeated patterns by
naming runs with pairs of names.)

Invariant: results depend only on a text's own tokens, with one approximation: pairs of tokens are equal if 64-bit hashes made from their
hashes are.
"""

from typing import NamedTuple

import numpy as np

from curation.arrays import Bytes, Hashes, Integers, Integers32, Scalar, Unsigned32
from curation.text.column import Offsets
from curation.text.kernels import inline_kernel, kernel
from curation.text.words import Words

TOP = (2, 3, 4)
"""The values of n for which the top n-gram is measured."""
DUPLICATED = (5, 6, 7, 8, 9, 10)
"""The values of n for which duplicated n-grams are measured."""

_LONGEST = DUPLICATED[-1]
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_PAIR = np.uint64(0xBF58476D1CE4E5B9)
_PLACE = np.int64(0xFFFFFFFF)


def repeated_characters(words: Words) -> Integers:
    """Return for each text the characters in top n-grams (rows 0 to 2, n of TOP) and duplicated n-grams (rows 3 to 8, n of DUPLICATED).

    Shape (9, texts), over all tokens, as datatrove counts. A text with fewer than n tokens has 0. If no n-gram repeats, the top n-gram is
    the first one, which occurs once.
    """
    return _counted(words.offsets, words.hashes, words.characters, False)


def covered_characters(words: Words) -> Integers:
    """Return the same as `repeated_characters`, over words alone, as DCLM counts."""
    return _counted(*words.without_symbols, True)


def _counted(offsets: Offsets, hashes: Hashes, characters: Unsigned32, covering: bool) -> Integers:
    counts = np.zeros((len(TOP) + len(DUPLICATED), len(offsets) - 1), np.int64)
    _count_repeated(offsets, hashes, characters, int(np.diff(offsets).max(initial=0)), covering, counts)
    return counts


class _Named(NamedTuple):
    """The n-grams of one length that may still repeat: their places, and for each place its name and how often a name occurs."""

    places: Integers32
    names: Integers32
    occurrences: Integers32


@inline_kernel
def _bits_for(items: Scalar, least: Scalar) -> Scalar:
    """Return the smallest b, at least `least`, such that 2^b holds `items`."""
    bits = least
    while np.int64(1) << bits < items:
        bits += 1
    return bits


@kernel
def _bigrams_that_may_repeat(hashes: Hashes, begin: int, pairs: int, seen: Bytes, keys: Hashes, places: Integers32) -> int:
    """Write key and place of each bigram that shares its slot of `seen` with another; return their number."""
    bits = _bits_for(4 * pairs, 6)
    for slot in range(np.int64(1) << bits):  # numba's own for slices can fail, and compiles the words of its complaint
        seen[slot] = 0
    shift = np.uint64(64 - bits)
    for place in range(pairs):
        key = hashes[begin + place] * _PAIR + hashes[begin + place + 1]
        slot = (key * _SPREAD) >> shift
        seen[slot] = (seen[slot] << 1) | np.uint8(1)  # 0: never; 1: once; else: more often
        keys[place] = key
    found = 0
    for place in range(pairs):
        key = keys[place]
        keys[found], places[found] = key, place
        found += seen[(key * _SPREAD) >> shift] != 1
    return found


@kernel
def _name(count: int, this_round: Scalar, keys: Hashes, table_keys: Hashes, table_firsts: Integers, named: _Named) -> int:
    """Name the n-grams of `count` keys at `places` by their first place, and reduce `places` to those that repeat; return their number.

    A slot of the table holds the key and round * 2^32 + first place; a slot of an earlier round is free.
    """
    places, names, occurrences = named
    bits = _bits_for(4 * count, 4)
    shift, mask = np.uint64(64 - bits), (np.int64(1) << bits) - 1
    for index in range(count):
        key, place = keys[index], np.int64(places[index])
        slot = np.int64((key * _SPREAD) >> shift)
        while table_keys[slot] != key and table_firsts[slot] >> 32 == this_round:
            slot = (slot + 1) & mask
        entry = table_firsts[slot]
        first = entry & _PLACE if entry >> 32 == this_round else place
        table_keys[slot] = key
        table_firsts[slot] = np.int64(this_round) << 32 | first
        occurrences[place] = 0
        names[place] = first
        occurrences[first] += 1
    repeating = 0
    for index in range(count):
        place = places[index]
        places[repeating] = place
        repeating += occurrences[names[place]] > 1
    return repeating


@kernel
def _pair_up(count: int, places: Integers32, names: Integers32, keys: Hashes) -> int:
    """Reduce `places` to those whose next place is included too, with the pair of their names as key; return their number."""
    pairs = 0
    for index in range(count - 1):
        place, following = places[index], places[index + 1]
        keys[pairs] = np.uint64(names[place]) << np.uint64(32) | np.uint64(names[following])
        places[pairs] = place
        pairs += following == place + 1
    return pairs


@kernel
def _count_repeated(offsets: Offsets, hashes: Hashes, characters: Unsigned32, longest: int, covering: bool, counts: Integers) -> None:
    """Fill `counts`, text by text, using working space for a text of `longest` tokens."""
    slots = np.int64(1) << _bits_for(4 * longest, 6)
    seen = np.empty(slots, np.uint8)
    table_keys = np.empty(slots, np.uint64)
    table_firsts = np.zeros(slots, np.int64)
    keys = np.empty(longest + 1, np.uint64)
    places = np.empty(longest + 1, np.int32)
    names = np.empty(longest + 1, np.int32)
    occurrences = np.empty(longest + 1, np.int32)  # of the n-gram whose name is the index
    named = _Named(places, names, occurrences)
    last_read = np.zeros(longest + 1, np.int64)  # the round in which the n-gram of this name was read
    lengths = np.zeros(longest + 1, np.int64)  # characters before each token
    this_round = np.int64(0)
    for text in range(len(offsets) - 1):
        begin = offsets[text]
        tokens = offsets[text + 1] - begin
        for place in range(tokens):
            lengths[place + 1] = lengths[place] + np.int64(characters[begin + place])
        count: Scalar = np.int64(0)  # the same type in every round: a kernel is compiled for each type
        for size in range(2, _LONGEST + 1):
            this_round += 1
            if size == 2:
                count = _bigrams_that_may_repeat(hashes, begin, max(tokens - 1, 0), seen, keys, places)
            else:
                count = _pair_up(count, places, names, keys)
            count = _name(count, this_round, keys, table_keys, table_firsts, named)
            if size <= TOP[-1] and tokens >= size:
                if covering:
                    counts[size - 2, text] = _top_longest(size, count, named, lengths)
                else:
                    counts[size - 2, text] = _top_first(size, count, named, lengths)
            elif size > TOP[-1]:
                if covering:
                    counts[size - 2, text] = _covered(size, count, places, lengths)
                else:
                    counts[size - 2, text] = _read_again(size, count, places, names, last_read, this_round, lengths)


@kernel
def _top_first(size: int, count: int, named: _Named, lengths: Integers) -> Scalar:
    places, names, occurrences = named
    top, most = np.int64(0), np.int64(1)
    for index in range(count):
        place = np.int64(places[index])
        if occurrences[place] > most and names[place] == place:
            top, most = place, np.int64(occurrences[place])
    return most * (lengths[top + size] - lengths[top] + size - 1)


@kernel
def _top_longest(size: int, count: int, named: _Named, lengths: Integers) -> Scalar:
    places, names, occurrences = named
    most, length = np.int64(0), np.int64(0)
    for index in range(count):
        place = np.int64(places[index])
        times = np.int64(occurrences[names[place]])
        own = lengths[place + size] - lengths[place]
        if times > most or (times == most and own > length):
            most, length = times, own
    return most * length


@kernel
def _read_again(
    size: int, count: int, places: Integers32, names: Integers32, last_read: Integers, this_round: Scalar, lengths: Integers
) -> Scalar:
    repeated, unread = np.int64(0), np.int64(0)
    for index in range(count):
        place = np.int64(places[index])
        if place < unread:
            continue
        if last_read[names[place]] == this_round:
            repeated += lengths[place + size] - lengths[place]
            unread = place + size
        else:
            last_read[names[place]] = this_round
    return repeated


@kernel
def _covered(size: int, count: int, places: Integers32, lengths: Integers) -> Scalar:
    covered, after = np.int64(0), np.int64(0)
    for index in range(count):
        place = np.int64(places[index])
        covered += lengths[place + size] - lengths[max(place, after)]
        after = place + size
    return covered

"""How much of a text its repeated n-grams take: the top n-gram and the duplicated n-grams of Gopher's repetition rules.

Source of the measures: Rae et al. 2021 (Gopher), appendix A.1.1, as datatrove counts them. Over the tokens of `curation.words`:

    top n-gram          the n-gram that occurs most often, the first of those that occur equally often: the characters of its tokens and of
                        the n - 1 spaces between them, times its occurrences (which may overlap)
    duplicated n-grams  read from left to right: an n-gram that was read before counts with its tokens' characters, and reading goes on
                        after it; any other is remembered, and reading goes on at the next token

How it is fast. An n-gram is named by the place of its first occurrence. An (n + 1)-gram is the pair of the names of the two n-grams in it,
so names are exact at every n, and only pairs of which both halves repeat need a look: a handful after n = 4 in natural text. (Naming runs
by pairs of names is how Karp, Miller and Rosenberg 1972 find repeated patterns.)

Invariant: results depend on a text's own tokens only; the one approximation is that tokens are equal where their 64-bit hashes are.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from curation.jit import inline_kernel, kernel
from curation.text import Offsets
from curation.words import Words

TOP = (2, 3, 4)
"""The n of which the top n-gram is measured."""
DUPLICATED = (5, 6, 7, 8, 9, 10)
"""The n of which duplicated n-grams are measured."""

_SPREAD = np.uint64(0x9E3779B97F4A7C15)


def repeated_characters(words: Words) -> npt.NDArray[np.int64]:
    """Return the characters in top n-grams (rows 0 to 2, n of TOP) and duplicated n-grams (rows 3 to 8, n of DUPLICATED) of each text.

    Shape (9, texts). A text with fewer than n tokens has 0. Where no n-gram repeats, the top n-gram is the first, which occurs once.
    """
    counts = np.zeros((len(TOP) + len(DUPLICATED), len(words.counts)), np.int64)
    _count_repeated(words.offsets, words.hashes, words.characters, int(words.counts.max(initial=0)), counts)
    return counts


@inline_kernel
def _slot_of(
    key: Any,
    keys: npt.NDArray[np.uint64],
    rounds: npt.NDArray[np.int32],
    this_round: int,
    shift: Any,
) -> Any:
    """Return the slot that holds `key` in this round, or the free one where it belongs (linear probing in 2^(64 - shift) slots)."""
    mask = (np.int64(1) << np.int64(np.uint64(64) - shift)) - 1
    slot = np.int64((key * _SPREAD) >> shift)
    while rounds[slot] == this_round and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@kernel
def _count_repeated(
    offsets: Offsets,
    hashes: npt.NDArray[np.uint64],
    characters: npt.NDArray[np.uint32],
    longest: int,
    counts: npt.NDArray[np.int64],
) -> None:
    """Fill `counts`, text by text, in working space for a text of `longest` tokens."""
    slots = 64
    while slots < 2 * longest:
        slots *= 2
    keys = np.empty(slots, np.uint64)
    firsts = np.empty(slots, np.int32)
    rounds = np.full(slots, -1, np.int32)  # when a slot was last filled; a new round needs no clearing
    names = np.empty(longest, np.int32)
    occurrences = np.empty(longest, np.int32)  # of the n-gram whose name is the index
    last_read = np.full(longest, -1, np.int32)  # the round in which the n-gram of this name was read
    candidates = np.empty(longest, np.int32)  # the places, in order, at which an n-gram may repeat
    lengths = np.zeros(longest + 1, np.int64)  # characters before each token
    this_round = 0
    for text in range(len(offsets) - 1):
        begin = offsets[text]
        tokens = offsets[text + 1] - begin
        shift = np.uint64(64 - 6)
        while np.int64(1) << np.int64(np.uint64(64) - shift) < 2 * tokens:
            shift -= np.uint64(1)
        for place in range(tokens):
            lengths[place + 1] = lengths[place] + np.int64(characters[begin + place])
        possible = tokens
        for size in range(1, 11):
            this_round += 1
            pairs = 0
            for index in range(possible):
                if size == 1:
                    place = index
                    key = hashes[begin + place]
                else:
                    place = candidates[index]
                    if index + 1 == possible or candidates[index + 1] != place + 1:
                        continue
                    key = np.uint64(names[place]) << np.uint64(32) | np.uint64(names[place + 1])
                slot = _slot_of(key, keys, rounds, this_round, shift)
                if rounds[slot] != this_round:
                    rounds[slot], keys[slot], firsts[slot] = this_round, key, place
                    occurrences[place] = 0
                names[place] = firsts[slot]
                occurrences[firsts[slot]] += 1
                candidates[pairs] = place
                pairs += 1
            possible = 0
            for index in range(pairs):
                place = candidates[index]
                if occurrences[names[place]] > 1:
                    candidates[possible] = place
                    possible += 1
            if 2 <= size <= 4 and tokens >= size:
                top, most = np.int64(0), np.int64(1)
                for index in range(possible):
                    place = candidates[index]
                    if names[place] == place and occurrences[place] > most:
                        top, most = np.int64(place), np.int64(occurrences[place])
                counts[size - 2, text] = most * (lengths[top + size] - lengths[top] + size - 1)
            if size >= 5:
                unread = np.int64(0)
                for index in range(possible):
                    place = candidates[index]
                    if place < unread:
                        continue
                    if last_read[names[place]] == this_round:
                        counts[size - 2, text] += lengths[place + size] - lengths[place]
                        unread = np.int64(place) + size
                    else:
                        last_read[names[place]] = this_round

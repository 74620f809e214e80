"""Passages are the lines or paragraphs that are compared across documents, with a hash that tells whether two are equal.

A passage is a line or a paragraph of `curation.text.lines` without surrounding space. Two passages are equal if their 64-bit hashes are:
the hash of the bytes or, when folded, of the words in order, ignoring case, accents, punctuation and spacing (`Words.folded`; a passage
without words then equals nothing). cc_net (Wenzek et al. 2020) compares 64 bits of a SHA-1. Among n different passages about n^2 / 2^65
pairs collide: none among 10^9, three among 10^10.

Invariant: a text's passages do not depend on its neighbours in the batch; positions count bytes from the text's own start.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from curation.arrays import Bytes, Flags, Hashes, Unsigned32
from curation.text.column import Offsets
from curation.text.kernels import kernel
from curation.text.lines import PieceBounds, strip
from curation.text.text import Text
from curation.text.unicode_classes import character_classes
from curation.text.words import WORD, mix_bits
from curation.text.words import hash_bytes as hash_of_bytes

PassageUnit = Literal["line", "paragraph"]

_NEXT = np.uint64(0xD1342543DE82EF95)


@dataclass(frozen=True, eq=False)
class Passages(PieceBounds):
    """The lines or paragraphs of n texts; the columns below describe each one without surrounding space."""

    sizes: Unsigned32
    """Bytes; 0 for a blank passage."""
    characters: Unsigned32
    """Code points."""
    hashes: Hashes
    """Hashes; equal passages have equal hashes."""
    comparable: Flags
    """Whether the passage has anything to compare: bytes, or words if words are compared."""


def find_passages(text: Text, unit: PassageUnit, fold: bool) -> Passages:
    """Find the lines or paragraphs of every text of a column."""
    bounds = text.lines if unit == "line" else text.paragraphs
    sizes, characters = (np.empty(len(bounds.starts), np.uint32) for _ in range(2))
    hashes = np.empty(len(bounds.starts), np.uint64)
    _describe(text.data, text.offsets, character_classes(), bounds.offsets, bounds.starts, bounds.ends, sizes, characters, hashes)
    comparable = sizes > 0
    if fold:
        words = text.words
        is_word = (words.kinds & WORD) != 0
        _hash_words(bounds.offsets, bounds.ends, words.offsets, words.starts, is_word, words.folded, hashes, comparable)
    return Passages(bounds.offsets, bounds.starts, bounds.ends, sizes, characters, hashes, comparable)


@kernel
def _describe(
    data: Bytes,
    text_offsets: Offsets,
    classes: Bytes,
    offsets: Offsets,
    starts: Unsigned32,
    ends: Unsigned32,
    sizes: Unsigned32,
    characters: Unsigned32,
    hashes: Hashes,
) -> None:
    """Fill the columns for each passage without surrounding space."""
    for text in range(len(text_offsets) - 1):
        begin = text_offsets[text]
        for passage in range(offsets[text], offsets[text + 1]):
            start, end = strip(data, begin + np.int64(starts[passage]), begin + np.int64(ends[passage]), classes)
            sizes[passage] = end - start
            hashes[passage], characters[passage] = hash_of_bytes(data, start, end)


@kernel
def _hash_words(
    offsets: Offsets,
    ends: Unsigned32,
    token_offsets: Offsets,
    token_starts: Unsigned32,
    is_word: Flags,
    folded: Hashes,
    hashes: Hashes,
    comparable: Flags,
) -> None:
    """Fill the hash of each passage's folded words, and whether it has any words."""
    for text in range(len(offsets) - 1):
        token, after = token_offsets[text], token_offsets[text + 1]
        for passage in range(offsets[text], offsets[text + 1]):
            value, words = np.uint64(0), 0
            while token < after and token_starts[token] < ends[passage]:
                if is_word[token]:
                    value = (value + folded[token]) * _NEXT
                    words += 1
                token += 1
            hashes[passage] = mix_bits(value)
            comparable[passage] = words > 0

"""The features of an educational score: a text's words, symbols and pairs of neighbours, window by window, each as a 64-bit hash.

A token is one of `curation.text.words` as it is written. In grouped cross-validation, case helps as much as it hurts, and lower case would
cost a quarter of the speed. Symbols count as words do (a text of colons and question marks is another kind of text than one of commas). A
feature is a token, or a pair of neighbouring tokens within one window. A long text is cut into windows of about WINDOW bytes, the size of
the excerpts that people and models label: equal parts, each token in the part where it begins.

Where a feature is to count once a window, a place chosen by its hash remembers it, until another feature needs the place: without a branch
this costs a tenth of an exact table, and of a thousand repetitions some thirty are counted again.

Invariants
    - A text's features depend on the text alone; the windows of a text hold each of its tokens once.
    - A text of up to one and a half windows is one window, with the features that it has as a labelled excerpt.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curation.arrays import Hashes
from curation.text.column import Offsets
from curation.text.kernels import inline_kernel, kernel
from curation.text.text import Text
from curation.text.words import mix_bits

WINDOW = 1000
"""Bytes of a window, about."""

SEEN = 1 << 12
"""Places that remember what a window had."""

_PLACES = np.uint64(64 - 12)
_SINGLE = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xC2B2AE3D27D4EB4F)


class Windows(NamedTuple):
    """The windows of n texts: text i has the windows offsets[i] to offsets[i + 1]; window j has the tokens tokens[j] to tokens[j + 1]."""

    offsets: Offsets
    tokens: Offsets


def find_windows(text: Text) -> Windows:
    """Cut each text into windows; an empty text is one window without tokens."""
    counts = np.maximum(1, (text.lengths + WINDOW // 2) // WINDOW)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
    tokens = np.empty(offsets[-1] + 1, np.int64)
    _cut(text.lengths, text.words.offsets, text.words.starts, offsets, tokens)
    return Windows(offsets, tokens)


@kernel
def _cut(lengths: Any, token_offsets: Offsets, starts: npt.NDArray[np.uint32], offsets: Offsets, tokens: Offsets) -> None:
    """Fill `tokens` with the first token of each window, and at its end the number of tokens."""
    for text in range(len(offsets) - 1):
        windows = offsets[text + 1] - offsets[text]
        token = token_offsets[text]
        for window in range(windows):
            tokens[offsets[text] + window] = token
            end = (lengths[text] * (window + 1)) // windows
            while token < token_offsets[text + 1] and np.int64(starts[token]) < end:
                token += 1
    tokens[len(tokens) - 1] = token_offsets[len(token_offsets) - 1]


@inline_kernel
def single(token: Any) -> Any:
    """Return the feature of a token (both uint64)."""
    return mix_bits((token ^ _SINGLE) * _FIRST)


@inline_kernel
def pair(first: Any, second: Any) -> Any:
    """Return the feature of two neighbours (all uint64)."""
    return mix_bits((first * _SINGLE) ^ second)


@inline_kernel
def _is_new(feature: Any, mark: Any, seen: Any) -> Any:
    """Say (0 or 1) whether a place among those seen does not hold the feature, marked as this window's, and let it hold it."""
    place = np.int64(feature >> _PLACES)
    marked = feature ^ mark
    new = np.int64(seen[place] != marked)
    seen[place] = marked
    return new


@inline_kernel
def features_of(hashes: Hashes, begin: int, end: int, pairs: bool, once: bool, mark: Any, seen: Any, found: Any) -> tuple[Any, Any]:
    """Write the features of one window, its tokens from `begin` to `end`: the tokens first, then the pairs; each once if `once`.

    Returns how many there are of tokens, and of both. `mark` is another number for each window.
    """
    count = np.int64(0)
    always = np.int64(not once)
    for token in range(begin, end):
        feature = single(hashes[token])
        found[count] = feature
        count += _is_new(feature, mark, seen) | always
    singles = count
    if pairs:
        for token in range(begin + 1, end):
            feature = pair(hashes[token - 1], hashes[token])
            found[count] = feature
            count += _is_new(feature, mark, seen) | always
    return singles, count


@inline_kernel
def mark_of(window: int) -> Any:
    """Return the mark of a window, never 0."""
    return mix_bits(np.uint64(window + 1) * _FIRST)


@kernel
def list_features(tokens: Offsets, hashes: Hashes, pairs: bool, once: bool, found: Hashes, offsets: Offsets) -> Any:
    """Write the features of every window, and where each window's begin; return their number."""
    seen = np.zeros(SEEN, np.uint64)
    count = np.int64(0)
    for window in range(len(tokens) - 1):
        offsets[window] = count
        _, added = features_of(hashes, tokens[window], tokens[window + 1], pairs, once, mark_of(window), seen, found[count:])
        count += added
    offsets[len(tokens) - 1] = count
    return count

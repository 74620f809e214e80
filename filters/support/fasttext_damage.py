"""Signs of damage in a fastText model file: what no training writes, though it can be read.

The format has no checksum. `filters.support.fasttext_file` refuses files that cannot be used; these checks refuse files that can be used,
but should not be. They follow from how fastText 0.9 trains and saves:

    settings     none is negative; the sampling threshold is a share
    dictionary   words and labels are separate tokens, each once, the most frequent first; labels share a prefix, words do not have it;
                 the counts add up to no more than all tokens
    buckets      those that remain in a pruned model have the positions 0 to n - 1, each once
    weights      0 or of ordinary size; rows with norms have the length 1

These checks miss a letter that became another letter, and changed last digits of a weight. Only a SHA-256 finds them. A file with the
SHA-256 that the recipe names is not checked here, so a model that is odd but right can be used.

Invariant: time is linear in the file's size, apart from sorting one number for each word; the weights take no memory.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.arrays import Bytes, Hashes, Integers
from curation.text.kernels import kernel
from curation.text.unicode_classes import decode_character

_LABEL = b"__label__"
"""The usual prefix of labels. Training may use another one, which the file does not record."""
_LARGEST_SETTING = 10**9
_LEAST, _MOST = 1e-25, 1e4
"""The limits of a weight's absolute value. Trained weights are below 100, and they are sums of steps above 1e-20."""
_SLACK = 1e-3
"""The tolerance of a norm's limit."""
_EMPTY, _NOT_UTF8, _PREFIX, _COUNT = range(1, 5)
_REASONS = {
    _EMPTY: "is empty or contains a space",
    _NOT_UTF8: "is not UTF-8",
    _PREFIX: f"is a word with the prefix of labels, {_LABEL.decode()}, or a label without it",
    _COUNT: "has a count that does not fit the others",
}

_Weights = npt.NDArray[np.float32]


class LooksDamaged(ValueError):
    """A file can be read but looks damaged."""


def check_unused_settings(unused: Sequence[int], threshold: float) -> None:
    """Check the settings that scoring does not depend on. Raises LooksDamaged."""
    if not all(0 <= value <= _LARGEST_SETTING for value in unused) or not 0 <= threshold <= 1:
        raise LooksDamaged(f"no training has such settings: {', '.join(map(str, unused))}, {threshold}")


def check_dictionary(data: Bytes, starts: Integers, words: int, tokens: int, names: Hashes, labels: Sequence[str]) -> None:
    """Check words and labels: entry i is data[starts[i]:starts[i + 1]], its last ten bytes a zero, a count and its kind.

    Raises LooksDamaged.
    """
    prefix = _LABEL if any(label.startswith(_LABEL.decode()) for label in labels) else b""
    entry, reason = _first_damaged(data, starts, words, tokens, np.frombuffer(prefix, np.uint8))
    if reason:
        raise LooksDamaged(f"entry {entry} of its dictionary {_REASONS[reason]}")
    ordered = np.sort(names)
    if (ordered[1:] == ordered[:-1]).any():
        raise LooksDamaged("its dictionary has a word twice")


def check_remaining(buckets: npt.NDArray[np.int32], positions: npt.NDArray[np.int32], count: int) -> None:
    """Check the remaining buckets of a pruned model and their positions. Raises LooksDamaged."""
    if not ((buckets >= 0) & (buckets < count)).all() or len(np.unique(buckets)) < len(buckets):
        raise LooksDamaged("a remaining bucket does not exist, or occurs twice")
    if not np.array_equal(np.sort(positions), np.arange(len(positions))):
        raise LooksDamaged("two of its remaining buckets have the same position")


def check_weights(weights: _Weights) -> None:
    """Check a matrix. Raises LooksDamaged."""
    place = _first_odd(weights.reshape(-1), np.float32(_LEAST), np.float32(_MOST))
    if place >= 0:
        raise LooksDamaged(f"weight {place} of a matrix is {weights.reshape(-1)[place]:.3g}")


def check_norms(centroids: Sequence[_Weights], norms: _Weights) -> None:
    """Check the centroids of rows of length 1, and the norms by which the rows are multiplied. Raises LooksDamaged."""
    if (norms < -_SLACK).any() or any((np.abs(part) > 1 + _SLACK).any() for part in centroids):
        raise LooksDamaged("a norm is negative, or a part of a row of length 1 is longer")


@kernel
def _first_damaged(data: Bytes, starts: Integers, words: int, tokens: int, prefix: Bytes) -> Any:
    """Return the first entry that looks damaged and the reason, or a reason of 0."""
    total, before = np.int64(0), np.int64(tokens)
    for entry in range(len(starts) - 1):
        begin, end = starts[entry], starts[entry + 1] - 10
        if begin == end:
            return entry, _EMPTY
        place = begin
        while place < end:
            byte = data[place]
            if byte == 32 or 9 <= byte <= 13:
                return entry, _EMPTY
            size = decode_character(data, place, end)[1]
            if byte >= 0x80 and size == 1:
                return entry, _NOT_UTF8
            place += size
        has_prefix = end - begin >= len(prefix) > 0
        if has_prefix:
            for letter in range(len(prefix)):
                has_prefix = has_prefix and data[begin + letter] == prefix[letter]
        if len(prefix) > 0 and has_prefix != (entry >= words):
            return entry, _PREFIX
        count = np.int64(0)
        for byte in range(8):
            count |= np.int64(data[end + 1 + byte]) << np.int64(8 * byte)
        if entry == words:
            before = np.int64(tokens)
        if count < 1 or count > before or count > tokens - total:
            return entry, _COUNT
        before = count
        total += count
    return 0, 0


@kernel
def _first_odd(weights: _Weights, least: Any, most: Any) -> int:
    """Return the place of the first weight that is neither 0 nor of ordinary size, or -1. NaN is not of ordinary size."""
    for place in range(len(weights)):
        size = abs(weights[place])
        if not (size == 0 or least <= size <= most):
            return place
    return -1

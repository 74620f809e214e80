"""The common part of the readings of Gopher's rules: stop words, found by their hashes (`curation.text.words`), and the shape of signals.

Source: Rae et al. 2021 (Gopher), appendix A.1.1.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pyarrow as pa

from curation.arrays import Array, Floats, Hashes, Integers, Scalar
from curation.errors import RecipeError
from curation.text.kernels import kernel
from curation.text.text import Text

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")


def share_of(part: Integers, whole: Integers) -> Floats:
    """Return part / whole, 0 where the whole is 0."""
    share: Floats = part / np.maximum(whole, 1)
    return share


@lru_cache(maxsize=64)
def hashes_of(stop_words: tuple[str, ...], lowered: bool = False) -> Hashes:
    """Return the distinct hashes of the stop words. Raises RecipeError if one is not one word, or has capitals and is `lowered`."""
    found = Text.from_strings(stop_words).words
    for index, word in enumerate(stop_words):
        if found.strings(index) != [word]:
            raise RecipeError(f"stop word {word!r} is not one word; name single words")
        if lowered and word != word.lower():
            raise RecipeError(f"stop word {word!r} is not in lower case, so no word in lower case is equal to it")
    return np.unique(found.hashes)


@kernel
def glance(hashes: Hashes) -> Scalar:
    """Return 64 bits, one of which each hash sets: a hash whose bit is not set is not among them."""
    bits = np.uint64(0)
    for value in hashes:
        bits |= np.uint64(1) << (value & np.uint64(63))
    return bits


def signals_from(types: Mapping[str, pa.DataType], table: Floats) -> dict[str, Array]:
    """Return the rows of a table as signals, in the order of their types; counts become whole numbers."""
    pairs = zip(types.items(), table, strict=True)
    return {name: column.astype(np.int32) if kind == pa.int32() else column for (name, kind), column in pairs}

"""The common part of the implementations of Gopher's quality rules: stop words, thresholds, and the conversion of a table to signals.

Stop words are found by their hashes (`curation.text.words`). Source: Rae et al. 2021 (Gopher), appendix A.1.1.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pyarrow as pa

from curation.arrays import Array, Floats, Hashes
from curation.errors import RecipeError
from curation.text.text import Text

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")

SHARED_THRESHOLDS = frozenset(
    {"min_words", "max_words", "max_symbol_ratio", "max_bullet_line_ratio", "max_ellipsis_line_ratio", "min_stop_words"}
)
"""Parameters that change no signal in any implementation."""


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


def signals_of(types: Mapping[str, pa.DataType], table: Floats) -> dict[str, Array]:
    """Return the rows of a table as signals, in the order of their types; counts become whole numbers."""
    pairs = zip(types.items(), table, strict=True)
    return {name: column.astype(np.int32) if kind == pa.int32() else column for (name, kind), column in pairs}

"""Gopher's eight stop words, and how a filter looks for words of a list: by the hashes that `curation.text.words` gives them.

Source: Rae et al. 2021 (Gopher), appendix A.1.1.
"""

from functools import lru_cache

import numpy as np

from curation.arrays import Hashes
from curation.errors import RecipeError
from curation.text.text import Text

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")


@lru_cache(maxsize=64)
def hashes_of(stop_words: tuple[str, ...], lowered: bool = False) -> Hashes:
    """Return the hash of each stop word, each once. Raises RecipeError for one that is no single word or, to be `lowered`, has capitals."""
    found = Text.from_strings(stop_words).words
    for index, word in enumerate(stop_words):
        if found.strings(index) != [word]:
            raise RecipeError(f"stop word {word!r} is not one word; name single words")
        if lowered and word != word.lower():
            raise RecipeError(f"stop word {word!r} is not in lower case, so no word in lower case is equal to it")
    return np.unique(found.hashes)

"""Token counts by a tokenizer.json of Hugging Face's tokenizers, the file that models come with.

A tokenizer.json may ask for truncation and padding. Both are disabled here: they would falsify the count, and padding depends on the batch.

Invariant: a count depends only on the text and on the file's bytes.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from curation.arrays import Integers
from curation.errors import RecipeError
from curation.storage.resources import digest, resolve_at_most

_MOST_BYTES = 512 << 20
"""Largest tokenizer.json in bytes; models come with up to about 35 million."""


def token_counts(texts: Sequence[str], tokenizer: str, special_tokens: bool = True) -> Integers:
    """Return the number of tokens in each text, with or without those that the tokenizer puts around a text (BOS, EOS).

    Raises InputError if the tokenizer is missing, RecipeError if it is not a tokenizer.
    """
    encoded = load_tokenizer(tokenizer).encode_batch_fast(texts, add_special_tokens=special_tokens)
    return np.fromiter((len(one.ids) for one in encoded), np.int64, len(texts))


def load_tokenizer(path: str) -> Any:
    """Return the tokenizer in a file, read once per process. Raises InputError if it is missing, RecipeError if it is not a tokenizer."""
    return _load(path, digest(path))


@lru_cache(maxsize=2)
def _load(path: str, sha256: str) -> Any:  # noqa: ARG001  (part of the cache key: a changed file is read again)
    from tokenizers import Tokenizer

    place = resolve_at_most(path, _MOST_BYTES, "a tokenizer")
    try:
        tokenizer = Tokenizer.from_file(str(place))
    except Exception as error:  # the library raises bare Exception
        raise RecipeError(f"tokenizer {path} cannot be read: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer

"""Counting a text's tokens with a tokenizer.json of Hugging Face's tokenizers, the file that models come with.

A tokenizer.json may say that texts are cut to a length and filled up to one; neither is done here, for it would count something else, and
the filling depends on the batch.

Invariant: a count depends on the text and on the file's bytes alone.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.errors import RecipeError
from curation.storage.resources import digest, resolve_at_most

_MOST_BYTES = 512 << 20
"""Most bytes of a tokenizer.json; the largest that models come with have some 35 million."""


def token_counts(texts: Sequence[str], tokenizer: str, special_tokens: bool = True) -> npt.NDArray[np.int64]:
    """Return the tokens in each text, with those that the tokenizer puts around a text (BOS, EOS) or without.

    Raises InputError where the tokenizer is missing, RecipeError where it is none.
    """
    encoded = load_tokenizer(tokenizer).encode_batch_fast(texts, add_special_tokens=special_tokens)
    return np.fromiter((len(one.ids) for one in encoded), np.int64, len(texts))


def load_tokenizer(path: str) -> Any:
    """Return the tokenizer of a file, read once a process. Raises InputError where it is missing, RecipeError where it is none."""
    return _load(path, digest(path))


@lru_cache(maxsize=2)
def _load(path: str, sha256: str) -> Any:  # noqa: ARG001  (a file that changes is read again)
    from tokenizers import Tokenizer

    place = resolve_at_most(path, _MOST_BYTES, "a tokenizer")
    try:
        tokenizer = Tokenizer.from_file(str(place))
    except Exception as error:  # the library raises bare Exception
        raise RecipeError(f"tokenizer {path} cannot be read: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer

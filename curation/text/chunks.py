"""The chunks of a batch of texts: runs of characters between spaces, as in `str.split`. Many published rules call these words.

A chunk is a run of tokens of `curation.text.words` without space between them, so chunks are found from the tokens without reading the text
again. In scripts written without spaces a chunk is a phrase or a whole sentence, and rules over chunks mean little.

Invariant: a text's chunks do not depend on its neighbours in the batch.
"""

from dataclasses import dataclass

import numpy as np

from curation.arrays import Flags, Integers, Unsigned32
from curation.text.column import Offsets
from curation.text.kernels import kernel
from curation.text.words import ALPHABETIC, Tokens, Words


@dataclass(frozen=True, eq=False)
class Chunks:
    """The m chunks of n texts: text i has chunks offsets[i] to offsets[i + 1]."""

    offsets: Offsets
    """n + 1 positions in the arrays below (int64)."""
    firsts: Unsigned32
    """First token of each chunk, counted from the start of its text."""
    sizes: Unsigned32
    """Tokens in each chunk."""
    characters: Unsigned32
    """Code points in each chunk."""
    alphabetic: Flags
    """Whether each chunk holds a letter."""

    @property
    def counts(self) -> Integers:
        """Number of chunks in each text."""
        return np.diff(self.offsets)


def find_chunks(words: Words) -> Chunks:
    """Find the chunks of every text from its tokens."""
    offsets = np.zeros(len(words.offsets), np.int64)
    firsts, sizes, characters = (np.empty(len(words.starts), np.uint32) for _ in range(3))
    alphabetic = np.empty(len(words.starts), np.bool_)
    found = _join_tokens(words.tokens, offsets, firsts, sizes, characters, alphabetic)
    return Chunks(offsets, firsts[:found], sizes[:found], characters[:found], alphabetic[:found])


@kernel
def _join_tokens(tokens: Tokens, offsets: Offsets, firsts: Unsigned32, sizes: Unsigned32, characters: Unsigned32, alphabetic: Flags) -> int:
    """Fill the arrays of chunks; return the number of chunks."""
    token_offsets, starts, ends, token_characters, _, kinds = tokens
    found = 0
    for text in range(len(offsets) - 1):
        begin, end = token_offsets[text], token_offsets[text + 1]
        first = begin
        length, letters = np.uint32(0), np.uint8(0)
        for token in range(begin, end):
            length += token_characters[token]
            letters |= kinds[token]
            if token + 1 == end or starts[token + 1] != ends[token]:
                firsts[found], sizes[found] = first - begin, token + 1 - first
                characters[found], alphabetic[found] = length, letters & ALPHABETIC != 0
                found += 1
                first, length, letters = token + 1, np.uint32(0), np.uint8(0)
        offsets[text + 1] = found
    return found

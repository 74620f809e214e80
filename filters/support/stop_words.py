"""The number of different stop words in a text, where each text has the list of its own language.

Ours. A list may contain an entry that is one token for another tokenizer but not for ours ("l'", "г.", a Thai word). So words are compared
as bytes of the text, at the borders of our tokens (`curation.text.words`): a stop word begins where a token begins and ends where a token
ends. A stop word that ends in an apostrophe may end anywhere, because it begins a word ("l'eau"). The words of a list that is marked
`within` may occur anywhere, also inside words.

The comparison is case-sensitive.

Invariant: a text's number depends only on the text and its list, not on the batch.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from curation.arrays import Bytes, Flags, Integers, Integers32, Scalar
from curation.text.column import Offsets, offsets_of
from curation.text.kernels import inline_kernel, kernel
from curation.text.text import Text
from curation.text.words import Tokens

_APOSTROPHE = 0x27


class StopWordLists(NamedTuple):
    """Lists of words as arrays: list i has words list_offsets[i] to list_offsets[i + 1], word j has bytes offsets[j] to offsets[j + 1]."""

    data: Bytes
    offsets: Offsets
    list_offsets: Offsets
    within: Flags
    """Whether the words of each list count anywhere in the text."""

    @classmethod
    def of(cls, lists: Sequence[tuple[Sequence[str], bool]]) -> "StopWordLists":
        """Build the arrays from pairs (words, within); a word that is listed twice counts once."""
        distinct = [list(dict.fromkeys(words)) for words, _ in lists]
        words = [word.encode() for entry in distinct for word in entry]
        return cls(
            np.frombuffer(b"".join(words), np.uint8),
            _offsets([len(word) for word in words]),
            _offsets([len(entry) for entry in distinct]),
            np.array([within for _, within in lists], np.bool_),
        )


def count_stop_words(text: Text, lists: StopWordLists, list_of_text: Integers) -> Integers32:
    """Return the number of different words of its list in each text; 0 for a text whose list is -1."""
    counts = np.zeros(len(text), np.int32)
    words = text.words
    _count(text.data, text.offsets, words.tokens, lists, list_of_text, counts)
    return counts


def _offsets(lengths: Sequence[int]) -> Offsets:
    return offsets_of(np.array(lengths, np.int64))


@inline_kernel
def _stands_at(data: Bytes, place: Scalar, word_data: Bytes, word_begin: Scalar, length: Scalar) -> Scalar:
    """Return whether a word's bytes are at `place`; at least `length` bytes of the text follow there."""
    same = 0
    while same < length and data[place + same] == word_data[word_begin + same]:
        same += 1
    return same == length


@kernel
def _count(data: Bytes, text_offsets: Offsets, tokens: Tokens, lists: StopWordLists, list_of_text: Integers, counts: Integers32) -> None:
    """Write the number of different words of its list in each text."""
    token_offsets, starts, ends = tokens.offsets, tokens.starts, tokens.ends
    word_data, word_offsets, list_offsets, within = lists
    found = np.zeros(len(word_offsets), np.bool_)
    for text in range(len(text_offsets) - 1):
        own = list_of_text[text]
        if own < 0:
            continue
        begin, end = text_offsets[text], text_offsets[text + 1]
        first, last = list_offsets[own], list_offsets[own + 1]
        different = 0
        if within[own]:
            for word in range(first, last):
                length = word_offsets[word + 1] - word_offsets[word]
                for place in range(begin, end - length + 1):
                    if _stands_at(data, place, word_data, word_offsets[word], length):
                        different += 1
                        break
        else:
            for word in range(first, last):
                found[word] = False
            for token in range(token_offsets[text], token_offsets[text + 1]):
                place = begin + np.int64(starts[token])
                for word in range(first, last):
                    length = word_offsets[word + 1] - word_offsets[word]
                    if found[word] or place + length > end or not _stands_at(data, place, word_data, word_offsets[word], length):
                        continue
                    closing = token
                    while begin + np.int64(ends[closing]) < place + length:
                        closing += 1
                    if begin + np.int64(ends[closing]) == place + length or word_data[word_offsets[word + 1] - 1] == _APOSTROPHE:
                        found[word] = True
                        different += 1
                if different == last - first:
                    break
        counts[text] = different

"""How many different stop words a text holds, each text with the list of its own language.

Ours. A list may hold what is one token to another tokenizer and not to ours ("l'", "г.", a Thai word), so words are compared as bytes of
the text, at the borders of our tokens (`curation.text.words`): a stop word begins where a token begins and ends where a token ends; one
that ends in an apostrophe ends anywhere, for it stands at the head of a word ("l'eau"). A list that asks for it is looked for anywhere,
within words too.

Words are compared as they are written; case counts.

Invariant: a text's number depends on that text and its list, not on the batch.
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
    """Lists of words as arrays: list i has the words from list_offsets[i], word j the bytes from offsets[j], each up to the next."""

    data: Bytes
    offsets: Offsets
    list_offsets: Offsets
    within: Flags
    """For each list, whether its words count anywhere in the text."""

    @classmethod
    def of(cls, lists: Sequence[tuple[Sequence[str], bool]]) -> "StopWordLists":
        """Return lists of (words, within); a word that is named twice counts once."""
        distinct = [list(dict.fromkeys(words)) for words, _ in lists]
        words = [word.encode() for entry in distinct for word in entry]
        return cls(
            np.frombuffer(b"".join(words), np.uint8),
            _offsets([len(word) for word in words]),
            _offsets([len(entry) for entry in distinct]),
            np.array([within for _, within in lists], np.bool_),
        )


def count_stop_words(text: Text, lists: StopWordLists, list_of_text: Integers) -> Integers32:
    """Return how many different words of its list each text holds; 0 for a text whose list is -1."""
    counts = np.zeros(len(text), np.int32)
    words = text.words
    _count(text.data, text.offsets, words.tokens, lists, list_of_text, counts)
    return counts


def _offsets(lengths: Sequence[int]) -> Offsets:
    return offsets_of(np.array(lengths, np.int64))


@inline_kernel
def _stands_at(data: Bytes, place: Scalar, word_data: Bytes, word_begin: Scalar, length: Scalar) -> Scalar:
    """Return whether a word's bytes stand at a place that has at least `length` bytes before the text's end."""
    same = 0
    while same < length and data[place + same] == word_data[word_begin + same]:
        same += 1
    return same == length


@kernel
def _count(data: Bytes, text_offsets: Offsets, tokens: Tokens, lists: StopWordLists, list_of_text: Integers, counts: Integers32) -> None:
    """Fill `counts`."""
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

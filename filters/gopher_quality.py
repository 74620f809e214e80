"""Gopher's quality rules as datatrove and FineWeb read them: does a text read like sentences of a natural language?

Source: Rae et al. 2021, "Scaling Language Models: Methods, Analysis & Insights from Training Gopher", appendix A.1.1, in the form datatrove
gave them for FineWeb (Penedo et al. 2024). Implementations of these rules differ in detail; `gopher_quality_dclm` and
`gopher_quality_dolma` are two others. This is datatrove's:

    words               number of tokens that do not consist of punctuation only (`filters.support.punctuation`)
    mean_word_length    mean number of characters of such a token
    hash_ratio          number of "#" divided by the number of tokens (words and symbols)
    ellipsis_ratio      number of "..." and "…" divided by the number of tokens
    bullet_line_ratio   share of lines whose first visible character is "•" or "-"
    ellipsis_line_ratio share of lines whose last visible characters are "..." or "…"
    alphabetic_word_ratio  share of all tokens that contain a letter
    stop_words          number of different stop words that occur, case-sensitive

Equal to datatrove 0.10.1 in every signal and verdict on the same tokens (`tests/parity`). Its own tokens are spaCy's; ours are those of
`curation.text.words`. Lines are those that `str.splitlines` gives.

A text without such tokens has mean_word_length 0, and a text without any token has ratios of 0; both are dropped first as too short.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from curation.arrays import Bytes, Floats, Hashes, Integers, Scalar, Table, Unsigned32
from curation.choices import NonNegative, Share
from curation.text.column import Offsets
from curation.text.kernels import inline_kernel, kernel
from curation.text.simd import lower_bound
from curation.text.text import Text
from curation.text.unicode_classes import decode_character
from curation.text.words import ALPHABETIC, WORD, Tokens
from filters.contract import Rule, Signals, Threshold, above, below
from filters.gopher_readings import QUALITY_EXAMPLES, GopherQualityReading
from filters.support.gopher_rules import glance, signals_from
from filters.support.punctuation import punctuation_marks

_POINT, _HASH, _HYPHEN = 0x2E, 0x23, 0x2D
_ASCII_END, _FULL_WIDTH_LEAD = 0x80, 0xEF
_ELLIPSIS_UTF8 = 0xE280A6
_BULLET_UTF8 = 0xE280A2


@dataclass(frozen=True)
class GopherQuality(GopherQualityReading):
    """Drops texts that are too short, too long, or not made of sentences. All defaults are the paper's, section A.1.1.

    stop_words              the paper's eight; compared as they are written
    min_words, max_words    50 and 100,000 words
    min_mean_word_length, max_mean_word_length   3 and 10 characters
    max_symbol_ratio        0.1, for "#" and for ellipses each
    max_bullet_line_ratio   0.9
    max_ellipsis_line_ratio 0.3
    min_alphabetic_word_ratio  0.8
    min_stop_words          2 different ones (the paper says "at least two"; datatrove counts different ones)
    """

    min_mean_word_length: Threshold[NonNegative] = 3
    max_mean_word_length: Threshold[NonNegative] = 10
    min_alphabetic_word_ratio: Threshold[Share] = 0.8

    signal_types: ClassVar[Mapping[str, pa.DataType]] = {
        "words": pa.int32(),
        "mean_word_length": pa.float64(),
        "hash_ratio": pa.float64(),
        "ellipsis_ratio": pa.float64(),
        "bullet_line_ratio": pa.float64(),
        "ellipsis_line_ratio": pa.float64(),
        "alphabetic_word_ratio": pa.float64(),
        "stop_words": pa.int32(),
    }
    version: ClassVar[int] = 2
    examples = (
        *QUALITY_EXAMPLES,
        ("Donaudampfschiffahrtsgesellschaft Rindfleischetikettierung and the " * 20, "long_words"),
        ("Today at the market #food #fresh #local with my friends. " * 10, "many_hashes"),
        ("And then... she said... that the end... was near. " * 10, "many_ellipses"),
        ("The 1066 and 1914 1939 1945 1969 1989 2001 " * 10, "few_alphabetic_words"),
    )

    def signals(self, text: Text, documents: Table) -> Signals:  # noqa: ARG002
        """Measure a batch in one pass over its tokens and one over the ends of its lines."""
        words, lines = text.words, text.unicode_lines
        table = np.zeros((len(self.signal_types), len(text)), np.float64)
        _measure_words(text.data, text.offsets, words.tokens, self.stop_hashes, punctuation_marks(), table)
        _measure_lines(text.data, text.offsets, lines.offsets, lines.visible_starts, lines.visible_ends, table)
        return signals_from(self.signal_types, table)

    def rules(self) -> Mapping[str, Rule]:
        """Return the paper's rules in datatrove's order."""
        return {
            **self.word_rules("mean_word_length"),
            "many_hashes": above("hash_ratio", self.max_symbol_ratio),
            "many_ellipses": above("ellipsis_ratio", self.max_symbol_ratio),
            **self.line_rules(),
            "few_alphabetic_words": below("alphabetic_word_ratio", self.min_alphabetic_word_ratio),
            **self.stop_word_rule(),
        }


@inline_kernel
def _three_bytes(data: Bytes, place: Scalar) -> Scalar:
    return np.int64(data[place]) << 16 | np.int64(data[place + 1]) << 8 | np.int64(data[place + 2])


@kernel
def _holds_other_than(marks: Integers, data: Bytes, start: int, end: int) -> bool:
    """Return whether data[start:end] contains a character that is not one of `marks`."""
    place = start
    while place < end:
        point, size = decode_character(data, place, end)
        nearest = lower_bound(marks, point)
        if nearest == len(marks) or marks[nearest] != point:
            return True
        place += size
    return False


@kernel
def _measure_words(data: Bytes, text_offsets: Offsets, tokens: Tokens, stop_words: Hashes, punctuation: Integers, table: Floats) -> None:
    """Fill the rows of `table` (signals in the order of signal_types) that are measured on tokens.

    Only a symbol, or a token that begins like the full-width digit one, can consist of punctuation alone. `some` has a bit for each stop
    word, so that one look rules out most other words.
    """
    offsets, starts, ends, characters, hashes, kinds = tokens
    seen = np.empty(len(stop_words), np.int64)  # the text that a stop word was found in last
    for stop in range(len(stop_words)):
        seen[stop] = -1
    some = glance(stop_words)
    for text in range(len(offsets) - 1):
        begin = text_offsets[text]
        words = number_signs = ellipses = alphabetic = different = 0
        length = np.int64(0)
        for token in range(offsets[text], offsets[text + 1]):
            place = begin + np.int64(starts[token])
            kind, first = kinds[token], data[place]
            counts = kind & WORD != 0 and first != _FULL_WIDTH_LEAD
            if not counts and (first >= _ASCII_END or ends[token] - starts[token] != characters[token]):
                counts = _holds_other_than(punctuation, data, place, begin + np.int64(ends[token]))
            if counts:
                words += 1
                length += np.int64(characters[token])
            alphabetic += (kind & ALPHABETIC) != 0
            if kind & WORD:
                if some >> (hashes[token] & np.uint64(63)) & np.uint64(1):
                    for stop in range(len(stop_words)):
                        if hashes[token] == stop_words[stop] and seen[stop] != text:
                            seen[stop] = text
                            different += 1
            elif first == _HASH:
                number_signs += 1
            elif first == _POINT:
                points = 1
                while place + points < text_offsets[text + 1] and data[place + points] == _POINT:
                    points += 1
                ellipses += points // 3
            elif first == _ELLIPSIS_UTF8 >> 16 and place + 3 <= text_offsets[text + 1]:
                ellipses += int(_three_bytes(data, place) == _ELLIPSIS_UTF8)
        count = max(offsets[text + 1] - offsets[text], 1)
        table[0, text] = words
        table[1, text] = length / max(words, 1)
        table[2, text] = number_signs / count
        table[3, text] = ellipses / count
        table[6, text] = alphabetic / count
        table[7, text] = different


@kernel
def _measure_lines(
    data: Bytes, text_offsets: Offsets, offsets: Offsets, visible_starts: Unsigned32, visible_ends: Unsigned32, table: Floats
) -> None:
    """Fill the rows of `table` that are measured on lines."""
    for text in range(len(offsets) - 1):
        begin = text_offsets[text]
        bullets = ellipses = 0
        for line in range(offsets[text], offsets[text + 1]):
            start, stop = begin + np.int64(visible_starts[line]), begin + np.int64(visible_ends[line])
            if start < stop and data[start] == _HYPHEN:
                bullets += 1
            if stop - start >= 3:
                bullets += _three_bytes(data, start) == _BULLET_UTF8
                last = _three_bytes(data, stop - 3)
                ellipses += last in (_ELLIPSIS_UTF8, 0x2E2E2E)
        lines = max(offsets[text + 1] - offsets[text], 1)
        table[4, text] = bullets / lines
        table[5, text] = ellipses / lines

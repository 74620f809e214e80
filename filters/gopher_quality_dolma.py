"""Gopher's quality rules as Dolma reads them.

Source: Rae et al. 2021 (Gopher), appendix A.1.1, as in Soldaini et al. 2024, "Dolma", `python/dolma/taggers/gopher.py`. A chunk is a run
of characters between spaces (`curation.text.chunks`). Capitals mark the differences from datatrove's reading (`gopher_quality`):

    words               number of CHUNKS
    median_word_length  MEDIAN number of characters of a chunk
    symbol_ratio        share of chunks that CONTAIN "#" or "…"
    alphabetic_ratio    share of CHUNKS that contain a letter
    stop_words          NUMBER OF OCCURRENCES of stop words, case-sensitive; a chunk with punctuation is no stop word
    bullet_line_ratio   share of LINES whose first character is * or -, among all lines, including blank ones
    ellipsis_line_ratio share of lines whose last character is "…"

Equal to a plain twin written from that source. A text without chunks has signals of 0 and is dropped as too short.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from curation.arrays import Bytes, Flags, Floats, Hashes, Integers, Table, Unsigned32
from curation.choices import NonNegative, Share
from curation.text.column import Offsets
from curation.text.kernels import kernel
from curation.text.text import Text
from curation.text.unicode_classes import decode_character
from curation.text.words import Tokens
from filters.contract import Rule, Signals, Threshold, above, below
from filters.gopher_readings import QUALITY_EXAMPLES, GopherQualityReading
from filters.support.gopher_rules import signals_from

_HASH, _STAR, _HYPHEN, _ELLIPSIS = 0x23, 0x2A, 0x2D, 0x2026


@dataclass(frozen=True)
class GopherQualityDolma(GopherQualityReading):
    """Drops texts that are too short, too long, or not made of sentences. All defaults are the paper's, as in Dolma.

    stop_words              the paper's eight; compared as they are written
    min_words, max_words    50 and 100,000 chunks
    min_median_word_length, max_median_word_length   3 and 10 characters
    max_symbol_ratio        0.1
    min_alphabetic_ratio    0.8
    min_stop_words          2 occurrences
    max_bullet_line_ratio   0.9
    max_ellipsis_line_ratio 0.3
    """

    min_median_word_length: Threshold[NonNegative] = 3
    max_median_word_length: Threshold[NonNegative] = 10
    min_alphabetic_ratio: Threshold[Share] = 0.8

    signal_types: ClassVar[Mapping[str, pa.DataType]] = {
        "words": pa.int32(),
        "median_word_length": pa.float64(),
        "symbol_ratio": pa.float64(),
        "alphabetic_ratio": pa.float64(),
        "stop_words": pa.int32(),
        "bullet_line_ratio": pa.float64(),
        "ellipsis_line_ratio": pa.float64(),
    }
    examples = (
        *QUALITY_EXAMPLES,
        ("We go to the #market with #friends and have #fun there. " * 8, "many_symbols"),
        ("The year 1066 and 1914 and 1939 of 1945 " * 10, "few_alphabetic_words"),
    )

    def signals(self, text: Text, documents: Table) -> Signals:  # noqa: ARG002
        """Measure a batch on its chunks and lines."""
        words, chunks, lines = text.words, text.chunks, text.lines
        table = np.zeros((len(self.signal_types), len(text)), np.float64)
        of_chunks = (chunks.offsets, chunks.firsts, chunks.sizes, chunks.characters, chunks.alphabetic)
        longest = int(chunks.characters.max(initial=0))
        stop_words = self.stop_hashes
        _measure_chunks(text.data, text.offsets, words.tokens, *of_chunks, stop_words, longest, table)
        _measure_lines(text.data, text.offsets, lines.offsets, lines.starts, lines.ends, table)
        return signals_from(self.signal_types, table)

    def rules(self) -> Mapping[str, Rule]:
        """Return the rules in the order of the tagger's attributes."""
        return {
            **self.word_rules("median_word_length"),
            "many_symbols": above("symbol_ratio", self.max_symbol_ratio),
            "few_alphabetic_words": below("alphabetic_ratio", self.min_alphabetic_ratio),
            **self.stop_word_rule(),
            **self.line_rules(),
        }


@kernel
def _measure_chunks(
    data: Bytes,
    text_offsets: Offsets,
    tokens: Tokens,
    offsets: Offsets,
    firsts: Unsigned32,
    sizes: Unsigned32,
    characters: Unsigned32,
    alphabetic: Flags,
    stop_words: Hashes,
    longest: int,
    table: Floats,
) -> None:
    """Fill the rows of `table` that are measured on chunks, with working space for chunks of `longest` characters."""
    token_offsets, starts, hashes = tokens.offsets, tokens.starts, tokens.hashes
    of_length = np.zeros(longest + 1, np.int64)
    for text in range(len(offsets) - 1):
        begin, end = text_offsets[text], text_offsets[text + 1]
        with_letters = with_symbols = stops = 0
        most = np.int64(0)
        for chunk in range(offsets[text], offsets[text + 1]):
            length = np.int64(characters[chunk])
            of_length[length] += 1
            most = max(most, length)
            with_letters += alphabetic[chunk]
            marked = False
            first = token_offsets[text] + np.int64(firsts[chunk])
            for token in range(first, first + np.int64(sizes[chunk])):
                place = begin + np.int64(starts[token])
                marked |= data[place] == _HASH or (data[place] == 0xE2 and decode_character(data, place, end)[0] == _ELLIPSIS)
            with_symbols += marked
            if sizes[chunk] == 1:
                for stop in range(len(stop_words)):
                    stops += hashes[first] == stop_words[stop]
        chunks = offsets[text + 1] - offsets[text]
        table[0, text] = chunks
        table[1, text] = _median(of_length, chunks)
        table[2, text] = with_symbols / max(chunks, 1)
        table[3, text] = with_letters / max(chunks, 1)
        table[4, text] = stops
        of_length[: most + 1] = 0


@kernel
def _median(of_length: Integers, count: int) -> float:
    """Return the median of `count` lengths, where length i occurs of_length[i] times; 0 if there are none."""
    if count == 0:
        return 0.0
    lower, before = np.int64(-1), np.int64(0)
    for length in range(len(of_length)):
        before += of_length[length]
        if lower < 0 and before > (count - 1) // 2:
            lower = np.int64(length)
        if before > count // 2:
            return (lower + length) / 2
    return 0.0


@kernel
def _measure_lines(data: Bytes, text_offsets: Offsets, offsets: Offsets, starts: Unsigned32, ends: Unsigned32, table: Floats) -> None:
    """Fill the rows of `table` that are measured on lines. Every text has at least one line."""
    for text in range(len(offsets) - 1):
        begin = text_offsets[text]
        bullets = ellipses = 0
        for line in range(offsets[text], offsets[text + 1]):
            start, stop = begin + np.int64(starts[line]), begin + np.int64(ends[line])
            bullets += start < stop and data[start] in (_STAR, _HYPHEN)
            ellipses += stop - start >= 3 and decode_character(data, stop - 3, stop)[0] == _ELLIPSIS
        table[5, text] = bullets / (offsets[text + 1] - offsets[text])
        table[6, text] = ellipses / (offsets[text + 1] - offsets[text])

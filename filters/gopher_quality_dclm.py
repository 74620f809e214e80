"""Gopher's quality rules as DCLM reads them, for its reproduction of RefinedWeb.

Source: Rae et al. 2021 (Gopher), appendix A.1.1, as in Li et al. 2024, "DataComp-LM", `baselines/mappers/filters/content_filters.py` and
`dclm_baseline_refinedweb.yaml`. A chunk is a run of characters between spaces (`curation.text.chunks`). Capitals mark the differences from
datatrove's reading (`gopher_quality`):

    words               runs of characters between ASCII SPACES or NUL that BEGIN WITH a letter or number (fastText's tokenizer)
    mean_word_length    mean number of characters of a CHUNK, including punctuation
    symbol_ratio        number of "#", "...", ". . ." and "…" TOGETHER, divided by the number of chunks
    bullet_line_ratio   share of LINES THAT ARE NOT BLANK whose first visible character is ●, •, * or -
    ellipsis_line_ratio share of these lines whose last visible characters are "...", ". . ." or "…"
    non_alphabetic_ratio   share of CHUNKS without a letter
    stop_words          NUMBER OF OCCURRENCES of stop words IN LOWER CASE; a chunk with punctuation is no stop word

Equal to a plain twin that was written from a reading of that source; the source itself was not run. A text without chunks has ratios of 0
and is dropped as too short.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from curation.arrays import Bytes, Flags, Floats, Hashes, Scalar, Table, Unsigned32
from curation.choices import NonNegative, Share
from curation.text.column import Offsets
from curation.text.kernels import inline_kernel, kernel
from curation.text.text import Text
from curation.text.unicode_classes import decode_character
from curation.text.words import WORD, Tokens
from filters.contract import Rule, Signals, Threshold, above
from filters.gopher_readings import QUALITY_EXAMPLES, GopherQualityReading
from filters.support.gopher_rules import glance, signals_from

_POINT, _HASH, _SPACE, _ELLIPSIS = 0x2E, 0x23, 0x20, 0x2026
_BULLETS = (0x25CF, 0x2022, 0x2A, 0x2D)


@dataclass(frozen=True)
class GopherQualityDclm(GopherQualityReading):
    """Drops texts that are too short, too long, or not made of sentences. All defaults are DCLM's.

    stop_words              the paper's eight, in lower case
    min_words, max_words    50 and 100,000 words
    min_mean_word_length, max_mean_word_length   3 and 10 characters
    max_symbol_ratio        0.1
    max_bullet_line_ratio   0.9
    max_ellipsis_line_ratio 0.3
    max_non_alphabetic_ratio   0.2
    min_stop_words          2 occurrences
    """

    min_mean_word_length: Threshold[NonNegative] = 3
    max_mean_word_length: Threshold[NonNegative] = 10
    max_non_alphabetic_ratio: Threshold[Share] = 0.2

    lowers_words: ClassVar[bool] = True
    signal_types: ClassVar[Mapping[str, pa.DataType]] = {
        "words": pa.int32(),
        "mean_word_length": pa.float64(),
        "symbol_ratio": pa.float64(),
        "bullet_line_ratio": pa.float64(),
        "ellipsis_line_ratio": pa.float64(),
        "non_alphabetic_ratio": pa.float64(),
        "stop_words": pa.int32(),
    }
    examples = (
        *QUALITY_EXAMPLES,
        ("Look... at the bread... that we have baked. " * 9, "many_symbols"),
        ("The year 1066 and 1914 and 1939 of 1945 " * 10, "many_non_alphabetic_words"),
    )

    def signals(self, text: Text, documents: Table) -> Signals:  # noqa: ARG002
        """Measure a batch on its tokens and lines."""
        words, chunks, lines = text.words, text.chunks, text.lines
        table = np.zeros((len(self.signal_types), len(text)), np.float64)
        _measure_symbols(text.data, text.offsets, words.tokens, chunks.offsets, table)
        of_chunks = (chunks.offsets, chunks.firsts, chunks.sizes, chunks.characters, chunks.alphabetic)
        stop_words = self.stop_hashes
        _measure_chunks(words.offsets, words.lowered, *of_chunks, stop_words, table)
        _measure_lines(text.data, text.offsets, lines.offsets, lines.visible_starts, lines.visible_ends, table)
        return signals_from(self.signal_types, table)

    def rules(self) -> Mapping[str, Rule]:
        """Return the rules in DCLM's order."""
        return {
            **self.word_rules("mean_word_length"),
            "many_symbols": above("symbol_ratio", self.max_symbol_ratio),
            **self.line_rules(),
            "many_non_alphabetic_words": above("non_alphabetic_ratio", self.max_non_alphabetic_ratio),
            **self.stop_word_rule(),
        }


@inline_kernel
def _is_spaced_ellipsis(data: Bytes, place: Scalar, end: Scalar) -> Scalar:
    """Return whether ". . ." begins at `place`, where there is a point."""
    return (
        place + 5 <= end
        and data[place + 1] == _SPACE
        and data[place + 2] == _POINT
        and data[place + 3] == _SPACE
        and data[place + 4] == _POINT
    )


@kernel
def _measure_symbols(data: Bytes, text_offsets: Offsets, tokens: Tokens, chunk_offsets: Offsets, table: Floats) -> None:
    """Fill the rows of `table` for words and symbols. Occurrences of one symbol do not overlap each other."""
    offsets, starts, kinds = tokens.offsets, tokens.starts, tokens.kinds
    for text in range(len(offsets) - 1):
        begin, end = text_offsets[text], text_offsets[text + 1]
        words = symbols = 0
        after_spaced = begin
        for token in range(offsets[text], offsets[text + 1]):
            place = begin + np.int64(starts[token])
            if kinds[token] & WORD:
                before = data[place - 1] if place > begin else np.uint8(_SPACE)
                words += before in (0x20, 0x00, 0x09, 0x0A, 0x0B, 0x0C, 0x0D)
            elif data[place] == _HASH:
                symbols += 1
            elif data[place] == _POINT:
                points = 0
                while place + points < end and data[place + points] == _POINT:
                    if place + points >= after_spaced and _is_spaced_ellipsis(data, place + points, end):
                        symbols += 1
                        after_spaced = place + points + 5
                    points += 1
                symbols += points // 3
            elif data[place] == 0xE2:
                symbols += decode_character(data, place, end)[0] == _ELLIPSIS
        table[0, text] = words
        table[2, text] = symbols / max(chunk_offsets[text + 1] - chunk_offsets[text], 1)


@kernel
def _measure_chunks(
    token_offsets: Offsets,
    lowered: Hashes,
    offsets: Offsets,
    firsts: Unsigned32,
    sizes: Unsigned32,
    characters: Unsigned32,
    alphabetic: Flags,
    stop_words: Hashes,
    table: Floats,
) -> None:
    """Fill the rows of `table` that are measured on chunks. A chunk that is a stop word is a single token."""
    some = glance(stop_words)
    for text in range(len(offsets) - 1):
        length = stops = without_letters = np.int64(0)
        for chunk in range(offsets[text], offsets[text + 1]):
            length += np.int64(characters[chunk])
            without_letters += not alphabetic[chunk]
            own = lowered[token_offsets[text] + np.int64(firsts[chunk])]
            if some >> (own & np.uint64(63)) & np.uint64(1) and sizes[chunk] == 1:
                for stop in range(len(stop_words)):
                    stops += own == stop_words[stop]
        count = max(offsets[text + 1] - offsets[text], 1)
        table[1, text] = length / count
        table[5, text] = without_letters / count
        table[6, text] = stops


@kernel
def _measure_lines(
    data: Bytes, text_offsets: Offsets, offsets: Offsets, visible_starts: Unsigned32, visible_ends: Unsigned32, table: Floats
) -> None:
    """Fill the rows of `table` that are measured on lines."""
    for text in range(len(offsets) - 1):
        begin = text_offsets[text]
        lines = bullets = ellipses = 0
        for line in range(offsets[text], offsets[text + 1]):
            start, stop = begin + np.int64(visible_starts[line]), begin + np.int64(visible_ends[line])
            if start == stop:
                continue
            lines += 1
            bullets += decode_character(data, start, stop)[0] in _BULLETS
            if stop - start >= 3:
                if data[stop - 1] == _POINT:
                    close = data[stop - 2] == _POINT and data[stop - 3] == _POINT
                    ellipses += close or (stop - start >= 5 and data[stop - 5] == _POINT and _is_spaced_ellipsis(data, stop - 5, stop))
                else:
                    ellipses += decode_character(data, stop - 3, stop)[0] == _ELLIPSIS
        table[3, text] = bullets / max(lines, 1)
        table[4, text] = ellipses / max(lines, 1)

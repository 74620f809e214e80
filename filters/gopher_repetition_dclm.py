"""Gopher's repetition rules as DCLM reads them, for its reproduction of RefinedWeb.

Source: Rae et al. 2021 (Gopher), appendix A.1.1, table A1, as in Li et al. 2024, "DataComp-LM",
`baselines/mappers/filters/content_filters.py`. Capitals mark the differences from datatrove's reading (`gopher_repetition`):

    lines           number of lines that are not blank
    duplicate_line_share, duplicate_paragraph_share
                    share of lines (paragraphs) that occur more than once: of three equal ones, ALL THREE are duplicates
    duplicate_line_characters, duplicate_paragraph_characters
                    characters of these duplicates divided by the characters OF ALL LINES (PARAGRAPHS)
    top_2_gram .. top_4_gram
                    characters of the LONGEST of the most frequent n-grams of WORDS (no symbols), WITHOUT SPACES, times its occurrences,
                    divided by the characters OF ALL WORDS; 0 IF NO N-GRAM OCCURS TWICE
    duplicate_5_gram .. duplicate_10_gram
                    characters of the words in ANY n-gram that occurs more than once, EACH WORD ONCE, divided by the characters OF ALL WORDS

Lines are cut at newlines, paragraphs at pairs of newlines. Both are STRIPPED, and EMPTY ONES ARE IGNORED. A text with a single line
(paragraph) has signals of 0 for lines (paragraphs). A text without any line is dropped (`lines` is 0).

Equal to a plain twin written from that source, on the words of `curation.text.words`; the original's words are those of the package uniseg.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from curation.arrays import Bytes, Integers, Table
from curation.text.column import Offsets, offsets_of
from curation.text.kernels import kernel
from curation.text.lines import strip
from curation.text.repeated_ngrams import DUPLICATED, TOP, covered_characters
from curation.text.text import Text
from curation.text.unicode_classes import character_classes
from curation.text.words import hash_bytes
from filters.contract import Rule, Signals, below
from filters.gopher_readings import REPETITION_EXAMPLES, GopherRepetitionReading
from filters.support.gopher_rules import share_of

_NEWLINE = 0x0A


@dataclass(frozen=True)
class GopherRepetitionDclm(GopherRepetitionReading):
    """Drops texts that repeat themselves. Every default is the paper's, table A1.

    max_duplicate_line_share, max_duplicate_paragraph_share             0.30
    max_duplicate_line_characters, max_duplicate_paragraph_characters   0.20
    max_top_2_gram, max_top_3_gram, max_top_4_gram                      0.20, 0.18, 0.16
    max_duplicate_5_gram, max_duplicate_6_gram, max_duplicate_7_gram    0.15, 0.14, 0.13
    max_duplicate_8_gram, max_duplicate_9_gram, max_duplicate_10_gram   0.12, 0.11, 0.10
    """

    signal_types: ClassVar[Mapping[str, pa.DataType]] = {
        "lines": pa.int32(),
        **dict.fromkeys(
            (
                "duplicate_line_share",
                "duplicate_paragraph_share",
                "duplicate_line_characters",
                "duplicate_paragraph_characters",
                *(f"top_{n}_gram" for n in TOP),
                *(f"duplicate_{n}_gram" for n in DUPLICATED),
            ),
            pa.float64(),
        ),
    }
    examples = (
        *REPETITION_EXAMPLES,
        (
            "One.\nTwo.\nThree.\nFour.\nFive.\nSix of them.\nSign up for our weekly letter.\nSign up for our weekly letter.",
            "duplicate_line_characters",
        ),
        (" \n ", "empty"),
    )

    def signals(self, text: Text, documents: Table) -> Signals:  # noqa: ARG002
        """Measure a batch: lines and paragraphs that occur more than once, then repeated n-grams of words."""
        counts = np.zeros((2, 4, len(text)), np.int64)
        longest = int(text.lines.counts.max(initial=0))
        for row, newlines in enumerate((1, 2)):
            _count_pieces(text.data, text.offsets, character_classes(), newlines, longest, counts[row])
        lines, paragraphs = counts
        offsets, _, characters = text.words.without_symbols
        before = offsets_of(characters)
        columns = (
            lines[0].astype(np.int32),
            share_of(lines[1], lines[0]),
            share_of(paragraphs[1], paragraphs[0]),
            share_of(lines[3], lines[2]),
            share_of(paragraphs[3], paragraphs[2]),
            *share_of(covered_characters(text.words), before[offsets[1:]] - before[offsets[:-1]]),
        )
        return dict(zip(self.signal_types, columns, strict=True))

    def rules(self) -> Mapping[str, Rule]:
        """Return the rules in DCLM's order, each named like its signal."""
        return {"empty": below("lines", 1), **super().rules()}


@kernel
def _count_pieces(data: Bytes, text_offsets: Offsets, classes: Bytes, newlines: int, longest: int, counts: Integers) -> None:
    """Fill the rows of `counts`: pieces, pieces that occur more than once, and the characters of both.

    The text is cut, from the left, at every run of `newlines` newlines. Pieces are stripped, and empty ones are ignored.
    """
    slots = 64
    while slots < 2 * longest:
        slots *= 2
    keys, times = np.empty(slots, np.uint64), np.zeros(slots, np.int64)
    filled = np.full(slots, -1, np.int64)  # the text that filled a slot last
    for text in range(len(text_offsets) - 1):
        place, end = text_offsets[text], text_offsets[text + 1]
        while place < end:
            stop = place
            while stop < end and not (data[stop] == _NEWLINE and (newlines == 1 or (stop + 1 < end and data[stop + 1] == _NEWLINE))):
                stop += 1
            first, last = strip(data, place, stop, classes)
            place = stop + newlines
            if first == last:
                continue
            value, characters = hash_bytes(data, first, last)
            slot = np.int64(value & np.uint64(slots - 1))
            while filled[slot] == text and keys[slot] != value:
                slot = (slot + 1) & (slots - 1)
            if filled[slot] != text:
                filled[slot], keys[slot], times[slot] = text, value, 0
            times[slot] += 1
            counts[0, text] += 1
            counts[2, text] += characters
            if times[slot] > 1:
                again = 2 if times[slot] == 2 else 1
                counts[1, text] += again
                counts[3, text] += again * characters

"""FineWeb's own rules: drops pages that consist of lists, menus or repeated lines.

Source: Penedo et al. 2024, "The FineWeb Datasets", section 3.6 (rules found by comparing the statistics of high and low quality dumps), as
datatrove runs them. Blank lines are ignored.

    terminal_punctuation_ratio  share of lines that end in a sentence-ending mark
    short_line_ratio            share of lines of at most `short_line_characters` characters
    duplicate_character_ratio   characters of lines that repeat an earlier line, divided by the text's characters without newlines
    newline_ratio               number of newlines divided by the number of tokens (words and symbols)

The sentence-ending marks are datatrove's (`filters.support.punctuation`); `terminal_marks` replaces them, for example with `.!?'"`.

Equal to datatrove 0.10.1 in every signal and verdict on the same tokens (`tests/parity`). Its own tokens are spaCy's; ours are those of
`curation.text.words`.

A text without lines has 0 for every signal and is dropped because no line ends a sentence. A text without tokens has a newline_ratio of 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from curation.arrays import Bytes, Flags, Integers, Table, Unsigned32
from curation.choices import Count, NonNegative, Share
from curation.text.column import Offsets
from curation.text.kernels import kernel
from curation.text.lines import repeated_pieces
from curation.text.simd import lower_bound
from curation.text.text import Text
from curation.text.unicode_classes import decode_character
from filters.contract import Filter, Rule, Signals, Threshold, above, below
from filters.support.punctuation import Marks, terminal_marks


@dataclass(frozen=True)
class FinewebQuality(Filter):
    """Drops pages that are lists, menus or repeated lines. Thresholds are FineWeb's, section 3.6.

    terminal_marks                  characters that end a sentence; empty: datatrove's 159
    short_line_characters           30 or fewer characters make a line short
    min_terminal_punctuation_ratio  0.12
    max_short_line_ratio            0.67
    max_duplicate_character_ratio   0.01
    max_newline_ratio               0.3 (datatrove's list rule)
    """

    terminal_marks: str = ""
    short_line_characters: Count = 30
    min_terminal_punctuation_ratio: Threshold[Share] = 0.12
    max_short_line_ratio: Threshold[Share] = 0.67
    max_duplicate_character_ratio: Threshold[Share] = 0.01
    max_newline_ratio: Threshold[NonNegative] = 0.3

    signal_types: ClassVar[Mapping[str, pa.DataType]] = dict.fromkeys(
        ("terminal_punctuation_ratio", "short_line_ratio", "duplicate_character_ratio", "newline_ratio"), pa.float64()
    )
    version: ClassVar[int] = 2
    examples: ClassVar[tuple[tuple[str, str | None], ...]] = (
        ("A glacier is a river of ice that moves by its own weight.\nIt carves the valley through which it passes.", None),
        (
            "Home and garden and kitchen and bath\nAll of our products from A to Z\nEverything that you can order by mail",
            "few_sentence_ends",
        ),
        ("Welcome.\nNews.\nContact.\nThe library opens at nine in the morning on every weekday.", "mostly_short_lines"),
        ("This line of the page is long enough to count.\n" * 2 + "And this one is here only once, at the end.", "duplicate_lines"),
        ("Extraordinarily long-windedness\n\n\n\n\n\n\nCharacteristically uninterrupted.", "mostly_newlines"),
    )

    def signals(self, text: Text, documents: Table) -> Signals:  # noqa: ARG002
        """Measure a batch on its lines."""
        lines = text.lines
        visible = ~lines.blank
        ends_sentence = np.zeros(len(visible), np.bool_)
        _mark_sentence_ends(text.data, text.offsets, lines.offsets, lines.starts, lines.ends, self._marks(), ends_sentence)
        short = lines.characters <= self.short_line_characters
        same = repeated_pieces(lines, visible)
        visible_lines = np.maximum(same.among, 1)
        return {
            "terminal_punctuation_ratio": lines.sums(ends_sentence & visible) / visible_lines,
            "short_line_ratio": lines.sums(short & visible) / visible_lines,
            "duplicate_character_ratio": same.characters / np.maximum(lines.sums(lines.characters), 1),
            "newline_ratio": np.where(text.words.counts > 0, (lines.counts - 1) / np.maximum(text.words.counts, 1), 0.0),
        }

    def _marks(self) -> Marks:
        return np.array(sorted({ord(mark) for mark in self.terminal_marks}), np.int64) if self.terminal_marks else terminal_marks()

    def rules(self) -> Mapping[str, Rule]:
        """Return FineWeb's rules in datatrove's order."""
        return {
            "few_sentence_ends": below("terminal_punctuation_ratio", self.min_terminal_punctuation_ratio),
            "mostly_short_lines": above("short_line_ratio", self.max_short_line_ratio),
            "duplicate_lines": above("duplicate_character_ratio", self.max_duplicate_character_ratio),
            "mostly_newlines": above("newline_ratio", self.max_newline_ratio),
        }


@kernel
def _mark_sentence_ends(
    data: Bytes, text_offsets: Offsets, offsets: Offsets, starts: Unsigned32, ends: Unsigned32, marks: Integers, ends_sentence: Flags
) -> None:
    """Mark each line whose last character is one of `marks`."""
    for text in range(len(offsets) - 1):
        for line in range(offsets[text], offsets[text + 1]):
            start, end = text_offsets[text] + np.int64(starts[line]), text_offsets[text] + np.int64(ends[line])
            if start == end:
                continue
            last = end - 1
            while last > start and data[last] & 0xC0 == 0x80:
                last -= 1
            point, _ = decode_character(data, last, end)
            nearest = lower_bound(marks, point)
            ends_sentence[line] = nearest < len(marks) and marks[nearest] == point

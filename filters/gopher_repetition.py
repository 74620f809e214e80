"""Gopher's repetition rules as datatrove and FineWeb read them: does a text say the same thing again and again?

Source: Rae et al. 2021, "Scaling Language Models: Methods, Analysis & Insights from Training Gopher", appendix A.1.1, table A1, in the form
datatrove gave them for FineWeb (Penedo et al. 2024). Projects that share the name differ in detail; `gopher_repetition_dclm` is another
reading. This is datatrove's:

    duplicate_paragraph_share, duplicate_line_share
                    share of paragraphs (lines) that repeat an earlier one: of three equal lines, two are duplicates
    duplicate_paragraph_characters, duplicate_line_characters
                    characters of these duplicates divided by the text's characters
    top_2_gram .. top_4_gram
                    characters of the most frequent n-gram, times its occurrences, divided by the text's characters; above 1 if the n-gram
                    overlaps itself. As in datatrove, an n-gram that occurs only once counts too: a text of very few words fails.
    duplicate_5_gram .. duplicate_10_gram
                    characters of repeated n-grams, read from left to right, divided by the text's characters (see
                    `curation.text.repeated_ngrams`)

Paragraphs are cut at two or more newlines of the stripped text. Lines are cut at one or more newlines, which leaves an empty line before a
leading and after a trailing run of newlines; both count as lines, as in datatrove.

Equal to datatrove 0.10.1 in every signal and verdict on the same tokens (`tests/parity`), with one exception: datatrove joins the tokens of
a duplicated n-gram before it compares, so that "a bc" equals "ab c"; here n-grams are equal if their tokens are.

An empty text has 0 for every signal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from curation.arrays import Table
from curation.text.lines import repeated_pieces
from curation.text.repeated_ngrams import DUPLICATED, TOP, repeated_characters
from curation.text.text import Text
from filters.contract import Signals
from filters.gopher_readings import REPETITION_EXAMPLES, GopherRepetitionReading
from filters.support.gopher_rules import share_of


@dataclass(frozen=True)
class GopherRepetition(GopherRepetitionReading):
    """Drops texts that repeat themselves. Every default is the paper's, table A1.

    max_duplicate_paragraph_share, max_duplicate_line_share             0.30
    max_duplicate_paragraph_characters, max_duplicate_line_characters   0.20
    max_top_2_gram, max_top_3_gram, max_top_4_gram                      0.20, 0.18, 0.16
    max_duplicate_5_gram, max_duplicate_6_gram, max_duplicate_7_gram    0.15, 0.14, 0.13
    max_duplicate_8_gram, max_duplicate_9_gram, max_duplicate_10_gram   0.12, 0.11, 0.10
    """

    signal_types: ClassVar[Mapping[str, pa.DataType]] = dict.fromkeys(
        (
            "duplicate_paragraph_share",
            "duplicate_paragraph_characters",
            "duplicate_line_share",
            "duplicate_line_characters",
            *(f"top_{n}_gram" for n in TOP),
            *(f"duplicate_{n}_gram" for n in DUPLICATED),
        ),
        pa.float64(),
    )
    examples = (
        *REPETITION_EXAMPLES,
        (
            "Sign up for our weekly letter from here.\n\nOne.\n\nTwo.\n\nThree of them.\n\nSign up for our weekly letter from here.",
            "duplicate_paragraph_characters",
        ),
    )

    def signals(self, text: Text, documents: Table) -> Signals:  # noqa: ARG002
        """Measure a batch: duplicates among paragraphs and lines, then repeated n-grams of tokens."""
        lines, paragraphs = text.lines, text.paragraphs
        cut_at_runs = lines.ends > lines.starts
        cut_at_runs[lines.offsets[:-1]] = True
        cut_at_runs[lines.offsets[1:] - 1] = True
        same_paragraphs = repeated_pieces(paragraphs, np.ones(len(paragraphs.hashes), np.bool_))
        same_lines = repeated_pieces(lines, cut_at_runs)
        characters = lines.text_characters
        columns = (
            share_of(same_paragraphs.repeated, same_paragraphs.among),
            share_of(same_paragraphs.characters, characters),
            share_of(same_lines.repeated, same_lines.among),
            share_of(same_lines.characters, characters),
            *share_of(repeated_characters(text.words), characters),
        )
        return dict(zip(self.signal_types, columns, strict=True))

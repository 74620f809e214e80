"""mC4's paragraph rule: a page with fewer than three long lines is not prose.

Source: Xue et al. 2021, "mT5: A Massively Multilingual Pre-trained Text-to-Text Transformer", section 3.1, where the rule replaces C4's
rule on end marks, which not every language has. The implementations are tensorflow_datasets (`c4_utils.py`, `paragraph_filter`) and
datatrove (`C4ParagraphFilter`). A paragraph is the text between two newlines, possibly blank.

    paragraphs      number of lines of the text
    third_longest   number of characters of the third longest line; 0 if there are fewer than three lines
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from curation.arrays import Integers32, Table, Unsigned32
from curation.choices import Count
from curation.text.column import Offsets
from curation.text.kernels import kernel
from curation.text.text import Text
from filters.contract import Filter, Rule, Signals, Threshold, below


@dataclass(frozen=True)
class C4Paragraphs(Filter):
    """Drops pages without three long paragraphs. Both defaults are mC4's.

    min_paragraphs   3 lines
    min_characters   200 characters in the third longest line
    """

    min_paragraphs: Threshold[Count] = 3
    min_characters: Threshold[Count] = 200

    signal_types: ClassVar[Mapping[str, pa.DataType]] = {"paragraphs": pa.int32(), "third_longest": pa.int32()}
    examples: ClassVar[tuple[tuple[str, str | None], ...]] = (
        ("\n".join(["A lighthouse warns ships of rocks that lie below the water, and each one flashes in its own way. " * 3] * 3), None),
        ("A long paragraph about lighthouses and the people who kept their lamps alight through the night. " * 9, "few_paragraphs"),
        ("Home\nThe keeper lit the lamp at dusk.\nContact", "short_paragraphs"),
    )

    def signals(self, text: Text, documents: Table) -> Signals:  # noqa: ARG002
        """Measure a batch on its lines."""
        third = np.zeros(len(text), np.int32)
        _third_longest(text.lines.offsets, text.lines.characters, third)
        return {"paragraphs": text.lines.counts.astype(np.int32), "third_longest": third}

    def rules(self) -> Mapping[str, Rule]:
        """Return the two halves of mC4's rule."""
        return {
            "few_paragraphs": below("paragraphs", self.min_paragraphs),
            "short_paragraphs": below("third_longest", self.min_characters),
        }


@kernel
def _third_longest(offsets: Offsets, characters: Unsigned32, third: Integers32) -> None:
    for text in range(len(offsets) - 1):
        longest = second = least = np.int64(0)
        for line in range(offsets[text], offsets[text + 1]):
            length = np.int64(characters[line])
            if length > longest:
                longest, second, least = length, longest, second
            elif length > second:
                second, least = length, second
            elif length > least:
                least = length
        third[text] = least

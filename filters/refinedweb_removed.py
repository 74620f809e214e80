"""RefinedWeb's last rule: a page that lost many words to the line-wise corrections was a list of links rather than a text.

Source: Penedo et al. 2023, "The RefinedWeb Dataset for Falcon LLM", appendix G.2: drop a document when the corrections remove more than 5 %
of its words. DCLM has the same rule. The corrections are the edit `refinedweb_lines`, which runs at ingest and stores a count.

    removed_words  words (of `curation.text.words`) that the edit removed from the document
    removed_ratio  removed words divided by all words before the edit, which are the removed words and those of the text now

An edit stores only counts above 0, so the metadata of a document that lost nothing looks as if the edit had not run. Therefore a recipe
with this filter but without the edit is refused, and a document without a count counts as one that lost nothing. So does a synthetic
document, to which no edit applies. A document without metadata is not measured. Changes by later edits (masked addresses) affect only the
denominator. A text without words that lost none has a ratio of 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.arrays import Table
from curation.choices import Share
from curation.text.column import offsets_of
from curation.text.text import Text
from curation.text.words import WORD
from filters.contract import Filter, Rule, Signals, Threshold, above

_EDIT = "refinedweb_lines"
_COUNT = f"edits.{_EDIT}.words"


@dataclass(frozen=True)
class RefinedwebRemoved(Filter):
    """Drops texts that lost many words to the edit `refinedweb_lines`.

    max_removed_ratio  0.05, the paper's
    """

    max_removed_ratio: Threshold[Share] = 0.05

    signal_types: ClassVar[Mapping[str, pa.DataType]] = {"removed_words": pa.int64(), "removed_ratio": pa.float64()}
    edits: ClassVar[tuple[str, ...]] = (_EDIT,)
    examples: ClassVar[tuple[tuple[str, str | None], ...]] = (("A text is not judged where nothing is known of its edits.", None),)

    def signals(self, text: Text, documents: Table) -> Signals:
        """Measure a batch: read the edit's count from the metadata, and count the remaining words in the text."""
        metadata = documents["metadata"]
        noted = pc.cast(pc.map_lookup(metadata, pa.scalar(_COUNT), "first"), pa.int64())
        removed = pc.if_else(pc.is_valid(metadata), pc.fill_null(noted, 0), pa.scalar(None, pa.int64()))
        words = text.words
        before = offsets_of(words.kinds & WORD)
        all_words = pc.add(removed, pa.array(np.diff(before[words.offsets])))
        ratio = pc.divide(pc.cast(removed, pa.float64()), pc.cast(pc.max_element_wise(all_words, 1, skip_nulls=False), pa.float64()))
        return {"removed_words": removed, "removed_ratio": ratio}

    def rules(self) -> Mapping[str, Rule]:
        """Return the one rule."""
        return {"many_words_removed": above("removed_ratio", self.max_removed_ratio, ("removed_words",))}

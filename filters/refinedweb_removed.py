"""RefinedWeb's last rule: a text of which the line-wise corrections took much was a list of links more than a text.

Source: Penedo et al. 2023, "The RefinedWeb Dataset for Falcon LLM", appendix G.2: drop a document when the corrections remove more than 5 %
of its words. DCLM has the same rule. The corrections are the edit `refinedweb_lines`, which ran at ingest and left a count behind.

    removed_words  words (of `curation.text.words`) that the edit removed from the document
    removed_ratio  these over all words that it had: the removed, and those of the text as it is now

An edit notes only what it did, so a document in which it removed nothing has no entry in its metadata, as if it had not run. A recipe
with this filter and without the edit is therefore refused, and a document without an entry counts as one that lost nothing; so does a
synthetic one, which no edit has seen. A document without metadata is not measured. What later edits change of the text (masked addresses)
counts in the denominator only. A text without words that lost none has a ratio of 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.arrays import Table
from curation.text.text import Text
from curation.text.words import WORD
from filters.contract import Filter, Rule, Signals, above

_EDIT = "refinedweb_lines"
_COUNT = f"edits.{_EDIT}.words"


@dataclass(frozen=True)
class RefinedwebRemoved(Filter):
    """Drops texts that lost many words to the edit `refinedweb_lines`.

    max_removed_ratio  0.05, the paper's
    """

    max_removed_ratio: float = 0.05

    signal_types: ClassVar[Mapping[str, pa.DataType]] = {"removed_words": pa.int64(), "removed_ratio": pa.float64()}
    threshold_fields: ClassVar[frozenset[str]] = frozenset({"max_removed_ratio"})
    edits: ClassVar[tuple[str, ...]] = (_EDIT,)
    examples: ClassVar[tuple[tuple[str, str | None], ...]] = (("A text is not judged where nothing is known of its edits.", None),)

    def signals(self, text: Text, documents: Table) -> Signals:
        """Measure a batch: the edit's count from the metadata, the words that stayed from the text."""
        metadata = documents["metadata"]
        noted = pc.cast(pc.map_lookup(metadata, pa.scalar(_COUNT), "first"), pa.int64())
        removed = pc.if_else(pc.is_valid(metadata), pc.fill_null(noted, 0), pa.scalar(None, pa.int64()))
        words = text.words
        before = np.concatenate([[0], np.cumsum(words.kinds & WORD, dtype=np.int64)])
        all_words = pc.add(removed, pa.array(np.diff(before[words.offsets])))
        ratio = pc.divide(pc.cast(removed, pa.float64()), pc.cast(pc.max_element_wise(all_words, 1, skip_nulls=False), pa.float64()))
        return {"removed_words": removed, "removed_ratio": ratio}

    def rules(self) -> Mapping[str, Rule]:
        """Return the one rule."""
        return {"many_words_removed": above("removed_ratio", self.max_removed_ratio, ("removed_words",))}

"""Examples: the hashed features and the score of each labelled text.

An exact or near copy of another text counts once, both in training and in evaluation: labels come from crawls, and a copy on the other
side of a split flatters a model. Copies are found as in `curate run` (`curation.in_memory.near_duplicates`).

Invariant: examples are in the order of their texts' hashes, so the order of rows and files does not matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.in_memory.near_duplicates import find_duplicates
from curation.text.text import Text
from filters.support.features import list_features
from pipelines.train.labels import LabelledText


@dataclass(frozen=True, eq=False)
class Examples:
    """n texts: text i has the features features[offsets[i]:offsets[i + 1]], the score scores[i] and the weight costs[i]."""

    features: npt.NDArray[np.uint64]
    offsets: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]
    costs: npt.NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.scores)

    def of(self, chosen: npt.NDArray[np.int64]) -> "Examples":
        """Return some of the texts in the given order."""
        counts = np.diff(self.offsets)[chosen]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        places = np.arange(offsets[-1]) + np.repeat(self.offsets[chosen] - offsets[:-1], counts)
        return replace(self, features=self.features[places], offsets=offsets, scores=self.scores[chosen], costs=self.costs[chosen])


def examples_of(texts: Text, scores: Sequence[float], *, pairs: bool, once: bool) -> Examples:
    """Return the examples of texts, each read whole as one window."""
    words = texts.words
    features, offsets = np.empty(2 * len(words.hashes) + 1, np.uint64), np.empty(len(texts) + 1, np.int64)
    found = list_features(words.offsets, words.hashes, pairs, once, features, offsets)
    return Examples(features[:found].copy(), offsets, np.array(scores, np.float64), np.ones(len(texts)))


def without_copies(rows: Sequence[LabelledText]) -> list[LabelledText]:
    """Return the rows in the order of their hashes, one for each set of copies: the longest, and of equals the one with the first hash."""
    ordered = sorted(rows, key=lambda row: (sha256(row.text.encode("utf-8", "surrogatepass")).digest(), row.score, row.group, row.source))
    texts = pa.array([row.text.encode("utf-8", "replace").decode() for row in ordered], pa.large_string())
    copies = find_duplicates([lambda: texts]).duplicate_of
    return [row for row, copy_of in zip(ordered, copies.tolist(), strict=True) if copy_of < 0]

"""Scoring with other people's fastText models, equal to `fasttext.predict`, on many texts at a time and without the GIL.

fastText averages the vectors of a text's words, subwords and word n-grams, and multiplies the average by the output matrix. Where a model
has fewer labels than dimensions, that product is made once for every row of the input ("folded"), so that a text is a sum of few numbers
(`filters.support.fasttext_rows`): of a softmax one less than it has labels, for it depends on differences alone; the file is let go.
Otherwise the rows stay in the file, which all processes share, and are added first.

Also as in fastText: every probability gets 1e-5 more (for a Huffman tree, at every node); one-vs-all reads its sigmoid from a table of 512
steps. A line break within a text is a space, as whoever calls `predict` has to make it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curation.arrays import Floats, Hashes, Integers
from curation.text.column import TextColumn
from filters.support.fasttext_file import (
    HIERARCHICAL,
    MOST_COUNTED,
    SOFTMAX,
    FastTextFile,
    FasttextSettings,
    Quantized,
    Weights,
)
from filters.support.fasttext_rows import sum_rows, table_of

LITTLE = 1e-5
"""What fastText adds to a probability before it takes its logarithm."""
_CHUNK = 1 << 18
_LARGEST = 1e9
"""No weight is larger, nor a product of two."""
_SIGMOID_STEPS, _SIGMOID_END = 512, 8


@dataclass(frozen=True, eq=False)
class FastTextScorer:
    """A model made ready: where its words are found, and the rows that are added up."""

    settings: FasttextSettings
    labels: tuple[str, ...]
    label_counts: Integers
    words: int
    slots: Hashes
    """A table of words (`table_of`)."""
    left: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]] | None
    """The buckets that a pruned model has left, rising, and the place of each."""
    rows: Weights
    output: Weights | None
    """What averages are multiplied by; None where the rows are products already."""

    def probabilities(self, text: TextColumn) -> Floats:
        """Return the probability of each label for each text, as `fasttext.predict` tells it; NaN where a text has nothing that counts."""
        settings = self.settings
        reading = settings.word_ngrams, settings.buckets, settings.shortest, settings.longest
        sums, counts = sum_rows(text.data, text.offsets, self.slots, self.words, self.left, reading, self.rows)
        with np.errstate(invalid="ignore"):
            means = sums / np.where(counts > 0, counts, np.nan)[:, None]
        outputs = means if self.output is None else means @ self.output.astype(np.float64).T
        if settings.loss == SOFTMAX:
            if self.output is None:
                outputs = np.concatenate([outputs, np.where(counts > 0, 0.0, np.nan)[:, None]], axis=1)
            powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
            found: Floats = powers / powers.sum(axis=1, keepdims=True) + LITTLE
            return found
        if settings.loss == HIERARCHICAL:
            return _down_the_tree(outputs, self.label_counts)
        return _through_table(outputs) + LITTLE


def fasttext_scorer(file: FastTextFile) -> FastTextScorer:
    """Make a model ready. Raises ValueError where a weight is no number."""
    folds = len(file.output) < file.settings.dimensions
    with np.errstate(all="ignore"):  # what overflows is looked for below
        matrix = file.output[:-1] - file.output[-1] if file.settings.loss == SOFTMAX else file.output
        if isinstance(file.input, Quantized):
            rows = file.input.times(matrix if folds else None)
        elif folds:
            pieces = [piece @ matrix.T for piece in _pieces(file.input)]
            rows = np.concatenate(pieces) if pieces else np.empty((0, len(matrix)), np.float32)
        else:
            rows = file.input
    if not all((np.abs(piece) < _LARGEST).all() for weights in (rows, file.output) for piece in _pieces(weights)):
        raise ValueError("a weight is not a number")
    left = None
    if file.pruned is not None:
        buckets, places = file.pruned.reshape(-1, 2).T
        order = np.argsort(buckets, kind="stable")
        left = np.ascontiguousarray(buckets[order]), np.ascontiguousarray(places[order])
    return FastTextScorer(
        file.settings,
        file.labels,
        file.label_counts,
        len(file.names),
        table_of(file.names),
        left,
        np.ascontiguousarray(rows),
        None if folds else file.output,
    )


def _pieces(rows: Weights) -> list[Weights]:
    """Return views of a matrix, part by part, so that what is made of one stays small."""
    return [rows[place : place + _CHUNK] for place in range(0, len(rows), _CHUNK)]


def _through_table(outputs: Floats) -> Floats:
    """Return fastText's sigmoid: a table of 512 steps from -8 to 8, 0 below and 1 above."""
    steps = (np.clip(np.nan_to_num(outputs), -_SIGMOID_END, _SIGMOID_END) + _SIGMOID_END) * _SIGMOID_STEPS / _SIGMOID_END / 2
    inside = 1 / (1 + np.exp(-(np.floor(steps) * 2 * _SIGMOID_END / _SIGMOID_STEPS - _SIGMOID_END)))
    found = np.where(outputs < -_SIGMOID_END, 0.0, np.where(outputs > _SIGMOID_END, 1.0, inside))
    return np.where(np.isnan(outputs), np.nan, found)


def _down_the_tree(outputs: Floats, counts: Integers) -> Floats:
    """Return the probabilities of a Huffman tree's leaves (fastText's `HierarchicalSoftmaxLoss.buildTree`)."""
    leaves = len(counts)
    weights = np.concatenate([counts, np.full(max(leaves - 1, 0), MOST_COUNTED)])
    parents, is_right = np.full(2 * leaves - 1, -1), np.zeros(2 * leaves - 1, bool)
    leaf, node = leaves - 1, leaves
    for made in range(leaves, 2 * leaves - 1):
        chosen = []
        for side in range(2):
            if leaf >= 0 and weights[leaf] < weights[node]:
                child, leaf = leaf, leaf - 1
            else:
                child, node = node, node + 1
            parents[child], is_right[child] = made, bool(side)
            chosen.append(child)
        weights[made] = weights[chosen].sum()
    logs = np.zeros((len(outputs), 2 * leaves - 1))
    chances = 1 / (1 + np.exp(-np.clip(outputs, -500, 500)))
    for child in range(2 * leaves - 3, -1, -1):
        chance = chances[:, parents[child] - leaves]
        logs[:, child] = logs[:, parents[child]] + np.log((chance if is_right[child] else 1 - chance) + LITTLE)
    return np.exp(logs[:, :leaves])

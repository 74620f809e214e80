"""Scores texts with fastText models that other people trained, many texts at a time and without the GIL; results equal `fasttext.predict`.

fastText averages the vectors of a text's words, subwords and word n-grams, and multiplies the average by the output matrix. If a model has
fewer labels than dimensions, every row of the input is multiplied once in advance, so a text is a sum of rows with one number
for each label (`filters.support.fasttext_rows`). A softmax depends on differences alone and needs one number less. The file is then closed.
Otherwise the rows stay in the file, which all processes share, and averages are multiplied.

As in fastText, every probability is raised by 1e-5 (in a Huffman tree, at every node), and one-vs-all reads its sigmoid from a table of 512
steps. A line break within a text counts as a space; callers of `predict` have to replace it themselves.
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
"""fastText adds this to a probability before it takes the logarithm."""
_CHUNK = 1 << 18
_LARGEST = 1e9
"""The limit of weights and of their products."""
_SIGMOID_STEPS, _SIGMOID_END = 512, 8


@dataclass(frozen=True, eq=False)
class FastTextScorer:
    """A model prepared for scoring: a table of its words, and the rows that are summed."""

    settings: FasttextSettings
    labels: tuple[str, ...]
    label_counts: Integers
    words: int
    slots: Hashes
    """A table of words (`table_of`)."""
    left: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]] | None
    """The remaining buckets of a pruned model, in ascending order, and the position of each."""
    rows: Weights
    output: Weights | None
    """The matrix that multiplies averages; None if the rows are products already."""

    def probabilities(self, text: TextColumn) -> Floats:
        """Return the probability of each label for each text, as `fasttext.predict` does; NaN for a text that selects no row."""
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
    """Prepare a model. Raises ValueError if a weight is not a number."""
    in_advance = len(file.output) < file.settings.dimensions
    with np.errstate(all="ignore"):  # overflows are checked below
        matrix = file.output[:-1] - file.output[-1] if file.settings.loss == SOFTMAX else file.output
        if isinstance(file.input, Quantized):
            rows = file.input.times(matrix if in_advance else None)
        elif in_advance:
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
        None if in_advance else file.output,
    )


def _pieces(rows: Weights) -> list[Weights]:
    """Return a matrix as views of some rows each, so that temporary results stay small."""
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

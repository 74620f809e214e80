"""The trainer `linear`: an ordinal logistic regression over the words, symbols and pairs of a text.

Each feature counts once in a text, however often it occurs. Its weight is its rarity, (1 + log((n + 1) / (d + 1))) ** rarity, where d of n
texts have it (a tempered idf). The weights of a text are divided by their Euclidean length, so long and short texts share one scale. Each
level has its own logistic regression. Presence is as good as logarithms of counts (`tests/benchmark/educational_score.py`) and simpler.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from pipelines.train.examples import Examples
from pipelines.train.linear_training import SparseRows, fit_logistic
from pipelines.train.trainers import LearntModel, known_features, level_of, levels_of


@dataclass(frozen=True)
class LinearTrainer:
    """Settings of the trainer.

    cost         cost of an error relative to the size of the weights (C of a support vector machine)
    rarity       exponent of the idf
    least_texts  fewest texts that a learnt feature occurs in
    pairs        whether pairs of neighbours are features
    """

    cost: float = 16.0
    rarity: float = 1.0
    least_texts: int = 2
    pairs: bool = True

    name: ClassVar[str] = "linear"
    once: ClassVar[bool] = True
    unit: ClassVar[bool] = True

    def fit(self, examples: Examples) -> LearntModel:
        """Train."""
        levels = levels_of(examples)
        features, texts = known_features(examples, self.least_texts)
        weights = (1.0 + np.log((len(examples) + 1) / (texts + 1))) ** self.rarity
        rows = _rows(examples, features, weights)
        reached = level_of(examples.scores)
        fitted = [fit_logistic(rows, reached >= level, self.cost * examples.costs) for level in levels]
        shares = np.stack([shares for shares, _ in fitted], axis=1)
        return LearntModel(levels, features, weights, shares, np.array([intercept for _, intercept in fitted]))


def _rows(examples: Examples, features: npt.NDArray[np.uint64], weights: npt.NDArray[np.float64]) -> SparseRows:
    """Return for each text the weights of its features, scaled to length 1."""
    order = np.argsort(features)
    places = np.minimum(np.searchsorted(features[order], examples.features), len(features) - 1)
    columns = order[places].astype(np.int32)
    is_known = features[columns] == examples.features
    text = np.repeat(np.arange(len(examples)), np.diff(examples.offsets))[is_known]
    columns = columns[is_known]
    squares = np.bincount(text, weights[columns] ** 2, minlength=len(examples))
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bincount(text, minlength=len(examples)))])
    return SparseRows(offsets, columns, weights[columns] / np.sqrt(squares)[text], len(features))

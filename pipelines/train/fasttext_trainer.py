"""The trainer `fasttext`: fastText over the same features, reduced to one number for each feature and level.

fastText reads each feature of a text as a word of 16 hexadecimal digits. Pairs are such words too, because fastText's own word pairs would
share hash buckets. A text with the score s has the labels 0 to s. Every text has level 0, since fastText ignores texts without labels; that
level is dropped afterwards. fastText averages, so a feature counts as often as it occurs.

Invariant: lines are in the order of their hashes, so the order of texts does not matter.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar

import numpy as np

from curation.errors import InputError, Refused
from pipelines.train.examples import Examples
from pipelines.train.fasttext_training import END, LABEL, Matrices, TrainingSettings, train_apart
from pipelines.train.trainers import LearntModel, known_features, level_of, levels_of

_LARGEST_WEIGHT = 100.0


@dataclass(frozen=True)
class FastTextTrainer:
    """Settings of the trainer: `TrainingSettings`, and whether it learns pairs of neighbours."""

    dimensions: int = 16
    epochs: int = 25
    learning_rate: float = 0.3
    least_texts: int = 2
    pairs: bool = True
    seed: int = 1

    name: ClassVar[str] = "fasttext"
    once: ClassVar[bool] = False
    unit: ClassVar[bool] = False

    def fit(self, examples: Examples) -> LearntModel:
        """Train. Raises Refused if the result of fastText fails the checks."""
        levels = levels_of(examples)
        features, _ = known_features(examples, self.least_texts)
        settings = TrainingSettings(self.dimensions, self.epochs, self.learning_rate, 1, self.seed)
        trained = train_apart(lines_of(examples, features), settings)
        if not all((np.abs(matrix) < _LARGEST_WEIGHT).all() for matrix in (trained.vectors, trained.output)):
            raise Refused("fastText trained weights that are not numbers below 100; is the package installed fasttext-community 0.11.9?")
        return multiply_matrices(trained, levels, features)


def lines_of(examples: Examples, features: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> list[str]:
    """Return the lines that fastText reads: the labels of each text, then its known features. Raises InputError if no text has any."""
    order = np.sort(features)
    is_known = order[np.minimum(np.searchsorted(order, examples.features), len(order) - 1)] == examples.features
    lines = []
    for text, level in enumerate(level_of(examples.scores).tolist()):
        place = slice(examples.offsets[text], examples.offsets[text + 1])
        names = [f"{feature:016x}" for feature in examples.features[place][is_known[place]].tolist()]
        lines.append(" ".join([*(f"{LABEL}{reached}" for reached in range(level + 1)), *names]))
    if not is_known.any():
        raise InputError("no text has a feature that others have too")
    return sorted(lines, key=lambda line: sha256(line.encode()).digest())


def multiply_matrices(
    trained: Matrices, levels: np.ndarray[tuple[int], np.dtype[np.int64]], features: np.ndarray[tuple[int], np.dtype[np.uint64]]
) -> LearntModel:
    """Multiply the two matrices of a model; its end-of-line token becomes the intercept."""
    labels = [int(label.removeprefix(LABEL)) for label in trained.labels.tolist()]
    output = trained.output[[labels.index(level) for level in levels.tolist()]].astype(np.float64)
    products = trained.vectors.astype(np.float64) @ output.T
    is_end = trained.words == END
    names = np.array([int(word, 16) for word in trained.words[~is_end].tolist()], np.uint64)
    order = np.argsort(names)
    places = order[np.searchsorted(names[order], features)]
    return LearntModel(levels, features, np.ones(len(features)), products[~is_end][places], products[is_end][0])

"""From scored texts to a folded scorer: what fastText is told, and what is kept of its answer.

A text with the score s carries the labels 0 to s, "the score is at least k" (Frank and Hall 2001): six separate classes would lose the few
best texts (measured: Spearman's correlation 0.64 with six classes, 0.70 with levels). Level 0, which every text has, keeps fastText from
passing over a text without labels, and is then left out.

Words alone are learnt. On the thousand texts at hand, pairs of words make held-out scores worse (quadratic kappa 0.55 against 0.61), and so
do symbols (ROC AUC 0.83 against 0.86). The multiplication that folds the model is told in `filters.support.scorer`.

Invariant: lines are sorted by their hash, so that the order of texts does not matter.
"""

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256

import numpy as np

from curation.errors import InputError, Refused
from filters.support.scorer import HIGHEST_SCORE, FastTextScorer, probe
from pipelines.train.fasttext_training import END, LABEL, Matrices, TrainingSettings, train_apart

_LARGEST_WEIGHT = 100.0


def level_of(score: float) -> int:
    """Return the whole score (0 to 5) that a score counts as; a half counts upwards."""
    return min(max(int(np.floor(score + 0.5)), 0), HIGHEST_SCORE)


def lines_of(texts: Sequence[str], scores: Sequence[float]) -> list[str]:
    """Return what fastText reads: texts as `filters.support.scorer.spelled` gives them, each after its labels."""
    labels = [" ".join(f"{LABEL}{level}" for level in range(level_of(score) + 1)) for score in scores]
    return sorted((f"{label} {text}" for label, text in zip(labels, texts, strict=True)), key=lambda line: sha256(line.encode()).digest())


def train_scorer(texts: Sequence[str], scores: Sequence[float], settings: TrainingSettings) -> FastTextScorer:
    """Train on spelled texts, each with its score.

    Raises InputError where there is too little to learn from, Refused where what fastText gave fails the checks.
    """
    counts = Counter(word for text in texts for word in text.split())
    known = sum(count for count in counts.values() if count >= settings.min_count)
    if not known or len(texts) < settings.min_count or not any(level_of(score) for score in scores):
        least = settings.min_count
        raise InputError(f"{len(texts)} texts teach nothing; at least {least} are needed, a word that occurs as often, and a score above 0")
    trained = train_apart(lines_of(texts, scores), settings)
    if not all((np.abs(matrix) < _LARGEST_WEIGHT).all() for matrix in (trained.vectors, trained.output)):
        raise Refused("fastText trained weights that are not numbers below 100; is the package installed fasttext-community 0.11.9?")
    return fold(trained, span=max(1, round(known / len(texts))))


def fold(trained: Matrices, span: int) -> FastTextScorer:
    """Multiply a model's matrices once; `span` is the mean number of known words in a training text."""
    levels = np.array([int(label.removeprefix(LABEL)) for label in trained.labels.tolist()], np.int64)
    kept = np.argsort(levels)[1:]
    products = (trained.vectors.astype(np.float64) @ trained.output[kept].astype(np.float64).T).astype(np.float32)
    is_end = trained.words == END
    hashes = np.array([int(word, 16) for word in trained.words[~is_end].tolist()], np.uint64)
    order = np.argsort(hashes)
    return FastTextScorer(levels[kept], hashes[order], products[~is_end][order], products[is_end][0], np.array([span], np.int64), probe())

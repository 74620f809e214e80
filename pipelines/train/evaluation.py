"""Nested cross-validation: evaluate a trainer on groups that it has not seen, and choose its settings on the other groups.

The groups (books, sites) are dealt into outer folds. For each outer fold, a model is trained on the other folds only. Its settings are the
best candidate on inner folds of those, and its curves are fitted to the predictions on the inner folds; then it scores the outer fold. So
the weights, the settings and the calibration behind a figure never depend on the texts that the figure is about.

The best candidate has the highest sum of ROC AUC at 3 and quadratic kappa, the figures that decide which texts a threshold keeps.

Invariant: the result depends on the examples, their groups and the candidates, not on the clock. The number of candidates bounds a
search.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.arrays import Flags, Floats, Integers
from curation.errors import InputError
from curation.text.text import Text
from filters.support.scorer import Scorer, calibrate
from pipelines.train.calibration import fit_curves
from pipelines.train.examples import Examples, examples_of
from pipelines.train.held_out import FOLDS, figures, folds_of
from pipelines.train.judges import Trainer, scorer_of
from pipelines.train.labels import LabelledText

INNER_FOLDS = 3


@dataclass(frozen=True, eq=False)
class EvaluationPool:
    """Labelled texts, and their features under each way of reading."""

    rows: Sequence[LabelledText]
    texts: Text
    scores: Floats
    tokens: Integers
    groups: npt.NDArray[np.str_]

    def examples(self, trainer: Trainer, chosen: Integers) -> Examples:
        """Return some of the texts as a trainer reads them."""
        texts = Text.from_arrow(self.texts.to_arrow().take(pa.array(chosen)))
        return examples_of(texts, self.scores[chosen].tolist(), pairs=trainer.pairs, once=trainer.once)

    def predicted(self, scorer: Scorer, chosen: Integers) -> Floats:
        """Return the scores of some of the texts: the mean score of their windows."""
        return text_scores(scorer, Text.from_arrow(self.texts.to_arrow().take(pa.array(chosen))))


@dataclass(frozen=True, eq=False)
class EvaluationTrial:
    """A model, its trainer, and its held-out prediction for each text of its pool (NaN if there is none)."""

    trainer: Trainer
    scorer: Scorer
    held_out: Floats


def pool_of(rows: Sequence[LabelledText]) -> EvaluationPool:
    """Build the pool of some rows. Raises InputError if all rows belong to one group."""
    texts = Text.from_strings([row.text.encode("utf-8", "replace").decode() for row in rows])
    groups = np.array([row.group for row in rows], str)
    if len(set(groups.tolist())) < 2:
        name = rows[0].group if rows else "none"
        raise InputError(f"all texts are of the group {name!r}; label texts of two groups at least, so that one can be held out")
    return EvaluationPool(rows, texts, np.array([row.score for row in rows]), texts.words.counts, groups)


def text_scores(scorer: Scorer, texts: Text) -> Floats:
    """Return the score of each text: the mean score of its windows."""
    scores, seen = scorer.score_windows(texts)
    return np.add.reduceat(scores, seen.windows.offsets[:-1]) / np.diff(seen.windows.offsets) if len(texts) else scores


def try_out(pool: EvaluationPool, candidates: Sequence[Trainer], learn: Flags, folds: int = FOLDS) -> Floats:
    """Return a prediction for every text, from models that learnt from the other folds; they learn from texts in `learn` only."""
    fold_of = _folds(pool.groups, folds)
    held_out = np.full(len(pool.rows), np.nan)
    for fold in range(int(fold_of.max()) + 1):
        tried = np.flatnonzero(fold_of == fold)
        trial = train(pool, candidates, np.flatnonzero((fold_of != fold) & learn), INNER_FOLDS)
        held_out[tried] = pool.predicted(trial.scorer, tried)
    return held_out


def train(pool: EvaluationPool, candidates: Sequence[Trainer], chosen: Integers, folds: int) -> EvaluationTrial:
    """Train on some texts: choose the best candidate on inner folds, calibrate it on their predictions, then learn from all of them."""
    if len(set(pool.groups[chosen].tolist())) < 2:
        raise InputError("too few groups: three at least are needed, one to learn from, one to choose settings on, one to try the model on")
    fold_of = _folds(pool.groups[chosen], folds)
    best: tuple[float, Trainer, Floats] | None = None
    for trainer in candidates:
        expected = np.empty(len(chosen))
        for fold in range(int(fold_of.max()) + 1):
            inside = fold_of == fold
            scorer = scorer_of(trainer.fit(pool.examples(trainer, chosen[~inside])), trainer)
            expected[inside] = pool.predicted(scorer, chosen[inside])
        calibrated = calibrate(expected, pool.tokens[chosen], *fit_curves(expected, pool.tokens[chosen], pool.scores[chosen]))
        found = figures(pool.scores[chosen].tolist(), calibrated.tolist(), 0)
        merit = (found.auc or 0.0) + (found.quadratic_kappa or 0.0)
        if best is None or merit > best[0]:
            best = merit, trainer, expected
    assert best is not None, "no candidate"
    _, trainer, expected = best
    bands, curves = fit_curves(expected, pool.tokens[chosen], pool.scores[chosen])
    scorer = replace(scorer_of(trainer.fit(pool.examples(trainer, chosen)), trainer), bands=bands, curves=curves)
    held_out = np.full(len(pool.rows), np.nan)
    held_out[chosen] = calibrate(expected, pool.tokens[chosen], bands, curves)
    return EvaluationTrial(trainer, scorer, held_out)


def _folds(groups: npt.NDArray[np.str_], folds: int) -> Integers:
    dealt = folds_of(groups.tolist(), folds)
    return np.array([dealt[group] for group in groups.tolist()], np.int64)

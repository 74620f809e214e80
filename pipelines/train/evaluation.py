"""Trying a trainer on groups that it has not seen, and choosing its settings without peeking.

The groups (books, sites) are dealt into outer folds. For each, a model is made of the other folds alone: its settings are the best of the
candidates on inner folds of those, its curves are fitted on the inner folds' predictions, and only then does it score the fold that was
held out. So no figure has seen the text that it is about, neither in its weights nor in its settings nor in its calibration.

Best: the highest sum of ROC AUC at 3 and quadratic kappa, the figures that decide what a threshold keeps.

Invariant: what comes out depends on the examples, their groups and the candidates, not on the clock: a search is bounded by the number of
its candidates.
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
    """Labelled texts, and what trainers see of them under each way of reading."""

    rows: Sequence[LabelledText]
    texts: Text
    scores: Floats
    tokens: Integers
    groups: npt.NDArray[np.str_]

    def examples(self, trainer: Trainer, chosen: Integers) -> Examples:
        """Return some of them, as a trainer sees them."""
        texts = Text.from_arrow(self.texts.to_arrow().take(pa.array(chosen)))
        return examples_of(texts, self.scores[chosen].tolist(), pairs=trainer.pairs, once=trainer.once)

    def predicted(self, scorer: Scorer, chosen: Integers) -> Floats:
        """Return the score of some of them: the mean of their windows'."""
        return text_scores(scorer, Text.from_arrow(self.texts.to_arrow().take(pa.array(chosen))))


@dataclass(frozen=True, eq=False)
class EvaluationTrial:
    """A model, what made it, and what was predicted of each text of its pool (NaN where it was not tried)."""

    trainer: Trainer
    scorer: Scorer
    held_out: Floats


def pool_of(rows: Sequence[LabelledText]) -> EvaluationPool:
    """Take up rows. Raises InputError where all are of one group."""
    texts = Text.from_strings([row.text.encode("utf-8", "replace").decode() for row in rows])
    groups = np.array([row.group for row in rows], str)
    if len(set(groups.tolist())) < 2:
        name = rows[0].group if rows else "none"
        raise InputError(f"all texts are of the group {name!r}; label texts of two groups at least, so that one can be held out")
    return EvaluationPool(rows, texts, np.array([row.score for row in rows]), texts.words.counts, groups)


def text_scores(scorer: Scorer, texts: Text) -> Floats:
    """Return each text's score, the mean of its windows'."""
    scores, seen = scorer.score_windows(texts)
    return np.add.reduceat(scores, seen.windows.offsets[:-1]) / np.diff(seen.windows.offsets) if len(texts) else scores


def try_out(pool: EvaluationPool, candidates: Sequence[Trainer], learn: Flags, folds: int = FOLDS) -> Floats:
    """Return what models that learnt from the other folds predict of every text; they learn from texts in `learn` only."""
    fold_of = _folds(pool.groups, folds)
    held_out = np.full(len(pool.rows), np.nan)
    for fold in range(int(fold_of.max()) + 1):
        tried = np.flatnonzero(fold_of == fold)
        trial = train(pool, candidates, np.flatnonzero((fold_of != fold) & learn), INNER_FOLDS)
        held_out[tried] = pool.predicted(trial.scorer, tried)
    return held_out


def train(pool: EvaluationPool, candidates: Sequence[Trainer], chosen: Integers, folds: int) -> EvaluationTrial:
    """Return the model made of some texts: the best candidate on inner folds, calibrated on their predictions, learnt from all of them."""
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

"""Nested cross-validation: evaluate a trainer on groups that it has not seen, and choose its settings on the other groups.

The groups (books, sites) are dealt into outer holdouts. For each outer holdout, a model is trained on the others only. Its settings are the
best candidate on inner holdouts of those, and its curves are fitted to the predictions on them; then it scores the outer one. So the
weights, the settings and the calibration behind a figure never depend on the texts that the figure is about.

The best candidate has the highest sum of ROC AUC at 3 and quadratic kappa, the figures that decide which texts a threshold keeps. A
candidate that cannot learn from some texts is not chosen for them.

Invariant: the result depends on the examples, their groups and the candidates that were tried, not on the clock.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.arrays import Flags, Floats, Integers
from curation.errors import InputError, Refused
from curation.text.text import Text
from filters.support.scorer import Scorer, calibrate
from pipelines.train.calibration import fit_curves
from pipelines.train.examples import Examples, examples_of
from pipelines.train.held_out import HOLDOUTS, HeldOut, figures, holdouts_of
from pipelines.train.labels import LabelledText
from pipelines.train.model_card import TriedSettings
from pipelines.train.trainers import Trainer, scorer_of, settings_of

INNER_HOLDOUTS = 3
CannotLearn = InputError | Refused
"""What a trainer raises if it cannot learn."""


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


class SettingsSearch:
    """The settings tried for some texts to learn from, and the best of them on inner holdouts of those texts."""

    def __init__(self, pool: EvaluationPool, chosen: Integers, holdouts: int) -> None:
        """Deal the texts into inner holdouts. Raises InputError if all are of one group."""
        if len(set(pool.groups[chosen].tolist())) < 2:
            raise InputError(
                "too few groups: three at least are needed, one to learn from, one to choose settings on, one to try the model on"
            )
        self._pool, self._chosen, self._holdout_of = pool, chosen, _holdouts(pool.groups[chosen], holdouts)
        self._best: tuple[float, Trainer, Floats] | None = None
        self._failure: CannotLearn | None = None

    @property
    def best(self) -> Trainer:
        """The best settings so far. Raises the first failure if all have failed."""
        return self._found()[0]

    def attempt(self, trainer: Trainer) -> HeldOut | CannotLearn:
        """Try settings: return their figures on the inner holdouts, or why nothing can be learnt with them."""
        pool, chosen = self._pool, self._chosen
        expected = np.empty(len(chosen))
        try:
            for holdout in range(int(self._holdout_of.max()) + 1):
                inside = self._holdout_of == holdout
                scorer = scorer_of(trainer.fit(pool.examples(trainer, chosen[~inside])), trainer)
                expected[inside] = pool.predicted(scorer, chosen[inside])
        except (InputError, Refused) as error:
            self._failure = self._failure or error
            return error
        calibrated = calibrate(expected, pool.tokens[chosen], *fit_curves(expected, pool.tokens[chosen], pool.scores[chosen]))
        found = figures(pool.scores[chosen].tolist(), calibrated.tolist(), 0)
        merit = (found.auc or 0.0) + (found.quadratic_kappa or 0.0)
        if self._best is None or merit > self._best[0]:
            self._best = merit, trainer, expected
        return found

    def train(self) -> EvaluationTrial:
        """Learn from all the texts with the best settings, calibrated on the predictions on the inner holdouts."""
        pool, chosen = self._pool, self._chosen
        trainer, expected = self._found()
        bands, curves = fit_curves(expected, pool.tokens[chosen], pool.scores[chosen])
        scorer = replace(scorer_of(trainer.fit(pool.examples(trainer, chosen)), trainer), bands=bands, curves=curves)
        held_out = np.full(len(pool.rows), np.nan)
        held_out[chosen] = calibrate(expected, pool.tokens[chosen], bands, curves)
        return EvaluationTrial(trainer, scorer, held_out)

    def _found(self) -> tuple[Trainer, Floats]:
        if self._best is None:
            assert self._failure is not None, "no settings were tried"
            raise self._failure
        return self._best[1:]


@dataclass(frozen=True, eq=False)
class NestedSearch:
    """The result of a search: a held-out prediction for each text, what was tried, and the search whose model is written."""

    held_out: Floats
    tried: tuple[TriedSettings, ...]
    whole: SettingsSearch


def search_settings(
    pool: EvaluationPool, candidates: Iterable[Trainer], learn: Flags, tell: Callable[[str], None] = lambda _: None
) -> NestedSearch:
    """Search the best settings for each outer holdout, and for the model that learns from all texts of `learn`.

    A candidate is tried for all of these before the next one is taken, so that a search that ends early has tried the same everywhere.
    """
    outer, whole = _outer(pool, learn, HOLDOUTS), SettingsSearch(pool, np.flatnonzero(learn), HOLDOUTS)
    found: dict[Trainer, HeldOut | CannotLearn] = {}
    for trainer in candidates:
        for part, _ in outer:
            part.attempt(trainer)
        found[trainer] = told = whole.attempt(trainer)
        result = f"AUC {told.auc}, kappa {told.quadratic_kappa}" if isinstance(told, HeldOut) else told
        tell(f"tried {trainer.name} ({', '.join(f'{name} {value}' for name, value in settings_of(trainer).items())}): {result}")
    return NestedSearch(_predictions(pool, outer), tuple(_tried(found, [part for part, _ in outer], whole)), whole)


def _tried(
    found: Mapping[Trainer, HeldOut | CannotLearn], outer: Sequence[SettingsSearch], whole: SettingsSearch
) -> Iterator[TriedSettings]:
    for trainer, told in found.items():
        yield TriedSettings(
            trainer=trainer.name,
            settings=settings_of(trainer),
            auc=told.auc if isinstance(told, HeldOut) else None,
            quadratic_kappa=told.quadratic_kappa if isinstance(told, HeldOut) else None,
            failure="" if isinstance(told, HeldOut) else str(told),
            outer_holdouts=sum(part.best == trainer for part in outer),
            is_best=whole.best == trainer,
        )


def try_out(pool: EvaluationPool, candidates: Sequence[Trainer], learn: Flags, holdouts: int = HOLDOUTS) -> Floats:
    """Return a prediction for every text, from models that learnt from the other holdouts; they learn from texts in `learn` only."""
    outer = _outer(pool, learn, holdouts)
    for part, _ in outer:
        for trainer in candidates:
            part.attempt(trainer)
    return _predictions(pool, outer)


def train(pool: EvaluationPool, candidates: Sequence[Trainer], chosen: Integers, holdouts: int) -> EvaluationTrial:
    """Train on some texts: choose the best candidate on inner holdouts, calibrate it on their predictions, then learn from all of them."""
    part = SettingsSearch(pool, chosen, holdouts)
    for trainer in candidates:
        part.attempt(trainer)
    return part.train()


def _outer(pool: EvaluationPool, learn: Flags, holdouts: int) -> list[tuple[SettingsSearch, Integers]]:
    """Return for each outer holdout a search on the texts outside it, and the texts in it."""
    holdout_of = _holdouts(pool.groups, holdouts)
    return [
        (SettingsSearch(pool, np.flatnonzero((holdout_of != holdout) & learn), INNER_HOLDOUTS), np.flatnonzero(holdout_of == holdout))
        for holdout in range(int(holdout_of.max()) + 1)
    ]


def _predictions(pool: EvaluationPool, outer: Sequence[tuple[SettingsSearch, Integers]]) -> Floats:
    held_out = np.full(len(pool.rows), np.nan)
    for part, tried in outer:
        held_out[tried] = pool.predicted(part.train().scorer, tried)
    return held_out


def _holdouts(groups: npt.NDArray[np.str_], holdouts: int) -> Integers:
    dealt = holdouts_of(groups.tolist(), holdouts)
    return np.array([dealt[group] for group in groups.tolist()], np.int64)

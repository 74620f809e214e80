"""Figures of a score on groups that the model has not seen.

Texts of one book or site resemble each other, so holding out single rows flatters a model, which has read the rest of the book. Therefore
whole groups are dealt into five *holdouts* (cross-validation): a model that was trained on the four others scores the texts of each, so the
figures cover all texts.

Figures: ROC AUC, average precision and F1 for "score at least 3", FineWeb-Edu's threshold (F1 is that of rounded scores, as there); Cohen's
kappa with quadratic weights (1968) on rounded scores; mean absolute error; Spearman's rank correlation; the expected calibration error,
which is the distance of a predicted score from the mean label of texts with similar scores; the bias, which is the mean of prediction minus
label. An undefined figure is None.

Invariant: the holdouts depend only on the names of the groups.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np
import numpy.typing as npt
import polars as pl

from filters.support.scorer import GOOD, HIGHEST_SCORE

HOLDOUTS = 5
_THRESHOLDS = (1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.25, 3.5)
_RETENTIONS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
_BIN_WIDTH = 0.5

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ReliabilityBin:
    """Texts with a prediction from `low` to below `high`: their number, their mean prediction and their mean label."""

    low: float
    high: float
    rows: int
    mean_predicted: float
    mean_label: float


@dataclass(frozen=True)
class HeldOutEffect:
    """The effect of the threshold `min_score`: the share of texts kept, the precision, and the recall of good texts."""

    meaning: str
    """Why this threshold: a fixed step, or the one that keeps a certain share of the texts."""
    min_score: float
    kept: float
    precision: float | None
    recall: float | None


@dataclass(frozen=True)
class HeldOut:
    """The figures over all held-out texts."""

    rows: int
    groups: int
    auc: float | None
    f1: float | None
    quadratic_kappa: float | None
    mean_absolute_error: float
    spearman: float | None
    average_precision: float | None
    calibration_error: float
    bias: float
    reliability: tuple[ReliabilityBin, ...]
    thresholds: tuple[HeldOutEffect, ...]
    """From the lowest threshold to the highest."""
    confusion: tuple[tuple[int, ...], ...]
    """Texts by whole label (rows) and whole prediction (columns)."""
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Figure -> its bounds in 95 of 100 resamples of whole groups (`pipelines.train.intervals`), where they were asked for."""


def holdouts_of(groups: Iterable[str], holdouts: int = HOLDOUTS) -> dict[str, int]:
    """Return group -> holdout. Groups are dealt in turn, in the order of their hashes, so none is empty if there are enough groups."""
    ordered = sorted(set(groups), key=lambda group: (sha256(group.encode("utf-8", "surrogatepass")).digest(), group))
    return {group: place % holdouts for place, group in enumerate(ordered)}


def figures(labels: Sequence[float], predicted: Sequence[float], groups: int) -> HeldOut:
    """Compare predictions with labels, both from 0 to 5; there must be at least one."""
    truth, guess = np.asarray(labels, np.float64), np.asarray(predicted, np.float64)
    good = truth >= GOOD
    reliability = tuple(_reliability(truth, guess))
    return HeldOut(
        rows=len(truth),
        groups=groups,
        auc=_rounded(_auc(good, guess)),
        f1=_rounded(_f1(good, guess >= GOOD - 0.5)),
        quadratic_kappa=_rounded(quadratic_kappa(_whole(truth), _whole(guess))),
        mean_absolute_error=round(float(np.abs(truth - guess).mean()), 4),
        spearman=_rounded(_spearman(truth, guess)),
        average_precision=_rounded(_average_precision(good, guess)),
        calibration_error=round(sum(bin_.rows * abs(bin_.mean_predicted - bin_.mean_label) for bin_ in reliability) / len(truth), 4),
        bias=round(float((guess - truth).mean()), 4),
        reliability=reliability,
        thresholds=tuple(sorted(_effects(good, guess), key=lambda effect: effect.min_score)),
        confusion=tuple(map(tuple, _confusion(_whole(truth), _whole(guess)).tolist())),
    )


def least_score(labels: Sequence[float], predicted: Sequence[float], precision: float) -> float | None:
    """Return the lowest threshold, in steps of 0.05, that reaches a precision; None if there is none.

    Thresholds that keep fewer than 20 texts do not count.
    """
    good, guess = np.asarray(labels) >= GOOD, np.asarray(predicted)
    least = None
    for bound in np.arange(HIGHEST_SCORE * 20, -1, -1) / 20:
        kept = guess >= bound
        if kept.sum() >= 20:
            if good[kept].mean() < precision:
                break
            least = float(bound)
    return least


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(value, 4)


def _whole(scores: Scores) -> npt.NDArray[np.int64]:
    return np.clip(np.floor(scores + 0.5), 0, HIGHEST_SCORE).astype(np.int64)


def _auc(good: npt.NDArray[np.bool_], guess: Scores) -> float | None:
    """Return the probability that a good text scores higher than another one (Mann and Whitney's statistic; ties count half)."""
    positives, negatives = int(good.sum()), int((~good).sum())
    if not positives or not negatives:
        return None
    ranks = pl.Series(guess).rank("average").to_numpy()
    return float((ranks[good].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _average_precision(good: npt.NDArray[np.bool_], guess: Scores) -> float | None:
    """Return the mean, over the good texts, of the precision among all that score at least as high."""
    if not good.any():
        return None
    values, places = np.unique(-guess, return_inverse=True)
    kept, hits = np.cumsum(np.bincount(places, minlength=len(values))), np.cumsum(np.bincount(places[good], minlength=len(values)))
    return float((hits / kept)[places[good]].mean())


def _confusion(truth: npt.NDArray[np.int64], guess: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    size = HIGHEST_SCORE + 1
    return np.bincount(truth * size + guess, minlength=size * size).reshape(size, size)


def _f1(good: npt.NDArray[np.bool_], kept: npt.NDArray[np.bool_]) -> float | None:
    either = int(good.sum()) + int(kept.sum())
    return 2 * int((good & kept).sum()) / either if either else None


def quadratic_kappa(truth: npt.NDArray[np.int64], guess: npt.NDArray[np.int64]) -> float | None:
    """Return 1 - observed / expected disagreement, weighted by squared distance."""
    observed = ((truth - guess) ** 2).mean()
    expected = ((truth[:, None] - np.arange(HIGHEST_SCORE + 1)) ** 2 @ np.bincount(guess, minlength=HIGHEST_SCORE + 1)).mean() / len(guess)
    return float(1 - observed / expected) if expected else None


def _spearman(truth: Scores, guess: Scores) -> float | None:
    if len(np.unique(truth)) < 2 or len(np.unique(guess)) < 2:
        return None
    ranks = [pl.Series(values).rank("average").to_numpy() for values in (truth, guess)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _reliability(truth: Scores, guess: Scores) -> Iterable[ReliabilityBin]:
    for low in np.arange(0, HIGHEST_SCORE, _BIN_WIDTH):
        high = low + _BIN_WIDTH
        inside = (guess >= low) & ((guess < high) | (high == HIGHEST_SCORE))
        if inside.any():
            means = (round(float(values[inside].mean()), 3) for values in (guess, truth))
            yield ReliabilityBin(float(low), float(high), int(inside.sum()), *means)


def _effects(good: npt.NDArray[np.bool_], guess: Scores) -> Iterable[HeldOutEffect]:
    """Yield the effect of each step, and of the score (rounded down) that keeps each share of the texts."""
    for bound in _THRESHOLDS:
        meaning = "a fixed step: rounds to 3" if bound == GOOD - 0.5 else "a fixed step"
        yield _threshold_effect(good, guess >= bound, bound, meaning)
    for share, exact in zip(_RETENTIONS, np.quantile(guess, 1 - np.array(_RETENTIONS), method="lower").tolist(), strict=True):
        bound = np.floor(exact * 1000) / 1000
        yield _threshold_effect(good, guess >= bound, float(bound), f"keeps the best {share:.0%}")


def _threshold_effect(good: npt.NDArray[np.bool_], kept: npt.NDArray[np.bool_], bound: float, meaning: str) -> HeldOutEffect:
    both = int((good & kept).sum())
    precision = both / int(kept.sum()) if kept.any() else None
    recall = both / int(good.sum()) if good.any() else None
    return HeldOutEffect(meaning, bound, round(float(kept.mean()), 4), _rounded(precision), _rounded(recall))

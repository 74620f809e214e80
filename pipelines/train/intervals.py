"""Intervals of held-out figures: how much a figure depends on which groups happen to be labelled.

Texts of one group resemble each other, so resampling single texts would promise too much. The percentile bootstrap (Efron 1979) draws whole
groups instead, as many as there are, with replacement (Field and Welsh 2007, "Bootstrapping clustered data"). The bounds hold a figure in
95 of 100 such draws. A draw in which a figure is undefined does not count for it.

Invariant: the draws come from a fixed seed, in the order of the groups' names, so the same predictions have the same intervals.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from curation.arrays import Floats
from pipelines.train.held_out import figures

FIGURES = ("auc", "quadratic_kappa", "average_precision", "mean_absolute_error", "f1", "calibration_error")
"""The figures that have an interval."""
RESAMPLES = 200
_BOUNDS = (0.025, 0.975)


def group_intervals(
    labels: Floats, predicted: Floats, groups: npt.NDArray[np.str_], resamples: int = RESAMPLES
) -> Mapping[str, tuple[float, float]]:
    """Return the bounds of each of FIGURES that is defined in some draw."""
    names, group = np.unique(groups, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(len(names) + 1))
    chance = np.random.default_rng(1)
    drawn = np.empty((resamples, len(FIGURES)))
    for draw in drawn:
        rows = np.concatenate([order[starts[one] : starts[one + 1]] for one in chance.integers(0, len(names), len(names))])
        found = figures(labels[rows].tolist(), predicted[rows].tolist(), 0)
        draw[:] = [np.nan if (value := getattr(found, name)) is None else value for name in FIGURES]
    defined = {name: column[~np.isnan(column)] for name, column in zip(FIGURES, drawn.T, strict=True)}
    bounds = {name: np.quantile(column, _BOUNDS).tolist() for name, column in defined.items() if len(column)}
    return {name: (round(low, 4), round(high, 4)) for name, (low, high) in bounds.items()}

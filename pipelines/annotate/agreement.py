"""Agreement between raters: quadratic-weighted kappa (Cohen 1968) of every pair, over the excerpts that both labelled."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pipelines.train.held_out import quadratic_kappa


@dataclass(frozen=True)
class Agreement:
    """Two raters and the number of excerpts that both labelled; kappa is None where it is undefined (all labels are equal)."""

    first: str
    second: str
    excerpts: int
    quadratic_kappa: float | None
    exact: float
    within_one: float


def agreements(votes: Mapping[str, Mapping[str, int]]) -> tuple[Agreement, ...]:
    """Return the agreement of every pair of raters with excerpts in common; `votes`: rater -> excerpt -> label."""
    found = []
    for first, second in combinations(sorted(votes), 2):
        common = sorted(votes[first].keys() & votes[second].keys())
        if common:
            one, other = (np.array([votes[rater][text] for text in common], np.int64) for rater in (first, second))
            kappa = quadratic_kappa(one, other)
            apart = np.abs(one - other)
            found.append(
                Agreement(
                    first,
                    second,
                    len(common),
                    None if kappa is None else round(kappa, 4),
                    round(float((apart == 0).mean()), 4),
                    round(float((apart <= 1).mean()), 4),
                )
            )
    return tuple(found)

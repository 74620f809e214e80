"""How well extracted text matches gold text: the F1 of words as a bag, by kind of page, with intervals from resampled pages.

Source: the measure is that of the article extraction benchmarks (Barbaresi, ACL 2021, uses segments; scrapinghub, shingles); the interval
is Efron's percentile bootstrap (1979), 2,000 resamples of pages from a fixed seed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.train.extractor.alignment import WORD

_RESAMPLES = 2_000


@dataclass(frozen=True)
class Match:
    """Precision, recall and F1 of a page's words."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class KindFigures:
    """Means over the pages of a kind; `low` and `high` hold the mean F1 in 95 % of resamples."""

    kind: str
    pages: int
    precision: float
    recall: float
    f1: float
    low: float
    high: float


def match(text: str, gold: str) -> Match:
    """Compare two texts word by word, whatever the order."""
    ours, theirs = Counter(WORD.findall(text.lower())), Counter(WORD.findall(gold.lower()))
    common = sum((ours & theirs).values())
    if not common:
        return Match(0.0, 0.0, 0.0)
    precision, recall = common / sum(ours.values()), common / sum(theirs.values())
    return Match(precision, recall, 2 * precision * recall / (precision + recall))


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return what holds the mean in 95 % of resamples of the values."""
    given = np.asarray(values)
    chance = np.random.default_rng(0)
    means = [given[chance.integers(0, len(given), len(given))].mean() for _ in range(_RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def by_kind(matches: Mapping[str, Sequence[Match]]) -> tuple[KindFigures, ...]:
    """Return the figures of each kind, by name."""
    rows = []
    for kind, found in sorted(matches.items()):
        low, high = interval([one.f1 for one in found])
        means = (float(np.mean([getattr(one, name) for one in found])) for name in ("precision", "recall", "f1"))
        rows.append(KindFigures(kind, len(found), *(round(value, 4) for value in (*means, low, high))))
    return tuple(rows)

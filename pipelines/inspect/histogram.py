"""Histograms on a fixed grid, so that the bins of two runs can be compared.

The bins of an evenly spread signal are 1, 2, 2.5 or 5 times a power of ten wide. A skewed signal has no negative values, and its greatest
value is at least 20 times its median: it has one bin that begins at 0, then ten bins a decade, with edges from Renard's preferred numbers
(R10, ISO 3). The edges of a signal of whole numbers are whole numbers.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

BINS = 36
"""Approximate maximum number of bins."""

DECADES = 6
"""The bins of a skewed signal cover this many powers of ten below its greatest value."""

Scale = Literal["linear", "log"]

_RENARD = (1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0)
_SKEWED = 20


@dataclass(frozen=True)
class Bin:
    """Documents with low <= value < high (or <= high in the last bin): all, those kept, and those that a rule on this signal dropped."""

    low: float
    high: float
    documents: int
    kept: int
    dropped_here: int


def grid(low: float, middle: float, high: float, least: float | None, whole: bool = False) -> tuple[Scale, list[float]]:
    """Return the scale and the edges of bins for values from `low` to `high`; `middle` is their median, `least` the least positive one."""
    if low >= 0 and least is not None and high > least and high >= _SKEWED * max(middle, least):
        first = max(math.floor(10 * math.log10(least)) - 1, math.floor(10 * math.log10(high)) - 10 * DECADES)
        edges = [_renard(place) for place in range(first, math.ceil(10 * math.log10(high)) + 2)]
        begin = max(place for place, edge in enumerate(edges) if edge <= max(least, edges[0]))
        end = next(place for place, edge in enumerate(edges) if edge >= high)
        edges = edges[begin : end + 1]
        if whole:
            edges = sorted({float(math.ceil(edge)) for edge in edges})
        return "log", [0.0, *(edge for edge in edges if edge > 0)]
    largest = max(abs(low), abs(high)) or 1.0
    width = max((high - low) / BINS, largest * 1e-9 if high > low else largest / BINS)
    power = 10.0 ** math.floor(math.log10(width))
    step = next(times * power for times in (1, 2, 2.5, 5, 10) if times * power >= width * (1 - 1e-9))
    if whole:
        step = max(1.0, float(math.ceil(step)))
    begin, end = math.floor(low / step), math.floor(high / step) + 1 if whole else math.ceil(high / step)
    return "linear", [float(f"{place * step:.12g}") for place in range(begin, max(end, begin + 1) + 1)]


def count_bins(numbers: pl.LazyFrame, edges: Sequence[float], rules: Sequence[str]) -> list[Bin]:
    """Count rows of `value`, `fate` and `rule` in bins; `rules` are the names of the rules on this signal."""
    place = pl.lit(pl.Series(edges[1:-1], dtype=pl.Float64)).search_sorted(pl.col("value"), side="right")
    counted = (
        numbers.filter(pl.col("value").is_not_null())
        .group_by(place.alias("bin"))
        .agg(
            pl.len().alias("documents"),
            (pl.col("fate") == "kept").sum().alias("kept"),
            ((pl.col("fate") == "dropped") & pl.col("rule").is_in(rules)).sum().alias("dropped_here"),
        )
        .collect(engine="streaming")
    )
    counts = {row[0]: row[1:] for row in counted.iter_rows()}
    return [Bin(low, high, *counts.get(bin_, (0, 0, 0))) for bin_, (low, high) in enumerate(itertools.pairwise(edges))]


def _renard(place: int) -> float:
    """Return a preferred number; place 0 is the number 1, and a decade has ten places."""
    decade, step = divmod(place, 10)
    return float(f"{_RENARD[step] * 10.0**decade:.6g}")

"""A movable threshold: shows at once what any threshold of a signal would keep.

The values of a signal, the sizes of texts and the fates are held as arrays, 30 bytes per document, so a threshold is one comparison. A run
of many millions of documents is read once for each signal and kept while somebody looks at it.

Invariant: `effect` equals `pipelines.inspect.thresholds.threshold_effect`, which `curate inspect --at` shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.arrays import Flags
from curation.storage.location import Location
from pipelines.inspect.flows import Amount, Split, estimated_tokens, tokens_of_sizes
from pipelines.inspect.rules import RecipeRule
from pipelines.inspect.samples import Sample, SampleQuery, take_samples
from pipelines.inspect.thresholds import THRESHOLD_NOTE, AskedSignal, ThresholdEffect, side_of

NEAREST = 10
"""Documents shown on each side of a threshold."""

HELD = 3
"""Signals whose arrays are kept."""


@dataclass(frozen=True)
class _Judged:
    """What a threshold does not change: the documents that only one rule decides about; how many documents, bytes and tokens there are
    in `all` and pass the rule now; and of the former by source, those there are (`of`) and those that pass it now (`stays`).
    """

    otherwise: Flags
    all: tuple[Amount, Amount]
    of: Sequence[Any]
    stays: Sequence[Any]


@dataclass(frozen=True)
class MovableThreshold:
    """The arrays of one signal; document i is row `rows[i]` of the shard `shards[i]` of `asked.found`."""

    asked: AskedSignal
    values: npt.NDArray[np.float64]
    sizes: npt.NDArray[np.int64]
    sources: npt.NDArray[np.int32]
    names: Sequence[str]
    shards: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int64]
    judged: Sequence[tuple[RecipeRule | None, _Judged]]

    def effect(self, at: float) -> ThresholdEffect:
        """Return what a threshold would keep."""
        rule = self.asked.replaced_by(at)
        drops = side_of(rule)
        held = next(judged for known, judged in self.judged if known == rule)
        then = self.passing(at)
        after = _by_source(self.sources, self.sizes, len(self.names), held.otherwise & then)
        sources = []
        for code, name in enumerate(self.names):
            amounts = [Amount(*(int(part[code]) for part in parts)) for parts in (held.of, held.stays, after)]
            if amounts[0].documents:
                sources.append(Split(name, *amounts))
        rule_name, threshold = (rule.name, rule.threshold) if rule is not None else (None, None)
        everything = Split("all", *held.all, _flagged(self.sizes, then))
        otherwise = Split("otherwise kept", *(_total(parts) for parts in (held.of, held.stays, after)))
        return ThresholdEffect(self.asked.name, at, drops, rule_name, threshold, everything, otherwise, sources, THRESHOLD_NOTE)

    def passing(self, at: float) -> Flags:
        """Return which documents pass a threshold; a document without the signal passes."""
        drops = side_of(self.asked.replaced_by(at))
        with np.errstate(invalid="ignore"):
            return ~(self.values < at if drops == "below" else self.values > at)

    def nearest(self, at: float) -> tuple[list[Sample], list[Sample]]:
        """Return the documents just below and just above a threshold, nearest first."""
        below = self._closest(at, self.values < at)
        above = self._closest(at, self.values >= at)
        queries = [SampleQuery(name, self._rows(chosen)) for name, chosen in (("below", below), ("above", above))]
        samples = take_samples(queries, self.asked.found)
        return [one for one in samples if one.where == "below"], [one for one in samples if one.where == "above"]

    def _closest(self, at: float, side: Flags) -> npt.NDArray[np.int64]:
        places = np.flatnonzero(side)
        distance = np.abs(self.values[places] - at)
        if len(places) > NEAREST:
            some = np.argpartition(distance, NEAREST)[:NEAREST]
            places, distance = places[some], distance[some]
        return places[np.lexsort((places, distance))]

    def _rows(self, chosen: npt.NDArray[np.int64]) -> pl.LazyFrame:
        found = [self.asked.found[place] for place in self.shards[chosen]]
        columns = {
            "origin": [place.origin for place in found],
            "shard": [place.name for place in found],
            "row": self.rows[chosen],
            "value": self.values[chosen],
        }
        return pl.LazyFrame(columns, schema={"origin": pl.String, "shard": pl.String, "row": pl.Int64, "value": pl.Float64})


def _flagged(sizes: Any, flags: Flags) -> Amount:
    """Return the flagged documents."""
    return Amount(int(np.count_nonzero(flags)), int(np.dot(sizes, flags)), int(np.dot(tokens_of_sizes(sizes), flags)))


def _by_source(codes: Any, sizes: Any, names: int, flags: Flags) -> Sequence[Any]:
    """Return the documents, bytes and tokens of each source, counting flagged documents only."""
    codes, sizes = codes[flags], sizes[flags]
    return [np.bincount(codes, weights, minlength=names) for weights in (None, sizes, tokens_of_sizes(sizes))]


def _total(parts: Sequence[Any]) -> Amount:
    return Amount(*(int(part.sum()) for part in parts))


@lru_cache(maxsize=HELD)
def movable(out: Location, signal: str, stamp: object) -> MovableThreshold:  # noqa: ARG001  (a changed run is read again)
    """Read the arrays of a signal. Raises UsageError for a signal that is unknown or not a number."""
    asked = AskedSignal.of(out, signal)
    rules: dict[str, RecipeRule | None] = {str(number): rule for number, rule in enumerate(asked.rules or (None,))}
    places = [number for number, place in enumerate(asked.found) if place.signals is not None]
    frames = pl.collect_all([asked.judged_by([asked.found[place]], rules) for place in places])
    heights = [frame.height for frame in frames]
    table = pl.concat(frames)
    names = table["source"].unique().sort().to_list()
    table = table.with_columns(pl.col("source").cast(pl.Enum(names)).to_physical().cast(pl.Int32))
    return MovableThreshold(
        asked,
        table["value"].cast(pl.Float64).to_numpy(),
        table["text_bytes"].to_numpy(),
        table["source"].to_numpy(),
        names,
        np.repeat(np.array(places, np.int32), heights),
        np.concatenate([np.arange(height) for height in heights]),
        [(rule, _judged(table, number, len(names))) for number, rule in rules.items()],
    )


def _judged(table: pl.DataFrame, rule: str, names: int) -> _Judged:
    """Count by source, by what the rule says and by what the others say: a few rows, from which each sum is made."""
    size = pl.col("text_bytes")
    sums = (pl.len().alias("documents"), size.sum().alias("bytes"), estimated_tokens(size).sum().alias("tokens"))
    keys = pl.col("source"), pl.col(f"now {rule}").alias("now"), pl.col(f"otherwise {rule}").alias("otherwise")
    counted = table.lazy().group_by(keys).agg(sums).collect(engine="streaming")
    now, otherwise = counted["now"].to_numpy(), counted["otherwise"].to_numpy()

    def by_source(flags: Flags) -> Sequence[Any]:
        codes = counted["source"].to_numpy()[flags]
        return [np.bincount(codes, counted[part].to_numpy()[flags], minlength=names) for part in ("documents", "bytes", "tokens")]

    everything = _total(by_source(np.ones(counted.height, np.bool_))), _total(by_source(now))
    return _Judged(table[f"otherwise {rule}"].to_numpy(), everything, by_source(otherwise), by_source(otherwise & now))

"""A movable threshold: shows at once what any threshold of a signal would keep.

The documents are held in the order of the signal, about 25 bytes each: a threshold then splits them at one place, which bisection finds.
Sums by source are held for the ends of a few hundred blocks, so a threshold only counts the documents of the block that it splits, and the
documents nearest to it are those beside that place. Shards are read one after another, so no table of the whole run is ever made.

A run of many millions of documents is read once for each signal. The signals looked at last are held, as many as `SIGNALS_BYTES` allows.

Invariants
    - `effect` equals `pipelines.inspect.thresholds.threshold_effect`, which `curate inspect --at` shows.
    - A document without the signal passes every threshold; such documents are last in the order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.arrays import Flags, Integers
from curation.storage.location import Location
from pipelines.inspect.flows import Amount, Split, tokens_of_sizes
from pipelines.inspect.rules import RecipeRule
from pipelines.inspect.run_folder import ShardPlace, scan
from pipelines.inspect.samples import Sample, SampleQuery, take_samples
from pipelines.inspect.thresholds import THRESHOLD_NOTE, AskedSignal, ThresholdEffect, side_of

NEAREST = 10
"""Documents shown on each side of a threshold."""

SIGNALS_BYTES = 128 << 20
"""What the signals held may take together; the one looked at is held in any case."""

_BLOCK = 1 << 16
"""Documents of the smallest block."""

_SUMS = 1 << 20
"""The most sums that are held: with many sources blocks are larger."""

Sums = npt.NDArray[np.float64]
"""Documents, bytes and tokens (rows) by source (columns); floats hold them exactly."""


@dataclass(frozen=True)
class _Ordered:
    """Sizes and sources of documents in the order of the signal, and the sums of all documents before each block."""

    sizes: npt.NDArray[np.uint32]
    sources: npt.NDArray[np.int32]
    flags: Flags | None
    names: int
    block: int
    before: npt.NDArray[np.float64]

    @classmethod
    def of(cls, sizes: npt.NDArray[np.uint32], sources: npt.NDArray[np.int32], flags: Flags | None, names: int) -> "_Ordered":
        """Count flagged documents (None: all, without telling sources apart)."""
        block = max(_BLOCK, -(-len(sizes) * 3 * names // _SUMS))
        begins = range(0, len(sizes), block)
        before = np.zeros((len(begins) + 1, 3, names))
        counted = cls(sizes, sources, flags, names, block, before)
        for number, begin in enumerate(begins):
            before[number + 1] = before[number] + counted._counted(begin, min(begin + block, len(sizes)))
        return counted

    def first(self, end: int) -> Sums:
        """Return the sums of the first `end` documents."""
        number = end // self.block
        before: Sums = self.before[number]
        return before + self._counted(number * self.block, end)

    def _counted(self, begin: int, end: int) -> Sums:
        sizes, codes = self.sizes[begin:end].astype(np.int64), self.sources[begin:end]
        if self.flags is None:
            return np.array([[len(sizes)], [sizes.sum()], [tokens_of_sizes(sizes).sum()]], np.float64)
        flags = self.flags[begin:end]
        sizes, codes = sizes[flags], codes[flags]
        weighed: list[Any] = [np.bincount(codes, weights, minlength=self.names) for weights in (None, sizes, tokens_of_sizes(sizes))]
        return np.array(weighed, np.float64)


@dataclass(frozen=True)
class _Judged:
    """The documents that only one rule decides about; the sums of all documents that pass the rule now (`now`), and of those (`stays`)."""

    otherwise: _Ordered
    now: Sums
    stays: Sums


@dataclass(frozen=True)
class MovableThreshold:
    """The documents in the order of one signal, of which the first `measured` have it.

    `places` holds their numbers: row i of shard s, counted over all shards, whose first rows have the numbers `begins`.
    """

    asked: AskedSignal
    values: npt.NDArray[np.float64]
    measured: int
    places: npt.NDArray[np.uint32]
    begins: Integers
    shards: Sequence[ShardPlace]
    names: Sequence[str]
    all: _Ordered
    judged: Sequence[tuple[RecipeRule | None, _Judged]]

    def effect(self, at: float) -> ThresholdEffect:
        """Return what a threshold would keep."""
        rule = self.asked.replaced_by(at)
        drops = side_of(rule)
        held = next(judged for known, judged in self.judged if known == rule)
        then = self._passing(held.otherwise, at)
        of = held.otherwise.first(len(self.values))
        sources = [
            Split(name, *(_amount(sums[:, code]) for sums in (of, held.stays, then))) for code, name in enumerate(self.names) if of[0, code]
        ]
        rule_name, threshold = (rule.name, rule.threshold) if rule is not None else (None, None)
        everything = Split("all", *map(_total, (self.all.first(len(self.values)), held.now, self._passing(self.all, at))))
        otherwise = Split("otherwise kept", *map(_total, (of, held.stays, then)))
        return ThresholdEffect(self.asked.name, at, drops, rule_name, threshold, everything, otherwise, sources, THRESHOLD_NOTE)

    def _passing(self, documents: _Ordered, at: float) -> Sums:
        """Return the sums of the documents that pass a threshold."""
        if side_of(self.asked.replaced_by(at)) == "below":
            return documents.first(len(self.values)) - documents.first(self._place(at, "left"))
        missing = documents.first(len(self.values)) - documents.first(self.measured)
        return documents.first(self._place(at, "right")) + missing

    def _place(self, at: float, side: Any) -> int:
        return int(np.searchsorted(self.values[: self.measured], at, side))

    def nearest(self, at: float) -> tuple[list[Sample], list[Sample]]:
        """Return the documents just below and just above a threshold, nearest first."""
        place = self._place(at, "left")
        below, above = np.arange(place)[-NEAREST:], np.arange(place, self.measured)[:NEAREST]
        queries = [SampleQuery(name, self._rows(chosen, at)) for name, chosen in (("below", below), ("above", above))]
        samples = take_samples(queries, self.asked.found)
        return [one for one in samples if one.where == "below"], [one for one in samples if one.where == "above"]

    def _rows(self, chosen: Integers, at: float) -> pl.LazyFrame:
        chosen = chosen[np.lexsort((self.places[chosen], np.abs(self.values[chosen] - at)))]
        numbers = self.places[chosen].astype(np.int64)
        shards = np.searchsorted(self.begins, numbers, "right") - 1
        columns = {
            "origin": [self.shards[shard].origin for shard in shards],
            "shard": [self.shards[shard].name for shard in shards],
            "row": numbers - self.begins[shards],
            "value": self.values[chosen],
        }
        return pl.LazyFrame(columns, schema={"origin": pl.String, "shard": pl.String, "row": pl.Int64, "value": pl.Float64})

    @property
    def bytes(self) -> int:
        """The memory that the arrays take."""
        arrays: list[npt.NDArray[Any] | None] = [self.values, self.places, self.all.sizes, self.all.sources]
        for _, judged in self.judged:
            arrays += [judged.otherwise.flags, judged.otherwise.before]
        return sum(array.nbytes for array in arrays if array is not None)


def _amount(sums: Any) -> Amount:
    return Amount(*(int(part) for part in sums))


def _total(sums: Sums) -> Amount:
    return _amount(sums.sum(axis=1))


_held: dict[tuple[Location, str, object], MovableThreshold] = {}


def movable(out: Location, signal: str, stamp: object) -> MovableThreshold:
    """Return the documents in the order of a signal; they are read again if `stamp` differs, as it does for a run that has changed.

    Raises UsageError for a signal that is unknown or not a number.
    """
    name = out, signal, stamp
    if name in _held:
        _held[name] = _held.pop(name)
        return _held[name]
    asked = AskedSignal.of(out, signal)
    sizes = [(place, scan([place.ledger]).select(pl.len()).collect().item()) for place in asked.found if place.signals is not None]
    _make_room(25 * sum(rows for _, rows in sizes))
    _held[name] = _read(asked, sizes)
    return _held[name]


def _make_room(needed: int) -> None:
    """Forget the signals that were looked at longest ago, before another one is read."""
    while _held and needed + sum(one.bytes for one in _held.values()) > SIGNALS_BYTES:
        del _held[next(iter(_held))]


def _read(asked: AskedSignal, sizes: Sequence[tuple[ShardPlace, int]]) -> MovableThreshold:
    rules: dict[str, RecipeRule | None] = {str(number): rule for number, rule in enumerate(asked.rules or (None,))}
    begins = np.cumsum([0, *(rows for _, rows in sizes)])
    columns: dict[str, Any] = {"value": np.empty(begins[-1], np.float64), "text_bytes": np.empty(begins[-1], np.uint32)}
    columns |= {"source": np.empty(begins[-1], np.int32)}
    columns |= {f"{said} {rule}": np.empty(begins[-1], np.bool_) for rule in rules for said in ("now", "otherwise")}
    known: dict[str, int] = {}
    for (place, _), begin, end in zip(sizes, begins, begins[1:], strict=False):
        table = asked.judged_by([place], rules).collect(engine="streaming")
        for column in columns:
            columns[column][begin:end] = _codes(table[column], known) if column == "source" else table[column].to_numpy()
    names = sorted(known)
    ranks = np.empty(len(names), np.int32)
    ranks[[known[name] for name in names]] = np.arange(len(names))
    columns["source"] = ranks[columns["source"]]
    order = np.argsort(columns["value"], kind="stable")
    for column in columns:
        columns[column] = columns[column][order]
    places = order.astype(np.uint32)
    values, counted = columns["value"], (columns["text_bytes"], columns["source"])
    return MovableThreshold(
        asked,
        values,
        len(values) - int(np.count_nonzero(np.isnan(values))),
        places,
        begins,
        [place for place, _ in sizes],
        names,
        _Ordered.of(*counted, None, 1),
        [(rule, _judged(columns, number, len(names))) for number, rule in rules.items()],
    )


def _codes(sources: pl.Series, known: dict[str, int]) -> npt.NDArray[np.int32]:
    """Return a number for each name of a source; new names get new numbers."""
    names = sources.unique().to_list()
    codes = np.array([known.setdefault(name, len(known)) for name in names], np.int32)
    of_rows: npt.NDArray[np.int32] = codes[sources.cast(pl.Enum(names)).to_physical().to_numpy()]
    return of_rows


def _judged(columns: Mapping[str, Any], rule: str, names: int) -> _Judged:
    otherwise, now = columns[f"otherwise {rule}"], columns[f"now {rule}"]
    counted = columns["text_bytes"], columns["source"]
    of_now, stays = (_Ordered.of(*counted, flags, names).before[-1] for flags in (now, otherwise & now))
    return _Judged(_Ordered.of(*counted, otherwise, names), of_now, stays)

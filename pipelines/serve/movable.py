"""A movable threshold: shows at once what any threshold of a signal would keep.

The documents are held in the order of the signal, about 13 bytes each: a threshold then splits them at one place, which bisection finds.
Sums by source are held for the ends of a few hundred blocks, so a threshold only counts the documents of the block that it splits, and the
documents nearest to it are those beside that place. Shards are read one after another, so no table of the whole run is ever made.

A run of many millions of documents is read once for each signal, and its sizes and sources once for all signals. The signals looked at last
are held, as many as `SIGNALS_BYTES` allows.

Invariants
    - `effect` equals `pipelines.inspect.thresholds.threshold_effect`, which `curate inspect --at` shows.
    - A document without the signal passes every threshold; such documents are last in the order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.arrays import Flags, Integers
from curation.storage.location import Location
from pipelines.inspect.flows import Amount, Split, tokens_of_sizes
from pipelines.inspect.rules import RecipeRule
from pipelines.inspect.run_folder import ShardPlace, places, scan
from pipelines.inspect.samples import Sample, SampleQuery, take_samples
from pipelines.inspect.thresholds import THRESHOLD_NOTE, AskedSignal, ThresholdEffect, side_of

NEAREST = 10
"""Documents shown on each side of a threshold."""

SIGNALS_BYTES = 256 << 20
"""What the signals held may take together; the one looked at is held in any case."""

_BLOCK = 1 << 16
"""Documents of the smallest block."""

_VALUE_BYTES = 12
"""Bytes of a document's value and number."""

_SUMS = 1 << 20
"""The most sums that are held: with many sources blocks are larger."""

Sums = npt.NDArray[np.float64]
"""Documents, bytes and tokens (rows) by source (columns); floats hold them exactly."""


@dataclass(frozen=True)
class _Measured:
    """The measured documents of a run, in its order: shards, the number of each shard's first document, text bytes, and sources by code."""

    shards: Sequence[ShardPlace]
    begins: Integers
    sizes: npt.NDArray[np.uint32]
    sources: npt.NDArray[np.integer[Any]]
    names: Sequence[str]

    def sums(self, numbers: npt.NDArray[Any]) -> Sums:
        """Return the sums by source of some documents."""
        sizes, codes = self.sizes[numbers].astype(np.int64), self.sources[numbers]
        weighed: list[Any] = [np.bincount(codes, weights, minlength=len(self.names)) for weights in (None, sizes, tokens_of_sizes(sizes))]
        return np.array(weighed, np.float64)

    def sums_of_all(self, flags: Flags) -> Sums:
        """Return the sums by source of all flagged documents."""
        total = np.zeros((3, len(self.names)))
        for begin in range(0, len(flags), _BLOCK):
            total += self.sums(begin + np.flatnonzero(flags[begin : begin + _BLOCK]))
        return total


@dataclass(frozen=True)
class _Ordered:
    """The documents in the order of the signal, of which some are flagged (None: all), and the sums of all documents before each block."""

    documents: _Measured
    places: npt.NDArray[np.uint32]
    flags: Flags | None
    block: int
    before: npt.NDArray[np.float64]

    @classmethod
    def of(cls, documents: _Measured, places: npt.NDArray[np.uint32], flags: Flags | None) -> "_Ordered":
        """Count flagged documents by source, or all without telling sources apart."""
        names = len(documents.names) if flags is not None else 1
        block = max(_BLOCK, -(-len(places) * 3 * names // _SUMS))
        begins = range(0, len(places), block)
        before = np.zeros((len(begins) + 1, 3, names))
        counted = cls(documents, places, flags, block, before)
        for number, begin in enumerate(begins):
            before[number + 1] = before[number] + counted._counted(begin, min(begin + block, len(places)))
        return counted

    def first(self, end: int) -> Sums:
        """Return the sums of the first `end` documents."""
        number = end // self.block
        before: Sums = self.before[number]
        return before + self._counted(number * self.block, end)

    def _counted(self, begin: int, end: int) -> Sums:
        places = self.places[begin:end]
        if self.flags is None:
            sizes = self.documents.sizes[places].astype(np.int64)
            return np.array([[len(sizes)], [sizes.sum()], [tokens_of_sizes(sizes).sum()]], np.float64)
        return self.documents.sums(places[self.flags[begin:end]])


@dataclass(frozen=True)
class _Judged:
    """The documents that only one rule decides about; the sums of all documents that pass the rule now (`now`), and of those (`stays`)."""

    otherwise: _Ordered
    now: Sums
    stays: Sums


@dataclass(frozen=True)
class MovableThreshold:
    """The documents in the order of one signal, of which the first `measured` have it; `places` holds their numbers in the run's order."""

    asked: AskedSignal
    documents: _Measured
    values: npt.NDArray[np.float64]
    measured: int
    places: npt.NDArray[np.uint32]
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
            Split(name, *(_amount(sums[:, code]) for sums in (of, held.stays, then)))
            for code, name in enumerate(self.documents.names)
            if of[0, code]
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
        shards = np.searchsorted(self.documents.begins, numbers, "right") - 1
        columns = {
            "origin": [self.documents.shards[shard].origin for shard in shards],
            "shard": [self.documents.shards[shard].name for shard in shards],
            "row": numbers - self.documents.begins[shards],
            "value": self.values[chosen],
        }
        return pl.LazyFrame(columns, schema={"origin": pl.String, "shard": pl.String, "row": pl.Int64, "value": pl.Float64})

    @property
    def bytes(self) -> int:
        """The memory that the arrays take, without those that all signals share."""
        arrays: list[npt.NDArray[Any] | None] = [self.values, self.places, self.all.before]
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
    documents = _documents(out, stamp)
    _make_room((_VALUE_BYTES + max(1, len(asked.rules))) * len(documents.sizes))
    _held[name] = _read(asked, documents)
    return _held[name]


def _make_room(needed: int) -> None:
    """Forget the signals that were looked at longest ago, before another one is read."""
    while _held and needed + sum(one.bytes for one in _held.values()) > SIGNALS_BYTES:
        del _held[next(iter(_held))]


@lru_cache(maxsize=1)
def _documents(out: Location, stamp: object) -> _Measured:  # noqa: ARG001  (a changed run is read again)
    shards = [place for place in places(out) if place.signals is not None]
    begins = np.cumsum([0, *(scan([place.ledger]).select(pl.len()).collect().item() for place in shards)])
    sizes, sources = np.empty(begins[-1], np.uint32), np.empty(begins[-1], np.int32)
    known: dict[str, int] = {}
    for place, begin, end in zip(shards, begins, begins[1:], strict=False):
        table = scan([place.ledger]).select("source", "text_bytes").collect(engine="streaming")
        sizes[begin:end], sources[begin:end] = table["text_bytes"].to_numpy(), _codes(table["source"], known)
    names = sorted(known)
    ranks = np.empty(len(names), np.min_scalar_type(len(names)))
    ranks[[known[name] for name in names]] = np.arange(len(names))
    return _Measured(shards, begins, sizes, ranks[sources], names)


def _read(asked: AskedSignal, documents: _Measured) -> MovableThreshold:
    rules: dict[str, RecipeRule | None] = {str(number): rule for number, rule in enumerate(asked.rules or (None,))}
    count = len(documents.sizes)
    values = np.empty(count, np.float64)
    flags = {f"{said} {rule}": np.empty(count, np.bool_) for rule in rules for said in ("now", "otherwise")}
    for place, begin, end in zip(documents.shards, documents.begins, documents.begins[1:], strict=False):
        table = asked.judged_by([place], rules).select("value", *flags).collect(engine="streaming")
        values[begin:end] = table["value"].to_numpy()
        for name, column in flags.items():
            column[begin:end] = table[name].to_numpy()
    order = np.argsort(values, kind="stable").astype(np.uint32)
    judged = [
        (rule, _Judged(_Ordered.of(documents, order, otherwise[order]), documents.sums_of_all(now), documents.sums_of_all(otherwise & now)))
        for name, rule in rules.items()
        for now, otherwise in [(flags[f"now {name}"], flags[f"otherwise {name}"])]
    ]
    measured = count - int(np.count_nonzero(np.isnan(values)))
    return MovableThreshold(asked, documents, values[order], measured, order, _Ordered.of(documents, order, None), judged)


def _codes(sources: pl.Series, known: dict[str, int]) -> npt.NDArray[np.int32]:
    """Return a number for each name of a source; new names get new numbers."""
    names = sources.unique().to_list()
    codes = np.array([known.setdefault(name, len(known)) for name in names], np.int32)
    of_rows: npt.NDArray[np.int32] = codes[sources.cast(pl.Enum(names)).to_physical().to_numpy()]
    return of_rows

"""Comparing sets of ids that do not fit in memory: by their hashes, of which only a bounded number is held at once.

An id is represented by polars' 64-bit hash (fast, and valid only within one process). Equal ids have equal hashes, so a correct set is
never reported as faulty. A given unknown id has the hash of one of n known ids with probability n / 2^64, less than 10^-10 for a billion:
that is how rarely a fault is missed.

    Are all of some ids known?      The hashes to find are held in memory, one range at a time and each once, while all known ids stream
                                    past them. Both sides are read once for every HELD ids to find. (Holding the known ids instead would
                                    need one pass, but memory that grows with the corpus.)
    Are two multisets equal?        The sums of their hashes are compared (MSet-Add-Hash, Clarke and others 2003), in one pass and constant
                                    memory; unlike an exclusive or, a sum also detects repetitions. Each bucket of hashes has its own sum,
                                    so if sums differ, one more pass finds the culprits among few ids.

Invariant: about HELD hashes of ids to find are held at most, in HELD_BYTES each: 544 MiB, whatever the number of ids. If multisets differ,
an eighth as many are held, in no more memory, unless one id occurs millions of times.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pyarrow as pa

from curation.arrays import Column, Flags, Hashes, Integers
from curation.shuffle.exchange import Range, ranges_for

Ids = Callable[[], Iterable[Column]]
"""Reads ids from the start at every call: text columns without nulls, one row group at a time."""

MOST_HELD = 1 << 25
"""Approximate number of hashes that are held at once."""

HELD_BYTES = 17
"""Bytes for each: the hash, a copy while repetitions are removed, and a flag."""

BUCKET_BITS = 16
"""The number of leading bits of a hash that select its bucket."""


@dataclass(frozen=True)
class Culprits:
    """Ids at fault: how many, in how many rows, and an example. `all_seen` is False if only some of the ids were examined."""

    ids: int
    rows: int
    example: str
    all_seen: bool = True

    @property
    def counted(self) -> str:
        """The number of rows in words."""
        return str(self.rows) if self.all_seen else f"at least {self.rows}"


@dataclass(frozen=True)
class Differences:
    """How a multiset of ids differs from the expected one; a field is None if there is no such difference.

    `strange` ids are not expected at all, `again` occur more often than expected, `missing` less often.
    """

    strange: Culprits | None = None
    again: Culprits | None = None
    missing: Culprits | None = None


@dataclass
class Multiset:
    """The sum of the hashes of some ids in each bucket, modulo 2^64."""

    size: int = 0
    sums: Hashes = field(default_factory=lambda: np.zeros(1 << BUCKET_BITS, np.uint64))

    def add(self, ids: Column) -> None:
        """Add the ids of a column."""
        hashes = _hashes(ids)
        np.add.at(self.sums, _buckets(hashes), hashes)
        self.size += len(hashes)

    def include(self, other: "Multiset") -> None:
        """Add all ids of another multiset."""
        self.sums += other.sums
        self.size += other.size


def ids_not_among(looked_for: Ids, amount: int, known: Ids, held: int = MOST_HELD) -> Culprits | None:
    """Return which of the ids to find (`amount` with repetitions) are unknown; None if all are known."""
    if not amount:
        return None
    parts = [_not_among_within(part, looked_for, known) for part in ranges_for(amount, held)]
    found = [part for part in parts if part is not None]
    return Culprits(sum(part.ids for part in found), sum(part.rows for part in found), found[0].example) if found else None


def id_differences(there: Ids, expected: Ids, sums: tuple[Multiset, Multiset], held: int = MOST_HELD) -> Differences:
    """Return how the ids that exist differ from the expected ones, whose `sums` were computed before."""
    differing = np.flatnonzero(sums[0].sums != sums[1].sums)
    if not len(differing):
        return Differences()
    fitting = max(1, (held // 8 << BUCKET_BITS) // (sums[0].size + sums[1].size))
    buckets = np.zeros(1 << BUCKET_BITS, np.bool_)
    buckets[differing[:fitting]] = True
    expected_counts = _counts(expected, buckets, "expected")
    counts = _counts(there, buckets, "there").join(expected_counts, on="hash", how="full", coalesce=True).fill_null(0)
    more = counts.with_columns(rows=pl.col("there") - pl.col("expected"))
    all_seen = len(differing) <= fitting
    return Differences(
        strange=_culprits(there, more.filter(pl.col("expected") == 0), all_seen),
        again=_culprits(there, more.filter(pl.col("expected") > 0, pl.col("rows") > 0), all_seen),
        missing=_culprits(expected, more.filter(pl.col("rows") < 0), all_seen),
    )


def _hashes(ids: Column) -> Hashes:
    return pl.Series(ids).hash().to_numpy()


def _buckets(hashes: Hashes) -> Integers:
    return (hashes >> np.uint64(64 - BUCKET_BITS)).astype(np.int64)


def _within(part: Range, hashes: Hashes) -> Hashes:
    return hashes[(hashes >= np.uint64(part.low)) & (hashes <= np.uint64(part.high - 1))]


def _not_among_within(part: Range, looked_for: Ids, known: Ids) -> Culprits | None:
    unknown = _unknown(_distinct(looked_for, part), known, part)
    if not len(unknown):
        return None
    rows, example = 0, ""
    for found in _rows_of(looked_for, unknown):
        rows, example = rows + len(found), example or found[0].as_py()
    return Culprits(len(unknown), rows, example)


def _distinct(ids: Ids, part: Range) -> Hashes:
    """Return the distinct hashes in a range, in ascending order.

    Repetitions within a column are removed first: otherwise an id that a tenth of all duplicates point at would fill a range alone.
    """
    held = np.concatenate([np.empty(0, np.uint64), *(np.unique(_within(part, _hashes(column))) for column in ids())])
    held.sort()
    first = np.ones(len(held), np.bool_)
    np.not_equal(held[1:], held[:-1], out=first[1:])
    return held[first]


def _unknown(hashes: Hashes, known: Ids, part: Range) -> Hashes:
    """Return which of some ascending hashes, all in one range, belong to no known id."""
    if not len(hashes):
        return hashes
    met = np.zeros(len(hashes), np.bool_)
    for column in known():
        streaming = np.sort(_within(part, _hashes(column)))  # sorted, so that the look-ups go through memory in one direction
        places, equal = _look_up(streaming, hashes)
        met[places[equal]] = True
    return hashes[~met]


def _look_up(hashes: Hashes, among: Hashes) -> tuple[Integers, Flags]:
    """Return, for each hash, its position among some ascending ones (at least one), and whether it is present."""
    places = np.minimum(np.searchsorted(among, hashes), len(among) - 1)
    return places, among[places] == hashes


def _counts(ids: Ids, buckets: Flags, name: str) -> pl.DataFrame:
    """Return how often each hash in some buckets occurs, as columns `hash` and `name`."""
    hashes = (_hashes(column) for column in ids())
    held = np.concatenate([np.empty(0, np.uint64), *(batch[buckets[_buckets(batch)]] for batch in hashes)])
    return pl.DataFrame({"hash": held}).group_by("hash").agg(pl.len().cast(pl.Int64).alias(name))


def _culprits(ids: Ids, more: pl.DataFrame, all_seen: bool) -> Culprits | None:
    if more.is_empty():
        return None
    example = next(_rows_of(ids, more["hash"].sort().to_numpy()))[0].as_py()
    return Culprits(more.height, int(more["rows"].abs().sum()), example, all_seen)


def _rows_of(ids: Ids, hashes: Hashes) -> Iterator[Column]:
    """Yield, from each column, the rows that have one of some ascending hashes; skip columns without any."""
    for column in ids():
        chosen = column.filter(pa.array(_look_up(_hashes(column), hashes)[1]))
        if len(chosen):
            yield chosen

"""Verify: a document is dropped only for a better one that it is really like.

Candidates may share a band by chance, and chains of likeness (A like B, B like C) tie together documents that are not alike at all. So the
documents of a component are taken in survivor order, best first, and each is compared with documents that were kept before it and share a
bucket with it: at most `compared` of each bucket, the best ones, again best first. The first whose shingles pass is its survivor; if none
does, the document is kept.

    same_record     the key of a kept document
    exact           the normalised text of a kept document
    near_duplicate  Jaccard similarity |A and B| / |A or B| of the sets of distinct shingles is at least `threshold`
    contained       where the recipe asks: |A and B| / |A|, A being the document, is at least `containment`

Documents of one text are judged once: when the first of them is a duplicate, the others are duplicates of the same document. Documents of
earlier runs come first in the order and are not judged: all stay, also where two of them say the same.

Invariants
    - What a document is a duplicate of is always kept: no chains. Every near-duplicate passed with its own survivor.
    - A component is in one unit, so results do not depend on how components are spread over units.
    - Memory: the rows of a range of components (RANGE_BYTES, or its largest component), and 4 bytes for each bucket and comparison in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.comparison import COMPARED
from curation.exchange import Range, ranges_for, read_range, write_sorted
from curation.jit import inline_kernel, kernel
from curation.schema import KEY
from curation.session import Session
from curation.shards import Shard
from curation.shingles import Hashes
from curation.stage import Output, Stage, Unit
from curation.survivors import best_first
from curation.text import Offsets

RANGE_BYTES = 256 << 20
"""Compressed bytes of rows that one unit reads, about."""

KEPT, SAME_RECORD, EXACT, NEAR_DUPLICATE, CONTAINED = range(5)
RULES = pa.array([None, "same_record", "exact", "near_duplicate", "contained"], pa.string())

VERIFIED = pa.schema(
    [
        pa.field("number", pa.int64(), nullable=False),
        pa.field("duplicate_of", pa.string()),
        pa.field("duplicate_of_key", KEY),
        pa.field("rule", pa.string()),
        pa.field("similarity", pa.float64()),
        pa.field("cluster", pa.int64(), nullable=False),
        pa.field("cluster_size", pa.int64(), nullable=False),
    ]
)
"""A document that had a candidate. `cluster` is the number of its survivor (its own where it is kept), `cluster_size` all that share it."""

Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Verify(Stage):
    """Judges the documents of a range of components."""

    threshold: float
    containment: float | None
    compared: int
    name: ClassVar[str] = "4f-verify"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "polars", "numpy", "numba")

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        """Write what became of the documents of one range."""
        table = read_range(unit.inputs["compared"], "place", Range(unit.extra["low"], unit.extra["high"]), COMPARED).combine_chunks()
        order = best_first(table)
        judged = judge(table, order, self.threshold, self.containment, self.compared, unit.extra["first_earlier"])
        kept = pa.array(order[judged.survivors])
        dropped = judged.rules != KEPT
        write_sorted(
            output,
            unit.name,
            pa.table(
                {
                    "number": table["number"].take(order),
                    "duplicate_of": pc.if_else(dropped, table["id"].take(kept), None),
                    "duplicate_of_key": pc.if_else(dropped, table["key"].take(kept), pa.scalar(None, KEY)),
                    "rule": RULES.take(pa.array(judged.rules)),
                    "similarity": pa.array(judged.similarities, mask=~dropped),
                    "cluster": table["number"].take(kept),
                    "cluster_size": np.bincount(judged.survivors, minlength=len(order))[judged.survivors],
                },
                schema=VERIFIED,
            ),
            VERIFIED,
            ("number",),
        )
        found = {name: int((judged.rules == rule).sum()) for rule, name in enumerate(RULES.to_pylist()) if name is not None}
        return {"documents": len(order), **found, "compared": judged.compared, "skipped": judged.skipped}


class Judged(NamedTuple):
    """For each document, best first: place of its survivor (its own where it is kept), rule and similarity; and comparisons in all."""

    survivors: Places
    rules: Places
    similarities: npt.NDArray[np.float64]
    compared: int
    skipped: int


def judge(table: Any, order: Places, threshold: float, containment: float | None, most: int, first_earlier: int) -> Judged:
    """Judge the documents of a COMPARED table, whose best-first order is given; at most `most` of each bucket are compared with.

    Documents with a number from `first_earlier` up stay whatever they are like; they must be first in the order.
    """
    texts = _codes(table["text_hash"])
    bucket_starts, buckets = _lists(table["buckets"])
    shingle_starts, shingles = _lists(table["shingles"])
    leaders = np.flatnonzero(np.diff(shingle_starts))
    stands_for = np.full(int(texts.max(initial=-1)) + 1, -1)
    stands_for[texts[leaders]] = leaders
    known, bucket_codes = np.unique(buckets, return_inverse=True)
    members, member_counts = np.empty((len(known), most), np.int32), np.zeros(len(known), np.int64)
    survivors, rules, similarities = np.empty(len(order), np.int64), np.zeros(len(order), np.int64), np.ones(len(order))
    compared, skipped = _judge_best_first(
        texts[order],
        _codes(table["key"])[order],
        table["number"].to_numpy()[order] >= first_earlier,
        stands_for,
        bucket_starts,
        bucket_codes,
        shingle_starts,
        shingles,
        members,
        member_counts,
        threshold,
        2.0 if containment is None else containment,
        survivors,
        rules,
        similarities,
    )
    return Judged(survivors, rules, similarities, compared, skipped)


def _codes(column: Any) -> Places:
    """Return a small whole number for each distinct value of a column."""
    return np.asarray(column.combine_chunks().dictionary_encode().indices.to_numpy(), np.int64)


def _lists(column: Any) -> tuple[Offsets, Hashes]:
    array = column.combine_chunks()
    return array.offsets.to_numpy(), array.values.to_numpy()


@kernel
def _judge_best_first(
    texts: Places,
    keys: Places,
    earlier: npt.NDArray[np.bool_],
    stands_for: Places,
    bucket_starts: Offsets,
    buckets: Places,
    shingle_starts: Offsets,
    shingles: Hashes,
    members: npt.NDArray[np.int32],
    member_counts: Places,
    threshold: float,
    containment: float,
    survivors: Places,
    rules: Places,
    similarities: npt.NDArray[np.float64],
) -> tuple[int, int]:
    """Judge documents in survivor order.

    `stands_for` is the row whose buckets and shingles are those of a text (-1: none was needed); `members` the first kept documents of each
    bucket, `member_counts` how many were kept in all. No document reaches a `containment` of 2.
    """
    most = members.shape[1]
    text_kept_by = np.full(len(stands_for), -1)
    text_rule, text_similarity = np.zeros(len(stands_for), np.int64), np.ones(len(stands_for))
    key_kept_by = np.full(keys.max() + 1 if len(keys) else 0, -1)
    compared = skipped = 0
    for place in range(len(texts)):
        text = texts[place]
        row = stands_for[text]
        same = key_kept_by[keys[place]]
        if earlier[place]:
            survivors[place] = place
            if same < 0:
                key_kept_by[keys[place]] = place
            if text_kept_by[text] < 0:
                text_kept_by[text], text_rule[text] = place, EXACT
                if row >= 0:
                    _offer(buckets[bucket_starts[row] : bucket_starts[row + 1]], place, members, member_counts)
            continue
        if same >= 0:
            survivors[place], rules[place] = same, SAME_RECORD
            if texts[same] != text and row >= 0 and stands_for[texts[same]] >= 0:
                similarities[place] = _shared(shingle_starts, shingles, row, stands_for[texts[same]])[0]
            continue
        if text_kept_by[text] >= 0:
            survivors[place], rules[place], similarities[place] = text_kept_by[text], text_rule[text], text_similarity[text]
            continue
        survivors[place] = place
        text_rule[text] = EXACT
        if row >= 0:
            own = buckets[bucket_starts[row] : bucket_starts[row + 1]]
            offered = np.empty(len(own) * most, np.int64)
            count = 0
            for bucket in own:
                shown = min(most, member_counts[bucket])
                skipped += member_counts[bucket] - shown
                offered[count : count + shown] = members[bucket, :shown]
                count += shown
            offered = np.unique(offered[:count])
            for other in offered:
                similarity, contained = _shared(shingle_starts, shingles, row, stands_for[texts[other]])
                compared += 1
                if similarity >= threshold or contained >= containment:
                    survivors[place] = other
                    text_rule[text] = NEAR_DUPLICATE if similarity >= threshold else CONTAINED
                    text_similarity[text] = similarity if similarity >= threshold else contained
                    rules[place], similarities[place] = text_rule[text], text_similarity[text]
                    break
            if survivors[place] == place:
                _offer(own, place, members, member_counts)
        if survivors[place] == place:
            key_kept_by[keys[place]] = place
        text_kept_by[text] = survivors[place]
    return compared, skipped


@inline_kernel
def _offer(own: Places, place: int, members: npt.NDArray[np.int32], member_counts: Places) -> None:
    """Let what comes later in a kept document's buckets be compared with it."""
    for bucket in own:
        if member_counts[bucket] < members.shape[1]:
            members[bucket, member_counts[bucket]] = place
        member_counts[bucket] += 1


@kernel
def _shared(starts: Offsets, shingles: Hashes, one: int, other: int) -> tuple[float, float]:
    """Return the Jaccard similarity of two rows' shingles, and the part of the first row's that the other has."""
    left, left_end = starts[one], starts[one + 1]
    right, right_end = starts[other], starts[other + 1]
    own, total = left_end - left, left_end - left + right_end - right
    both = 0
    while left < left_end and right < right_end:
        a, b = shingles[left], shingles[right]
        both += a == b
        left += a <= b
        right += b <= a
    return both / (total - both), both / own


def verify(
    session: Session, files: Sequence[Shard], threshold: float, containment: float | None, compared: int, first_earlier: int
) -> tuple[Shard, ...]:
    """Judge everything that was gathered; returns shards of VERIFIED, each sorted by number."""
    ranges = ranges_for(sum(file.bytes for file in files), RANGE_BYTES)
    units = [
        Unit(f"{place:06d}", {"compared": tuple(files)}, extra={"low": wanted.low, "high": wanted.high, "first_earlier": first_earlier})
        for place, wanted in enumerate(ranges)
    ]
    return session.run(Verify(threshold, containment, compared), units).shards

"""Verify: a document is dropped only for a better one that it is really like.

Candidates may share a band by chance, and chains of likeness (A like B, B like C) tie together documents that are not alike at all. So the
documents of a component are taken in survivor order, best first, and each is compared with documents that were kept before it and share a
bucket with it: at most `compared` of each bucket, the best ones, again best first. The first whose shingles pass is its survivor; if none
does, the document is kept.

    same_record     the key of a kept document
    exact           the normalised text of a kept document
    near_duplicate  Jaccard similarity |A and B| / |A or B| of the sets of distinct shingles is at least `threshold`
    contained       where the recipe asks: |A and B| / |A|, A being the document, is at least `containment`

Documents of one text are judged once: when the first of them is a duplicate, the others are duplicates of the same document.

Invariants
    - What a document is a duplicate of is always kept: no chains. Every near-duplicate passed with its own survivor.
    - A component is in one unit, so results do not depend on how components are spread over units.
    - Memory: the rows of a range of components (RANGE_BYTES, or its largest component), twice while they are laid out; then once, and 40
      bytes for each bucket of a document.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.comparison import COMPARED, Gathered
from curation.exchange import Range, ranges_for, read_range, write_sorted
from curation.jit import kernel
from curation.schema import KEY
from curation.session import Session
from curation.shards import Shard
from curation.shingles import Hashes
from curation.stage import Output, Stage, Unit
from curation.survivors import best_first
from curation.text import Offsets

RANGE_BYTES = 256 << 20
"""Bytes of rows that one unit reads, about: uncompressed, for near copies compress so well together that their file says nothing."""

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
        table = read_range(unit.inputs["compared"], "place", Range(unit.extra["low"], unit.extra["high"]), COMPARED)
        documents = documents_of(table)
        table = table.drop_columns(["buckets", "shingles"]).combine_chunks()
        pa.default_memory_pool().release_unused()  # else Arrow keeps what it no longer needs for itself
        order = best_first(table)
        judged = judge(documents, order, self.threshold, self.containment, self.compared)
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


class Documents(NamedTuple):
    """What is judged: codes of texts and keys, and the buckets and shingles of row i, from starts[i] up to starts[i + 1]."""

    texts: Places
    keys: Places
    bucket_starts: Offsets
    buckets: Hashes
    shingle_starts: Offsets
    shingles: Hashes


class Judged(NamedTuple):
    """For each document, best first: place of its survivor (its own where it is kept), rule and similarity; and comparisons in all."""

    survivors: Places
    rules: Places
    similarities: npt.NDArray[np.float64]
    compared: int
    skipped: int


def documents_of(table: Any) -> Documents:
    """Return the documents of a COMPARED table; nothing of the table is held."""
    return Documents(_codes(table["text_hash"]), _codes(table["key"]), *_lists(table["buckets"]), *_lists(table["shingles"]))


def judge(documents: Documents, order: Places, threshold: float, containment: float | None, most: int) -> Judged:
    """Judge documents, whose best-first order is given; at most `most` of each bucket are compared with."""
    leaders = np.flatnonzero(np.diff(documents.shingle_starts))
    stands_for = np.full(int(documents.texts.max(initial=-1)) + 1, -1)
    stands_for[documents.texts[leaders]] = leaders
    buckets, sizes = _shared_buckets(documents.buckets)
    member_starts = np.concatenate([[0], np.cumsum(np.minimum(sizes, most))])
    survivors, rules, similarities = np.empty(len(order), np.int64), np.zeros(len(order), np.int64), np.ones(len(order))
    compared, skipped = _judge_best_first(
        documents.texts[order],
        documents.keys[order],
        stands_for,
        documents.bucket_starts,
        buckets,
        documents.shingle_starts,
        documents.shingles,
        member_starts,
        np.empty(member_starts[-1], np.int32),
        most,
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
    """Return the lists of a column laid out in a row: where each starts, and the values of all."""
    lengths = [np.diff(chunk.offsets.to_numpy()) for chunk in column.chunks]
    starts = np.concatenate([[0], *lengths]).cumsum()
    values, at = np.empty(starts[-1], np.uint64), 0
    for chunk in column.chunks:
        own = chunk.flatten().to_numpy()
        values[at : at + len(own)] = own
        at += len(own)
    return starts, values


def _shared_buckets(buckets: Hashes) -> tuple[npt.NDArray[np.int32], Places]:
    """Return a small whole number for each bucket that occurs twice or more (-1: once, nobody is met there), and how often each occurs."""
    order = np.argsort(buckets)
    ordered = buckets[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)])
    del ordered
    sizes = np.diff(np.append(starts, len(buckets)))
    shared = sizes > 1
    numbered = np.where(shared, np.cumsum(shared) - 1, -1).astype(np.int32)
    codes = np.empty(len(buckets), np.int32)
    codes[order] = np.repeat(numbered, sizes)
    return codes, sizes[shared]


@kernel
def _judge_best_first(
    texts: Places,
    keys: Places,
    stands_for: Places,
    bucket_starts: Offsets,
    buckets: npt.NDArray[np.int32],
    shingle_starts: Offsets,
    shingles: Hashes,
    member_starts: Places,
    members: npt.NDArray[np.int32],
    most: int,
    threshold: float,
    containment: float,
    survivors: Places,
    rules: Places,
    similarities: npt.NDArray[np.float64],
) -> tuple[int, int]:
    """Judge documents in survivor order.

    `stands_for` is the row whose buckets and shingles are those of a text (-1: none was needed); `members` has room, from `member_starts`,
    for the first kept documents of each bucket, at most `most`. No document reaches a `containment` of 2.
    """
    member_counts = np.zeros(len(member_starts) - 1, np.int64)
    text_kept_by = np.full(len(stands_for), -1)
    text_rule, text_similarity = np.zeros(len(stands_for), np.int64), np.ones(len(stands_for))
    key_kept_by = np.full(keys.max() + 1 if len(keys) else 0, -1)
    compared = skipped = 0
    for place in range(len(texts)):
        text = texts[place]
        row = stands_for[text]
        same = key_kept_by[keys[place]]
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
                if bucket >= 0:
                    shown = min(most, member_counts[bucket])
                    skipped += member_counts[bucket] - shown
                    offered[count : count + shown] = members[member_starts[bucket] : member_starts[bucket] + shown]
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
                for bucket in own:
                    if bucket >= 0:
                        if member_counts[bucket] < most:
                            members[member_starts[bucket] + member_counts[bucket]] = place
                        member_counts[bucket] += 1
        if survivors[place] == place:
            key_kept_by[keys[place]] = place
        text_kept_by[text] = survivors[place]
    return compared, skipped


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


def verify(session: Session, gathered: Gathered, threshold: float, containment: float | None, compared: int) -> tuple[Shard, ...]:
    """Judge everything that was gathered; returns shards of VERIFIED, each sorted by number."""
    ranges = ranges_for(gathered.bytes, RANGE_BYTES)
    units = [
        Unit(f"{place:06d}", {"compared": gathered.files}, extra={"low": wanted.low, "high": wanted.high})
        for place, wanted in enumerate(ranges)
    ]
    return session.run(Verify(threshold, containment, compared), units).shards

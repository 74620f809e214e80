"""Judging: of documents that may be duplicates of each other, which are, and of which kept one.

Documents are taken in survivor order, best first; each is compared with documents that were kept before it and share a bucket with it: at
most `most` of each bucket, the best ones, again best first. The first whose shingles pass is its survivor; if none does, it is kept.
Documents that an earlier run kept come first and are not judged: all stay, also where two of them say the same.

Invariants
    - A survivor is always kept: no chains. Every near-duplicate passed with its own survivor.
    - Memory: 4 bytes for each bucket and comparison.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.jit import inline_kernel, kernel
from curation.shingles import Hashes
from curation.text import Offsets

KEPT, SAME_RECORD, EXACT, NEAR_DUPLICATE, CONTAINED, SAME_URL = range(6)
RULES = pa.array([None, "same_record", "exact", "near_duplicate", "contained", "same_url"], pa.string())

Places = npt.NDArray[np.int64]


class Documents(NamedTuple):
    """What is judged: codes of texts, keys and URLs (-1: none), whether an earlier run kept it, and buckets and shingles of row i, from
    starts[i] up to starts[i + 1]."""

    texts: Places
    keys: Places
    urls: Places
    earlier: npt.NDArray[np.bool_]
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
        documents.urls[order],
        documents.earlier[order],
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


@inline_kernel
def _offer(own: Any, place: Any, most: int, member_starts: Places, members: npt.NDArray[np.int32], member_counts: Places) -> None:
    """Let what comes later in a kept document's buckets be compared with it."""
    for bucket in own:
        if bucket >= 0:
            if member_counts[bucket] < most:
                members[member_starts[bucket] + member_counts[bucket]] = place
            member_counts[bucket] += 1


@kernel
def _judge_best_first(
    texts: Places,
    keys: Places,
    urls: Places,
    earlier: npt.NDArray[np.bool_],
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
    url_kept_by = np.full(urls.max() + 1 if len(urls) else 0, -1)
    compared = skipped = 0
    for place in range(len(texts)):
        text = texts[place]
        row = stands_for[text]
        same = key_kept_by[keys[place]]
        if earlier[place]:
            survivors[place] = place
            if same < 0:
                key_kept_by[keys[place]] = place
            if urls[place] >= 0 and url_kept_by[urls[place]] < 0:
                url_kept_by[urls[place]] = place
            if text_kept_by[text] < 0:
                text_kept_by[text], text_rule[text] = place, EXACT
                if row >= 0:
                    _offer(buckets[bucket_starts[row] : bucket_starts[row + 1]], place, most, member_starts, members, member_counts)
            continue
        if same >= 0:
            survivors[place], rules[place] = same, SAME_RECORD
            if texts[same] != text and row >= 0 and stands_for[texts[same]] >= 0:
                similarities[place] = _shared(shingle_starts, shingles, row, stands_for[texts[same]])[0]
            continue
        if text_kept_by[text] >= 0:
            survivors[place], rules[place], similarities[place] = text_kept_by[text], text_rule[text], text_similarity[text]
            continue
        if urls[place] >= 0 and url_kept_by[urls[place]] >= 0:
            survivors[place], rules[place] = url_kept_by[urls[place]], SAME_URL
            other = stands_for[texts[survivors[place]]]
            similarities[place] = _shared(shingle_starts, shingles, row, other)[0] if row >= 0 and other >= 0 else np.nan
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
                _offer(own, place, most, member_starts, members, member_counts)
        if survivors[place] == place:
            key_kept_by[keys[place]] = place
            if urls[place] >= 0:
                url_kept_by[urls[place]] = place
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

"""Resolve decides which candidates are duplicates, and of which kept document.

Documents are taken in survivor order, best first. Each is compared with kept documents before it that share a bucket with it: at most
`most` per bucket, again best first. The first one whose shingles pass becomes its survivor; if none passes, the document is kept. Documents
that an earlier run kept come first and are not compared: all stay, even if two of them have the same text.

Documents are resolved one stretch at a time. A stretch needs the shingles of its own documents and of kept documents before it; all other
shingles are released.

Invariants
    - A survivor is always kept: there are no chains. Every near-duplicate passed the comparison with its own survivor.
    - Results do not depend on how documents are split into stretches.
    - Memory: the shingles of one stretch and of all kept documents, about 100 bytes per document, and 4 for each bucket and comparison.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curation.arrays import Flags, Floats, Hashes, Integers, Integers32, Scalar
from curation.text.column import Offsets
from curation.text.kernels import inline_kernel, kernel

KEPT, SAME_RECORD, EXACT, NEAR_DUPLICATE, CONTAINED, SAME_URL = range(6)
DUPLICATE_RULES = pa.array([None, "same_record", "exact", "near_duplicate", "contained", "same_url"], pa.string())

Places = Integers
Shares = Floats


class Documents(NamedTuple):
    """The documents to resolve, by row: codes of texts, keys and URLs (-1: none), whether an earlier run kept it, and the buckets of row i:
    bucket_starts[i] to bucket_starts[i + 1]. A row with buckets is the leader of its text; other rows have no buckets and no shingles."""

    texts: Places
    keys: Places
    urls: Places
    earlier: Flags
    bucket_starts: Offsets
    buckets: Hashes


class Resolved(NamedTuple):
    """For each document, best first: its survivor's place (its own if it is kept), rule and similarity; and the comparisons."""

    survivors: Places
    rules: Places
    similarities: Shares
    compared: int
    skipped: int


class _Facts(NamedTuple):
    """Documents in survivor order; and, by row, the leader of each text and the buckets as small integers (-1: nobody else is in it)."""

    texts: Places
    keys: Places
    urls: Places
    earlier: Flags
    leader_of: Places
    bucket_starts: Offsets
    buckets: Integers32


class _Held(NamedTuple):
    """The shingles that are in memory: row i has begins[i] to ends[i]."""

    begins: Places
    ends: Places
    shingles: Hashes


class _State(NamedTuple):
    """The results so far, by place, text, key, URL and bucket; `counts` are the comparisons made and skipped.

    `members` holds, from member_starts[bucket] on, the first kept documents of each bucket (at most `most`), in ascending order. `heads` is
    working space: for each bucket of a document, the position of its next member in `members`.
    """

    survivors: Places
    rules: Places
    similarities: Shares
    text_kept_by: Places
    text_rule: Places
    text_similarity: Shares
    key_kept_by: Places
    url_kept_by: Places
    member_starts: Places
    members: Integers32
    member_counts: Places
    heads: Places
    counts: Places


class Resolver:
    """Resolves documents in their given best-first order, one stretch at a time; compares with at most `most` documents of each bucket."""

    def __init__(self, documents: Documents, order: Places, threshold: float, containment: float | None, most: int) -> None:
        """Take the documents of some components, their best-first order, and what makes a duplicate."""
        leaders = np.flatnonzero(np.diff(documents.bucket_starts))
        leader_of = np.full(_count(documents.texts), -1)
        leader_of[documents.texts[leaders]] = leaders
        buckets, sizes = _shared_buckets(documents.buckets)
        self._text_of = documents.texts
        self._facts = _Facts(
            documents.texts[order],
            documents.keys[order],
            documents.urls[order],
            documents.earlier[order],
            leader_of,
            documents.bucket_starts,
            buckets,
        )
        member_starts = np.concatenate([[0], np.cumsum(np.minimum(sizes, most))])
        texts = len(leader_of)
        self._state = _State(
            survivors=np.empty(len(order), np.int64),
            rules=np.zeros(len(order), np.int64),
            similarities=np.ones(len(order)),
            text_kept_by=np.full(texts, -1),
            text_rule=np.zeros(texts, np.int64),
            text_similarity=np.ones(texts),
            key_kept_by=np.full(_count(documents.keys), -1),
            url_kept_by=np.full(_count(documents.urls), -1),
            member_starts=member_starts,
            members=np.empty(member_starts[-1], np.int32),
            member_counts=np.zeros(len(sizes), np.int64),
            heads=np.empty(np.diff(documents.bucket_starts).max(initial=0), np.int64),
            counts=np.zeros(2, np.int64),
        )
        self._settings = most, threshold, 2.0 if containment is None else containment  # 2.0: no document reaches it
        self._held = _Held(np.zeros(len(order), np.int64), np.zeros(len(order), np.int64), np.empty(0, np.uint64))
        self._is_held = np.zeros(len(order), np.bool_)
        self._filled = 0

    def awaited(self, begin: int, end: int) -> Places:
        """Return the rows, in order, whose shingles are needed to resolve places `begin` to `end` and are not held yet."""
        rows = np.unique(self._facts.leader_of[self._facts.texts[begin:end]])
        rows = rows[rows >= 0]
        return rows[~self._is_held[rows]]

    def take(self, begin: int, end: int, rows: Places, starts: Offsets, shingles: Hashes) -> None:
        """Resolve the documents from place `begin` up to `end`; stretches must follow each other, starting at 0.

        `shingles` holds the distinct shingles of the awaited rows one after the other, each ascending; the array may be overwritten.
        """
        self._hold(rows, starts, shingles)
        _resolve_best_first(begin, end, self._facts, self._held, self._state, *self._settings)
        if end < len(self._facts.texts):
            texts = self._text_of[rows]
            self._let_go(rows, (self._state.text_kept_by[texts] >= 0) & (self._state.text_rule[texts] == EXACT))

    def resolved(self) -> Resolved:
        """Return the results for all documents."""
        state = self._state
        return Resolved(state.survivors, state.rules, state.similarities, int(state.counts[0]), int(state.counts[1]))

    def _hold(self, rows: Places, starts: Offsets, shingles: Hashes) -> None:
        """Append shingles to those that are held."""
        room, end = self._held.shingles, self._filled + len(shingles)
        if not self._filled:
            room = shingles
        elif end > len(room):
            room = np.empty(2 * end, np.uint64)
            room[: self._filled] = self._held.shingles[: self._filled]
        if self._filled:
            room[self._filled : end] = shingles
        self._held = self._held._replace(shingles=room)
        self._held.begins[rows], self._held.ends[rows] = self._filled + starts[:-1], self._filled + starts[1:]

    def _let_go(self, rows: Places, stays: Flags) -> None:
        """Keep the shingles of some of the rows that were appended, and move them together."""
        lengths = self._held.ends[rows] - self._held.begins[rows]
        end = self._filled + int(lengths[stays].sum())
        if not stays.all():
            laid = self._held.shingles[self._filled : self._filled + int(lengths.sum())]
            self._held.shingles[self._filled : end] = laid[np.repeat(stays, lengths)]
            ends = self._filled + np.cumsum(np.where(stays, lengths, 0))
            self._held.begins[rows], self._held.ends[rows] = ends - np.where(stays, lengths, 0), ends
        self._filled = end
        self._is_held[rows] = stays


def _count(codes: Places) -> int:
    return int(codes.max(initial=-1)) + 1


def _shared_buckets(buckets: Hashes) -> tuple[Integers32, Places]:
    """Return a small integer for each bucket that occurs at least twice (-1: it occurs once), and how often each of these occurs."""
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
def _offer(own: Scalar, place: Scalar, most: int, member_starts: Places, members: Integers32, member_counts: Places) -> None:
    """Add a kept document to its buckets, so that later documents are compared with it."""
    for bucket in own:
        if bucket >= 0:
            if member_counts[bucket] < most:
                members[member_starts[bucket] + member_counts[bucket]] = place
            member_counts[bucket] += 1


@kernel
def _next_offered(own: Scalar, heads: Places, most: int, state: _State) -> Scalar:
    """Return the best kept document of some buckets that was not returned yet, or -1; members of a bucket ascend, so this is a merge."""
    best: Scalar = np.int64(-1)
    for turn in range(len(own)):
        if own[turn] >= 0:
            shown = min(most, state.member_counts[own[turn]])
            if heads[turn] < state.member_starts[own[turn]] + shown:
                member = np.int64(state.members[heads[turn]])
                if best < 0 or member < best:
                    best = member
    for turn in range(len(own)):
        if own[turn] >= 0:
            shown = min(most, state.member_counts[own[turn]])
            if heads[turn] < state.member_starts[own[turn]] + shown and state.members[heads[turn]] == best:
                heads[turn] += 1
    return best


@kernel
def _resolve_best_first(
    begin: int, end: int, facts: _Facts, held: _Held, state: _State, most: int, threshold: float, containment: float
) -> None:
    """Resolve the documents from place `begin` up to `end`, in survivor order."""
    for place in range(begin, end):
        text, key, url = facts.texts[place], facts.keys[place], facts.urls[place]
        row = facts.leader_of[text]
        own = facts.buckets[facts.bucket_starts[row] : facts.bucket_starts[row + 1]] if row >= 0 else facts.buckets[:0]
        same = state.key_kept_by[key]
        if facts.earlier[place]:
            state.survivors[place] = place
            if same < 0:
                state.key_kept_by[key] = place
            if url >= 0 and state.url_kept_by[url] < 0:
                state.url_kept_by[url] = place
            if state.text_kept_by[text] < 0:
                state.text_kept_by[text], state.text_rule[text] = place, EXACT
                _offer(own, place, most, state.member_starts, state.members, state.member_counts)
            continue
        if same >= 0:
            state.survivors[place], state.rules[place] = same, SAME_RECORD
            other = facts.leader_of[facts.texts[same]]
            if facts.texts[same] != text and row >= 0 and other >= 0:
                state.similarities[place] = _shared(held, row, other)[0]
            continue
        if state.text_kept_by[text] >= 0:
            state.survivors[place], state.rules[place] = state.text_kept_by[text], state.text_rule[text]
            state.similarities[place] = state.text_similarity[text]
            continue
        if url >= 0 and state.url_kept_by[url] >= 0:
            state.survivors[place], state.rules[place] = state.url_kept_by[url], SAME_URL
            other = facts.leader_of[facts.texts[state.survivors[place]]]
            state.similarities[place] = _shared(held, row, other)[0] if row >= 0 and other >= 0 else np.nan
            continue
        state.survivors[place] = place
        state.text_rule[text] = EXACT
        heads = state.heads[: len(own)]
        for turn in range(len(own)):
            bucket = own[turn]
            heads[turn] = 0
            if bucket >= 0:
                state.counts[1] += max(state.member_counts[bucket] - most, 0)
                heads[turn] = state.member_starts[bucket]
        while True:
            other = _next_offered(own, heads, most, state)
            if other < 0:
                break
            similarity, contained = _shared(held, row, facts.leader_of[facts.texts[other]])
            state.counts[0] += 1
            if similarity >= threshold or contained >= containment:
                state.survivors[place] = other
                state.text_rule[text] = NEAR_DUPLICATE if similarity >= threshold else CONTAINED
                state.text_similarity[text] = similarity if similarity >= threshold else contained
                state.rules[place], state.similarities[place] = state.text_rule[text], state.text_similarity[text]
                break
        if state.survivors[place] == place:
            _offer(own, place, most, state.member_starts, state.members, state.member_counts)
            state.key_kept_by[key] = place
            if url >= 0:
                state.url_kept_by[url] = place
        state.text_kept_by[text] = state.survivors[place]


@kernel
def _shared(held: _Held, one: int, other: int) -> tuple[float, float]:
    """Return the Jaccard similarity of two rows' shingles, and the share of the first row's shingles that the other contains."""
    left, left_end = held.begins[one], held.ends[one]
    right, right_end = held.begins[other], held.ends[other]
    own, total = left_end - left, left_end - left + right_end - right
    shingles, both = held.shingles, 0
    while left < left_end and right < right_end:
        a, b = shingles[left], shingles[right]
        both += a == b
        left += a <= b
        right += b <= a
    return both / (total - both), both / own

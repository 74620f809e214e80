"""Verify: a document is dropped only for a better one that it is really like.

Candidates may share a band by chance, and chains of likeness (A like B, B like C) tie together documents that are not alike at all. So the
documents of a component are taken in survivor order, best first, and each is compared with documents that were kept before it and share a
bucket with it: at most `compared` of each bucket, the best ones, again best first. The first whose shingles pass is its survivor; if none
does, the document is kept.

    same_record     the key of a kept document
    exact           the normalised text of a kept document
    same_url        where the recipe asks: the URL of a kept document, in the form of `curation.duplicates.urls`, whatever the texts
    near_duplicate  Jaccard similarity |A and B| / |A or B| of the sets of distinct shingles is at least `threshold`
    contained       where the recipe asks: |A and B| / |A|, A being the document, is at least `containment`

Documents of one text are judged once: when the first of them is a duplicate for its text, the others are duplicates of the same document.
Documents of earlier runs come first in the order and are not judged: all stay, also where two of them say the same.

Invariants
    - What a document is a duplicate of is always kept: no chains. Every near-duplicate passed with its own survivor.
    - A component is in one unit, so results do not depend on how components are spread over units.
    - Memory: of a range of components (RANGE_BYTES, or its largest component) the shingles of what is kept and of a stretch, twice while
      they are laid out, and some 300 bytes for each document.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.duplicates.gather import COMPARED, COMPARED_BY, Gathered
from curation.duplicates.resolve import KEPT, RULES, Documents, Places, Resolver
from curation.duplicates.shingles import Hashes
from curation.duplicates.survivors import text_bytes_of
from curation.engine.session import Session
from curation.engine.stage import Output, Stage, Unit
from curation.schema import KEY
from curation.shuffle.exchange import Range, order_of, ranges_for, read_rows, rows_in, write_sorted
from curation.shuffle.merging import Merged, merge, range_of
from curation.storage.shards import Shard
from curation.text.column import Offsets

RANGE_BYTES = 32 << 20
"""Bytes of rows that one unit reads, about: uncompressed, for near copies compress so well together that their file says nothing."""

STRETCH_BYTES = 8 << 20
"""Bytes of shingles, about, that are read and judged at a time."""

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


_NARROW = pa.schema([field for field in COMPARED if field.name != "shingles"])


@dataclass(frozen=True)
class Compare(Stage):
    """Judges the documents of a range of components."""

    threshold: float
    containment: float | None
    compared: int
    name: ClassVar[str] = "4f-compare"
    version: ClassVar[int] = 3
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "numpy", "numba")

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        """Write what became of the documents of one range."""
        rows = _Rows(unit.inputs["compared"], range_of(unit))
        order = order_of(rows.table, COMPARED_BY)
        judge = Resolver(documents_of(rows.table, unit.extra["first_earlier"]), order, self.threshold, self.containment, self.compared)
        for begin, end in _stretches(rows.table, order):
            awaited = judge.awaited(begin, end)
            judge.take(begin, end, awaited, *rows.shingles(awaited))
        judged = judge.judged()
        table, kept, dropped = rows.table, pa.array(order[judged.survivors]), judged.rules != KEPT
        write_sorted(
            output,
            unit.name,
            pa.table(
                {
                    "number": table["number"].take(order),
                    "duplicate_of": pc.if_else(dropped, table["id"].take(kept), None),
                    "duplicate_of_key": pc.if_else(dropped, table["key"].take(kept), pa.scalar(None, KEY)),
                    "rule": RULES.take(pa.array(judged.rules)),
                    "similarity": pa.array(judged.similarities, mask=~dropped | np.isnan(judged.similarities)),
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


class _Rows:
    """The rows of a range of components: all but their shingles, which are read for some of them at a time."""

    def __init__(self, shards: Sequence[Shard], wanted: Range) -> None:
        tables, self._begins = [_NARROW.empty_table()], []
        for shard in shards:
            found = list(rows_in(shard, "place", wanted, _NARROW))
            if found:
                self._begins.append((shard, sum(map(len, tables)), found[0][0]))
                tables += [table for _, table in found]
        self.table = pa.concat_tables(tables).combine_chunks()

    def shingles(self, rows: Places) -> tuple[Offsets, Hashes]:
        """Return where the shingles of each of some rows, rising, start, and the shingles of all."""
        found = [pa.chunked_array([], COMPARED.field("shingles").type)]
        ends = [begin for _, begin, _ in self._begins[1:]] + [len(self.table)]
        for (shard, begin, first), end in zip(self._begins, ends, strict=True):
            own = rows[np.searchsorted(rows, begin) : np.searchsorted(rows, end)]
            found += [table["shingles"] for _, table in read_rows(shard, ["shingles"], own - begin + first)] if len(own) else []
        return _lists(pa.chunked_array([chunk for column in found for chunk in column.chunks], found[0].type))


def _stretches(table: Any, order: Places) -> Iterator[tuple[int, int]]:
    """Yield from which place to which documents are judged at a time: as many as have STRETCH_BYTES of shingles, about.

    A shingle has 8 bytes, and is about one for each word and its blank, which have 6.
    """
    shingled = np.diff(table["buckets"].combine_chunks().offsets.to_numpy()) > 0
    spent = np.cumsum(np.where(shingled, text_bytes_of(table), 0)[order]) * 4 // 3 // STRETCH_BYTES
    bounds = np.flatnonzero(np.diff(spent, prepend=-1))
    yield from zip(bounds.tolist(), [*bounds[1:].tolist(), len(order)], strict=True) if len(order) else ()


def documents_of(table: Any, first_earlier: int) -> Documents:
    """Return the documents of a COMPARED table, of which nothing is held. Numbers from `first_earlier` up are earlier runs'."""
    texts, keys, urls = (_codes(table[name]) for name in ("text_hash", "key", "url"))
    earlier = table["number"].to_numpy() >= first_earlier
    return Documents(texts, keys, urls, earlier, *_lists(table["buckets"]))


def _codes(column: Any) -> Places:
    """Return a small whole number for each distinct value of a column, -1 for null."""
    return np.asarray(column.combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy(), np.int64)


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


def compare(
    session: Session, gathered: Gathered, threshold: float, containment: float | None, compared: int, documents: int, first_earlier: int
) -> Merged:
    """Judge everything that was gathered; returns VERIFIED by number."""
    units = gathered.files.units("compared", ranges_for(gathered.bytes, RANGE_BYTES), first_earlier=first_earlier)
    sealed = session.run(Compare(threshold, containment, compared), units)
    return merge(session, Compare.name, sealed.shards, ("number",), Range(0, documents))

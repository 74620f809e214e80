"""Compare decides which candidates are duplicates: a document is dropped only for a better one that is really similar to it.

Candidates may share a band by chance, and chains of similarity (A like B, B like C) connect documents that are not similar. So the
documents of a component are taken in survivor order, best first. Each is compared with kept documents before it that share a bucket with
it: at most `compared` per bucket, again best first. The first one whose shingles pass becomes its survivor; if none passes, the document is
kept.

    same_record     a kept document has the same key
    exact           a kept document has the same normalised text
    same_url        if the recipe asks: a kept document has the same URL, in the form of `curation.duplicates.urls`, whatever the texts
    near_duplicate  the Jaccard similarity |A and B| / |A or B| of the sets of distinct shingles is at least `threshold`
    contained       if the recipe asks: |A and B| / |A|, where A is the document, is at least `containment`

Documents with the same text are judged once: when the first is dropped because of its text, the others become duplicates of the same
survivor. Documents of earlier runs come first in the order and are not judged: all stay, even if two of them have the same text.

Invariants
    - The survivor of a duplicate is always kept: there are no chains. Every near-duplicate passed the comparison with its own survivor.
    - A component is in one unit, so results do not depend on how components are spread over units.
    - Memory: for a range of components (RANGE_BYTES, or its largest component), the shingles of kept documents and of one stretch, twice
      while they are concatenated, and about 300 bytes for each document.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.arrays import Column, Hashes, JsonMapping, Table
from curation.duplicates.gather import COMPARED, COMPARED_BY, Gathered
from curation.duplicates.resolve import DUPLICATE_RULES, KEPT, Documents, Places, Resolver
from curation.duplicates.survivors import text_bytes_of
from curation.engine.session import Session
from curation.engine.stage import Output, Stage, Unit
from curation.schema import KEY
from curation.shuffle.exchange import Range, order_of, ranges_for, read_rows, rows_in, write_sorted
from curation.shuffle.merging import Merged, merge, range_of
from curation.storage.shards import Shard
from curation.text.column import Offsets

COMPARED_RANGE_BYTES = 32 << 20
"""Approximate bytes of rows that one unit reads, uncompressed: near-copies compress so well that the file size says little."""

STRETCH_BYTES = 8 << 20
"""Approximate bytes of shingles that are read and compared at a time."""

RESOLVED = pa.schema(
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
"""A document that had a candidate. `cluster` is the number of its survivor (its own if it is kept); `cluster_size` counts the cluster."""


_NARROW = pa.schema([field for field in COMPARED if field.name != "shingles"])


@dataclass(frozen=True)
class Compare(Stage):
    """Compares the documents in a range of components, and resolves which of them stay."""

    threshold: float
    containment: float | None
    compared: int
    name: ClassVar[str] = "4f-compare"
    version: ClassVar[int] = 3
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "numpy", "numba")

    def make(self, unit: Unit, output: Output) -> JsonMapping:
        """Write the result for each document of one range."""
        rows = _Rows(unit.inputs["compared"], range_of(unit))
        order = order_of(rows.table, COMPARED_BY)
        resolver = Resolver(documents_of(rows.table, unit.extra["first_earlier"]), order, self.threshold, self.containment, self.compared)
        for begin, end in _stretches(rows.table, order):
            awaited = resolver.awaited(begin, end)
            resolver.take(begin, end, awaited, *rows.shingles(awaited))
        resolved = resolver.resolved()
        table, kept, dropped = rows.table, pa.array(order[resolved.survivors]), resolved.rules != KEPT
        write_sorted(
            output,
            unit.name,
            pa.table(
                {
                    "number": table["number"].take(order),
                    "duplicate_of": pc.if_else(dropped, table["id"].take(kept), None),
                    "duplicate_of_key": pc.if_else(dropped, table["key"].take(kept), pa.scalar(None, KEY)),
                    "rule": DUPLICATE_RULES.take(pa.array(resolved.rules)),
                    "similarity": pa.array(resolved.similarities, mask=~dropped | np.isnan(resolved.similarities)),
                    "cluster": table["number"].take(kept),
                    "cluster_size": np.bincount(resolved.survivors, minlength=len(order))[resolved.survivors],
                },
                schema=RESOLVED,
            ),
            RESOLVED,
            ("number",),
        )
        found = {name: int((resolved.rules == rule).sum()) for rule, name in enumerate(DUPLICATE_RULES.to_pylist()) if name is not None}
        return {"documents": len(order), **found, "compared": resolved.compared, "skipped": resolved.skipped}


class _Rows:
    """The rows of a range of components without their shingles, which are read for some rows at a time."""

    def __init__(self, shards: Sequence[Shard], wanted: Range) -> None:
        tables, self._begins = [_NARROW.empty_table()], []
        for shard in shards:
            found = list(rows_in(shard, "place", wanted, _NARROW))
            if found:
                self._begins.append((shard, sum(map(len, tables)), found[0][0]))
                tables += [table for _, table in found]
        self.table = pa.concat_tables(tables).combine_chunks()

    def shingles(self, rows: Places) -> tuple[Offsets, Hashes]:
        """Return the shingles of some rows, given in order: where each row's shingles start, and all shingles."""
        found = [pa.chunked_array([], COMPARED.field("shingles").type)]
        ends = [begin for _, begin, _ in self._begins[1:]] + [len(self.table)]
        for (shard, begin, first), end in zip(self._begins, ends, strict=True):
            own = rows[np.searchsorted(rows, begin) : np.searchsorted(rows, end)]
            found += [table["shingles"] for _, table in read_rows(shard, ["shingles"], own - begin + first)] if len(own) else []
        return _lists(pa.chunked_array([chunk for column in found for chunk in column.chunks], found[0].type))


def _stretches(table: Table, order: Places) -> Iterator[tuple[int, int]]:
    """Yield the first place of each stretch of documents to resolve together, and the place after it: about STRETCH_BYTES of shingles.

    The estimate is one 8-byte shingle for each word with its space, about 6 bytes.
    """
    shingled = np.diff(table["buckets"].combine_chunks().offsets.to_numpy()) > 0
    spent = np.cumsum(np.where(shingled, text_bytes_of(table), 0)[order]) * 4 // 3 // STRETCH_BYTES
    bounds = np.flatnonzero(np.diff(spent, prepend=-1))
    yield from zip(bounds.tolist(), [*bounds[1:].tolist(), len(order)], strict=True) if len(order) else ()


def documents_of(table: Table, first_earlier: int) -> Documents:
    """Return the documents of a COMPARED table, without shingles. Numbers from `first_earlier` up belong to earlier runs."""
    texts, keys, urls = (_codes(table[name]) for name in ("text_hash", "key", "url"))
    earlier = table["number"].to_numpy() >= first_earlier
    return Documents(texts, keys, urls, earlier, *_lists(table["buckets"]))


def _codes(column: Column) -> Places:
    """Return a small integer for each distinct value of a column, -1 for null."""
    return np.asarray(column.combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy(), np.int64)


def _lists(column: Column) -> tuple[Offsets, Hashes]:
    """Return the lists of a column as one array: where each list starts, and all values."""
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
    """Compare everything that was gathered; return RESOLVED, by number."""
    units = gathered.files.units("compared", ranges_for(gathered.bytes, COMPARED_RANGE_BYTES), first_earlier=first_earlier)
    sealed = session.run(Compare(threshold, containment, compared), units)
    return merge(session, Compare.name, sealed.shards, ("number",), Range(0, documents))

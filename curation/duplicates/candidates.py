"""Candidates are documents that may be duplicates of each other; sorting finds them, so no step compares all pairs.

Two stages run after `Sign` and before components are found (`curation.duplicates.components`):

    FillBuckets      writes, for a group of documents, one row (bucket hash, number) for every bucket that a document is in: one for its
                     text, one for its key, one for each band, and one for its URL if the recipe asks for that. Within the group only the
                     first document of a bucket goes on; an edge ties each other document to it. A document with the same text as an
                     earlier one has the same bands, so it leaves the band buckets to that one.
    FindCandidates   receives equal hashes of all groups from the shuffle, and again ties each document to the first. A bucket of m
                     documents gives m - 1 edges, however large it is.

Each step emits only a spanning forest: at most one edge fewer than the documents it connects.

The first of the documents with the same text is the text's *leader*. Later steps shingle and compare only the leader.

Documents of earlier runs, which are numbered last, are candidates for this run's documents but not for each other. In a bucket without a
document of this run they are not connected (unless they share a text), and a component without such a document is skipped. A group of
earlier documents cannot know which of its buckets this run's documents will use, so all its documents go on.

Invariants
    - Components and leaders do not depend on how documents are grouped.
    - A bucket's hash has 64 bits. If two buckets share a hash by chance, the comparison rejects the extra candidates. If two texts share a
      hash (one in 10^19 pairs), the second has no shingles and is kept.
    - Memory: FillBuckets takes 600 bytes for each document of a group (14 bands), FindCandidates 140 bytes for each row of a range.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar, NamedTuple

import numpy as np
import pyarrow as pa

from curation.arrays import Flags, Hashes, Integers, JsonMapping
from curation.duplicates.components import find_components, write_edges
from curation.duplicates.minhash import MinHashSettings, bucket_hashes
from curation.duplicates.parts import DuplicatesPart, extra_of, first_earlier, parts_of, unit_inputs
from curation.duplicates.sign import signatures_of
from curation.duplicates.union_find import Edges, UnionFind, stars, ties
from curation.duplicates.urls import same_page_form, url_hash
from curation.engine.session import Session
from curation.engine.stage import Output, Stage, Unit
from curation.shuffle.exchange import ranges_for, read_range, write_sorted
from curation.shuffle.merging import Merged, merge, range_of
from curation.shuffle.numbering import Group
from curation.storage.record_keys import halves_of
from curation.storage.shards import batches, read_shard

BUCKETS_PER_UNIT = 1 << 20
"""Approximate number of bucket rows that one unit of FindCandidates reads."""

EDGES_SUFFIX = "-edges"

BUCKETS = pa.schema(
    [
        pa.field("hash", pa.uint64(), nullable=False),
        pa.field("number", pa.int64(), nullable=False),
        pa.field("of_text", pa.bool_(), nullable=False),
    ]
)
"""A bucket and its first document in a group (of an earlier run: every document). `of_text`: all documents of the bucket share one text."""

_KEY_SALT = np.uint64(0xC2B2AE3D27D4EB4F)


class Buckets(NamedTuple):
    """The columns of BUCKETS: bucket hashes, the documents in them (numbers, or rows of a group), and whether these share one text."""

    hashes: Hashes
    rows: Integers
    of_text: Flags


def buckets_of(hashes: Hashes, rows: Integers, of_text: bool = False) -> Buckets:
    """Return buckets that all have the same kind."""
    return Buckets(hashes, rows, np.full(len(rows), of_text))


class _Gathered:
    """Concatenates several Buckets in memory that is taken only as it is filled."""

    def __init__(self, most: int) -> None:
        self._room = Buckets(np.empty(most, np.uint64), np.empty(most, np.int64), np.empty(most, np.bool_))
        self._filled = 0

    def add(self, buckets: Buckets) -> None:
        """Append buckets."""
        end = self._filled + len(buckets.rows)
        for column, values in zip(self._room, buckets, strict=True):
            column[self._filled : end] = values
        self._filled = end

    def buckets(self) -> Buckets:
        """Return all buckets that were added."""
        return Buckets(self._room.hashes[: self._filled], self._room.rows[: self._filled], self._room.of_text[: self._filled])


def tie_to_first(buckets: Buckets) -> tuple[Buckets, Edges]:
    """Return each bucket's first document, sorted by hash, and edges from it to the others. Rows of equal hashes must ascend."""
    tied = ties(buckets.hashes, buckets.rows)
    firsts = tied.order[tied.starts]
    others = np.delete(tied.order, tied.starts)
    first = Buckets(buckets.hashes[firsts], buckets.rows[firsts], buckets.of_text[firsts])
    return first, Edges(tied.left, tied.right, buckets.of_text[others])


@dataclass(frozen=True)
class FillBuckets(Stage):
    """Puts the participating documents of a group into buckets."""

    settings: MinHashSettings
    by_url: bool = False
    name: ClassVar[str] = "4b-buckets"
    version: ClassVar[int] = 2
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "numpy", "numba")

    def make(self, unit: Unit, output: Output) -> JsonMapping:
        """Write a group's buckets and edges."""
        parts, base = parts_of(unit), unit.extra["base"]
        documents, earlier = sum(part.documents.rows for part in parts), parts[0].run is not None
        rows, keys, texts, bands = _hashes_of(parts, self.settings)
        forest, follows = UnionFind(documents), np.zeros(documents, np.bool_)
        leaders, tied = tie_to_first(buckets_of(texts, rows, of_text=True))
        forest.join(tied.left, tied.right)
        follows[tied.right] = True
        leading = np.isin(rows, leaders.rows, assume_unique=True)
        found = _Gathered((len(bands) + 3) * len(rows))
        found.add(leaders)
        of_urls = [_urls_of(parts)] if self.by_url else []
        for hashes, members in chain([(keys ^ _KEY_SALT, rows), *of_urls], ((band[leading], rows[leading]) for band in bands)):
            buckets = buckets_of(hashes, members)
            if not earlier:
                buckets, tied = tie_to_first(buckets)
                forest.join(tied.left, tied.right)
            found.add(buckets)
        hashes, numbers, of_text = found.buckets()
        numbers += base
        write_sorted(output, unit.name, pa.table({"hash": hashes, "number": numbers, "of_text": of_text}), BUCKETS, ("hash",))
        local = forest.stars(follows)
        write_edges(output, unit.name + EDGES_SUFFIX, Edges(local.left + base, local.right + base, local.of_text), ("left", "right"))
        return {"documents": len(rows), "buckets": len(hashes), "edges": len(local.left)}


def _hashes_of(parts: Sequence[DuplicatesPart], settings: MinHashSettings) -> tuple[Integers, Hashes, Hashes, Hashes]:
    """Return row (in the group), key hash, text hash and bucket hashes (bands, documents) of the participating documents."""
    rows, keys, texts = [np.empty(0, np.int64)], [np.empty(0, np.uint64)], [np.empty(0, np.uint64)]
    bands = [np.empty((settings.bands, 0), np.uint64)]
    base = 0
    for part in parts:
        taking_part = part.taking_part()
        begin = 0
        for batch in batches(part.signatures, ["key", "text_hash", "signature"]):
            chosen = np.flatnonzero(taking_part[begin : begin + batch.num_rows])
            rows.append(chosen + base + begin)
            keys.append(halves_of(batch["key"])[chosen, 0])
            texts.append(halves_of(batch["text_hash"])[chosen, 0])
            bands.append(bucket_hashes(signatures_of(batch)[chosen], settings))
            begin += batch.num_rows
        base += part.documents.rows
    return np.concatenate(rows), np.concatenate(keys), np.concatenate(texts), np.concatenate(bands, axis=1)


def _urls_of(parts: Sequence[DuplicatesPart]) -> tuple[Hashes, Integers]:
    """Return URL hash and row in the group for every participating document that has a URL."""
    hashes, rows = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    base = 0
    for part in parts:
        forms = same_page_form(read_shard(part.documents, ["url"])["url"])
        chosen = np.flatnonzero(part.taking_part() & forms.is_valid().to_numpy(zero_copy_only=False))
        hashes.append(np.array([url_hash(form) for form in forms.take(pa.array(chosen)).to_pylist()], np.uint64))
        rows.append(chosen + base)
        base += part.documents.rows
    return np.concatenate(hashes), np.concatenate(rows)


@dataclass(frozen=True)
class FindCandidates(Stage):
    """Connects documents of different groups that share a bucket."""

    name: ClassVar[str] = "4c-candidates"
    version: ClassVar[int] = 2
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "numpy", "numba")

    def make(self, unit: Unit, output: Output) -> JsonMapping:
        """Write the edges for one range of hashes."""
        table = read_range(unit.inputs["buckets"], "hash", range_of(unit), BUCKETS)
        _, edges = tie_to_first(Buckets(*(table[name].to_numpy() for name in BUCKETS.names)))
        needed = stars(edges.chosen((edges.left < unit.extra["first_earlier"]) | edges.of_text))
        write_edges(output, unit.name, needed, ("left", "right"))
        return {"edges": len(needed.left)}


def find_candidates(session: Session, groups: Sequence[Group[DuplicatesPart]], settings: MinHashSettings, by_url: bool = False) -> Merged:
    """Run all candidate and component stages; return COMPONENTS, by number."""
    units = [
        Unit(group.name, unit_inputs(group, ("documents", "signatures", "judged")), extra={**extra_of(group), "base": group.base})
        for group in groups
    ]
    bucketed = session.run(FillBuckets(settings, by_url), units).units
    earlier = first_earlier(groups)
    buckets = merge(session, "4b-buckets", [unit.shard(unit.name) for unit in bucketed], ("hash",))
    linked = session.run(FindCandidates(), buckets.units("buckets", ranges_for(buckets.rows, BUCKETS_PER_UNIT), first_earlier=earlier))
    edges = [*(unit.shard(unit.name + EDGES_SUFFIX) for unit in bucketed), *linked.shards]
    return find_components(session, edges, sum(group.rows for group in groups), earlier)

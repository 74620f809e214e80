"""Candidates: which documents may be duplicates of which, found by sorting and never by comparing all with all.

Three steps, after sign:

    Bucketing    for a group of documents, rows (bucket hash, local row) for every bucket a document is in: one of its text, one of its key,
                 one for each band, and where the recipe asks one of its URL. Of the documents that fall into one bucket within the group
                 only the first goes on; the others are tied to it by an edge. A document with the text of an earlier one has its bands,
                 and leaves them to it.
    Linking      the exchange brings equal hashes of all groups together, and again each is tied to the first. A bucket of m documents gives
                 m - 1 edges, however hot it is.
    Components   one union-find over all edges. Documents that hang together are candidates for each other; the rest are done with.

Among documents of one text the first, the text's *leader*, later stands for all of them: only it is shingled and compared.

Documents of earlier runs, numbered after all others, are candidates for this run's documents and not for each other: of a bucket without
one of this run's they are not tied together (but for one text), and a component without one is passed over. As a group of them cannot know
which of its buckets this run's documents will be in, all its documents go on.

Invariants
    - Which documents hang together, and who leads a text, does not depend on how documents are grouped.
    - A bucket's hash has 64 bits. Two buckets that share one by chance make candidates that *verify* tells apart; two texts that do, one in
      10^19 pairs, leave the second without shingles, and it is kept.
    - Memory: Bucketing 1 KiB for each document of a group; Linking 40 bytes a row of a range; Components 11 bytes a document.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from curation.clusters import Forest, Numbers, ties
from curation.exchange import Range, ranges_for, read_range, write_sorted
from curation.minhash import MinHashSettings, bucket_hashes
from curation.numbering import Group
from curation.parts import Part, extra_of, first_earlier, inputs_of, parts_of
from curation.session import Session
from curation.shards import Shard, batches, read
from curation.shingles import Hashes
from curation.sign import halves_of, signatures_of
from curation.stage import Output, Stage, Unit
from curation.urls import hash_of, same_page_form

RANGE_ROWS = 1 << 22
"""Rows of buckets that one unit of Linking reads, about."""

EDGES_SUFFIX = "-edges"
_CHUNK = 1 << 20

BUCKETS = pa.schema(
    [
        pa.field("hash", pa.uint64(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("of_text", pa.bool_(), nullable=False),
    ]
)
"""A bucket, and the first document of a group that is in it (of an earlier run: each). `of_text`: its documents have one text."""

EDGES = pa.schema(
    [
        pa.field("left", pa.int64(), nullable=False),
        pa.field("right", pa.int64(), nullable=False),
        pa.field("of_text", pa.bool_(), nullable=False),
    ]
)
"""Two documents of one bucket, left < right: local rows from Bucketing, numbers from Linking."""

COMPONENTS = pa.schema(
    [
        pa.field("number", pa.int64(), nullable=False),
        pa.field("component", pa.int64(), nullable=False),
        pa.field("leads", pa.bool_(), nullable=False),
        pa.field("varied", pa.bool_(), nullable=False),
    ]
)
"""Documents with a candidate, by number. `leads`: the first of its text; `varied`: the component holds more than one text."""

_KEY_SALT = np.uint64(0xC2B2AE3D27D4EB4F)


class Buckets(NamedTuple):
    """Bucket hashes, the documents in them and whether these are of one text: the columns of BUCKETS."""

    hashes: Hashes
    rows: Numbers
    of_text: npt.NDArray[np.bool_]


def buckets_of(hashes: Hashes, rows: Numbers, of_text: bool = False) -> Buckets:
    """Return buckets that are all of one kind."""
    return Buckets(hashes, rows, np.full(len(rows), of_text))


def joined(buckets: Sequence[Buckets]) -> Buckets:
    """Return several Buckets as one."""
    return Buckets(
        np.concatenate([each.hashes for each in buckets]),
        np.concatenate([each.rows for each in buckets]),
        np.concatenate([each.of_text for each in buckets]),
    )


def tie_to_first(buckets: Buckets) -> tuple[Buckets, pl.DataFrame]:
    """Return the first document of each bucket, by hash, and EDGES that tie the others to it. Of equal hashes, rows must rise."""
    tied = ties(buckets.hashes, buckets.rows)
    firsts = tied.order[tied.starts]
    others = np.delete(tied.order, tied.starts)
    edges = pl.DataFrame({"left": tied.left, "right": tied.right, "of_text": buckets.of_text[others]})
    return Buckets(buckets.hashes[firsts], buckets.rows[firsts], buckets.of_text[firsts]), edges


@dataclass(frozen=True)
class Bucketing(Stage):
    """Puts the documents of a group that take part into buckets."""

    settings: MinHashSettings
    by_url: bool = False
    name: ClassVar[str] = "4b-buckets"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "polars", "numpy", "numba")

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        """Write a group's buckets and edges."""
        parts = parts_of(unit)
        rows, keys, texts, bands = _hashes_of(parts, self.settings)
        leaders, tied = tie_to_first(buckets_of(texts, rows, of_text=True))
        leading = np.isin(rows, leaders.rows, assume_unique=True)
        firsts, edges = [leaders], [tied]
        of_urls = [_urls_of(parts)] if self.by_url else []
        found = [(keys ^ _KEY_SALT, rows), *of_urls, *((band[leading], rows[leading]) for band in bands)]
        if parts[0].run is not None:
            firsts += [buckets_of(hashes, members) for hashes, members in found]
            found = []
        for hashes, members in found:
            first, tied = tie_to_first(buckets_of(hashes, members))
            firsts.append(first)
            edges.append(tied)
        written = write_sorted(output, unit.name, pa.table(dict(zip(BUCKETS.names, joined(firsts), strict=True))), BUCKETS, ("hash",))
        local = _write_edges(output, unit.name + EDGES_SUFFIX, pl.concat(edges))
        return {"documents": len(rows), "buckets": written.rows, "edges": local.rows}


def _hashes_of(parts: Sequence[Part], settings: MinHashSettings) -> tuple[Numbers, Hashes, Hashes, Hashes]:
    """Return local row, key hash, text hash and bucket hashes, shape (bands, documents), of the documents that take part."""
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


def _urls_of(parts: Sequence[Part]) -> tuple[Hashes, Numbers]:
    """Return the hash of the URL and the local row of every document that takes part and has one."""
    hashes, rows = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    base = 0
    for part in parts:
        forms = same_page_form(read(part.documents, ["url"])["url"])
        chosen = np.flatnonzero(part.taking_part() & forms.is_valid().to_numpy(zero_copy_only=False))
        hashes.append(np.array([hash_of(form) for form in forms.take(pa.array(chosen)).to_pylist()], np.uint64))
        rows.append(chosen + base)
        base += part.documents.rows
    return np.concatenate(hashes), np.concatenate(rows)


def _write_edges(output: Output, name: str, edges: pl.DataFrame) -> Shard:
    """Write edges once each; two documents of one text may share other buckets too."""
    distinct = edges.group_by("left", "right").agg(pl.col("of_text").any())
    return write_sorted(output, name, distinct.to_arrow().cast(EDGES), EDGES, ("left", "right"))


@dataclass(frozen=True)
class Linking(Stage):
    """Ties documents of different groups that share a bucket."""

    name: ClassVar[str] = "4c-candidates"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "polars", "numpy")

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        """Write the edges of one range of hashes."""
        wanted = Range(unit.extra["low"], unit.extra["high"])
        found = []
        for shard, base in zip(unit.inputs["buckets"], unit.extra["bases"], strict=True):
            table = read_range([shard], "hash", wanted, BUCKETS)
            found.append(Buckets(table["hash"].to_numpy(), table["row"].to_numpy() + base, table["of_text"].to_numpy()))
        _, edges = tie_to_first(joined(found))
        needed = edges.filter((pl.col("left") < unit.extra["first_earlier"]) | pl.col("of_text"))
        return {"edges": _write_edges(output, unit.name, needed).rows}


@dataclass(frozen=True)
class Components(Stage):
    """Finds what hangs together, in one unit over all edges."""

    name: ClassVar[str] = "4d-components"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "numpy", "numba")

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        """Write every document that has a candidate, with its component."""
        forest = Forest(unit.extra["documents"])
        follows = np.zeros(unit.extra["documents"], np.bool_)
        bases = [*unit.extra["bases"], *(0 for _ in unit.inputs["edges"])]
        for shard, base in zip([*unit.inputs["local_edges"], *unit.inputs["edges"]], bases, strict=True):
            for batch in batches(shard):
                left, right = batch["left"].to_numpy() + base, batch["right"].to_numpy() + base
                forest.join(left, right)
                follows[right[batch["of_text"].to_numpy()]] = True
        members = components = 0
        with output.shard(unit.name, COMPONENTS) as writer:
            for table in _member_tables(forest.labels(), follows, unit.extra["first_earlier"]):
                writer.write(table)
                members += table.num_rows
                components += int((table["component"].to_numpy() == table["number"].to_numpy()).sum())
        return {"components": components, "documents": members}


def _member_tables(labels: Any, follows: Any, first_earlier: int) -> Iterator[Any]:
    """Yield the COMPONENTS rows of all documents that are not alone, nor among earlier runs' documents alone.

    A component's label is its first document, which always leads, and is this run's if any is.
    """
    shared, varied = np.zeros(len(labels), np.bool_), np.zeros(len(labels), np.bool_)
    chunks = [slice(start, min(start + _CHUNK, len(labels))) for start in range(0, len(labels), _CHUNK)]
    for chunk in chunks:
        others = labels[chunk] != np.arange(chunk.start, chunk.stop)
        shared[labels[chunk][others]] = True
        varied[labels[chunk][others & ~follows[chunk]]] = True
    for chunk in chunks:
        numbers = np.arange(chunk.start, chunk.stop)
        chosen = numbers[((labels[chunk] != numbers) | shared[chunk]) & (labels[chunk] < first_earlier)]
        columns = {"number": chosen, "component": labels[chosen], "leads": ~follows[chosen], "varied": varied[labels[chosen]]}
        yield pa.table(columns, schema=COMPONENTS)


def find_candidates(session: Session, groups: Sequence[Group[Part]], settings: MinHashSettings, by_url: bool = False) -> Shard:
    """Run the three steps and return the COMPONENTS shard."""
    units = [Unit(group.name, inputs_of(group, ("documents", "signatures", "judged")), extra=extra_of(group)) for group in groups]
    bucketed = session.run(Bucketing(settings, by_url), units).units
    files = tuple(unit.shard(unit.name) for unit in bucketed)
    bases = [group.base for group in groups]
    earlier = first_earlier(groups)
    ranges = ranges_for(sum(file.rows for file in files), RANGE_ROWS)
    linked = session.run(
        Linking(),
        [
            Unit(
                f"{place:06d}",
                {"buckets": files},
                extra={"low": wanted.low, "high": wanted.high, "bases": bases, "first_earlier": earlier},
            )
            for place, wanted in enumerate(ranges)
        ],
    )
    inputs = {"local_edges": tuple(unit.shard(unit.name + EDGES_SUFFIX) for unit in bucketed), "edges": linked.shards}
    documents = sum(group.rows for group in groups)
    unit = Unit("components", inputs, extra={"bases": bases, "documents": documents, "first_earlier": earlier})
    return session.run_one(Components(), unit).shard("components")

"""Near-duplicates in one process: the pipeline's decisions for texts that can be read twice, without a run folder or a ledger.

    found = find_duplicates(parquet_texts(paths), ranks=parquet_ranks(paths))
    kept = found.duplicate_of < 0
    fates = found.table(ids)
    write_kept(paths, found, "kept.parquet")

Signatures, buckets, components, exact similarities and the survivor order are those of `curation.duplicates.deduplicate`, with the same
kernels; restarting, spreading over machines and accounting for every record are left out. A document is dropped only for a kept one that is
really similar to it. Of several copies the longest text stays. For equally long texts a run keeps the earlier date, then the smaller key;
this module does the same if `ranks` supplies both, otherwise the first text stays. (The caller must do what a run does to a record before
comparison, such as dropping an empty text.)

Texts come as a sequence of functions, each of which reads one batch (`curation.in_memory.text_batches`), so that texts without a candidate
are not read twice.

Memory: one batch; for each document 8 bytes per band, twice while they are joined, and about 60 more; and SHINGLE_BYTES for the texts with
candidates, whose components are processed in several turns if they need more. (A component is compared as a whole, so a larger one takes
more.)

Invariants
    - Decisions depend on the texts and their order, not on how they are split into batches; with ranks, not on their order either.
    - With ranks, the fates, reasons and survivors are those of `curate run dedup` for the same records.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.arrays import Bytes, Column, Flags, Floats, Hashes, Integers, Table
from curation.duplicates.minhash import MinHashSettings, bucket_hashes, sign
from curation.duplicates.resolve import DUPLICATE_RULES, KEPT, Documents, Resolver
from curation.duplicates.shingles import distinct, shingle
from curation.duplicates.union_find import UnionFind, ties
from curation.errors import InputError
from curation.in_memory.record_ranks import Ranks
from curation.in_memory.text_batches import FilePath, ReadTexts
from curation.storage.location import Location
from curation.text.text import Text

SHINGLE_BYTES = 64 << 20
"""Approximate bytes of shingles that are compared in one turn."""


@dataclass(frozen=True, eq=False)
class Duplicates:
    """The result for each of n documents, by row."""

    duplicate_of: Integers
    """Row of the survivor; -1 if the document is kept."""
    rules: Bytes
    """Index into `curation.duplicates.resolve.DUPLICATE_RULES` of the reason: exact, near_duplicate or contained."""
    similarities: Floats
    """Exact similarity to the survivor; 1 if the document itself is kept."""
    compared: int
    """Pairs whose exact similarity was computed."""
    skipped: int
    """Pairs in one bucket that were not compared, because the limit for that bucket was reached."""

    def rule(self, row: int) -> str | None:
        """Return the reason why a document is dropped, or None if it is kept."""
        reason: str | None = DUPLICATE_RULES[int(self.rules[row])].as_py()
        return reason

    def table(self, ids: Column | list[Any]) -> Table:
        """Return the results as an Arrow table: id, survivor's id, reason and similarity; nulls for kept documents.

        `ids` is an array or list of any type, one id for each document in order; raises ValueError for any other number of ids.
        """
        names = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else pa.array(ids)
        if len(names) != len(self.rules):
            raise ValueError(f"{len(self.rules)} documents were compared, but there are {len(names)} ids")
        kept = self.duplicate_of < 0
        return pa.table(
            {
                "id": names,
                "duplicate_of": names.take(pa.array(self.duplicate_of, mask=kept)),
                "rule": DUPLICATE_RULES.take(pa.array(self.rules)),
                "similarity": pa.array(self.similarities, mask=kept),
            }
        )


@dataclass(frozen=True, eq=False)
class _Signed:
    """Results of one pass over the texts: bytes (n), text hashes (n, 2), bucket hashes (bands, n), and the first row of each batch."""

    sizes: Integers
    texts: Hashes
    buckets: Hashes
    firsts: Integers


def find_duplicates(
    batches: Sequence[ReadTexts],
    minhash: MinHashSettings | None = None,
    threshold: float = 0.75,
    containment: float | None = None,
    compared: int = 8,
    ranks: Callable[[Integers], Ranks] | None = None,
) -> Duplicates:
    """Find the near-duplicates among all texts; the settings have the same meaning as in a recipe's [deduplicate].

    `ranks` returns date and key for the texts of some ascending rows (`curation.in_memory.record_ranks`); it is called once, for the texts
    that have a candidate of the same length.
    """
    minhash = minhash or MinHashSettings()
    signed = _sign(batches, minhash)
    labels, leads = _components(signed)
    found = Duplicates(np.full(len(labels), -1), np.full(len(labels), KEPT, np.uint8), np.ones(len(labels)), 0, 0)
    dates, keys = _ranked(labels, signed.sizes, ranks)
    pairs = skipped = 0
    for rows, whole in _turns(labels, leads, signed.sizes):
        starts, shingles = _shingles_of(batches, signed.firsts, rows[whole], signed.sizes[rows[whole]], minhash)
        held = np.zeros(len(rows) + 1, np.int64)
        held[1:] = np.cumsum(whole)
        documents = Documents(
            _codes(signed.texts[rows]),
            np.unique(keys[rows], return_inverse=True)[1],
            np.full(len(rows), -1),
            np.zeros(len(rows), np.bool_),
            held * minhash.bands,
            signed.buckets[:, rows[whole]].T.ravel(),
        )
        order = np.lexsort((rows, keys[rows], dates[rows], -signed.sizes[rows]))
        resolver = Resolver(documents, order, threshold, containment, compared)
        resolver.take(0, len(rows), np.flatnonzero(whole), starts, shingles)
        resolved = resolver.resolved()
        mine = rows[order]
        dropped = resolved.rules != KEPT
        found.duplicate_of[mine[dropped]] = mine[resolved.survivors[dropped]]
        found.rules[mine] = resolved.rules
        found.similarities[mine] = resolved.similarities
        pairs, skipped = pairs + resolved.compared, skipped + resolved.skipped
    return Duplicates(found.duplicate_of, found.rules, found.similarities, pairs, skipped)


def write_kept(paths: Sequence[FilePath], found: Duplicates, out: FilePath) -> int:
    """Write the kept rows of Parquet files, with all columns, to one file; return their number.

    The files must be those whose texts were compared (`parquet_texts`), in the same order; they are read one row group at a time. Raises
    InputError where their number of rows differs from the number of compared texts, or where they have different columns.
    """
    kept = found.duplicate_of < 0
    schemas = [pq.read_schema(path) for path in paths]
    different = next((path for path, schema in zip(paths, schemas, strict=True) if not schema.equals(schemas[0])), None)
    if different is not None:
        raise InputError(f"{different} does not have the columns of {paths[0]}; write them separately")
    rows = sum(pq.read_metadata(path).num_rows for path in paths)
    if rows != len(kept) or not paths:
        raise InputError(f"there are {rows} rows, but {len(kept)} texts were compared")
    first = 0
    with Location.of(out).writing() as temporary, pq.ParquetWriter(temporary, schemas[0], compression="zstd") as writer:
        for path in paths:
            with pq.ParquetFile(path) as file:
                for index in range(file.num_row_groups):
                    group = file.read_row_group(index)
                    writer.write_table(group.filter(pa.array(kept[first : first + len(group)])))
                    first += len(group)
    return int(kept.sum())


def _sign(batches: Sequence[ReadTexts], minhash: MinHashSettings) -> _Signed:
    sizes, texts, buckets = [np.empty(0, np.int64)], [np.empty((0, 2), np.uint64)], [np.empty((minhash.bands, 0), np.uint64)]
    for read in batches:
        text = Text.from_arrow(read())
        signed = sign(text, minhash)
        sizes.append(text.lengths)
        texts.append(signed.text_hashes)
        buckets.append(bucket_hashes(signed.signatures, minhash))
    firsts = np.concatenate([[0], np.cumsum([len(size) for size in sizes[1:]], dtype=np.int64)])
    return _Signed(np.concatenate(sizes), np.concatenate(texts), np.concatenate(buckets, axis=1), firsts)


def _components(signed: _Signed) -> tuple[Integers, Flags]:
    """Return the component of each document, named by its first document, and whether the document is the first with its text."""
    rows = np.arange(len(signed.sizes))
    forest = UnionFind(len(rows))
    leads = np.ones(len(rows), np.bool_)
    same = ties(signed.texts[:, 0], rows)
    forest.join(same.left, same.right)
    leads[same.right] = False
    leading = rows[leads]
    for band in signed.buckets:
        forest.join_equal(band[leads], leading)
    return forest.labels(), leads


def _ranked(labels: Integers, sizes: Integers, ranks: Callable[[Integers], Ranks] | None) -> tuple[Integers, Integers]:
    """Return integers that sort like the documents' dates and keys; documents without a candidate of equal length get unique ones.

    The integer of a key is a row that has this key, so a document without a requested key gets its own row.
    """
    dates, keys = np.zeros(len(labels), np.int64), np.arange(len(labels))
    order = np.lexsort((sizes, labels))
    same = (np.diff(labels[order]) == 0) & (np.diff(sizes[order]) == 0)
    tied = np.unique([order[1:][same], order[:-1][same]])
    if ranks is not None and len(tied):
        told = ranks(tied)
        dates[tied] = told.dates
        distinct_keys, places = np.unique(np.array(told.keys, dtype="S16"), return_inverse=True)
        keys[tied] = tied[: len(distinct_keys)][places]
    return dates, keys


def _turns(labels: Integers, leads: Flags, sizes: Integers) -> Iterator[tuple[Integers, Flags]]:
    """Yield the ascending rows of some components at a time, and which of them are compared: leaders in components of several texts."""
    members = np.bincount(labels, minlength=len(labels))
    texts = np.bincount(labels[leads], minlength=len(labels))
    rows = np.flatnonzero(members[labels] > 1)
    rows = rows[np.argsort(labels[rows], kind="stable")]
    whole = leads[rows] & (texts[labels[rows]] > 1)
    spent = np.cumsum(np.where(whole, sizes[rows], 0)) * 4 // 3 // SHINGLE_BYTES  # one 8-byte shingle per word of 6 bytes
    begins = np.flatnonzero(np.diff(labels[rows], prepend=-1))
    turn = spent[begins]
    cuts = begins[np.flatnonzero(np.diff(turn, prepend=-1))]
    for chosen in np.split(np.arange(len(rows)), cuts[1:]):
        order = np.argsort(rows[chosen])
        if len(chosen):
            yield rows[chosen][order], whole[chosen][order]


def _shingles_of(
    batches: Sequence[ReadTexts], firsts: Integers, rows: Integers, sizes: Integers, minhash: MinHashSettings
) -> tuple[Integers, Hashes]:
    """Return offsets and distinct shingles of the texts in some ascending rows, whose byte sizes are given."""
    starts = np.zeros(len(rows) + 1, np.int64)
    likely = int(sizes.sum()) // (1 if minhash.characters else 2) + len(rows)
    hashes = np.empty(likely, np.uint64)  # unwritten memory is not taken
    done = 0
    for index, read in enumerate(batches):
        inside = rows[np.searchsorted(rows, firsts[index]) : np.searchsorted(rows, firsts[index + 1])] - firsts[index]
        if len(inside):
            text = Text.from_arrow(read().take(inside))
            shingles = distinct(shingle(text, minhash.ngram, minhash.characters))
            begin, end = starts[done], starts[done] + len(shingles.hashes)
            if end > len(hashes):  # folding turns some characters into several
                hashes = np.concatenate([hashes, np.empty(end, np.uint64)])
            hashes[begin:end] = shingles.hashes
            starts[done + 1 : done + len(inside) + 1] = begin + shingles.offsets[1:]
            done += len(inside)
    return starts, hashes[: starts[-1]]


def _codes(texts: Hashes) -> Integers:
    """Return a small integer for each distinct text hash."""
    order = np.lexsort((texts[:, 1], texts[:, 0]))
    ordered = texts[order]
    codes = np.empty(len(texts), np.int64)
    codes[order] = np.cumsum(np.concatenate([[0], (ordered[1:] != ordered[:-1]).any(axis=1)])) if len(texts) else 0
    return codes

"""What deduplication will find and need, by arithmetic: the chance that two documents meet, and the bytes that their numbers take.

Two documents of Jaccard similarity s share a bucket with probability 1 - (1 - s^r)^b, for b bands of r rows (Indyk and Motwani 1998); those
that do are compared exactly. That is the recall of deduplication at s, where s is above the threshold.

On paper, for documents of 3 KB and 14 bands of 8, on cores that sign 170 MB/s, bucket 390 and compare 250, reading and writing included:

                                                 10^9 documents (3 TB)      10^11 documents (300 TB)
    sign              480 bytes a document       0.48 TB, 5 core hours      48 TB, 490 core hours
    buckets           16 rows of 17 bytes        0.27 TB, 2.1 core hours    27 TB, 214 core hours
    exchange files    one for 2^18 documents     3,815                      381,470
    merging           64 files at a time         1 level, 1.3 core hours    3 levels, 387 core hours
    linking           2^20 rows a unit           15,259 units, 0.4 hours    1,525,879 units, 40 hours
    components        3 rounds of stars          0.6 core hours             56 core hours
    comparison        8 bytes a shingle of those with a candidate: about their text

Merging and linking are by the 290 and 90 nanoseconds a row that they took of 67 million rows in 128 files; components by the 2 microseconds
a document that they took of five million, with rounds (`tests/benchmark/five_million.py`, where linking took 220 nanoseconds a row). No
step holds more of the corpus in one process than a unit's share, but for one component, which is judged at once, and the driver, which has
a name and a digest for each shard. It adds up the books in less than 600 MiB: the ids are read again for every 2^25 duplicates, ten times
for 10^9 documents of which a third are.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import polars as pl

from curation.duplicates import candidates, compare
from curation.duplicates.deduplicate import DeduplicateSettings
from curation.duplicates.gather import GatherShingles
from curation.engine.stage import Workspace, finished_units
from curation.ledger import id_sets
from curation.shuffle.numbering import GROUP_ROWS
from curation.storage.location import Location
from pipelines.inspect.run_folder import scan_ledger

SIMILARITIES = tuple(percent / 100 for percent in range(50, 101, 5))
SIGNATURE_BYTES = 32
"""Of a document's row beside its signature: key and text hash."""
BUCKET_BYTES = 17
"""A row of buckets: hash, row, kind."""
SHINGLE_BYTES, WORD_BYTES = 8, 6
"""Of a shingle, and of the text of which it is one: a word and its space."""
ROW_BYTES = 150
"""Of a document's row beside its shingles and buckets where it is gathered to be compared, about."""
BUCKETING_BYTES, LINKING_BYTES = 600, 140
"""In a worker's memory: of a document of a group, and of a row of buckets of a range (`curation.duplicates.candidates`)."""
BOOK_BYTES = 6 * (8 << id_sets.BUCKET_BITS)
"""In the driver's memory while the books are added up: the sums of the ids of two ledgers, of both, of the dataset, of a file of each."""


@dataclass(frozen=True)
class Expected:
    """What is deduplicated: documents, bytes of their texts, and bytes of the rows gathered to compare."""

    documents: int
    text_bytes: int = 0
    comparison_bytes: int = 0

    def times(self, scale: float) -> "Expected":
        """Return what is expected of more of the same."""
        return Expected(*(int(amount * scale) for amount in astuple(self)))


@dataclass(frozen=True)
class Meeting:
    """The chance that two documents of a similarity share a bucket."""

    similarity: float
    candidates: float


@dataclass(frozen=True)
class DuplicatesPlan:
    """What the recipe's [deduplicate] comes to, and its bytes for the documents that are expected.

    On disk, before compression: signatures, buckets, and comparison, the rows of documents with a candidate: as many as in the sample, and
    all, about (of more documents more have one). In memory, beside the libraries: a worker's largest unit, if no component is larger than a
    unit; and what the driver holds to add up the books, if every document were a duplicate.
    """

    shingles: str
    bands: int
    rows: int
    threshold: float
    meetings: Sequence[Meeting]
    signature_bytes: int
    bucket_bytes: int
    comparison_bytes: int
    full_comparison_bytes: int
    worker_bytes: int
    driver_bytes: int


def seen_in(out: Location) -> Expected:
    """Count what a run deduplicated."""
    counted = scan_ledger(out).select(documents=pl.len(), text_bytes=pl.col("text_bytes").sum()).collect(engine="streaming")
    gathered = sum(unit.counts["bytes"] for unit in finished_units(Workspace(out), GatherShingles))
    return Expected(**counted.row(0, named=True), comparison_bytes=gathered)


def plan_duplicates(settings: DeduplicateSettings, expected: Expected) -> DuplicatesPlan:
    """Work out what deduplicating comes to."""
    chosen, documents = settings.minhash, expected.documents
    bucket_rows = documents * (chosen.bands + 2)
    units = (
        BUCKETING_BYTES * min(documents, GROUP_ROWS),
        LINKING_BYTES * min(bucket_rows, candidates.RANGE_ROWS),
        2 * min(expected.comparison_bytes, compare.RANGE_BYTES),
    )
    return DuplicatesPlan(
        shingles=f"{chosen.ngram} {chosen.unit}s",
        bands=chosen.bands,
        rows=chosen.rows,
        threshold=settings.threshold,
        meetings=[Meeting(similarity, round(chosen.candidate_probability(similarity), 4)) for similarity in SIMILARITIES],
        signature_bytes=documents * (4 * chosen.permutations + SIGNATURE_BYTES),
        bucket_bytes=bucket_rows * BUCKET_BYTES,
        comparison_bytes=expected.comparison_bytes,
        full_comparison_bytes=expected.text_bytes * SHINGLE_BYTES // WORD_BYTES + documents * (ROW_BYTES + 8 * chosen.bands),
        worker_bytes=max(units),
        driver_bytes=BOOK_BYTES + id_sets.HELD_BYTES * min(documents, id_sets.HELD),
    )

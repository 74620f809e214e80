"""The expected recall and resources of deduplication, by arithmetic: candidate probability, disk space and memory.

Two documents of Jaccard similarity s share a bucket with probability 1 - (1 - s^r)^b, for b bands of r rows (Indyk and Motwani 1998), and
documents that share a bucket are compared exactly. For s above the threshold this probability is the recall of deduplication.

The table assumes documents of 3 KB, 14 bands of 8 rows, and cores that sign 170 MB/s, bucket 390 MB/s and compare 250 MB/s, including
reading and writing:

                                                 10^9 documents (3 TB)      10^11 documents (300 TB)
    sign              480 bytes per document     0.48 TB, 5 core hours      48 TB, 490 core hours
    buckets           16 rows of 17 bytes        0.27 TB, 2.1 core hours    27 TB, 214 core hours
    exchange files    one per 2^18 documents     3,815                      381,470
    merging           64 files at a time         1 level, 1.3 core hours    3 levels, 387 core hours
    linking           2^20 rows per unit         15,259 units, 0.4 hours    1,525,879 units, 40 hours
    components        3 rounds of stars          0.6 core hours             56 core hours
    comparison        8 bytes per shingle of documents with a candidate, about the size of their text

The hours assume 290 nanoseconds per row for merging, 90 for linking, and 2 microseconds per document for components
(`tests/benchmark/five_million.py` measures them). No process holds more of the corpus than one unit, with two exceptions: one component is
resolved at once, and the driver holds a name and a digest for each shard. The driver adds up the books in less than 600 MiB: it reads the
ids again for every 2^25 duplicates, which is ten times for 10^9 documents if a third of them are duplicates.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Literal

import polars as pl

from curation.duplicates import candidates, compare
from curation.duplicates.deduplicate import DeduplicateSettings
from curation.duplicates.gather import GatherShingles
from curation.engine.stage import Workspace, finished_units
from curation.ledger import id_sets
from curation.shuffle.numbering import GROUP_ROWS
from curation.storage.location import Location
from pipelines.inspect.run_folder import GENERATED_FOLDER, scan_ledger

SIMILARITIES = tuple(percent / 100 for percent in range(50, 101, 5))
SIGNATURE_BYTES = 32
"""The bytes of a row of signatures besides the signature itself: key and text hash."""
BUCKET_BYTES = 17
"""The bytes of a row of buckets: hash, row, kind."""
SHINGLE_BYTES, WORD_BYTES = 8, 6
"""The bytes of a shingle, and of the text that adds one shingle: a word and its space."""
ROW_BYTES = 150
"""The approximate bytes of a gathered row besides its shingles and buckets."""
BUCKETING_BYTES, LINKING_BYTES = 600, 140
"""The worker's memory in bytes: for each document of a group, and for each bucket row of a range (`curation.duplicates.candidates`)."""
BOOK_BYTES = 6 * (8 << id_sets.BUCKET_BITS)
"""The driver's memory, in bytes, while it adds up the books: id sums of two ledgers, of both, of the dataset, and of one file of each."""


@dataclass(frozen=True)
class Expected:
    """The expected input of deduplication: documents, bytes of their texts, and bytes of the rows gathered for comparison."""

    documents: int
    text_bytes: int = 0
    comparison_bytes: int = 0

    def times(self, scale: float) -> "Expected":
        """Return the expectation for an input that is `scale` times as large."""
        return Expected(*(int(amount * scale) for amount in astuple(self)))

    def __add__(self, other: "Expected") -> "Expected":
        """Return the expectation for both inputs."""
        return Expected(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class Meeting:
    """The probability that two documents of a given similarity share a bucket."""

    similarity: float
    candidates: float


@dataclass(frozen=True)
class DuplicatesPlan:
    """The recipe's settings of [deduplicate] and the bytes they need for the expected documents.

    On disk, before compression: signatures, buckets, and the gathered rows of documents with a candidate. The latter are given for the
    share of candidates in the sample, and for all documents, because the share grows with the input. In memory, besides the
    libraries: a worker's largest unit, unless a component is larger than a unit; and the driver's books if every document is a duplicate.
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


def seen_in(out: Location, origin: Literal["web", "synthetic"] = "web") -> Expected:
    """Count the documents, text and gathered rows of a run's deduplication of web text, or of generated rows."""
    space = Workspace(out) if origin == "web" else Workspace(out, GENERATED_FOLDER)
    counted = scan_ledger(out, origin).select(documents=pl.len(), text_bytes=pl.col("text_bytes").sum()).collect(engine="streaming")
    gathered = sum(unit.counts["bytes"] for unit in finished_units(space, GatherShingles))
    return Expected(**counted.row(0, named=True), comparison_bytes=gathered)


def plan_duplicates(settings: DeduplicateSettings, expected: Expected) -> DuplicatesPlan:
    """Compute the plan of deduplication."""
    chosen, documents = settings.minhash, expected.documents
    bucket_rows = documents * (chosen.bands + 2)
    units = (
        BUCKETING_BYTES * min(documents, GROUP_ROWS),
        LINKING_BYTES * min(bucket_rows, candidates.BUCKETS_PER_UNIT),
        2 * min(expected.comparison_bytes, compare.COMPARED_RANGE_BYTES),
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
        driver_bytes=BOOK_BYTES + id_sets.HELD_BYTES * min(documents, id_sets.MOST_HELD),
    )

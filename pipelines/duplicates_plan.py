"""What deduplication will find and need, by arithmetic: the chance that two documents meet, and the bytes that their numbers take.

Two documents of Jaccard similarity s share a bucket with probability 1 - (1 - s^r)^b, for b bands of r rows (Indyk and Motwani 1998); those
that do are compared exactly. That is the recall of deduplication at s, where s is above the threshold.

On paper, for documents of 3 KB and 14 bands of 8, on cores that sign 170 MB/s, bucket 390 and compare 250, reading and writing included:

                                                 10^9 documents (3 TB)      10^11 documents (300 TB)
    sign              480 bytes a document       0.48 TB, 5 core hours      48 TB, 490 core hours
    buckets           16 rows of 17 bytes        0.27 TB, 2.1 core hours    27 TB, 214 core hours
    exchange files    one for 2^19 documents     1,908                      190,735
    linking           2^22 rows a unit           3,815 units                381,470 units
    comparison        8 bytes a shingle of those with a candidate: about their text
    components        11 bytes a document in one process: 11 GB             1.1 TB: too much for most machines

Beyond some 10^10 documents components must be merged: shares of the edges, each to a spanning forest, which has fewer edges than documents
with a candidate; that step is not built. Time breaks before that, by extrapolation: each unit of linking reads at least a row group of
every exchange file, so reading grows with the square of the documents. Merging exchange files before linking would make it linear; that
is not built either.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from curation.deduplicate import DeduplicateSettings

SIMILARITIES = tuple(percent / 100 for percent in range(50, 101, 5))
SIGNATURE_BYTES = 32
"""Of a document's row beside its signature: key and text hash."""
BUCKET_BYTES = 17
"""A row of buckets: hash, row, kind."""
COMPONENT_BYTES = 11
"""Of a document, in the one process that finds components."""


@dataclass(frozen=True)
class Meeting:
    """The chance that two documents of a similarity share a bucket."""

    similarity: float
    candidates: float


@dataclass(frozen=True)
class DuplicatesPlan:
    """What the recipe's [deduplicate] comes to, and its bytes for the documents that are expected, before compression."""

    shingles: str
    bands: int
    rows: int
    threshold: float
    meetings: Sequence[Meeting]
    signature_bytes: int
    bucket_bytes: int
    component_bytes: int


def plan_duplicates(settings: DeduplicateSettings, documents: int) -> DuplicatesPlan:
    """Work out what deduplicating so many documents comes to."""
    chosen = settings.minhash
    return DuplicatesPlan(
        shingles=f"{chosen.ngram} {chosen.unit}s",
        bands=chosen.bands,
        rows=chosen.rows,
        threshold=settings.threshold,
        meetings=[Meeting(similarity, round(chosen.candidate_probability(similarity), 4)) for similarity in SIMILARITIES],
        signature_bytes=documents * (4 * chosen.permutations + SIGNATURE_BYTES),
        bucket_bytes=documents * (chosen.bands + 2) * BUCKET_BYTES,
        component_bytes=documents * COMPONENT_BYTES,
    )

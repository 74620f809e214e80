"""A corpus of any size on paper: core hours, hours, disk and object-store requests of each step, scaled from the plan's sample.

Seconds and bytes grow with the input's parts and bytes (`pipelines.plan.scaling`). The number of units decides the requests: a step over
documents has one unit for each part of PART_BYTES of text, bucketing one for GROUP_ROWS documents, and the comparison one for each range
of buckets or of gathered bytes. A unit makes about READS and WRITES calls, whatever it holds; run.json counts them
(`curation.storage.traffic`).

Three things are left out: steps that are not linear (merging sorted files takes one more pass for each factor of 64, see
`pipelines.plan.duplicates_plan`), waiting for the last unit of a step, and differences between machines.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from curation.duplicates.candidates import BUCKETS_PER_UNIT
from curation.duplicates.compare import COMPARED_RANGE_BYTES
from curation.shuffle.numbering import GROUP_ROWS
from curation.storage.shards import PART_BYTES
from pipelines.plan.scaling import StageCost

READS, WRITES = 26, 8
"""Calls that a unit and its driver make: reads (with listings and facts), and writes. The stages of a small run on a loopback store made 10
to 54 reads and 3 to 20 writes a unit. Arrow's client sends one to three requests for a call, so these are lower bounds of the requests."""

READ_PRICE, WRITE_PRICE = 0.0004, 0.005
"""USD for a thousand requests that read, and for a thousand that write or list: S3 Standard's list price as known in 2025."""

UNIT_MEMORY = 6_700
"""Bytes that the driver holds for each unit of a step (`tests/benchmark/many_units.py`)."""


@dataclass(frozen=True)
class Corpus:
    """The sizes from which the units of a corpus are counted."""

    documents: int
    text_bytes: int
    bands: int
    comparison_bytes: int


@dataclass(frozen=True)
class PaperStep:
    """One step over a whole corpus. `hours` is its wall time with all workers busy; `price` is that of its requests in USD."""

    stage: str
    units: int
    core_hours: float
    hours: float
    disk_bytes: int
    requests: int
    price: float


def _parts(corpus: Corpus) -> int:
    return ceil(corpus.text_bytes / PART_BYTES)


_UNITS: Mapping[str, Callable[[Corpus], int]] = {
    "4b-buckets": lambda corpus: ceil(corpus.documents / GROUP_ROWS),
    "4c-candidates": lambda corpus: ceil(corpus.documents * (corpus.bands + 2) / BUCKETS_PER_UNIT),
    "4d-stars": lambda corpus: ceil(corpus.documents / GROUP_ROWS),
    "4d-components": lambda corpus: ceil(corpus.documents / GROUP_ROWS),
    "4f-compare": lambda corpus: ceil(corpus.comparison_bytes / COMPARED_RANGE_BYTES),
}
"""The stages whose units are not parts of documents."""


def on_paper(stages: Sequence[StageCost], input_bytes: int, corpus: Corpus, workers: int) -> list[PaperStep]:
    """Return what the stages cost for a corpus whose input has `input_bytes` bytes."""
    found, parts = [], max(1, _parts(corpus))
    for stage in stages:
        units = max(1, _UNITS.get(stage.stage, _parts)(corpus))
        core_hours = stage.seconds.at(parts, input_bytes) / 3600
        found.append(
            PaperStep(
                stage=stage.stage,
                units=units,
                core_hours=round(core_hours, 2),
                hours=round(core_hours / min(units, workers), 2),
                disk_bytes=int(stage.disk.at(parts, input_bytes)),
                requests=units * (READS + WRITES),
                price=round(units * (READS * READ_PRICE + WRITES * WRITE_PRICE) / 1000, 2),
            )
        )
    return found


def driver_memory(steps: Sequence[PaperStep]) -> int:
    """Return the bytes that the driver holds: the units of the largest step."""
    return UNIT_MEMORY * max((step.units for step in steps), default=0)

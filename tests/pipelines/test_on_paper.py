"""A corpus on paper: core hours and bytes grow with the documents, units by their own rules, and requests with the units."""

import json

import pytest

from curation.shuffle.numbering import GROUP_ROWS
from curation.storage.shards import PART_BYTES
from pipelines.plan.on_paper import READ_PRICE, READS, WRITE_PRICE, WRITES, Corpus, driver_memory, on_paper
from pipelines.plan.scaling import PartsAndBytes, StageCost
from tests.running import ROOT, curate

STAGES = [
    StageCost("1-ingest", PartsAndBytes(0.0, 2e-3), PartsAndBytes(0.0, 1.0)),
    StageCost("4b-buckets", PartsAndBytes(0.0, 5e-4), PartsAndBytes(0.0, 0.1)),
]
"""Of a thousand bytes: 2 s and 1,000 bytes; 0.5 s and 100 bytes."""


def test_a_billion_documents() -> None:
    corpus = Corpus(documents=10**9, text_bytes=3 * 10**12, bands=14, comparison_bytes=10**11)
    ingest, buckets = on_paper(STAGES, 10**9, corpus, workers=100)
    assert (ingest.core_hours, ingest.hours, ingest.disk_bytes) == (
        pytest.approx(2e6 / 3600, abs=0.01),
        pytest.approx(5.56, abs=0.01),
        10**9,
    )
    assert ingest.units == -(-3 * 10**12 // PART_BYTES)
    assert buckets.units == -(-(10**9) // GROUP_ROWS)
    assert ingest.requests == ingest.units * (READS + WRITES)
    assert ingest.price == pytest.approx(ingest.units * (READS * READ_PRICE + WRITES * WRITE_PRICE) / 1000, abs=0.01)
    assert driver_memory([ingest, buckets]) == driver_memory([ingest]) > driver_memory([buckets])


def test_no_more_workers_than_units() -> None:
    corpus = Corpus(documents=10, text_bytes=1000, bands=14, comparison_bytes=0)
    alone = on_paper(STAGES, 3_600_000, corpus, workers=100)
    assert [(step.units, step.hours) for step in alone] == [(1, 2.0), (1, 0.5)]


def test_the_verb_shows_it() -> None:
    told = json.loads(curate("plan", "dedup", ROOT / "sample_data/texts/web.jsonl", "--documents", "1e9", "--workers", "64", "--json"))
    assert told["documents"] == 10**9
    assert [step["stage"] for step in told["paper"]] == [stage["stage"] for stage in told["stages"]]
    scale = 10**9 / (ROOT / "sample_data/texts/web.jsonl").read_bytes().count(b"\n")
    ingest, of_sample = told["paper"][0], told["stages"][0]
    rounded = 0.005 * scale  # the seconds of the sample are told to hundredths
    assert 0 < ingest["core_hours"] * 3600 <= of_sample["worker_seconds"] * scale + rounded  # less: what opening files costs is not scaled

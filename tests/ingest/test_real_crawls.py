"""What real crawlers and real broken files do to a whole run: every archive and page at hand goes in, and every record gets one fate.

The totals were looked at record by record before they were pinned. 28 of the 45 `not_html` are scripts, styles and pictures of a crawl of
iana.org, and the 8 unreadable records stand in files that were cut short or give wrong lengths. A changed total is a question: look at the
records that moved.
"""

import json
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from tests.running import curate

RECIPE = """
[extractor]
name = "resiliparse"

[[edit]]
name = "whitespace"

[[filter]]
name = "gopher_quality"

[deduplicate]
"""


@pytest.fixture(scope="module")
def real_run(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    (folder / "recipe.toml").write_text(RECIPE)
    inputs = [real_data / "warc/real", real_data / "warc/malformed", real_data / "html_gold/files/*.html"]
    assert "The books balance" in curate("run", folder / "recipe.toml", *inputs, "--out", folder / "out")
    return folder / "out"


def test_every_record_has_one_fate(real_run: Path) -> None:
    books = json.loads((real_run / "run.json").read_text("utf-8"))["sessions"][-1]["books"]
    assert books == {"records": 669, "fates": {"dropped": 134, "duplicate": 2, "kept": 34, "unreadable": 8}, "faults": []}
    ledger = pl.read_parquet(real_run / "ledger/*.parquet")
    assert ledger.height == sum(books["fates"].values())
    assert not ledger.select("file_path", "offset").is_duplicated().any()
    assert pl.read_parquet(real_run / "dataset/data/*.parquet").height == books["fates"]["kept"]


def test_what_becomes_no_document_says_why(real_run: Path) -> None:
    ledger = pl.read_parquet(real_run / "ledger/*.parquet").filter(pl.col("stage") == "ingest")
    assert Counter(ledger["rule"]) == {
        "not_html": 45,
        "empty_text": 1,
        "http_status": 7,
        "wrong_content_length": 4,
        "truncated": 2,
        "bad_content_length": 2,
    }
    broken = ledger.filter(pl.col("fate") == "unreadable")
    assert Counter(broken["file_path"]) == {
        "cc_net__sample.warc.txt": 3,
        "chatnoir-resiliparse__clipped.warc.gz": 1,
        "warcio__bad.arc": 2,
        "warcio__example-space-in-url.arc": 1,
        "warcio__example-trunc.warc": 1,
    }
    assert broken["evidence"].is_not_null().all()
    assert broken.filter(pl.col("id") != pl.format("{}:{}", "file_path", "offset")).is_empty()


def test_the_same_archive_under_another_compression_says_the_same(real_run: Path) -> None:
    ledger = pl.read_parquet(real_run / "ledger/*.parquet").sort("key")
    once, again = (ledger.filter(pl.col("file_path") == f"chatnoir-resiliparse__warcfile.warc.{ending}") for ending in ("gz", "lz4"))
    assert once.height == 16
    assert once.drop("file_path", "source", "offset").equals(again.drop("file_path", "source", "offset"))


def test_kept_texts_are_clean(real_run: Path) -> None:
    texts = pl.read_parquet(real_run / "dataset/data/*.parquet")["text"]
    assert texts.str.len_bytes().min() > 300
    assert not texts.str.contains("[\\x00-\\x08\\x0b-\\x1f\\x7f\ufffd\ufdd0-\ufdd2]").any()
    assert not texts.str.contains("(?i)<(script|style|div|span|p)[ >]|&(nbsp|amp|quot);").any()

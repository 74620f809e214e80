"""The order of an export: a shuffle that a seed decides, shards of the size that was asked for, and bytes that no worker count changes."""

import hashlib
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipelines.reexport import scatter
from pipelines.reexport.chance import drawn
from pipelines.reexport.gather import windows
from tests.running import curate
from tests.verbs import call

MIB = 1 << 20


def exported(run: Path, out: Path, *options: object) -> pl.DataFrame:
    said = call("export", run, "--out", out, *options)
    assert said.code == 0, said.all
    assert call("verify", out).code == 0
    return pl.read_parquet(sorted((out / "data").glob("*.parquet")))


def digests(out: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((out / "data").iterdir())}


def test_a_shuffle_has_the_rows_of_the_run_in_another_order(corpus_run: Path, tmp_path: Path) -> None:
    whole = pl.read_parquet(corpus_run / "dataset/data/*.parquet")
    in_order = exported(corpus_run, tmp_path / "a", "--order", "--shard-mib", 1)
    assert in_order.equals(whole)
    shuffled = exported(corpus_run, tmp_path / "b", "--shard-mib", 1)
    assert shuffled["id"].to_list() != whole["id"].to_list()
    assert shuffled.sort("id").equals(whole.sort("id"))
    again = exported(corpus_run, tmp_path / "c", "--shard-mib", 1, "--seed", 1)
    assert again["id"].to_list() != shuffled["id"].to_list()
    assert again.sort("id").equals(whole.sort("id"))


def test_a_shuffle_mixes_the_sources_in_every_shard(corpus_run: Path, tmp_path: Path) -> None:
    """Runs test (Wald and Wolfowitz 1940) of one source against the others, and its share in every shard."""
    rows = exported(corpus_run, tmp_path / "a", "--shard-mib", 1)
    is_crawl = (rows["source"] == "crawl").to_numpy()
    n1, n2 = int(is_crawl.sum()), int((~is_crawl).sum())
    runs = 1 + int((is_crawl[1:] != is_crawl[:-1]).sum())
    mean = 1 + 2 * n1 * n2 / (n1 + n2)
    spread = ((mean - 1) * (mean - 2) / (n1 + n2 - 1)) ** 0.5
    assert abs(runs - mean) < 4 * spread
    files = sorted((tmp_path / "a/data").glob("*.parquet"))
    shares = [(pl.read_parquet(file)["source"] == "crawl").mean() for file in files]
    assert len(files) > 5
    assert all(abs(float(share) - n1 / (n1 + n2)) < 0.13 for share in shares)  # type: ignore[arg-type]


def test_shards_have_the_size_that_was_asked_for(corpus_run: Path, tmp_path: Path) -> None:
    exported(corpus_run, tmp_path / "a", "--shard-mib", 1)
    files = sorted((tmp_path / "a/data").glob("*.parquet"))
    sizes = [int(pl.read_parquet(file)["text"].str.len_bytes().sum()) for file in files]
    assert all(abs(size - MIB) < MIB / 100 for size in sizes[:-1])
    entries = json.loads((tmp_path / "a/manifest.json").read_text())["shards"]
    assert [entry["text_bytes"] for entry in entries] == sizes


@pytest.mark.parametrize("total", [1, 99, 100, 101, 149, 151, 4999, 5050, 10_049, 123_456])
def test_windows_cover_a_split(total: int) -> None:
    found = windows(total, 100)
    assert found[0][0] == 0
    assert found[-1][1] > total
    assert all(before[1] == after[0] for before, after in pairwise(found))
    sizes = [high - low for low, high in found[:-1]]
    assert all(99 <= size <= 102 for size in sizes)
    if total > 10_000:
        assert 99 <= total - found[-1][0] <= 102


@pytest.mark.parametrize(
    "options",
    [
        [],
        pytest.param(["--order"], marks=pytest.mark.full),
        ["--mix", "books=2.5", "--split", "validation=5%", "--format", "jsonl.zst"],
    ],
)
def test_no_number_of_workers_changes_a_byte(corpus_run: Path, tmp_path: Path, options: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    curate("export", corpus_run, "--out", tmp_path / "a", "--shard-mib", 1, "--workers", 2, *options)
    call("export", corpus_run, "--out", tmp_path / "b", "--shard-mib", 1, *options)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    if options != ["--order"]:
        monkeypatch.setattr("pipelines.reexport.reexport.RANGE_BYTES", MIB // 2)
        monkeypatch.setattr(scatter, "UNIT_BYTES", MIB)
        call("export", corpus_run, "--out", tmp_path / "c", "--shard-mib", 1, *options)
        assert digests(tmp_path / "c") == digests(tmp_path / "b")


def test_chance_is_even_and_every_purpose_has_its_own() -> None:
    keys = np.random.default_rng(1).integers(0, 1 << 63, (50_000, 2), np.uint64)
    seen = [drawn(keys, "mix"), drawn(keys, "split"), drawn(keys, "mix", 1), drawn(keys, "mix", 0, 1)]
    for one in seen:
        counts = np.bincount((one >> np.uint64(60)).astype(np.int64), minlength=16)
        assert ((counts - 3125) ** 2 / 3125).sum() < 45  # chi-square with 15 degrees of freedom: 1 in 10,000
    for one, other in pairwise(seen):
        assert abs(np.corrcoef(one.astype(np.float64), other.astype(np.float64))[0, 1]) < 0.03
    assert drawn(keys[:1], "mix").tolist() == drawn(keys[:5], "mix").tolist()[:1]

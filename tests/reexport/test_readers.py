"""An export as others read it: the loaders of datasets, the hub's card, Croissant; and what damage to it looks like."""

import json
import random
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from curation.storage.location import Location
from pipelines.inspect.verify import verify
from tests.verbs import call

SPLITS = ("train", "validation")


@pytest.fixture(scope="module")
def dataset(corpus_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("export") / "data set"
    said = call("export", corpus_run, "--out", out, "--shard-mib", 2, "--split", "validation=10%", "--mix", "books=1.5")
    assert said.code == 0, said.all
    return out


def test_readers_see_equal_rows(dataset: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    for split in SPLITS:
        files = sorted((dataset / "data").glob(f"{split}-*.parquet"))
        assert len(files) > (split == "train")
        wanted = pl.read_parquet(files)
        assert pl.DataFrame(pq.read_table(files[0])).equals(wanted[: pq.read_metadata(files[0]).num_rows])
        texts = duckdb.sql(f"select text from read_parquet({[str(file) for file in files]}) order by file_path, id, text").fetchall()
        assert [row[0] for row in texts] == wanted.sort("file_path", "id", "text")["text"].to_list()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library's own
            loaded = datasets.load_dataset(str(dataset), split=split, cache_dir=str(tmp_path / "cache"))
        assert loaded["text"][:] == wanted["text"].to_list()
        assert loaded["id"][:] == wanted["id"].to_list()


def test_lines_hold_the_rows_of_the_table(corpus_run: Path, dataset: Path, tmp_path: Path) -> None:
    options = ["--shard-mib", 2, "--split", "validation=10%", "--mix", "books=1.5", "--format", "jsonl.zst"]
    assert call("export", corpus_run, "--out", tmp_path / "a", *options).code == 0
    files = sorted((tmp_path / "a/data").glob("train-*.jsonl.zst"))
    rows = pl.concat([pl.read_ndjson(file, infer_schema_length=None) for file in files])
    wanted = pl.read_parquet(sorted((dataset / "data").glob("train-*.parquet")))
    assert rows["text"].to_list() == wanted["text"].to_list()
    assert rows["token_count"].to_list() == wanted["token_count"].to_list()


def test_pages_have_an_index_and_checksums_and_row_groups_are_small(dataset: Path) -> None:
    for file in (dataset / "data").glob("*.parquet"):
        told = pq.read_metadata(file)
        for group in range(told.num_row_groups):
            column = told.row_group(group).column(0)
            assert (column.compression, column.has_column_index, column.has_offset_index) == ("ZSTD", True, True)
            assert told.row_group(group).total_byte_size < 100 << 20


def test_an_early_change_leaves_most_pages_as_they_were(corpus_run: Path, dataset: Path, tmp_path: Path) -> None:
    """Content-defined chunking: the bytes of later pages do not depend on where the ones before them ended."""
    from curation.engine.stage import Output

    rows = pl.read_parquet(sorted((dataset / "data").glob("train-*.parquet"))).select("text")
    tables = [rows.to_arrow(), pl.concat([pl.DataFrame({"text": ["one more"]}), rows]).to_arrow()]
    pages = []
    for number, table in enumerate(tables):
        output = Output(Location.of(tmp_path / str(number)))
        with output.shard("a", table.schema, level=3, cut_by_content=True) as writer:
            writer.write(table)
        pages.append((tmp_path / str(number) / "a.parquet").read_bytes())
    blocks = [pages[0][at : at + 4096] for at in range(0, len(pages[0]) - 4096, 4096)]
    assert sum(block in pages[1] for block in blocks) > 0.5 * len(blocks)


def test_the_hub_reads_the_card(dataset: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    told = hub.DatasetCard.load(dataset / "README.md").data
    assert [file["split"] for file in told.configs[0]["data_files"]] == list(SPLITS)
    rows = {split: pl.read_parquet(sorted((dataset / "data").glob(f"{split}-*.parquet"))).height for split in SPLITS}
    assert {split["name"]: split["num_examples"] for split in told.dataset_info[0]["splits"]} == rows
    assert told.license == "other"
    assert told.size_categories == ["1K<n<10K"]
    text = (dataset / "README.md").read_text()
    assert "Held out of `train`: 10 % for validation, each document by itself, by a hash." in text
    assert "Personal data: nothing was masked." in text
    assert "recipe_key" in text


def test_croissant_is_valid_and_names_the_rows(dataset: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's own
        told = mlcroissant.Dataset(str(dataset / "croissant.json"))
        ids = [row["data-validation-rows/id"].decode() for row in told.records("data-validation-rows")]
    assert not told.metadata.issues.errors
    assert sorted(ids) == sorted(pl.read_parquet(sorted((dataset / "data").glob("validation-*.parquet")))["id"])
    content = json.loads((dataset / "croissant.json").read_text())
    digests = {file["@id"]: file["sha256"] for file in content["distribution"] if "sha256" in file}
    manifest = json.loads((dataset / "manifest.json").read_text())
    assert digests == {entry["file"]: entry["sha256"] for entry in [*manifest["shards"], *manifest["sft"], *manifest["dpo"]]}


def test_conversations_follow_their_rows(dataset: Path) -> None:
    for split in SPLITS:
        talks = pl.read_parquet(sorted((dataset / "sft").glob(f"{split}-*.parquet")))
        rows = pl.read_parquet(sorted((dataset / "data").glob(f"{split}-*.parquet"))).filter(origin="synthetic")
        assert talks["id"].to_list() == rows["id"].to_list()
        assert {message["role"] for messages in talks["messages"] for message in messages} == {"user", "assistant"}


def flipped(dataset: Path, whole: Path, flips: int, seed: int) -> tuple[int, int]:
    """Flip a bit somewhere in an export, many times; return how many were tried and how many `verify` found."""
    chance = random.Random(seed)
    files = sorted(path for path in whole.rglob("*") if path.is_file() and path.name != ".lock")
    found = 0
    for number in range(flips):
        path = files[number % len(files)]
        damaged = dataset / path.relative_to(whole)
        content = bytearray(path.read_bytes())
        at = chance.randrange(len(content))
        content[at] ^= 1 << chance.randrange(8)
        damaged.write_bytes(content)
        found += bool(verify(Location.of(dataset)).faults)
        damaged.write_bytes(path.read_bytes())
    return flips, found


def test_flips_are_found(dataset: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(dataset, tmp_path / "copy")
    assert verify(Location.of(copy)).faults == []
    tried, found = flipped(copy, dataset, 60, 11)
    assert (tried, found) == (60, 60)


@pytest.mark.full
def test_five_hundred_flips_are_found(dataset: Path, tmp_path: Path) -> None:
    tried, found = flipped(shutil.copytree(dataset, tmp_path / "copy"), dataset, 500, 2026)
    assert (tried, found) == (500, 500)


def test_datatrove_reads_the_shards(dataset: Path, peer_python: str) -> None:
    code = (
        "import sys; from datatrove.pipeline.readers import ParquetReader\n"
        "print(sum(len(document.text) for document in ParquetReader(sys.argv[1], glob_pattern='*.parquet', doc_progress=False)()))"
    )
    done = subprocess.run([peer_python, "-c", code, str(dataset / "data")], capture_output=True, text=True, timeout=300)
    rows = pl.read_parquet(sorted((dataset / "data").glob("*.parquet")))
    assert int(done.stdout) == rows["text"].str.len_chars().sum(), done.stderr + sys.executable

"""The whole pipeline through the command line: what it leaves, what it redoes, what it refuses, and books that can fail."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import BooksUnbalanced
from pipelines.pipeline import RunRequest, run_recipe
from tests.object_store import object_store
from tests.running import ROOT, SMALL_RECIPE, TEXTS, curate, made, many_files, picture, shards, stages


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A folder with recipe.toml and input/, and nothing run yet."""
    (tmp_path / "recipe.toml").write_text(SMALL_RECIPE)
    many_files(tmp_path / "input", files=6)
    return tmp_path


def run_small(folder: Path, *options: object, code: int = 0, env: dict[str, str] | None = None) -> str:
    return curate("run", folder / "recipe.toml", folder / "input/*.jsonl", "--out", folder / "out", *options, code=code, env=env)


def test_the_dataset_opens_everywhere(demo_run: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    files = sorted((demo_run / "dataset/data").glob("*.parquet"))
    rows = pq.read_table(files).num_rows
    assert rows > 200
    assert pl.read_parquet(files).height == rows
    assert duckdb.sql(f"select count(*) from '{demo_run}/dataset/data/*.parquet'").fetchall() == [(rows,)]
    loaded = load_dataset(str(demo_run / "dataset"), cache_dir=str(tmp_path))["train"]
    assert loaded.num_rows == rows
    assert {"text", "id", "url", "date", "file_path", "language", "language_score", "token_count", "score", "int_score"} <= set(
        loaded.column_names
    )


def test_every_verb_answers(demo_run: Path, tmp_path: Path) -> None:
    assert json.loads(curate("verify", demo_run, "--json"))["faults"] == []
    assert json.loads(curate("verify", demo_run / "dataset", "--json"))["faults"] == []
    kept = pl.read_parquet(demo_run / "dataset/data/*.parquet").row(0, named=True)
    assert "kept" in json.dumps(json.loads(curate("why", demo_run, kept["id"], "--json")))
    ledger = pl.read_parquet(demo_run / "ledger/*.parquet")
    copy = ledger.filter(pl.col("fate") == "duplicate").row(0, named=True)
    assert copy["duplicate_of"] in curate("duplicates", demo_run, copy["id"], "--json")
    assert json.loads(curate("inspect", demo_run, "--json"))
    assert json.loads(curate("inspect", demo_run, "--signal", "gopher_quality.words", "--json"))
    assert json.loads(curate("inspect", demo_run, "--signal", "gopher_quality.words", "--at", 100, "--json"))
    assert json.loads(curate("diff", demo_run, demo_run, "--json"))
    assert Path(json.loads(curate("report", demo_run, "--json"))["report"]).is_file()
    assert {entry["name"] for entry in json.loads(curate("filters", "--json"))} >= {"language", "gopher_quality", "educational_score"}
    assert "min_words" in curate("filters", "gopher_quality")
    exported = tmp_path / "exported"
    curate("export", demo_run, "--out", exported, "--shard-mib", 1, "--mix", "synthetic=0.5")
    assert json.loads(curate("verify", exported, "--json"))["faults"] == []
    lines = tmp_path / "lines"
    curate("export", demo_run, "--out", lines, "--format", "jsonl", "--order")
    with gzip.open(lines / "data/train-00000-of-00001.jsonl.gz", "rt", encoding="utf-8") as stream:
        written = [json.loads(line)["id"] for line in stream]
    assert written == pl.read_parquet(demo_run / "dataset/data/*.parquet")["id"].to_list()


def test_one_fate_for_every_record(demo_run: Path) -> None:
    ledger = pl.read_parquet(demo_run / "ledger/*.parquet")
    assert set(ledger["fate"]) == {"kept", "dropped", "duplicate", "unreadable"}
    kept = set(ledger.filter(pl.col("fate") == "kept")["id"])
    assert set(ledger.filter(pl.col("fate") == "duplicate")["duplicate_of"]) <= kept
    assert len(kept) == ledger.filter(pl.col("fate") == "kept").height
    assert ledger.filter(pl.col("rule") == "benchmark_overlap.holds_benchmark_item").height >= 1


def test_a_second_run_makes_nothing_and_changes_nothing(small: Path) -> None:
    run_small(small)
    before = shards(small / "out")
    run_small(small, "--frozen")
    assert made(small / "out") == {}
    assert shards(small / "out") == before


def test_a_new_threshold_judges_again_and_measures_nothing(small: Path) -> None:
    run_small(small)
    (small / "recipe.toml").write_text(SMALL_RECIPE.replace("min_words = 40", "min_words = 60"))
    units = stages(small / "out")["3-judge"]["units"]
    told = f"gopher_quality.min_words 40 -> 60: judge again, {units} of {units} unit"
    assert told in run_small(small, "--frozen", code=3)
    run_small(small)
    assert json.loads((small / "out/run.json").read_bytes())["sessions"][-1]["drift"] == ["gopher_quality.min_words 40 -> 60"]
    redone = made(small / "out")
    assert not redone.keys() & {"1-ingest", "2-measure", "4a-sign", "6-synthesize/2-measure"}
    assert redone["3-judge"] == stages(small / "out")["3-judge"]["units"]


def test_one_more_file_ingests_that_file_only(small: Path) -> None:
    run_small(small)
    many_files(small / "more", files=1, seed=7)
    (small / "more/part-000.jsonl").rename(small / "input/added-file.jsonl")
    run_small(small, "--frozen", code=3)
    run_small(small)
    redone = made(small / "out")
    assert (redone["1-ingest"], redone["2-measure"], redone["3-judge"], redone["4a-sign"]) == (1, 1, 1, 1)


def test_a_changed_benchmark_file_measures_again(small: Path) -> None:
    questions = small / "questions.jsonl"
    questions.write_text('{"question": "How many apples does the market sell on a rainy day if the sun sells nine of them each hour?"}\n')
    recipe = SMALL_RECIPE.replace("[deduplicate]", f'[[filter]]\nname = "benchmark_overlap"\nbenchmarks = ["{questions}"]\n\n[deduplicate]')
    (small / "recipe.toml").write_text(recipe)
    run_small(small)
    questions.write_text('{"question": "Why does the tide come twice a day although the moon stands over one side of the earth only?"}\n')
    run_small(small, "--frozen", code=3)
    run_small(small)
    redone = made(small / "out")
    assert redone["2-measure"] == stages(small / "out")["2-measure"]["units"]
    assert "1-ingest" not in redone


def test_books_notice_a_deleted_ledger_row(small: Path) -> None:
    run_small(small)
    before = shards(small / "out")
    victim = sorted(path for path in (small / "out/ledger").glob("*.parquet") if "rejected" not in path.name)[0]
    file = pq.read_table(victim)
    metadata = pq.ParquetFile(victim).metadata.metadata
    table = file.slice(1).replace_schema_metadata(metadata)
    pq.write_table(table, victim)
    printed = curate("verify", small / "out", code=3)
    assert file["file_path"][0].as_py() in printed
    assert "the ledger has" in printed
    assert "books balance" in run_small(small), "what is not as it was written is made again"
    assert shards(small / "out") == before
    curate("verify", small / "out")


def test_books_notice_a_reader_that_swallows_a_record(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import curation.ingest.ingest
    from curation.ingest.readers import read_records

    def swallowing(source: Any, tally: Any) -> Iterator[Any]:
        for number, outcome in enumerate(read_records(source, tally)):
            if not (source.relative == "part-003.jsonl" and number == 5):
                yield outcome

    monkeypatch.setattr(curation.ingest.ingest, "read_records", swallowing)
    request = RunRequest(str(small / "recipe.toml"), (str(small / "input/*.jsonl"),), str(small / "out"))
    with pytest.raises(BooksUnbalanced, match=r"part-003\.jsonl: the reader counted 13 records that need a fate, but the ledger has 12"):
        run_recipe(request)


@pytest.mark.parametrize("options", [("--workers", 2), ("--runner", "ray", "--workers", 2)], ids=["two-workers", "ray"])
def test_how_it_is_run_changes_no_byte(small: Path, options: tuple[object, ...]) -> None:
    run_small(small)
    before = shards(small / "out")
    shutil.rmtree(small / "out")
    run_small(small, *options)
    assert shards(small / "out") == before


def label_inputs(folder: Path) -> None:
    """Give what is named on the command line a label: without one, the source of a record is its input as it was written."""
    recipe = folder / "recipe.toml"
    recipe.write_text(f'{recipe.read_text("utf-8")}\n[[input]]\nsource = "crawl"\n', "utf-8")


def test_where_the_input_lies_changes_no_byte(small: Path) -> None:
    label_inputs(small)
    run_small(small)
    before = shards(small / "out")
    shutil.rmtree(small / "out")
    (small / "input").rename(small / "moved")
    files = sorted((small / "moved").glob("*.jsonl"), reverse=True)
    curate("run", small / "recipe.toml", *files, "--out", small / "out")
    assert shards(small / "out") == before


def test_from_a_bucket_changes_no_byte(small: Path) -> None:
    label_inputs(small)
    for path in sorted((small / "input").iterdir())[2:]:
        path.unlink()
    run_small(small)
    before = shards(small / "out")
    with object_store() as store:
        store.upload(small / "input", "2026")
        curate("run", small / "recipe.toml", "s3://crawls/2026/*.jsonl", "--out", small / "from-s3", env=store.env)
        assert shards(small / "from-s3") == before
        into = ("--out", "s3://crawls/out", "--replies", small / "replies")
        curate("run", small / "recipe.toml", small / "input/*.jsonl", *into, env=store.env)
        assert [name.rsplit("/", 1)[-1] for name in store.names("out/dataset/data/")] == [
            path.name for path in sorted((small / "out/dataset/data").iterdir())
        ]
        told = json.loads(store.client.get_object(Bucket="crawls", Key="out/run.json")["Body"].read())["sessions"][-1]["stages"]
    for stage in told:  # a request costs tens of milliseconds, whatever its size: neither driver nor unit may ask for little things
        assert 0 < stage["store_calls_of_driver"] <= 20 + 4 * stage["units"]
        assert stage["store_reads"] + stage["store_writes"] + stage["store_others"] <= 64 + 16 * stage["units"]
    assert sum(stage["store_bytes_read"] for stage in told) <= 10 * sum(stage["bytes"] for stage in told)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("[[filter]]\nname = 'gopher_qualty'\n", "did you mean 'gopher_quality'"),
        ("[[filter]]\nname = 'gopher_quality'\nmin_word = 3\n", "did you mean 'min_words'"),
        ("[[filter]]\nname = 'gopher_quality'\nmin_words = 'many'\n", "min_words = 'many' is not acceptable"),
        ("dedup = 3\n", "unknown key 'dedup'; did you mean 'deduplicate'"),
        ("[deduplicate\n", "is not TOML"),
        ("[deduplicate]\nthreshold = 2.0\n", "threshold must be"),
    ],
)
def test_a_bad_recipe_is_told_before_any_work(tmp_path: Path, recipe: str, message: str) -> None:
    (tmp_path / "recipe.toml").write_text(recipe)
    assert message in curate("run", tmp_path / "recipe.toml", TEXTS / "web.jsonl", "--out", tmp_path / "out", code=2)
    assert not (tmp_path / "out").exists()


def test_a_missing_input_and_a_missing_recipe_are_told(tmp_path: Path) -> None:
    assert "nothing.jsonl" in curate("run", "dedup", tmp_path / "nothing.jsonl", "--out", tmp_path / "out", code=2)
    assert "neither a file nor a shipped recipe" in curate("run", "demmo", "--out", tmp_path / "out", code=2)


NO_SHOUTING = '''"""Drops texts that shout."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from filters.contract import Filter, Threshold, above


@dataclass(frozen=True)
class NoShouting(Filter):
    """max_marks: exclamation marks allowed."""

    max_marks: Threshold[int] = 0
    signal_types = {"marks": pa.int64()}

    def signals(self, text, documents):
        return {"marks": np.array([text.string(i).count("!") for i in range(len(text))])}

    def rules(self):
        return {"shouts": above("marks", self.max_marks)}
'''


def test_a_user_s_filter_and_workers_see_the_installed_wheel(tmp_path: Path) -> None:
    """One file is a filter, and a wheel holds all that a run needs, in worker processes too. Kernels of the wheel are not compiled here."""
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)], check=True, timeout=300
    )
    (wheel,) = tmp_path.glob("*.whl")
    site, mine = tmp_path / "site", tmp_path / "mine"
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
        archive.extractall(site)
    packages = ("curation", "filters", "synth", "pipelines", "sample_data")
    files = [path for package in packages for path in (ROOT / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert len(files) > 300
    assert [path for path in files if path.relative_to(ROOT).as_posix() not in packed] == []
    mine.mkdir()
    (mine / "no_shouting.py").write_text(NO_SHOUTING)
    (mine / "mine.toml").write_text('[[filter]]\nfile = "no_shouting.py"\n')
    for name in "abc":
        rows = [{"id": f"{name}{row}", "text": f"The tide of day {row} comes in{'!' * (row % 3)}"} for row in range(9)]
        (mine / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    script = "import pipelines, sys; assert pipelines.__file__.startswith(sys.argv.pop(1)); from pipelines.cli import main; main()"
    command = [
        sys.executable,
        "-c",
        script,
        str(site),
        "run",
        "mine.toml",
        "a.jsonl",
        "b.jsonl",
        "c.jsonl",
        "--out",
        "out",
        "--workers",
        "2",
    ]
    done = subprocess.run(command, cwd=mine, env={**os.environ, "PYTHONPATH": str(site)}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "The books balance" in done.stdout
    ledger = pl.read_parquet(mine / "out/ledger/*.parquet")
    shouting = ledger.filter(pl.col("failed").list.contains("no_shouting.shouts"))
    assert sorted(shouting["id"]) == [f"{name}{row}" for name in "abc" for row in range(9) if row % 3]
    assert pl.read_parquet(mine / "out/stages/2-measure/*.parquet")["no_shouting.marks"].sum() == 27


def test_signals_are_a_public_table(demo_run: Path) -> None:
    schema = pa.unify_schemas([pq.read_schema(path) for path in (demo_run / "stages/2-measure").glob("*.parquet")])
    assert {"key", "id", "gopher_quality.words", "language.language", "educational_score.score"} <= set(schema.names)


def test_the_readme_s_funnel_is_the_demo_s(demo_run: Path) -> None:
    block = (ROOT / "README.md").read_text("utf-8").partition("<!-- funnel -->\n```text\n")[2].partition("\n```")[0]
    assert block == picture(json.loads(curate("inspect", demo_run, "--json")))

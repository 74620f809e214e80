"""Runs as objects: their tables agree with each other, other thresholds leave no document out, wrong names and folders are told."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import curation
from curation.errors import Refused, UsageError
from pipelines.notebook.opened import Run
from tests.running import shards


@pytest.fixture(scope="module")
def run(demo_run: Path) -> Run:
    return curation.open_run(demo_run)


@pytest.fixture(scope="module", autouse=True)
def nothing_is_written(demo_run: Path) -> Iterator[None]:
    before = {path: path.stat().st_mtime_ns for path in demo_run.rglob("*")}
    yield
    assert {path: path.stat().st_mtime_ns for path in demo_run.rglob("*")} == before


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import curation; print(*sorted(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "curation" in loaded
    assert not {"numpy", "polars", "pyarrow", "numba", "pipelines", "filters"} & set(loaded)
    assert len([name for name in loaded if name.startswith("curation.")]) == 0


def test_rows_of_the_three_tables_are_the_same_records(run: Run) -> None:
    number = ["origin", "shard", "row"]
    ledger, signals, documents = (table.collect() for table in (run.ledger(), run.signals(), run.documents()))
    assert ledger.height > documents.height == signals.height > 500
    for table in (signals, documents):
        joined = ledger.join(table, on=number, how="inner", suffix="_beside")
        assert joined.height == table.height
        assert all((joined[name].eq_missing(joined[f"{name}_beside"])).all() for name in ("id", "key", "url", "fate", "rule"))
    texts = documents.with_columns(pl.col("text").str.len_bytes().alias("bytes"))
    assert (texts["bytes"] == texts["text_bytes"]).all()
    assert set(documents["origin"]) == {"web", "synthetic"}


def test_why_is_what_the_ledger_says(run: Run) -> None:
    row = run.ledger().filter(pl.col("fate") == "duplicate").sort("id").head(1).collect().row(0, named=True)
    (story,) = run.why(row["id"])
    assert (story.fate, story.rule, story.duplicate_of, story.key) == ("duplicate", row["rule"], row["duplicate_of"], row["key"].hex())
    with pytest.raises(UsageError, match="no record with the id or URL 'nobody'"):
        run.why("nobody")


def test_the_same_thresholds_change_nothing(run: Run) -> None:
    same = {row["rule"]: row["threshold"] for row in run.rules().iter_rows(named=True) if row["threshold"] is not None}
    assert len(same) > 25
    again = run.rejudge(same)
    told = again.documents().collect()
    assert told.height > 500
    assert (told["fate"] == told["after"]).all()
    assert (again.rules["fails"] == again.rules["fails_after"]).all()
    assert again.rules["fails"].sum() > 100
    assert again.to_compare == 0
    assert again.sources["kept"].sum() == again.sources["kept_after"].sum() == again.kept


def test_without_a_rule_its_documents_pass(run: Run) -> None:
    again = run.rejudge({"educational_score.low_educational_score": None})
    told = again.documents().collect()
    only = (
        run.ledger()
        .filter(pl.col("failed").list.len() > 0)
        .filter(
            pl.col("failed").list.eval(pl.element() == "educational_score.low_educational_score").list.all() & (pl.col("stage") == "judge")
        )
    )
    ids = set(only.collect()["id"])
    assert set(told.filter(pl.col("after") == "to compare")["id"]) == ids
    assert len(ids) > 3
    assert f"{len(ids)} others pass" in repr(again)
    assert "educational_score" in again._repr_html_()


def test_a_copy_of_a_document_that_goes_would_be_compared_again(run: Run) -> None:
    words = run.signals().select("id", words=pl.col("gopher_quality.words"))
    copies = run.ledger().filter(pl.col("fate") == "duplicate").select("id", "duplicate_of").join(words, on="id")
    pairs = copies.join(words, left_on="duplicate_of", right_on="id", suffix="_kept").filter(pl.col("words") < pl.col("words_kept"))
    met = 0
    for pair in pairs.sort("id").head(4).collect().iter_rows(named=True):
        after = dict(run.rejudge({"too_many_words": pair["words"]}).documents().select("id", "after").collect().iter_rows())
        assert (after[pair["duplicate_of"]], after[pair["id"]]) == ("dropped", "to compare")
        met += 1
    assert met > 2


@pytest.mark.parametrize(
    ("thresholds", "told"),
    [
        ({}, "say which thresholds to change"),
        ({"gopher_quality.words": 3}, "may mean several rules: gopher_quality.too_few_words, gopher_quality.too_many_words"),
        ({"gopher_quality.to_few_words": 3}, "did you mean 'gopher_quality.too_few_words'"),
        ({"too_few_words": 3, "gopher_quality.too_few_words": 4}, "is given a threshold already"),
        ({"too_few_words": "3"}, "must be a number, or None"),
        ({"too_few_words": float("nan")}, "must be a number, or None"),
        ({"wrong_language": 1}, "has no threshold; None leaves it out"),
    ],
)
def test_thresholds_that_cannot_be_meant_are_told(run: Run, thresholds: dict[str, float | None], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        run.rejudge(thresholds)


def test_a_folder_that_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not the folder of a run"):
        curation.open_run(tmp_path)
    with pytest.raises(UsageError, match="is not the folder of a run"):
        curation.open_run(str(tmp_path / "nowhere"))


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run" / "ledger").mkdir(parents=True)
    (tmp_path / "secret").write_text("mine")
    (tmp_path / "run" / "ledger" / "a.parquet").symlink_to(tmp_path / "secret")
    with pytest.raises(Refused, match="a link that leads out"):
        curation.open_run(tmp_path / "run")


def test_a_run_that_has_not_ended_is_read_as_far_as_it_came(tmp_path: Path) -> None:
    texts = pl.DataFrame({"id": ["a", "b"], "text": ["one text of a few words", "another text of other words"]})
    texts.write_ndjson(tmp_path / "texts.jsonl")
    (tmp_path / "score.toml").write_text('[[filter]]\nname = "gopher_quality"\n\n[export]\n')
    whole = curation.run(tmp_path / "score.toml", tmp_path / "texts.jsonl", tmp_path / "out", progress="none")
    assert whole.ended
    assert whole.state == "ended"
    made = shards(tmp_path / "out")
    for name in [name for name in made if name.startswith(("ledger", "dataset", "stages/3"))]:
        (tmp_path / "out" / name).unlink()
    for record in ("contents.json", "stages/select/_SEAL.json"):
        (tmp_path / "out" / record).unlink(missing_ok=True)
    run = curation.open_run(tmp_path / "out")
    assert run.ledger().collect().is_empty()
    assert run.documents().select("id", "fate", "text").sort("id").collect().rows() == [
        ("a", "undecided", "one text of a few words"),
        ("b", "undecided", "another text of other words"),
    ]
    assert run.signals().sort("id").collect()["gopher_quality.words"].to_list() == [6, 5]
    with pytest.raises(UsageError, match="has no ledger yet"):
        run.rejudge({"too_few_words": 3})
    again = curation.run(tmp_path / "score.toml", tmp_path / "texts.jsonl", tmp_path / "out", progress="none")
    assert again.ledger().collect().height == 2
    assert shards(tmp_path / "out") == made

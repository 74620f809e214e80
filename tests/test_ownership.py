"""Ownership: nothing that we did not make is written over or deleted, whatever the verb, before a run, after it and in between."""

import json
from pathlib import Path

import pytest

from curation.errors import Refused, UsageError
from curation.location import Location
from curation.ownership import claim, write_ours
from curation.runner import LocalRunner
from curation.session import Session
from tests.running import curate

ROWS = "".join(
    json.dumps({"id": f"row-{number}", "text": f"Row {number} tells of the tide, which follows the moon around the earth twice a day."})
    + "\n"
    for number in range(6)
)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def put(folder: Path, name: str, content: str = "mine\n") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text(ROWS)
    return path


FOREIGN = [
    "dataset/data/mine.parquet",
    "ledger/mine.parquet",
    "stages/1-ingest/mine.json",
    "dataset/README.md",
    "report.html",
    "recipe.toml",
]


@pytest.mark.parametrize("name", [*FOREIGN, "run.json", ".lock", ".hidden", "a/b/c/deep.txt"])
def test_a_folder_that_holds_no_run_of_ours_is_refused(tmp_path: Path, name: str) -> None:
    put(tmp_path, name)
    with pytest.raises(Refused, match="no run of ours") as told:
        claim(Location.of(tmp_path))
    assert name in str(told.value)


def test_empty_folders_and_our_own_empty_lock_are_no_stranger(tmp_path: Path) -> None:
    (tmp_path / "dataset" / "data").mkdir(parents=True)
    (tmp_path / ".lock").touch()
    claim(Location.of(tmp_path))
    claim(Location.of(tmp_path / "not there"))


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a file"):
        claim(Location.of(put(tmp_path, "out")))


def test_a_session_marks_its_folder_before_anything_else(tmp_path: Path) -> None:
    with Session.open(Location.of(tmp_path), LocalRunner(), recipe="web"):
        mark = json.loads((tmp_path / "run.json").read_text())
        assert (mark["made_by"], mark["recipe"]) == ("textbook-curation", "web")
    with pytest.raises(Refused, match=r"'web'.*'c4'.*--replace"):
        claim(Location.of(tmp_path), "c4")
    claim(Location.of(tmp_path), "c4", replace=True)
    claim(Location.of(tmp_path), "web")


def test_a_folder_from_before_the_mark_is_known_by_its_sessions(tmp_path: Path) -> None:
    put(tmp_path, "run.json", json.dumps({"sessions": [{"recipe": "demo"}]}))
    claim(Location.of(tmp_path), "demo")
    with pytest.raises(Refused, match="'demo'"):
        claim(Location.of(tmp_path), "web")


def test_a_fixed_name_is_written_over_only_where_it_is_ours(tmp_path: Path) -> None:
    place = Location.of(tmp_path / "report.html")
    write_ours(place, b"made by textbook-curation, first")
    write_ours(place, b"made by textbook-curation, second")
    assert place.read_bytes().endswith(b"second")
    mine = put(tmp_path, "other.html")
    with pytest.raises(Refused, match="was not written by this program"):
        write_ours(Location.of(mine), b"made by textbook-curation")
    assert mine.read_text() == "mine\n"


def test_verbs_refuse_a_folder_of_others_and_leave_it_as_it_is(tmp_path: Path, rows: Path) -> None:
    ours = tmp_path / "ours"
    curate("run", "dedup", rows, "--out", ours)
    met = 0
    for name in FOREIGN:
        theirs = tmp_path / f"theirs-{met}"
        put(theirs, name)
        (theirs / "ledger").mkdir(exist_ok=True)
        before = contents(theirs)
        for command in (("run", "dedup", rows, "--out", theirs), ("export", ours, "--out", theirs), ("report", theirs)):
            told = curate(*command, code=3)
            assert "no run of ours" in told
            assert "Traceback" not in told
            assert contents(theirs) == before
        met += 1
    assert met == len(FOREIGN)


def test_another_recipe_needs_to_be_told_to_replace(tmp_path: Path, rows: Path) -> None:
    out = tmp_path / "out"
    curate("run", "dedup", rows, "--out", out)
    before = contents(out)
    told = curate("run", "score", rows, "--out", out, code=3)
    assert "'dedup'" in told
    assert "'score'" in told
    assert "--replace" in told
    assert contents(out) == before
    curate("run", "score", rows, "--out", out, "--replace")
    assert json.loads((out / "run.json").read_text())["recipe"] == "score"


def test_run_has_no_default_folder(tmp_path: Path, rows: Path) -> None:
    assert "--out DIR" in curate("run", "dedup", rows, code=2, cwd=tmp_path)
    assert not (tmp_path / "out").exists()

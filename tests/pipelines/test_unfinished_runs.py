"""A run that has not ended: it can be looked at as far as it came, and every verb that looks says so."""

import fcntl
import json
import os
import random
import re
import shutil
from pathlib import Path
from threading import Timer

import pytest

from curation.storage.location import Location
from curation.storage.ownership import is_live, locked
from tests.endpoint import completion, models, serving
from tests.running import SMALL_RECIPE, many_files
from tests.verbs import call

SAID = "this run has not ended"
KILLED = "its last session ended without a word (killed?); the same command resumes it"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unfinished")
    many_files(folder / "input", files=2, rows=24)
    (folder / "plain.toml").write_text(SMALL_RECIPE)
    assert call("run", folder / "plain.toml", folder / "input/*.jsonl", "--out", folder / "run").code == 0
    return folder / "run"


def broken_off(made: Path, tmp_path: Path, after: str) -> Path:
    """Return a run as one that was killed leaves it: what comes after a stage is gone, and the closing record with it."""
    run = shutil.copytree(made, tmp_path / "run")
    for stage in sorted(path for path in (run / "stages").iterdir() if path.name > after):
        shutil.rmtree(stage)
    if after < "5-select":
        shutil.rmtree(run / "ledger")
    shutil.rmtree(run / "dataset")
    for name in ("contents.json", "report.html"):
        (run / name).unlink()
    record = json.loads((run / "run.json").read_bytes())
    from curation.storage.records import encode_record

    del record["sha256"]
    record["closed"] = False
    record["sessions"][-1]["outcome"] = "running"
    (run / "run.json").write_bytes(encode_record(record))
    return run


@pytest.mark.parametrize("after", ["1-ingest", "2-measure", "3-judge", "5-select"])
def test_it_is_looked_at_as_far_as_it_came_and_every_verb_says_so(made: Path, tmp_path: Path, after: str) -> None:
    run = broken_off(made, tmp_path, after)
    for verb in (["inspect", run], ["why", run, "0-0"], ["verify", run]):
        said = call(*verb)
        assert said.code == 0, said
        assert SAID in " ".join(said.all.split())
        assert KILLED in " ".join(said.all.split())
        assert ("no document has a fate yet" in " ".join(said.all.split())) == (after < "5-select")
    assert json.loads(call("inspect", run, "--json").out)["records"] > 40
    (story,) = json.loads(call("why", run, "0-0", "--json").out)
    assert story["text"]
    if after < "5-select":
        assert (story["fate"], story["stage"]) == ("undecided", after[2:])
    assert bool(story["signals"]) == (after != "1-ingest")
    assert SAID in json.loads(call("verify", run, "--json").out)["unfinished"]
    shard = random.Random(1).choice(sorted((run / "stages").rglob("*.parquet")))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    assert call("verify", run).code == 3


def test_its_indexes_are_checked_line_by_line(made: Path, tmp_path: Path) -> None:
    """A finished run has their digests in contents.json; here a last line that a killed run did not end is no fault."""
    run = broken_off(made, tmp_path, "3-judge")
    index = run / "index/stages/2-measure.jsonl"
    whole = index.read_bytes()
    index.write_bytes(whole + whole[:30])
    assert call("verify", run).code == 0
    damaged = bytearray(whole)
    damaged[40] ^= 1
    index.write_bytes(damaged)
    said = call("verify", run)
    assert said.code == 3
    assert "index/stages/2-measure.jsonl is not what was written: 1 line changed since" in " ".join(said.all.split())
    assert call("run", made.parent / "plain.toml", made.parent / "input/*.jsonl", "--out", run).code == 0
    assert index.read_bytes() == whole


def test_a_session_at_work_is_told_from_a_killed_one(made: Path, tmp_path: Path) -> None:
    run = broken_off(made, tmp_path, "3-judge")
    with locked(Location.of(str(run)), None, False):
        for verb in (["inspect", run], ["why", run, "0-0"], ["verify", run], ["report", run]):
            told = " ".join(call(*verb).all.split())
            assert re.search(r"; a session on \S+, which began \S+, is at work on it", told), told
            assert "killed?" not in told
    assert KILLED in call("report", run).err
    assert KILLED in (run / "report.html").read_text()
    assert SAID not in (made / "report.html").read_text()


def test_the_next_session_records_that_the_last_one_was_killed(made: Path, tmp_path: Path) -> None:
    run = broken_off(made, tmp_path, "3-judge")
    assert call("run", made.parent / "plain.toml", made.parent / "input/*.jsonl", "--out", run).code == 0
    outcomes = [session["outcome"] for session in json.loads((run / "run.json").read_bytes())["sessions"]]
    assert outcomes == ["ended without a word (killed?)", "done"]


def test_who_looks_does_not_turn_a_run_away(made: Path, tmp_path: Path) -> None:
    run = Location.of(str(broken_off(made, tmp_path, "3-judge")))
    looking = os.open(run.path + "/.lock", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    Timer(0.05, os.close, [looking]).start()
    with locked(run, None, False):
        assert is_live(run)
    assert is_live(run) is False


def test_who_looks_at_a_damaged_file_of_it_is_told_which(made: Path, tmp_path: Path) -> None:
    run = broken_off(made, tmp_path, "3-judge")
    for shard in (run / "stages/2-measure").rglob("*.parquet"):
        shard.write_bytes(shard.read_bytes()[:-200])
    said = call("why", run, "0-0")
    assert said.code == 1, said
    told = " ".join(said.err.split())
    assert "stages/2-measure/" in told
    assert "give the command again that made this run" in told


def test_it_is_no_export_yet(made: Path, tmp_path: Path) -> None:
    run = broken_off(made, tmp_path, "5-select")
    said = call("export", run, "--out", tmp_path / "export")
    assert (said.code, SAID in said.err) == (3, True)
    assert not (tmp_path / "export").exists()


def test_the_same_command_ends_it_and_closes_it(made: Path, tmp_path: Path) -> None:
    run = broken_off(made, tmp_path, "2-measure")
    said = call("run", made.parent / "plain.toml", made.parent / "input/*.jsonl", "--out", run)
    assert said.code == 0, said
    assert call("verify", run).code == 0
    assert SAID not in call("inspect", run).all
    (run / "contents.json").unlink()
    said = call("verify", run)
    assert said.code == 3
    assert "contents.json is missing though the run has ended" in " ".join(said.out.split())


def test_a_run_that_changes_nothing_stays_closed_and_one_that_is_refused_too(made: Path, tmp_path: Path) -> None:
    run = shutil.copytree(made, tmp_path / "run")
    before = (run / "contents.json").read_bytes()
    stricter = tmp_path / "plain.toml"
    stricter.write_text(SMALL_RECIPE.replace("min_words = 40", "min_words = 90"))
    assert call("run", stricter, made.parent / "input/*.jsonl", "--out", run, "--frozen").code == 3
    assert (run / "contents.json").read_bytes() == before
    assert call("verify", run).code == 0
    assert call("run", made.parent / "plain.toml", made.parent / "input/*.jsonl", "--out", run).code == 0
    assert call("verify", run).code == 0


def test_a_frozen_run_may_change_nothing_and_lose_nothing(made: Path, tmp_path: Path) -> None:
    run = shutil.copytree(made, tmp_path / "run")
    again = ["run", made.parent / "plain.toml", made.parent / "input/*.jsonl", "--out", run, "--frozen"]
    told = call(*again)
    assert told.code == 0
    seconds = re.search(r"^time +([\d.,]+) s$", told.out, re.MULTILINE)
    assert seconds is not None
    assert 0 < float(seconds[1].replace(",", "")) < 600
    before = {path: path.read_bytes() for path in run.rglob("*.parquet")}
    one, *_ = sorted((made.parent / "input").iterdir())
    one.rename(tmp_path / one.name)
    try:
        said = call(*again)
    finally:
        (tmp_path / one.name).rename(one)
    assert said.code == 3
    assert "without --frozen its output is removed" in " ".join(said.all.split())
    assert {path: path.read_bytes() for path in run.rglob("*.parquet")} == before
    assert call(*again).code == 0


def test_an_export_is_sound_and_damage_to_it_is_found(made: Path, tmp_path: Path) -> None:
    exported = tmp_path / "exported"
    assert call("export", made, "--out", exported).code == 0
    assert call("verify", exported).code == 0
    met = 0
    for path in sorted(path for path in exported.rglob("*") if path.is_file() and path.name not in (".lock", "README.md")):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        said = call("verify", exported)
        assert said.code == 3, (path, said)
        path.write_bytes(content)
        met += 1
    assert met >= 2
    assert call("verify", exported).code == 0


def test_a_dataset_file_that_is_damaged_is_made_again(made: Path, tmp_path: Path) -> None:
    run = shutil.copytree(made, tmp_path / "run")
    (shard,) = (run / "dataset/data").glob("*.parquet")
    whole = shard.read_bytes()
    content = bytearray(whole)
    content[len(content) // 2] ^= 4
    shard.write_bytes(content)
    said = call("run", made.parent / "plain.toml", made.parent / "input/*.jsonl", "--out", run)
    assert said.code == 0, said
    assert "is not what was written: it is rebuilt" in " ".join(said.err.split())
    assert shard.read_bytes() == whole
    assert call("verify", run).code == 0


def test_a_frozen_run_asks_no_teacher_for_more(tmp_path: Path) -> None:
    def recipe(count: int) -> Path:
        path = tmp_path / "own.toml"
        path.write_text(
            f'[synthesize]\ntasks = [{{ name = "worked_problem", count = {count} }}]\n'
            f'[synthesize.teacher]\nname = "openai"\nmodel = "small"\nkey_variable = ""\nbase_url = "{endpoint.url}"\n'
        )
        return path

    with serving(lambda body, number: completion("no problem")) as endpoint:
        endpoint.models = models("small")
        assert call("run", recipe(2), "--out", tmp_path / "run").code == 1  # no reply becomes a row
        asked = len(endpoint.bodies)
        assert asked >= 2
        assert call("run", recipe(2), "--out", tmp_path / "run", "--frozen").code == 1
        said = call("run", recipe(5), "--out", tmp_path / "run", "--frozen")
        assert said.code == 3, said
        assert "are missing; without --frozen they are asked for" in " ".join(said.all.split())
        assert len(endpoint.bodies) == asked
        assert call("run", recipe(5), "--out", tmp_path / "run").code == 1
        assert len(endpoint.bodies) > asked

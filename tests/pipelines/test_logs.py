"""The log of a run: it begins and ends with the run, names the error that ended it, and lets the next run have a log of its own."""

import re
from pathlib import Path

import pytest

from curation.errors import InternalError, UsageError
from curation.storage.location import Location
from pipelines.progress.logs import LOG, run_log


def test_each_run_has_its_own_entries(tmp_path: Path) -> None:
    before = list(LOG.handlers)
    for name in ("one", "two", "one"):
        (tmp_path / name).mkdir(exist_ok=True)
        with run_log(Location.of(tmp_path / name), None) as told:
            assert told == str(tmp_path / name / "run.log")
            LOG.info("%s is\nat\x1b[1m work", name)
            LOG.debug("nobody asked for this")
        LOG.info("between two runs")
        assert LOG.handlers == before
    lines = {name: (tmp_path / name / "run.log").read_text("utf-8").splitlines() for name in ("one", "two")}
    assert [len(found) for found in lines.values()] == [4, 2]
    for name, found in lines.items():
        for first, further in zip(found[::2], found[1::2], strict=True):
            assert re.fullmatch(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ INFO    {name} is", first)
            assert further == "    at\\u001b[1m work"


def test_a_verbose_log_holds_more(tmp_path: Path) -> None:
    with run_log(Location.of(tmp_path), str(tmp_path / "own.log"), verbose=True) as told:
        LOG.debug("a detail")
    assert told == str(tmp_path / "own.log")
    assert (tmp_path / "own.log").read_text("utf-8").endswith(" DEBUG   a detail\n")


def test_the_error_that_ended_it_is_logged_and_names_the_log(tmp_path: Path) -> None:
    before = list(LOG.handlers)
    with pytest.raises(UsageError) as usage, run_log(Location.of(tmp_path), None):
        raise UsageError("this cannot be")
    with pytest.raises(InternalError, match="internal error ZeroDivisionError") as internal, run_log(Location.of(tmp_path), None):
        print(1 // len([]))
    assert usage.value.log == internal.value.log == str(tmp_path / "run.log")
    text = (tmp_path / "run.log").read_text("utf-8")
    assert "ERROR   this cannot be\n" in text
    assert "1 // len([])" in text
    assert LOG.handlers == before


@pytest.mark.parametrize(
    ("ending", "logged"), [(KeyboardInterrupt(), "ended by KeyboardInterrupt"), (OSError(5, "Input/output error"), "OSError")]
)
def test_what_ends_a_run_goes_on_as_it_came(tmp_path: Path, ending: BaseException, logged: str) -> None:
    with pytest.raises(type(ending)) as raised, run_log(Location.of(tmp_path), None):
        raise ending
    assert raised.value is ending
    assert logged in (tmp_path / "run.log").read_text("utf-8")


def test_a_log_that_cannot_be_written_is_told_once_and_not_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError) as usage, run_log(Location.of(tmp_path), "/dev/full"):
        LOG.info("an entry that is lost")
        raise UsageError("this cannot be")
    assert usage.value.log is None
    assert capsys.readouterr().err.count("cannot write to the log /dev/full any more") == 1


def test_what_is_no_log_is_not_appended_to(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n')
    with pytest.raises(UsageError, match="holds something else than a log"), run_log(Location.of(tmp_path), str(tmp_path / "in.jsonl")):
        pass
    assert (tmp_path / "in.jsonl").read_text() == '{"text": "a"}\n'
    for _ in range(2):
        with run_log(Location.of(tmp_path), str(tmp_path / "own.log")):
            LOG.info("an entry")
    assert (tmp_path / "own.log").read_text().count("an entry") == 2


def test_a_damaged_log_of_the_run_holds_nobody_up(tmp_path: Path) -> None:
    for _ in range(2):
        with run_log(Location.of(tmp_path), None):
            LOG.info("an entry")
        (tmp_path / "run.log").write_bytes(b"\0" + (tmp_path / "run.log").read_bytes()[1:])
    assert (tmp_path / "run.log").read_text().count("an entry") == 2


def test_a_log_on_a_store_is_refused_and_missing_folders_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        pytest.raises(UsageError, match=r"--log s3://bucket/run\.log is not a local file"),
        run_log(Location.of("out"), "s3://bucket/run.log"),
    ):
        pass
    assert not list(tmp_path.iterdir())
    with run_log(Location.of("out"), "logs/today/run.log"):
        LOG.info("written")
    assert "written" in (tmp_path / "logs/today/run.log").read_text()

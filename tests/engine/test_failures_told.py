"""A failure is one line, its traceback lies in the log that the line names, and with --json it is one document on stdout."""

import json
import re
import signal
import threading
from pathlib import Path

import pytest
import typer

from curation.engine.failures import Failure, in_one_line, told_of
from curation.engine.runner import LocalRunner
from curation.engine.signals import Ended, ended_told
from curation.errors import InternalError, RecipeError, UsageError
from curation.storage.location import Location
from pipelines.ending import run_command
from pipelines.progress.logs import LOG, run_log
from tests.object_store import BUCKET, object_store
from tests.verbs import Said, call

PLUGIN = '''"""Counts what is not there."""

from dataclasses import dataclass

import pyarrow as pa

from filters.contract import Filter, above


@dataclass(frozen=True)
class Broken(Filter):
    """bad: says which text it fails on."""

    bad: str = ""
    signal_types = {"marks": pa.int64()}

    def signals(self, text, documents):
        for i in range(len(text)):
            if self.bad in text.string(i):
                raise KeyError("no such mark \\x1b[31m")
        return {"marks": [0] * len(text)}

    def rules(self):
        return {"marked": above("marks", 1)}
'''
FAILING_LINE = PLUGIN[: PLUGIN.index("raise KeyError")].count("\n") + 1


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said, list[str]]:
    """A run all of whose units fail in a user's filter, with what a run folder is made from."""
    folder = tmp_path_factory.mktemp("failed")
    (folder / "broken.py").write_text(PLUGIN)
    (folder / "mine.toml").write_text(f'[[filter]]\nfile = "{folder}/broken.py"\n')
    texts = [f"{folder}/part-{number}.jsonl" for number in range(10)]
    for text in texts:
        Path(text).write_text(json.dumps({"id": text, "text": "A sentence."}) + "\n")
    return folder, call("run", folder / "mine.toml", *texts, "--out", folder / "out"), texts


def loses_its_lock() -> None:
    """Fail as a condition of the standard library does, where a signal arrives while it takes its lock again."""
    try:
        raise Ended(signal.SIGTERM)
    finally:
        threading.Lock().release()


def test_a_signal_that_an_error_hides_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    app = typer.Typer()
    app.command()(loses_its_lock)
    assert run_command(app, []) == 143
    assert capsys.readouterr().err == "curate: ended by SIGTERM\n"
    monkeypatch.setattr(LocalRunner, "map", lambda *_, **__: loses_its_lock())
    (tmp_path / "rows.jsonl").write_text('{"text": "A sentence."}\n')
    done = call("run", "dedup", tmp_path / "rows.jsonl", "--out", tmp_path / "out")
    assert done.code == 143
    assert f"ended by SIGTERM; finished work is kept in {tmp_path / 'out'}" in done.err
    assert json.loads((tmp_path / "out/run.json").read_text("utf-8"))["sessions"][-1]["outcome"] == "ended by SIGTERM"


def test_an_error_with_words_of_its_own_is_not_replaced_by_the_signal_before_it() -> None:
    with pytest.raises(OSError, match="disk full"), ended_told():
        try:
            raise Ended(signal.SIGTERM)
        finally:
            raise OSError("disk full")


def test_ten_units_that_fail_alike_are_one_line(failed: tuple[Path, Said, list[str]]) -> None:
    folder, done, _ = failed
    assert done.code == 1
    told = done.err[done.err.index("curate: ") :].splitlines()
    units = len(list((folder / "out/stages/1-ingest").glob("small-*.json")))
    assert units > 5
    assert told[0] == (
        f"curate: {units} of {units} units of 2-measure failed; everything else is done; "
        "fix the cause, then run the same command to finish them; "
        f"details in {folder}/out/run.log"
    )
    assert re.fullmatch(
        rf"  {units} units: KeyError: 'no such mark .*' \(filter broken; broken.py, line {FAILING_LINE}\) "
        r"\[small-.*(and \d+ others|, small-\S+)\]",
        told[1],
    )
    assert len(told) == 2
    assert "Traceback" not in done.err


def test_the_log_has_the_tracebacks_and_every_entry_a_time(failed: tuple[Path, Said, list[str]]) -> None:
    folder, _, _ = failed
    log = (folder / "out/run.log").read_text()
    assert log.count("Traceback") == len(list((folder / "out/stages/1-ingest").glob("small-*.json")))
    entries = [line for line in log.splitlines() if not line.startswith("    ")]
    assert entries
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (INFO |ERROR|DEBUG|WARNING) ", line) for line in entries)
    assert "\x1b" not in log


def test_v_prints_the_tracebacks_and_log_names_another_file(failed: tuple[Path, Said, list[str]]) -> None:
    folder, _, texts = failed
    before = (folder / "out/run.log").read_text()
    log = folder / "logs" / "mine.log"
    done = call("run", folder / "mine.toml", *texts, "--out", folder / "out", "-v", "--log", log)
    assert "Traceback" in done.err
    assert f"details in {log}" in done.err
    assert "\x1b" not in done.err
    assert "Traceback" in log.read_text()
    assert (folder / "out/run.log").read_text() == before


def test_json_has_one_document_on_stdout_for_every_failure(failed: tuple[Path, Said, list[str]]) -> None:
    folder, _, texts = failed
    cases: list[tuple[list[object], str, int]] = [
        (["run", folder / "mine.toml", *texts, "--out", folder / "out"], "shards_failed", 1),
        (["run", "demmo", "--out", folder / "none"], "recipe_error", 2),
        (["run", "demo", "--ouut", "x"], "usage_error", 2),
        (["run", "dedup", folder / "nowhere.jsonl", "--out", folder / "none"], "input_error", 2),
        (["verfy", folder], "usage_error", 2),
        (["filters", "gopher"], "recipe_error", 2),
    ]
    for arguments, kind, code in cases:
        done = call(*arguments, "--json")
        (error,) = json.loads(done.out).values()
        assert (error["kind"], error["exit_code"], done.code) == (kind, code, code), done.out
        assert error["message"]
        assert "Traceback" not in done.err
    assert json.loads(call(*cases[0][0], "--json").out)["error"]["log"] == f"{folder}/out/run.log"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_that_cannot_be_loaded_or_warmed_up_is_told_with_its_line(tmp_path: Path, workers: int) -> None:
    (tmp_path / "typo.py").write_text('"""Typo."""\n\nimport nowhere_at_all\n')
    (tmp_path / "syntax.py").write_text('"""Typo."""\n\nclass Broken(:\n')
    (tmp_path / "made.py").write_text(PLUGIN.replace('return {"marked": above("marks", 1)}', "return {1 / 0}"))
    last_line = PLUGIN.count("\n")
    (tmp_path / "text.jsonl").write_text('{"id": "a", "text": "A sentence."}\n')
    for name, hint in [
        ("typo", f"ModuleNotFoundError: No module named 'nowhere_at_all' ({tmp_path}/typo.py, line 3)"),
        ("syntax", "SyntaxError: invalid syntax (syntax.py, line 3)"),
        ("made", f"ZeroDivisionError: division by zero ({tmp_path}/made.py, line {last_line})"),
    ]:
        (tmp_path / "mine.toml").write_text(f'[[filter]]\nfile = "{tmp_path}/{name}.py"\n')
        done = call("run", tmp_path / "mine.toml", tmp_path / "text.jsonl", "--out", tmp_path / "out", "--workers", workers)
        assert done.code == 2
        assert hint in done.err
        assert len(done.err.splitlines()) == 1


def test_a_filter_that_fails_in_warm_up_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(PLUGIN)
    (tmp_path / "text.jsonl").write_text('{"id": "a", "text": "A sentence."}\n')
    (tmp_path / "mine.toml").write_text(f'[[filter]]\nfile = "{tmp_path}/broken.py"\nbad = "warm up"\n')
    done = call("run", tmp_path / "mine.toml", tmp_path / "text.jsonl", "--out", tmp_path / "out", "--workers", 2)
    assert done.code == 2
    line = done.err.splitlines()[-1]
    assert line.startswith("curate: filter broken fails on a text to warm up with: KeyError: 'no such mark")
    assert line.endswith(f"({tmp_path}/broken.py, line {FAILING_LINE}); details in {tmp_path}/out/run.log")
    assert "Traceback" in (tmp_path / "out/run.log").read_text()
    assert "Traceback" not in done.err


def test_with_events_a_failure_is_the_last_event_and_has_its_exit_code(tmp_path: Path) -> None:
    for recipe, kind, code in (("demmo", "recipe_error", 2), (tmp_path / "none.toml", "recipe_error", 2)):
        done = call("run", recipe, "--out", tmp_path / "out", "--progress", "json")
        last = json.loads(done.err.splitlines()[-1])
        assert (last["event"], last["kind"], last["exit_code"], done.code) == ("error", kind, code, code)
        assert not done.out


def test_an_error_that_nobody_foresaw_is_one_line_and_its_traceback_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    app = typer.Typer()

    @app.command()
    def fail(as_json: bool = typer.Option(False, "--json"), verbose: bool = typer.Option(False, "-v")) -> None:
        raise ValueError("two\nlines")

    assert run_command(app, []) == 1
    told = capsys.readouterr()
    match = re.fullmatch(r"curate: internal error ValueError: two lines; details in (\S+)\n", told.err)
    assert match is not None
    assert not told.out
    kept = Path(match[1])
    assert "in fail" in kept.read_text()
    kept.unlink()
    assert run_command(app, ["--json"]) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["kind"], error["message"]) == ("internal_error", "internal error ValueError: two lines")
    Path(error["log"]).unlink()
    assert run_command(app, ["-v"]) == 1
    told = capsys.readouterr()
    assert "in fail" in told.err
    assert told.err.endswith("curate: internal error ValueError: two lines\n")


def test_an_error_in_a_run_names_the_run_s_log(tmp_path: Path) -> None:
    with pytest.raises(InternalError, match="internal error KeyError: 'x'") as raised, run_log(Location.of(tmp_path), None):
        {}["x"]
    assert raised.value.log == str(tmp_path / "run.log")
    assert "KeyError" in (tmp_path / "run.log").read_text()
    with pytest.raises(RecipeError) as refused, run_log(Location.of(tmp_path), None):
        raise RecipeError("no", "much to tell")
    assert refused.value.log == str(tmp_path / "run.log")
    assert "much to tell" in (tmp_path / "run.log").read_text()
    assert "KeyError" in (tmp_path / "run.log").read_text(), "the log is appended to"
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(UsageError, match="name another file with --log"), run_log(Location.of(tmp_path), str(folder)):
        pass


def test_the_log_of_a_run_on_an_object_store_is_put_there_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with object_store() as store:
        for name, value in store.env.items():
            monkeypatch.setenv(name, value)
        out = Location.of(f"s3://{BUCKET}/logged")
        for line in ("first", "second"):
            with run_log(out, None) as told:
                LOG.info("%s", line)
        assert told == f"s3://{BUCKET}/logged/run.log"
        assert re.findall(r"INFO +(\w+)\n", (out / "run.log").read_bytes().decode()) == ["first", "second"]


def test_failures_are_grouped_largest_first_and_counted() -> None:
    failures = [
        Failure(f"ValueError: {number % 12 if number < 24 else 0}", "Traceback", f"unit-{number:02d}", ["a.jsonl"]) for number in range(30)
    ]
    told, details = told_of("2-measure", 99, failures)
    lines = told.splitlines()
    assert lines[0].startswith("30 of 99 units of 2-measure failed")
    assert lines[1] == "  8 units: ValueError: 0 [unit-00, unit-12, unit-24, unit-25, unit-26 and 3 others; input a.jsonl]"
    assert lines[2] == "  2 units: ValueError: 1 [unit-01, unit-13; input a.jsonl]"
    assert lines[-1] == "  and 2 other kinds of failure"
    assert details.count("--- unit-") == 30


def test_a_line_is_one_line_of_bounded_length() -> None:
    error = ValueError("a\nb\n" + "c" * 10_000)
    error.add_note("filter\nmine")
    line = in_one_line(error)
    assert line.startswith("ValueError: a b ccc")
    assert line.endswith("… (filter mine)")
    assert len(line) < 700
    assert "\n" not in line


def test_the_version_is_told() -> None:
    assert re.fullmatch(r"curate \d+\.\d+\.\d+\n", call("--version").out)

"""Progress: one line in words with the time left, plain lines in a pipe, events for schedulers, nothing where nothing is wanted."""

import gzip
import json
import os
import pty
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curation.text.kernels import inline_kernel
from pipelines.progress.displays import Nothing, left_in_words
from pipelines.progress.estimate import Estimate
from pipelines.progress.progress import COMPILING, ProgressWatcher
from pipelines.recipes.recipe import load, parse_recipe
from pipelines.recipes.stage_words import in_words, steps_of
from tests.running import CURATE, many_files
from tests.verbs import Said, call

DEDUP = steps_of(load("dedup"))


def run(texts: Path, out: Path, *options: str) -> Said:
    return call("run", "dedup", texts, "--out", out, *options)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return many_files(tmp_path_factory.mktemp("progress") / "texts", files=4)


def test_every_stage_of_a_run_has_words(demo_run: Path) -> None:
    stages = [stage["stage"] for stage in json.loads((demo_run / "run.json").read_text())["sessions"][-1]["stages"]]
    assert len(stages) > 20
    assert all(re.fullmatch(r"(generated rows: )?[a-z][a-z' -]+", in_words(stage)) for stage in stages), [in_words(s) for s in stages]
    assert (in_words("4d-round-01/large-star"), in_words("4c-candidates-level-1/merge")) == (
        "grouping near-duplicates",
        "finding near-duplicates",
    )
    assert in_words("6-synthesize/3-judge") == "generated rows: judging"


def test_a_piped_run_prints_plain_lines_and_the_log_says_the_same(texts: Path, tmp_path: Path) -> None:
    done = run(texts, tmp_path / "out")
    lines = done.err.splitlines()
    assert "\x1b" not in done.err
    assert any(re.fullmatch(r"reading the input: \d+ units? in \d+\.\d s(, [\d,]+ rows/s)?", line) for line in lines)
    assert re.fullmatch(r"done in \d+\.\d s", lines[-1])
    assert not re.search(r"\d[a-z]?-[a-z]", done.err), "a stage is told by its words"
    log = (tmp_path / "out/run.log").read_text()
    assert re.search(r"Z INFO +reading the input: (\d+) of \1 units? made, in \d+\.\d s \(1-ingest\)\n", log)
    again = run(texts, tmp_path / "out")
    assert not re.search(r"units? in", again.err), "what is there from before is no line"


def test_q_prints_nothing_and_none_keeps_notes(texts: Path, tmp_path: Path) -> None:
    assert run(texts, tmp_path / "out", "-q").err == ""
    changed = run(texts, tmp_path / "out", "--set", "deduplicate.threshold=0.9", "--progress", "none")
    assert "threshold" in changed.err
    assert "done in" not in changed.err
    wrong = run(texts, tmp_path / "out", "--progress", "loud")
    assert (wrong.code, "--progress must be one of auto, bar, plain, json, none" in wrong.err) == (2, True)


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_q_still_warns_of_what_could_not_be_read(texts: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    whole = (texts / "part-000.jsonl").read_bytes()
    (tmp_path / "in/whole.jsonl").write_bytes(whole)
    (tmp_path / "in/part.jsonl.gz").write_bytes(gzip.compress(whole)[:-40])
    done = call("run", "dedup", tmp_path / "in", "--out", tmp_path / "out", "-q")
    assert done.code == 0
    assert "part.jsonl.gz" in done.err
    assert len(done.err.splitlines()) <= 3


def test_events_are_one_json_line_each(texts: Path, tmp_path: Path) -> None:
    done = run(texts, tmp_path / "out", "--progress", "json")
    told = events(done.err)
    kinds = [event["event"] for event in told]
    assert kinds[-1] == "done"
    begun = [event["stage"] for event in told if event["event"] == "begin"]
    assert begun == [event["stage"] for event in told if event["event"] == "end"]
    assert begun[0] == "1-ingest"
    shares = [event["share"] for event in told if event["event"] == "advance"]
    assert shares == sorted(shares)
    assert shares[-1] > 0.9
    ends = {event["stage"]: event for event in told if event["event"] == "end"}
    assert (ends["1-ingest"]["rows"], ends["1-ingest"]["reused"]) == (48, 0)
    failed = run(texts, tmp_path / "out", "--progress", "json", "--set", "license=3")
    (error,) = events(failed.err)
    assert (error["event"], error["kind"], error["exit_code"]) == ("error", "recipe_error", 2)
    usage = run(texts, tmp_path / "out", "--progress=json", "--nonsense")
    assert [event["kind"] for event in events(usage.err)] == ["usage_error"]


def test_a_terminal_gets_one_line_that_goes_away(texts: Path, tmp_path: Path) -> None:
    driver, terminal = pty.openpty()
    command = [str(CURATE), "run", "dedup", str(texts), "--out", str(tmp_path / "out"), "--json"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=terminal, env=environment) as child:
        os.close(terminal)
        shown = b""
        while True:
            try:
                shown += os.read(driver, 65536)
            except OSError:  # the terminal is closed when the child ends
                break
        assert child.wait(timeout=300) == 0
    os.close(driver)
    text = shown.decode()
    frames = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", frame) for frame in re.split(r"\r|\n", text)]
    frames = [frame for frame in frames if "%" in frame]
    assert len(frames) > 3
    assert all(len(frame) <= 80 for frame in frames)
    assert any("left" in frame for frame in frames)
    assert any(
        re.match(r"(reading the input|signing documents|finding near-duplicates|compiling kernels, once)", frame) for frame in frames
    )
    assert text.rstrip("\r\n").endswith("\x1b[2K"), "the line is taken away at the end"


def follow(estimate: Estimate, seconds: dict[str, float], units: int, reused: int = 0) -> list[tuple[float, float | None]]:
    """Run through stages that take so many seconds; return (seconds that the rest takes, estimate) after every unit."""
    now, total, told = 100.0, sum(seconds.values()), []
    for stage, took in seconds.items():
        estimate.begin(stage, units, reused, now)
        for done in range(reused + 1, units + 1):
            now += took / (units - reused)
            estimate.advance(f"unit-{done - 1}", done, units, 2_000_000 if stage == "1-ingest" else 0, now)
            told.append((total - (now - 100), estimate.seconds_left(now)))
    estimate.end()
    return told


TOOK = {re.sub("-$", "-x", step.stages[0]): 40 * (step.seconds_per_mb or 0) for step in DEDUP}
"""Seconds of each step's first stage for 20 units of 4 MB, half of it text, on a machine of half the table's speed."""


def test_a_machine_of_any_speed_is_told_the_time_that_it_takes() -> None:
    for slower in (1, 10, 1000):
        seconds = {stage: slower * 10 * took * (2 if stage == "1-ingest" else 1) for stage, took in TOOK.items()}
        estimate = Estimate(DEDUP, {f"unit-{number}": 4_000_000 for number in range(20)})
        told = follow(estimate, seconds, 20)
        known = [(real, guess) for real, guess in told if guess is not None]
        assert len(known) > 100
        assert all(guess == pytest.approx(real, rel=0.02, abs=0.01 * slower) for real, guess in known)
        assert estimate.share_done() == pytest.approx(1)


def test_what_is_there_from_before_takes_no_time() -> None:
    seconds = {stage: 100 * took * (2 if stage == "1-ingest" else 1) / 4 for stage, took in TOOK.items()}
    estimate = Estimate(DEDUP, {f"unit-{number}": 4_000_000 for number in range(20)})
    told = follow(estimate, seconds, 20, reused=15)
    known = [(real, guess) for real, guess in told if guess is not None]
    assert len(known) > 20
    assert all(guess == pytest.approx(real, rel=0.35, abs=0.5) for real, guess in known)


def test_the_time_left_is_not_known_at_first_nor_before_a_teacher_is_asked() -> None:
    estimate = Estimate(DEDUP, {"unit-0": 1000})
    estimate.begin("1-ingest", 1, 0, 0.0)
    assert estimate.seconds_left(5.0) is None
    asked = parse_recipe('[synthesize]\nteacher = { name = "openai", model = "m" }\ntasks = [{ name = "worked_problem" }]', "mine")
    estimate = Estimate(steps_of(asked), {f"unit-{number}": 4_000_000 for number in range(4)})
    estimate.begin("1-ingest", 4, 0, 0.0)
    estimate.advance("unit-0", 1, 4, 2_000_000, 10.0)
    assert estimate.seconds_left(10.0) is None
    estimate.begin("7-export", 1, 0, 20.0)
    assert estimate.seconds_left(20.0) is not None


def test_a_speed_is_known_after_one_second_of_work() -> None:
    estimate = Estimate(DEDUP, {f"unit-{number}": 4_000_000 for number in range(10)})
    estimate.begin("1-ingest", 10, 0, 0.0)
    for done, at, known in ((1, 0.5, False), (2, 0.99, False), (3, 1.0, True), (4, 1.5, True)):
        estimate.advance(f"unit-{done - 1}", done, 10, 2_000_000, at)
        assert (estimate.seconds_left(at) is not None) == known
    nothing_done = Estimate(DEDUP, {"unit-0": 4_000_000})
    nothing_done.worked_seconds = 5.0
    assert nothing_done.seconds_left(5.0) is None


def test_the_time_that_kernels_take_to_compile_says_nothing_about_speed() -> None:
    estimate = Estimate(DEDUP, {f"unit-{number}": 4_000_000 for number in range(4)})
    estimate.begin("1-ingest", 4, 0, 100.0)
    estimate.leave_out(30.0)
    estimate.advance("unit-0", 1, 4, 2_000_000, 132.0)
    compiled = estimate.seconds_left(132.0)
    estimate = Estimate(DEDUP, {f"unit-{number}": 4_000_000 for number in range(4)})
    estimate.begin("1-ingest", 4, 0, 100.0)
    estimate.advance("unit-0", 1, 4, 2_000_000, 102.0)
    assert compiled == estimate.seconds_left(102.0) is not None


def test_an_input_of_nothing_has_no_rates() -> None:
    estimate = Estimate(DEDUP, {})
    assert (estimate.share_done(), estimate.seconds_left(time.monotonic())) == (0.0, None)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "time left unknown"),
        (0.2, "about 1 s left"),
        (59.4, "about 59 s left"),
        (60, "about 1 min left"),
        (3600, "about 60 min left"),
        (90 * 60 - 1, "about 90 min left"),
        (90 * 60, "about 2 h left"),
        (7200, "about 2 h left"),
        (48 * 3600 - 1, "about 48 h left"),
        (48 * 3600, "about 2 days left"),
        (400_000, "about 5 days left"),
    ],
)
def test_the_time_left_is_told_in_round_numbers(seconds: float | None, words: str) -> None:
    assert left_in_words(seconds) == words


class Busy(Nothing):
    """Notes what it is told to be busy with."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str | None] = []

    def busy_with(self, what: str | None) -> None:
        self.told.append(what)


@inline_kernel
def _twice(value: Any) -> Any:
    return value + value


@inline_kernel
def _four_times(value: Any) -> Any:
    return _twice(_twice(value))


def test_compiling_is_told_until_the_last_kernel_is_done_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    display = Busy()
    with caplog.at_level("INFO"), ProgressWatcher(display):
        assert _four_times(np.int64(3)) == 12
        first = list(display.told)
        assert _four_times(np.float64(3)) == 12
    assert first.count(None) == 1, "a kernel within a kernel does not end what is told of the outer one"
    assert (first[0], first[-1], len(first)) == (COMPILING, None, len(first) // 2 * 2)
    assert len(first) >= 4
    assert display.told[len(first)] == COMPILING
    assert [record.getMessage() for record in caplog.records].count(COMPILING) == 1

"""Signals: a run that is told to end says so in one line and leaves nothing behind; no process outlives its driver; the rerun is whole.

What is met: TERM, HUP, INT and KILL to the driver, STOP and KILL to a worker, with one worker, with two, and on Ray.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from curation.storage.location import TEMPORARY
from tests.running import CURATE, shards

RUNNERS = {
    "1": ("--workers", "1"),
    "2": ("--workers", "2"),
    "ray": ("--runner", "ray", "--workers", "2"),
}
SLOW = """import time
from curation.ingest.extraction.plain import Plain
whole = Plain.extract
def extract(self, html):
    time.sleep(0.05)
    return whole(self, html)
Plain.extract = extract
"""


@dataclass
class Met:
    """What came of one signal: the exit code, what was left, and what was said."""

    code: int
    processes: int
    temporaries: int
    outcome: str
    said: str
    seconds: float


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with pages that are slow to read, a recipe, and `whole`, the undisturbed run."""
    folder = tmp_path_factory.mktemp("signals")
    (folder / "pages").mkdir()
    for number in range(30):
        body = f"Page {number} tells of the sea, which rises and falls twice a day, and of the moon that is why. " * 8
        (folder / f"pages/page-{number:02d}.html").write_text(f"<html><body><main><p>{body}</p></main></body></html>")
    (folder / "site").mkdir()
    (folder / "site/sitecustomize.py").write_text(SLOW)
    (folder / "recipe.toml").write_text('[extractor]\nname = "plain"\n')
    process = start(folder, "whole", "1")
    assert process.wait(timeout=200) == 0
    yield folder


def start(world: Path, out: str, runner: str) -> "subprocess.Popen[str]":
    signals = ["env", "--default-signal=INT,HUP,TERM"]  # a job in the background inherits that INT is ignored, and keeps to it
    command = [*signals, str(CURATE), "run", str(world / "recipe.toml"), str(world / "pages"), "--out", str(world / out), *RUNNERS[runner]]
    environment = {**os.environ, "PYTHONPATH": f"{world / 'site'}{os.pathsep}{Path(__file__).parents[2]}", "MARK": str(world / out)}
    with (world / f"{out}.err").open("w") as said:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said, text=True, env=environment, start_new_session=True)


def alive(world: Path, out: str) -> list[psutil.Process]:
    """Return the processes of a run that live, by what was put into their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MARK") == str(world / out) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def workers_of(world: Path, out: str) -> list[psutil.Process]:
    """Return the processes that make shards."""
    marks = ("spawn_main", "ray::attempt")
    return [process for process in alive(world, out) if any(mark in part for part in process.cmdline() for mark in marks)]


def under_way(world: Path, out: str, process: "subprocess.Popen[str]") -> None:
    """Wait until ingest has done some units and not all."""
    deadline = time.monotonic() + 120
    while len(list((world / out / "stages/1-ingest").glob("small-*.json"))) < 3:
        assert process.poll() is None, (world / f"{out}.err").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def told(world: Path, out: str) -> str:
    return (world / f"{out}.err").read_text()


def send(world: Path, out: str, runner: str, number: signal.Signals, *, to: str = "driver", patience: float = 20.0) -> Met:
    """Start a run, send a signal to its driver or to its whole group while it works, and look at what is left."""
    process = start(world, out, runner)
    under_way(world, out, process)
    began = time.monotonic()
    os.killpg(process.pid, number) if to == "group" else process.send_signal(number)
    code = process.wait(timeout=60)
    seconds = time.monotonic() - began
    while alive(world, out) and time.monotonic() - began < patience:
        time.sleep(0.05)
    temporaries = [path for path in (world / out).rglob("*") if path.name.startswith(TEMPORARY)]
    outcome = json.loads((world / out / "run.json").read_text())["sessions"][-1]["outcome"]
    return Met(code, len(alive(world, out)), len(temporaries), outcome, told(world, out), seconds)


def rerun(world: Path, out: str, runner: str) -> None:
    """Give the same command again, and compare with the undisturbed run."""
    assert start(world, out, runner).wait(timeout=200) == 0, told(world, out)
    assert shards(world / out) == shards(world / "whole")
    assert not [path for path in (world / out).rglob("*") if path.name.startswith(TEMPORARY)]


def check_asked(met: Met, number: signal.Signals, out: Path) -> None:
    """What holds wherever the driver was asked to end."""
    lines = [line for line in met.said.splitlines() if line.startswith("curate:")]
    assert (met.code, met.processes, met.temporaries) == (128 + number, 0, 0), met
    assert met.outcome == f"ended by {number.name}"
    assert len(lines) == 1, met.said
    assert number.name in lines[0]
    assert str(out) in lines[0]
    assert "same command" in lines[0]
    assert "Traceback" not in met.said


@pytest.mark.parametrize(
    ("runner", "number", "to"),
    [
        ("2", signal.SIGTERM, "driver"),
        ("2", signal.SIGINT, "group"),
        pytest.param("1", signal.SIGHUP, "driver", marks=pytest.mark.full),
    ],
)
def test_asked_to_end(world: Path, runner: str, number: signal.Signals, to: str) -> None:
    out = f"asked-{runner}-{number.name}"
    check_asked(send(world, out, runner, number, to=to), number, world / out)
    rerun(world, out, runner)


def test_workers_die_with_their_driver(world: Path) -> None:
    met = send(world, "killed", "2", signal.SIGKILL)
    assert (met.code, met.processes, met.outcome) == (-signal.SIGKILL, 0, "running")
    assert "Traceback" not in met.said
    rerun(world, "killed", "2")


@pytest.mark.parametrize("runner", [pytest.param(runner, marks=pytest.mark.full) for runner in ("2", "ray")])
def test_a_stopped_worker_is_named(world: Path, runner: str) -> None:
    out = f"stopped-{runner}"
    process = start(world, out, runner)
    under_way(world, out, process)
    (victim, *_) = workers_of(world, out)
    victim.send_signal(signal.SIGSTOP)
    deadline = time.monotonic() + 60
    while f"kill -CONT {victim.pid}" not in told(world, out).replace("\n", " "):
        assert time.monotonic() < deadline, told(world, out)
        time.sleep(0.1)
    victim.send_signal(signal.SIGCONT)
    assert process.wait(timeout=120) == 0
    assert shards(world / out) == shards(world / "whole")


@pytest.mark.full
def test_the_whole_table(world: Path) -> None:
    """Every signal to every runner; prints a row for each."""
    rows = []
    for runner in RUNNERS:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL):
            for to in ("driver", "group"):
                out = f"table-{runner}-{number.name}-{to}"
                met = send(world, out, runner, number, to=to)
                if number != signal.SIGKILL:
                    check_asked(met, number, world / out)
                assert met.processes == 0, met
                rerun(world, out, runner)
                rows.append((runner, number.name, to, met.code, met.processes, met.temporaries, round(met.seconds, 1), met.outcome))
    print(*rows, sep="\n")
    assert len(rows) == 24

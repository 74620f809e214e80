"""The watchdog: a record that never ends is left out; a slow, stopped or sleeping machine decides nothing."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import psutil
import pytest

from curation.engine import stopped
from curation.engine.heartbeat import FIELDS, LEAST_SECONDS, PER_MIB, Watch, limit_for
from curation.engine.stage import Output
from curation.ingest.ingest import Ingest, IngestPart, ingest_units
from curation.ingest.quarantine import RecordPlace
from curation.storage.location import Location
from curation.storage.source_file import SourceFile
from tests.running import CURATE

ROOT = Path(__file__).parents[2]
HANG = """import os, time
from curation.ingest.extraction.plain import Plain
whole = Plain.extract
def extract(self, html):
    while "HANG" in html:
        time.sleep(1000) if os.environ["HOW"] == "sleep" else sum(range(100000))
    return whole(self, html)
Plain.extract = extract
"""
EDITING = """import os, signal, time
from curation.ingest.edits.whitespace import Whitespace
whole = Whitespace.apply
def apply(self, text):
    if b"HANG" in text.data.tobytes():
        os.kill(os.getpid(), signal.SIGSEGV) if os.environ["HOW"] == "crash" else time.sleep(1000)
    return whole(self, text)
Whitespace.apply = apply
"""


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """Six pages, of which the fourth holds whoever reads it."""
    folder = tmp_path / "pages"
    folder.mkdir()
    for number in range(6):
        body = "HANG " * 20 if number == 3 else "The sea rises and falls twice a day, and the moon is why. " * 8
        (folder / f"page-{number}.html").write_text(f"<html><body><main><p>{body}</p></main></body></html>")
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(HANG)
    (tmp_path / "recipe.toml").write_text('[extractor]\nname = "plain"\n')
    return folder


def run(pages: Path, how: str, *options: str) -> "subprocess.CompletedProcess[str]":
    folder = pages.parent
    command = [str(CURATE), "run", str(folder / "recipe.toml"), str(pages), "--out", str(folder / "out"), *options]
    own = {"PYTHONPATH": f"{folder / 'site'}{os.pathsep}{ROOT}", "HOW": how, "CURATION_RECORD_SECONDS": "2"}
    return subprocess.run(command, capture_output=True, text=True, timeout=200, env={**os.environ, **own}, check=False)


def fates(pages: Path) -> list[tuple[str, str, str | None]]:
    ledger = pl.read_parquet(pages.parent / "out/ledger/*.parquet")
    return sorted(ledger.select("file_path", "fate", "rule").rows())


LEFT_OUT = [(f"page-{number}.html", *(("unreadable", "timed_out") if number == 3 else ("kept", None))) for number in range(6)]


def test_a_record_that_holds_its_worker_is_left_out(pages: Path) -> None:
    done = run(pages, "sleep", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert fates(pages) == LEFT_OUT


@pytest.mark.full
@pytest.mark.parametrize("options", [("--workers", "2"), ("--runner", "ray", "--workers", "2")])
def test_a_record_that_spins_is_left_out(pages: Path, options: tuple[str, ...]) -> None:
    done = run(pages, "spin", *options)
    assert done.returncode == 0, done.stderr
    assert fates(pages) == LEFT_OUT


@pytest.mark.parametrize(("how", "rule"), [("crash", "crashed"), pytest.param("sleep", "timed_out", marks=pytest.mark.full)])
def test_an_edit_that_does_not_survive_a_record_costs_that_record(pages: Path, how: str, rule: str) -> None:
    """Edits take the six pages at once, and yet one of them is to blame."""
    (pages.parent / "site/sitecustomize.py").write_text(EDITING)
    (pages.parent / "recipe.toml").write_text('[extractor]\nname = "plain"\n\n[[edit]]\nname = "whitespace"\n')
    done = run(pages, how, "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert fates(pages) == [(name, fate, rule if name == "page-3.html" else None) for name, fate, _ in LEFT_OUT]


def test_quarantine_writes_the_bytes_that_would_be_written_without(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        "".join(f'{{"text": "The  sea\\u00a0rises {number} times.\\r\\n\\n\\n\\n"}}\n' for number in range(9000))
    )
    facts = Location.of(tmp_path / "a.jsonl").facts()
    assert facts is not None
    (unit,) = ingest_units([SourceFile(facts.location, "a.jsonl", "a", facts.size, facts.changed)])
    stage = Ingest(edits=(IngestPart("whitespace", {"collapse": True}),))
    written = []
    for name in ("apart", "together"):
        output = Output(Location.of(tmp_path / name))
        noted: list[RecordPlace] = []
        counts = stage.make(unit, output) if name == "together" else stage.make_without(unit, output, {}, noted.append)
        written.append((counts, [(shard.name, shard.rows, shard.sha256) for shard in output.shards]))
    assert written[0] == written[1]
    assert written[0][0]["edits"]["whitespace.blanks"] == 18000


def test_with_one_worker_the_run_ends_and_says_how_to_go_on(pages: Path) -> None:
    done = run(pages, "spin")
    assert done.returncode == 1
    assert "--workers 2" in done.stderr
    assert "Traceback" not in done.stderr


def test_limits_are_minutes_and_grow_with_the_record() -> None:
    assert (LEAST_SECONDS, PER_MIB) == (300, 60)
    assert limit_for(1) == pytest.approx(300, abs=1)
    assert limit_for(32 << 20) == 300 + 32 * 60


@pytest.fixture
def worker() -> Iterator[psutil.Process]:
    """A process that works when it is told so by a signal, and sleeps until then."""
    script = (
        "import signal, time\nbusy = []\nsignal.signal(signal.SIGUSR1, lambda *_: busy.append(1))\nprint('ready', flush=True)\n"
        "while True:\n    sum(range(10000)) if busy else time.sleep(0.05)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    yield psutil.Process(child.pid)
    child.kill()
    child.communicate()


def watch_for(watch: Watch, seconds: float) -> list[tuple[int, int]]:
    """Look at workers for a while; return the last look."""
    end, overdue = time.monotonic() + seconds, list[tuple[int, int]]()
    while time.monotonic() < end:
        time.sleep(0.05)
        overdue = watch.look()
    return overdue


def test_what_counts_is_time_in_which_the_worker_could_have_worked(worker: psutil.Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURATION_RECORD_SECONDS", "0.5")
    monkeypatch.setattr(stopped, "STOPPED_AFTER", 0.3)
    told: list[str] = []
    slots = [worker.pid, 7, 1, 100]
    watch = Watch(slots, told.append)
    assert len(slots) == FIELDS
    worker.suspend()
    assert watch_for(watch, 1.5) == []
    assert len(told) == 1
    assert f"kill -CONT {worker.pid}" in told[0]
    worker.resume()
    assert watch_for(watch, 1.5) == [(worker.pid, 7)]
    assert told[1:] == [f"worker {worker.pid} continues"]
    slots[2] += 1  # the next record
    assert watch_for(watch, 0.2) == []
    slots[3] = 0  # what is not watched
    assert watch_for(watch, 1.0) == []


def test_a_sleep_of_the_machine_is_not_the_record_s(worker: psutil.Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch itself slept: however long, that counts as two looks at most."""
    monkeypatch.setenv("CURATION_RECORD_SECONDS", "2.5")
    watch = Watch([worker.pid, 1, 1, 100], lambda _: None)
    watch.look()
    watch._looked -= 10_000
    assert watch.look() == []

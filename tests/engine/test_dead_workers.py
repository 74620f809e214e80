"""A worker process that dies during a run is told: its process id, how it ended, and what becomes of the unit that it was at."""

import os
import re
import signal
from pathlib import Path

import pytest

from curation.engine.runner import LocalRunner, Need

Item = tuple[int, str, int]
"""A number, a file that counts the deaths that are left, and a signal (negative: an exit code)."""


def die_at_four(item: Item) -> int:
    number, fuse, how = item
    left = len(Path(fuse).read_bytes())
    if number == 4 and left:
        Path(fuse).write_bytes(b"." * (left - 1))
        Path(fuse + ".died").write_text(str(os.getpid()))
        if how < 0:
            os._exit(-how)
        os.kill(os.getpid(), how)
    return number


def run(tmp_path: Path, how: int, deaths: int) -> tuple[list[str], int, list[int]]:
    """Return what was told, the process id of the last one that died, and the numbers that came back."""
    fuse = tmp_path / "fuse"
    fuse.write_bytes(b"." * deaths)
    told: list[str] = []
    runner = LocalRunner(2)
    runner.tell = told.append
    items = [(number, str(fuse), how) for number in range(8)]
    try:
        outcomes = list(runner.map(die_at_four, items, lambda item: Need(f"unit-{item[0]} of 2-double")))
    finally:
        runner.close()
    return told, int((tmp_path / "fuse.died").read_text()), sorted(o.result for o in outcomes if o.result is not None)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (signal.SIGKILL, "was ended by SIGKILL (out of memory?)"),
        pytest.param(signal.SIGSEGV, "was ended by SIGSEGV", marks=pytest.mark.full),
        pytest.param(signal.SIGRTMIN + 5, f"was ended by signal {signal.SIGRTMIN + 5}", marks=pytest.mark.full),
        (-3, "exited with 3"),
    ],
)
def test_a_dead_worker_is_told_in_one_line(tmp_path: Path, how: int, words: str) -> None:
    told, died, came = run(tmp_path, how, deaths=1)
    assert told == [f"worker process {died} {words} at unit-4 of 2-double; what it was doing is done again"]
    assert came == list(range(8))


def test_a_worker_that_somebody_ends_with_term_is_told_too(tmp_path: Path) -> None:
    told, died, came = run(tmp_path, signal.SIGTERM, deaths=1)
    assert any(re.match(rf"worker process {died} was ended by SIGTERM at unit-4", line) for line in told), told
    assert came == list(range(8))


def test_a_unit_that_ends_two_workers_is_told(tmp_path: Path) -> None:
    told, died, came = run(tmp_path, signal.SIGKILL, deaths=2)
    assert len(told) == 2
    assert told[1] == f"worker process {died} was ended by SIGKILL (out of memory?) at unit-4 of 2-double; this shard ended two workers"
    assert came == [0, 1, 2, 3, 5, 6, 7]

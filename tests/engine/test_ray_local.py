"""A local Ray cluster: no marked process outlives it, and no other process is touched."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest

from curation.engine.ray_local import LocalCluster

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}])"
"""A process that starts a stubborn one and ends, as a raylet that dies while a worker of its starts."""

Start = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start Python on a program and wait for its first line; whatever lives at the end is killed."""
    started = []

    def begin(program: str) -> "subprocess.Popen[str]":
        started.append(subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout.readline() == "ready\n"
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def test_the_end_kills_what_is_marked_and_nothing_else(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    ours, other = LocalCluster(), LocalCluster()
    with ours.marked():
        child, parent = start(STUBBORN), start(PARENT)
    with other.marked():
        of_another_cluster = start(STUBBORN)
    unmarked = start(STUBBORN)
    orphans = {process.pid for process in ours.processes()} - {child.pid, parent.pid}
    assert len(orphans) == 1
    ours.end()
    assert not ours.processes()
    assert not [process for process in psutil.process_iter() if process.pid in {child.pid, *orphans} and process.is_running()]
    assert (of_another_cluster.poll(), unmarked.poll()) == (None, None)
    assert [process.pid for process in other.processes()] == [of_another_cluster.pid]
    other.end()
    assert of_another_cluster.poll() is not None


def test_a_token_that_the_user_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "the user's own")
    LocalCluster()
    assert os.environ["RAY_AUTH_TOKEN"] == "the user's own"

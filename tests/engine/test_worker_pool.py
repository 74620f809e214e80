"""Worker processes: each has a slot of its own, is asked to end or ended, and is not met by signals that are the driver's."""

import os
import signal
import time
from pathlib import Path

import pytest

from curation.engine.signals import ENDING_SIGNALS, Ended, handlers_kept, raise_on_signals, workers_spared
from curation.engine.worker_pool import WorkerPool

WAIT = 60.0


def meet(folder: str) -> tuple[int, set[int]]:
    """Say that this process is here, and wait for another; return its id and the signals that it has blocked."""
    Path(folder, str(os.getpid())).touch()
    end = time.monotonic() + WAIT
    while len(list(Path(folder).iterdir())) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    while not Path(folder, "go").exists() and time.monotonic() < end:
        time.sleep(0.01)
    return os.getpid(), {int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())}


def test_two_workers_are_told_apart(tmp_path: Path) -> None:
    pool = WorkerPool(2, lambda _: None)
    futures = [pool.submit(meet, str(tmp_path), number) for number in (5, 9)]
    end = time.monotonic() + WAIT
    while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    workers = [int(path.name) for path in tmp_path.iterdir()]
    assert sorted(pool._watch.item_of(pid) for pid in workers) == [5, 9]
    at_work = {pid: pool._watch.item_of(pid) for pid in workers}
    assert pool.overdue() == []
    (tmp_path / "go").touch()
    ended = [future.result(WAIT) for future in futures]
    assert {pid: number for (pid, _), number in zip(ended, (5, 9), strict=True)} == at_work
    assert all({signal.SIGINT, signal.SIGHUP} <= blocked for _, blocked in ended)
    assert [pool._watch.item_of(pid) for pid in workers] == [0, 0]
    pool.close()
    assert all(not Path(f"/proc/{pid}").exists() for pid in workers)


def test_busy_workers_are_ended_at_once(tmp_path: Path) -> None:
    pool = WorkerPool(1, lambda _: None)
    pool.submit(meet, str(tmp_path), 1)
    end = time.monotonic() + WAIT
    while not list(tmp_path.iterdir()) and time.monotonic() < end:
        time.sleep(0.01)
    (worker,) = list(tmp_path.iterdir())
    began = time.monotonic()
    pool.kill()
    assert time.monotonic() - began < WAIT / 2
    assert not Path(f"/proc/{worker.name}").exists()


def test_signals_wait_until_workers_have_started() -> None:
    met: list[int] = []
    before = signal.signal(signal.SIGHUP, lambda number, _: met.append(number))
    try:
        with workers_spared():
            signal.raise_signal(signal.SIGHUP)
            assert met == []
        assert met == [signal.SIGHUP]
        assert signal.SIGHUP not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_a_library_does_to_our_handlers_is_undone() -> None:
    before = [signal.getsignal(number) for number in ENDING_SIGNALS]
    with pytest.raises(KeyError), handlers_kept():
        for number in ENDING_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyError
    assert [signal.getsignal(number) for number in ENDING_SIGNALS] == before


def test_the_first_signal_is_raised_and_one_that_was_ignored_stays_so() -> None:
    with handlers_kept():
        for number in ENDING_SIGNALS:  # a shell starts what runs in the background with SIGINT ignored
            signal.signal(number, signal.SIG_IGN if number == signal.SIGHUP else signal.SIG_DFL)
        raise_on_signals()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        with pytest.raises(Ended, match="ended by SIGTERM") as raised:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        assert raised.value.exit_code == 128 + signal.SIGTERM
        assert signal.getsignal(signal.SIGINT) is signal.getsignal(signal.SIGTERM), "a second signal of any kind ends at once"

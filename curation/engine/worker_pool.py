"""A pool of worker processes of one driver: they end with the driver, are watched, and can be killed.

The pool breaks when a worker dies; its user then makes a new one (`curation.engine.runner`).
"""

import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.process import BaseProcess
from typing import Any

from curation.engine import heartbeat
from curation.engine.signals import die_with, workers_spared


class WorkerPool:
    """A fixed number of worker processes; `tell` receives messages for the user."""

    def __init__(self, workers: int, tell: Callable[[str], None]) -> None:
        """Start the workers."""
        context = multiprocessing.get_context("spawn")
        slots = context.RawArray("Q", heartbeat.FIELDS * workers)
        with workers_spared():  # for the lock of `started`, multiprocessing starts a process of its own, which a HUP would end
            started = context.Value("i", 0)
        self._watch = heartbeat.Watch(slots, tell)
        self._started: list[BaseProcess] = []
        self._executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(os.getpid(), slots, started))

    def submit(self, task: Callable[[Any], Any], item: Any, number: int) -> "Future[Any]":
        """Run a task on an item in a worker; `number`, from 1, identifies the item in `overdue`."""
        with workers_spared():
            future = self._executor.submit(_do, task, item, number)
        self._started += [worker for worker in multiprocessing.active_children() if worker not in self._started]
        return future

    def overdue(self) -> list[tuple[int, int]]:
        """Check the workers; return (process id, item number) of those that have spent too long on one record."""
        return self._watch.look()

    def died(self) -> list[tuple[int | None, int, int]]:
        """Return (process id, exit code, item number) of the workers that broke the pool; the pool ends all others with SIGTERM."""
        for worker in self._started:
            worker.join(timeout=1)
        ended = [(worker.pid, worker.exitcode, self._watch.item_of(worker.pid)) for worker in self._started]
        codes = [(pid, code, number) for pid, code, number in ended if code is not None]
        return [entry for entry in codes if entry[1] != -signal.SIGTERM] or codes

    def close(self) -> None:
        """End the workers once they are idle."""
        self._executor.shutdown(cancel_futures=True)

    def kill(self) -> None:
        """End the workers at once, even busy ones."""
        for worker in multiprocessing.active_children():
            worker.kill()
        self._executor.shutdown(cancel_futures=True)


def _begin(driver: int, slots: Any, started: Any) -> None:
    """Turn this process into a worker of the driver."""
    die_with(driver)
    with started.get_lock():
        number = started.value
        started.value += 1
    heartbeat.attach(slots, number)


def _do(task: Callable[[Any], Any], item: Any, number: int) -> Any:
    heartbeat.begin(number)
    try:
        return task(item)
    finally:
        heartbeat.begin(0)

"""A pool of worker processes of one driver: started with the driver's death as theirs, watched, and ended for good.

The pool breaks when a worker dies; whoever uses it makes a new one (`curation.engine.runner`).
"""

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

from curation.engine import heartbeat
from curation.engine.signals import die_with, workers_spared


class WorkerPool:
    """So many worker processes; `tell` is told what a user should know of them."""

    def __init__(self, workers: int, tell: Callable[[str], None]) -> None:
        """Start the workers."""
        context = multiprocessing.get_context("spawn")
        slots = context.RawArray("Q", heartbeat.FIELDS * workers)
        with workers_spared():  # the lock of `started` has multiprocessing start a process of its own, which a HUP would end
            started = context.Value("i", 0)
        self._watch = heartbeat.Watch(slots, tell)
        self._executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(os.getpid(), slots, started))

    def submit(self, task: Callable[[Any], Any], item: Any, number: int) -> "Future[Any]":
        """Have a worker do a task on an item; `number`, from 1, is what `overdue` calls it."""
        with workers_spared():
            return self._executor.submit(_do, task, item, number)

    def overdue(self) -> list[tuple[int, int]]:
        """Look at the workers; return (process id, number of the item) of those that a record has held for too long."""
        return self._watch.look()

    def close(self) -> None:
        """End the workers once they have nothing to do."""
        self._executor.shutdown(cancel_futures=True)

    def kill(self) -> None:
        """End the workers at once, whatever they do."""
        for worker in multiprocessing.active_children():
            worker.kill()
        self._executor.shutdown(cancel_futures=True)


def _begin(driver: int, slots: Any, started: Any) -> None:
    """Make this process a worker of the driver."""
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

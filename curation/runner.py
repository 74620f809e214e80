"""Running a task over many items: in this process, in worker processes, or (in `curation.ray_runner`) on a Ray cluster.

A runner maps a function over small, picklable items and yields an Outcome for each as it ends, in any order. Text never travels through a
runner: items and results are names and counts, tables travel as files.

A task that raises gives an Outcome with the traceback; the others go on. A worker process that dies (SIGKILL, a native crash) breaks its
pool: the pool is made anew, every item that was in flight is a suspect and is tried again alone, and only an item that kills a worker of
its own is reported as `killed`.
"""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from curation.failures import in_one_line, traceback_of

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Outcome(Generic[Item, Result]):
    """What became of one item: a result, or the error's traceback, and the error in one line; `killed` when it took its worker with it."""

    item: Item
    result: Result | None = None
    error: str | None = None
    killed: bool = False
    line: str | None = None


class Runner(Protocol):
    """Maps a task over items; `workers` is how many may be under way at once."""

    workers: int

    def map(self, task: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Outcome[Item, Result]]:
        """Yield an Outcome for every item, in the order in which they end."""
        ...

    def close(self) -> None:
        """Stop what was started."""
        ...


def attempt(task: Callable[[Item], Result], item: Item) -> Outcome[Item, Result]:
    """Run the task on one item; an exception becomes an Outcome."""
    try:
        return Outcome(item, result=task(item))
    except Exception as error:
        return Outcome(item, error=traceback_of(error), line=in_one_line(error))


class LocalRunner:
    """Runs tasks in this process (workers = 1) or in spawned worker processes."""

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def map(self, task: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Outcome[Item, Result]]:
        """Yield an Outcome for every item, in the order in which they end."""
        if self.workers == 1:
            for item in items:
                yield attempt(task, item)
            return
        yield from self._map_in_processes(task, list(items))

    def close(self) -> None:
        """Stop the worker processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _workers(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self.workers, mp_context=multiprocessing.get_context("spawn"))
        return self._pool

    def _map_in_processes(self, task: Callable[[Item], Result], items: list[Item]) -> Iterator[Outcome[Item, Result]]:
        waiting = items[::-1]
        suspects: list[Item] = []
        running: dict[Future[Outcome[Item, Result]], Item] = {}
        while waiting or running:
            try:
                while waiting and len(running) < 2 * self.workers:
                    item = waiting[-1]
                    running[self._workers().submit(attempt, task, item)] = item
                    waiting.pop()
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    outcome = future.result()
                    del running[future]
                    yield outcome
            except BrokenProcessPool:
                suspects += running.values()
                running.clear()
                self.close()
        for item in suspects:
            yield self._run_alone(task, item)

    def _run_alone(self, task: Callable[[Item], Result], item: Item) -> Outcome[Item, Result]:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            try:
                return pool.submit(attempt, task, item).result()
            except BrokenProcessPool:
                return Outcome(item, error="the worker process died twice on this shard", killed=True)

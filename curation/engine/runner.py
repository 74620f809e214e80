"""A runner runs a task over many items: in this process, in worker processes, or on Ray (`curation.engine.ray_runner`).

A runner maps a function over small, picklable items and yields an outcome for each one as it finishes, in any order. Text never travels
through a runner: items and results are names and counts; tables travel as files.

A task that raises gives an outcome with the traceback; the others go on. A worker process that dies (SIGKILL, a native crash) breaks its
pool. The pool is replaced and every item in flight is retried alone; only an item that kills a worker of its own is reported as `killed`.
A worker that spends too long on one record (`curation.engine.heartbeat`) is ended, and its item is reported as `killed` too.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar

from curation.engine.failures import in_one_line, traceback_of
from curation.engine.heartbeat import TICK
from curation.engine.node_check import Misfit
from curation.engine.watched import watched_here
from curation.engine.worker_pool import WorkerPool
from curation.storage.outages import may_pass

BUSY_TOO_LONG = "one record of this shard kept its worker busy for longer than any record should take"

_ENDED_BY_US = "one record kept it busy for too long"

TaskItem = TypeVar("TaskItem")
TaskResult = TypeVar("TaskResult")


@dataclass(frozen=True)
class TaskOutcome(Generic[TaskItem, TaskResult]):
    """The outcome of one item: a result, or the error's traceback and its one-line form.

    `killed`: its worker died. `may_pass`: a store did not answer, so the same item may succeed later. `misfit`: this machine differs from
    the driver's, so another may succeed.
    """

    item: TaskItem
    result: TaskResult | None = None
    error: str | None = None
    killed: bool = False
    line: str | None = None
    may_pass: bool = False
    misfit: bool = False


@dataclass(frozen=True)
class Need:
    """What a task asks of a machine beside one CPU: bytes of memory; `name` is for messages."""

    name: str = "a task"
    memory: int = 0


def nothing_more(_: object) -> Need:
    """Return the need of a task that needs no memory to speak of."""
    return Need()


class Runner(Protocol):
    """Maps a task over items; `workers` is the number that may run at once; `tell` receives messages for the user."""

    workers: int
    tell: Callable[[str], None]

    def map(
        self, task: Callable[[TaskItem], TaskResult], items: Iterable[TaskItem], needs: Callable[[TaskItem], Need] = nothing_more
    ) -> Iterator[TaskOutcome[TaskItem, TaskResult]]:
        """Yield an outcome for every item, in the order in which they finish. `needs` tells what each asks of a machine."""
        ...

    def close(self) -> None:
        """Stop the workers that were started."""
        ...


def attempt(task: Callable[[TaskItem], TaskResult], item: TaskItem) -> TaskOutcome[TaskItem, TaskResult]:
    """Run the task on one item; an exception becomes an outcome."""
    try:
        return TaskOutcome(item, result=task(item))
    except Exception as error:
        is_misfit = isinstance(error, Misfit)
        return TaskOutcome(item, error=traceback_of(error), line=in_one_line(error), may_pass=may_pass(error), misfit=is_misfit)


def tell_on_stderr(line: str) -> None:
    """Print a line to stderr; the default for `tell`."""
    print(line, file=sys.stderr, flush=True)


def attempt_watched(
    task: Callable[[TaskItem], TaskResult], item: TaskItem, tell: Callable[[str], None] = tell_on_stderr
) -> TaskOutcome[TaskItem, TaskResult]:
    """Run the task on one item in a process that ends itself if one record takes too long."""
    with watched_here(tell):
        return attempt(task, item)


def _ended(pid: int | None, code: int) -> str:
    """Say how a worker ended."""
    if code >= 0:
        return f"worker process {pid} exited with {code}"
    try:
        how = signal.Signals(-code).name
    except ValueError:
        how = f"signal {-code}"
    return f"worker process {pid} was ended by {how}{' (out of memory?)' if code == -signal.SIGKILL else ''}"


class LocalRunner:
    """Runs tasks in this process (workers = 1) or in spawned worker processes."""

    def __init__(self, workers: int = 1) -> None:
        """Take the number of worker processes; 1 runs in this process."""
        self.workers = workers
        self.tell: Callable[[str], None] = tell_on_stderr
        self._pool: WorkerPool | None = None
        self._under_way = 0

    def map(
        self,
        task: Callable[[TaskItem], TaskResult],
        items: Iterable[TaskItem],
        needs: Callable[[TaskItem], Need] = nothing_more,
    ) -> Iterator[TaskOutcome[TaskItem, TaskResult]]:
        """Yield an outcome for every item, in the order in which they finish. One machine takes what there is; `needs` names the items."""
        if self.workers == 1:
            for item in items:
                yield attempt_watched(task, item, self.tell)
            return
        yield from self._map_in_processes(task, list(items), lambda item: needs(item).name)

    def close(self) -> None:
        """End the worker processes; kill those that are still busy."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            pool.kill() if self._under_way else pool.close()
            self._under_way = 0

    def _workers(self) -> WorkerPool:
        if self._pool is None:
            self._pool = WorkerPool(self.workers, self.tell)
        return self._pool

    def _map_in_processes(
        self, task: Callable[[TaskItem], TaskResult], items: list[TaskItem], name: Callable[[TaskItem], str]
    ) -> Iterator[TaskOutcome[TaskItem, TaskResult]]:
        waiting = list(enumerate(items, start=1))[::-1]
        suspects: list[TaskItem] = []
        hung: set[int] = set()
        running: dict[Future[TaskOutcome[TaskItem, TaskResult]], tuple[int, TaskItem]] = {}
        while waiting or running:
            try:
                while waiting and len(running) < 2 * self.workers:
                    number, item = waiting[-1]
                    future = self._workers().submit(partial(attempt, task), item, number)
                    running[future] = waiting.pop()  # only now: a broken pool accepts nothing, and the item must not be lost
                    self._under_way = len(running)
                done, _ = wait(running, timeout=TICK, return_when=FIRST_COMPLETED)
                for pid, number in self._workers().overdue():
                    hung.add(number)
                    os.kill(pid, signal.SIGKILL)
                for future in done:
                    outcome = future.result()
                    del running[future]
                    self._under_way = len(running)
                    yield outcome
            except BrokenProcessPool:
                names = {number: name(item) for number, item in running.values()}
                for dead, code, number in self._workers().died():
                    at = f" at {names[number]}" if number in names else ""
                    next_ = _ENDED_BY_US if number in hung else "what it was doing is done again"
                    self.tell(f"{_ended(dead, code)}{at}; {next_}")
                others = [(number, item) for number, item in running.values() if number not in hung]
                held = [item for number, item in running.values() if number in hung]
                running.clear()
                self.close()
                if held:
                    waiting += others[::-1]
                else:
                    suspects += [item for _, item in others]
                for item in held:
                    yield TaskOutcome(item, error=BUSY_TOO_LONG, line=BUSY_TOO_LONG, killed=True)
        for item in suspects:
            yield self._run_alone(task, item, name(item))

    def _run_alone(self, task: Callable[[TaskItem], TaskResult], item: TaskItem, name: str) -> TaskOutcome[TaskItem, TaskResult]:
        pool = WorkerPool(1, self.tell)
        died = "the worker process died twice on this shard"
        try:
            future = pool.submit(partial(attempt, task), item, 1)
            while not wait([future], timeout=TICK).done:
                for pid, _ in pool.overdue():
                    died = BUSY_TOO_LONG
                    os.kill(pid, signal.SIGKILL)
            outcome: TaskOutcome[TaskItem, TaskResult] = future.result()
            pool.close()
            return outcome
        except BrokenProcessPool:
            for dead, code, _ in pool.died():
                self.tell(f"{_ended(dead, code)} at {name}; {_ENDED_BY_US if died == BUSY_TOO_LONG else 'this shard ended two workers'}")
            return TaskOutcome(item, error=died, line=died, killed=True)
        except BaseException:
            pool.kill()
            raise

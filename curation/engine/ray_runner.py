"""The Ray runner runs tasks on a local Ray cluster or on an existing one.

This is the only file that imports ray. Each item is one task; up to two tasks per CPU are in flight, and results come as they finish. Ray
moves only small items and small results; text stays in files that every node sees. Ray retries a task whose worker dies (SIGKILL, out of
memory, a lost node) a fixed number of times, and then it is reported as `killed`; a task that raises is not retried.

At the start every node is checked: it must see OUT and run the same code, otherwise the run is Refused. Usage statistics and the dashboard
are off. The token of a local cluster is only in the environment of its processes, which only their owner can read.
"""

import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from curation.engine.runner import TaskItem, TaskOutcome, TaskResult, attempt, tell_on_stderr
from curation.engine.signals import Ended, handlers_kept, workers_spared
from curation.engine.stopped import StoppedWorkers
from curation.engine.watched import watched_here
from curation.errors import Refused, UsageError
from curation.storage.digests import code_digest
from curation.storage.location import Location

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ.setdefault("RAY_task_oom_retries", "3")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import psutil
import ray
from ray.exceptions import OutOfMemoryError, RayError, WorkerCrashedError

_LOOK = 2.0
"""Seconds between two checks for stopped workers, while no task finishes."""

_TASK = "ray::attempt_watched"
ATTEMPTS = 3
"""How often a task is started if its workers die."""


class RayRunner:
    """Runs tasks as Ray tasks of one CPU each."""

    def __init__(self, workers: int | None = None, address: str | None = None, out: Location | None = None) -> None:
        """Join the cluster at an address, or start a local one, and check that its nodes see the run's folder."""
        self._started = False
        self.tell: Callable[[str], None] = tell_on_stderr
        if not ray.is_initialized():
            self._start(workers, address)
        self.workers = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))  # type: ignore[no-untyped-call]
        # Our own cluster has as many CPUs as workers, so each worker's second task waits; on a shared one, `workers` limits our use.
        self._under_way = self.workers if address is not None and workers is not None else 2 * self.workers
        if out is not None:
            self._check_nodes(out)

    def _start(self, workers: int | None, address: str | None) -> None:
        quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False, "runtime_env": {"env_vars": _worker_environment()}}
        if address is None:
            _choose_token()
            with handlers_kept(), workers_spared():
                ray.init(num_cpus=workers, include_dashboard=False, **quiet)
        else:
            try:
                with handlers_kept(), workers_spared():
                    ray.init(address=address, **quiet)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise UsageError(f"no Ray cluster answers at {address}: {error}") from error
        self._started = True

    def map(self, task: Callable[[TaskItem], TaskResult], items: Iterable[TaskItem]) -> Iterator[TaskOutcome[TaskItem, TaskResult]]:
        """Yield an outcome for every item, in the order in which they finish."""
        remote: Any = ray.remote(num_cpus=1, max_retries=ATTEMPTS - 1, retry_exceptions=False)(attempt_watched)
        waiting = iter(items)
        running: dict[Any, TaskItem] = {remote.remote(task, item): item for item in islice(waiting, self._under_way)}
        stops = _Stops(self.tell)
        while running:
            while not (done := _wait(list(running))):
                stops.look()
            item = running.pop(done[0])
            for following in islice(waiting, 1):
                running[remote.remote(task, following)] = following
            yield self._outcome(done[0], item)

    def _outcome(self, reference: Any, item: TaskItem) -> TaskOutcome[TaskItem, Any]:
        try:
            outcome: TaskOutcome[TaskItem, Any] = ray.get(reference)
        except (WorkerCrashedError, OutOfMemoryError) as error:
            return TaskOutcome(item, error=f"its worker died {ATTEMPTS} times: {error}", killed=True)
        except RayError as error:
            return TaskOutcome(item, error=str(error))
        return replace(outcome, item=item)

    def close(self) -> None:
        """Leave the cluster; stop it if it is local."""
        if self._started:
            ray.shutdown()
            self._started = False

    def _check_nodes(self, out: Location) -> None:
        """Raise Refused unless every node sees OUT and runs this code."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        out.make_folder()
        token = uuid.uuid4().hex
        probe = out / f".node-check-{token}"
        probe.write_bytes(token.encode())
        try:
            look = ray.remote(num_cpus=0)(_look)
            nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
            answers = ray.get(
                [look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(probe) for node in nodes]
            )
        finally:
            probe.delete()
        for node, (seen, code) in zip(nodes, answers, strict=True):
            if seen != token:
                raise Refused(f"node {node} does not see {out}; OUT must be a folder or bucket that all nodes share")
            if code != code_digest():
                raise Refused(f"node {node} runs different code from this machine; install the same version on all nodes")


def _wait(running: list[Any]) -> list[Any]:
    """Return one finished task, or none if it is time to check the workers first.

    A signal that arrives inside Ray's own code surfaces as a SystemError: the signal is raised instead.
    """
    try:
        done, _ = ray.wait(running, num_returns=1, timeout=_LOOK)
    except SystemError as error:
        if isinstance(error.__cause__, Ended):
            raise error.__cause__ from None
        raise
    return list(done)


class _Stops:
    """Looks for stopped workers of a Ray cluster on this machine."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._stopped = StoppedWorkers(tell)
        self._looked = time.monotonic()
        self._address = ray.get_runtime_context().gcs_address

    def look(self) -> None:
        """Check the workers that run a task of ours."""
        now = time.monotonic()
        passed, self._looked = min(now - self._looked, 2 * _LOOK), now
        for worker in self._at_work():
            try:
                self._stopped.note(worker.pid, passed if worker.status() == psutil.STATUS_STOPPED else None)
            except psutil.Error:
                continue

    def _at_work(self) -> Iterator[psutil.Process]:
        """Yield the cluster's worker processes: children of a raylet whose titles name their task."""
        for process in psutil.process_iter():
            try:
                if process.name() != "raylet" or not any(part.endswith(f"={self._address}") for part in process.cmdline()):
                    continue
                yield from (child for child in process.children() if any(_TASK in part for part in child.cmdline()))
            except psutil.Error:
                continue


def attempt_watched(task: Callable[[TaskItem], TaskResult], item: TaskItem) -> TaskOutcome[TaskItem, TaskResult]:
    """Run the task on one item in a Ray worker, which ends itself if one record takes too long."""
    with watched_here(tell_on_stderr):
        return attempt(task, item)


def _look(probe: Location) -> tuple[str | None, str]:
    try:
        return probe.read_bytes().decode(), code_digest()
    except OSError:
        return None, code_digest()


def _worker_environment() -> dict[str, str]:
    """Let workers import this project from the driver's path, and keep their libraries single-threaded."""
    root = str(Path(__file__).parents[2])
    inherited = {name: os.environ[name] for name in ("ARROW_DEFAULT_MEMORY_POOL",) if name in os.environ}
    return {"PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")])), "POLARS_MAX_THREADS": "1", **inherited}


def _choose_token() -> None:
    """Make the local cluster require a token that is in no file: only its owner can read a process's environment."""
    if "RAY_AUTH_TOKEN_PATH" not in os.environ and "RAY_AUTH_TOKEN" not in os.environ:
        os.environ["RAY_AUTH_TOKEN"] = uuid.uuid4().hex + uuid.uuid4().hex

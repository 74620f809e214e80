"""The Ray runner runs tasks on a local Ray cluster or on an existing one.

Only this file and `ray_nodes` import ray. Each item is one task; up to two tasks per CPU are in flight, and results come as they finish.
Ray moves only small items and small results; text stays in files that every node sees. Ray retries a task whose worker dies (SIGKILL, a
lost node) a fixed number of times, and then it is reported as `killed`; a task that raises is not retried. A task asks for one CPU and for
the memory that its stage needs; one that Ray ends because its node runs out of memory is tried again with twice as much.

Every node is looked at before it gets work, at the start or when it joins (`ray_nodes`, `on_node`). Usage statistics and the dashboard are
off. `ray_local` guards a local cluster.
"""

import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from curation.arrays import JsonObject
from curation.counting import counted
from curation.engine import on_node
from curation.engine.ray_local import LocalCluster
from curation.engine.runner import Need, TaskItem, TaskOutcome, TaskResult, nothing_more, tell_on_stderr
from curation.engine.runtime_env import runtime_environment
from curation.engine.signals import Ended, handlers_kept, workers_spared
from curation.engine.stopped import StoppedWorkers
from curation.errors import UsageError
from curation.storage.digests import code_digest
from curation.storage.location import Location
from curation.storage.ownership import RUN

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ.setdefault("RAY_task_oom_retries", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import psutil
import ray
from ray import cloudpickle
from ray.exceptions import OutOfMemoryError, RayError, WorkerCrashedError

from curation.engine.ray_nodes import Nodes, in_gib

cloudpickle.register_pickle_by_value(on_node)  # type: ignore[no-untyped-call]

_LOOK = 2.0
"""Seconds between two looks at workers and nodes, while no task finishes."""

_NAME = "attempt"
_TASK = f"ray::{_NAME}"
ATTEMPTS = 3
"""How often a task is started if its workers die, or if it runs out of memory."""


@dataclass(frozen=True)
class _Asked:
    """A task under way: its item, what it asks for, and how often it ran out of memory."""

    item: Any
    need: Need
    starved: int = 0


class RayRunner:
    """Runs tasks as Ray tasks of one CPU each."""

    def __init__(
        self,
        workers: int | None = None,
        address: str | None = None,
        out: Location | None = None,
        reads: Sequence[Location] = (),
        runtime_env: str | None = None,
        max_wait: float | None = None,
    ) -> None:
        """Join the cluster at an address, or start a local one, and check that its nodes have this code and see OUT and what is read."""
        self._started = False
        self._local: LocalCluster | None = None
        self.tell: Callable[[str], None] = tell_on_stderr
        self._wanted, self._shares = workers, address is not None
        self._nodes = Nodes(self._tell, code_digest(), max_wait)
        self._remote: Any = ray.remote(on_node.make_here)  # made once: Ray sends each new one to the cluster, and waits for that
        try:
            if not ray.is_initialized():
                self._start(workers, address, runtime_env)
            self.workers = workers or self._cpus()
            self._check(out, reads)
        except BaseException:
            self.close()
            raise

    def _start(self, workers: int | None, address: str | None, runtime_env: str | None) -> None:
        self._started = True
        with runtime_environment(runtime_env, _worker_environment()) as environment:
            quiet: JsonObject = {"log_to_driver": False, "configure_logging": False, "runtime_env": environment}
            if address is None:
                self._local = LocalCluster()
                with handlers_kept(), workers_spared(), self._local.marked():
                    ray.init(num_cpus=workers, include_dashboard=False, object_spilling_directory=tempfile.gettempdir(), **quiet)
            else:
                try:
                    with handlers_kept(), workers_spared():
                        ray.init(address=address, **quiet)
                except (ConnectionError, ValueError, RuntimeError) as error:
                    raise UsageError(f"no Ray cluster answers at {address}: {error}") from error

    def map(
        self, task: Callable[[TaskItem], TaskResult], items: Iterable[TaskItem], needs: Callable[[TaskItem], Need] = nothing_more
    ) -> Iterator[TaskOutcome[TaskItem, TaskResult]]:
        """Yield an outcome for every item, in the order in which they finish. `needs` tells what each asks of a node."""
        waiting = iter(items)
        running: dict[Any, _Asked] = {}
        stops, looked, room = _Stops(self.tell), 0.0, self._room()

        def submit(asked: _Asked) -> None:
            running[self._submit(task, asked)] = asked

        while True:
            while len(running) < room and (item := next(waiting, None)) is not None:
                submit(_Asked(item, needs(item)))
            if not running:
                return
            done = _wait(list(running))
            if time.monotonic() - looked >= _LOOK:
                looked, room = time.monotonic(), self._room()
                self._nodes.look(self._fitting(next(iter(running.values())).need))
            if not done:
                stops.look()
                continue
            asked = running.pop(done[0])
            found = self._outcome(done[0], asked)
            if isinstance(found, _Asked):
                submit(found)
            else:
                yield found

    def _submit(self, task: Callable[[Any], Any], asked: _Asked) -> Any:
        options = {"name": _NAME, "num_cpus": 1, "max_retries": ATTEMPTS - 1, "retry_exceptions": False, **self._nodes.options()}
        memory = self._fitting(asked.need).memory
        if memory:
            options["memory"] = memory
        payload = cloudpickle.dumps((task, asked.item))  # type: ignore[no-untyped-call]
        return self._remote.options(**options).remote(payload, self._nodes.code, self._nodes.needed)

    def _fitting(self, need: Need) -> Need:
        """Return what is asked for: an estimate never asks for more memory than the largest node has."""
        return replace(need, memory=min(need.memory, max((node.memory for node in self._nodes.usable()), default=need.memory)))

    def _outcome(self, reference: Any, asked: _Asked) -> "TaskOutcome[Any, Any] | _Asked":
        """Return the outcome of a task, or the task to ask for once more."""
        item = asked.item
        try:
            node, again, (kind, found) = ray.get(reference)
        except OutOfMemoryError as error:
            need = replace(asked.need, memory=2 * max(self._fitting(asked.need).memory, 1 << 28))
            if asked.starved + 1 == ATTEMPTS:
                told = f"its node ran out of memory {ATTEMPTS} times: {' '.join(str(error).split())}"
                return TaskOutcome(item, error=str(error), line=told, killed=True)
            self.tell(f"{need.name} ran out of memory: it is tried again with {in_gib(self._fitting(need).memory)}")
            return _Asked(item, need, asked.starved + 1)
        except WorkerCrashedError as error:
            return TaskOutcome(item, error=f"its worker died {ATTEMPTS} times: {error}", killed=True)
        except RayError as error:
            return TaskOutcome(item, error=str(error))
        if again:
            self.tell(f"{asked.need.name}: its worker process died {counted(again, 'time')}, and Ray started it again")
        if kind == on_node.REFUSED:
            self._nodes.refuse(node, found)
            return asked
        outcome: TaskOutcome[Any, Any] = replace(found, item=item)
        return outcome

    def close(self) -> None:
        """Leave the cluster; stop it if it is local."""
        if self._started:
            ray.shutdown()
            self._started = False
        if self._local is not None:
            self._local.end()

    def _tell(self, line: str) -> None:
        self.tell(line)

    def _cpus(self) -> int:
        return max(1, int(ray.cluster_resources().get("CPU", 1)))  # type: ignore[no-untyped-call]

    def _room(self) -> int:
        """Return how many tasks may be under way: as many as asked for on a shared cluster, else two for each CPU there is now."""
        if self._wanted is not None:
            return self._wanted if self._shares else 2 * self._wanted
        return 2 * self._cpus()

    def _check(self, out: Location | None, reads: Sequence[Location]) -> None:
        """Look at every node before work starts; nodes that join later are looked at by their first task."""
        self._nodes.needed = tuple(map(str, reads))
        if out is None:
            return
        out.make_folder()
        probe = out / f".node-check-{uuid.uuid4().hex}"
        probe.write_bytes(b"seen")
        try:
            self._nodes.check([str(probe), *self._nodes.needed])
        finally:
            probe.delete()
        self._nodes.needed = (str(out / RUN), *self._nodes.needed)


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


def _worker_environment() -> Mapping[str, str]:
    """Let workers import this project from the driver's path, and keep their libraries single-threaded."""
    root = str(Path(__file__).parents[2])
    inherited = {name: os.environ[name] for name in ("ARROW_DEFAULT_MEMORY_POOL",) if name in os.environ}
    return {"PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")])), "POLARS_MAX_THREADS": "1", **inherited}

"""What the Ray runner does with a task's end: a refusal, a lack of memory, a dead worker; a cluster in this process stands in for Ray."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from ray import cloudpickle
from ray.exceptions import OutOfMemoryError, RayError, WorkerCrashedError

from curation.engine import ray_nodes, ray_runner
from curation.engine.on_node import REFUSED
from curation.engine.ray_nodes import Node
from curation.engine.ray_runner import ATTEMPTS, RayRunner
from curation.engine.runner import Need, TaskOutcome, attempt
from curation.engine.signals import Ended
from curation.errors import Refused, UsageError
from curation.storage.location import Location
from curation.storage.ownership import RUN

GIB = 1 << 30
SMALL, BIG = Node("s", "10.0.0.1", 2.0, 2 * GIB), Node("b", "10.0.0.2", 2.0, 3 * GIB)


@dataclass(eq=False)
class Reference:
    """What a cluster gives for a task that is under way."""

    payload: bytes


@dataclass
class Cluster:
    """Runs a task when its answer is asked for. `ends` holds, by item, what happens before a task ends well."""

    nodes: list[Node] = field(default_factory=lambda: [SMALL, BIG])
    cpus: float = 4.0
    ends: dict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    died: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    asked: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    most: int = 0
    running: bool = True
    given: dict[str, Any] = field(default_factory=dict)

    def remote(self, function: Any = None, **_: Any) -> Any:
        def options(**chosen: Any) -> Any:
            def send(payload: bytes, code: str, needed: tuple[str, ...]) -> Any:
                self.asked.append((cloudpickle.loads(payload)[1], chosen))
                return Reference(payload)

            return SimpleNamespace(remote=send)

        return SimpleNamespace(options=options) if function is not None else self.remote

    def get(self, reference: Any) -> Any:
        task, item = cloudpickle.loads(reference.payload)
        end = self.ends[item].pop(0) if self.ends[item] else None
        if isinstance(end, Exception):
            raise end
        return end or ("b", self.died[item], ("done", attempt(task, item)))

    def wait(self, running: list[Any], num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        self.most = max(self.most, len(running))
        return running[:num_returns], running[num_returns:]

    def is_initialized(self) -> bool:
        return self.running

    def init(self, **given: Any) -> None:
        self.given, self.running = given, True

    def shutdown(self) -> None:
        self.running = False

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": self.cpus}

    def get_runtime_context(self) -> Any:
        return SimpleNamespace(gcs_address="10.0.0.1:6379")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    found = Cluster()
    found_ray = SimpleNamespace(**{name: getattr(found, name) for name in dir(found) if not name.startswith("_")})
    monkeypatch.setattr(ray_runner, "ray", found_ray)
    monkeypatch.setattr(ray_nodes, "live_nodes", lambda: found.nodes)
    return found


def double(number: int) -> int:
    if number == 13:
        raise ValueError("no luck")
    return 2 * number


def outcomes(runner: RayRunner, items: int, needs: Callable[[int], Need]) -> tuple[list[TaskOutcome[int, int]], list[str]]:
    told: list[str] = []
    runner.tell = told.append
    return sorted(runner.map(double, range(items), needs), key=lambda outcome: outcome.item), told


def need(number: int) -> Need:
    return Need(f"item {number}", GIB)


def test_every_item_has_one_outcome_and_asks_for_one_cpu_and_its_memory(cluster: Cluster) -> None:
    done, told = outcomes(RayRunner(3), 20, lambda number: Need(f"item {number}", number * GIB))
    assert [outcome.result for outcome in done] == [None if number == 13 else 2 * number for number in range(20)]
    assert done[13].line == "ValueError: no luck"
    assert not any(outcome.killed for outcome in done)
    assert told == []
    assert sorted(item for item, _ in cluster.asked) == list(range(20))
    for item, options in cluster.asked:
        assert options["num_cpus"] == 1
        assert options["max_retries"] == ATTEMPTS - 1
        assert options["retry_exceptions"] is False
        assert options.get("memory", 0) == min(item, 3) * GIB, "no task asks for more than the largest node has"
    assert cluster.most == 6, "two tasks for each worker, so that none waits for the driver"


@pytest.mark.parametrize(("workers", "address", "room"), [(3, None, 6), (3, "auto", 3), (None, None, 8), (None, "auto", 8)])
def test_as_many_tasks_are_under_way_as_asked_for(cluster: Cluster, workers: int | None, address: str | None, room: int) -> None:
    runner = RayRunner(workers, address)
    outcomes(runner, 30, need)
    assert cluster.most == room
    assert runner.workers == (workers or 4)


def test_a_refused_task_is_asked_for_again_elsewhere(cluster: Cluster) -> None:
    for item in (2, 4):
        cluster.ends[item] = [("s", 0, (REFUSED, "it runs other code"))]
    done, told = outcomes(RayRunner(1), 6, need)
    assert [outcome.result for outcome in done] == [0, 2, 4, 6, 8, 10]
    assert told == ["node 10.0.0.1 gets no work: it runs other code"]
    (first, second) = [options for item, options in cluster.asked if item == 4]
    assert [options.get("label_selector") for _, options in cluster.asked[:3]] == [None, None, None]
    assert second["label_selector"] == {"ray.io/node-id": "!in(s)"}
    assert first["memory"] == second["memory"] == GIB


def test_a_task_that_lacks_memory_gets_twice_as_much_and_no_more_than_a_node_has(cluster: Cluster) -> None:
    cluster.ends[1] = [OutOfMemoryError("too\nmuch")] * (ATTEMPTS - 1)
    cluster.ends[2] = [OutOfMemoryError("too\nmuch")] * ATTEMPTS
    done, told = outcomes(RayRunner(1), 4, need)
    assert [outcome.result for outcome in done] == [0, 2, None, 6]
    for item in (1, 2):
        assert [options["memory"] for asked, options in cluster.asked if asked == item] == [GIB, 2 * GIB, 3 * GIB]
        assert [line for line in told if line.startswith(f"item {item} ")] == [
            f"item {item} ran out of memory: it is tried again with {more} GiB of memory" for more in ("2.0", "3.0")
        ]
    assert done[2].killed
    assert done[2].line == f"its node ran out of memory {ATTEMPTS} times: too much"
    cluster.asked.clear()
    cluster.ends[0] = [OutOfMemoryError("too much")]
    outcomes(RayRunner(1), 1, lambda _: Need("modest"))
    assert [options.get("memory", 0) for _, options in cluster.asked] == [0, GIB // 2], "who asked for none asks for half a GiB"


def test_a_worker_that_ray_started_again_is_told(cluster: Cluster) -> None:
    cluster.died.update({1: 1, 2: 2})
    done, told = outcomes(RayRunner(1), 4, need)
    assert [outcome.result for outcome in done] == [0, 2, 4, 6]
    assert told == [
        f"item {item}: its worker process died {times}, and Ray started it again" for item, times in ((1, "1 time"), (2, "2 times"))
    ]


def test_a_dead_worker_and_an_error_of_ray_end_a_task(cluster: Cluster) -> None:
    cluster.ends[1], cluster.ends[2] = [WorkerCrashedError()], [RayError("lost")]
    done, _ = outcomes(RayRunner(1), 3, need)
    assert [(outcome.result, outcome.killed) for outcome in done] == [(0, False), (None, True), (None, False)]
    assert f"its worker died {ATTEMPTS} times" in (done[1].error or "")
    assert done[2].error == "lost"


def test_a_signal_inside_ray_is_that_signal_and_any_other_error_itself(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for cause, raised in ((Ended(15), Ended), (KeyError(), SystemError)):

        def wait(*_: Any, cause: BaseException = cause, **__: Any) -> Any:
            raise SystemError("inside Ray") from cause

        monkeypatch.setattr(ray_runner.ray, "wait", wait)
        with pytest.raises(raised):
            list(RayRunner(1).map(double, range(2)))


def test_only_a_cluster_that_the_runner_joined_is_left(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    RayRunner(1).close()
    assert cluster.running
    cluster.running = False
    runner = RayRunner(2)
    assert (cluster.given["num_cpus"], cluster.given["include_dashboard"]) == (2, False)
    assert cluster.given["runtime_env"]["env_vars"]["POLARS_MAX_THREADS"] == "1"
    token = ray_runner.os.environ["RAY_AUTH_TOKEN"]
    assert len(token) >= 32, "nobody else may send tasks to a local cluster"
    runner.close()
    assert not cluster.running
    RayRunner(address="10.0.0.1:6379").close()
    assert cluster.given["address"] == "10.0.0.1:6379"
    assert "num_cpus" not in cluster.given
    assert ray_runner.os.environ["RAY_AUTH_TOKEN"] == token, "who has a token keeps it"

    def fail(**_: Any) -> None:
        raise ConnectionError("nobody is there")

    monkeypatch.setattr(ray_runner.ray, "init", fail)
    with pytest.raises(UsageError, match="no Ray cluster answers at nowhere:1: nobody is there"):
        RayRunner(address="nowhere:1")


def test_nodes_look_at_a_file_in_out_and_then_at_run_json(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    out, reads = Location.of(tmp_path / "out"), [Location.of(tmp_path / "in")]
    seen: list[list[str]] = []

    def check(_: Any, needed: list[str]) -> None:
        seen.append(needed)
        assert Path(needed[0]).read_bytes() == b"seen"
        if len(seen) == 2:
            raise Refused("blind")

    monkeypatch.setattr(ray_nodes.Nodes, "check", check)
    runner = RayRunner(1, out=out, reads=reads)
    assert seen[0][1:] == [str(reads[0])]
    assert list(Path(tmp_path / "out").iterdir()) == []
    assert runner._nodes.needed == (str(out / RUN), str(reads[0]))
    cluster.running = False
    with pytest.raises(Refused, match="blind"):
        RayRunner(1, out=out, reads=reads)
    assert list(Path(tmp_path / "out").iterdir()) == []
    assert not cluster.running, "a cluster whose nodes cannot do their part is left"


def test_a_stopped_worker_of_a_task_of_ours_is_told(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def process(pid: int, status: str, *words: str, name: str = "python", children: tuple[Any, ...] = ()) -> Any:
        return SimpleNamespace(pid=pid, status=lambda: status, cmdline=lambda: [*words], name=lambda: name, children=lambda: [*children])

    def gone() -> str:
        raise psutil.NoSuchProcess(1)

    stopped, lost = process(7, psutil.STATUS_STOPPED, "ray::attempt"), process(11, "", "ray::attempt")
    lost.status = gone
    ours = (lost, stopped, process(8, psutil.STATUS_RUNNING, "ray::attempt"), process(9, psutil.STATUS_STOPPED, "ray::IDLE"))
    raylet = process(1, "", "raylet", "--gcs-address=10.0.0.1:6379", name="raylet", children=ours)
    theirs = process(2, "", "raylet", "--gcs=10.0.0.9:6379", name="raylet", children=(process(10, psutil.STATUS_STOPPED, "ray::attempt"),))
    unnamed = process(3, "", name="raylet")
    unnamed.name = gone
    monkeypatch.setattr(psutil, "process_iter", lambda: iter([unnamed, theirs, process(4, psutil.STATUS_STOPPED, "ray::attempt"), raylet]))
    now = [1000.0]
    monkeypatch.setattr(ray_runner.time, "monotonic", lambda: now[0])
    told: list[str] = []
    stops = ray_runner._Stops(told.append)
    for passed in (100.0, 100.0, 1.0):  # however long the driver itself stood still, that counts as two looks: four seconds
        now[0] += passed
        stops.look()
    assert told == []
    for _ in range(3):
        now[0] += 1.0
        stops.look()
    assert [line.partition(" (SIGSTOP)")[0] for line in told] == ["worker 7 is stopped"]

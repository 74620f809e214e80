"""A run on a cluster whose nodes come and go: the same bytes as on one machine, and everything that is amiss is told.

One cluster of raylets serves all that runs by default. The recipe's own filter, list and model are files that only the driver names.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cluster.nodes import TestCluster, can_hide, cluster, python_without_us
from tests.running import ROOT, curate, many_files, shards

FILTER = """
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from filters.contract import Filter, above


@dataclass(frozen=True)
class Slow(Filter):
    marks: str = "marks.txt"
    pause: float = 0.5
    signal_types = {"marks": pa.int64()}
    file_fields = frozenset({"marks"})

    def files(self):
        return {"marks": Path(self.marks).read_text()}

    def signals(self, text, documents):
        time.sleep(self.pause)
        return {"marks": np.array([text.string(i).count(Path(self.marks).read_text()) for i in range(len(text))])}

    def rules(self):
        return {"shouts": above("marks", 5)}
"""

RECIPE = """
[[filter]]
file = "slow.py"
marks = "marks.txt"

[[filter]]
name = "educational_score"
model = "edu.safetensors"

[deduplicate]
"""

KILLS = 20

DRIVER = """
import sys

from curation.engine import ray_nodes
from pipelines import cli

ray_nodes.TOLD_AFTER = 1.0
cli.main()
"""


@dataclass
class Driver:
    """A driver in a process of its own, and what it has said so far."""

    process: "subprocess.Popen[str]"
    log: Path
    told: str = ""

    def wait_for(self, words: str, seconds: float = 120) -> None:
        """Wait until the driver says something."""
        deadline = time.monotonic() + seconds
        while words not in self.said():
            assert self.process.poll() is None or words in self.said(), self.said()
            assert time.monotonic() < deadline, f"never said {words!r}\n{self.said()}"
            time.sleep(0.05)

    def said(self) -> str:
        """Return all it has said."""
        return " ".join(self.log.read_text().split())

    def end(self, code: int = 0) -> str:
        """Wait for the end."""
        assert self.process.wait(180) == code, self.log.read_text()
        return self.said()


@dataclass
class World:
    """A recipe with files of its own, its input, and what one machine makes of them."""

    folder: Path
    cluster: TestCluster
    drivers: list[Driver] = field(default_factory=list)

    def run(self, out: str, *options: str, recipe: str = "mine.toml", inputs: str = "input") -> Driver:
        """Start a driver."""
        log = self.folder / f"driver-{len(self.drivers)}.log"
        command = [
            sys.executable,
            str(self.folder / "driver.py"),
            "run",
            str(self.folder / "home" / recipe),
            str(self.folder / inputs / "*.jsonl"),
        ]
        command += ["--out", str(self.folder / out), "--runner", "ray", "--address", self.cluster.address, "--progress", "plain", *options]
        with log.open("w") as stream:
            process = subprocess.Popen(command, stderr=stream, stdout=stream, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
        self.drivers.append(Driver(process, log))
        return self.drivers[-1]

    def join_bare(self) -> None:
        """Start a node that does not have our package."""
        self.cluster.join("bare", python=python_without_us(self.folder / "bare"), hidden=str(ROOT))

    def units(self, out: str) -> int:
        """Return how many units the slow stage has made."""
        return len(list((self.folder / out / "stages/2-measure").glob("[!_.]*.json")))

    def wait_for_units(self, out: str, count: int) -> None:
        """Wait until the slow stage has made some units."""
        deadline = time.monotonic() + 120
        while self.units(out) < count:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("cluster")
    many_files(folder / "input", files=14, rows=3)
    home = folder / "home"
    home.mkdir()
    (home / "mine.toml").write_text(RECIPE)
    (home / "slow.py").write_text(FILTER)
    (home / "marks.txt").write_text("!")
    for ending in ("safetensors", "json"):
        shutil.copy(ROOT / f"filters/models/edu.{ending}", home)
    (folder / "driver.py").write_text(DRIVER)
    curate("run", home / "mine.toml", folder / "input/*.jsonl", "--out", folder / "whole")
    with cluster(folder) as nodes:
        made = World(folder, nodes)
        try:
            yield made
        finally:
            for driver in made.drivers:
                driver.process.kill()


def test_nodes_come_and_go_and_the_driver_dies(world: World) -> None:
    first = world.run("out")
    first.wait_for("no node can run")
    assert "asks for 1 CPU and 0.5 GiB of memory; there: none; the run waits for a node" in first.said()
    if can_hide():
        world.join_bare()
        first.wait_for("gets no work: it cannot import this package")
    world.cluster.join("one")
    first.wait_for("a node that can run the tasks is there: the run goes on")
    world.wait_for_units("out", 1)
    world.cluster.lose("one")
    world.cluster.join("two")
    world.wait_for_units("out", 4)
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    assert "adding up the books" not in first.said()
    assert world.run("out").end() is not None
    assert shards(world.folder / "out") == shards(world.folder / "whole")
    assert not list(Path(world.folder / "out").rglob(".tmp-*"))


@pytest.mark.full
def test_twenty_nodes_are_lost_and_twenty_drivers_die(world: World) -> None:
    """In each round a node joins, a driver makes a unit or two, and both are killed, in turn the node or the driver first."""
    many_files(world.folder / "large", files=120, rows=3)
    (world.folder / "home/large.toml").write_text('[[filter]]\nfile = "slow.py"\nmarks = "marks.txt"\npause = 2.0\n\n[deduplicate]\n')
    curate("run", world.folder / "home/large.toml", world.folder / "large/*.jsonl", "--out", world.folder / "large-whole")
    for name in [name for name in world.cluster.nodes if name != "head"]:
        world.cluster.lose(name)
    for number in range(KILLS):
        made = world.units("large-out")
        world.cluster.join(f"n{number}")
        driver = world.run("large-out", recipe="large.toml", inputs="large")
        world.wait_for_units("large-out", made + 1)
        assert driver.process.poll() is None, driver.said()
        victims = [driver.process.kill, lambda name=f"n{number}": world.cluster.lose(name)]
        for kill in victims if number % 2 else victims[::-1]:
            kill()
            time.sleep(1)
        driver.process.wait()
    world.cluster.join("last", cpus=2)
    world.run("large-out", recipe="large.toml", inputs="large").end()
    assert shards(world.folder / "large-out") == shards(world.folder / "large-whole")
    assert not list(Path(world.folder / "large-out").rglob(".tmp-*"))


@pytest.mark.full
@pytest.mark.skipif(not can_hide(), reason="only root can hide our code from a node")
def test_a_node_without_our_package_is_given_it(world: World) -> None:
    for name in [name for name in world.cluster.nodes if name not in ("head", "bare")]:
        world.cluster.lose(name)
    if "bare" not in world.cluster.nodes:
        world.join_bare()
    assert "no node of the cluster can run this" in world.run("never").end(3)
    (world.folder / "home/mine.toml").write_text('[[filter]]\nfile = "slow.py"\nmarks = "marks.txt"\n')
    curate("run", world.folder / "home/mine.toml", world.folder / "input/*.jsonl", "--out", world.folder / "plain")
    world.run("sent", "--runtime-env", "code").end()
    assert shards(world.folder / "sent") == shards(world.folder / "plain")


def test_max_wait_ends_a_run_that_no_node_can_do(world: World) -> None:
    for name in [name for name in world.cluster.nodes if name != "head"]:
        world.cluster.lose(name)
    time.sleep(3)
    assert "--max-wait 2 is over; finished work is kept, the same command continues" in world.run("waited", "--max-wait", "2").end(1)

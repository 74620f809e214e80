"""The nodes of a Ray cluster: which can run our tasks, which are refused, and what is said when none can.

A node that cannot import our code, has other code, or does not see the run's files is refused: it is told once, and every later task
excludes it by Ray's label selectors. Where no node that is left has what a task asks for, the run waits for one (an autoscaler may bring
it), says so after TOLD_AFTER seconds, and says when it goes on.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from curation.arrays import JsonObject
from curation.counting import counted
from curation.engine import on_node
from curation.engine.runner import Need
from curation.errors import NoNodes, Refused

TOLD_AFTER = 30.0
"""After this many seconds without a node that could run a task, the run says so."""

_LABEL = "ray.io/node-id"


@dataclass(frozen=True)
class Node:
    """A live node: its id, its address as people know it, and the CPUs and bytes of memory that Ray may give to tasks."""

    id: str
    address: str
    cpus: float
    memory: int

    def __str__(self) -> str:
        """Return what it offers, in words."""
        return f"{self.address} with {counted(int(self.cpus), 'CPU')} and {in_gib(self.memory)}"


def live_nodes() -> list[Node]:
    """Return the live nodes that have CPUs for tasks (a head often has none)."""
    found = []
    for node in ray.nodes():  # type: ignore[no-untyped-call]
        offers = node["Resources"] if node["Alive"] else {}
        if offers.get("CPU", 0) >= 1:
            found.append(Node(node["NodeID"], node["NodeManagerAddress"], offers["CPU"], int(offers.get("memory", 0))))
    return found


def in_gib(size: int) -> str:
    """Return a size in memory, in words."""
    return f"{size / (1 << 30):.1f} GiB of memory"


@dataclass
class Nodes:
    """Knows which nodes are refused, and how long none could run a task. `code` is the digest of the driver's code."""

    tell: Callable[[str], None]
    code: str
    max_wait: float | None = None
    needed: tuple[str, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)
    _none_since: float | None = None
    _told: bool = False

    def usable(self) -> list[Node]:
        """Return the live nodes that are not refused."""
        return [node for node in live_nodes() if node.id not in self.refused]

    def options(self) -> JsonObject:
        """Return the options of a task that keep it from nodes that are refused."""
        return {"label_selector": {_LABEL: f"!in({','.join(sorted(self.refused))})"}} if self.refused else {}

    def refuse(self, node: str, reason: str) -> None:
        """Give no further task to a node, and say so once."""
        if node not in self.refused:
            self.refused[node] = reason
            address = next((live.address for live in live_nodes() if live.id == node), node)
            self.tell(f"node {address} gets no work: {reason}")

    def check(self, needed: Iterable[str]) -> None:
        """Ask every node whether it could run our tasks; leave out those that run other code.

        Raises Refused where a node does not see what the run reads and writes, and where every node is left out.
        """
        nodes, files = self.usable(), tuple(needed)
        ask = ray.remote(num_cpus=0, max_retries=0)(on_node.why_not_here)

        def on(node: Node, wanted: tuple[str, ...]) -> Any:
            return ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)).remote(self.code, wanted)

        for node, reason in _answers(nodes, [on(node, ()) for node in nodes]):
            if reason:
                self.refuse(node.id, reason)
        sound = [node for node in nodes if node.id not in self.refused]
        if nodes and not sound:
            raise Refused(f"no node of the cluster can run this: {self._refusals()}")
        blind = [(node, reason) for node, reason in _answers(sound, [on(node, files) for node in sound]) if reason]
        if blind:
            node, reason = blind[0]
            more = f" (and {len(blind) - 1} more nodes like it)" if len(blind) > 1 else ""
            raise Refused(f"node {node.address}{more} cannot do its part: {reason}")

    def look(self, need: Need) -> None:
        """Say that no node can run a task, and later that one can. Raises NoNodes where that lasts longer than `max_wait`."""
        if any(node.cpus >= 1 and node.memory >= need.memory for node in self.usable()):
            if self._told:
                self.tell("a node that can run the tasks is there: the run goes on")
            self._none_since, self._told = None, False
            return
        now = time.monotonic()
        self._none_since = self._none_since if self._none_since is not None else now
        lasted = now - self._none_since
        if self.max_wait is not None and lasted >= self.max_wait:
            raise NoNodes(
                f"{self._shortage(need)}; --max-wait {self.max_wait:g} is over; finished work is kept, the same command continues"
            )
        if lasted >= TOLD_AFTER and not self._told:
            self._told = True
            self.tell(f"{self._shortage(need)}; the run waits for a node")

    def _shortage(self, need: Need) -> str:
        there = ", ".join(map(str, self.usable())) or "none"
        asked = f"1 CPU and {in_gib(need.memory)}" if need.memory else "1 CPU"
        refusals = self._refusals()
        return f"no node can run {need.name}, which asks for {asked}; there: {there}" + (f"; {refusals}" if refusals else "")

    def _refusals(self) -> str:
        return ", ".join(f"{node.address}: {self.refused[node.id]}" for node in live_nodes() if node.id in self.refused)


def _answers(nodes: list[Node], asked: list[Any]) -> list[tuple[Node, str]]:
    """Return each node with its answer; leave out a node that was lost meanwhile."""
    found = []
    for node, reference in zip(nodes, asked, strict=True):
        try:
            found.append((node, ray.get(reference)))
        except RayError:
            continue
    return found

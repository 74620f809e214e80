"""Waiting for a node: that none can run a task is said once and after a while, and for as long as the user has patience."""

from types import SimpleNamespace

import pytest

from curation.engine import ray_nodes
from curation.engine.ray_nodes import TOLD_AFTER, Node, Nodes, NoNodes

NEED = SimpleNamespace(name="stage 2-measure", memory=4 << 30)
BIG, SMALL = Node("a", "10.0.0.1", 8.0, 64 << 30), Node("b", "10.0.0.2", 2.0, 4 << 30)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    now = SimpleNamespace(time=1000.0, nodes=[], said=[])
    monkeypatch.setattr(ray_nodes, "live_nodes", lambda: now.nodes)
    monkeypatch.setattr(ray_nodes.time, "monotonic", lambda: now.time)
    return now


def test_a_shortage_is_told_once_and_so_is_its_end(world: SimpleNamespace) -> None:
    nodes = Nodes(world.said.append, "code")
    for passed in (0, TOLD_AFTER - 0.1):
        world.time = 1000 + passed
        nodes.look(NEED)
        assert world.said == []
    for passed in (TOLD_AFTER, TOLD_AFTER + 1, 100 * TOLD_AFTER):
        world.time = 1000 + passed
        nodes.look(NEED)
        assert len(world.said) == 1
    assert world.said[0].startswith("no node can run stage 2-measure, which asks for 1 CPU and 4.0 GiB of memory; there: none")
    world.nodes = [SMALL]
    nodes.look(NEED)
    nodes.look(NEED)
    assert world.said[1:] == ["a node that can run the tasks is there: the run goes on"]
    world.nodes = []
    nodes.look(NEED)
    world.time += TOLD_AFTER - 0.1
    nodes.look(NEED)
    assert len(world.said) == 2, "the time counts from the new shortage on"
    world.time += 0.2
    nodes.look(NEED)
    assert len(world.said) == 3


def test_a_node_that_is_too_small_or_refused_is_none(world: SimpleNamespace) -> None:
    for live, refused, enough in (
        ([SMALL], {}, True),
        ([Node("c", "10.0.0.3", 1.0, (4 << 30) - 1)], {}, False),
        ([BIG], {"a": "it runs other code"}, False),
        ([BIG, SMALL], {"a": "it runs other code"}, True),
    ):
        world.nodes, nodes = live, Nodes(world.said.append, "code", max_wait=0.0, refused=dict(refused))
        if enough:
            nodes.look(NEED)
        else:
            with pytest.raises(NoNodes, match="--max-wait 0 is over"):
                nodes.look(NEED)
    assert world.said == []


def test_patience_ends_when_it_was_said_to(world: SimpleNamespace) -> None:
    nodes = Nodes(world.said.append, "code", max_wait=TOLD_AFTER + 5)
    nodes.look(NEED)
    world.time += TOLD_AFTER + 4.9
    nodes.look(NEED)
    world.time += 0.1
    with pytest.raises(NoNodes, match="the same command continues"):
        nodes.look(NEED)
    assert len(world.said) == 1

"""Waiting for a node: that none can run a task is said once and after a while, and for as long as the user has patience."""

from types import SimpleNamespace

import pytest
from ray.exceptions import RayError

from curation.engine import ray_nodes
from curation.engine.ray_nodes import TOLD_AFTER, Node, Nodes, NoNodes
from curation.errors import Refused

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


def test_live_nodes_are_those_with_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def node(name: str, alive: bool, **resources: float) -> dict[str, object]:
        return {"NodeID": name, "NodeManagerAddress": f"10.0.0.{name}", "Alive": alive, "Resources": resources}

    there = [
        node("1", True, CPU=1.0, memory=5.0),
        node("2", True, CPU=0.5),
        node("3", True),
        node("4", False, CPU=8.0),
        node("5", True, CPU=4),
    ]
    monkeypatch.setattr(ray_nodes, "ray", SimpleNamespace(nodes=lambda: there))
    assert ray_nodes.live_nodes() == [Node("1", "10.0.0.1", 1.0, 5), Node("5", "10.0.0.5", 4.0, 0)]
    assert str(Node("1", "10.0.0.1", 1.0, 3 << 29)) == "10.0.0.1 with 1 CPU and 1.5 GiB of memory"


def test_a_refusal_is_told_once_and_kept_to(world: SimpleNamespace) -> None:
    world.nodes, nodes = [BIG, SMALL], Nodes(world.said.append, "code")
    assert nodes.options() == {}
    for node, reason in (("b", "no disk"), ("b", "no disk"), ("gone", "lost")):
        nodes.refuse(node, reason)
    assert world.said == ["node 10.0.0.2 gets no work: no disk", "node gone gets no work: lost"]
    assert nodes.usable() == [BIG]
    assert nodes.options() == {"label_selector": {"ray.io/node-id": "!in(b,gone)"}}
    world.nodes = [SMALL]
    with pytest.raises(NoNodes, match=r"there: none; 10\.0\.0\.2: no disk; --max-wait 0 is over"):
        Nodes(world.said.append, "code", max_wait=0.0, refused=dict(nodes.refused)).look(NEED)
    world.nodes = [Node("c", "10.0.0.3", 1.0, 1 << 30)]
    with pytest.raises(
        NoNodes, match=r"which asks for 1 CPU and 4\.0 GiB of memory; there: 10\.0\.0\.3 with 1 CPU and 1\.0 GiB of memory; --max"
    ):
        Nodes(world.said.append, "code", max_wait=0.0).look(NEED)


@pytest.mark.parametrize(
    ("blind", "other", "lost", "refused"),
    [
        ("", "", "", ""),
        ("", "a", "", ""),
        ("", "", "b", ""),
        ("", "ab", "", "no node of the cluster can run this: 10.0.0.1: other code, 10.0.0.2: other code"),
        ("b", "", "", r"node 10.0.0.2 cannot do its part: it sees no OUT"),
        ("ab", "", "", r"node 10.0.0.1 \(and 1 more nodes like it\) cannot do its part: it sees no OUT"),
        ("b", "a", "", r"node 10.0.0.2 cannot do its part"),
        ("a", "a", "", ""),
    ],
)
def test_nodes_are_asked_for_their_code_and_then_for_what_they_see(
    world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, blind: str, other: str, lost: str, refused: str
) -> None:
    """Of two nodes, some see no OUT, have other code, or are lost while they are asked."""
    world.nodes = [BIG, SMALL]

    def remote(**_: object) -> object:
        def options(scheduling_strategy: tuple[str, bool]) -> object:
            node, soft = scheduling_strategy
            assert not soft, "another node's answer is of no use"
            return SimpleNamespace(remote=lambda code, needed: (node, code, needed))

        return lambda _: SimpleNamespace(options=options)

    def get(asked: tuple[str, str, tuple[str, ...]]) -> str:
        node, code, needed = asked
        assert code == "code"
        if node in lost:
            raise RayError
        return "other code" if node in other else "it sees no OUT" if needed == ("OUT",) and node in blind else ""

    monkeypatch.setattr(ray_nodes, "ray", SimpleNamespace(remote=remote, get=get))
    monkeypatch.setattr(ray_nodes, "NodeAffinitySchedulingStrategy", lambda node, soft: (node, soft))
    nodes = Nodes(world.said.append, "code")
    if refused:
        with pytest.raises(Refused, match=refused):
            nodes.check(["OUT"])
    else:
        nodes.check(["OUT"])
    assert sorted(nodes.refused) == sorted(other)


def test_a_cluster_without_a_node_yet_is_waited_for(world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_nodes, "ray", SimpleNamespace(remote=lambda **_: lambda _: None))
    Nodes(world.said.append, "code").check(["OUT"])

"""A unit is made again where that may help: how often, after which pause, and what is told meanwhile."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.engine import tries
from curation.engine.runner import Need, TaskOutcome
from curation.engine.stage import Job, Unit, Workspace
from curation.engine.tries import PAUSE, TRIES, last_outcomes
from curation.storage.location import Location
from tests.meeting import meets, met
from tests.toy_stages import Count

AWAY, DEAD, WRONG, WELL = "away", "dead", "wrong", "well"


@dataclass(frozen=True)
class Hardy(Count):
    survives_crashes: ClassVar[bool] = True


class Script:
    """A runner whose units end as a script says, one word for each time; with the last word they end from then on."""

    workers = 1

    def __init__(self, script: dict[str, list[str]]) -> None:
        self.tell: Callable[[str], None] = lambda _: None
        self.script = script
        self.rounds: list[list[str]] = []
        self.isolated: defaultdict[str, list[bool]] = defaultdict(list)
        self.asked: list[Need] = []

    def map(self, task: Any, items: Iterable[Any], needs: Callable[[Any], Need]) -> Iterator[TaskOutcome[Any, Any]]:
        jobs = list(items)
        self.rounds.append([job.unit.name for job in jobs])
        for job in jobs:
            self.asked.append(needs(job))
            self.isolated[job.unit.name].append(job.isolated)
            words = self.script[job.unit.name]
            how = words.pop(0) if len(words) > 1 else words[0]
            if how == WELL:
                yield TaskOutcome(job, result=(job.unit.name, None))
            else:
                yield TaskOutcome(job, error=how, killed=how == DEAD, may_pass=how == AWAY)

    def close(self) -> None:
        pass


def end(script: dict[str, list[str]], stage: Count, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, str], Script, list[int], list[str]]:
    """Return how each unit ended, the runner, the pauses and what was told."""
    pauses: list[int] = []
    monkeypatch.setattr(tries, "time", SimpleNamespace(sleep=pauses.append))
    runner, told = Script({name: list(words) for name, words in script.items()}), list[str]()
    jobs = [Job(stage, Unit(name), "key", Workspace(Location.of("/nowhere"))) for name in script]
    outcomes = list(last_outcomes(runner, jobs, told.append))
    ended = {outcome.item.unit.name: outcome.error or WELL for outcome in outcomes}
    assert len(ended) == len(outcomes) == len(script), "every job gives exactly one outcome"
    return ended, runner, pauses, told


def plain_end(words: list[str], hardy: bool) -> tuple[str, int]:
    """The twin: how a unit ends and how often it is made."""
    told, away, apart = list(words), 0, False
    for times in range(1, 100):
        how = told.pop(0) if len(told) > 1 else told[0]
        away += how == AWAY
        if how == DEAD and hardy and not apart:
            apart = True
        elif how != AWAY or away == TRIES:
            return how, times
    raise AssertionError


@meets(tried=20, apart=20, lasting=5)
@given(
    st.dictionaries(
        st.sampled_from("abcde"), st.lists(st.sampled_from([AWAY, AWAY, DEAD, WRONG, WELL]), min_size=1, max_size=5), min_size=3
    ),
    st.booleans(),
)
def test_units_end_as_those_of_a_plain_twin(script: dict[str, list[str]], hardy: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        ended, runner, pauses, told = end(script, Hardy() if hardy else Count(), patch)
    for name, words in script.items():
        how, times = plain_end(words, hardy)
        assert (ended[name], len(runner.isolated[name])) == (how, times)
        met["tried"] += times > 1
        met["apart"] += runner.isolated[name][-1]
        met["lasting"] += how == AWAY
    assert len(pauses) == len(told)
    assert all(hardy or not any(apart) for apart in runner.isolated.values())


def test_pauses_grow_and_say_how_many_units_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    script = {"a": [AWAY], "b": [AWAY, WELL], "c": [WELL], "d": [DEAD, WELL]}
    ended, runner, pauses, told = end(script, Hardy(), monkeypatch)
    assert ended == {"a": AWAY, "b": WELL, "c": WELL, "d": WELL}
    assert runner.rounds == [["a", "b", "c", "d"], ["a", "b", "d"], ["a"]]
    assert runner.isolated["d"] == [False, True]
    assert pauses == [PAUSE, 4 * PAUSE]
    assert told == [
        f"2 of 4 units failed because a store did not answer: tried again in {PAUSE} s",
        f"1 of 3 units failed because a store did not answer: tried again in {4 * PAUSE} s",
    ]
    assert runner.asked[0] == Need("a of 1-count", Count().memory(Unit("a")))


def test_a_unit_that_is_made_apart_waits_for_no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    ended, _, pauses, told = end({"a": [DEAD, DEAD], "b": [WRONG]}, Hardy(), monkeypatch)
    assert (ended, pauses, told) == ({"a": DEAD, "b": WRONG}, [], [])

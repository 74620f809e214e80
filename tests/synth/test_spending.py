"""What questions have cost: a line for each task, teacher and outcome, with what the largest teacher alone would have cost."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from curation.engine.stage import Output
from curation.storage.location import Location
from curation.storage.shards import Shard
from synth.ask.desk import Desk
from synth.ask.teacher import Reply, Request, Teacher
from synth.questions import Conversation, Question
from synth.spending import Spending
from synth.task import Draft, Seed, Task, Work

ASKED = Request("asking", {}, (), {}, "m", {})


@dataclass(frozen=True)
class Priced(Teacher):
    """A teacher whose tokens have a price each."""

    model: str = "small"
    each: float | None = 1.0

    @property
    def asked_model(self) -> str:
        return self.model

    def identity(self) -> Mapping[str, Any]:
        return {"model": self.model}

    def ask(self, requests: Iterable[Request], desk: Desk) -> AsyncIterator[tuple[Request, Reply]]:
        raise NotImplementedError

    def price(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        return None if self.each is None else self.each * (prompt_tokens + completion_tokens)


@dataclass(frozen=True)
class ByRule(Priced):
    """A teacher that costs nothing, because it works by rule."""

    proves: ClassVar[bool] = True


@dataclass(frozen=True)
class Asking(Task):
    """A task of which only the name counts here."""

    def draft(self, number: int, seed: Seed | None) -> Draft:
        raise NotImplementedError

    def work(self, brief: Mapping[str, Any], heard: Any) -> Work:
        raise NotImplementedError


SMALL, LARGE, RULES = Priced(), Priced("large", 10.0), ByRule("rules")
TASK = Asking()


def question(*ladder: Teacher) -> Question:
    return Question(0, TASK, ASKED, Draft({}, (), {}, "t/1"), ladder)


def reply(prompt: int | None, completion: int | None, cost: float | None) -> tuple[Request, Reply]:
    return ASKED, Reply("text", prompt_tokens=prompt, completion_tokens=completion, cost=cost)


def outcomes(folder: Path, accepted: list[int], rejected: Mapping[int, str]) -> list[Shard]:
    output = Output(Location.of(folder))
    output.write("synthetic-00000", pa.table({"offset": pa.array(accepted, pa.int64())}))
    output.write("synthetic-00000-rejected", pa.table({"offset": pa.array(list(rejected), pa.int64()), "rule": list(rejected.values())}))
    return output.shards


def line(teacher: Teacher, outcome: str, rows: int, tries: int, tokens: int, usd: float | None, largest: float | None) -> dict[str, Any]:
    facts = {"rows": rows, "tries": tries, "tokens": tokens, "usd": usd, "usd_of_largest": largest}
    return {"task": TASK.name(), "teacher": teacher.label, "outcome": outcome, **facts}


def test_a_teacher_alone_costs_what_its_replies_cost(tmp_path: Path) -> None:
    spending = Spending()
    for replies in ([reply(10, 5, 0.25), reply(None, 2, 0.5)], [reply(None, None, 0.0)], [reply(1, 1, None)]):
        spending.add(question(SMALL), Conversation(replies, [], SMALL))
    assert spending.table(outcomes(tmp_path, [0], {1: "wrong_answer", 2: "empty"})) == [
        line(SMALL, "accepted", 1, 1, 17, 0.75, 0.75),
        line(SMALL, "empty", 1, 1, 2, None, None),
        line(SMALL, "wrong_answer", 1, 1, 0, 0.0, 0.0),
    ]


def test_a_ladder_costs_all_its_calls_and_is_compared_with_its_last_teacher(tmp_path: Path) -> None:
    spending = Spending()
    spending.add(question(SMALL, LARGE), Conversation([reply(10, 5, 15.0)], [], SMALL))
    climbed = Conversation([reply(20, 20, 400.0)], [], LARGE, 2, [(SMALL, reply(7, None, 7.0)), (SMALL, reply(None, 1, 1.0))])
    for _ in range(2):
        spending.add(question(SMALL, LARGE), climbed)
    assert spending.table(outcomes(tmp_path, [0, 1, 2], {})) == [
        line(SMALL, "accepted", 1, 1, 15, 15.0, 150.0),
        line(LARGE, "accepted", 2, 4, 96, 816.0, 160.0),
    ]


def test_rules_are_listed_only_where_somebody_was_paid_before(tmp_path: Path) -> None:
    spending = Spending()
    spending.add(question(RULES), Conversation([reply(None, None, None)], [], RULES))
    spending.add(question(SMALL, RULES), Conversation([reply(None, None, 0.0)], [], RULES, 2, [(SMALL, reply(3, 1, 4.0))]))
    assert spending.table(outcomes(tmp_path, [0, 1], {})) == [line(RULES, "accepted", 1, 2, 4, 4.0, 4.0)]

"""Replies are durable, found again, and paid for once; the budget is a contract."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import CorruptShard, RecipeError, Refused, UsageError
from synth.ask.asking import PATIENCE, ask_missing
from synth.ask.budget import Budget
from synth.ask.desk import Desk
from synth.ask.flow import bounded
from synth.ask.reply_log import FILE, ReplyLog
from synth.ask.retrying import ordered_pause, pause
from synth.ask.teacher import FINAL, PASSING, SETUP, Reply, Request, Teacher, build_teacher, teachers
from tests.meeting import meets, met


def request(number: int = 0, **changes: Any) -> Request:
    asked = Request("task", {"n": number}, ({"role": "user", "content": "?"},), {"max_tokens": 10}, "m", {"name": "t"}, {"type": "object"})
    return replace(asked, **changes)


@dataclass(frozen=True)
class Scripted(Teacher):
    """Answers from a script: number -> reply; counts what it was asked."""

    replies: Mapping[int, Reply] = field(default_factory=dict, hash=False)
    price: float | None = 0.0
    asked: list[int] = field(default_factory=list, hash=False, compare=False)

    @property
    def asked_model(self) -> str:
        return "m"

    def identity(self) -> Mapping[str, Any]:
        return {"name": "scripted"}

    def worst_cost(self, request: Request) -> float | None:
        return None if self.price is None else 2 * self.price

    async def ask(self, requests: Iterable[Request], desk: Desk) -> AsyncIterator[tuple[Request, Reply]]:
        async def answer(request: Request, worst: float) -> Reply:
            self.asked.append(request.brief["n"])
            await asyncio.sleep(0)
            desk.budget.settle(worst, self.price or 0.0)
            return self.replies.get(request.brief["n"], Reply(f"answer {request.brief['n']}", "stop", cost=self.price))

        async for pair in bounded(requests, answer, lambda request: self.worst_cost(request) or 0.0, lambda: 4, desk.budget):
            yield pair


def silent(line: str) -> None:
    del line


@pytest.mark.parametrize(
    "change",
    [
        {"task": "other"},
        {"brief": {"n": 1}},
        {"messages": ({"role": "user", "content": "!"},)},
        {"parameters": {"max_tokens": 11}},
        {"model": "n"},
        {"teacher": {"name": "u"}},
        {"schema": None},
        {"sample": 1},
    ],
)
def test_the_key_is_of_the_whole_request(change: dict[str, Any]) -> None:
    assert request().key == request().key
    assert request(**change).key != request().key


def test_failures_have_one_kind() -> None:
    assert not PASSING & SETUP
    assert not PASSING & FINAL
    assert not SETUP & FINAL
    assert Reply("x").final
    assert Reply(error="truncated").final
    assert not Reply(error="rate").final


def test_only_its_owner_may_read_a_log(tmp_path: Path) -> None:
    with ReplyLog.open(tmp_path):
        assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_replies_are_found_again(tmp_path: Path) -> None:
    with ReplyLog.open(tmp_path) as log:
        log.append(request(1), Reply("ünïcode\nline\u2028", "stop", 3, 4, cost=0.5))
        assert log.get(request(1).key).text == "ünïcode\nline\u2028"
    with ReplyLog.open(tmp_path) as log:
        assert len(log) == 1
        assert log.answered(request(1).key)
        assert not log.answered(request(2).key)
        assert log.get(request(1).key) == Reply("ünïcode\nline\u2028", "stop", 3, 4, cost=0.5)
        with pytest.raises(KeyError):
            log.get(request(2).key)


def test_the_later_reply_stands_and_a_passing_failure_is_no_answer(tmp_path: Path) -> None:
    with ReplyLog.open(tmp_path) as log:
        log.append(request(), Reply(error="rate"))
        assert not log.answered(request().key)
        log.append(request(), Reply("at last", "stop"))
    with ReplyLog.open(tmp_path) as log:
        assert log.answered(request().key)
        assert log.get(request().key).text == "at last"


@meets(torn=20, complete=10)
@given(st.data())
def test_a_log_that_is_cut_anywhere_loses_only_the_torn_line(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("log")
    with ReplyLog.open(folder) as log:
        for n in range(4):
            log.append(request(n), Reply(f"answer {n}", "stop"))
    whole = (folder / FILE).read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    (folder / FILE).write_bytes(whole[:cut])
    complete = whole[:cut].count(b"\n")
    cut_at_the_newline_only = whole[cut : cut + 1] == b"\n" and cut > 0
    with ReplyLog.open(folder) as log:
        assert len(log) == complete + cut_at_the_newline_only
        log.append(request(9), Reply("after", "stop"))
        assert log.get(request(9).key).text == "after"
    with ReplyLog.open(folder) as log:
        assert len(log) == complete + cut_at_the_newline_only + 1
        assert log.get(request(9).key).text == "after"
        assert all(log.get(request(n).key).text == f"answer {n}" for n in range(complete))
    met["torn"] += not whole[:cut].endswith(b"\n") and not cut_at_the_newline_only
    met["complete"] += complete


def test_a_flipped_byte_is_noticed_and_nothing_is_deleted(tmp_path: Path) -> None:
    with ReplyLog.open(tmp_path) as log:
        for n in range(3):
            log.append(request(n), Reply(f"answer {n}", "stop"))
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole.replace(b"answer 1", b"answer 7"))
    with ReplyLog.open(tmp_path) as log:
        assert log.damaged_lines == 1
        assert not log.answered(request(1).key)
        assert log.get(request(2).key).text == "answer 2"
        descriptor = os.open(tmp_path / FILE, os.O_WRONLY)
        os.pwrite(descriptor, b"#", 5)
        os.close(descriptor)
        with pytest.raises(CorruptShard, match="changed"):
            log.get(request(0).key)
    assert len((tmp_path / FILE).read_bytes()) == len(whole)


@pytest.mark.parametrize("foreign", [b'{"prompt": "a", "reply": "b"}\n' * 3, b"notes\n", b"\0\0\0\0", b"\n", b'[{"checksum":"0"}]\n'])
def test_a_file_that_is_no_log_is_refused_and_stays_as_it_is(tmp_path: Path, foreign: bytes) -> None:
    (tmp_path / FILE).write_bytes(foreign)
    with pytest.raises(Refused, match="is not a reply log of this program"), ReplyLog.open(tmp_path):
        pass
    assert (tmp_path / FILE).read_bytes() == foreign
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("length", [0, 1, 12, 13, 60])
def test_a_log_of_which_only_a_torn_line_is_left_is_ours(tmp_path: Path, length: int) -> None:
    with ReplyLog.open(tmp_path) as log:
        log.append(request(), Reply("a", "stop"))
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[:length])
    with ReplyLog.open(tmp_path) as log:
        assert (len(log), log.damaged_lines) == (0, int(length > 0))


def test_two_writers_are_refused(tmp_path: Path) -> None:
    with ReplyLog.open(tmp_path), pytest.raises(Refused, match="another run"), ReplyLog.open(tmp_path):
        pass


def test_what_is_answered_is_not_asked_again(tmp_path: Path) -> None:
    teacher = Scripted()
    with ReplyLog.open(tmp_path) as log:
        assert ask_missing([(request(n), teacher) for n in range(10)], log, Budget(), silent) == 10
        assert ask_missing([(request(n), teacher) for n in range(12)], log, Budget(), silent) == 2
    assert sorted(teacher.asked) == list(range(12))


def test_passing_failures_are_asked_again_and_final_ones_are_not(tmp_path: Path) -> None:
    teacher = Scripted({1: Reply(error="timeout"), 2: Reply(error="truncated")})
    with ReplyLog.open(tmp_path) as log:
        for _ in range(2):
            ask_missing([(request(n), teacher) for n in range(4)], log, Budget(), silent)
    assert teacher.asked.count(1) == 2
    assert teacher.asked.count(2) == 1


def test_a_wrong_set_up_stops_the_run_and_keeps_what_came(tmp_path: Path) -> None:
    teacher = Scripted({2: Reply(error="auth", detail="set the right key")})
    with ReplyLog.open(tmp_path) as log:
        with pytest.raises(Refused, match="set the right key"):
            ask_missing([(request(n), teacher) for n in range(100)], log, Budget(), silent)
        assert 3 <= len(teacher.asked) < 20
        assert len(log) == len(teacher.asked) - 1, "the refusal is stored as no answer"


def test_a_dead_endpoint_stops_the_run(tmp_path: Path) -> None:
    teacher = Scripted({n: Reply(error="server", detail="no route") for n in range(10, 200)})
    with ReplyLog.open(tmp_path) as log, pytest.raises(Refused, match="no route"):
        ask_missing([(request(n), teacher) for n in range(200)], log, Budget(), silent)
    at_once = 4
    assert 10 + PATIENCE <= len(teacher.asked) <= 10 + PATIENCE + 2 * at_once


def test_a_budget_is_of_all_commands_and_the_same_command_goes_on_with_a_larger_one(tmp_path: Path) -> None:
    teacher = Scripted(price=0.1)
    asked = [(request(n), teacher) for n in range(20)]
    done = []
    for limit in (1.0, 1.0, 1.5, 3.0):
        with ReplyLog.open(tmp_path) as log:
            budget = Budget(limit, log.spent_before)
            try:
                ask_missing(asked, log, budget, silent)
            except Refused as refused:
                assert "budget" in str(refused)
                assert refused.exit_code == 3
            assert budget.spent <= limit + 1e-9
            assert abs(budget.reserved) < 1e-9
            done.append(len(log))
    assert done == [9, 9, 14, 20]
    assert sorted(teacher.asked) == list(range(20))


def test_a_budget_without_prices_is_refused(tmp_path: Path) -> None:
    with ReplyLog.open(tmp_path) as log, pytest.raises(UsageError, match="prices"):
        ask_missing([(request(), Scripted(price=None))], log, Budget(1.0), silent)


@meets(paid=80, refused=36)
@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 1)), max_size=40), st.floats(0.1, 10))
def test_spent_and_reserved_never_exceed_the_limit(calls: list[tuple[float, float]], limit: float) -> None:
    budget = Budget(limit)
    for worst, share in calls:
        if budget.reserve(worst):
            assert budget.spent + budget.reserved <= limit + 1e-9
            budget.settle(worst, worst * share)
            met["paid"] += worst > 0
        else:
            met["refused"] += 1
    assert budget.spent <= limit + 1e-9


def test_backoff_grows_is_bounded_and_follows_orders() -> None:
    for attempt in range(1, 12):
        seconds = pause("key", attempt, 1.0, 30.0, None)
        assert 0 <= seconds <= min(30.0, 2.0 ** (attempt - 1))
        assert seconds == pause("key", attempt, 1.0, 30.0, None)
        assert 7.0 <= pause("key", attempt, 1.0, 30.0, 7.0) <= 8.0
    assert len({pause(str(n), 5, 1.0, 30.0, None) for n in range(50)}) == 50


def test_orders_to_wait_are_read() -> None:
    assert ordered_pause({"retry-after": "3"}) == 3.0
    assert ordered_pause({"retry-after-ms": "250", "retry-after": "9"}) == 0.25
    assert ordered_pause({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    assert ordered_pause({"retry-after": "soon"}) is None
    assert ordered_pause({}) is None


def test_teachers_are_found_by_name() -> None:
    assert {"openai", "procedural"} <= set(teachers())
    assert build_teacher({"name": "procedural"}).label == "procedural"
    with pytest.raises(RecipeError, match="did you mean 'procedural'"):
        build_teacher({"name": "procedual"})
    with pytest.raises(RecipeError, match="did you mean 'base_url'"):
        build_teacher({"name": "openai", "model": "m", "base_ulr": "http://x"})


def test_lines_are_json(tmp_path: Path) -> None:
    with ReplyLog.open(tmp_path) as log:
        log.append(request(), Reply("a", "stop"))
    (line,) = (tmp_path / FILE).read_text().splitlines()
    assert json.loads(line)["reply"]["text"] == "a"

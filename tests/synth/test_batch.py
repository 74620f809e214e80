"""The Batch API on a loopback server: any order, an error file, expiry, refusals, and commands that are killed under way."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from curation.errors import Refused
from synth.ask.asking import ask_all
from synth.ask.budget import Budget
from synth.ask.desk import Desk
from synth.ask.reply_log import ReplyLog
from synth.ask.teacher import Reply, Request
from synth.openai_teacher import OpenAITeacher
from tests.batch_endpoint import BatchEndpoint, serving_batches
from tests.endpoint import Answer, completion, failure

GOOD = '{"a": 1}'
PROGRAM = """
import sys
from pathlib import Path
from tests.synth.test_batch import ask
ask(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
"""


def request(number: int) -> Request:
    return Request("t", {"n": number}, ({"role": "user", "content": f"question {number}"},), {"max_tokens": 50}, "m", {"name": "openai"})


def teacher(url: str, **changes: Any) -> OpenAITeacher:
    quick: dict[str, Any] = {"first_pause": 0.001, "longest_pause": 0.002, "batch_poll": 0.02, "input_price": 1.0, "output_price": 2.0}
    return OpenAITeacher("m", url, batch=True, max_attempts=3, **{**quick, **changes})


def ask(folder: Path, url: str, count: int, **changes: Any) -> tuple[dict[int, Reply], float, list[str]]:
    told: list[str] = []
    with ReplyLog.open(folder) as log:
        missing = [each for each in map(request, range(count)) if not log.answered(each.key)]
        budget = Budget(None, log.spent_before)
        ask_all(teacher(url, **changes), missing, len(missing), log, Desk(budget, log, told.append, log.folder))
        replies = {number: log.get(request(number).key) for number in range(count)}
    with ReplyLog.open(folder) as log:
        assert log.spent_before == pytest.approx(budget.spent), "what a command counts is what the log says"
    return replies, budget.spent, told


def number_of(body: dict[str, Any]) -> int:
    return int(body["messages"][-1]["content"].split()[-1])


def cost(endpoint: BatchEndpoint) -> float:
    return sum(endpoint.paid.values()) * 0.5 * (10 * 1.0 + 20 * 2.0) / 1e6


def test_results_in_any_order_go_to_the_log_at_half_the_price(tmp_path: Path) -> None:
    with serving_batches(lambda body, _: completion(f"answer {number_of(body)}")) as endpoint:
        replies, spent, _ = ask(tmp_path, endpoint.url, 25, batch_requests=10)
    assert {number: reply.text for number, reply in replies.items()} == {number: f"answer {number}" for number in range(25)}
    assert len(endpoint.batches) == 3, "at most ten a batch"
    assert set(endpoint.paid.values()) == {1}
    assert spent == pytest.approx(cost(endpoint))
    assert replies[0] == Reply("answer 0", "stop", 10, 20, attempts=1, cost=pytest.approx(25e-6))
    assert not list((tmp_path / "batches").iterdir())


def test_what_the_batch_refuses_loses_or_does_not_reach_in_time_has_a_fate(tmp_path: Path) -> None:
    def answer(body: dict[str, Any], time: int) -> Answer | str:
        first = time == 1
        kinds: dict[int, Any] = {
            0: failure(400, "content management policy", "content_filter"),
            1: "expired" if first else completion(GOOD),
            2: "lost" if first else completion(GOOD),
            3: failure(429, "slow down") if first else completion(GOOD),
            4: completion("half", "length"),
            5: "expired",
        }
        return kinds.get(number_of(body), completion(GOOD))  # type: ignore[no-any-return]

    with serving_batches(answer) as endpoint:
        replies, spent, _ = ask(tmp_path, endpoint.url, 8)
    assert {number: reply.error for number, reply in replies.items()} == {
        0: "refused", 1: None, 2: None, 3: None, 4: "truncated", 5: "timeout", 6: None, 7: None,
    }  # fmt: skip
    assert not replies[5].final, "the next run asks it again"
    assert replies[4].attempts == 2, "an answer that is cut is asked again once, with twice the limit"
    assert spent == pytest.approx(cost(endpoint))


def test_a_batch_that_is_refused_as_a_whole_is_told_or_waits(tmp_path: Path) -> None:
    with serving_batches(lambda body, _: completion(GOOD)) as endpoint:
        endpoint.refuse = ("model_not_found", "The model `m` does not exist.")
        with pytest.raises(Refused, match="has no model 'm'"):
            ask(tmp_path / "a", endpoint.url, 3)
        endpoint.refuse = ("token_limit_exceeded", "Enqueued token limit reached for m. Limit: 90,000 enqueued tokens.")
        replies, _, _ = ask(tmp_path / "b", endpoint.url, 3)
    assert {reply.error for reply in replies.values()} == {None}
    assert len(endpoint.batches) == 3
    with pytest.raises(Refused, match="needs a log"), ReplyLog.open(tmp_path) as log:
        ask_all(teacher("http://127.0.0.1:1/v1"), [request(0)], 1, log, Desk())


@pytest.mark.parametrize("ended", ["while it waits", "before it is sent"])
def test_a_killed_command_s_batch_is_collected_and_paid_once(tmp_path: Path, ended: str) -> None:
    with serving_batches(lambda body, _: completion(f"answer {number_of(body)}")) as endpoint:
        endpoint.looks = 10**9
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path), endpoint.url, "40"], env=os.environ)
        until = time.monotonic() + 60
        while not endpoint.looked and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        with endpoint.lock:
            if ended == "before it is sent":
                endpoint.batches.clear()
            endpoint.looks = 1
        with ReplyLog.open(tmp_path) as log:
            assert log.spent_before > 0, "until its batch is read, it counts at its worst"
        replies, spent, told = ask(tmp_path, endpoint.url, 45)
    assert {number: reply.text for number, reply in replies.items()} == {number: f"answer {number}" for number in range(45)}
    assert set(endpoint.paid.values()) == {1}
    assert spent == pytest.approx(cost(endpoint))
    assert any("of an ended command" in line for line in told) == (ended == "while it waits")
    assert not list((tmp_path / "batches").iterdir())


def test_lines_that_are_no_results_are_passed_over() -> None:
    from synth.ask.batch import _outcome
    from synth.ask.failures import Where

    where = Where("there", "m", "", 1.0)
    for line in (b"", b"{", b"[]", b"7", b'{"custom_id": 1}', json.dumps({"custom_id": "a", "response": {"status_code": None}}).encode()):
        found = _outcome(line, where)
        assert found is None or found[0] in ("1", "a")

"""The openai teacher against a real HTTP server on the loopback interface."""

import asyncio
import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curation.errors import RecipeError, Refused
from synth.ask.asking import ask_all, ask_missing
from synth.ask.budget import Budget
from synth.ask.desk import Desk
from synth.ask.reply_log import ReplyLog
from synth.ask.teacher import Reply, Request, build_teacher
from synth.openai_teacher import OpenAITeacher
from tests.endpoint import Answer, Endpoint, completion, failure, serving

KEY = "canary-7f3a9c51e2"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_ENDPOINT_KEY", KEY)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def teacher(endpoint: Endpoint, **changes: Any) -> OpenAITeacher:
    quick: dict[str, Any] = {"first_pause": 0.001, "longest_pause": 0.01, "timeout": 5.0, "max_attempts": 4}
    return OpenAITeacher(model="m", base_url=endpoint.url, key_variable="TEST_ENDPOINT_KEY", **{**quick, **changes})


def request(number: int = 0, **changes: Any) -> Request:
    asked = Request(
        "task", {"n": number}, ({"role": "user", "content": f"question {number}"},), {"max_tokens": 100}, "m", {"name": "openai"}
    )
    return replace(asked, **changes)


def ask(asked: OpenAITeacher, *requests: Request, budget: Budget | None = None) -> dict[int, Reply]:
    async def collect() -> dict[int, Reply]:
        return {request.brief["n"]: reply async for request, reply in asked.ask(requests, Desk(budget or Budget()))}

    return asyncio.run(collect())


def number_in(body: dict[str, Any]) -> int:
    return int(body["messages"][-1]["content"].split()[-1])


def test_what_is_sent_and_what_comes_back() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    with serving(lambda body, _: completion('{"a": 1}')) as endpoint:
        asked = teacher(endpoint, input_price=0.15, output_price=0.6)
        reply = ask(asked, request(schema=schema, parameters={"max_tokens": 100, "temperature": 0.5}))[0]
    assert reply == Reply('{"a": 1}', "stop", 10, 20, attempts=1, cost=(10 * 0.15 + 20 * 0.6) / 1e6)
    (body,) = endpoint.bodies
    assert body["model"] == "m"
    assert body["max_tokens"] == 100
    assert body["temperature"] == 0.5
    assert body["messages"] == [{"role": "user", "content": "question 0"}]
    assert body["response_format"]["json_schema"] == {"name": "task", "schema": schema, "strict": True}
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(("structured", "expected"), [("object", {"type": "json_object"}), ("text", None)])
def test_other_ways_to_ask_for_json(structured: Any, expected: Any) -> None:
    with serving(lambda body, _: completion("{}")) as endpoint:
        ask(teacher(endpoint, structured=structured, limit_name="max_completion_tokens"), request(schema={"type": "object"}))
    assert endpoint.bodies[0].get("response_format") == expected
    assert endpoint.bodies[0]["max_completion_tokens"] == 100
    assert "max_tokens" not in endpoint.bodies[0]


def test_azure_is_spoken_to_as_azure() -> None:
    with serving(lambda body, _: completion("ok")) as endpoint:
        asked = OpenAITeacher("deployed", endpoint.url.removesuffix("/v1"), "2024-10-21", "TEST_ENDPOINT_KEY")
        assert ask(asked, request(model="deployed"))[0].text == "ok"
    assert endpoint.paths[0] == "/openai/deployments/deployed/chat/completions?api-version=2024-10-21"
    assert endpoint.headers[0]["api-key"] == KEY


def test_a_compressed_answer_is_read_and_one_of_too_many_bytes_is_not() -> None:
    def answer(body: dict[str, Any], _: int) -> Answer:
        said = completion("ok" if number_in(body) == 0 else "no " * (12 << 20)).body
        return Answer(body=gzip.compress(said, 1), headers={"Content-Encoding": "gzip"})

    with serving(answer) as endpoint:
        replies = ask(teacher(endpoint, max_attempts=1), request(0), request(1))
    assert (replies[0].text, replies[1].error) == ("ok", "bad_response")
    assert "more than 32 MiB" in (replies[1].detail or "")


@pytest.mark.parametrize("azure_api_version", [None, "2024-10-21"])
def test_a_redirect_takes_no_key_to_another_host(azure_api_version: str | None) -> None:
    with serving(lambda body, _: completion("ok")) as other:
        elsewhere = Answer(307, headers={"Location": f"{other.url}/chat/completions"})
        with serving(lambda body, _: elsewhere) as endpoint:
            reply = ask(teacher(endpoint, azure_api_version=azure_api_version), request())[0]
    assert [name for headers in other.headers for name in ("authorization", "api-key") if name in headers] == []
    assert KEY not in json.dumps(other.headers)
    assert (reply.text, reply.error) == (("ok", None) if azure_api_version is None else ("", "setup"))


@pytest.mark.parametrize(
    "first",
    [
        failure(429, "slow down"),
        failure(500),
        failure(503, retry_after="0"),
        failure(529),
        failure(408),
        Answer(body=b'{"choices": [', headers={}),
        Answer(body=b"<html>gateway</html>"),
        Answer(body=b'{"id": "c", "object": "chat.completion", "created": 0, "model": "m", "choices": []}'),
        Answer(body=b'{"unexpected": true}'),
        Answer(body=b"null"),
        replace(completion("half"), cut=True),
    ],
)
def test_passing_failures_are_tried_again(first: Answer) -> None:
    with serving(lambda body, number: first if number < 2 else completion("at last")) as endpoint:
        reply = ask(teacher(endpoint), request())[0]
    assert (reply.text, reply.error, reply.attempts) == ("at last", None, 3)


@pytest.mark.parametrize(
    ("told", "error"),
    [
        (failure(429), "rate"),
        (failure(502), "server"),
        (Answer(body=b"{}"), "bad_response"),
        (replace(completion("x"), cut=True), "server"),
    ],
)
def test_a_failure_that_does_not_pass_is_a_reply(told: Answer, error: str) -> None:
    with serving(lambda body, _: told) as endpoint:
        reply = ask(teacher(endpoint), request())[0]
    assert reply.error == error
    assert not reply.final
    assert reply.attempts == len(endpoint.bodies) == 4


def test_a_hanging_call_times_out() -> None:
    with serving(lambda body, number: replace(completion("late"), hang=0.6 if number == 0 else 0.0)) as endpoint:
        assert ask(teacher(endpoint, timeout=0.2), request())[0].text == "late"
        reply = ask(teacher(endpoint, timeout=0.2, max_attempts=1), request())[0]
        assert reply.error is None
        endpoint.answer = lambda body, _: replace(completion("late"), hang=0.5)
        reply = ask(teacher(endpoint, timeout=0.1, max_attempts=2), request())[0]
    assert (reply.error, reply.attempts) == ("timeout", 2)


def test_nobody_listens() -> None:
    with serving(lambda body, _: completion("x")) as endpoint:
        pass
    reply = ask(teacher(endpoint, max_attempts=2), request())[0]
    assert reply.error == "server"
    assert endpoint.url in (reply.detail or "")


def test_a_dead_endpoint_is_told_while_it_is_asked_again(tmp_path: Path) -> None:
    with serving(lambda body, _: completion("{}")) as endpoint:
        dead = teacher(endpoint)
    told: list[str] = []
    with ReplyLog.open(tmp_path) as log:
        ask_all(dead, map(request, range(3)), 3, log, Desk(Budget(), log, told.append))
    (line,) = told
    assert endpoint.url in line
    assert "cannot be reached" in line
    assert line.endswith("such requests are asked again")


def test_retry_after_is_honoured_and_holds_the_others() -> None:
    with serving(lambda body, number: failure(429, retry_after_ms="300") if number == 0 else completion("ok")) as endpoint:
        replies = ask(teacher(endpoint, concurrency=2), *(request(n) for n in range(6)))
    assert all(reply.text == "ok" for reply in replies.values())
    assert len(endpoint.times) == 7
    assert all(later - endpoint.times[0] >= 0.28 for later in endpoint.times[2:])


@pytest.mark.parametrize(
    ("told", "error", "fix"),
    [
        (failure(401, "Incorrect API key"), "auth", "TEST_ENDPOINT_KEY"),
        (failure(403), "auth", "TEST_ENDPOINT_KEY"),
        (failure(404, "model not found"), "setup", "correct model or base_url"),
        (failure(410), "setup", "correct model"),
        (failure(429, "You exceeded your current quota", "insufficient_quota"), "setup", "credit"),
        (failure(400, "Invalid schema for response_format"), "setup", "structured"),
        (failure(400, "This model's maximum context length is 8192 tokens", "context_length_exceeded"), "context_too_long", "max_bytes"),
        (failure(400, "filtered", "content_filter"), "refused", "filter"),
        (failure(400, "unknown field"), "bad_request", "unknown field"),
        (failure(422), "bad_request", "422"),
    ],
)
def test_other_failures_fail_fast_and_name_the_fix(told: Answer, error: str, fix: str) -> None:
    with serving(lambda body, _: told) as endpoint:
        reply = ask(teacher(endpoint), request())[0]
    assert reply.error == error
    assert fix in (reply.detail or "")
    assert len(endpoint.bodies) == 1


def test_a_cut_answer_is_asked_once_more_with_twice_the_room() -> None:
    with serving(lambda body, _: completion("cut", "length") if body["max_tokens"] == 100 else completion("whole")) as endpoint:
        reply = ask(teacher(endpoint), request())[0]
    assert (reply.text, reply.error, reply.attempts, reply.completion_tokens) == ("whole", None, 2, 40)
    with serving(lambda body, _: completion("cut", "length")) as endpoint:
        reply = ask(teacher(endpoint), request())[0]
    assert (reply.error, reply.attempts, reply.final) == ("truncated", 2, True)
    assert [body["max_tokens"] for body in endpoint.bodies] == [100, 200]


@pytest.mark.parametrize("told", [completion("", "content_filter"), completion(None, refusal="I would rather not")])
def test_a_withheld_answer_is_a_failed_reply(told: Answer) -> None:
    with serving(lambda body, _: told) as endpoint:
        reply = ask(teacher(endpoint), request())[0]
    assert (reply.error, reply.final) == ("refused", True)
    assert len(endpoint.bodies) == 1


def test_concurrency_is_bounded_and_used() -> None:
    with serving(lambda body, _: replace(completion(f"answer {number_in(body)}"), hang=0.05)) as endpoint:
        replies = ask(teacher(endpoint, concurrency=4), *(request(n) for n in range(16)))
    assert endpoint.most_at_once == 4
    assert {n: reply.text for n, reply in replies.items()} == {n: f"answer {n}" for n in range(16)}


def test_a_budget_holds_whatever_the_endpoint_charges(tmp_path: Path) -> None:
    with serving(lambda body, _: completion("dear", prompt=30, answer=90)) as endpoint:
        asked = teacher(endpoint, input_price=10.0, output_price=100.0, concurrency=3)
        one = (30 * 10 + 90 * 100) / 1e6
        worst = asked.worst_cost(request())
        assert worst is not None
        assert worst >= one
        budget = Budget(worst + 5 * one)
        pairs = [(request(n), asked) for n in range(40)]
        with ReplyLog.open(tmp_path) as log:
            with pytest.raises(Refused, match="budget"):
                ask_missing(pairs, log, budget, lambda line: None)
            done = len(log)
            assert 5 <= done < 40
            assert budget.spent == pytest.approx(done * one)
            assert budget.spent <= worst + 5 * one
            ask_missing(pairs, log, Budget(), lambda line: None)
            assert len(log) == 40
    assert len(endpoint.bodies) == 40


def test_a_call_reserves_its_answer_and_the_longer_one_after_it() -> None:
    reserved: list[float] = []
    budget = Budget(100.0)

    def answer(body: dict[str, Any], number: int) -> Answer:
        reserved.append(budget.reserved)
        return completion("fine")

    with serving(answer) as endpoint:
        asked = teacher(endpoint, input_price=1.0, output_price=1000.0)
        ask(asked, request(), budget=budget)
    assert len(reserved) == 1
    assert 300 * 1000 / 1e6 < reserved[0] < 301 * 1000 / 1e6, "100 tokens at first, 200 if that was too short, and the prompt twice"
    assert budget.reserved == pytest.approx(0)


def test_an_unknown_outcome_counts_at_its_worst() -> None:
    with serving(lambda body, _: replace(completion("late"), hang=0.5)) as endpoint:
        asked = teacher(endpoint, timeout=0.1, max_attempts=2, input_price=1.0, output_price=1.0)
        budget = Budget(100.0)
        reply = ask(asked, request(), budget=budget)[0]
    assert reply.error == "timeout"
    assert reply.cost is not None
    assert reply.cost >= 2 * 100 / 1e6
    assert budget.spent == pytest.approx(reply.cost)
    assert budget.reserved == pytest.approx(0)


def test_the_key_is_struck_out_wherever_the_endpoint_echoes_it(tmp_path: Path) -> None:
    def echo(body: dict[str, Any], number: int) -> Answer:
        return completion(f"your key is {KEY}") if number == 0 else failure(400 if number_in(body) == 1 else 500, f"bad key {KEY}")

    told: list[str] = []
    with serving(echo) as endpoint:
        asked = teacher(endpoint, concurrency=1)
        with ReplyLog.open(tmp_path) as log:
            ask_missing([(request(n), asked) for n in range(3)], log, Budget(), told.append)
            texts = [log.get(request(n).key) for n in range(2)]
    assert texts[0].text == "your key is [key]"
    assert "[key]" in (texts[1].detail or "")
    assert any("[key]" in line and line.endswith("; such requests are asked again") for line in told), told
    assert KEY not in str(told)
    assert not any(KEY.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert KEY not in repr(asked) + json.dumps(dict(asked.identity()))


def test_half_a_surrogate_pair_loses_no_reply(tmp_path: Path) -> None:
    with serving(lambda body, _: completion("half \ud800 a pair")) as endpoint, ReplyLog.open(tmp_path) as log:
        ask_missing([(request(), teacher(endpoint))], log, Budget(), lambda line: None)
        assert log.get(request().key).text == "half ? a pair"


def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_ENDPOINT_KEY")
    with serving(lambda body, _: completion("x")) as endpoint:
        with pytest.raises(Refused, match="TEST_ENDPOINT_KEY"):
            ask(teacher(endpoint), request())
        assert ask(replace(teacher(endpoint), key_variable=""), request())[0].text == "x"


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "http://me:secret@host/v1"},
        {"base_url": "host/v1"},
        {"concurrency": 0},
        {"input_price": 1.0},
        {"input_price": -1.0, "output_price": 1.0},
        {"model": 3},
        {"structured": "xml"},
    ],
)
def test_wrong_parameters_are_recipe_errors(wrong: dict[str, Any]) -> None:
    with pytest.raises(RecipeError):
        build_teacher({"name": "openai", "model": "m", **wrong})


def test_speed_and_price_are_not_part_of_the_identity() -> None:
    slow, quick = OpenAITeacher("m", concurrency=1, timeout=1.0), OpenAITeacher("m", concurrency=50, input_price=1.0, output_price=2.0)
    assert slow.identity() == quick.identity()
    assert OpenAITeacher("m", base_url="http://other/v1").identity() != slow.identity()

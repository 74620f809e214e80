"""What endpoints send instead of a completion: each becomes a reply of one class, none raises, and what is refused for all is no answer."""

import asyncio
import gc
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import Refused
from synth.ask.asking import ask_all
from synth.ask.budget import Budget
from synth.ask.completion import Completion, ErrorBody, NoCompletion, Usage, _text, read_completion, read_error
from synth.ask.desk import Desk
from synth.ask.reply_log import FILE, ReplyLog
from synth.ask.teacher import Reply, Request
from synth.openai_teacher import OpenAITeacher
from tests.endpoint import Answer, completion, failure, serving
from tests.meeting import meets, met

GOOD = '{"a": 1}'


def request(number: int = 0) -> Request:
    return Request(
        "task", {"n": number}, ({"role": "user", "content": f"question {number}"},), {"max_tokens": 100}, "m", {"name": "openai"}
    )


def teacher(url: str, **changes: Any) -> OpenAITeacher:
    quick: dict[str, Any] = {"first_pause": 0.001, "longest_pause": 0.002, "timeout": 5.0, "max_attempts": 2, "concurrency": 2}
    return OpenAITeacher(model="m", base_url=url, key_variable="", **{**quick, "input_price": 1.0, "output_price": 2.0, **changes})


def one(answer: Any, **changes: Any) -> tuple[Reply, int, Desk, list[str]]:
    told: list[str] = []
    desk = Desk(Budget(), tell=told.append)

    async def collect(url: str) -> Reply:
        ((_, reply),) = [pair async for pair in teacher(url, **changes).ask([request()], desk)]
        return reply

    with serving(answer if callable(answer) else lambda body, _: answer) as endpoint:
        reply = asyncio.run(collect(endpoint.url))
    return reply, len(endpoint.bodies), desk, told


def body(**changes: Any) -> Answer:
    content: dict[str, Any] = {
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": GOOD}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 20},
        **changes,
    }
    return Answer(body=json.dumps({name: value for name, value in content.items() if value != "absent"}).encode())


def said(content: Any, **more: Any) -> Answer:
    return body(choices=[{"finish_reason": "stop", "message": {"content": content, **more}}])


@pytest.mark.parametrize(
    "answer",
    [
        said([{"type": "text", "text": GOOD}]),
        said([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": GOOD}]),
        said([{"type": "reasoning", "text": "no"}, {"type": "output_text", "text": {"value": GOOD}}]),
        said([GOOD[:3], GOOD[3:]]),
        said({"type": "text", "text": GOOD}),
        said([{"text": "why", "thought": True}, {"text": GOOD}]),
        body(usage=None),
        body(usage="absent"),
        body(usage=[]),
        body(choices=[{"finish_reason": None, "message": {"content": GOOD}}]),
        body(choices=[{"finish_reason": 7, "message": {"content": GOOD, "tool_calls": None}}]),
        body(error=None),
        body(model=None, id=None, created="yesterday", object=3),
    ],
)
def test_a_readable_answer_is_read_whatever_is_around_it(answer: Answer) -> None:
    reply, calls, _, _ = one(answer)
    assert (reply.text, reply.error, calls) == (GOOD, None, 1)


@pytest.mark.parametrize(
    ("answer", "error", "calls"),
    [
        (body(choices="absent"), "bad_response", 2),
        (body(choices=None), "bad_response", 2),
        (body(choices={"0": 1}), "bad_response", 2),
        (body(choices=[None]), "bad_response", 2),
        (body(choices=[{}]), "bad_response", 2),
        (body(choices=[{"message": None}]), "bad_response", 2),
        (body(choices=[{"message": "text"}]), "bad_response", 2),
        (said(7), "bad_response", 2),
        (said([3, None]), "bad_response", 2),
        (Answer(body=b""), "bad_response", 2),
        (Answer(body=b"data: {}\n\n"), "bad_response", 2),
        (Answer(body=b"\xff\xfe\x00"), "bad_response", 2),
        (Answer(body=b"[" * 100_000), "bad_response", 2),
        (Answer(body=b'{"choices":' + b"9" * 5000 + b"}"), "bad_response", 2),
        (Answer(body=b"junk", headers={"Content-Encoding": "gzip"}), "server", 2),
        (said(""), "empty", 2),
        (said(None), "empty", 2),
        (said([]), "empty", 2),
        (said(" \n"), "empty", 2),
        (said(None, reasoning_content="so"), "empty", 2),
        (said(None, tool_calls=[{"id": "1"}]), "empty", 2),
        (completion("half", "length"), "truncated", 2),
        (completion("half", "MAX_TOKENS"), "truncated", 2),
        (completion("", "SAFETY"), "refused", 1),
        (completion("x", "content_filter"), "refused", 1),
        (completion("", refusal="no"), "refused", 1),
        (failure(400, "Your request was flagged by our content policy"), "refused", 1),
        (failure(403, "input flagged: moderation"), "refused", 1),
        (completion("half", "error"), "server", 2),
        (completion("half", "abort"), "server", 2),
        (failure(500), "server", 2),
        (Answer(502, b"<html>Bad Gateway</html>"), "server", 2),
        (Answer(529, b""), "server", 2),
        (failure(200, "Rate limit exceeded: free-models-per-day", 429), "rate", 2),  # type: ignore[arg-type]
        (failure(200, "Provider returned error", 502), "server", 2),  # type: ignore[arg-type]
        (failure(200, "too many requests"), "rate", 2),
        (Answer(200, b'{"error": "model is overloaded"}'), "rate", 2),
        (Answer(200, b'{"error": "upstream closed"}'), "server", 2),
        (body(choices=[{"error": {"code": 503, "message": "down"}, "message": {"content": ""}}]), "server", 2),
        (failure(429), "rate", 2),
        (Answer(429, b"slow down"), "rate", 2),
        (failure(400, "context_length_exceeded"), "context_too_long", 1),
        (failure(413), "context_too_long", 1),
    ],
)
def test_what_is_no_answer_has_a_class(answer: Answer, error: str, calls: int) -> None:
    reply, made, _, _ = one(answer)
    assert (reply.error, made) == (error, calls)
    assert reply.detail


@pytest.mark.parametrize(
    ("answer", "fix"),
    [
        (failure(402, "Insufficient Balance"), "add some"),
        (failure(400, "Insufficient Balance", "invalid_request_error"), "add some"),
        (failure(403, "Your account is in good standing? No: Arrearage"), "add some"),
        (failure(429, "You exceeded your current quota, please check your plan and billing details"), "add some"),
        (failure(200, "This request requires more credits", 402), "add some"),  # type: ignore[arg-type]
        (failure(401), "set the right one"),
        (failure(403, "forbidden"), "set the right one"),
        (failure(400, "API key not valid. Please pass a valid API key."), "set the right one"),
        (failure(200, "No auth credentials found", 401), "set the right one"),  # type: ignore[arg-type]
        (failure(404, "The model `gpt-4.1` does not exist"), "correct model"),
        (failure(400, "model 'gpt-4.1-minni' not found"), "correct model"),
        (Answer(404, b"404 page not found"), "correct model or base_url"),
        (
            failure(400, "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."),
            "limit_name",
        ),
        (failure(400, "Unsupported value: 'temperature' does not support 0.7 with this model."), "temperature"),
        (failure(422, "[{'type': 'extra_forbidden', 'msg': 'Extra inputs are not permitted'}]"), "parameter"),
        (failure(400, "response_format json_schema is not supported"), "structured"),
        (failure(403, "Country, region, or territory not supported", "unsupported_country_region_territory"), "another endpoint"),
        (Answer(405, b""), "base_url"),
        (failure(501), "base_url"),
        (failure(400, "we do not like this"), "every request is refused"),
        (Answer(422, b'{"detail": [{"loc": ["body"], "msg": "bad"}]}'), "every request is refused"),
    ],
)
def test_what_every_request_would_meet_stops_the_run_and_is_no_answer(tmp_path: Path, answer: Answer, fix: str) -> None:
    requests = [request(n) for n in range(6)]
    with serving(lambda asked, _: answer) as endpoint:
        with ReplyLog.open(tmp_path) as log, pytest.raises(Refused, match=fix):
            ask_all(teacher(endpoint.url), requests, 6, log, Desk(Budget(), log))
        with ReplyLog.open(tmp_path) as log:
            assert not any(log.answered(each.key) for each in requests)
            assert len(endpoint.bodies) <= 6
            endpoint.answer = lambda asked, _: completion(GOOD)
            ask_all(teacher(endpoint.url), requests, 6, log, Desk(Budget(), log))
            assert all(log.get(each.key).text == GOOD for each in requests)


def test_a_request_refused_among_answered_ones_is_its_own_fault(tmp_path: Path) -> None:
    requests = [request(n) for n in range(8)]

    def answer(asked: dict[str, Any], _: int) -> Answer:
        return failure(400, "odd") if asked["messages"][0]["content"].endswith("3") else completion(GOOD)

    with serving(answer) as endpoint, ReplyLog.open(tmp_path) as log:
        ask_all(teacher(endpoint.url), requests, 8, log, Desk(Budget(), log))
        assert [log.get(each.key).error for each in requests] == [None] * 3 + ["bad_request"] + [None] * 4
        assert log.answered(requests[3].key)


def test_an_answer_that_comes_with_the_second_call_counts() -> None:
    first = {0: completion("half", "length"), 1: said(None, reasoning_content="hm"), 2: said("")}
    for number, odd in first.items():
        asked: list[int] = []

        def answer(body: dict[str, Any], call: int, odd: Answer = odd, asked: list[int] = asked) -> Answer:
            asked.append(body["max_tokens"])
            return odd if call == 0 else completion(GOOD)

        reply, calls, _, _ = one(answer)
        assert (reply.text, reply.error, calls) == (GOOD, None, 2)
        assert asked == [100, 100 if number == 2 else 200]


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        "30",
        {"total_tokens": 30},
        {"prompt_tokens": None, "completion_tokens": None},
        {"prompt_tokens": "10", "completion_tokens": "20"},
        {"prompt_tokens": -5, "completion_tokens": 20},
        {"prompt_tokens": 10, "completion_tokens": -(10**9)},
        {"prompt_tokens": 10, "completion_tokens": 10**12},
        {"prompt_tokens": 1.5, "completion_tokens": 2.5},
        {"prompt_tokens": True, "completion_tokens": False},
    ],
)
def test_usage_that_cannot_be_true_counts_at_the_worst_case_and_is_told(usage: Any) -> None:
    reply, _, desk, told = one(body(usage=usage))
    assert reply.text == GOOD
    prompt = len(json.dumps([[{"content": "question 0", "role": "user"}], None], separators=(",", ":"))) + 64
    assert reply.cost == pytest.approx((prompt * 1.0 + 100 * 2.0) / 1e6)
    assert desk.budget.spent == pytest.approx(reply.cost)
    assert len(told) == 1
    assert "the worst case counts" in told[0]
    assert "http://127.0.0.1" in told[0]


def test_an_endpoint_that_bills_more_than_it_may_is_told_of_and_stops_a_budget(tmp_path: Path) -> None:
    told: list[str] = []
    with serving(lambda asked, _: completion(GOOD, prompt=10, answer=900)) as endpoint, ReplyLog.open(tmp_path) as log:
        desk = Desk(Budget(1.0), log, told.append)
        with pytest.raises(Refused, match="bills more than is reserved"):
            ask_all(teacher(endpoint.url), [request(n) for n in range(50)], 50, log, desk)
        assert len(endpoint.bodies) == len(log) == 1, "the first call goes alone"
        assert "bills more than it was allowed to use" in told[0]
        free = Desk(Budget(), log, told.append)
        ask_all(teacher(endpoint.url), [request(n) for n in range(50, 55)], 5, log, free)
        assert len(log) == 6


class Death(BaseException):
    """The end of a process, wherever it is."""


def test_an_answer_is_in_the_log_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that dies while it reads an answer finds the answer again, and pays for it once."""

    def dies(body: bytes) -> Any:
        raise Death

    requests = [request(0)]
    with serving(lambda asked, _: completion("paid for")) as endpoint:
        with monkeypatch.context() as dying, ReplyLog.open(tmp_path) as log, pytest.raises(Death):
            dying.setattr("synth.ask.answering.read_completion", dies)
            ask_all(teacher(endpoint.url), requests, 1, log, Desk(Budget(), log))
        gc.collect()
        assert not caplog.records, "no task is left whose end nobody heard of"
        assert b"paid for" in (tmp_path / FILE).read_bytes()
        with ReplyLog.open(tmp_path) as log:
            assert log.spent_before > 0
            desk = Desk(Budget(1.0, log.spent_before), log)
            ask_all(teacher(endpoint.url), requests, 1, log, desk)
            reply = log.get(requests[0].key)
            assert (reply.text, reply.attempts) == ("paid for", 1)
            assert desk.budget.spent == pytest.approx(reply.cost)
    assert len(endpoint.bodies) == 1


def test_a_call_without_an_answer_counts_at_its_worst_in_the_next_command(tmp_path: Path) -> None:
    with ReplyLog.open(tmp_path) as log:
        log.sending(request().key, 1, 0.25)
    with serving(lambda asked, _: completion(GOOD)) as endpoint, ReplyLog.open(tmp_path) as log:
        assert log.spent_before == 0.25
        desk = Desk(Budget(1.0, log.spent_before), log)
        ask_all(teacher(endpoint.url), [request()], 1, log, desk)
        assert log.get(request().key).cost == pytest.approx(0.25 + (10 * 1 + 20 * 2) / 1e6)
        spent = desk.budget.spent
    assert endpoint.headers[0]["idempotency-key"].endswith("-1"), (
        "the same call to an endpoint that heeds its key, so that it bills it once"
    )
    with ReplyLog.open(tmp_path) as log:
        assert log.spent_before == pytest.approx(spent)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "content", "usage", "error", "text", "type", "finish_reason", "code"]), inner
        )
    ),
    max_leaves=12,
)


@meets(read=5, error=3, unreadable=16)
@given(st.one_of(st.binary(max_size=60), JSON.map(lambda value: json.dumps(value).encode()), JSON.map(lambda value: said(value).body)))
def test_reading_raises_nothing(body: bytes) -> None:
    read = read_completion(body)
    met[{Completion: "read", ErrorBody: "error", NoCompletion: "unreadable"}[type(read)]] += 1
    assert isinstance(read_error(body), ErrorBody)
    if isinstance(read, Completion) and read.usage is not None:
        assert isinstance(read.usage, Usage)


@pytest.mark.parametrize(("deep", "text"), [(0, "so"), (1, "so"), (8, "so"), (9, None)])
@pytest.mark.parametrize("as_part", [True, False])
def test_parts_of_a_reply_lie_at_most_eight_deep_in_one_another(deep: int, text: str | None, as_part: bool) -> None:
    """Lists are of another kind where they lie deeper; objects have no text there."""
    content: Any = "so"
    for _ in range(deep):
        content = {"text": content} if as_part else [content]
    assert _text(content) == ("" if text is None and as_part else text)

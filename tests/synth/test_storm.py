"""A storm: an endpoint with every misbehaviour, and a command that is killed again and again and resumed.

The endpoint counts what it bills. Whatever happens: a request whose answer has arrived is not paid for again, spending stays within the
budget, and every request ends with one fate.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curation.storage.record_keys import unit_interval
from synth.ask.reply_log import ReplyLog
from tests.endpoint import Answer, completion, failure, serving

PROGRAM = """
import sys
from pathlib import Path
from curation.engine.signals import Ended, raise_on_signals
from curation.errors import Refused
from synth.ask.asking import ask_all
from synth.ask.budget import Budget
from synth.ask.desk import Desk
from synth.ask.reply_log import ReplyLog
from tests.synth.test_storm import asked, teacher
raise_on_signals()
folder, url, count, limit = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
try:
    with ReplyLog.open(folder) as log:
        wanted = [each for each in map(asked, range(count)) if not log.answered(each.key)]
        desk = Desk(Budget(limit, log.spent_before), log)
        if wanted:
            ask_all(teacher(url), wanted, len(wanted), log, desk)
except Refused as refused:
    sys.exit(3)
except Ended as end:
    sys.exit(end.exit_code)
"""

GOOD = '{"a": 1}'
KINDS = tuple(
    """
    good good good good good good good good usage-null usage-negative usage-absurd list reasoning empty cut refused rate error-in-200 server
    html no-choices broken slow content-filter too-long disconnect
    """.split()  # noqa: SIM905
)


def asked(number: int) -> Any:
    from synth.ask.teacher import Request

    return Request("t", {"n": number}, ({"role": "user", "content": f"question {number}"},), {"max_tokens": 50}, "m", {"name": "openai"})


def teacher(url: str) -> Any:
    from synth.openai_teacher import OpenAITeacher

    return OpenAITeacher(
        "m", url, key_variable="", input_price=1.0, output_price=1.0, first_pause=0.001, longest_pause=0.01, timeout=2.0, concurrency=16
    )


def kind_of(number: int) -> str:
    return KINDS[int(unit_interval(str(number).encode(), "kind") * len(KINDS))]


class Storm:
    """Answers by the question's kind, and remembers which questions it has billed for whole answers."""

    def __init__(self) -> None:
        self.calls: Counter[int] = Counter()
        self.paid: Counter[int] = Counter()
        self.names: dict[int, set[str]] = {}
        self.headers: list[dict[str, str]] = []

    def __call__(self, body: dict[str, Any], at: int) -> Answer:
        number = int(body["messages"][-1]["content"].split()[-1])
        self.calls[number] += 1
        first = self.calls[number] == 1
        kind = kind_of(number)
        passing = {
            "rate": failure(429, retry_after_ms="5"),
            "error-in-200": failure(200, "Rate limit exceeded", 429, retry_after_ms="5"),  # type: ignore[arg-type]
            "server": failure(503),
            "html": Answer(502, b"<html>bad gateway</html>"),
            "broken": replace(completion("half"), cut=True),
            "disconnect": Answer(body=b"x" * 100, cut=True),
            "no-choices": Answer(body=b'{"id": "c"}'),
        }
        if kind in passing and first:
            return passing[kind]
        if kind == "content-filter":
            return failure(400, "content_filter")
        if kind == "too-long":
            return failure(400, "maximum context length exceeded")
        self.paid[number] += 1
        self.names.setdefault(number, set()).add(self.headers[at]["idempotency-key"])
        usage: dict[str, Any] = {
            "usage-null": None,
            "usage-negative": {"prompt_tokens": -1, "completion_tokens": 5},
            "usage-absurd": {"prompt_tokens": 5, "completion_tokens": 10**12},
        }
        if kind in usage:
            content = json.loads(completion(GOOD).body)
            return Answer(body=json.dumps({**content, "usage": usage[kind]}).encode())
        return {
            "list": completion([{"type": "text", "text": GOOD}]),  # type: ignore[arg-type]
            "reasoning": completion(None, reasoning_content="hm"),
            "empty": completion(""),
            "cut": completion("half", "length"),
            "refused": completion(None, refusal="no"),
            "slow": replace(completion(GOOD), hang=0.05),
        }.get(kind, completion(GOOD))


def run(folder: Path, count: int, kills: int, limit: float, seed: int) -> tuple[Storm, int, dict[str, Counter[str]]]:
    """Ask `count` questions, ended `kills` times on the way; return the endpoint, the kills that met a live command, and the fates."""
    storm, draw, met = Storm(), random.Random(seed), 0
    with serving(storm) as endpoint:
        storm.headers = endpoint.headers
        for turn in range(kills + 3):
            before = len(endpoint.bodies)
            process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder), endpoint.url, str(count), str(limit)], env=os.environ)
            if turn < kills:
                share = count // (kills + 2)
                while process.poll() is None and len(endpoint.bodies) < before + draw.randint(share // 2, share):
                    time.sleep(0.005)
                if process.poll() is None:
                    met += 1
                    process.send_signal(signal.SIGKILL if turn % 2 else signal.SIGTERM)
            process.wait(120)
            with ReplyLog.open(folder) as log:
                assert log.spent_before <= limit
                if all(log.answered(asked(number).key) for number in range(count)):
                    break
        fates: dict[str, Counter[str]] = {}
        with ReplyLog.open(folder) as log:
            for number in range(count):
                reply = log.get(asked(number).key)
                assert reply.final, (number, kind_of(number), reply)
                fates.setdefault(kind_of(number), Counter())[reply.error or "answered"] += 1
            assert len(log) == count
    return storm, met, fates


def check(storm: Storm, kills: int, fates: dict[str, Counter[str]]) -> None:
    final = {"reasoning": "empty", "empty": "empty", "cut": "truncated", "refused": "refused", "content-filter": "refused"}
    for kind, found in fates.items():
        assert set(found) == {final.get(kind, "context_too_long" if kind == "too-long" else "answered")}, (kind, found)
    twice = {"reasoning", "empty", "cut"}
    again = sum(max(0, paid - (2 if kind_of(number) in twice else 1)) for number, paid in storm.paid.items())
    assert again <= 16 * ((kills + 1) // 2), "only what was under way at a KILL, which nobody can know of, is paid for again"
    for number, names in storm.names.items():
        assert len(names) <= (2 if kind_of(number) in twice else 1), "an endpoint that heeds the key of a call bills none of them again"


def test_a_small_storm(tmp_path: Path) -> None:
    storm, met, fates = run(tmp_path, 150, 2, 1.0, 1)
    assert met == 2
    assert sum(storm.calls.values()) >= 150
    check(storm, met, fates)


@pytest.mark.full
def test_a_storm_with_ten_kills(tmp_path: Path) -> None:
    storm, met, fates = run(tmp_path, 2000, 10, 1.0, 2)
    assert met == 10
    check(storm, met, fates)
    again = sum(max(0, paid - (2 if kind_of(n) in {"reasoning", "empty", "cut"} else 1)) for n, paid in storm.paid.items())
    print(f"\n{sum(storm.calls.values())} calls, {met} kills, paid again: {again}")
    for kind, found in sorted(fates.items()):
        print(f"{kind:16} {dict(found)}")

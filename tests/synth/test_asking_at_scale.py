"""Pace and memory at scale, against an endpoint in a process of its own: figures of `tests/benchmark/README.md`.

pytest -m full -s tests/synth/test_asking_at_scale.py
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from synth.ask.asking import ask_all
from synth.ask.budget import Budget
from synth.ask.desk import Desk
from synth.ask.reply_log import ReplyLog
from synth.ask.teacher import Request
from synth.openai_teacher import OpenAITeacher
from tests.quick_endpoint import serving_quickly

PROGRAM = """
import json, resource, sys
from pathlib import Path
from tests.synth.test_asking_at_scale import ask
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
ask(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), concurrency=64)
print(json.dumps({"before": before >> 10, "most": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10}))
"""


def request(number: int) -> Request:
    return Request("t", {"n": number}, ({"role": "user", "content": f"question {number}"},), {"max_tokens": 50}, "m", {"name": "openai"})


def ask(folder: Path, url: str, count: int, **settings: Any) -> None:
    with ReplyLog.open(folder) as log:
        teacher = OpenAITeacher("m", url, **{"max_attempts": 50, **settings})
        ask_all(teacher, map(request, range(count)), count, log, Desk(Budget(), log))
        assert len(log) == count
        assert all(log.answered(request(number).key) for number in range(count))


def test_what_is_asked_quickly_is_all_answered(tmp_path: Path) -> None:
    with serving_quickly(0.001) as endpoint:
        ask(tmp_path, endpoint.url, 100)
    assert (endpoint.counts["taken"], endpoint.counts["refused"]) == (100, 0)


@pytest.mark.full
def test_a_declared_rate_is_reached(tmp_path: Path) -> None:
    """12,000 a minute over 20,000 requests at 200 ms."""
    with serving_quickly(0.2) as endpoint:
        ask(tmp_path, endpoint.url, 20_000, requests_per_minute=12_000)
    rate = endpoint.counts["taken"] / endpoint.counts["seconds"] * 60
    print(f"\n20,000 requests at 200 ms: {rate:,.0f} a minute of 12,000 declared ({rate / 12_000:.1%})")
    assert 0.95 * 12_000 <= rate <= 1.01 * 12_000


@pytest.mark.full
def test_a_rate_that_only_shows_in_refusals_is_found(tmp_path: Path) -> None:
    """20 a second, and bare 429s for all others."""
    with serving_quickly(0.05, 20) as endpoint:
        ask(tmp_path, endpoint.url, 2000)
    counts = endpoint.counts
    rate, wasted = counts["taken"] / counts["seconds"], counts["refused"] / (counts["taken"] + counts["refused"])
    print(f"\nbare refusals above 20 a second: {rate:.2f} taken a second, {wasted:.2%} of calls wasted")
    assert rate >= 18
    assert wasted < 0.05


@pytest.mark.full
def test_memory_does_not_grow_with_the_number_of_requests(tmp_path: Path) -> None:
    most = {}
    for count in (20_000, 200_000):
        with serving_quickly(0.0) as endpoint:
            command = [sys.executable, "-c", PROGRAM, str(tmp_path / str(count)), endpoint.url, str(count)]
            told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        most[count] = told["most"]
        print(f"\n{count:,} requests: {told['most']} MiB at most, {told['before']} before the first")
    assert most[200_000] - most[20_000] < 15

"""What the displays of progress print, event by event."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pipelines.progress import displays, events
from pipelines.progress.displays import At, PlainDisplay
from pipelines.progress.events import Events


def place(words: str, done: int = 0, reused: int = 0, rows: int = 0, seconds: float = 0.0, share: float = 0.5) -> At:
    return At("2-measure", words, 4, reused, done, rows, seconds, share, lambda: 90.0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """A clock that stands at its first number."""
    now = [1000.0]
    for module in (displays, events):
        monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_a_step_is_told_once_with_all_its_stages(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    shown = PlainDisplay()
    for _ in range(2):
        shown.begin(place("measuring"))
        shown.end(place("measuring", done=4, reused=1, rows=600, seconds=2.0))
    shown.begin(place("judging"))
    assert capsys.readouterr().err == "measuring: 6 units in 4.0 s, 300 rows/s\n"
    shown.end(place("judging", done=4, reused=4, rows=0, seconds=0.1))
    shown.done(12.34)
    assert capsys.readouterr().err == "done in 12.3 s\n"


def test_an_activity_between_stages_ends_the_step_before_and_one_within_a_stage_does_not(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = PlainDisplay()
    shown.begin(place("measuring"))
    shown.end(place("measuring", done=4, seconds=2.0))
    shown.begin(place("measuring"))
    shown.busy_with("compiling")
    shown.busy_with("compiling")
    assert capsys.readouterr().err == "compiling\n"
    shown.end(place("measuring", done=1, seconds=1.0))
    shown.busy_with("adding up")
    assert capsys.readouterr().err == "measuring: 5 units in 3.0 s\nadding up\n"


def test_a_position_is_told_every_ten_seconds(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    shown = PlainDisplay()
    clock[0] += 9.9
    shown.at(place("measuring", done=1))
    assert capsys.readouterr().err == ""
    clock[0] += 0.1
    shown.at(place("measuring", done=1, rows=3000, seconds=2.0))
    shown.at(place("measuring", done=2))
    assert capsys.readouterr().err == "50% of the run; measuring: 1 of 4 units, 1,500 rows/s, about 2 min left\n"


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_events_of_a_position_come_at_most_twice_a_second_and_at_once_in_a_new_stage(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    clock[0] = 0.5
    shown = Events()
    shown.at(place("measuring", done=1, rows=100, seconds=4.0, share=0.12345))
    clock[0] = 0.99
    shown.at(place("measuring", done=2))
    clock[0] = 1.0
    shown.at(place("measuring", done=3))
    first, second = told(capsys)
    assert (first["done"], first["units"], first["rows_per_second"], first["share"], first["seconds_left"]) == (1, 4, 25.0, 0.1235, 90.0)
    assert second["done"] == 3
    shown.begin(place("judging", reused=2))
    shown.at(place("judging", done=3))
    assert [(event["event"], event["doing"]) for event in told(capsys)] == [("begin", "judging"), ("advance", "judging")]

"""The pace that is found or declared, against limits simulated in time that does not pass."""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable

import pytest

from synth.ask.pace import Pacer, Slots, duration

LIMIT = 20


def test_nothing_waits_at_the_beginning() -> None:
    for pacer in (Pacer(clock=lambda: 0.0), Pacer(requests_per_minute=60, tokens_per_minute=60, clock=lambda: 0.0)):
        assert pacer.turn(100) == 0.0


def sliding() -> Callable[[float], bool]:
    taken: deque[float] = deque()

    def takes(at: float) -> bool:
        while taken and taken[0] <= at - 1:
            taken.popleft()
        if len(taken) < LIMIT:
            taken.append(at)
        return bool(taken) and taken[-1] == at

    return takes


def fixed() -> Callable[[float], bool]:
    taken = {"second": -1, "count": 0}

    def takes(at: float) -> bool:
        if taken["second"] != int(at):
            taken.update(second=int(at), count=0)
        taken["count"] += 1
        return taken["count"] <= LIMIT

    return takes


def bucket() -> Callable[[float], bool]:
    state = {"left": float(LIMIT), "at": 0.0}

    def takes(at: float) -> bool:
        state.update(left=min(LIMIT, state["left"] + (at - state["at"]) * LIMIT), at=at)
        if state["left"] < 1:
            return False
        state["left"] -= 1
        return True

    return takes


def simulate(takes: Callable[[float], bool], latency: float, seconds: float) -> tuple[float, float]:
    """Return calls accepted a second, and the share of calls wasted, of an endpoint that refuses without a word."""
    now = [0.0]
    pacer = Pacer(at_once=16, clock=lambda: now[0])
    events: list[tuple[float, int, str, float]] = []
    under_way = number = accepted = refused = 0

    def start() -> None:
        nonlocal under_way, number
        under_way, number = under_way + 1, number + 1
        heapq.heappush(events, (pacer.turn(1), number, "send", 0.0))

    while True:
        while under_way < pacer.allowed:
            start()
        at, _, what, sent_at = heapq.heappop(events)
        if at > seconds:
            return accepted / seconds, refused / (accepted + refused)
        now[0] = max(now[0], at)
        number += 1
        if what == "send":
            pacer.begin()
            taken = takes(at)
            heapq.heappush(events, (at + (latency if taken else 0.005), number, "taken" if taken else "refused", at))
            continue
        under_way -= 1
        if what == "taken":
            accepted += 1
            pacer.accepted({}, 1, None)
        else:
            refused += 1
            pacer.refused(sent_at, None, {})


@pytest.mark.parametrize("limit", [sliding, fixed, bucket])
@pytest.mark.parametrize("latency", [0.02, 0.05, 0.2])
def test_the_pace_of_an_endpoint_that_only_says_no_is_found(limit: Callable[[], Callable[[float], bool]], latency: float) -> None:
    rate, wasted = simulate(limit(), latency, 120)
    assert rate >= 0.9 * LIMIT
    assert wasted < 0.05


def test_the_first_guess_is_what_was_taken_since_the_first_call() -> None:
    now = [50.0]
    pacer = Pacer(clock=lambda: now[0])
    pacer.begin()
    for now[0] in (50.5, 51.0, 51.5):
        pacer.begin()
        for _ in range(8):
            pacer.accepted({}, 1, None)
    now[0] = 52.0
    for _ in range(2):
        pacer.refused(52.0, None, {})
        assert pacer.requests.rate is None, "some endpoints refuse a few calls at any pace"
    pacer.refused(52.0, None, {})
    assert pacer.requests.rate == pytest.approx(0.985 * 24 / (2.0 + 1.0))
    assert pacer.turn(1) == 53.0


def test_slots_are_spaced_and_a_delay_is_made_up() -> None:
    slots = Slots(10.0)
    assert [round(slots.take(100.0, 1), 3) for _ in range(5)] == [100.0, 100.0, 100.0, 100.05, 100.15]
    assert slots.take(200.0, 1) == 200.0
    tokens = Slots(100.0)
    tokens.take(0.0, 500)
    tokens.give_back(400)
    assert tokens.take(0.0, 1) == pytest.approx(1.0)


def test_headers_and_orders_hold_everybody() -> None:
    now = [50.0]
    pacer = Pacer(requests_per_minute=600, clock=lambda: now[0])
    pacer.accepted({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m2s", "x-ratelimit-limit-requests": "60"}, 1, 1)
    assert pacer.requests.rate == 1.0
    assert pacer.turn(1) >= 112.0
    pacer.refused(50.0, 100.0, {})
    assert pacer.turn(1) >= 150.0


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("6m0s", 360), ("20ms", 0.02), ("1h2m3.5s", 3723.5), ("7", 7), ("1s", 1), ("soon", None), ("", None), (None, None), ("-3", None)],
)
def test_durations(said: str | None, seconds: float | None) -> None:
    assert duration(said) == seconds


def test_calls_at_once_grow_by_one_a_round_and_shrink_by_a_part() -> None:
    now = [0.0]
    pacer = Pacer(at_once=16, clock=lambda: now[0])
    assert pacer.allowed == 4
    for _ in range(4 + 5 + 6):
        pacer.accepted({}, 1, None)
    assert 6 <= pacer.allowed <= 7
    for _ in range(300):
        pacer.accepted({}, 1, None)
    assert pacer.allowed == 16
    pacer.overloaded()
    assert pacer.allowed == 12


def test_waiting_ends_when_nothing_new_is_to_be_sent() -> None:
    pacer = Pacer()
    pacer.hold(600)
    assert asyncio.run(asyncio.wait_for(pacer.slot(1, lambda: True), 5)) is False

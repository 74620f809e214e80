"""Beats in shared memory: a worker writes into its own slot and no other, and a watch reads who is at what."""

import os
import time
from array import array
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.engine import heartbeat, watched
from curation.engine.heartbeat import FIELDS, TICK, Watch, attach, beat, begin, limit_for
from curation.engine.watched import watched_here
from tests.meeting import meets, met


@pytest.fixture(autouse=True)
def own_slot(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(heartbeat, "_mine", None)
    monkeypatch.setattr(heartbeat, "_first", 0)
    yield


@meets(beats=100, begun=100)
@given(st.integers(0, 3), st.lists(st.tuples(st.sampled_from([begin, beat]), st.integers(0, 9)), max_size=12))
def test_a_slot_tells_what_its_worker_does(number: int, calls: list[tuple[object, int]]) -> None:
    slots = array("Q", [0] * FIELDS * 4)
    attach(slots, number)
    item, size = 0, 0
    for call, value in calls:
        if call is begin:
            begin(value)
            item, size = value, 0  # between two records nothing is watched
            met["begun"] += 1
        else:
            beat(value)
            size = value
            met["beats"] += 1
    own = slice(number * FIELDS, (number + 1) * FIELDS)
    assert list(slots[own]) == [os.getpid(), item, len(calls), size]
    slots[own] = array("Q", [0] * FIELDS)
    assert not any(slots)


def test_without_a_slot_nobody_watches() -> None:
    begin(1)
    beat(10)
    assert heartbeat._mine is None


def test_the_item_of_a_worker_is_the_one_it_began() -> None:
    watch = Watch([11, 5, 1, 0, 12, 6, 1, 0, 13, 0, 1, 0], lambda _: None)
    assert [watch.item_of(pid) for pid in (11, 12, 13, 14, None)] == [5, 6, 0, 0, 0]


class Machine:
    """A clock, and processes whose state and processor time a test sets."""

    STATUS_SLEEPING, STATUS_STOPPED, Error = "sleeping", "stopped", LookupError

    def __init__(self) -> None:
        self.now = 1000.0
        self.processes: dict[int, tuple[str, float]] = {}

    def monotonic(self) -> float:
        return self.now

    def look(self, watch: Watch, status: str, busy: float, passed: float = TICK, pid: int = 7) -> list[tuple[int, int]]:
        """Let time pass, in which the process did something; then look."""
        self.now += passed
        self.processes[pid] = (status, busy)
        return watch.look()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    import psutil

    found = Machine()

    def process(pid: int) -> SimpleNamespace:
        if pid not in found.processes:
            raise psutil.NoSuchProcess(pid)
        status, busy = found.processes[pid]
        return SimpleNamespace(status=lambda: status, cpu_times=lambda: SimpleNamespace(user=busy * 0.75, system=busy * 0.25))

    monkeypatch.setattr(psutil, "Process", process)
    monkeypatch.setattr(heartbeat.time, "monotonic", found.monotonic)
    monkeypatch.setenv("CURATION_RECORD_SECONDS", "4")
    return found


def test_a_sleeping_worker_is_charged_with_time_and_a_busy_one_with_processor_time(machine: Machine) -> None:
    told: list[str] = []
    slots = [7, 3, 1, 100]
    watch = Watch(slots, told.append)
    assert machine.look(watch, "running", 50.0) == [], "what it did before this record does not count"
    for _ in range(4):
        assert machine.look(watch, "sleeping", 50.0) == []
    assert machine.look(watch, "sleeping", 50.0) == [(7, 3)], "more than four seconds"
    slots[2] += 1
    assert machine.look(watch, "running", 60.0) == []
    for busy in (61.0, 63.0, 64.0):
        assert machine.look(watch, "running", busy) == []
    assert machine.look(watch, "stopped", 90.0) == [], "a stopped worker could not work"
    assert machine.look(watch, "running", 90.5) == [(7, 3)]
    for field, value in ((1, 0), (3, 0), (0, 0)):
        kept, slots[field] = slots[field], value
        assert machine.look(watch, "running", 91.0) == [], "no item, a record that is not watched, no worker"
        slots[field] = kept
    assert machine.look(watch, "running", 91.0) == [(7, 3)]
    machine.processes.clear()
    assert watch.look() == [], "it is gone"
    assert told == []


def test_a_look_after_a_long_time_counts_as_two(machine: Machine) -> None:
    watch = Watch([7, 3, 1, 100], lambda _: None)
    machine.look(watch, "sleeping", 1.0)
    assert machine.look(watch, "sleeping", 1.0, passed=10_000.0) == []
    assert machine.look(watch, "sleeping", 1.0, passed=10_000.0) == []
    assert machine.look(watch, "sleeping", 1.0, passed=0.5) == [(7, 3)]


def test_each_worker_has_its_own_account(machine: Machine) -> None:
    watch = Watch([7, 3, 1, 100, 8, 4, 1, 100], lambda _: None)
    for second in range(1, 7):
        machine.processes[8] = ("running", float(second) / 2)
        overdue = machine.look(watch, "sleeping", 1.0)
    assert overdue == [(7, 3)]


def test_a_process_that_watches_itself_is_at_an_item_until_it_leaves() -> None:
    with watched_here(lambda _: None):
        assert heartbeat._mine is not None
        slot = heartbeat._mine
        assert list(slot[:2]) == [os.getpid(), 1]
    assert slot[1] == 0


def test_a_parser_that_lets_no_thread_run_is_ended_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timer of faulthandler needs no interpreter lock; it is set while a record is read, and later than the watch would end it."""
    calls: list[object] = []
    timer = SimpleNamespace(
        dump_traceback_later=lambda seconds, exit: calls.append((seconds, exit)),
        cancel_dump_traceback_later=lambda: calls.append("cancelled"),
    )
    monkeypatch.setattr(watched, "faulthandler", timer)
    monkeypatch.setattr(heartbeat, "TICK", 0.01)
    with watched_here(lambda _: None):
        time.sleep(0.1)
        assert calls == []
        beat(1 << 20)
        end = time.monotonic() + 60
        while not calls and time.monotonic() < end:
            time.sleep(0.01)
    seconds, ends = calls[0]  # type: ignore[misc]
    assert limit_for(1 << 20) < seconds < limit_for(1 << 20) + 60
    assert ends is True
    assert calls[-1] == "cancelled"

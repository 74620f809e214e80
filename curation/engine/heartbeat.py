"""The heartbeat records in shared memory which item and record a worker is processing; a watch reads it.

A record that hangs its worker must not hang the run. Only the watch measures time; stages never do. The limit is minutes, grows with the
record (`limit_for`), and counts only time in which the worker could have run: its processor time, or elapsed time while it sleeps, but not
time in which the worker is stopped or the machine is suspended. So a healthy machine finishes every record, even a slow one.

The same watch reports a worker that somebody has stopped (SIGSTOP).
"""

import os
import time
from collections.abc import Callable, MutableSequence
from dataclasses import dataclass

from curation.engine.stopped import StoppedWorkers

FIELDS = 4
"""Numbers in a slot: process id, current item (from 1; 0 for none), count of beats, bytes of the record (0: not watched)."""
_PID, _ITEM, _BEATS, _BYTES = range(FIELDS)

TICK = 1.0
"""Seconds between two checks."""
LEAST_SECONDS = 300.0
PER_MIB = 60.0

_mine: MutableSequence[int] | None = None
_first = 0


def limit_for(size: int) -> float:
    """Return the seconds that a record of `size` bytes may take: 300, plus 60 per MiB."""
    told = os.environ.get("CURATION_RECORD_SECONDS")  # tests cannot wait five minutes
    return float(told) if told else LEAST_SECONDS + PER_MIB * size / (1 << 20)


def attach(slots: MutableSequence[int], number: int) -> None:
    """Let this process write its beats to a slot."""
    global _mine, _first
    _mine, _first = slots, number * FIELDS
    slots[_first + _PID] = os.getpid()


def begin(item: int) -> None:
    """Report which item is being processed; 0 means none."""
    if _mine is not None:
        _mine[_first + _BYTES] = 0
        _mine[_first + _ITEM] = item
        _mine[_first + _BEATS] += 1


def beat(size: int) -> None:
    """Report that a record of about `size` bytes has started; with 0, the following work is not watched."""
    if _mine is not None:
        _mine[_first + _BYTES] = size
        _mine[_first + _BEATS] += 1


@dataclass
class _Seen:
    beats: int = -1
    held: float = 0.0
    busy: float = 0.0


class Watch:
    """Checks the heartbeats in some slots at intervals."""

    def __init__(self, slots: MutableSequence[int], tell: Callable[[str], None]) -> None:
        """Watch the workers that write into `slots`; `tell` gets what a user should know."""
        self._slots = slots
        self._stopped = StoppedWorkers(tell)
        self._seen = [_Seen() for _ in range(len(slots) // FIELDS)]
        self._looked = time.monotonic()

    def look(self) -> list[tuple[int, int]]:
        """Return (process id, item) of the workers that have spent longer than the limit on one record."""
        now = time.monotonic()
        passed, self._looked = min(now - self._looked, 2 * TICK), now
        overdue = []
        for number, seen in enumerate(self._seen):
            pid, item, beats, size = (int(self._slots[number * FIELDS + field]) for field in range(FIELDS))
            if pid and self._look_at(seen, pid, beats, passed) and item and size and seen.held > limit_for(size):
                overdue.append((pid, item))
        return overdue

    def item_of(self, pid: int | None) -> int:
        """Return the item that a worker, even a dead one, is working on; 0 if there is none."""
        slots = range(0, len(self._slots), FIELDS)
        return next((int(self._slots[slot + _ITEM]) for slot in slots if self._slots[slot + _PID] == pid), 0)

    def _look_at(self, seen: _Seen, pid: int, beats: int, passed: float) -> bool:
        """Add up the time that a worker has spent on one record; return whether the worker is alive."""
        import psutil

        try:
            process = psutil.Process(pid)
            status, times = process.status(), process.cpu_times()
        except psutil.Error:
            return False
        busy = times.user + times.system
        if beats != seen.beats:
            seen.beats, seen.held = beats, 0.0
        elif status == psutil.STATUS_SLEEPING:
            seen.held += passed
        elif status != psutil.STATUS_STOPPED:
            seen.held += busy - seen.busy
        seen.busy = busy
        self._stopped.note(pid, passed if status == psutil.STATUS_STOPPED else None)
        return True

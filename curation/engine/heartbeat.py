"""The heartbeat: where a worker says, in shared memory, which item and which record it is at; and the watch that looks at it.

A record that hangs its worker must not hang the run. Time is looked at by the watch alone, never by a stage: the limit is minutes, grows
with the record (`limit_for`), and counts only while the worker could have worked. Counted are the worker's processor time, or the clock
where it sleeps; never the time for which it is stopped, or the machine asleep. So a record that a healthy machine finishes, be it a slow
one, is finished.

The same watch notices a worker that somebody has stopped (SIGSTOP) and names it.
"""

import os
import time
from collections.abc import Callable, MutableSequence
from dataclasses import dataclass

from curation.engine.stopped import StoppedWorkers

FIELDS = 4
"""Numbers of a slot: process id, item under way (from 1; 0: none), count of beats, bytes of the record (0: nothing to be watched)."""
_PID, _ITEM, _BEATS, _BYTES = range(FIELDS)

TICK = 1.0
"""Seconds between two looks."""
LEAST = 300.0
PER_MIB = 60.0

_mine: MutableSequence[int] | None = None
_first = 0


def limit_for(size: int) -> float:
    """Return how many seconds a record of so many bytes may take: 300 and 60 a MiB, where the slowest known pages take 4 a MiB."""
    told = os.environ.get("CURATION_RECORD_SECONDS")  # tests cannot wait five minutes
    return float(told) if told else LEAST + PER_MIB * size / (1 << 20)


def attach(slots: MutableSequence[int], number: int) -> None:
    """Let this process tell its beats in a slot."""
    global _mine, _first
    _mine, _first = slots, number * FIELDS
    slots[_first + _PID] = os.getpid()


def begin(item: int) -> None:
    """Say which item is under way; 0: none."""
    if _mine is not None:
        _mine[_first + _BYTES] = 0
        _mine[_first + _ITEM] = item
        _mine[_first + _BEATS] += 1


def beat(size: int) -> None:
    """Say that a record of about so many bytes is begun; 0: what follows is not watched."""
    if _mine is not None:
        _mine[_first + _BYTES] = size
        _mine[_first + _BEATS] += 1


@dataclass
class _Seen:
    beats: int = -1
    held: float = 0.0
    busy: float = 0.0


class Watch:
    """Looks at some slots, now and then."""

    def __init__(self, slots: MutableSequence[int], tell: Callable[[str], None]) -> None:
        """Watch the workers that write into `slots`; `tell` gets what a user should know."""
        self._slots = slots
        self._stopped = StoppedWorkers(tell)
        self._seen = [_Seen() for _ in range(len(slots) // FIELDS)]
        self._looked = time.monotonic()

    def look(self) -> list[tuple[int, int]]:
        """Return (process id, item) of workers that a record has held for longer than its limit."""
        now = time.monotonic()
        passed, self._looked = min(now - self._looked, 2 * TICK), now
        overdue = []
        for number, seen in enumerate(self._seen):
            pid, item, beats, size = (int(self._slots[number * FIELDS + field]) for field in range(FIELDS))
            if pid and self._look_at(seen, pid, beats, passed) and item and size and seen.held > limit_for(size):
                overdue.append((pid, item))
        return overdue

    def _look_at(self, seen: _Seen, pid: int, beats: int, passed: float) -> bool:
        """Count for how long a worker is at one record; return whether it is alive."""
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

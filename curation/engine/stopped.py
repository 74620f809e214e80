"""Workers that somebody has stopped (SIGSTOP): a run that waits for one says so, and how it goes on."""

from collections.abc import Callable
from dataclasses import dataclass, field

STOPPED_AFTER = 10.0
"""Seconds after which a stopped worker is named."""


@dataclass
class StoppedWorkers:
    """What is known of stopped workers, by process id; `tell` is told once of each stop, and once that a worker goes on."""

    tell: Callable[[str], None]
    _seconds: dict[int, float] = field(default_factory=dict)
    _told: set[int] = field(default_factory=set)

    def note(self, pid: int, stopped: float | None) -> None:
        """Count that a worker was found stopped once more, so many seconds after the last look; None: it was found at work."""
        if stopped is None:
            self._seconds.pop(pid, None)
            if pid in self._told:
                self._told.remove(pid)
                self.tell(f"worker {pid} goes on")
            return
        self._seconds[pid] = self._seconds.get(pid, 0.0) + stopped
        if self._seconds[pid] >= STOPPED_AFTER and pid not in self._told:
            self._told.add(pid)
            self.tell(
                f"worker {pid} is stopped (SIGSTOP), and the run waits for it: `kill -CONT {pid}` lets it go on, "
                f"`kill -KILL {pid}` has its shard made by another"
            )

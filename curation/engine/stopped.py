"""Stopped workers (SIGSTOP): a run that waits for one says so, and says how to continue."""

from collections.abc import Callable
from dataclasses import dataclass, field

STOPPED_AFTER = 10.0
"""Seconds after which a stopped worker is reported."""


@dataclass
class StoppedWorkers:
    """Tracks stopped workers by process id; reports each stop once, and once that the worker runs again."""

    tell: Callable[[str], None]
    _seconds: dict[int, float] = field(default_factory=dict)
    _told: set[int] = field(default_factory=set)

    def note(self, pid: int, stopped: float | None) -> None:
        """Record that a worker is still stopped, `stopped` seconds after the last check; None: it is running."""
        if stopped is None:
            self._seconds.pop(pid, None)
            if pid in self._told:
                self._told.remove(pid)
                self.tell(f"worker {pid} continues")
            return
        self._seconds[pid] = self._seconds.get(pid, 0.0) + stopped
        if self._seconds[pid] >= STOPPED_AFTER and pid not in self._told:
            self._told.add(pid)
            self.tell(
                f"worker {pid} is stopped (SIGSTOP), and the run waits for it: `kill -CONT {pid}` lets it continue, "
                f"`kill -KILL {pid}` gives its shard to another worker"
            )

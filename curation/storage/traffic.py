"""Traffic: how often this process calls an object store, and how many bytes it reads and writes there.

On an object store a request costs money and tens of milliseconds, whatever its size. So each unit's calls are counted where it is made, and
run.json tells them by stage.

Invariants
    - A call is counted once, in the innermost `measured` block of its process; a call that is repeated after a fault counts each time.
    - Local files are not counted.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

_lock = threading.Lock()


@dataclass(eq=False)
class Traffic:
    """Calls of an object store: `reads` of a range, `writes` of an object, `others` (facts, listings, deletions); and bytes."""

    reads: int = 0
    writes: int = 0
    others: int = 0
    bytes_read: int = 0
    bytes_written: int = 0

    @property
    def calls(self) -> int:
        """Return the number of all calls."""
        return self.reads + self.writes + self.others

    def __sub__(self, other: "Traffic") -> "Traffic":
        """Return what was counted since."""
        return Traffic(
            self.reads - other.reads,
            self.writes - other.writes,
            self.others - other.others,
            self.bytes_read - other.bytes_read,
            self.bytes_written - other.bytes_written,
        )

    def add(self, other: "Traffic") -> None:
        """Add what another counted."""
        self.reads += other.reads
        self.writes += other.writes
        self.others += other.others
        self.bytes_read += other.bytes_read
        self.bytes_written += other.bytes_written


_counting = [Traffic()]
"""The counters of the blocks that are open, the innermost last. Arrow calls from its own threads, so this is one stack a process."""


def count(*, reads: int = 0, writes: int = 0, others: int = 0, bytes_read: int = 0, bytes_written: int = 0) -> None:
    """Count calls."""
    with _lock:
        _counting[-1].add(Traffic(reads, writes, others, bytes_read, bytes_written))


@contextmanager
def measured() -> Iterator[Traffic]:
    """Yield a counter of the calls inside the block; outer blocks do not count them."""
    traffic = Traffic()
    with _lock:
        _counting.append(traffic)
    try:
        yield traffic
    finally:
        with _lock:
            _counting.remove(traffic)


def so_far() -> Traffic:
    """Return what the innermost open block has counted until now."""
    with _lock:
        return replace(_counting[-1])

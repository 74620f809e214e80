"""Traffic: how often this process calls an object store, and how many bytes it reads and writes there.

A request to an object store costs money and tens of milliseconds, whatever its size. So the process that makes a unit counts its calls, and
run.json reports them by stage.

Invariants
    - A call counts once, in the innermost `measured` block of its process. A call that is repeated after a fault counts each time.
    - Local files do not count.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

_lock = threading.Lock()


@dataclass(eq=False)
class Traffic:
    """Calls to an object store: `reads` of a range, `writes` of an object, `others` (metadata, listings, deletions); and bytes."""

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
        """Return the difference to an earlier count."""
        return Traffic(
            self.reads - other.reads,
            self.writes - other.writes,
            self.others - other.others,
            self.bytes_read - other.bytes_read,
            self.bytes_written - other.bytes_written,
        )

    def add(self, other: "Traffic") -> None:
        """Add another count."""
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
    """Return the count of the innermost open block until now."""
    with _lock:
        return replace(_counting[-1])

"""Running a command and watching what it takes: wall, processor time, and the memory of it and every process it starts.

Wall is from spawn to end, so start-up counts. Each process is looked at ten times a second: its processor time so far, and its resident
set; on Linux the kernel's own high-water mark, so that no peak falls between two looks. (What the system adds up for a parent misses the
processes of a fork server.) Library pages that processes share count for each of them.

Who can say in which step the command is gets peaks by step: when the step changes, the high-water marks are set back (Linux only).
"""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_EVERY = 0.1
_HIGH_WATER = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True)
class Usage:
    """What a command took: seconds, processor seconds of it and all it started, the peak of it and of the largest it started, in MiB.

    `steps`: the same two peaks within each step.
    """

    wall: float
    cpu: float
    driver_mib: float
    worker_mib: float
    output: str
    steps: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def run(command: Sequence[str | Path], folder: Path, printed: Path, step: Callable[[], str] = lambda: "") -> Usage:
    """Run a command in a folder to its end; what it prints goes to a file. Raises SystemExit, with the end of that, where it fails.

    `step` is asked at every look what the command is doing.
    """
    began = time.perf_counter()
    with printed.open("w+b") as stream:
        child = psutil.Popen([str(part) for part in command], cwd=folder, stdout=stream, stderr=stream)
        peaks: dict[str, dict[int, float]] = {}
        spent: dict[int, float] = {}
        now = step()
        while True:
            within = peaks.setdefault(now, {})
            before, now = now, step()
            for process in _tree(child):
                with suppress(psutil.NoSuchProcess):
                    spent[process.pid] = sum(process.cpu_times()[:2])
                    within[process.pid] = max(within.get(process.pid, 0.0), peak_mib(process))
                    if now != before:
                        _forget_peak(process)
            with suppress(psutil.TimeoutExpired):
                child.wait(_EVERY)
                break
    wall = time.perf_counter() - began
    output = printed.read_text("utf-8", "replace")
    if child.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\nended with {child.returncode}:\n{output[-4000:]}")
    steps = {
        name: (within.get(child.pid, 0.0), max((peak for pid, peak in within.items() if pid != child.pid), default=0.0))
        for name, within in peaks.items()
    }
    driver_mib, worker_mib = (max(own) for own in zip(*steps.values(), strict=True))
    return Usage(wall, sum(spent.values()), driver_mib, worker_mib, output, steps)


@contextmanager
def pinned(cores: int) -> Iterator[None]:
    """Let this process, and what it starts meanwhile, run on the last `cores` of its processor's cores alone (Linux)."""
    allowed = os.sched_getaffinity(0)
    if len(allowed) < cores:
        raise SystemExit(f"needs {cores} cores, but there are {len(allowed)}")
    os.sched_setaffinity(0, sorted(allowed)[-cores:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _tree(root: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return [root, *root.children(recursive=True)]
    return []


def peak_mib(process: psutil.Process) -> float:
    """Return the most memory a process ever had resident; it begins anew with each program (unlike `ru_maxrss`, on Linux)."""
    with suppress(OSError):
        found = _HIGH_WATER.search(Path(f"/proc/{process.pid}/status").read_text())
        return int(found.group(1)) / 1024 if found else 0.0
    with suppress(psutil.Error):
        return float(process.memory_info().rss) / 2**20
    return 0.0


def _forget_peak(process: psutil.Process) -> None:
    with suppress(OSError):
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")

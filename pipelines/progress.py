"""Progress on stderr: a live bar with rate and time left on a terminal, plain lines anywhere else.

Results never go here: stdout is for them.
"""

import sys
import time
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from curation.stage import Finished
from pipelines.logs import LOG

_SECONDS_BETWEEN_LINES = 10.0


@dataclass
class _Stage:
    units: int
    done: int
    reused: int
    began: float
    rows: int = 0
    told: float = 0.0
    bar: TaskID | None = None


@dataclass
class ProgressWatcher:
    """Shows how a session goes; use as a context manager."""

    live: bool = field(default_factory=sys.stderr.isatty)

    def __post_init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=not self.live)
        self._stages: dict[str, _Stage] = {}
        self._progress = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self.live,
        )

    def __enter__(self) -> "ProgressWatcher":
        self._progress.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._progress.__exit__(None, None, None)

    def begin(self, stage: str, units: int, reused: int) -> None:
        """Show a new bar, or remember when the stage began."""
        entry = _Stage(units, reused, reused, time.monotonic(), told=time.monotonic())
        if self.live:
            entry.bar = self._progress.add_task(stage, total=units, completed=reused, rate="")
        self._stages[stage] = entry

    def advance(self, stage: str, finished: Finished) -> None:
        """Move the bar, or print a line now and then."""
        entry = self._stages[stage]
        entry.done += 1
        entry.rows += max((shard.rows for shard in finished.shards), default=0)
        if entry.bar is not None:
            self._progress.update(entry.bar, advance=1, rate=self._rate(entry))
        elif time.monotonic() - entry.told > _SECONDS_BETWEEN_LINES:
            entry.told = time.monotonic()
            self._console.print(f"{stage}: {entry.done} of {entry.units}, {self._rate(entry)}, {_left(entry)} left")

    def end(self, stage: str) -> None:
        """Print the stage's line when there is no bar."""
        entry = self._stages[stage]
        if entry.bar is None:
            made = entry.units - entry.reused
            note = f", {entry.reused} as before" if entry.reused else ""
            rate = f", {self._rate(entry)}" if made else ""
            self._console.print(f"{stage}: {made} made{note}{rate} in {time.monotonic() - entry.began:.1f} s")
        LOG.info("%s: %d made, %d as before, in %.1f s", stage, entry.units - entry.reused, entry.reused, time.monotonic() - entry.began)

    def tell(self, line: str) -> None:
        """Print something the user should read."""
        self._console.print(line, markup=False)
        LOG.info("%s", line)

    def _rate(self, entry: _Stage) -> str:
        seconds = max(time.monotonic() - entry.began, 1e-3)
        return f"{entry.rows / seconds:,.0f} rows/s"


def _left(entry: _Stage) -> str:
    fresh = entry.done - entry.reused
    seconds = (time.monotonic() - entry.began) / max(fresh, 1) * (entry.units - entry.done)
    return f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"

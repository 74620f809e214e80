"""How progress looks: a live line on a terminal, plain lines in a file or pipe, or nothing.

A display is told what to show and decides nothing but how. What it prints of a run is text, never markup, with control characters escaped.
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from pipelines.wording import printable

Left = Callable[[], float | None]
"""Says how many seconds are left, None where that is not known."""

_SECONDS_BETWEEN_LINES = 10.0
_WIDTH_WITH_RATE = 110


class Display(Protocol):
    """Shows progress; a context manager."""

    def __enter__(self) -> object: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def begin(self, stage: str, words: str, units: int, reused: int) -> None:
        """A stage begins, of whose units some are there from before."""

    def at(self, stage: str, done: int, units: int, rate: float | None, share: float, left: Left) -> None:
        """So many units of the stage are done, at so many rows a second, and that share of the whole run."""

    def end(self, stage: str, words: str, made: int, reused: int, rows: int, seconds: float) -> None:
        """A stage is sealed."""

    def tell(self, line: str) -> None:
        """Show something the user should read."""

    def busy_with(self, what: str | None) -> None:
        """Something goes on within the stage that has a name of its own, or is over (None)."""

    def failed(self, error: BaseException) -> None:
        """The run ends with an error, which the command tells."""

    def done(self, seconds: float) -> None:
        """The run is done."""


class Nothing:
    """Shows nothing but, where wanted, notes."""

    def __init__(self, notes: bool = False) -> None:
        self._notes = notes
        self._console = _console()

    def __enter__(self) -> object:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def begin(self, stage: str, words: str, units: int, reused: int) -> None:
        """Show nothing."""

    def at(self, stage: str, done: int, units: int, rate: float | None, share: float, left: Left) -> None:
        """Show nothing."""

    def end(self, stage: str, words: str, made: int, reused: int, rows: int, seconds: float) -> None:
        """Show nothing."""

    def tell(self, line: str) -> None:
        """Print the note."""
        if self._notes:
            _print(self._console, line)

    def busy_with(self, what: str | None) -> None:
        """Show nothing."""

    def failed(self, error: BaseException) -> None:
        """Show nothing: the command tells the error."""

    def done(self, seconds: float) -> None:
        """Show nothing."""


class Plain(Nothing):
    """Prints a line for every step that made something, and where it is every ten seconds."""

    def __init__(self) -> None:
        super().__init__(notes=True)
        self._words = ""
        self._made = self._rows = 0
        self._seconds = 0.0
        self._told = time.monotonic()
        self._busy: str | None = None

    def begin(self, stage: str, words: str, units: int, reused: int) -> None:
        """Print what the step before this one did, once another begins."""
        if words != self._words:
            self._print_step()
            self._words, self._made, self._rows, self._seconds = words, 0, 0, 0.0

    def at(self, stage: str, done: int, units: int, rate: float | None, share: float, left: Left) -> None:
        """Print where the run is, now and then."""
        if time.monotonic() - self._told >= _SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            speed = f", {rate:,.0f} rows/s" if rate else ""
            _print(self._console, f"{share:.0%} of the run; {self._words}: {done:,} of {units:,} units{speed}, {left_in_words(left())}")

    def end(self, stage: str, words: str, made: int, reused: int, rows: int, seconds: float) -> None:
        """Add a stage to its step."""
        self._made += made
        self._rows += rows
        self._seconds += seconds

    def busy_with(self, what: str | None) -> None:
        """Print what goes on, once."""
        if what is not None and what != self._busy:
            self._busy = what
            _print(self._console, what)

    def failed(self, error: BaseException) -> None:
        """Print what was done before."""
        self._print_step()

    def done(self, seconds: float) -> None:
        """Print what the last step did."""
        self._print_step()

    def _print_step(self) -> None:
        if self._made:
            rate = f", {self._rows / self._seconds:,.0f} rows/s" if self._rows and self._seconds > 0.2 else ""
            units = "1 unit" if self._made == 1 else f"{self._made:,} units"
            _print(self._console, f"{self._words}: {units} in {self._seconds:.1f} s{rate}")
        self._made = 0


class Bar(Nothing):
    """One live line for the whole run; it goes away when the run ends."""

    def __init__(self) -> None:
        super().__init__(notes=True)
        self._busy: str | None = None
        self._words = "starting"
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[units]}", markup=False),
            _TimeLeft(),
            console=self._console,
            transient=True,
        )
        self._task = self._progress.add_task(self._words, total=1.0, units="", left=lambda: None)

    def __enter__(self) -> object:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()

    def begin(self, stage: str, words: str, units: int, reused: int) -> None:
        """Show the stage's words."""
        self._words = words
        self._progress.update(self._task, description=self._busy or words)

    def at(self, stage: str, done: int, units: int, rate: float | None, share: float, left: Left) -> None:
        """Move the bar."""
        speed = f"  {rate:,.0f} rows/s" if rate and self._console.width >= _WIDTH_WITH_RATE else ""
        told = f"{done:,} of {units:,} units{speed}" if units > 1 else ""
        self._progress.update(self._task, completed=share, units=told, left=left)

    def busy_with(self, what: str | None) -> None:
        """Show what goes on in the place of the stage's words."""
        self._busy = what
        self._progress.update(self._task, description=what or self._words)


class _TimeLeft(ProgressColumn):
    """How long the rest of the run will take, worked out anew each time it is shown."""

    def render(self, task: Task) -> Text:
        """Return the words."""
        return Text(left_in_words(task.fields["left"]()))


def left_in_words(seconds: float | None) -> str:
    """Say how long the rest will take, no more exactly than it is known."""
    if seconds is None:
        return "time left not known yet"
    if seconds < 60:
        return f"about {max(1, round(seconds))} s left"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min left"
    return f"about {seconds / 3600:.0f} h left" if seconds < 48 * 3600 else f"about {seconds / 86400:.0f} days left"


def _console() -> Console:
    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def _print(console: Console, text: str) -> None:
    for line in text.splitlines():
        console.print(Text(printable(line)), soft_wrap=True)

"""Displays of progress: a live line on a terminal, plain lines in a file or pipe, or nothing.

The watcher decides what a display shows; the display decides how. It prints text of the run without markup and escapes control characters.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from curation.counting import counted
from pipelines.terminal.wording import printable

Left = Callable[[], float | None]
"""Returns the number of seconds left, or None when it is unknown."""

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_FOR_A_RATE = 0.2
_WIDTH_WITH_RATE = 110


@dataclass(frozen=True)
class At:
    """The position of a run: the stage's name, the same in words, its units (an earlier run made `reused` of them), and the rows made.

    `seconds` is the time that this stage has taken; `share` is the finished share of the whole run.
    """

    stage: str
    words: str
    units: int
    reused: int
    done: int
    rows: int
    seconds: float
    share: float
    left: Left

    @property
    def made(self) -> int:
        """The number of units that this run made."""
        return self.done - self.reused

    @property
    def rate(self) -> float | None:
        """Rows per second; None until there is enough to measure."""
        return self.rows / self.seconds if self.rows and self.seconds > _SECONDS_FOR_A_RATE else None


class Display(Protocol):
    """Shows progress; a context manager."""

    def __enter__(self) -> object:
        """Start the display."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the terminal as it was."""

    def begin(self, at: At) -> None:
        """Show that a stage begins; an earlier run may have made some of its units."""

    def at(self, at: At) -> None:
        """Show the position of the run."""

    def end(self, at: At) -> None:
        """Show that a stage is sealed."""

    def tell(self, line: str) -> None:
        """Show a note to the user."""

    def warn(self, line: str) -> None:
        """Show a note that -q does not silence: something could not be read, or nothing is kept."""

    def busy_with(self, what: str | None) -> None:
        """Show that a named activity within the stage begins, or that it is over (None)."""

    def failed(self) -> None:
        """End the display after an error; the command reports the error itself."""

    def done(self, seconds: float) -> None:
        """Show that the run is done."""


class Nothing:
    """Shows nothing except, if wanted, notes."""

    def __init__(self, notes: bool = False) -> None:
        """Show nothing, or notes alone."""
        self._notes = notes
        self._console = _console()

    def __enter__(self) -> object:
        """Show nothing."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Show nothing."""
        return

    def begin(self, at: At) -> None:
        """Show nothing."""

    def at(self, at: At) -> None:
        """Show nothing."""

    def end(self, at: At) -> None:
        """Show nothing."""

    def tell(self, line: str) -> None:
        """Print the note."""
        if self._notes:
            self.warn(line)

    def warn(self, line: str) -> None:
        """Print the note."""
        _print(self._console, line)

    def busy_with(self, what: str | None) -> None:
        """Show nothing."""

    def failed(self) -> None:
        """Show nothing: the command reports the error."""

    def done(self, seconds: float) -> None:
        """Show nothing."""


class PlainDisplay(Nothing):
    """Prints a line for every step that made something, and the position of the run every ten seconds."""

    def __init__(self) -> None:
        """Begin with no line printed."""
        super().__init__(notes=True)
        self._words = ""
        self._made = self._rows = 0
        self._seconds = 0.0
        self._told = time.monotonic()
        self._busy: str | None = None
        self._within_stage = False

    def begin(self, at: At) -> None:
        """Print what the previous step did when a new step begins."""
        self._within_stage = True
        if at.words != self._words:
            self._print_step()
            self._words, self._rows, self._seconds = at.words, 0, 0.0

    def at(self, at: At) -> None:
        """Print the position of the run if ten seconds have passed."""
        if time.monotonic() - self._told >= _SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            speed = f", {at.rate:,.0f} rows/s" if at.rate else ""
            units = f"{at.done:,} of {counted(at.units, 'unit')}"
            _print(self._console, f"{at.share:.0%} of the run; {at.words}: {units}{speed}, {left_in_words(at.left())}")

    def end(self, at: At) -> None:
        """Add the stage's numbers to its step."""
        self._within_stage = False
        self._made += at.made
        self._rows += at.rows
        self._seconds += at.seconds

    def busy_with(self, what: str | None) -> None:
        """Print the activity once."""
        if what is not None and what != self._busy:
            self._busy = what
            if not self._within_stage:
                self._print_step()
            _print(self._console, what)

    def failed(self) -> None:
        """Print what the last step did before the error."""
        self._print_step()

    def done(self, seconds: float) -> None:
        """Print what the last step did and the time of the whole run."""
        self._print_step()
        _print(self._console, f"done in {seconds:.1f} s")

    def _print_step(self) -> None:
        if self._made:
            rate = f", {self._rows / self._seconds:,.0f} rows/s" if self._rows and self._seconds > _SECONDS_FOR_A_RATE else ""
            units = counted(self._made, "unit")
            _print(self._console, f"{self._words}: {units} in {self._seconds:.1f} s{rate}")
        self._made = 0


class Bar(Nothing):
    """Shows one live line for the whole run and removes it when the run ends."""

    def __init__(self) -> None:
        """Prepare the live line."""
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
        """Begin the live line."""
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the live line."""
        self._progress.stop()

    def begin(self, at: At) -> None:
        """Show the stage's words."""
        self._words = at.words
        self._progress.update(self._task, description=self._busy or at.words)

    def at(self, at: At) -> None:
        """Move the bar."""
        speed = f"  {at.rate:,.0f} rows/s" if at.rate and self._console.width >= _WIDTH_WITH_RATE else ""
        told = f"{at.done:,} of {at.units:,} units{speed}" if at.units > 1 else ""
        self._progress.update(self._task, completed=at.share, units=told, left=at.left)

    def busy_with(self, what: str | None) -> None:
        """Show the activity in place of the stage's words."""
        self._busy = what
        self._progress.update(self._task, description=what or self._words)


class _TimeLeft(ProgressColumn):
    """The time left, computed anew each time it is shown."""

    def render(self, task: Task) -> Text:
        """Return the words."""
        return Text(left_in_words(task.fields["left"]()))


def left_in_words(seconds: float | None) -> str:
    """Say how much time is left, no more precisely than it is known."""
    if seconds is None:
        return "time left unknown"
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

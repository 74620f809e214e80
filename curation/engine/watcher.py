"""A watcher follows the progress of a run; the command line shows a progress bar, tests show nothing."""

from typing import Protocol

from curation.engine.stage import Finished


class Watcher(Protocol):
    """Receives the progress of a run (the progress bar of the command line)."""

    def begin(self, stage: str, units: int, reused: int) -> None:
        """A stage starts with `units` units, of which `reused` are already done."""

    def advance(self, stage: str, finished: Finished) -> None:
        """One more unit is done."""

    def end(self, stage: str) -> None:
        """The stage is sealed."""

    def tell(self, line: str) -> None:
        """A message for the user."""


class Silent:
    """A watcher that shows nothing."""

    def begin(self, stage: str, units: int, reused: int) -> None:
        """Show nothing."""

    def advance(self, stage: str, finished: Finished) -> None:
        """Show nothing."""

    def end(self, stage: str) -> None:
        """Show nothing."""

    def tell(self, line: str) -> None:
        """Show nothing."""

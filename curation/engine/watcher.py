"""Watchers: who is told how a run goes; the command line shows a progress bar, tests nothing."""

from typing import Protocol

from curation.engine.stage import Finished


class Watcher(Protocol):
    """Is told how a run goes (the progress bar of the command line)."""

    def begin(self, stage: str, units: int, reused: int) -> None:
        """A stage begins with so many units, of which some are done already."""

    def advance(self, stage: str, finished: Finished) -> None:
        """One more unit is done."""

    def end(self, stage: str) -> None:
        """The stage is sealed."""

    def tell(self, line: str) -> None:
        """Something the user should read."""


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

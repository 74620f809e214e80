"""The summary that a run prints at its end."""

import shlex
from dataclasses import dataclass, field

from curation.errors import NothingRead
from curation.ingest.unread import Unread
from curation.ledger.books import Books
from pipelines.inspect.flows import Funnel


@dataclass(frozen=True)
class Summary:
    """A finished run: its folder, funnel and books, the dataset's licence, the seconds it took, and the input it could not read."""

    out: str
    funnel: Funnel
    books: Books
    dataset: str
    report: str
    license: str
    seconds: float
    unread: Unread = field(default_factory=Unread)

    def require_something(self) -> None:
        """Raise NothingRead where nothing could be read from an input file, or no reply of the teachers became a row."""
        self.unread.require_none()
        asked = self.funnel.synthetic
        rejected = [step for step in asked.steps if step.stage == "synthesize"] if asked is not None else []
        if asked is not None and 0 < asked.came.documents == sum(step.taken.documents for step in rejected):
            rules = ", ".join(f"{step.rule} {step.taken.documents:,}" for step in rejected)
            which = "the only reply" if asked.came.documents == 1 else f"none of {asked.came.documents:,} replies"
            became = f"{which} {'did not become' if asked.came.documents == 1 else 'became'} a row: {rules}"
            look = shlex.join(["curate", "inspect", self.out])
            raise NothingRead(f"{became}.\nThe run is otherwise finished, and its ledger says of every reply why: {look}")

"""The summary that a run prints at its end."""

from dataclasses import dataclass, field

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

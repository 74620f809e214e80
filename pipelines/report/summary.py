"""What a run tells at its end."""

from dataclasses import dataclass, field

from curation.ingest.unread import Unread
from curation.ledger.books import Books
from pipelines.inspect.flows import Funnel


@dataclass(frozen=True)
class Summary:
    """A finished run: where it lies, its funnel and its books, the dataset's licence, the seconds it took, and what could not be read."""

    out: str
    funnel: Funnel
    books: Books
    dataset: str
    report: str
    license: str
    seconds: float
    unread: Unread = field(default_factory=Unread)

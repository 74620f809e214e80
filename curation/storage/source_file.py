"""An input file as a listing found it, and which of its fields hold what."""

from dataclasses import dataclass

from curation.storage.location import Location


@dataclass(frozen=True)
class Fields:
    """Which fields of a JSONL line or a Parquet row hold what; the rest goes to metadata."""

    id: str = "id"
    text: str = "text"
    url: str = "url"
    date: str = "date"


@dataclass(frozen=True)
class SourceFile:
    """One input file.

    `relative` is its path below the glob's fixed prefix: its identity in ledger and keys. `source` is the recipe's label, else the
    input as it was written (`curation.ingest.inputs`). `size` and `changed` are what the listing said, for the resume key.
    """

    location: Location
    relative: str
    source: str
    size: int
    changed: int | None
    fields: Fields = Fields()

"""An input file as the listing found it, and the names of its fields."""

from dataclasses import dataclass

from curation.storage.location import Location


@dataclass(frozen=True)
class Fields:
    """Names of the fields of a JSONL line or a Parquet row that we use; all other fields go to metadata."""

    id: str = "id"
    text: str = "text"
    url: str = "url"
    date: str = "date"


@dataclass(frozen=True)
class SourceFile:
    """One input file.

    `relative` is its path below the glob's fixed prefix, which identifies it in ledger and keys. `source` is the recipe's label, or else
    the input as the user wrote it (`curation.ingest.inputs`). `size` and `changed` come from the listing and are part of the resume key.
    """

    location: Location
    relative: str
    source: str
    size: int
    changed: int | None
    fields: Fields = Fields()

    @property
    def folder(self) -> str | None:
        """The folder below which `relative` leads to the file, as a URI; None for a URL, which is no place in a folder."""
        whole = str(self.location)
        return whole.removesuffix(self.relative) if "://" not in whole or self.location.scheme in ("s3", "gs") else None

"""Writing a shard in any format: its files are named, measured and hashed here."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from curation.storage.digests import digest_of_file
from curation.storage.location import Location


@dataclass(frozen=True)
class WrittenFile:
    """A file of a dataset: its path below the dataset, size and SHA-256."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Written:
    """A shard: its files (the first names it) and their contents; `conversations` are separate files."""

    files: tuple[WrittenFile, ...]
    rows: int
    tokens: int
    text_bytes: int
    conversations: tuple[tuple[str, WrittenFile, int], ...] = ()


class ShardFormat(Protocol):
    """Writes shards in one format; the file that names a shard comes first."""

    @property
    def endings(self) -> tuple[str, ...]:
        """The endings of a shard's files."""
        ...

    def write(self, target: Location, name: str, tables: Iterator[Any], conversations: Sequence[str]) -> Written:
        """Write one shard below the dataset's folder, and the rows of each kind of conversation."""
        ...


@dataclass
class Files:
    """Collects the files of one shard as they are written."""

    target: Location
    written: list[WrittenFile] = field(default_factory=list)

    @contextmanager
    def writing(self, path: str) -> Iterator[Path]:
        """Yield a temporary file that becomes `path` of the dataset."""
        with (self.target / path).writing() as temporary:
            yield temporary
            size, digest = temporary.stat().st_size, digest_of_file(temporary)
        self.written.append(WrittenFile(path, size, digest))

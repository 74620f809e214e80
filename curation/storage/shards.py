"""Shards are Parquet files that are written once, whole or not at all, and checked at every read.

A side shard has the rows of its documents shard in the same order, so columns of several stages are zipped by row, without a join. That is
safe only if both really hold the same rows: every shard with a `key` column carries a SHA-256 of its keys in the file's metadata, and
`check_aligned` compares them first.

Invariants
    - The same rows give the same bytes: writer settings are fixed, and no times or machine names are stored. (The file contains pyarrow's
      version, which is part of every stage's key.)
    - Page checksums are written and verified: without them most single-bit flips would read as silently wrong data.
    - A row group holds at most ROW_GROUP_BYTES of text, so a stage needs memory for one batch, whatever the shard's size.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.arrays import Column, Schema, Table
from curation.errors import CorruptShard
from curation.storage.digests import digest_of_file
from curation.storage.location import Location
from curation.storage.outages import telling_damage

ROW_GROUP_BYTES = 8 << 20
"""Bytes of text after which a row group of a documents shard is closed."""

PART_BYTES = 64 << 20
"""Bytes of text in one documents shard after which the next part starts."""

_KEYS_DIGEST = "curation.keys_sha256"


@dataclass(frozen=True, slots=True)
class Shard:
    """A finished shard: its name (the same in every stage), its location, and the size and digest of its content."""

    name: str
    location: Location
    rows: int
    bytes: int
    sha256: str


class ShardWriter:
    """Streams tables into one Parquet file; the file appears under its name only when everything succeeded.

    Use it as a context manager; leaving it sets `shard`. `metadata` becomes the file's key-value metadata.
    `cut_by_content` ends pages where the content says, so that equal rows of two files make equal pages (content-defined chunking).
    """

    def __init__(
        self,
        name: str,
        location: Location,
        schema: Schema,
        metadata: Mapping[str, str] | None = None,
        level: int = 1,
        cut_by_content: bool = False,
    ) -> None:
        """Write a shard to a place, under a temporary name until it is whole."""
        self.shard: Shard | None = None
        self.rows = 0
        self._name = name
        self._location = location
        self._schema = schema
        self._metadata = dict(metadata or {})
        self._level = level
        self._cut_by_content = cut_by_content
        self._keys = hashlib.sha256() if "key" in schema.names else None

    def __enter__(self) -> "ShardWriter":
        """Begin the file."""
        self._writing = self._location.writing()
        self._path = self._writing.__enter__()
        try:
            self._writer = pq.ParquetWriter(
                self._path,
                self._schema,
                compression="zstd",
                compression_level=self._level,
                use_dictionary=[field.name for field in self._schema if not (field.name in ("key", "text", "id") or _is_long(field.type))],
                column_encoding={field.name: "DELTA_BINARY_PACKED" for field in self._schema if _is_long(field.type)},
                write_page_index=True,
                write_page_checksum=True,
                use_content_defined_chunking=self._cut_by_content,
            )
        except BaseException as failure:
            self._writing.__exit__(type(failure), failure, failure.__traceback__)
            raise
        return self

    def write(self, table: Table) -> None:
        """Append a table (or a mapping of columns) as one row group, cast to the shard's schema."""
        if not isinstance(table, pa.Table):
            table = pa.table({name: table[name] for name in self._schema.names}, schema=self._schema)
        if table.schema != self._schema:
            table = table.select(self._schema.names).cast(self._schema)
        if self._keys is not None:
            self._keys.update(_key_bytes(table["key"]))
        self.rows += table.num_rows
        if table.num_rows:
            self._writer.write_table(table, row_group_size=table.num_rows)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the file: whole under its own name, or gone after an error."""
        if kind is None:
            try:
                self._finish()
            except BaseException as failure:
                self._writing.__exit__(type(failure), failure, failure.__traceback__)
                raise
            self._writing.__exit__(None, None, None)
        else:
            with suppress(OSError, pa.ArrowException):  # a file that cannot be written cannot be closed either; the first error is reported
                self._writer.close()
            self._writing.__exit__(kind, error, trace)

    def _finish(self) -> None:
        keys = {_KEYS_DIGEST: self._keys.hexdigest()} if self._keys is not None else {}
        self._writer.add_key_value_metadata({**self._metadata, **keys})
        self._writer.close()
        size, digest = self._path.stat().st_size, digest_of_file(self._path)
        self.shard = Shard(self._name, self._location, self.rows, size, digest)


def _is_long(kind: pa.DataType) -> bool:
    """Return whether a column holds hashes, numbers or sizes, whose values rarely repeat: a dictionary would cost time and space."""
    return kind in (pa.int64(), pa.uint64())


def _key_bytes(column: Column) -> bytes:
    chunks = [column] if not isinstance(column, pa.ChunkedArray) else column.chunks
    return b"".join(chunk.buffers()[1][16 * chunk.offset : 16 * (chunk.offset + len(chunk))].to_pybytes() for chunk in chunks if len(chunk))


def open_parquet(location: Location, **options: Any) -> pq.ParquetFile:
    """Open a Parquet file of this project for reading. Raises CorruptShard where it is not valid Parquet."""
    with telling_damage(location):
        return pq.ParquetFile(location.open_random(), page_checksum_verification=True, **options)


def read_shard(shard: Shard, columns: Sequence[str] | None = None) -> Table:
    """Return a shard's table, or some of its columns."""
    tables = list(batches(shard, columns))
    if tables:
        return pa.concat_tables(tables)
    with open_parquet(shard.location) as file:
        schema = file.schema_arrow.remove_metadata()
    return (schema if columns is None else pa.schema([schema.field(name) for name in columns])).empty_table()


def batches(shard: Shard, columns: Sequence[str] | None = None) -> Iterator[Table]:
    """Yield a shard's tables, one a row group, so that memory holds one at a time."""
    return row_groups(shard.location, columns)


def row_groups(location: Location, columns: Sequence[str] | None = None) -> Iterator[Table]:
    """Yield the tables of a Parquet file of this project, one per row group, without knowing its digest."""
    with open_parquet(location, pre_buffer=False) as file:
        for index in range(file.num_row_groups):
            with telling_damage(location, f", row group {index},"):
                table = file.read_row_group(index, columns=list(columns) if columns is not None else None, use_threads=False)
            yield table.replace_schema_metadata(None)


def keys_digest(shard: Shard) -> str:
    """Return the SHA-256 of the shard's keys that its writer stored."""
    with open_parquet(shard.location) as file:
        stored = (file.metadata.metadata or {}).get(_KEYS_DIGEST.encode())
    if stored is None:
        raise CorruptShard(f"{shard.location} has no digest of its keys, so it is not a shard of this project")
    return str(stored.decode())


def metadata_of(shard: Shard) -> dict[str, str]:
    """Return the key-value metadata that a shard was written with."""
    with open_parquet(shard.location) as file:
        return {name.decode(): value.decode() for name, value in (file.metadata.metadata or {}).items()}


def check_aligned(shards: Sequence[Shard]) -> None:
    """Raise CorruptShard unless all shards hold the same keys in the same order."""
    first = keys_digest(shards[0])
    for shard in shards[1:]:
        if keys_digest(shard) != first:
            raise CorruptShard(
                f"{shard.location} and {shards[0].location} do not hold the same rows: one of them, or its sidecar, is not what was "
                "written; delete both, then give the run's command again, which rebuilds them"
            )

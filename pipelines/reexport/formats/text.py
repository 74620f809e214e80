"""Shards that people and data loaders read: Parquet, and JSON Lines compressed with gzip or Zstandard.

Parquet is written as in a run (`curation.storage.shards`): zstd, row groups of about 16 MiB of text, page index, page checksums, and
content-defined page boundaries, so that a store that deduplicates blocks needs little space for a slightly changed dataset.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curation.engine.stage import Output
from curation.storage.location import Location
from pipelines.export.export import gathered, schema_with
from pipelines.reexport.conversations import KINDS, rows_of
from pipelines.reexport.formats.writing import Files, Written, WrittenFile


class _Counted:
    """Passes tables on, counts their rows and bytes, and keeps the conversations."""

    def __init__(self, kinds: Sequence[str]) -> None:
        self.rows = self.tokens = self.text_bytes = 0
        self.talks: dict[str, list[Any]] = {kind: [] for kind in kinds}

    def of(self, tables: Iterator[Any], keep: Sequence[str]) -> Iterator[Any]:
        """Yield the dataset's columns."""
        schema = schema_with(keep)
        for table in tables:
            self.rows += table.num_rows
            self.tokens += pc.sum(table["token_count"]).as_py() or 0
            self.text_bytes += pc.sum(table["_bytes"]).as_py() or 0
            for kind, held in self.talks.items():
                held.append(rows_of(kind, table["id"].to_pylist(), table[f"_{kind}"].to_pylist()))
            yield table.select(schema.names).cast(schema)


def _with_conversations(target: Location, name: str, counted: _Counted, files: Sequence[WrittenFile]) -> Written:
    talks = []
    for kind, tables in counted.talks.items():
        output = Output(target / kind)
        with output.shard(name, KINDS[kind], level=3) as writer:
            for table in tables:
                writer.write(table)
        (shard,) = output.shards
        talks.append((kind, WrittenFile(f"{kind}/{shard.location.name}", shard.bytes, shard.sha256), shard.rows))
    return Written(tuple(files), counted.rows, counted.tokens, counted.text_bytes, tuple(talks))


@dataclass(frozen=True)
class ParquetShards:
    """Parquet with the dataset's columns."""

    keep: tuple[str, ...] = ()

    @property
    def endings(self) -> tuple[str, ...]:
        """The ending of a shard."""
        return (".parquet",)

    def write(self, target: Location, name: str, tables: Iterator[Any], conversations: Sequence[str]) -> Written:
        """Write one shard."""
        counted, output = _Counted(conversations), Output(target / "data")
        with output.shard(name, schema_with(self.keep), level=3, cut_by_content=True) as writer:
            for table in gathered(_slices(counted.of(tables, self.keep))):
                writer.write(table)
        (shard,) = output.shards
        return _with_conversations(target, name, counted, [WrittenFile(f"data/{shard.location.name}", shard.bytes, shard.sha256)])


@dataclass(frozen=True)
class JsonLines:
    """One JSON object per line, compressed."""

    codec: str = "gzip"
    keep: tuple[str, ...] = ()

    @property
    def endings(self) -> tuple[str, ...]:
        """The ending of a shard."""
        return (".jsonl.gz",) if self.codec == "gzip" else (".jsonl.zst",)

    def write(self, target: Location, name: str, tables: Iterator[Any], conversations: Sequence[str]) -> Written:
        """Write one shard."""
        counted, files = _Counted(conversations), Files(target)
        with files.writing(f"data/{name}{self.endings[0]}") as path, pa.CompressedOutputStream(str(path), self.codec) as stream:
            for table in _slices(counted.of(tables, self.keep)):
                stream.write("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in table.to_pylist()).encode())
        return _with_conversations(target, name, counted, files.written)


def _slices(tables: Iterator[Any]) -> Iterator[Any]:
    """Yield tables of at most a few MiB, whatever the size of a range."""
    for table in tables:
        rows = max(1, _SLICE_BYTES * table.num_rows // max(1, table.nbytes))
        for begin in range(0, table.num_rows, rows):
            yield table.slice(begin, rows)


_SLICE_BYTES = 4 << 20

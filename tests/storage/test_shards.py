"""Shards and files on a store: the digest of keys does not depend on how rows came, and a file is read as any file is."""

import io
from pathlib import Path

import pyarrow as pa
import pytest

from curation.storage import patient_store
from curation.storage.location import Location
from curation.storage.patient_store import PatientFile
from curation.storage.shards import ShardWriter, keys_digest, read_shard

SCHEMA = pa.schema([pa.field("key", pa.binary(16), nullable=False), pa.field("number", pa.int64(), nullable=False)])
KEYS = pa.array([bytes([number]) * 16 for number in range(7)], pa.binary(16))
TABLE = pa.table({"key": KEYS, "number": pa.array(range(7), pa.int64())}, schema=SCHEMA)


def written(folder: Path, name: str, *tables: pa.Table) -> str:
    writer = ShardWriter(f"{name}.parquet", Location.of(folder / f"{name}.parquet"), SCHEMA)
    with writer:
        for table in tables:
            writer.write(table)
    assert writer.shard is not None
    assert read_shard(writer.shard).num_rows == sum(table.num_rows for table in tables)
    return keys_digest(writer.shard)


def test_the_digest_of_keys_is_of_the_rows_alone(tmp_path: Path) -> None:
    whole = written(tmp_path, "whole", TABLE)
    assert written(tmp_path, "parts", TABLE.slice(0, 2), TABLE.slice(2, 0), TABLE.slice(2, 5)) == whole
    assert written(tmp_path, "chunks", pa.concat_tables([TABLE.slice(0, 3), TABLE.slice(3)])) == whole
    assert written(tmp_path, "fewer", TABLE.slice(1)) != whole
    assert written(tmp_path, "turned", TABLE.slice(1), TABLE.slice(0, 1)) != whole


def test_a_level_above_the_first_makes_a_smaller_file(tmp_path: Path) -> None:
    """Stages that nobody reads again are written at level 1, what people download at level 3."""
    texts = pa.table({"text": [" ".join(str(row * word % 97) for word in range(60)) for row in range(400)]})
    sizes = []
    for level in (1, 3, 9):
        writer = ShardWriter("a.parquet", Location.of(tmp_path / f"{level}.parquet"), texts.schema, level=level)
        with writer:
            writer.write(texts)
        assert writer.shard is not None
        sizes.append(writer.shard.bytes)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[2]


class Stored:
    """An object as Arrow gives it, which counts what is asked."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.asked: list[tuple[int, int]] = []

    def size(self) -> int:
        return len(self.content)

    def read_at(self, size: int, start: int) -> bytes:
        self.asked.append((start, size))
        return self.content[start : start + size]

    def close(self) -> None:
        """There is nothing to close."""


@pytest.mark.parametrize("small", [0, 100])
def test_a_file_on_a_store_is_read_as_any_file_is(monkeypatch: pytest.MonkeyPatch, small: int) -> None:
    monkeypatch.setattr(patient_store, "SMALL", small)
    stored = Stored(b"0123456789")
    with PatientFile(stored) as file:
        assert (file.readable(), file.seekable()) == (True, True)
        assert (file.read(3), file.tell(), file.read(None), file.read(), file.read(2)) == (b"012", 3, b"3456789", b"", b"")
        assert (file.seek(2), file.read(-1)) == (2, b"23456789")
        assert (file.seek(-3, io.SEEK_END), file.seek(1, io.SEEK_CUR), file.read(9)) == (7, 8, b"89")
        assert (file.seek(-5), file.read(0), file.seek(99), file.read(1)) == (0, b"", 99, b"")
    assert stored.asked == ([(0, 10)] if small else [(0, 3), (3, 7), (2, 8), (8, 2)])

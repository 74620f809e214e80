"""Helpers to read bytes as if they were a file, and to check on the way that the count of frames is the count of outcomes."""

import gzip
import tempfile
from pathlib import Path

import pyarrow as pa

from curation.ingest.readers import Outcome, Tally, read_records
from curation.storage.location import Location
from curation.storage.source_file import Fields, SourceFile


def read_path(path: Path, fields: Fields = Fields()) -> list[Outcome]:  # noqa: B008
    """Read a file; every outcome was counted before."""
    tally = Tally()
    source = SourceFile(Location.of(path), path.name, "test", path.stat().st_size, None, fields)
    outcomes = []
    for outcome in read_records(source, tally):
        outcomes.append(outcome)
        assert tally.frames == len(outcomes)
    assert tally.frames == len(outcomes)
    return outcomes


def read_bytes(name: str, content: bytes, fields: Fields = Fields()) -> list[Outcome]:  # noqa: B008
    """Read bytes as a file of that name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return read_path(path, fields)


def compressed(plain: bytes, packing: str) -> bytes:
    """Compress as one gzip member or one zstd, lz4 or brotli frame; "" leaves it plain."""
    if packing == "":
        return plain
    if packing == "gzip":
        return gzip.compress(plain, mtime=0)
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, packing) as stream:
        stream.write(plain)
    return packed.getvalue().to_pybytes()

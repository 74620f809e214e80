"""Readers under attack: mutated files, huge files, little memory. Nothing raises, and what was counted comes out."""

import gzip
import io
import json
import random
import subprocess
import sys
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.ingest.readers import Broken, Ignored, Record
from curation.ingest.readers.decompression import Content
from tests.ingest.test_readers_archives import FILEDESC, arc, page, warc
from tests.meeting import meets, met
from tests.reading import compressed, read_bytes

TEXTS = [f"Tide table {number}: " + "high water, low water. " * 5 for number in range(6)]


@cache
def seeds() -> dict[str, bytes]:
    """A small good file of every format."""
    records = [
        warc(b"software: x", "warcinfo"),
        page(1),
        page(2, headers=b"Transfer-Encoding: chunked\r\n", body=b"5\r\ntides\r\n0\r\n\r\n"),
    ]
    records += [page(3, gzip.compress(b"<p>x", mtime=0), b"Content-Encoding: gzip\r\n"), warc(TEXTS[0].encode(), "conversion"), page(4)]
    lines = b"".join(json.dumps({"id": number, "text": text, "note": [1]}).encode() + b"\n" for number, text in enumerate(TEXTS))
    table = pa.table({"id": range(6), "text": TEXTS, "label": pa.array(["a", None] * 3), "day": pa.array(range(6), pa.date32())})
    file = pa.BufferOutputStream()
    pq.write_table(table, file, row_group_size=3, write_page_checksum=True)
    return {
        "a.warc": b"".join(records),
        "a.warc.gz": b"".join(gzip.compress(record, mtime=0) for record in records),
        "a.warc.zst": b"".join(compressed(record, "zstd") for record in records),
        "a.warc.lz4": b"".join(compressed(record, "lz4") for record in records),
        "a.arc": FILEDESC + arc(TEXTS[1].encode()) + arc(b"HTTP/1.0 200 OK\r\n\r\n<p>x") + arc(TEXTS[2].encode()),
        "a.jsonl": lines,
        "a.jsonl.gz": gzip.compress(lines, mtime=0),
        "a.parquet": file.getvalue().to_pybytes(),
    }


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Flip, overwrite, delete, repeat or cut off some bytes."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) or 1)
        match chance.randrange(6):
            case 0 | 1 if changed:
                changed[at] ^= 1 << chance.randrange(8)
            case 2:
                changed[at : at + chance.randint(1, 9)] = chance.randbytes(chance.randint(0, 9))
            case 3:
                del changed[at : at + chance.randint(1, 200)]
            case 4:
                changed[at:at] = changed[: chance.randint(1, 400)]
            case 5:
                del changed[at:]
    return bytes(changed)


@pytest.mark.parametrize("name", sorted(seeds()))
def test_mutated_files_raise_nothing_and_lose_no_count(name):
    check_mutations(name, range(150))


@pytest.mark.full
@pytest.mark.parametrize("name", sorted(seeds()))
def test_many_mutated_files(name):
    check_mutations(name, range(150, 3000))


def check_mutations(name: str, numbers: range) -> None:
    whole = read_bytes(name, seeds()[name])
    assert not any(isinstance(outcome, Broken) for outcome in whole)
    for number in numbers:
        content = mutated(seeds()[name], random.Random(f"{name} {number}"))
        for outcome in read_bytes(name, content):
            assert isinstance(outcome, Record | Broken | Ignored)
            if isinstance(outcome, Record):
                assert isinstance(outcome.payload, bytes) or outcome.payload.encode()


@pytest.mark.parametrize("name", sorted(seeds()))
def test_every_truncation_is_noticed(name):
    """A file cut anywhere gives a Broken, unless the cut falls between records: then it is a whole file."""
    whole = seeds()[name]
    good = read_bytes(name, whole)
    silent = 0
    for cut in range(1, len(whole), max(1, len(whole) // 150)):
        outcomes = read_bytes(name, whole[:-cut])
        kept = [outcome for outcome in outcomes if not isinstance(outcome, Broken)]
        assert kept == good[: len(kept)]
        silent += len(kept) == len(outcomes)
    assert silent <= (6 if name in ("a.warc", "a.jsonl", "a.arc") else 2)


class _Failing(io.BytesIO):
    """A file whose disk or network fails after some bytes."""

    def read(self, size=-1):
        if self.tell() >= 1000:
            raise OSError("connection lost")
        return super().read(min(size, 1000))


@pytest.mark.parametrize("packing", ["", "gzip", "zstd", "lz4"])
def test_a_failing_disk_is_not_taken_for_damage(packing):
    content = Content(_Failing(compressed(random.Random(1).randbytes(200_000), packing)))
    with pytest.raises(OSError, match="connection lost"):
        content.take(200_000)


@meets(outcomes=20, broken=10)
@given(st.sampled_from(["x.warc", "x.arc", "x.jsonl", "x.parquet", "x.html", "x"]), st.binary(max_size=300))
def test_any_bytes_are_read_as_something(name, content):
    outcomes = read_bytes(name, content)
    if content.strip():
        assert outcomes or name.endswith("jsonl")
    met["outcomes"] += len(outcomes)
    met["broken"] += sum(isinstance(outcome, Broken) for outcome in outcomes)


_MEASURED = """
import resource, sys
from pathlib import Path
from tests.reading import read_path
import curation.ingest.readers.opening
import pyarrow.parquet
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[2]) << 20,) * 2)
outcomes = read_path(Path(sys.argv[1]))
print(*[getattr(outcome, "reason", type(outcome).__name__) for outcome in outcomes])
"""


def read_in(path: Path, megabytes: int) -> str:
    """Read a file in a process whose data segment may grow to so many megabytes."""
    command = [sys.executable, "-c", _MEASURED, str(path), str(megabytes)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_huge_file_needs_little_memory(tmp_path):
    """300 MB each: a line without end, a record without end, a page without end, and what compresses to nearly nothing."""
    block = b"a" * (1 << 20)
    files = {
        "line.jsonl": (b'{"text": "', b'"}\n{"text": "x"}\n', "too_large Record"),
        "record.warc": (
            b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: %d\r\n\r\n" % (300 << 20),
            b"\r\n\r\n" + page(1),
            "too_large Record",
        ),
        "garbage.warc": (b"", b"\r\n\r\n" + page(1), "garbage Record"),
        "head.warc": (b"WARC/1.0\r\n", b"\r\n\r\n" + page(1), "bad_content_length Record"),
        "page.html": (b"<html>", b"", "too_large"),
    }
    for name, (before, after, expected) in files.items():
        with (tmp_path / name).open("wb") as file:
            file.write(before)
            for _ in range(300):
                file.write(block)
            file.write(after)
        assert read_in(tmp_path / name, 450) == expected
        (tmp_path / name).unlink()


def test_a_bomb_needs_little_memory(tmp_path):
    (tmp_path / "a.warc.gz").write_bytes(gzip.compress(page(1, bytes(300 << 20)), 1) + gzip.compress(page(2)))
    (tmp_path / "b.jsonl.zst").write_bytes(compressed(b'{"text": "' + bytes(300 << 20), "zstd"))
    (tmp_path / "c.warc").write_bytes(page(1, gzip.compress(bytes(300 << 20), 1), b"Content-Encoding: gzip\r\n") + page(2))
    assert read_in(tmp_path / "a.warc.gz", 450) == "too_large Record"
    assert read_in(tmp_path / "b.jsonl.zst", 450) == "too_large"
    assert read_in(tmp_path / "c.warc", 450) == "too_large Record"

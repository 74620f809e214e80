"""Mutated files of every format through the command line: no crash, no hang, every record one fate, and none gone without a word.

Some hundred files are mutated and given to one run. Of every file it is known how many records it held, and what of the mutation fell on
its own framing: on what says where a record begins and ends. Only where framing was hit may the ledger account for fewer.

    Parquet            the footer (its count is the only one) and the magic bytes
    JSON Lines         line ends, and a deletion or a copy of bytes that may hold some
    WARC, ARC, WET     heads (where records begin, how long they are), deletions and copies likewise
    compressed files   any byte: of a broken member only what was read before the damage is known
    HTML               none: a file is a record
"""

import bz2
import gzip
import json
import lzma
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd

from tests.ingest.test_compression import dictionary, in_skippable_frame
from tests.ingest.test_readers_archives import FILEDESC, arc, page, warc
from tests.reading import compressed
from tests.running import curate

RECORDS = 12
TEXTS = [f"Tide table {number}: " + "high water, low water, März. " * 12 for number in range(RECORDS)]
RECIPE = "[extractor]\nname = 'resiliparse'\n"


def lines() -> bytes:
    return b"".join(json.dumps({"id": f"r{n}", "text": text, "note": [1], "x": 1.5}).encode() + b"\n" for n, text in enumerate(TEXTS))


def parquet(**options) -> bytes:
    table = pa.table(
        {
            "id": [f"r{n}" for n in range(RECORDS)],
            "text": TEXTS,
            "n": range(RECORDS),
            "label": ["a", None, "b"] * (RECORDS // 3),
            "day": pa.array(range(RECORDS), pa.date32()),
        }
    )
    file = pa.BufferOutputStream()
    pq.write_table(table, file, **{"row_group_size": 4, "write_page_checksum": True, **options})
    return file.getvalue().to_pybytes()


def pages() -> list[bytes]:
    return [page(number, f"<html><body><p>{text}</p></body></html>".encode()) for number, text in enumerate(TEXTS)]


def with_dictionary() -> bytes:
    words = dictionary()
    return in_skippable_frame(words.dict_content) + b"".join(zstd.compress(record, zstd_dict=words) for record in pages())


PACKED = {"gz": gzip.compress, "zst": zstd.compress, "bz2": bz2.compress, "xz": lzma.compress}
PLAIN_DELTA = {"use_dictionary": False, "compression": "none", "column_encoding": {"text": "DELTA_BYTE_ARRAY", "n": "DELTA_BINARY_PACKED"}}
SEEDS: dict[str, Callable[[], bytes]] = {
    "a.jsonl": lines,
    **{f"a.jsonl.{ending}": (lambda pack=pack: pack(lines())) for ending, pack in PACKED.items()},
    "plain.parquet": lambda: parquet(use_dictionary=False, compression="none"),
    "dictionary.parquet": lambda: parquet(compression="snappy"),
    "delta.parquet": lambda: parquet(**PLAIN_DELTA),
    "length.parquet": lambda: parquet(use_dictionary=False, compression="zstd", column_encoding={"text": "DELTA_LENGTH_BYTE_ARRAY"}),
    "pages2.parquet": lambda: parquet(data_page_version="2.0", compression="lz4", data_page_size=100, write_batch_size=2),
    "a.warc": lambda: b"".join(pages()),
    "a.warc.gz": lambda: b"".join(gzip.compress(record, mtime=0) for record in pages()),
    "a.warc.lz4": lambda: compressed(b"".join(pages()), "lz4"),
    "dictionary.warc.zst": with_dictionary,
    "a.arc": lambda: FILEDESC + b"".join(arc(text.encode()) for text in TEXTS),
    "a.warc.wet": lambda: b"".join(warc(text.encode(), "conversion", number) for number, text in enumerate(TEXTS)),
    "a.html": lambda: pages()[0].partition(b"\r\n\r\n")[2].partition(b"\r\n\r\n")[2],
    "plain": lambda: b"{" + lines()[1:],
}


def mutate(content: bytes, chance: random.Random) -> tuple[bytes, list[tuple[int, int, bool]]]:
    """Return changed bytes and where they were: first byte, last byte and whether the length changed, as places in the original."""
    changed = bytearray(content)
    at = chance.randrange(len(content))
    match chance.randrange(6):
        case 0 | 1:
            changed[at] ^= 1 << chance.randrange(8)
            return bytes(changed), [(at, at + 1, False)]
        case 2:
            size = chance.randint(1, 9)
            changed[at : at + size] = chance.randbytes(len(changed[at : at + size]))
            return bytes(changed), [(at, at + size, False)]
        case 3:
            size = chance.randint(1, 100)
            del changed[at : at + size]
            return bytes(changed), [(at, at + size, True)]
        case 4:
            start = chance.randrange(len(content))
            changed[at:at] = content[start : start + chance.randint(1, 200)]
            return bytes(changed), [(at, at + 1, True)]
        case _:
            del changed[at:]
            return bytes(changed), [(at, len(content), True)]


def breaks_framing(name: str, content: bytes, places: list[tuple[int, int, bool]]) -> bool:
    """Whether a mutation hit what says where records are."""
    [(start, end, moved)] = places
    if name == "a.html":
        return False
    if name.endswith((".gz", ".zst", ".bz2", ".xz", ".lz4")):
        return True
    if name.endswith(".parquet"):
        footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
        return end > footer or start < 4
    if "jsonl" in name or name == "plain":
        return moved or b"\n" in content[start - 1 : end + 1] or start == 0
    return moved or any(head.start() < end and start < head.end() for head in _HEADS.finditer(content))


_HEADS = re.compile(rb"(?:\r\n)?WARC/1.0\r\n.*?\r\n\r\n|\n?[a-z]+://[^\n]* \d+\n", re.DOTALL)


def fuzz(folder: Path, seed: str, files: int) -> Counter[str]:
    """Run mutated files of all formats and hold the ledger against what they held; return what was met."""
    inputs = folder / "in"
    inputs.mkdir(parents=True)
    (folder / "recipe.toml").write_text(RECIPE)
    chance = random.Random(seed)
    whole = {name: make() for name, make in SEEDS.items()}
    framed = {}
    for number in range(files):
        name = sorted(whole)[number % len(whole)]
        content, places = mutate(whole[name], chance)
        stem, _, ending = name.partition(".")
        file = f"{stem}{number:05d}.{ending}" if ending else f"{stem}{number:05d}"
        (inputs / file).write_bytes(content)
        framed[file] = (1 if name == "a.html" else RECORDS, breaks_framing(name, whole[name], places), name)
    told = curate("run", folder / "recipe.toml", inputs, "--out", folder / "out", code=1)
    assert "The books balance" in told
    assert "Traceback" not in told
    return met(folder / "out", framed)


def met(out: Path, framed: dict[str, tuple[int, bool, str]]) -> Counter[str]:
    """Count what the ledger says of each file."""
    ledger = pl.read_parquet(out / "ledger/*.parquet")
    stood_for = pl.col("evidence").str.json_path_match("$.records").cast(pl.Int64).fill_null(1)
    accounted = dict(ledger.group_by("file_path").agg(stood_for.sum()).iter_rows())
    fates = dict(ledger.group_by("fate").len().iter_rows())
    counts: Counter[str] = Counter({f"records {fate}": count for fate, count in fates.items()})
    lost = []
    for file, (records, broken, name) in framed.items():
        found = accounted.get(file, 0)
        counts["files"] += 1
        counts["files with broken framing"] += broken
        counts["of these accounted for in full"] += broken and found >= records
        if found < records and not broken:
            lost.append((file, name, found, records))
    assert not lost, lost
    assert set(fates) <= {"kept", "dropped", "duplicate", "unreadable"}
    return counts


def test_mutated_files_through_the_command_line(tmp_path):
    counts = fuzz(tmp_path, "some", 120)
    assert counts["files"] == 120
    assert counts["records unreadable"] > 40
    assert counts["files with broken framing"] < 100


@pytest.mark.full
@pytest.mark.parametrize("seed", range(10))
def test_thousands_of_mutated_files_through_the_command_line(tmp_path, seed):
    print(seed, dict(fuzz(tmp_path, str(seed), 500)))

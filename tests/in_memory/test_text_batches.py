"""Texts from JSON Lines: the same as from Parquet, however they are packed and cut, and what is wrong is told by its line."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import InputError
from curation.in_memory.near_duplicates import find_duplicates
from curation.in_memory.text_batches import jsonl_texts, parquet_texts
from tests.in_memory.test_one_process import told
from tests.meeting import meets, met

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "jsonl": bytes,
    "jsonl.gz": gzip.compress,
    "jsonl.zst": lambda plain: pa.compress(plain, "zstd", asbytes=True),
}
strings = st.text(st.characters(exclude_categories=["Cs"])) | st.lists(st.sampled_from(["one", "two", "three"]), max_size=12).map(" ".join)


def lines_of(texts: list[str], ascii_only: bool) -> bytes:
    rows = [
        json.dumps({"more": {"text": [1]} if place % 2 else "text", "body": text, "id": place}, ensure_ascii=ascii_only)
        for place, text in enumerate(texts)
    ]
    return "".join(f"{row}\n" for row in rows).encode()


def read(path: Path, batch_bytes: int = 16 << 20) -> list[list[str]]:
    return [batch().to_pylist() for batch in jsonl_texts([path], "body", batch_bytes)]


@meets(texts=120, duplicates=20, batches=50)
@given(st.lists(st.lists(strings, max_size=8), min_size=1, max_size=3), st.integers(1, 300), st.sampled_from(sorted(PACKED)), st.booleans())
def test_jsonl_and_parquet_give_the_same(files: list[list[str]], batch_bytes: int, ending: str, ascii_only: bool) -> None:
    with TemporaryDirectory() as folder:
        tables, lines = ([Path(folder, f"{number}.{kind}") for number in range(len(files))] for kind in ("parquet", ending))
        for table, packed, texts in zip(tables, lines, files, strict=True):
            pq.write_table(pa.table({"body": pa.array(texts, pa.string())}), table, row_group_size=3)
            packed.write_bytes(PACKED[ending](lines_of(texts, ascii_only)))
        batches = [batch for path in lines for batch in read(path, batch_bytes)]
        assert [text for batch in batches for text in batch] == [text for each in files for text in each]
        found = find_duplicates(jsonl_texts(lines, "body", batch_bytes))
        assert told(found) == told(find_duplicates(parquet_texts(tables, "body")))
    met["texts"] += sum(map(len, files))
    met["batches"] += max(0, len(batches) - len(files))
    met["duplicates"] += sum(of >= 0 for of, _, _ in told(found))


@pytest.mark.parametrize("ending", PACKED)
def test_batches_are_as_large_as_asked_and_can_be_read_in_any_order(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    lines = lines_of([f"text {place:04d}" for place in range(1000)], True)
    path.write_bytes(PACKED[ending](lines))
    batches = jsonl_texts([path], "body", 5000)
    sizes = [len(batch()) for batch in batches]
    assert sum(sizes) == 1000
    assert max(sizes) - min(sizes[:-1]) <= 3  # ids have one to three digits
    assert len(batches) == len(lines) // 5000 + 1
    firsts = [sum(sizes[:place]) for place in range(len(sizes))]
    for place in (7, 2, 3, 10, 0, 0):
        assert batches[place]()[0].as_py() == f"text {firsts[place]:04d}"


def test_one_file_is_open_at_a_time(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.jsonl.gz" for number in range(50)]
    for path in paths:
        path.write_bytes(gzip.compress(lines_of(["a", "b"], True)))
    batches = jsonl_texts(paths, "body", 1)
    for batch in batches[::2]:
        batch()
    assert sum(file.path.startswith(str(tmp_path)) for file in psutil.Process().open_files()) <= 1
    assert len(batches) == 100


def test_blank_lines_marks_and_ends_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"body":"a"}\r\n\r\n  \t\n{"body":"b"}\n\n\n{"body":"c"}')
    assert read(path) == [["a", "b", "c"]]
    assert read(path, 1) == [["a"], [], [], ["b"], [], [], ["c"]]
    path.write_bytes(b"\n")
    assert read(path) == [[]]
    path.write_bytes(b"")
    assert read(path) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"body": "b"', "line 3: JSON parse error"),
        (b'{"body": 3}', "line 3: JSON parse error: Column(/body) changed from string to number"),
        (b'{"body": null}', "line 3: there is no string 'body'"),
        (b'{"text": "b"}', "line 3: there is no string 'body'"),
        (b'["b"]', "line 3: JSON parse error"),
        (b'{"body": "b"} {"body": "b"}', "line 3: a line is not exactly one JSON object"),
        (b'{"body":\n"b"}', "line 3: JSON parse error"),
        (b'{"body": "\xff"}', "line 3: Invalid UTF8"),
        (b'{"body": "\\ud800"}', "line 3: JSON parse error"),
    ],
)
@pytest.mark.parametrize("batch_bytes", [1, 16 << 20])
def test_a_broken_line_is_told_by_file_and_number(tmp_path: Path, line: bytes, said: str, batch_bytes: int) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"body": "a"}\n\n' + line + b'\n{"body": "c"}\n')
    with pytest.raises(InputError) as raised:
        read(path, batch_bytes)
    assert str(raised.value).startswith(f"{path}, {said}")
    assert "in row" not in str(raised.value)


def test_a_file_that_breaks_off_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(lines_of(["a", "b"], True))[:-9])
    with pytest.raises(InputError, match=r"a\.jsonl\.gz breaks off at line 2: the compressed data ends before its end mark"):
        jsonl_texts([path], "body")


def test_a_line_that_is_too_long_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curation.in_memory.text_batches.MAX_RECORD_BYTES", 100)
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines_of(["a", "b" * 100], True))
    with pytest.raises(InputError, match=r"a\.jsonl, line 2 has more than 100 bytes"):
        jsonl_texts([path], "body")


def test_a_file_that_became_shorter_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines_of(["a", "b"], True))
    batches = jsonl_texts([path], "body")
    path.write_bytes(lines_of(["a"], True))
    with pytest.raises(InputError, match="became shorter while it was read"):
        batches[0]()

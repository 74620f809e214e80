"""A run of which some file could not be read at all says so at its end, with what to do, and fails; its books are finished before."""

import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
import zipfile
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd

from curation.ingest.readers import MAX_RECORD_BYTES, Broken
from curation.ingest.readers.foreign import foreign
from tests.ingest.test_readers_archives import page
from tests.reading import read_bytes
from tests.running import curate
from tests.verbs import call

RECIPE = "[extractor]\nname = 'plain'\n"
GOOD = b'{"id": "a", "text": "The tide comes in and goes out again."}\n'


def run(folder: Path, code: int, **files: bytes) -> str:
    (folder / "in").mkdir()
    for name, content in files.items():
        (folder / "in" / name.replace("__", ".")).write_bytes(content)
    (folder / "recipe.toml").write_text(RECIPE)
    return curate("run", folder / "recipe.toml", folder / "in", "--out", folder / "out", code=code)


def parquet(**columns) -> bytes:
    file = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), file)
    return file.getvalue().to_pybytes()


def test_a_wrong_text_column_fails_after_the_books(tmp_path):
    told = run(tmp_path, 1, a__parquet=parquet(id=["a"], body=["Ebb and flow."]))
    assert "a.parquet: missing_text: 'text' is not there; it has 'id', 'body': [[input]] text = \"body\"" in told
    assert "nothing could be read from the input" in told
    assert pl.read_parquet(tmp_path / "out/ledger/*.parquet")["fate"].to_list() == ["unreadable"]
    again = curate("run", tmp_path / "recipe.toml", tmp_path / "in", "--out", tmp_path / "out", code=1)
    assert "missing_text" in again, "a run that has nothing to do says it again"
    (tmp_path / "recipe.toml").write_text(RECIPE + '\n[[input]]\ntext = "body"\n')
    assert "Dataset: 1 row, " in curate("run", tmp_path / "recipe.toml", tmp_path / "in", "--out", tmp_path / "out")


def test_a_page_that_is_left_out_keeps_its_name_and_one_that_cannot_be_read_is_called_by_its_place(tmp_path):
    records = [
        page(1),
        page(2, headers=b"", body=b"GIF89a").replace(b"Content-Type: text/html; charset=utf-8", b"Content-Type: image/gif" + b" " * 15),
        page(3, body=bytes(range(256)) * 8),
    ]
    run(tmp_path, 0, a__warc=b"".join(records))
    rows = pl.read_parquet(tmp_path / "out/ledger/*.parquet").sort("offset").select("id", "fate", "rule").rows()
    assert rows == [
        ("<urn:uuid:0001>", "kept", None),
        ("<urn:uuid:0002>", "dropped", "not_html"),
        (f"a.warc:{len(records[0]) + len(records[1])}", "unreadable", "undecodable_charset"),
    ]


def test_damaged_files_are_named_at_the_end(tmp_path):
    """Such a run ends well: nobody can mend a crawl; but who sees only the terminal learns of it, and of how to look."""
    whole = gzip.compress(GOOD * 300, 1, mtime=0)
    files = {f"{name}__jsonl__gz": whole[:-9] for name in ("b", "c", "d", "e e")}
    told = run_told(tmp_path, a__jsonl__gz=whole + b"garbage", f__jsonl__gz=whole, **files)
    named = "a.jsonl.gz (corrupt), b.jsonl.gz (truncated), c.jsonl.gz (truncated) and 2 others"
    look = f"curate why {tmp_path / 'out'} a.jsonl.gz:{300 * len(GOOD)}"
    assert f"damaged: 5 input files: {named}; each damaged place is one unreadable row of the ledger, however many" in told
    assert f"records it held: {look}" in told
    assert "no gzip member" in curate(*look.split()[1:])
    again = call("run", tmp_path / "recipe.toml", tmp_path / "in", "--out", tmp_path / "out")
    assert "damaged: 5 input files" in again.err, "a run that has nothing to do says it again"
    (tmp_path / "none").mkdir()
    assert "damaged:" not in run_told(tmp_path / "none", f__jsonl__gz=whole)


def run_told(folder: Path, **files: bytes) -> str:
    """Run what ends well, and return what it says on the way, on one line."""
    run(folder, 0, **files)
    return " ".join((folder / "out/run.log").read_text("utf-8").split())


def test_rows_of_a_wrong_text_column_are_counted(tmp_path):
    rows = 1234
    file = io.BytesIO()
    pq.write_table(pa.table({"id": [str(row) for row in range(rows)], "body": ["Ebb and flow."] * rows}), file, row_group_size=500)
    numbers = io.BytesIO()
    pq.write_table(pa.table({"text": list(range(77))}), numbers)
    told = run(tmp_path, 1, a__parquet=file.getvalue(), b__parquet=numbers.getvalue(), c__parquet=parquet(body=pa.array([], pa.string())))
    lost = pl.read_parquet(tmp_path / "out/ledger/*.parquet").sort("file_path")
    assert [json.loads(evidence).get("records", 1) for evidence in lost["evidence"]] == [rows, 77, 1]
    assert f"{rows + 77 - 2:,} further records could not be read; unreadable rows of the ledger account for them" in told, "no damage"
    session = json.loads((tmp_path / "out/run.json").read_text("utf-8"))["sessions"][-1]
    assert session["books"]["lost"] == rows + 77 - 2
    assert session["books"]["faults"] == []


def test_one_unread_file_among_good_ones_fails_and_the_others_are_kept(tmp_path):
    told = run(
        tmp_path, 1, a__jsonl=GOOD, b__jsonl=b'{"body": "x"}\n' * 3, c__pdf=b"%PDF-1.7\n", d__jsonl=b'{"text": null}\n', e__jsonl=b"\n"
    )
    assert "nothing could be read from 3 files of 4" in told
    assert "b.jsonl: missing_text" in told
    assert "c.pdf: unknown_format: the file is a PDF document; extract its text first" in told
    assert "d.jsonl: missing_text: 'text' is null" in told
    session = json.loads((tmp_path / "out/run.json").read_text("utf-8"))["sessions"][-1]
    assert session["unread"] == ["b.jsonl", "c.pdf", "d.jsonl"]
    assert pl.read_parquet(tmp_path / "out/dataset/data/*.parquet").height == 1


def test_a_file_of_which_some_records_are_read_is_no_failure(tmp_path):
    assert "books balance" in run(tmp_path, 0, a__jsonl=GOOD + b'{"body": "x"}\n' * 9, b__warc=page(1).replace(b"200 OK", b"404 Gone"))


def test_a_file_cut_short_fails_a_run_only_alone(tmp_path):
    assert "books balance" in run(tmp_path, 0, a__jsonl=GOOD, b__warc=page(1)[:-60])
    (tmp_path / "in/a.jsonl").unlink()
    assert "truncated" in curate("run", tmp_path / "recipe.toml", tmp_path / "in", "--out", tmp_path / "out", code=1)


def test_files_without_a_record_fail_a_run_alone_and_are_named_among_others(tmp_path):
    """Whatever the format and compression: a file of 0 bytes, and a sound file that holds nothing."""
    packed = {
        "gz": gzip.compress(b""),
        "bz2": bz2.compress(b""),
        "xz": lzma.compress(b""),
        "zst": zstd.compress(b""),
        "lz4": pa.compress(b"", "lz4", asbytes=True),
    }
    files = {
        "plain__jsonl": b"",
        "blank__jsonl": b"\n \n",
        "page__html": b"",
        "none": b"",
        "rows__parquet": parquet(text=pa.array([], pa.string())),
    }
    files |= {f"nothing{number}__{name}__{ending}": b"" for number, name in enumerate(("jsonl", "warc")) for ending in packed}
    files |= {f"{name}__{name}__{ending}": content for name in ("jsonl", "warc") for ending, content in packed.items()}
    head = b"WARC/1.0\r\nWARC-Type: warcinfo\r\nContent-Length: 0\r\n\r\n\r\n\r\n"
    told = run(tmp_path, 1, **files, about__warc=head * 2)
    assert f"the input holds no record: {len(files) + 1} files without a line, a row or a page:" in told
    assert "about.warc: only what is no page (warcinfo 2)" in told
    assert "blank.jsonl: a sound file that holds nothing" in told
    assert "jsonl.jsonl.gz: a sound file that holds nothing" in told
    assert f"and {len(files) + 1 - 10} others" in told
    session = json.loads((tmp_path / "out/run.json").read_text("utf-8"))["sessions"][-1]
    assert len(session["unread"]) == len(files) + 1
    for name in sorted((tmp_path / "in").iterdir())[:-3]:
        name.unlink()
    rest = {path.name: "0 bytes" if path.stat().st_size == 0 else "a sound file that holds nothing" for path in (tmp_path / "in").iterdir()}
    command = ["run", tmp_path / "recipe.toml", tmp_path / "in", "--out", tmp_path / "out"]
    told = curate(*command, code=1)
    assert len(rest) == 3
    assert all(f"{name}: {holds}" in told for name, holds in rest.items())
    (tmp_path / "in/a.jsonl").write_bytes(GOOD)
    curate(*command)
    assert f"without a record: 3 files of 4: {', '.join(sorted(rest))}" in (tmp_path / "out/run.log").read_text("utf-8")


LOWERED = """from curation.ingest.readers import decompression, parquet
decompression.MAX_UNPACKED_BYTES = parquet.MAX_UNPACKED_BYTES = 1 << 20
"""


def test_a_file_that_a_limit_of_ours_cuts_short_fails_the_run(tmp_path):
    """What was read before the limit stands, and yet the run must not pass over the rest."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(LOWERED)
    (tmp_path / "in").mkdir()
    lines = b"".join(b'{"id": "%06d", "text": "The tide comes in."}\n' % number for number in range(100)) + GOOD * 100_000
    (tmp_path / "in/a.jsonl.gz").write_bytes(gzip.compress(lines, mtime=0))
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), ["The tide goes out. " * 100])
    (tmp_path / "in/b.parquet").write_bytes(parquet(text=repeated))
    (tmp_path / "in/c.jsonl").write_bytes(GOOD + b'{"text": "' + b"x" * MAX_RECORD_BYTES + b'"}\n')
    (tmp_path / "recipe.toml").write_text(RECIPE)
    command = ["run", tmp_path / "recipe.toml", tmp_path / "in", "--out", tmp_path / "out"]
    path = f"{tmp_path / 'site'}{os.pathsep}{Path(__file__).parents[2]}"
    for _ in range(2):  # a run that has nothing to do says it again
        told = curate(*command, code=1, env={"PYTHONPATH": path}, apart=True)
        assert "a limit left the rest or a part of 2 files unread" in told
        assert "a.jsonl.gz: bomb:" in told
        assert "decompress the file first" in told
        assert "b.parquet: bomb:" in told
        assert "c.jsonl" not in told, "one record that is too large costs that record"
    ledger = pl.read_parquet(tmp_path / "out/ledger/*.parquet")
    assert ledger.filter(rule="bomb").sort("file_path")["file_path"].to_list() == ["a.jsonl.gz", "b.parquet"]
    assert ledger.filter(rule="too_large")["file_path"].to_list() == ["c.jsonl"]
    assert ledger.filter(fate="kept", file_path="a.jsonl.gz").height > 100
    assert json.loads((tmp_path / "out/run.json").read_text("utf-8"))["sessions"][-1]["unread"] == ["a.jsonl.gz", "b.parquet"]


def zipped(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, "application/epub+zip" if name == "mimetype" else "x")
    return content.getvalue()


def tarred() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.html"))
    return content.getvalue()


NAMED = {
    "a PDF document": b"%PDF-1.4\n%\xe2\xe3",
    "an EPUB book": zipped("mimetype", "META-INF/container.xml"),
    "an Office document": zipped("[Content_Types].xml", "word/document.xml"),
    "a zip archive": zipped("page.html"),
    "a tar archive": tarred(),
    "a picture": b"\x89PNG\r\n\x1a\n\0\0",
    "sound or video": b"\0\0\0\x18ftypmp42",
    "an SQLite database": b"SQLite format 3\0",
    "UTF-16 text": '{"text": "x"}\n'.encode("utf-16"),
    "UTF-16 text without": '{"text": "x"}\n'.encode("utf-16-be"),
    "UTF-32 text": '{"text": "x"}\n'.encode("utf-32"),
    "a JSON array": b'[\n  {"text": "x"}\n]\n',
}


@pytest.mark.parametrize("what", NAMED)
@pytest.mark.parametrize("name", ["a", "a.jsonl", "a.html"])
def test_formats_that_are_no_input_are_named(what, name):
    [broken] = read_bytes(name, NAMED[what])
    assert isinstance(broken, Broken)
    assert (broken.reason, what in broken.detail) == ("unknown_format", True)


@pytest.mark.parametrize(
    "head",
    [GOOD, b"<html>", b"WARC/1.0\r\n", b"PAR1", b"[x] is a text", b"ORCHARDS", "\ufeff<p>".encode("utf-16-le"), "\ufeff{".encode(), b""],
)
def test_input_is_not_taken_for_another_format(head):
    assert foreign(head) == ""

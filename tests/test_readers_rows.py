"""JSONL, Parquet and HTML files, and telling formats apart."""

import gzip
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.location import Location
from curation.readers import (
    MAX_RECORD_BYTES,
    Broken,
    Fields,
    Record,
    SourceFile,
    Tally,
    decompression,
    read,
)
from curation.readers import parquet as parquet_reader
from tests.reading import compressed, read_bytes

ROW = {
    "id": "a1",
    "text": "Ebbe und Flut.",
    "url": "https://tides.example/",
    "date": "2024-05-06T07:08:09+02:00",
    "lang": "de",
    "n": 3,
    "t": [1],
}


def lines(*rows) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def reasons(outcomes) -> list[str]:
    return [outcome.reason if isinstance(outcome, Broken) else type(outcome).__name__ for outcome in outcomes]


@pytest.mark.parametrize("packing", ["", "gzip", "zstd", "lz4"])
def test_a_line_is_a_record(packing):
    outcomes = read_bytes("a.jsonl", compressed(lines(ROW, {"text": ""}), packing))
    assert outcomes == [
        Record(
            offset=0,
            own_id="a1",
            url="https://tides.example/",
            crawled_at=datetime(2024, 5, 6, 5, 8, 9, tzinfo=UTC),
            payload="Ebbe und Flut.",
            raw=b"Ebbe und Flut.",
            metadata={"lang": "de", "n": "3", "t": "[1]"},
        ),
        Record(offset=len(lines(ROW)), own_id=None, url=None, crawled_at=None, payload="", raw=b""),
    ]


def test_fields_have_the_names_that_the_recipe_gives():
    fields = Fields(id="doc", text="content", url="link", date="seen")
    [record] = read_bytes("a.jsonl", lines({"doc": 7, "content": "x", "link": None, "seen": "last week", "text": "y"}), fields)
    assert (record.own_id, record.payload, record.url) == ("7", "x", None)
    assert record.metadata == {"seen": "last week", "text": "y"}


def test_blank_lines_marks_and_line_ends_are_no_records():
    content = b"\xef\xbb\xbf\r\n\n" + lines(ROW).replace(b"\n", b"\r\n") + b"  \n\n" + lines(ROW).rstrip(b"\n")
    outcomes = read_bytes("a.jsonl", content)
    assert reasons(outcomes) == ["Record", "Record"]
    assert outcomes[0].offset == 6


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"text": "cut', "broken_json"),
        (b'{"text": NaN}', "broken_json"),
        (b'{"text": "x", "score": Infinity}', "broken_json"),
        (b'{"text": "x", "score": %s}' % (b"9" * 5000), "broken_json"),
        (b"[" * 100_000, "broken_json"),
        (b'{"text": "x", "deep": %s%s}' % (b"[" * 900, b"]" * 900), None),
        (b'{"text": "x", "deep": %s%s}' % (b'{"a":' * 50_000, b"1" + b"}" * 50_000), "broken_json"),
        (b'["text"]', "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"null", "not_an_object"),
        (b"{}", "missing_text"),
        (b'{"text": null}', "missing_text"),
        (b'{"text": 5}', "text_not_string"),
        (b'{"text": {"a": 1}}', "text_not_string"),
        (b'{"text": "\\ud83d"}', "lone_surrogate"),
        (b'{"text": "x", "url": "\\ud83d"}', "lone_surrogate"),
        (b'{"text": "x", "id": "\\ud83d"}', "lone_surrogate"),
        (b'{"text": "x", "note": "\\ud83d"}', "lone_surrogate"),
        (b'{"text": "x", "note": ["\\ud83d"]}', "lone_surrogate"),
        (b'{"text": "x", "\\ud83d": 1}', "lone_surrogate"),
        (b'{"text": "a\\u0000b"}', "nul"),
        (b'{"text": "\xff"}', "undecodable"),
        (b'{"text": "\xed\xa0\x80"}', "undecodable"),
        (b'{"text": "x", "id": [1]}', "bad_id"),
        (b'{"text": "x", "id": true}', "bad_id"),
        (b'{"text": "x", "url": 5}', "bad_url"),
        (b'{"text": "x", "date": 1700000000}', None),
        (b'{"text": "x", "date": "9999-12-31T23:59:59-23:00"}', None),
    ],
)
def test_a_bad_line_has_a_reason_and_costs_itself_only(line, reason):
    outcomes = read_bytes("a.jsonl", lines(ROW) + line + b"\n" + lines(ROW))
    assert reasons(outcomes) == ["Record", reason or "Record", "Record"]
    if reason:
        assert outcomes[1].raw == line


def test_a_long_line_is_passed_over():
    huge = b'{"text": "' + b"a" * MAX_RECORD_BYTES + b'"}\n'
    outcomes = read_bytes("a.jsonl", lines(ROW) + huge + lines(ROW))
    assert reasons(outcomes) == ["Record", "too_large", "Record"]
    assert outcomes[2].offset == len(lines(ROW) + huge)


def test_a_truncated_jsonl_gives_its_whole_lines_and_one_row():
    rows = [{**ROW, "id": f"{number * 7919 % 10007}"} for number in range(300)]
    outcomes = read_bytes("a.jsonl.gz", gzip.compress(lines(*rows), mtime=0)[:-20])
    assert set(reasons(outcomes[:-1])) == {"Record"}
    assert len(outcomes) > 200
    assert outcomes[-1].reason == "truncated"
    assert read_bytes("a.jsonl.gz", gzip.compress(lines(*rows), mtime=0)[:7]) == [
        Broken(0, "truncated", "the compressed data ends before its end mark")
    ]


def test_a_bomb_ends_the_file(monkeypatch):
    packed = gzip.compress(lines(*[{"text": "a" * 1000}] * 100) + b"\n" * (300 << 20), 1)
    assert reasons(read_bytes("a.jsonl.gz", packed)) == ["Record"] * 100, "no ratio makes a bomb"
    monkeypatch.setattr(decompression, "MAX_UNPACKED_BYTES", 32 << 20)
    assert reasons(read_bytes("a.jsonl.gz", packed)) == ["Record"] * 100 + ["bomb"]


def parquet(table: pa.Table, **options) -> bytes:
    file = pa.BufferOutputStream()
    pq.write_table(table, file, **{"write_page_checksum": True, "row_group_size": 100, **options})
    return file.getvalue().to_pybytes()


TABLE = pa.table(
    {
        "id": [f"r{n}" for n in range(250)],
        "text": [f"Tide {n}. " * 20 for n in range(250)],
        "date": pa.array([datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)] * 250, pa.timestamp("ns", "UTC")),
        "score": [n / 2 for n in range(250)],
        "label": pa.array([None, "x"] * 125).dictionary_encode(),
        "vector": [[1.0, 2.0]] * 250,
        "image": [b"\xff\xfe"] * 250,
    }
)


def test_a_row_is_a_record():
    outcomes = read_bytes("a.parquet", parquet(TABLE))
    assert [outcome.offset for outcome in outcomes] == list(range(250))
    assert outcomes[249] == Record(
        offset=249,
        own_id="r249",
        url=None,
        crawled_at=datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
        payload="Tide 249. " * 20,
        raw=b"Tide 249. " * 20,
        metadata={"score": "124.5", "label": "x"},
    )
    assert "label" not in outcomes[0].metadata


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.binary(), pa.large_binary(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_text_may_be_any_kind_of_string(kind):
    table = pa.table({"text": pa.array(["a", "é", None]).cast(kind)})
    outcomes = read_bytes("a.parquet", parquet(table))
    assert [outcome.payload for outcome in outcomes[:2]] == ["a", "é"]
    assert outcomes[2].reason == "missing_text"


def test_bad_values_cost_their_row_only():
    raw = pa.array([b"fine", b"\xff", b"a\0b", b"last"])
    table = pa.table({"text": pa.Array.from_buffers(pa.string(), 4, raw.buffers())})
    assert reasons(read_bytes("a.parquet", parquet(table))) == ["Record", "undecodable", "nul", "Record"]


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (pa.table({"body": ["x"]}), "missing_text"),
        (pa.table({"text": [5]}), "text_not_string"),
        (pa.table({"text": [["x"]]}), "text_not_string"),
    ],
)
def test_a_file_without_text_is_one_row(table, reason):
    [broken] = read_bytes("a.parquet", parquet(table))
    assert broken.reason == reason


def test_column_names_with_dots_and_twice():
    table = pa.Table.from_arrays([pa.array(["x"]), pa.array(["1"]), pa.array(["2"]), pa.array(["3"])], ["text", "a.b", "twice", "twice"])
    [record] = read_bytes("a.parquet", parquet(table))
    assert record.payload == "x"
    assert record.metadata["a.b"] == "1"


def test_of_two_texts_the_last_counts():
    first, last = pa.array(["x", "y"]), pa.array(["1", None])
    outcomes = read_bytes("a.parquet", parquet(pa.Table.from_arrays([first, last], ["text", "text"])))
    assert [outcome.payload for outcome in outcomes[:1]] == ["1"]
    assert outcomes[1].reason == "missing_text"
    [broken] = read_bytes("a.parquet", parquet(pa.Table.from_arrays([first, pa.array([1, 2])], ["text", "text"])))
    assert broken.reason == "text_not_string"
    [_, record] = read_bytes("a.parquet", parquet(pa.Table.from_arrays([pa.array([[1], [2]]), first], ["text", "text"])))
    assert record.payload == "y"


def test_a_damaged_row_group_is_one_row_and_the_others_are_read():
    content = bytearray(parquet(TABLE, use_dictionary=False, compression="none"))
    content[content.index(b"Tide 150.")] ^= 1
    outcomes = read_bytes("a.parquet", bytes(content))
    assert [outcome.offset for outcome in outcomes if isinstance(outcome, Record)][-50:] == list(range(200, 250))
    [broken] = [outcome for outcome in outcomes if isinstance(outcome, Broken)]
    assert broken.reason == "corrupt"
    assert 100 <= broken.offset <= 150
    assert len(outcomes) == broken.offset + 1 + 50
    assert "rows of row group 1" in broken.detail


def test_no_parquet_at_all():
    whole = parquet(TABLE)
    for content in (whole[:-5], whole[: len(whole) // 2], b"PAR1", b"PAR1" + bytes(100) + b"PAR1"):
        assert reasons(read_bytes("a.parquet", content)) == ["corrupt"]
    assert reasons(read_bytes("a.parquet.gz", gzip.compress(whole))) == ["unknown_format"]
    assert read_bytes("a.parquet", parquet(TABLE.slice(0, 0))) == []


def test_a_parquet_bomb_is_not_opened(monkeypatch):
    big = pa.table({"text": ["a" * (1 << 20)] * 64})
    assert set(reasons(read_bytes("a.parquet", parquet(big, compression="zstd", use_dictionary=False)))) == {"Record"}
    monkeypatch.setattr(parquet_reader, "MAX_UNPACKED_CHUNK", 32 << 20)
    assert reasons(read_bytes("a.parquet", parquet(big, compression="zstd", use_dictionary=False))) == ["bomb"]


def test_one_text_repeated_is_a_bomb_too(monkeypatch):
    monkeypatch.setattr(parquet_reader, "MAX_UNPACKED_BYTES", 32 << 20)
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), ["a" * (1 << 20)])
    outcomes = read_bytes("a.parquet", parquet(pa.table({"text": repeated}), row_group_size=100_000))
    assert reasons(outcomes) == ["Record"] * 32 + ["bomb"]


def test_extension_types_stay_off():
    table = pa.table({"text": ["x"], "extra": pa.array([b"\0" * 16], pa.binary(16)).cast(pa.uuid())})
    [record] = read_bytes("a.parquet", parquet(table))
    assert (record.payload, record.metadata) == ("x", {})


def test_html_is_one_record():
    page = b"\xff\xfe<\0h\0t\0m\0l\0>\0"
    [record] = read_bytes("a.html", page)
    assert (record.offset, record.own_id, record.url, record.payload, record.raw) == (0, None, None, page, page)
    assert read_bytes("a.htm.gz", gzip.compress(page)) == [record]
    assert reasons(read_bytes("a.xhtml.gz", gzip.compress(page)[:-9])) == ["truncated"]
    assert reasons(read_bytes("a.html", bytes(MAX_RECORD_BYTES + 1))) == ["too_large"]


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("page", b"<!-- saved --> <!DOCTYPE html><p>x", ["Record"]),
        ("page.txt", b'<?xml version="1.0"?>\n<html xmlns="a">', ["Record"]),
        ("data.json", b' {"text": "x"}\n', ["Record"]),
        ("data.warc", b'{"text": "x"}\n', ["garbage"]),
        ("data.jsonl", b"WARC/1.0\r\n", ["truncated"]),
        ("data.json", b'[{"text": "x"}]', ["unknown_format"]),
        ("photo.jpg", b"\xff\xd8\xff\xe0", ["unknown_format"]),
        ("notes.txt", b"plain words", ["unknown_format"]),
        ("notes.txt.gz", gzip.compress(b"plain words"), ["unknown_format"]),
        ("half.gz", gzip.compress(b"")[:12], ["truncated"]),
        ("empty.warc", b"", []),
        ("empty.parquet", b"", []),
        ("empty", b"", []),
        ("empty.jsonl.gz", gzip.compress(b""), []),
    ],
)
def test_the_format_is_told_by_content_then_name(name, content, found):
    assert reasons(read_bytes(name, content)) == found


def test_a_file_that_vanishes_is_no_fault_of_a_record(tmp_path):
    source = SourceFile(Location.of(tmp_path / "gone.jsonl"), "gone.jsonl", "x", 5, None)
    with pytest.raises(FileNotFoundError):
        list(read(source, Tally()))


@given(
    st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50), max_size=20), st.booleans()
)
def test_any_text_comes_back_as_it_was(texts, escaped):
    content = b"".join(json.dumps({"text": text}, ensure_ascii=escaped).encode() + b"\n" for text in texts)
    assert [record.payload for record in read_bytes("a.jsonl", content)] == texts
    if texts:
        assert [record.payload for record in read_bytes("a.parquet", parquet(pa.table({"text": texts})))] == texts

"""JSONL, Parquet and HTML files, and telling formats apart."""

import gzip
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.ingest.readers import MAX_RECORD_BYTES, Broken, Record, Tally, decompression, read_records
from curation.ingest.readers import parquet as parquet_reader
from curation.storage.location import Location
from curation.storage.source_file import Fields, SourceFile
from tests.meeting import meets, met
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
    assert [outcome.offset for outcome in read_bytes("a.jsonl", b"\r\r" + lines(ROW))] == [2]
    [_, joined] = read_bytes("a.jsonl", lines(ROW) + b'\xef\xbb\xbf{"text": "after a mark", "score": NaN}\n')
    assert joined.payload == "after a mark"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"text": "cut', "broken_json"),
        (b'{"text": NaN}', "broken_json"),
        (b"[" * 100_000, "not_an_object"),
        (b'{"text": "x", "deep": %s}' % (b"[" * 100_000), "broken_json"),
        (b'{"text": "x", "open": "%s}' % (b'\\"' * 100_000), "broken_json"),
        (b'{"text": "x" "url": "y"}', "broken_json"),
        (b'{"text": "x"} {"text": "y"}', "broken_json"),
        (b'{"text": "x", "score": NaN', "broken_json"),
        (b'{"text": "x", : NaN}', "broken_json"),
        (b"{NaN}", "broken_json"),
        (b'{"text": undefined}', "broken_json"),
        (b'["text"]', "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"null", "not_an_object"),
        (b"{}", "missing_text"),
        (b'{"text": null}', "missing_text"),
        (b'{"text": 5}', "text_not_string"),
        (b'{"text": {"a": 1}}', "text_not_string"),
        (b'{"text": "\xff"}', "undecodable"),
        (b'{"text": "\xed\xa0\x80"}', "undecodable"),
        (b'{"text": "x", "date": 1700000000}', None),
        (b'{"text": "x", "date": "9999-12-31T23:59:59-23:00"}', None),
    ],
)
def test_a_bad_line_has_a_reason_and_costs_itself_only(line, reason):
    outcomes = read_bytes("a.jsonl", lines(ROW) + line + b"\n" + lines(ROW))
    assert reasons(outcomes) == ["Record", reason or "Record", "Record"]
    if reason:
        assert outcomes[1].raw == line


KEPT = [
    (b'"score": NaN', {}, {"not_finite": 1}),
    (b'"score": [1, -Infinity, {"a": NaN}]', {"score": '[1, null, {"a": null}]'}, {"not_finite": 2}),
    (b'"score": 1e999', {}, {"not_finite": 1}),
    (b'"score": [1e999]', {"score": "[null]"}, {"not_finite": 1}),
    (b'"score": ' + b"9" * 5000, {}, {"bad_value": 1}),
    (b'"score": ' + b"9" * 400, {"score": "9" * 400}, {}),
    (b'"score": undefined, "b": 1', {"b": "1"}, {"bad_value": 1}),
    (b'"deep": ' + b"[" * 900 + b"]" * 900, {}, {"too_deep": 1}),
    (b'"deep": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000, {}, {"too_deep": 1}),
    (b'"deep": ' + b"[" * 100 + b"]" * 100, {"deep": "[" * 100 + "]" * 100}, {}),
    (b'"deep": ' + b"[" * 101 + b"]" * 101, {}, {"too_deep": 1}),
    (b'"deep": [{}, ' + b"[" * 99 + b"]" * 100, {"deep": "[{}, " + "[" * 99 + "]" * 100}, {}),
    (b'"deep": [{"a": 1}, ' + b'[{"a": ' * 50 + b"1" + b"}]" * 50 + b"]", {}, {"too_deep": 1}),
    (b'"wide": [' + b"[]," * 200 + b"[]]", {"wide": "[" + "[], " * 200 + "[]]"}, {}),
    (b'"note": "\\ud83d"', {"note": "\ufffd"}, {"lone_surrogate": 1}),
    (b'"note": ["\\ud83d", "\\ud83d\\ude00"]', {"note": '["\ufffd", "\U0001f600"]'}, {"lone_surrogate": 1}),
    (b'"\\ud83d": 1', {"\ufffd": "1"}, {"lone_surrogate": 1}),
    (b'"note": "a\\u0000b"', {"note": "ab"}, {"nul": 1}),
    (b'"note": "tab\there \xff"', {"note": "tab\there \ufffd"}, {"undecodable": 1}),
    (b'"note": {"a": "\xe2\x82"}', {"note": '{"a": "\ufffd"}'}, {"undecodable": 1}),
    (b'"id": [1]', {"id": "[1]"}, {"bad_id": 1}),
    (b'"id": true', {"id": "true"}, {"bad_id": 1}),
    (b'"id": 1' + b"0" * 400, {"id": "1" + "0" * 400}, {"bad_id": 1}),  # no floating-point number is as large
    (b'"id": null, "url": null', {}, {}),
    (b'"id": "", "url": ""', {}, {}),
    (b'"id": NaN', {}, {"not_finite": 1}),
    (b'"url": 5', {"url": "5"}, {"bad_url": 1}),
    (b'"url": ["https://a.example/"]', {"url": '["https://a.example/"]'}, {"bad_url": 1}),
    (b'"date": {"$date": 5}', {"date": '{"$date": 5}'}, {}),
]


@pytest.mark.parametrize(("field", "metadata", "repairs"), KEPT, ids=range(len(KEPT)))
def test_a_side_field_does_not_cost_the_text(field, metadata, repairs):
    for line in (b'{"text": "Ebb.", ' + field + b"}", b"{" + field + b', "text": "Ebb."}'):
        [record] = read_bytes("a.jsonl", line + b"\n")
        assert (record.payload, record.own_id, record.url) == ("Ebb.", None, None)
        assert (record.metadata, record.repairs) == (metadata, repairs)


def test_ids_and_urls_are_mended():
    [record] = read_bytes("a.jsonl", b'{"text": "x", "id": "a\\u0000\\ud83d", "url": "https://\\udc00.example/"}')
    assert (record.own_id, record.url, record.repairs) == ("a\ufffd", "https://\ufffd.example/", {"nul": 1, "lone_surrogate": 2})
    [record] = read_bytes("a.jsonl", b'{"text": "x", "id": 123456789012345678901234567890}')
    assert record.own_id == "123456789012345678901234567890"


def test_a_text_is_mended_and_its_key_is_not():
    mended, other = read_bytes("a.jsonl", b'{"text": "a\\u0000b \\ud83d c"}\n{"text": "ab \\ud83d c"}')
    assert mended.payload == other.payload == "ab \ufffd c"
    assert mended.repairs == {"nul": 1, "lone_surrogate": 1}
    assert mended.raw != other.raw
    [stray] = read_bytes("a.jsonl", b'{"text": "' + b"ebb and flow " * 10 + b'\xff"}')
    assert stray.payload.endswith("flow \ufffd")
    assert stray.repairs == {"undecodable": 1}


def test_missing_is_told_from_null_and_the_remedy_is_named():
    missing, null, none = read_bytes("a.jsonl", b'{"id": "a", "n": 1, "body": "Ebb."}\n{"text": null}\n{"n": 1}')
    assert missing.detail == "'text' is not there; it has 'id', 'n', 'body': [[input]] text = \"body\""
    assert null.detail == "'text' is null"
    assert none.detail == "'text' is not there; it has 'n'"
    [column] = read_bytes("a.parquet", parquet(pa.table({"id": ["a"], "summary": ["b"], "content": ["c"]})))
    assert column.detail == "'text' is not there; it has 'id', 'summary', 'content': [[input]] text = \"content\""
    [capitals] = read_bytes("a.parquet", parquet(pa.table({"ID": ["a"], "Title": ["b"], "Text": ["c"]})))
    assert capitals.detail == "'text' is not there; it has 'ID', 'Title', 'Text': [[input]] text = \"Text\""


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
    outcomes = read_bytes("a.parquet", parquet(table))
    assert reasons(outcomes) == ["Record", "undecodable", "Record", "Record"]
    assert (outcomes[2].payload, outcomes[2].raw, outcomes[2].repairs) == ("ab", b"a\0b", {"nul": 1})


def test_bad_side_values_of_parquet_cost_no_text():
    raw = pa.Array.from_buffers(pa.string(), 2, pa.array([b"\xff", b"a\0"]).buffers())
    table = pa.table({"text": ["x", "y"], "id": raw, "score": [float("nan"), 1.0], "url": [1, 2]})
    first, second = read_bytes("a.parquet", parquet(table))
    assert (first.own_id, first.url, first.metadata, first.repairs) == (
        "\ufffd",
        None,
        {"url": "1"},
        {"undecodable": 1, "not_finite": 1, "bad_url": 1},
    )
    assert (second.own_id, second.metadata, second.repairs) == ("a", {"score": "1.0", "url": "2"}, {"nul": 1, "bad_url": 1})


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
        ("notes.txt.gz", gzip.compress(b"plain words", mtime=0), ["unknown_format"]),
        ("half.gz", gzip.compress(b"", mtime=0)[:12], ["truncated"]),
        ("empty.warc", b"", []),
        ("empty.parquet", b"", []),
        ("empty", b"", []),
        ("empty.jsonl.gz", gzip.compress(b"", mtime=0), []),
    ],
)
def test_the_format_is_told_by_content_then_name(name, content, found):
    assert reasons(read_bytes(name, content)) == found


def test_a_file_that_vanishes_is_no_fault_of_a_record(tmp_path):
    source = SourceFile(Location.of(tmp_path / "gone.jsonl"), "gone.jsonl", "x", 5, None)
    with pytest.raises(FileNotFoundError):
        list(read_records(source, Tally()))


@meets(texts=140, escaped=10)
@given(
    st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50), max_size=20), st.booleans()
)
def test_any_text_comes_back_as_it_was(texts, escaped):
    content = b"".join(json.dumps({"text": text}, ensure_ascii=escaped).encode() + b"\n" for text in texts)
    assert [record.payload for record in read_bytes("a.jsonl", content)] == texts
    if texts:
        assert [record.payload for record in read_bytes("a.parquet", parquet(pa.table({"text": texts})))] == texts
    met["texts"] += len(texts)
    met["escaped"] += escaped and any(not text.isascii() for text in texts)

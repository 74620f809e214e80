"""The stage: which row each record becomes, what is counted, and how units, batches and parts are cut."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.engine.stage import Output
from curation.ingest import ingest
from curation.ingest.ingest import FATAL, FILE_GROUPS, SMALL_FILE, Ingest, IngestPart, ingest_units
from curation.ingest.quarantine import BATCH, RecordPlace
from curation.storage.location import Location
from curation.storage.record_keys import record_key
from curation.storage.shards import read_shard
from curation.storage.source_file import SourceFile
from tests.ingest.test_readers_archives import HTTP, page, warc
from tests.meeting import meets, met

PLAIN = Ingest(IngestPart("plain"))


def made(folder: Path, stage: Ingest, files: Mapping[str, bytes], fatal: Mapping[RecordPlace, str] | None = None) -> dict[str, Any]:
    """Make one unit of some files; return its documents and rejects, its shards' names and rows, its counts and the places it noted."""
    sources = []
    for name, content in files.items():
        (folder / name).write_bytes(content)
        sources.append(SourceFile(Location.of(folder / name), name, "here", len(content), 1))
    (unit,) = ingest_units(sources)
    output, noted = Output(Location.of(folder / "out")), list[RecordPlace]()
    if fatal is None:
        counts = stage.make(unit, output)
    else:
        counts = stage.make_without(unit, output, fatal, noted.append)
    tables = {shard.name: read_shard(shard).to_pylist() for shard in output.shards}
    rejects = tables.pop(f"{unit.name}-rejected")
    documents = [row for rows in tables.values() for row in rows]
    assert counts["documents"] == len(documents)
    assert counts["text_bytes"] == sum(row["text_bytes"] for row in documents) == sum(len(row["text"].encode()) for row in documents)
    assert counts["rejects"] == len(rejects)
    shards = [(shard.name.removeprefix(unit.name), shard.rows) for shard in output.shards]
    return {"documents": documents, "rejects": rejects, "shards": shards, "counts": counts, "noted": noted}


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def test_every_row_of_a_table_has_a_fate_and_its_place(tmp_path: Path) -> None:
    content = lines({"id": "a", "text": "One é."}, {"id": "b", "text": " \u2003\n"}) + b"{broken\n" + lines({"text": "No id", "url": "u"})
    content += b'{"id": "d", "text": "a\\u0000b"}\n'
    found = made(tmp_path, PLAIN, {"a.jsonl": content})
    offsets = [0, *(place + 1 for place, byte in enumerate(content[:-1]) if byte == 0x0A)]
    keep = [(row["id"], row["text"], row["offset"], row["url"], row["source"], row["file_path"]) for row in found["documents"]]
    key = record_key(None, "u", b"No id")
    assert keep == [
        ("a", "One é.", offsets[0], None, "here", "a.jsonl"),
        (key.hex(), "No id", offsets[3], "u", "here", "a.jsonl"),
        ("d", "ab", offsets[4], None, "here", "a.jsonl"),
    ]
    assert found["documents"][0]["key"] == record_key("a", None, "One é.".encode())
    assert dict(found["documents"][2]["metadata"])["edits.reading.nul"] == "1"
    assert found["counts"]["edits"] == {"reading.nul": 1}
    empty, broken = sorted(found["rejects"], key=lambda row: row["offset"])
    assert (empty["id"], empty["fate"], empty["rule"], empty["offset"], empty["evidence"]) == (
        "b",
        "dropped",
        "empty_text",
        offsets[1],
        None,
    )
    assert (broken["id"], broken["fate"], broken["rule"]) == (f"a.jsonl:{offsets[2]}", "unreadable", "broken_json")
    assert broken["key"] == record_key(broken["id"], None, b"{broken")
    assert set(json.loads(broken["evidence"])) == {"detail"}
    facts = found["counts"]["files"]["a.jsonl"]
    assert (facts["records"], facts["unreadable"]["records"], facts["unreadable"]["reason"]) == (5, 1, "broken_json")
    assert (facts["limited"], facts["ignored"], facts["sha256"]) == (None, {}, hashlib.sha256(content).hexdigest())


def test_pages_that_a_server_did_not_give_are_dropped_with_its_status(tmp_path: Path) -> None:
    gone = HTTP.replace(b"200 OK", b"404 Not Found") % b"" + b"<p>Gone"
    picture = HTTP.replace(b"text/html; charset=utf-8", b"image/png") % b"" + b"\x89PNG\r\n\x1a\n"
    records = [page(1), warc(gone, number=2), warc(b"x", "request"), warc(picture, number=3), warc(b"y", "request")]
    found = made(tmp_path, PLAIN, {"a.warc": b"".join(records)})
    (document,) = found["documents"]
    assert (document["text"], document["url"]) == ("A page about tides.", "https://tides.example/1")
    assert dict(document["metadata"])["encoding"] == "utf-8"
    told = {row["id"]: (row["fate"], row["rule"], row["value"], row["threshold"]) for row in found["rejects"]}
    assert told["<urn:uuid:0002>"] == ("dropped", "http_status", 404.0, 200.0)
    assert told["<urn:uuid:0003>"][:2] == ("dropped", "not_html")
    facts = found["counts"]["files"]["a.warc"]
    assert facts["ignored"] == {"request": 2}
    assert (facts["records"], facts["unreadable"]) == (5, None)


def test_edits_are_counted_and_what_they_empty_is_dropped(tmp_path: Path) -> None:
    stage = Ingest(IngestPart("plain"), (IngestPart("pii"), IngestPart("whitespace", {"collapse": True})))
    rows = [
        {"id": "a", "text": "Write  to ann.lee@mail.org or  bob.lee@mail.org"},
        {"id": "b", "text": "plain"},
        {"id": "c", "text": "\u200b \u200b"},
    ]
    found = made(tmp_path, stage, {"a.jsonl": lines(*rows)})
    first = found["documents"][0]
    assert first["text"] == "Write to <email> or <email>"
    counted = {name: value for name, value in first["metadata"] if name.startswith("edits.")}
    assert counted["edits.whitespace.blanks"] == "2"
    assert counted["edits.pii.email"] == "2"
    assert not [name for name, _ in found["documents"][1]["metadata"]]
    assert found["counts"]["edits"]["pii.email"] == 2
    assert [row["id"] for row in found["documents"]] + [row["id"] for row in found["rejects"]] == ["a", "b", "c"]
    for row in found["rejects"]:
        assert (row["fate"], row["rule"], row["file_path"]) == ("dropped", "empty_text", "a.jsonl")


def test_a_part_holds_no_more_than_its_bytes_and_a_batch_no_more_than_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"id": f"{number}", "text": "é" * 10} for number in range(25)]
    for batch, part, shards in (
        (1, 60, [*[3] * 8, 1]),
        (1, 59, [*[2] * 12, 1]),
        (1, 10, [1] * 25),
        (10, 400, [20, 5]),
        (10, 399, [10, 15]),
        (8192, 60, [25]),
    ):
        monkeypatch.setattr(ingest, "_ROWS_PER_BATCH", batch)
        monkeypatch.setattr(ingest, "PART_BYTES", part)
        folder = tmp_path / f"{batch}-{part}"
        folder.mkdir()
        found = made(folder, PLAIN, {"a.jsonl": lines(*rows)})
        assert [row["id"] for row in found["documents"]] == [row["id"] for row in rows]
        assert found["shards"] == [*((f"-{number:05d}", count) for number, count in enumerate(shards)), ("-rejected", 0)]
    monkeypatch.setattr(ingest, "_ROWS_PER_BATCH", 8192)
    monkeypatch.setattr(ingest, "ROW_GROUP_BYTES", 40)
    monkeypatch.setattr(ingest, "PART_BYTES", 80)
    (tmp_path / "characters").mkdir()
    found = made(tmp_path / "characters", PLAIN, {"a.jsonl": lines(*rows)})
    assert [count for _, count in found["shards"]] == [4, 4, 4, 4, 4, 4, 1, 0], "a batch ends with its fortieth character"


def test_a_limit_is_on_the_records_of_each_file(tmp_path: Path) -> None:
    files = {name: lines(*({"id": f"{name}{number}", "text": "x"} for number in range(5))) for name in ("a.jsonl", "b.jsonl")}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    for limit, kept in ((2, 2), (5, 5), (9, 5), (None, 5)):
        folder = tmp_path / f"{limit}"
        folder.mkdir()
        found = made(folder, Ingest(IngestPart("plain"), limit=limit), {"a.jsonl": files["a.jsonl"]})
        assert [row["id"] for row in found["documents"]] == [f"a.jsonl{number}" for number in range(kept)]


def test_records_are_announced_and_fatal_ones_are_left_out(tmp_path: Path) -> None:
    fatal: dict[RecordPlace, str] = {("a.jsonl", 1): "crashed", ("a.jsonl", 2): "timed_out"}
    found = made(tmp_path, PLAIN, {"a.jsonl": lines(*({"id": f"{number}", "text": "x"} for number in range(4)))}, fatal)
    assert found["noted"] == [*(("a.jsonl", number) for number in range(5)), BATCH]
    assert [row["id"] for row in found["documents"]] == ["0", "3"]
    assert [(row["fate"], row["rule"], json.loads(row["evidence"])["detail"]) for row in found["rejects"]] == [
        ("unreadable", reason, FATAL[reason]) for reason in ("crashed", "timed_out")
    ]


@meets(large=20, shared=20)
@given(
    st.lists(
        st.tuples(st.text("abé/", min_size=1, max_size=6), st.sampled_from([0, 100, SMALL_FILE - 1, SMALL_FILE])), unique_by=lambda f: f[0]
    )
)
def test_small_files_share_units_and_large_ones_have_their_own(files: list[tuple[str, int]]) -> None:
    sources = [SourceFile(Location.of("/in"), name, "x", size, 1) for name, size in files]
    units = ingest_units(sources)
    assert units == ingest_units(sources[::-1])
    assert [unit.name for unit in units] == sorted({unit.name for unit in units})
    assert sorted(source.relative for unit in units for source in unit.sources) == sorted(name for name, _ in files)
    for unit in units:
        names = [source.relative for source in unit.sources]
        assert names == sorted(names)
        digests = [hashlib.sha256(name.encode()).hexdigest() for name in names]
        if unit.name.startswith("small-"):
            assert {int(digest[:8], 16) % FILE_GROUPS for digest in digests} == {int(unit.name.removeprefix("small-"))}
            assert all(source.size < SMALL_FILE for source in unit.sources)
            met["shared"] += len(names)
        else:
            assert [digest[:16] for digest in digests] == [unit.name]
            assert unit.sources[0].size >= SMALL_FILE
            met["large"] += 1


def test_parts_and_their_packages_are_part_of_the_identity() -> None:
    plain, more = PLAIN.identity(), Ingest(IngestPart("blocks"), (IngestPart("mojibake"), IngestPart("pii"))).identity()
    assert len(plain["parts"]) == 1
    assert len(more["parts"]) == 3
    assert set(more["packages"]) == {*plain["packages"], "ftfy", *more["packages"]}
    assert "ftfy" not in plain["packages"]
    assert plain["fields"] != more["fields"]

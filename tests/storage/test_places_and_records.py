"""Places as users write them, records that are too large to be any, journals of others, and what a file's digest is taken of."""

import hashlib
import socket
from pathlib import Path

import pytest

from curation.storage import records
from curation.storage.contents import digest_at
from curation.storage.journal import Journal, is_torn, read_journal
from curation.storage.location import Location, why_unreachable
from curation.storage.records import CorruptRecord, decode_record, encode_record, find_record
from curation.storage.source_file import SourceFile


@pytest.mark.parametrize(
    ("uri", "scheme", "path", "shown"),
    [
        ("/a/b", "", "/a/b", "/a/b"),
        ("file:///a/b", "", "/a/b", "/a/b"),
        ("s3://bucket/a/", "s3", "bucket/a", "s3://bucket/a"),
        ("https://host.example/a", "https", "https://host.example/a", "https://host.example/a"),
    ],
)
def test_a_place_is_read_as_it_is_written(uri: str, scheme: str, path: str, shown: str) -> None:
    place = Location.of(uri)
    assert (place.scheme, place.path, str(place)) == (scheme, path, shown)
    assert Location.of(place) is place
    assert str(place / "c") == f"{shown}/c"
    assert (place / "c").name == "c"


def test_a_record_larger_than_any_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = encode_record({"a": "x" * 100})
    (tmp_path / "record.json").write_bytes(content)
    place = Location.of(tmp_path / "record.json")
    monkeypatch.setattr(records, "_LARGEST", len(content))
    assert find_record(place) == decode_record(content) == {"a": "x" * 100}
    monkeypatch.setattr(records, "_LARGEST", len(content) - 1)
    with pytest.raises(CorruptRecord, match=rf"record\.json is damaged: it has {len(content)} bytes"):
        find_record(place)
    assert find_record(Location.of(tmp_path / "none.json")) is None


def test_a_record_that_is_too_deep_is_none() -> None:
    """Its digest agrees: whoever sent the folder wrote it so."""
    body = b'{\n "a": ' + b"[" * 200_000 + b"\n}"
    content = b'{\n "sha256": "' + hashlib.sha256(body).hexdigest().encode() + b'",' + body[1:]
    with pytest.raises(ValueError, match=r"it is not a record: .*recursion"):
        decode_record(content)


def test_a_file_of_others_is_no_journal(tmp_path: Path) -> None:
    journal = Journal(Location.of(tmp_path), "unit", "stages/x")
    journal.announce("a.parquet")
    journal.announce("b.parquet")
    assert read_journal(journal.place) == ("stages/x", ["a.parquet", "b.parquet"])
    own = Path(journal.place.path).read_text()
    (tmp_path / "theirs.names").write_text(f"a list of names\n{own}")
    assert read_journal(Location.of(tmp_path / "theirs.names")) is None
    (tmp_path / "headless.names").write_text("a.parquet\n")
    assert read_journal(Location.of(tmp_path / "headless.names")) is None


def test_a_journal_is_torn_where_its_first_line_is_no_whole_one(tmp_path: Path) -> None:
    """A list of somebody else that begins almost like ours is not taken for what a full disk left of one."""
    Journal(Location.of(tmp_path), "unit", "stages/x").announce("a.parquet")
    whole = (tmp_path / "unit.names").read_bytes()
    head = whole[: whole.index(b"stages/x")]
    place = Location.of(tmp_path / "other.names")
    for length in range(len(head)):
        place.write_bytes(head[:length])
        assert is_torn(place)
    for length in range(2, len(head)):
        for theirs in (head[:length] + b"?", head[1:length] + b"?", head[1:length] + b"?" * 40):
            place.write_bytes(theirs)
            assert not is_torn(place)


def test_a_digest_is_of_the_whole_file_or_of_its_beginning(tmp_path: Path) -> None:
    content = bytes(range(256)) * (5 << 12)  # more than one block is read
    assert len(content) > 1 << 22
    (tmp_path / "x").write_bytes(content)
    place = Location.of(tmp_path / "x")
    for most in (None, 0, 1, 1 << 22, (1 << 22) + 1, len(content), len(content) + 1):
        begin = content if most is None else content[:most]
        assert digest_at(place, most) == (len(begin), hashlib.sha256(begin).hexdigest())
    assert digest_at(Location.of(tmp_path / "none")) is None


def test_a_folder_holds_what_lies_below_it_in_its_own_store(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "out")
    out = Location.of(tmp_path / "out")
    others = ["out/a/b", "out", "outer/a", "link/a", "out/../a"]
    assert out.holds_which([Location.of(tmp_path) / other for other in others]) == [True, False, False, True, False]
    assert not out.holds(Location("s3", f"{tmp_path}/out/a"))
    assert Location("s3", "bucket/out").holds(Location("s3", "bucket/out/a"))
    assert not Location("s3", "bucket/out").holds(Location("gs", "bucket/out/a"))


@pytest.mark.parametrize(
    ("folder", "known"), [("/in/", True), ("s3://bucket/in/", True), ("gs://bucket/", True), ("https://host.example/", False)]
)
def test_the_folder_of_an_input_leads_to_it(folder: str, known: bool) -> None:
    source = SourceFile(Location.of(f"{folder}a/b.jsonl"), "a/b.jsonl", "web", 1, None)
    assert source.folder == (folder if known else None)


@pytest.mark.parametrize("path", ["", "/a", "a//b", "../a", "a/./b", "a\\b", "a\x1bb"])
def test_a_path_that_may_lead_out_of_a_folder_names_no_file_in_it(path: str) -> None:
    with pytest.raises(ValueError, match="not the path of a file below"):
        Location.of("/out").within(path)
    assert Location.of("/out").within("a/b").path == "/out/a/b"


def test_a_port_where_nobody_listens_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "refuse" in why_unreachable(Location.of(f"http://127.0.0.1:{port}/a.warc"))

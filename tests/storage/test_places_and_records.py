"""Places as users write them, records that are too large to be any, journals of others, and what a file's digest is taken of."""

import hashlib
from pathlib import Path

import pytest

from curation.storage import records
from curation.storage.contents import digest_at
from curation.storage.journal import Journal, read_journal
from curation.storage.location import Location
from curation.storage.records import CorruptRecord, decode_record, encode_record, find_record


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


def test_a_digest_is_of_the_whole_file_or_of_its_beginning(tmp_path: Path) -> None:
    content = bytes(range(256)) * (5 << 12)  # more than one block is read
    assert len(content) > 1 << 22
    (tmp_path / "x").write_bytes(content)
    place = Location.of(tmp_path / "x")
    for most in (None, 0, 1, 1 << 22, (1 << 22) + 1, len(content), len(content) + 1):
        begin = content if most is None else content[:most]
        assert digest_at(place, most) == (len(begin), hashlib.sha256(begin).hexdigest())
    assert digest_at(Location.of(tmp_path / "none")) is None

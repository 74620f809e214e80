"""Calls of object stores are counted where they are made: in the innermost block, each time they are sent, and not for local files."""

from pathlib import Path

import pytest

from curation.storage.location import Location
from curation.storage.traffic import measured, so_far
from tests.flaky_store import flaky_store
from tests.object_store import object_store


def test_the_innermost_block_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with object_store() as store, flaky_store(store.env["AWS_ENDPOINT_URL"]) as flaky:
        for name, value in {**store.env, "AWS_ENDPOINT_URL": flaky.endpoint}.items():
            monkeypatch.setenv(name, value)
        before = so_far()
        with measured() as unit:
            place = Location.of("s3://crawls/a/b.txt")
            place.write_bytes(b"x" * 1000)
            with measured() as inner:
                assert place.read_bytes() == b"x" * 1000
            place.delete()
            Location.of(tmp_path / "local.txt").write_bytes(b"not counted")
        assert (inner.reads, inner.bytes_read, inner.writes, inner.others) == (1, 1000, 0, 1)
        assert (unit.reads, unit.writes, unit.bytes_written, unit.others) == (0, 1, 1000, 1)
        assert (so_far() - before).calls == 0
        flaky.kind, flaky.share, flaky.most = "503", 1.0, 8
        with measured() as again:
            Location.of("s3://crawls/a/b.txt").facts()
        assert again.others > 1

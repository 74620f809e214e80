"""The list of what a closed run left: one entry of it follows a file that is written again."""

from pathlib import Path

import pytest

from curation.storage.contents import CONTENTS, digest_at, read_contents, rewrite_entry, write_contents
from curation.storage.location import Location
from curation.storage.records import CorruptRecord


def closed(folder: Path) -> Location:
    """Return a folder with a report, a card and a log, as a run that ended would leave it."""
    for name in ("report.html", "README.md", "run.log"):
        (folder / name).write_text(f"the first {name}")
    out = Location.of(folder)
    write_contents(out, {"data/a.parquet": (7, "0" * 64)}, ())
    return out


def test_a_rewritten_file_gets_its_new_digest_and_nothing_else_changes(tmp_path: Path) -> None:
    out = closed(tmp_path)
    before = read_contents(out)
    assert before is not None
    (tmp_path / "report.html").write_text("another report")
    rewrite_entry(out, "report.html")
    after = read_contents(out)
    assert after is not None
    assert after.files == {**before.files, "report.html": digest_at(out / "report.html")} != before.files
    assert (after.logs, after.live) == (before.logs, before.live)


def test_what_is_not_there_and_what_is_not_closed_has_no_entry(tmp_path: Path) -> None:
    out = closed(tmp_path)
    before = read_contents(out)
    rewrite_entry(out, "nothing.html")
    assert read_contents(out) == before
    (tmp_path / CONTENTS).unlink()
    rewrite_entry(out, "report.html")
    assert not (tmp_path / CONTENTS).exists()


def test_a_damaged_list_is_not_made_trustworthy(tmp_path: Path) -> None:
    out = closed(tmp_path)
    damaged = (tmp_path / CONTENTS).read_bytes().replace(b"report", b"retort")
    (tmp_path / CONTENTS).write_bytes(damaged)
    with pytest.raises(CorruptRecord, match=CONTENTS):
        rewrite_entry(out, "report.html")
    assert (tmp_path / CONTENTS).read_bytes() == damaged

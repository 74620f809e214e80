"""What a run says of files from which nothing, or not everything, was read."""

import pytest

from curation.errors import NothingRead
from curation.ingest.unread import Unread, UnreadFile


def unread(count: int, records: int = 3) -> list[UnreadFile]:
    return [UnreadFile(f"f{number:02d}", records, "not_json", "no object") for number in range(count)]


def told(found: Unread) -> list[str]:
    with pytest.raises(NothingRead) as raised:
        found.require_none()
    *lines, last = str(raised.value).splitlines()
    assert last == "The run is otherwise finished, and its ledger has the fate of every record."
    return lines


def test_the_whole_input_or_some_files_of_it_are_named() -> None:
    Unread(of=3).require_none()
    line = "  f00: not_json: no object"
    assert told(Unread(unread(1), 1)) == ["nothing could be read from the input:", line]
    assert told(Unread(unread(1), 3)) == ["nothing could be read from 1 file of 3:", line]
    assert told(Unread(unread(2), 1234))[0] == "nothing could be read from 2 files of 1,234:"
    assert told(Unread((), 2, unread(1))) == ["a limit left the rest or a part of 1 file unread:", line]
    assert Unread(unread(2), 9, [UnreadFile("a", 1, "bomb", "")], [("z", "0 bytes")]).names == ["a", "f00", "f01"]


@pytest.mark.parametrize(("count", "more"), [(10, None), (11, "  and 1 other"), (13, "  and 3 others")])
def test_ten_files_are_named_and_the_others_counted(count: int, more: str | None) -> None:
    lines = told(Unread(unread(count), 20))
    assert lines[1:11] == [f"  f{number:02d}: not_json: no object" for number in range(10)]
    assert lines[11:] == ([more] if more else [])
    without = [(f"f{number:02d}", "0 bytes") for number in range(count)]
    assert Unread((), 5, (), without).note() == (
        f"without a record: {count} files of {5 + count}: {', '.join(f'f{number:02d}' for number in range(10))}"
        f"{more.removeprefix(' ') if more else ''}"
    )


def test_files_without_a_record_fail_a_run_that_has_no_other() -> None:
    empty = Unread((), 0, (), [("a", "0 bytes"), ("b", "only what is no page (request 2)")])
    assert empty.note() is None
    assert empty.names == ["a", "b"]
    lines = told(empty)
    assert lines[0] == "the input holds no record: 2 files without a line, a row or a page:"
    assert lines[1:3] == ["  a: 0 bytes", "  b: only what is no page (request 2)"]
    others = Unread((), 1, (), [("a", "0 bytes")])
    others.require_none()
    assert (others.names, others.note()) == ([], "without a record: 1 file of 2: a")
    assert Unread((), 1).note() is None

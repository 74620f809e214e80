"""What the engine says about failed units, stopped workers and the temporaries it deletes."""

from pathlib import Path

import pytest

from curation.engine.failures import Failure, told_of
from curation.engine.leftovers import check_public, sweep
from curation.engine.stopped import STOPPED_AFTER, StoppedWorkers
from curation.errors import Refused
from curation.storage.location import TEMPORARY, Location


def failure(line: str, unit: str, *files: str) -> Failure:
    return Failure(line, f"traceback of {unit}\n\n", unit, files)


def test_failures_of_one_kind_share_a_line_that_names_units_and_inputs() -> None:
    failures = [failure("ValueError: odd", f"u{place}", f"i{place}") for place in range(7)]
    failures += [failure("OSError: gone", "w1"), failure("KeyError: 'a'", "x1", "one.jsonl", "two.jsonl")]
    summary, details = told_of("2-measure", 30, failures[::-1])
    head, *lines = summary.split("\n")
    assert head.startswith("9 of 30 units of 2-measure failed; ")
    assert lines == [
        "  7 units: ValueError: odd [u0, u1, u2, u3, u4 and 2 others; input i0, i1, i2, i3, i4 and 2 others]",
        "  1 unit: OSError: gone [w1]",
        "  1 unit: KeyError: 'a' [x1; input one.jsonl, two.jsonl]",
    ]
    assert details.count("--- ") == 9
    assert "--- w1\ntraceback of w1\n--- u6\n" in details


def test_six_names_are_all_told_and_kinds_past_ten_are_counted() -> None:
    summary, _ = told_of("x", 6, [failure("same", f"u{place}") for place in range(6)])
    assert summary.endswith("[u0, u1, u2, u3, u4, u5]")
    for kinds, last in ((10, "  1 unit: kind 9 [u9]"), (11, "  and 1 other kind of failure"), (12, "  and 2 other kinds of failure")):
        summary, _ = told_of("x", kinds, [failure(f"kind {place}", f"u{place}") for place in range(kinds)])
        lines = summary.split("\n")
        assert len(lines) == 1 + min(kinds, 11)
        if kinds > 10:
            assert lines[-1] == last


def test_a_stopped_worker_is_told_of_once_and_again_when_it_continues() -> None:
    told: list[str] = []
    workers = StoppedWorkers(told.append)
    workers.note(7, None)
    workers.note(7, STOPPED_AFTER - 1)
    workers.note(7, None)
    workers.note(7, STOPPED_AFTER - 1)
    assert told == []
    for _ in range(3):
        workers.note(7, 1.0)
        workers.note(8, 1.0)
    assert len(told) == 1
    assert "worker 7 is stopped" in told[0]
    workers.note(7, None)
    workers.note(7, None)
    assert told[1:] == ["worker 7 continues"]
    workers.note(7, STOPPED_AFTER)
    assert len(told) == 3


def test_temporaries_of_known_files_go_and_are_named(tmp_path: Path) -> None:
    (tmp_path / "stages").mkdir()
    temporary = f"{TEMPORARY}{'0a' * 16}-"
    for name in (
        "stages/a.parquet",
        f"stages/{temporary}a.parquet",
        f"stages/{temporary}b.parquet",
        f"{temporary}run.json",
        f"{TEMPORARY}x",
    ):
        (tmp_path / name).write_text("x")
    assert sweep(Location.of(tmp_path), ["stages", "", "stages"], ["stages/a.parquet", "run.json"]) == ["a.parquet", "run.json"]
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"stages/a.parquet", f"stages/{temporary}b.parquet", f"{TEMPORARY}x"}


def test_shards_that_readers_would_take_for_ours_are_counted(tmp_path: Path) -> None:
    out = Location.of(tmp_path)
    check_public(out)
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger/notes.txt").write_text("no shard")
    (tmp_path / f"ledger/{TEMPORARY}{'0a' * 16}-a.parquet").write_text("on its way")
    check_public(out)
    for count, more in ((1, ""), (2, " (and 1 more like it)"), (3, " (and 2 more like it)")):
        (tmp_path / f"ledger/mine-{count}.parquet").write_text("x")
        with pytest.raises(Refused) as refused:
            check_public(out)
        assert str(refused.value).startswith(f"{out}/ledger/mine-1.parquet{more} was not made by this run")

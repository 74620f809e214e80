"""Mending on two small stages: which shards are looked at, which are made again, and when a run gives up."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from curation.engine.drift import LINES
from curation.engine.mending import _delete, damaged, mended
from curation.engine.runner import LocalRunner
from curation.engine.session import Session
from curation.engine.stage import Unit
from curation.engine.watcher import Silent
from curation.errors import BooksUnbalanced, CorruptShard, Refused, ShardsFailed
from curation.storage.location import Location
from tests.toy_stages import Count, Double, FailOn

NAMES = [f"unit-{number}" for number in range(4)]


class Told(Silent):
    """Keeps what a session tells."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def tell(self, line: str) -> None:
        self.lines.append(line)


def run(
    out: Path, *, factor: int = 2, frozen: bool = False, fail: Callable[[], None] = lambda: None
) -> tuple[list[str], list[tuple[str, int]]]:
    """Count and double, mending what is damaged; return what was told, and how many units each stage made."""
    told = Told()
    with Session.open(Location.of(out), LocalRunner(), frozen=frozen, watcher=told) as session:

        def work(check: Callable[[], None]) -> None:
            counted = session.run(Count(), [Unit(name) for name in NAMES])
            session.run(Double(factor), [Unit(shard.name, {"numbers": (shard,)}) for shard in counted.shards])
            check()
            fail()
            session.close()

        mended(session, work)
        made = [(str(stage["stage"]), int(stage["made"])) for stage in session._report.stages]
    return told.lines, made


def spoil(place: Path, keep_time: bool = False) -> None:
    """Put zeros in place of a shard, as many as it has bytes."""
    before = place.stat()
    place.write_bytes(bytes(before.st_size))
    if keep_time:
        os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))


def bytes_of(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*.parquet"))}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    assert run(folder) == ([], [("1-count", 4), ("2-double", 4)])
    return folder


def test_what_is_damaged_is_named_in_order(out: Path) -> None:
    place = Location.of(out)
    with Session.open(place, LocalRunner()) as session:
        counted = session.run(Count(), [Unit(name) for name in NAMES])
    facts = {f"stages/1-count/{shard.location.name}": (shard.bytes, shard.sha256) for shard in counted.shards}
    assert damaged(place, facts) == []
    spoil(out / "stages/1-count/unit-3.parquet")
    (out / "stages/1-count/unit-0.parquet").unlink()
    assert damaged(place, facts, workers=3) == ["stages/1-count/unit-0.parquet", "stages/1-count/unit-3.parquet"]
    facts["stages/1-count/unit-2.parquet"] = (facts["stages/1-count/unit-2.parquet"][0] + 1, facts["stages/1-count/unit-2.parquet"][1])
    assert len(damaged(place, facts)) == 3


def test_a_session_with_nothing_to_do_looks_at_what_was_written_to(out: Path) -> None:
    whole = bytes_of(out)
    spoil(out / "stages/1-count/unit-1.parquet")
    spoil(out / "stages/2-double/unit-2.parquet")
    told, made = run(out)
    assert [line.partition(" is damaged")[0] for line in told if " is damaged" in line] == [
        f"{out}/stages/1-count/unit-1.parquet",
        f"{out}/stages/2-double/unit-2.parquet",
    ]
    assert made == [("1-count", 1), ("2-double", 1)]
    assert bytes_of(out) == whole
    assert run(out) == ([], [("1-count", 0), ("2-double", 0)])
    spoil(out / "stages/1-count/unit-1.parquet", keep_time=True)
    assert run(out) == ([], [("1-count", 0), ("2-double", 0)]), "nothing wrote to it since the run closed"
    os.utime(out / "stages/1-count/unit-1.parquet")
    assert run(out)[1] == [("1-count", 1), ("2-double", 0)]
    assert bytes_of(out) == whole


def test_a_shard_that_a_unit_cannot_read_is_made_again(out: Path) -> None:
    spoil(out / "stages/1-count/unit-1.parquet", keep_time=True)
    told, made = run(out, factor=3)
    assert [line for line in told if "is damaged" in line] == [
        f"{out}/stages/1-count/unit-1.parquet is damaged (not what was written): it is rebuilt"
    ]
    assert made == [("1-count", 1), ("2-double", 1)], "the units that failed for no damage of theirs are done"
    assert run(out, factor=3)[1] == [("1-count", 0), ("2-double", 0)]


def test_frozen_refuses_and_deletes_nothing(out: Path) -> None:
    place = out / "stages/2-double/unit-2.parquet"
    spoil(place)
    broken = place.read_bytes()
    with pytest.raises(Refused, match=r"--frozen: .*unit-2\.parquet is not what was written"):
        run(out, frozen=True)
    assert place.read_bytes() == broken


@pytest.mark.parametrize(("count", "lines", "last"), [(2, 3, "f1"), (LINES - 1, LINES, f"f{LINES - 2}"), (LINES, LINES, "and 2 more")])
def test_much_damage_is_told_in_few_lines(count: int, lines: int, last: str) -> None:
    session: Any = SimpleNamespace(frozen=True, out=Location.of("/run"))
    with pytest.raises(Refused) as refused:
        _delete(session, [f"f{number}" for number in range(count)], set())
    told = str(refused.value).splitlines()
    assert (len(told), told[-1].rpartition("/")[2].strip()) == (lines, last)


def test_a_disk_that_damages_a_shard_twice_is_not_trusted(out: Path) -> None:
    place = out / "stages/2-double/unit-2.parquet"

    def damage() -> None:
        spoil(place)
        raise CorruptShard("cannot be read")

    with pytest.raises(CorruptShard, match=r"unit-2\.parquet was rebuilt and is damaged again"):
        run(out, fail=damage)


@pytest.mark.parametrize("error", [CorruptShard, BooksUnbalanced])
def test_an_error_that_no_damage_explains_is_raised(out: Path, error: type[Exception]) -> None:
    def fail() -> None:
        raise error("no")

    with pytest.raises(error, match="no"):
        run(out, fail=fail)
    lost = out / "stages/1-count/unit-0.parquet"
    once = [True]

    def lose() -> None:
        if once:
            once.clear()
            lost.unlink()
            raise error("no")

    assert run(out, fail=lose)[1] == [("1-count", 1), ("2-double", 0)]
    assert lost.exists()


def test_what_failed_units_read_is_suspected_and_nothing_else(out: Path) -> None:
    with Session.open(Location.of(out), LocalRunner()) as session:
        counted = session.run(Count(), [Unit(name) for name in NAMES])
        spoil(out / "stages/1-count/unit-1.parquet")
        with pytest.raises(ShardsFailed):
            session.run(Double(5), [Unit(shard.name, {"numbers": (shard,)}) for shard in counted.shards])
        assert [shard.name for shard in session.suspects] == ["unit-1"]


def test_a_unit_that_fails_for_no_damage_fails_once(out: Path) -> None:
    calls: list[int] = []
    with Session.open(Location.of(out), LocalRunner()) as session:

        def work(_: Callable[[], None]) -> None:
            calls.append(1)
            assert len(calls) < 3, "a run that cannot be mended ends"
            counted = session.run(Count(), [Unit(name) for name in NAMES])
            session.run(FailOn(bad="unit-2"), [Unit(shard.name, {"numbers": (shard,)}) for shard in counted.shards])

        with pytest.raises(ShardsFailed, match="cannot double unit-2"):
            mended(session, work)
    assert len(calls) == 1

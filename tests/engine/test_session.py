"""Sessions: what is done stays done, what changed is redone, what fails is told, and a killed run loses nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from curation.engine.drift import LINES
from curation.engine.drift_told import DriftTeller
from curation.engine.runner import LocalRunner
from curation.engine.session import Sealed, Session
from curation.engine.stage import SEAL, Finished, Unit, Workspace, finished_units
from curation.engine.watcher import Silent
from curation.errors import Refused, ShardsFailed
from curation.storage.contents import read_contents
from curation.storage.journal import Journal
from curation.storage.location import TEMPORARY, Location
from curation.storage.records import CorruptRecord, read_record, write_record
from curation.storage.shards import read_shard
from pipelines.progress.logs import run_log
from tests.toy_stages import Count, DieOnce, Double, FailOn


@dataclass(frozen=True)
class Public(Count):
    """A stage whose shards people read."""

    hashed_again: ClassVar[bool] = True


UNITS = [Unit(f"unit-{number}") for number in range(6)]


def count_and_double(
    out: Path, double: Double, *, size: int = 10, units: list[Unit] = UNITS, workers: int = 1, frozen: bool = False
) -> Sealed:
    runner = LocalRunner(workers)
    try:
        with Session.open(Location.of(out), runner, frozen=frozen) as session:
            counted = session.run(Count(size), units)
            return session.run(double, [Unit(shard.name, {"numbers": (shard,)}) for shard in counted.shards])
    finally:
        runner.close()


@contextmanager
def in_time() -> Iterator[None]:
    """Fail what waits for ever, as for the other end of a pipe."""

    def end(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(30)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def last_session(out: Path) -> dict[str, dict[str, object]]:
    session = json.loads((out / "run.json").read_text())["sessions"][-1]
    return {stage["stage"]: stage for stage in session["stages"]}


def bytes_below(out: Path) -> dict[str, bytes]:
    return {
        p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file() and p.name not in ("run.json", ".lock")
    }


def test_a_second_run_makes_nothing(tmp_path: Path) -> None:
    first = count_and_double(tmp_path, Double())
    before = bytes_below(tmp_path)
    again = count_and_double(tmp_path, Double())
    assert again == first
    assert bytes_below(tmp_path) == before
    assert [stage["made"] for stage in last_session(tmp_path).values()] == [0, 0]
    assert read_shard(first.shards[0])["number"].to_pylist() == [2 * number for number in range(10)]


def test_a_changed_field_redoes_its_stage_only(tmp_path: Path) -> None:
    count_and_double(tmp_path, Double())
    count_and_double(tmp_path, Double(factor=3))
    stages = last_session(tmp_path)
    assert (stages["1-count"]["made"], stages["2-double"]["made"]) == (0, 6)


def test_drift_is_told_where_the_session_is_not_frozen(tmp_path: Path) -> None:
    told: list[str] = []

    class Listener(Silent):
        def tell(self, line: str) -> None:
            told.append(line)

    count_and_double(tmp_path, Double())
    with Session.open(Location.of(tmp_path), LocalRunner(), watcher=Listener()) as session:
        session.run(Count(12), UNITS)
    assert told == ["size 10 -> 12: count again, 6 of 6 units"]


def test_a_run_that_has_ended_is_marked_as_not_ended_before_anything_changes(tmp_path: Path) -> None:
    out = Location.of(tmp_path)
    with Session.open(out, LocalRunner()) as session:
        session.run(Public(), UNITS)
        session.close()
    assert read_contents(out) is not None
    with Session.open(out, LocalRunner()) as session:
        session.run(Public(), UNITS)
        assert read_contents(out) is not None
        assert session.hashed == {f"stages/1-count/{unit.name}.parquet" for unit in UNITS}, "what people read is hashed, and not again"
        session.reopen()
        assert read_contents(out) is None


def test_a_changed_input_redoes_what_reads_it(tmp_path: Path) -> None:
    count_and_double(tmp_path, Double(), units=UNITS[:5])
    sealed = count_and_double(tmp_path, Double())
    stages = last_session(tmp_path)
    assert (stages["1-count"]["made"], stages["2-double"]["made"]) == (1, 1)
    assert len(sealed.shards) == 6


def test_what_an_earlier_recipe_left_is_removed(tmp_path: Path) -> None:
    count_and_double(tmp_path, Double())
    count_and_double(tmp_path, Double(), units=UNITS[:2])
    assert sorted(p.name for p in (tmp_path / "stages/2-double").glob("*.parquet")) == ["unit-0.parquet", "unit-1.parquet"]


def test_frozen_refuses_drift(tmp_path: Path) -> None:
    count_and_double(tmp_path, Double())
    count_and_double(tmp_path, Double(), frozen=True)
    with pytest.raises(Refused, match=r"factor 2 -> 3: double again, 6 of 6 units"):
        count_and_double(tmp_path, Double(factor=3), frozen=True)


def test_frozen_names_the_drift_of_every_stage_and_makes_nothing(tmp_path: Path) -> None:
    count_and_double(tmp_path, Double())
    before = bytes_below(tmp_path)
    with pytest.raises(Refused) as refused:
        count_and_double(tmp_path, Double(factor=3), size=12, units=[*UNITS, Unit("unit-7")], frozen=True)
    told = str(refused.value)
    assert "count again, 7 of 7 units" in told
    assert "factor 2 -> 3: double again, 6 of 6 units" in told
    assert bytes_below(tmp_path) == before
    assert len(json.loads((tmp_path / "run.json").read_text())["sessions"][-1]["drift"]) > 1
    (tmp_path / "stages/1-count/unit-0.json").unlink()  # then what follows cannot be compared
    with pytest.raises(Refused, match="count again"):
        count_and_double(tmp_path, Double(factor=3), size=12, frozen=True)


def test_a_message_of_much_drift_has_ten_lines() -> None:
    noted: list[str] = []
    teller = DriftTeller(True, "run.json", noted.append, lambda _, reasons: noted.extend(reasons))
    teller.require_none()
    with pytest.raises(Refused) as refused:
        teller.require_no([f"stages/{number}-x" for number in range(500)])
    assert len(str(refused.value).splitlines()) == LINES
    assert "and 492 more: run.json" in str(refused.value)
    teller.require_none()


def test_a_missing_or_cut_shard_is_made_again(tmp_path: Path) -> None:
    count_and_double(tmp_path, Double())
    before = bytes_below(tmp_path)
    (tmp_path / "stages/2-double/unit-3.parquet").unlink()
    cut = tmp_path / "stages/1-count/unit-1.parquet"
    cut.write_bytes(cut.read_bytes()[:-5])
    count_and_double(tmp_path, Double())
    assert bytes_below(tmp_path) == before


def test_what_a_killed_driver_was_writing_is_swept(tmp_path: Path) -> None:
    count_and_double(tmp_path, Double())
    before = bytes_below(tmp_path)
    for name in ("stages/1-count/{}-unit-1.parquet", f"stages/2-double/{{}}-{SEAL}", "index/stages/{}-2-double.jsonl", "{}-run.json"):
        (tmp_path / name.format(f"{TEMPORARY}{'0a' * 16}")).write_bytes(b"half")
    count_and_double(tmp_path, Double())
    assert bytes_below(tmp_path) == before


def test_a_sidecar_that_records_no_shard_is_believed_by_nobody(tmp_path: Path) -> None:
    sealed = count_and_double(tmp_path, Double())
    before = bytes_below(tmp_path)
    sidecar = Location.of(tmp_path / "stages/2-double/unit-3.json")
    write_record(sidecar, {**read_record(sidecar), "outputs": []})
    count_and_double(tmp_path, Double())
    assert bytes_below(tmp_path) == before
    with pytest.raises(CorruptRecord, match=r"delete that sidecar \(unit-0.json\)"):
        Finished("unit-0", "", sealed.shards[:1], {}).shard("another")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_unit_does_not_stop_the_others(tmp_path: Path, workers: int) -> None:
    with pytest.raises(ShardsFailed, match="cannot double unit-2"):
        count_and_double(tmp_path, FailOn(bad="unit-2"), workers=workers)
    assert len(list((tmp_path / "stages/2-double").glob("unit-*.parquet"))) == 5


def test_workers_do_not_change_bytes(tmp_path: Path) -> None:
    count_and_double(tmp_path / "one", Double(), workers=1)
    count_and_double(tmp_path / "two", Double(), workers=2)
    assert bytes_below(tmp_path / "one") == bytes_below(tmp_path / "two")


def test_a_killed_worker_costs_one_unit(tmp_path: Path) -> None:
    (tmp_path / "fuse").write_text("1")
    sealed = count_and_double(tmp_path / "out", DieOnce(bad="unit-1", fuse=str(tmp_path / "fuse")), workers=2)
    assert len(sealed.shards) == 6


def test_a_unit_that_kills_every_worker_is_named(tmp_path: Path) -> None:
    (tmp_path / "fuse").write_text("9")
    with pytest.raises(
        ShardsFailed, match=r"1 of 6 units of 2-double failed.*\n  1 unit: the worker process died twice on this shard \[unit-1\]"
    ):
        count_and_double(tmp_path / "out", DieOnce(bad="unit-1", fuse=str(tmp_path / "fuse")), workers=2)
    assert len(list((tmp_path / "out/stages/2-double").glob("unit-*.parquet"))) == 5


def test_a_second_live_run_is_refused(tmp_path: Path) -> None:
    with Session.open(Location.of(tmp_path), LocalRunner()), pytest.raises(Refused, match="another run is live"):
        count_and_double(tmp_path, Double())


SLOW_RUN = """
import sys
from pathlib import Path
from tests.engine.test_session import count_and_double
from pipelines.progress.logs import run_log
from tests.toy_stages import SlowDouble

if __name__ == "__main__":
    count_and_double(Path(sys.argv[1]), SlowDouble(), workers=2)
"""


@pytest.mark.parametrize("done_before_kill", [pytest.param(1, marks=pytest.mark.full), 3])
def test_a_killed_run_loses_nothing_that_was_done(tmp_path: Path, done_before_kill: int) -> None:
    script = tmp_path / "slow_run.py"
    script.write_text(SLOW_RUN)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, str(script)]
    subprocess.run([*command, str(tmp_path / "whole")], check=True, env=environment, timeout=120)
    out = tmp_path / "killed"
    child = subprocess.Popen([*command, str(out)], env=environment, start_new_session=True)
    while len(list((out / "stages/2-double").glob("unit-*.json"))) < done_before_kill:
        assert child.poll() is None
        time.sleep(0.005)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    done = len(list((out / "stages/2-double").glob("unit-*.json")))
    subprocess.run([*command, str(out)], check=True, env=environment, timeout=120)
    assert bytes_below(out) == bytes_below(tmp_path / "whole")
    assert not [path for path in out.rglob("*") if path.name.startswith(TEMPORARY)]
    stage = last_session(out)["2-double"]
    assert stage["reused"] == done
    assert len(stage["interrupted"]) <= 2


def test_frozen_removes_nothing(tmp_path: Path) -> None:
    count_and_double(tmp_path, Double())
    before = bytes_below(tmp_path)
    with pytest.raises(Refused, match="count has units whose input no longer exists"):
        count_and_double(tmp_path, Double(), units=UNITS[:2], frozen=True)
    assert bytes_below(tmp_path) == before


@pytest.mark.parametrize("kind", ["a folder", "no file (a device, a pipe, or a link to nothing)"])
@pytest.mark.parametrize(
    "name", [".lock", "run.json", "index/stages/2-double.jsonl", "stages/2-double/_seal.json", "stages/2-double/unit-0.json"]
)
def test_what_lies_in_the_place_of_a_file_of_the_run_is_named(name: str, kind: str, tmp_path: Path) -> None:
    count_and_double(tmp_path, Double())
    place = tmp_path / name
    before = place.read_bytes()
    place.unlink()
    (place.mkdir if kind == "a folder" else lambda: os.mkfifo(place))()
    with pytest.raises((Refused, ShardsFailed)) as error, in_time():
        count_and_double(tmp_path, Double())
    assert f"{place} is {kind}, but a file is to be written there; in a run's folder, remove it" in f"{error.value} {error.value.details}"
    (place.rmdir if kind == "a folder" else place.unlink)()
    count_and_double(tmp_path, Double())
    assert name == "run.json" or place.read_bytes() == before


def test_a_pipe_in_the_place_of_a_log_or_a_journal_holds_nobody_up(tmp_path: Path) -> None:
    for name in ("run.log", "unit-0.names"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(Refused, match=r"run\.log is no file"), in_time(), run_log(Location.of(tmp_path), None):
        pass
    with pytest.raises(Refused, match=r"unit-0\.names is no file"), in_time():
        Journal(Location.of(tmp_path), "unit-0", "stages/2-double").announce("unit-0.parquet")


def test_a_stage_that_is_run_no_more_is_retired(tmp_path: Path) -> None:
    with Session.open(Location.of(tmp_path / "nowhere" / ".."), LocalRunner()) as session:
        counted = session.run(Count(3), UNITS)
        with session.within("2-double"):
            session.run(Double(), [Unit(shard.name, {"numbers": (shard,)}) for shard in counted.shards])
    with Session.open(Location.of(tmp_path), LocalRunner(), frozen=True) as session, pytest.raises(Refused, match="2-double"):
        session.run(Count(3), UNITS)
        session.retire_others()
    with Session.open(Location.of(tmp_path), LocalRunner()) as session:
        session.run(Count(3), UNITS)
        session.retire_others()
    assert {path.parent.name for path in (tmp_path / "stages").rglob("*.*") if path.is_file()} == {"1-count"}
    assert len(list((tmp_path / "stages/1-count").glob("unit-*.parquet"))) == len(UNITS)


def test_the_units_of_a_finished_run_are_those_of_its_seal(tmp_path: Path) -> None:
    count_and_double(tmp_path, Double())
    space = Workspace(Location.of(tmp_path))
    folder = tmp_path / "stages/1-count"
    sidecar = (folder / "unit-2.json").read_bytes()
    (folder / "unit-2-of-an-older-run.json").write_bytes(sidecar)
    (folder / f"{TEMPORARY}unit-2.json").write_bytes(sidecar)
    (folder / "unit-2.txt").write_bytes(sidecar)
    named = [f"unit-{number}" for number in range(6)]
    assert [unit.name for unit in finished_units(space, Count)] == named
    assert [unit.name for unit in finished_units(space, Double)] == named
    (folder / SEAL).write_text("{")
    assert {unit.name for unit in finished_units(space, Count)} == {*named, "unit-2-of-an-older-run"}, "a seal that says nothing hides none"
    (folder / SEAL).unlink()
    (folder / "unit-3.json").write_text("{")
    assert {unit.name for unit in finished_units(space, Count)} == {*named, "unit-2-of-an-older-run"} - {"unit-3"}


@dataclass(frozen=True)
class Item:
    """Notes when it is handed to a worker process."""

    number: int
    handed: ClassVar[list[int]] = []

    def __reduce__(self) -> tuple[type["Item"], tuple[int]]:
        Item.handed.append(self.number)
        return Item, (self.number,)


def _number(item: Item) -> int:
    return item.number


def test_workers_are_handed_items_in_order_and_every_item_has_an_outcome() -> None:
    Item.handed.clear()
    runner = LocalRunner(2)
    try:
        outcomes = list(runner.map(_number, [Item(number) for number in range(12)]))
    finally:
        runner.close()
    assert Item.handed == list(range(12))
    assert sorted(outcome.result for outcome in outcomes if outcome.result is not None) == list(range(12))

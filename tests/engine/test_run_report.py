"""run.json: what each session did, how it ended, and what of it later sessions keep."""

import json
from pathlib import Path
from typing import Any

import pytest

from curation.engine.run_report import DONE, RUNNING, UNTOLD, RunReport, store_calls
from curation.engine.runner import LocalRunner
from curation.engine.session import Session
from curation.engine.signals import Ended
from curation.engine.stage import Finished, Unit
from curation.errors import Refused
from curation.storage.location import Location
from curation.storage.records import write_record
from curation.storage.traffic import Traffic
from tests.toy_stages import Count, Double


def entry(stage: str, made: int) -> dict[str, Any]:
    added = {
        "made": made,
        "made_names": [f"{stage}-{made}"],
        "interrupted": [],
        "removed": ["x"] * made,
        "seconds": 1.5,
        "worker_seconds": 1,
    }
    return {"stage": stage, "units": 9, "rows": made, **added, **store_calls([], Traffic())}


def read(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "run.json").read_text())
    return content


def test_a_stage_that_runs_twice_has_one_entry_of_what_it_did_in_all(tmp_path: Path) -> None:
    report = RunReport(Location.of(tmp_path), "mine", 3, {"version": "7"})
    for stage, made in (("1-a", 2), ("2-b", 5), ("1-a", 3)):
        report.add_stage(entry(stage, made))
    assert [stage["stage"] for stage in report.stages] == ["1-a", "2-b"]
    assert report.made == 10
    (session,) = read(tmp_path)["sessions"]
    first = session["stages"][0]
    assert (first["made"], first["made_names"], first["removed"], first["seconds"]) == (5, ["1-a-2", "1-a-3"], ["x"] * 5, 3.0)
    assert (first["units"], first["rows"]) == (9, 2), "only what was done is added up"
    assert (session["workers"], session["version"], session["outcome"], read(tmp_path)["recipe"]) == (3, "7", RUNNING, "mine")
    assert "seconds" not in session
    report.end()
    assert 0 <= read(tmp_path)["sessions"][0]["seconds"] < 60


def test_calls_of_units_and_of_the_driver_are_added_up() -> None:
    units = [Traffic(), Traffic()]
    names = list(vars(units[0]))
    for place, name in enumerate(names):
        setattr(units[0], name, place + 1)
        setattr(units[1], name, 10)
    driver = Traffic()
    setattr(driver, names[0], 100)
    told = store_calls(units, driver)
    assert [told[f"store_{name}"] for name in names] == [111 if place == 0 else place + 11 for place in range(len(names))]
    assert told["store_calls_of_driver"] == driver.calls
    assert vars(driver)[names[0]] == 100, "what is counted elsewhere stays as it was"


def test_an_earlier_session_that_said_nothing_is_told_as_killed(tmp_path: Path) -> None:
    out = Location.of(tmp_path)
    earlier = [{"outcome": RUNNING, "workers": 1}, {"outcome": DONE}, "odd"]
    for content, kept in (
        ({"made_by": "textbook-curation", "closed": True, "sessions": earlier}, [{**earlier[0], "outcome": UNTOLD}, *earlier[1:]]),
        ({"made_by": "textbook-curation", "closed": False, "sessions": 7}, []),
    ):
        write_record(out / "run.json", content)
        report = RunReport(out, None, 1, {})
        assert report.closed == content["closed"]
        report.write()
        assert read(tmp_path)["sessions"][:-1] == kept
        assert read(tmp_path)["closed"] == content["closed"]


def test_the_entry_of_a_stage_tells_what_was_reused_made_and_removed(tmp_path: Path) -> None:
    out = Location.of(tmp_path)
    for names, reused, removed in ((["a", "b", "c"], 0, []), (["b", "c", "d"], 2, ["a.json", "a.parquet"])):
        with Session.open(out, LocalRunner()) as session:
            sealed = session.run(Count(size=7), [Unit(name) for name in names])
        (stage,) = read(tmp_path)["sessions"][-1]["stages"]
        assert (stage["stage"], stage["units"], stage["reused"], stage["made"]) == ("1-count", 3, reused, 3 - reused)
        assert stage["made_names"] == names[reused:]
        assert stage["removed"] == removed
        assert stage["interrupted"] == []
        assert (stage["rows"], stage["bytes"]) == (21, sum(shard.bytes for shard in sealed.shards))
        assert 0 < stage["worker_seconds"] < 60
        assert 0 < stage["seconds"] < 60
        assert 10 < stage["peak_worker_mib"] < 100_000
        assert sealed.total("rows") == 21


@pytest.mark.parametrize(
    ("error", "outcome", "kept", "note"),
    [
        (Ended(15), "ended by SIGTERM", True, False),
        (OSError("no space"), "OSError: no space", False, True),
        (Refused("no"), "Refused: no", False, False),
        (None, DONE, False, False),
    ],
)
def test_a_session_says_how_it_ended(tmp_path: Path, error: BaseException | None, outcome: str, kept: bool, note: bool) -> None:
    out = Location.of(tmp_path)
    try:
        with Session.open(out, LocalRunner()) as session:
            session.run(Count(), [Unit("a")])
            if error is not None:
                raise error
    except BaseException as raised:
        assert raised is error
    (told,) = read(tmp_path)["sessions"]
    assert told["outcome"] == outcome
    assert told["seconds"] >= 0
    assert getattr(error, "kept", None) == (str(out) if kept else None)
    assert [f"finished work is kept in {out}" in each for each in getattr(error, "__notes__", [])] == [True] * note


class Follows:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.seen: list[tuple[object, ...]] = []
        self.lines: list[str] = []

    def begin(self, stage: str, units: int, reused: int) -> None:
        self.seen.append(("begin", stage, units, reused))

    def advance(self, stage: str, finished: Finished) -> None:
        self.seen.append(("advance", stage, finished.name))

    def end(self, stage: str) -> None:
        self.seen.append(("end", stage))

    def tell(self, line: str) -> None:
        self.lines.append(line)


def test_a_watcher_follows_every_unit_that_is_made(tmp_path: Path) -> None:
    out, follows = Location.of(tmp_path), Follows()
    with Session.open(out, LocalRunner(), watcher=follows) as session, session.within("inner"):
        session.run(Count(), [Unit("a")])
        counted = session.run(Count(), [Unit("b"), Unit("a")])
    assert follows.seen == [
        ("begin", "inner/1-count", 1, 0),
        ("advance", "inner/1-count", "a"),
        ("end", "inner/1-count"),
        ("begin", "inner/1-count", 2, 1),
        ("advance", "inner/1-count", "b"),
        ("end", "inner/1-count"),
    ]
    follows.seen.clear()
    with Session.open(out, LocalRunner(), watcher=follows) as session:
        session.run(Double(), [Unit(shard.name, {"numbers": (shard,)}) for shard in counted.shards])
        assert session.made == 2
    assert follows.seen[0] == ("begin", "2-double", 2, 0), "outside the block, stages are where they were"
    with pytest.raises(ValueError, match="two units with the same name"), Session.open(out, LocalRunner()) as session:
        session.run(Count(), [Unit("a"), Unit("a")])


def test_strangers_are_named_up_to_ten(tmp_path: Path) -> None:
    for count, more in ((10, ""), (11, " and 1 more"), (13, " and 3 more")):
        out = tmp_path / f"{count}"
        follows = Follows()
        with Session.open(Location.of(out), LocalRunner(), watcher=follows) as session:
            session.run(Count(), [Unit("a")])
            session.tell_strangers()
            assert follows.lines == []
            for number in range(count):
                (out / f"mine-{number:02d}").write_text("")
            session.tell_strangers()
        (line,) = follows.lines
        assert line.endswith(f": {', '.join(f'mine-{number:02d}' for number in range(10))}{more}")


def test_a_file_of_the_run_is_written_only_where_it_differs(tmp_path: Path) -> None:
    with Session.open(Location.of(tmp_path), LocalRunner()) as session:
        session.put("notes", b"one")
        before = (tmp_path / "notes").stat().st_ino
        session.put("notes", b"one")
        assert (tmp_path / "notes").stat().st_ino == before
        session.put("notes", b"two")
        assert (tmp_path / "notes").read_bytes() == b"two"


def test_a_closed_run_stays_closed_until_something_in_it_changes(tmp_path: Path) -> None:
    def is_closed() -> bool:
        assert (tmp_path / "contents.json").exists() == read(tmp_path)["closed"]
        return bool(read(tmp_path)["closed"])

    def closed_after(names: str, notes: bytes, close: bool = False) -> bool:
        with Session.open(Location.of(tmp_path), LocalRunner()) as session:
            session.run(Count(), [Unit(name) for name in names])
            session.put("notes", notes)
            if close:
                session.close()
        return is_closed()

    assert closed_after("abc", b"one", close=True)
    assert closed_after("abc", b"one"), "nothing changed"
    assert not closed_after("abc", b"two"), "a file of the run changed"
    assert closed_after("abc", b"two", close=True)
    assert not closed_after("ab", b"two"), "a unit is gone, and nothing is made"
    assert closed_after("ab", b"two", close=True)
    assert not closed_after("abd", b"two"), "a unit is made"

"""Quarantine decides which record is to blame: the children's ends are scripted here, real ones are in tests/engine/test_watchdog.py."""

import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from curation.engine.stage import Job, Output, Unit, Workspace
from curation.ingest import quarantine
from curation.ingest.quarantine import BATCH, MAX_CRASHES, RecordPlace, make_isolated
from curation.storage.location import Location
from curation.storage.source_file import SourceFile
from tests.toy_stages import Count

SOURCES = tuple(SourceFile(Location.of(f"/in/{name}"), name, "in", 1, 1) for name in ("a", "b"))
MADE = {"counts": {"rows": 3}, "shards": [["unit.parquet", 3, 100, "ab"]]}


def isolated(tmp_path: Path) -> tuple[Job, Output]:
    out = Location.of(tmp_path)
    return Job(Count(), Unit("unit", sources=SOURCES), "key", Workspace(out)), Output(out / "stages/1-count")


@pytest.mark.parametrize("ending", ["crashed", "timed_out"])
def test_a_record_is_to_blame_the_second_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    """Of 40 records some always end their reader, and chance ends it sometimes at others: only the former are left out."""
    chance, (job, output) = random.Random(11), isolated(tmp_path)
    records: list[RecordPlace] = [(name, number) for name in ("a", "b") for number in range(20)]
    deadly = set(chance.sample(records, 7))
    unlucky = set(chance.sample([place for place in records if place not in deadly], 5))
    runs: list[dict[RecordPlace, str]] = []
    swept: list[Job] = []

    def run(asked: Job, fatal: Mapping[RecordPlace, str]) -> tuple[Any, RecordPlace | None, str]:
        assert asked is job
        runs.append(dict(fatal))
        for place in records:
            if place in unlucky or (place in deadly and place not in fatal):
                unlucky.discard(place)
                return None, place, ending
        return MADE, None, "crashed"

    monkeypatch.setattr(quarantine, "_run", run)
    monkeypatch.setattr(quarantine, "_sweep", swept.append)
    met = len(unlucky)
    assert make_isolated(job, output) == {"rows": 3}
    assert [(shard.name, shard.rows, shard.bytes) for shard in output.shards] == [("unit", 3, 100)]
    assert runs[-1] == dict.fromkeys(deadly, ending)
    assert len(runs) == 2 * len(deadly) + met + 1
    assert swept == [job] * (len(runs) - 1), "what a dead child leaves is gone before the next begins"


@pytest.mark.parametrize(
    ("places", "ending", "told"),
    [
        ([None], "crashed", "kills the process that reads it before its first record is read"),
        ([("a", 3), BATCH], "timed_out", "holds the process that reads it while edits work on many records at once"),
        ([("b", 3)] * 3, "crashed", "kills the process that reads it at record 3 of b, even when that record is left out"),
    ],
)
def test_where_no_record_is_to_blame_the_unit_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, places: list[RecordPlace | None], ending: str, told: str
) -> None:
    left = list(places)
    monkeypatch.setattr(quarantine, "_run", lambda *_: (None, left.pop(0), ending))
    monkeypatch.setattr(quarantine, "_sweep", lambda _: None)
    with pytest.raises(RuntimeError, match=f"unit unit {told}"):
        make_isolated(*isolated(tmp_path))
    assert left == []


def test_a_unit_that_never_ends_well_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: Counter[str] = Counter()

    def run(*_: Any) -> tuple[None, RecordPlace, str]:
        runs["all"] += 1
        return None, ("a", runs["all"]), "crashed"

    monkeypatch.setattr(quarantine, "_run", run)
    monkeypatch.setattr(quarantine, "_sweep", lambda _: None)
    with pytest.raises(RuntimeError, match=f"has killed or held the processes that read it {MAX_CRASHES} times"):
        make_isolated(*isolated(tmp_path))
    assert runs["all"] == MAX_CRASHES + 1


class Counts:
    """A stage that announces some places, and says what it was asked for."""

    def __init__(self) -> None:
        self.noted: list[int] = []

    def make_without(self, unit: Unit, output: Output, fatal: Mapping[RecordPlace, str], note: Any) -> dict[str, Any]:
        for place in PLACES:
            note(place)
            self.noted.append(self.at.value)
        return {"fatal": len(fatal)}

    at: Any = None
    name = "1-count"
    folder = None


PLACES: list[RecordPlace] = [("a", 0), ("a", 1), ("b", 0), ("b", (1 << 40) - 1), BATCH, ("a", 7)]


def test_a_place_survives_as_one_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from curation.engine import heartbeat

    stage: Any = Counts()
    job = Job(stage, Unit("unit", sources=SOURCES), "key", Workspace(Location.of(tmp_path)))
    stage.at, sent = SimpleNamespace(value=-1), []
    ended: list[int] = []
    monkeypatch.setattr(quarantine, "die_with", ended.append)
    monkeypatch.setattr(heartbeat, "_mine", None)
    assert quarantine._place_of(job, stage.at.value) is None
    slots = [0] * heartbeat.FIELDS
    quarantine._make(job, {("a", 1): "crashed"}, stage.at, SimpleNamespace(send=sent.append), slots, 77)  # type: ignore[arg-type]
    assert [quarantine._place_of(job, number) for number in stage.noted] == PLACES
    assert sent == [{"counts": {"fatal": 1}, "shards": []}]
    assert ended == [77]
    assert slots[1] == 1, "its watch sees that it is at work"

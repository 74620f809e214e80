"""What a sidecar says, and who believes it; what a unit's key covers; and on which machine a unit may be made."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from curation.engine.node_check import Misfit
from curation.engine.runner import LocalRunner
from curation.engine.session import Session
from curation.engine.stage import (
    WORKER_MEMORY,
    Finished,
    Job,
    Output,
    Unit,
    Workspace,
    is_whole,
    key_of,
    outputs_recorded,
    perform,
    read_sidecar,
    shards_recorded,
    units_sealed,
)
from curation.errors import Refused
from curation.storage.journal import read_journal
from curation.storage.location import Location
from curation.storage.records import CorruptRecord, write_record
from curation.storage.shards import Shard
from curation.storage.source_file import SourceFile
from tests.toy_stages import Count

FACTS: list[Any] = ["unit.parquet", 10, 100, "ab"]


@dataclass(frozen=True)
class Public(Count):
    """A stage whose shards people read."""

    name: ClassVar[str] = "9-public"
    folder: ClassVar[str | None] = "dataset/data"


def test_a_sidecar_tells_what_was_made(tmp_path: Path) -> None:
    for stage, folder in ((Count(), "stages/1-count"), (Public(), "dataset/data")):
        space = Workspace(Location.of(tmp_path))
        for place in (space.sidecars(stage), space.shards(stage)):
            place.make_folder()
        unit = Unit("unit")
        job = Job(stage, unit, key_of(stage.identity(), unit), space)
        finished, cost = perform(job)
        assert read_sidecar(space, stage, "unit") == finished
        assert (finished.key, finished.counts, [shard.rows for shard in finished.shards]) == (job.key, {"rows": 10}, [10])
        assert 0 < cost.seconds < 60
        place = space.sidecars(stage) / "unit.json"
        (shard,) = finished.shards
        assert shards_recorded(place) == [f"{folder}/unit.parquet"]
        assert outputs_recorded(space.out, place) == [(f"{folder}/unit.parquet", shard.bytes, shard.sha256)]
        assert finished.shard("unit") == shard
        with pytest.raises(CorruptRecord, match=r"is recorded with .*unit\.parquet, and not with its shard other"):
            finished.shard("other")
    with pytest.raises(CorruptRecord, match="no shard at all"):
        Finished("unit", "", (), {}).shard("unit")


@pytest.mark.parametrize(
    "change",
    [
        {"outputs": [["../unit.parquet", 10, 100, "ab"]]},
        {"outputs": [["unit.parquet", "10", 100, "ab"]]},
        {"outputs": [["unit.parquet", 10, 100]]},
        {"outputs": 7},
        {"counts": 7},
        {"key": None, "counts": None},
    ],
)
def test_a_sidecar_that_was_made_up_tells_nothing(tmp_path: Path, change: dict[str, Any]) -> None:
    space = Workspace(Location.of(tmp_path))
    sound = {"key": "0" * 64, "folder": "stages/1-count", "outputs": [FACTS], "counts": {}}
    write_record(space.sidecars(Count()) / "unit.json", sound)
    assert read_sidecar(space, Count(), "unit") is not None
    write_record(space.sidecars(Count()) / "unit.json", {**sound, **change})
    assert read_sidecar(space, Count(), "unit") is None
    assert read_sidecar(space, Count(), "none") is None


def test_a_sidecar_that_leads_out_of_the_run_is_none(tmp_path: Path) -> None:
    out = Location.of(tmp_path / "out")
    for folder, outputs in (
        ("..", [FACTS]),
        ("stages/1-count", [["../../../x", 1, 1, "0"]]),
        ("stages", [["x", 1, "many", "0"]]),
        ("a", [7]),
    ):
        place = out / "stages/1-count/unit.json"
        write_record(place, {"key": "0" * 64, "folder": folder, "outputs": outputs, "counts": {}})
        with pytest.raises(CorruptRecord, match="is not a sidecar"):
            outputs_recorded(out, place)


def test_a_file_that_is_no_sidecar_records_no_shard(tmp_path: Path) -> None:
    place = tmp_path / "x.json"
    for content in ("{", "[]", "7", "{}", '{"key": "0"}', json.dumps({"key": "0" * 63 + "x", "folder": "f", "outputs": []}), "[" * 99_999):
        place.write_text(content)
        assert shards_recorded(Location.of(place)) is None
        assert units_sealed(Location.of(place)) is None
    place.write_text(json.dumps({"key": "0" * 64, "folder": "f", "outputs": [["a", 1], ["b", 2]], "names": ["u", "v"]}))
    assert shards_recorded(Location.of(place)) == ["f/a", "f/b"]
    assert units_sealed(Location.of(place)) == frozenset("uv")


def test_a_unit_is_whole_if_every_shard_has_its_size() -> None:
    here = Location.of("/nowhere")
    shards = tuple(Shard(name, here / f"{name}.parquet", 1, size, "") for name, size in (("a", 10), ("b", 20)))
    unit = Finished("unit", "", shards, {})
    for sizes, whole in (
        ({"a.parquet": 10, "b.parquet": 20, "c": 1}, True),
        ({"a.parquet": 10, "b.parquet": 19}, False),
        ({"a.parquet": 10}, False),
        ({}, False),
    ):
        assert is_whole(unit, sizes) is whole
    assert is_whole(replace(unit, shards=()), {}) is False


def test_a_key_covers_all_that_a_unit_reads() -> None:
    shard = Shard("a", Location.of("/here/a.parquet"), 1, 10, "00")
    source = SourceFile(Location.of("/here/in"), "in", "crawl", 5, 7)
    unit = Unit("unit", {"texts": (shard,)}, (source,), {"limit": 1})
    others = [
        replace(unit, name="other"),
        replace(unit, inputs={"others": (shard,)}),
        replace(unit, inputs={"texts": (shard, shard)}),
        replace(unit, inputs={"texts": (replace(shard, name="b"),)}),
        replace(unit, inputs={"texts": (replace(shard, sha256="01"),)}),
        replace(unit, sources=(replace(source, relative="other"),)),
        replace(unit, sources=(replace(source, source="other"),)),
        replace(unit, sources=(replace(source, size=6),)),
        replace(unit, sources=(replace(source, changed=8),)),
        replace(unit, extra={"limit": 2}),
    ]
    identity = Count().identity()
    keys = {key_of(identity, each) for each in (unit, *others)} | {key_of(Count(size=11).identity(), unit)}
    assert len(keys) == len(others) + 2
    moved = replace(unit, inputs={"texts": (replace(shard, location=Location.of("/there/a.parquet")),)})
    moved = replace(moved, sources=(replace(source, location=Location.of("/there/in")),))
    assert key_of(identity, moved) == key_of(identity, unit), "places are no part of it"
    assert set(identity) == {"stage", "version", "fields", "files", "packages", "unicode"}
    assert identity["fields"] == {"size": 10}
    assert set(identity["packages"]) == {"pyarrow"}


def test_another_machine_makes_nothing(tmp_path: Path) -> None:
    unit, space = Unit("unit"), Workspace(Location.of(tmp_path))
    here = Count().identity()["packages"]
    for there, told in (({"pyarrow": "1.0"}, f"pyarrow {here['pyarrow']} here, 1.0 there"), (here, "a file that a filter reads")):
        with pytest.raises(Misfit, match=told):
            perform(Job(Count(), unit, "0" * 64, space, there))
    assert not list(tmp_path.rglob("*"))
    with pytest.raises(TypeError, match="cannot leave records out of unit"):
        perform(Job(Count(), unit, key_of(Count().identity(), unit), space, isolated=True))
    assert Count().memory(unit) == WORKER_MEMORY


def test_a_stranger_s_name_is_not_taken(tmp_path: Path) -> None:
    output = Output(Location.of(tmp_path), taken=frozenset({"mine.parquet"}))
    with pytest.raises(Refused, match=r"mine\.parquet was not made by this run"):
        output.begin("mine.parquet")
    assert output.begin("ours.parquet").path == str(tmp_path / "ours.parquet")


def test_a_file_is_announced_before_it_is_written(tmp_path: Path) -> None:
    space = Workspace(Location.of(tmp_path))
    space.sidecars(Public()).make_folder()
    output = Job(Public(), Unit("unit"), "", space).output()
    for count, name in enumerate(("a.parquet", "b.parquet"), 1):
        output.begin(name)
        assert read_journal(space.sidecars(Public()) / "unit.names") == ("dataset/data", ["a.parquet", "b.parquet"][:count])


def test_a_stage_within_another_folder_is_another_stage(tmp_path: Path) -> None:
    with Session.open(Location.of(tmp_path), LocalRunner()) as session:
        with session.within("outer"), session.within("inner"):
            sealed = session.run(Count(), [Unit("unit")])
        assert session.space == Workspace(Location.of(tmp_path))
    assert sealed.shards[0].location.path == str(tmp_path / "stages/outer/inner/1-count/unit.parquet")

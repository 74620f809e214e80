"""The index of a stage is believed as far as its sidecars are there and older: with it, without it or with half of it, the same units."""

import hashlib
import os
import random
from pathlib import Path
from types import SimpleNamespace

import pytest

from curation.engine import index
from curation.engine.index import IndexWriter, index_of, units_done
from curation.engine.runner import LocalRunner
from curation.engine.session import Session
from curation.engine.stage import Unit, Workspace, key_of
from curation.storage.contents import differences_from, read_contents
from curation.storage.digests import digest_of
from curation.storage.location import Location
from tests.toy_stages import Count

NAMES = [f"unit-{number}" for number in range(8)]


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    out = Location.of(tmp_path / "out")
    with Session.open(out, LocalRunner()) as session:
        session.run(Count(), [Unit(name) for name in NAMES])
    return Workspace(out)


def sidecar(space: Workspace, name: str) -> Path:
    return Path(space.sidecars(Count()).path, f"{name}.json")


def test_one_file_tells_what_the_sidecars_tell(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    told = units_done(space, Count(), NAMES)
    index_of(space, Count()).delete()
    assert units_done(space, Count(), NAMES) == told
    assert sorted(told) == NAMES


def test_a_unit_is_in_the_index_as_soon_as_it_has_ended(space: Workspace) -> None:
    """So a run that is killed has it, and the index is in the order of names however the stage ends."""
    done = [units_done(space, Count(), NAMES)[name] for name in reversed(NAMES)]
    index = Path(index_of(space, Count()).path)
    whole = index.read_bytes()
    with IndexWriter(space, Count(), done[:3]) as writer:
        for count, finished in enumerate(done[3:], 4):
            writer.add(finished)
            assert len(index.read_bytes().splitlines()) == count
        assert index.read_bytes() != whole
    assert index.read_bytes() == whole


def test_a_sidecar_that_is_not_read_is_one_that_nothing_wrote_to(space: Workspace) -> None:
    told = units_done(space, Count(), NAMES)
    for name in NAMES[:3]:
        state = sidecar(space, name).stat()
        content = bytearray(sidecar(space, name).read_bytes())
        content[-9] ^= 1
        sidecar(space, name).write_bytes(content)
        assert sidecar(space, name).stat().st_size == state.st_size
    sidecar(space, NAMES[3]).unlink()
    assert units_done(space, Count(), NAMES) == {name: told[name] for name in NAMES[4:]}
    os.utime(sidecar(space, NAMES[0]), ns=(0, 1))  # damage that leaves no trace is found by `curate verify`, not here
    assert NAMES[0] in units_done(space, Count(), NAMES)


def test_a_damaged_index_changes_nothing(space: Workspace) -> None:
    told, place = units_done(space, Count(), NAMES), Path(index_of(space, Count()).path)
    whole, chance, met = place.read_bytes(), random.Random(3), 0
    for _ in range(60):
        damaged = bytearray(whole[: chance.randrange(1, len(whole))] if chance.random() < 0.3 else whole)
        for _ in range(chance.randrange(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        place.write_bytes(damaged)
        met += bytes(damaged) != whole
        assert units_done(space, Count(), NAMES) == told
    assert met > 40


def test_a_line_that_was_made_up_names_no_file_elsewhere(space: Workspace) -> None:
    place = Path(index_of(space, Count()).path)
    line = f'["unit-0","{"0" * 64}",[["../../run.json",1,1,"{"0" * 64}"]],{{}}]'.encode()
    place.write_bytes(hashlib.sha256(line).hexdigest()[:16].encode() + b" " + line + b"\n")
    assert units_done(space, Count(), NAMES)["unit-0"].key != "0" * 64


def test_the_key_of_many_units_is_the_key_of_one() -> None:
    unit, identity = Unit("é", extra={"b": [1, (2.5, None)], "a": "x"}), Count().identity()
    assert key_of(identity, unit) == digest_of([identity, unit.identity()])


@pytest.mark.parametrize("how", ["cut", "flip", "delete"])
def test_the_index_of_a_closed_run_is_recorded_and_a_damaged_one_is_written_again(tmp_path: Path, how: str) -> None:
    out = Location.of(tmp_path / "out")

    def run() -> None:
        with Session.open(out, LocalRunner()) as session:
            session.run(Count(), [Unit(name) for name in NAMES])
            session.close()

    run()
    index = Path(index_of(Workspace(out), Count()).path)
    whole, closed = index.read_bytes(), read_contents(out)
    assert closed is not None
    assert closed.files["index/stages/1-count.jsonl"] == (len(whole), hashlib.sha256(whole).hexdigest())
    if how == "delete":
        index.unlink()
    else:
        index.write_bytes(whole[:-1] if how == "cut" else whole.replace(b"unit-3", b"unit-2", 1))
    faults: list[str] = []
    differences_from(out, closed, faults)
    assert len(faults) == 1
    assert str(index) in faults[0]
    run()
    assert index.read_bytes() == whole
    assert read_contents(out) == closed


def test_the_index_of_a_stage_that_is_gone_is_gone(space: Workspace) -> None:
    index = Path(index_of(space, Count()).path)
    assert index.exists()
    with Session.open(space.out, LocalRunner()) as session:
        session.retire_others()
    assert not index.exists()


def test_a_store_is_written_to_once_a_minute_and_at_the_end(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    done, now, writes = list(units_done(space, Count(), NAMES).values()), [1000.0], list[int]()
    store = SimpleNamespace(is_local=False, write_bytes=lambda content: writes.append(len(content.splitlines())))
    monkeypatch.setattr(index, "index_of", lambda *_: store)
    monkeypatch.setattr(index.time, "monotonic", lambda: now[0])
    with IndexWriter(space, Count(), done[:1]) as writer:
        assert writes == [1]
        for passed, finished, written in ((59.0, done[1], [1]), (2.0, done[2], [1, 3]), (59.0, done[3], [1, 3]), (2.0, done[4], [1, 3, 5])):
            now[0] += passed
            writer.add(finished)
            assert writes == written
        writer.add(done[5])
    assert writes == [1, 3, 5, 6]

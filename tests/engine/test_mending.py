"""A damaged shard of any stage is mended by the run's own command, which names it, makes that unit again and ends with the right bytes."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from curation.engine.mending import mended
from curation.engine.runner import LocalRunner
from curation.engine.session import Session
from curation.errors import InputError, ShardsFailed
from curation.storage.location import Location
from curation.storage.shards import Shard
from tests.running import SMALL_RECIPE, curate, many_files
from tests.verbs import Said, call

RECIPE = SMALL_RECIPE.replace("[deduplicate]", "[repeated_lines]\nmin_characters = 40\n\n[deduplicate]")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mending")
    many_files(folder / "input", files=2, rows=24)
    (folder / "recipe.toml").write_text(RECIPE)
    said = run(folder, folder / "whole")
    assert said.code == 0, said.all
    return folder


def run(folder: Path, out: Path, *options: object) -> Said:
    return call("run", folder / "recipe.toml", folder / "input/*.jsonl", "--out", out, "--progress", "plain", *options)


def copy_of(world: Path, to: Path) -> Path:
    shutil.copytree(world / "whole", to)
    return to


def flip(place: Path, at: float = 0.5) -> None:
    content = bytearray(place.read_bytes())
    content[int(len(content) * at)] ^= 0x10
    place.write_bytes(content)


def shards(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*.parquet"))}


def largest_of_each_stage(out: Path) -> list[Path]:
    found: dict[Path, Path] = {}
    for path in sorted(out.rglob("*.parquet")):
        if path.parent not in found or path.stat().st_size > found[path.parent].stat().st_size:
            found[path.parent] = path
    return list(found.values())


def test_a_run_that_has_nothing_to_do_mends_what_is_damaged_in_every_stage(world: Path, tmp_path: Path) -> None:
    out = copy_of(world, tmp_path / "out")
    damaged = largest_of_each_stage(out)
    assert len(damaged) >= 20
    for place in damaged:
        flip(place)
    said = run(world, out)
    assert said.code == 0, said.all
    for place in damaged:
        assert f"{place} is" in said.err
    assert shards(out) == shards(world / "whole")
    assert call("verify", out).code == 0
    made = json.loads((out / "run.json").read_text())["sessions"][-1]["stages"]
    assert len({stage["stage"] for stage in made}) == len(made)
    assert sum(stage["made"] for stage in made) == len({(path.parent, path.stem.removesuffix("-rejected")) for path in damaged})


def test_a_rerun_with_nothing_to_do_hashes_what_people_read_and_what_was_written_to(world: Path, tmp_path: Path) -> None:
    """A byte that changes without a write: in dataset and ledger the rerun finds it, in a stage that nothing reads `verify` does."""
    out = copy_of(world, tmp_path / "out")
    assert run(world, out).code == 0
    for folder, is_found in (("dataset/data", True), ("ledger", True), ("stages/4a-sign", False)):
        place = max((out / folder).glob("*.parquet"), key=lambda path: path.stat().st_size)
        before = place.stat()
        flip(place)
        os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
        said = run(world, out)
        assert said.code == 0, said.all
        assert (f"{place} is" in said.err) == is_found
    said = call("verify", out)
    assert said.code == 3
    assert str(place) in " ".join(said.all.split())
    os.utime(place)
    assert f"{place} is damaged" in run(world, out).err
    assert call("verify", out).code == 0
    assert shards(out) == shards(world / "whole")


@pytest.mark.parametrize("stage", ["1-ingest", "2-measure", "4a-sign"])
def test_what_a_pending_unit_reads_is_mended_on_the_way(world: Path, tmp_path: Path, stage: str) -> None:
    out = copy_of(world, tmp_path / "out")
    for later in sorted((out / "stages").iterdir()):
        if later.name > stage and later.is_dir():
            shutil.rmtree(later)
    for folder in ("ledger", "dataset"):
        shutil.rmtree(out / folder)
    (out / "contents.json").unlink()
    damaged = max((out / "stages" / stage).glob("*.parquet"), key=lambda path: path.stat().st_size)
    flip(damaged)
    said = run(world, out)
    assert said.code == 0, said.all
    assert f"{damaged} is damaged (not what was written): it is rebuilt" in said.err
    assert shards(out) == shards(world / "whole")
    assert call("verify", out).code == 0


def test_records_that_cannot_be_read_any_more_are_written_again(world: Path, tmp_path: Path) -> None:
    out = copy_of(world, tmp_path / "out")
    broken = [*sorted((out / "stages").rglob("_seal.json")), *sorted((out / "stages").rglob("small-*.json"))[:20]]
    assert len(broken) > 30
    for place in broken:
        place.write_bytes(b"{" + place.read_bytes()[1:].replace(b'"', b"'"))
    said = run(world, out)
    assert said.code == 0, said.all
    assert shards(out) == shards(world / "whole")
    assert call("verify", out).code == 0


def test_frozen_tells_of_damage_and_mends_nothing(world: Path, tmp_path: Path) -> None:
    out = copy_of(world, tmp_path / "out")
    damaged = next((out / "stages/2-measure").glob("*.parquet"))
    flip(damaged)
    before = damaged.read_bytes()
    said = run(world, out, "--frozen")
    assert said.code == 3
    assert f"--frozen: {damaged} is not what was written" in " ".join(said.err.split())
    assert damaged.read_bytes() == before
    other = next((out / "stages/3-judge").glob("*.parquet"))
    flip(other)
    said = " ".join(run(world, out, "--frozen").err.split())
    assert f"--frozen: 2 files are not what was written; without --frozen they are rebuilt: {damaged} {other}" in said


def test_a_damaged_shard_of_an_earlier_run_is_named_and_left_to_that_run(world: Path, tmp_path: Path) -> None:
    earlier, out = copy_of(world, tmp_path / "earlier"), tmp_path / "out"
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE.replace("[deduplicate]", f"[deduplicate]\nagainst = [{json.dumps(str(earlier))}]"))
    damaged = max((earlier / "stages/4a-sign").glob("*.parquet"), key=lambda path: path.stat().st_size)
    flip(damaged)
    before = damaged.read_bytes()
    said = call("run", recipe, world / "input/*.jsonl", "--out", out)
    assert said.code == 1
    assert f"{damaged}, of an earlier run that `against` names, is not what was written" in " ".join(said.err.split())
    assert damaged.read_bytes() == before
    assert run(world, earlier).code == 0
    assert call("run", recipe, world / "input/*.jsonl", "--out", out).code == 0


def test_a_shard_of_an_earlier_run_that_is_gone_is_an_input_error(world: Path, tmp_path: Path) -> None:
    earlier = copy_of(world, tmp_path / "earlier")
    place = next((earlier / "stages/4a-sign").glob("*.parquet"))
    gone = Shard(place.name, Location.of(str(place)), 24, place.stat().st_size, hashlib.sha256(place.read_bytes()).hexdigest())
    place.unlink()
    with Session.open(Location.of(str(tmp_path / "out")), LocalRunner()) as session:

        def work(_: object) -> None:
            session.suspects = [gone]
            raise ShardsFailed("1 of 1 units failed")

        with pytest.raises(InputError, match="is gone: run that run's own command again"):
            mended(session, work)


def test_a_damaged_reply_is_asked_again_and_said(world: Path, tmp_path: Path) -> None:
    out = copy_of(world, tmp_path / "out")
    log = out / "replies/replies.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    lines[3] = lines[3].replace(b'"text":"', b'"text":"!', 1)
    log.write_bytes(b"".join(lines))
    said = run(world, out)
    assert said.code == 0, said.all
    assert "1 line of" in said.err
    assert "their requests are sent again" in " ".join(said.err.split())
    assert log.read_bytes().startswith(b"".join(lines))
    assert shards(out) == shards(world / "whole")


def test_workers_in_processes_mend_too(world: Path, tmp_path: Path) -> None:
    out = copy_of(world, tmp_path / "out")
    shutil.rmtree(out / "stages/2-measure")
    flip(max((out / "stages/1-ingest").glob("*.parquet"), key=lambda path: path.stat().st_size))
    curate("run", world / "recipe.toml", world / "input/*.jsonl", "--out", out, "--workers", 2)
    assert shards(out) == shards(world / "whole")

"""The same survivors, however the work is done: workers, runners, names and order of files, kills.

Survivors are compared by id: which documents are kept, and for each other one its rule, its similarity and for whom it went. Names of files
decide what shards are called and how documents are numbered, so bytes may differ there; `tests/engine/test_faults.py` compares bytes where
names are the same.
"""

import json
import random
from pathlib import Path

import polars as pl
import pytest

from tests.engine.test_faults import finish, kill_group, start, wait_until_within
from tests.running import many_files

RECIPE = "[deduplicate]\n"
STAGES = ("4a-sign", "4b-buckets", "4c-candidates", "4d-stars", "4d-components", "4e-gather", "4f-compare", "4-deduplicate")
SEED = 20261124


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe, 24 files of documents with many copies, and `plain`, the run of one worker."""
    return made_world(tmp_path_factory.mktemp("survivors"), lambda folder: many_files(folder, files=24, rows=40))


@pytest.fixture(scope="module")
def shuffled(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same documents in another order, in files of other names and in other numbers."""

    def deal(folder: Path) -> None:
        chance = random.Random(SEED)
        lines = [line for path in sorted((world / "input").iterdir()) for line in path.read_text("utf-8").splitlines()]
        chance.shuffle(lines)
        folder.mkdir()
        for place in range(7):
            name = chance.randbytes(4).hex()
            (folder / f"{name}.jsonl").write_text("\n".join([*lines[place::7], ""]), "utf-8")

    return made_world(tmp_path_factory.mktemp("shuffled"), deal)


def made_world(folder: Path, write_input) -> Path:
    (folder / "recipe.toml").write_text(RECIPE)
    write_input(folder / "input")
    return folder


def survivors(world: Path, out: str) -> dict[str, dict]:
    """Return what the ledger says of every document, by id, but for its place in a file."""
    columns = ["id", "key", "fate", "rule", "duplicate_of", "similarity", "cluster_size"]
    ledger = pl.read_parquet(world / out / "ledger" / "*.parquet", columns=columns).filter(pl.col("fate").is_in(["kept", "duplicate"]))
    rows = {row["id"]: row for row in ledger.to_dicts()}
    assert len(rows) == ledger.height
    return rows


@pytest.fixture(scope="module")
def expected(world: Path) -> dict[str, dict]:
    """The survivors of one worker's run, which are such that the comparison can fail: of every rule there are many."""
    finish(start(world, "plain", "--runner", "local", "--workers", "1"))
    found = survivors(world, "plain")
    rules = [row["rule"] for row in found.values()]
    assert min(rules.count(rule) for rule in (None, "exact", "near_duplicate")) > 40
    return found


def ran(world: Path, runner: str, workers: int) -> dict[str, dict]:
    out = f"{runner}-{workers}"
    finish(start(world, out, "--runner", runner, "--workers", str(workers)))
    return survivors(world, out)


def killed_and_ran(world: Path, stage: str) -> tuple[bool, dict[str, dict]]:
    """Kill the whole run in a stage and run it again; whether the kill fell while the stage was under way, and the survivors."""
    out = f"killed-{stage}"
    process = start(world, out)
    hit = wait_until_within(world / out / "stages" / stage, 0, process)
    kill_group(process)
    finish(start(world, out))
    outcomes = [session["outcome"] for session in json.loads((world / out / "run.json").read_text())["sessions"]]
    assert outcomes[-1] == "done"
    return hit, survivors(world, out)


def test_another_order_of_files_two_workers_and_ray(world: Path, shuffled: Path, expected: dict[str, dict]) -> None:
    assert ran(shuffled, "local", 2) == expected
    assert ran(shuffled, "ray", 2) == expected


@pytest.mark.full
def test_a_run_killed_while_it_deduplicates(shuffled: Path, expected: dict[str, dict]) -> None:
    hit, found = killed_and_ran(shuffled, "4e-gather")
    assert hit
    assert found == expected


@pytest.mark.full
@pytest.mark.parametrize("runner", ["local", "ray"])
@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("order", ["as written", "shuffled"])
def test_every_runner_and_number_of_workers(
    request: pytest.FixtureRequest, expected: dict[str, dict], runner: str, workers: int, order: str
) -> None:
    assert ran(request.getfixturevalue("world" if order == "as written" else "shuffled"), runner, workers) == expected


@pytest.mark.full
def test_kills_in_every_stage_of_deduplication(shuffled: Path, expected: dict[str, dict]) -> None:
    hits = 0
    for stage in STAGES:
        hit, found = killed_and_ran(shuffled, stage)
        assert found == expected, stage
        hits += hit
    print(f"{hits} kills of {len(STAGES)} fell within their stage")
    assert hits >= 5

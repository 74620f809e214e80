"""A bit that flips, an end that is cut off, a file that is gone, anywhere in what a run left: `verify` finds each, no verb shows a
traceback, and the same command makes the same dataset again or says why it cannot.

The default runs a seeded part; `pytest -m full` a thousand damages, and prints a table by kind of file. The lock is left out: what it holds
is for the next run to know the folder by, and every session writes it anew.
"""

import hashlib
import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest

from tests.running import SMALL_RECIPE, many_files
from tests.verbs import Said, call

SIGNAL = "gopher_quality.words"

UNFORESEEN = ("Traceback", "panicked", "internal error", "this is our fault")
"""What a failure says that nobody foresaw."""


@dataclass
class World:
    """A run that ended, and a copy of it that is damaged and mended again."""

    folder: Path
    out: Path
    whole: Path
    duplicate: str

    @classmethod
    def make(cls, folder: Path) -> "World":
        many_files(folder / "input", files=2, rows=24)
        (folder / "recipe.toml").write_text(SMALL_RECIPE)
        world = cls(folder, folder / "out", folder / "whole", "")
        said = world.run()
        assert said.code == 0, said
        shutil.copytree(world.out, world.whole)
        ledger = pl.read_parquet(sorted((world.out / "ledger").glob("*[0-9].parquet")))
        world.duplicate = str(ledger.filter(pl.col("fate") == "duplicate")["id"][0])
        return world

    def run(self) -> Said:
        return call("run", self.folder / "recipe.toml", self.folder / "input/*.jsonl", "--out", self.out)

    def mend(self) -> None:
        shutil.rmtree(self.out)
        shutil.copytree(self.whole, self.out)

    def files(self) -> list[str]:
        paths = (path.relative_to(self.whole).as_posix() for path in sorted(self.whole.rglob("*")) if path.is_file())
        return [path for path in paths if path != ".lock"]

    def verbs(self) -> list[list[object]]:
        exported = self.folder / "exported"
        shutil.rmtree(exported, ignore_errors=True)
        signal = ["inspect", self.out, "--signal", SIGNAL]
        return [
            ["inspect", self.out],
            signal,
            [*signal, "--at", "100"],
            [*signal, "--curve", "--json"],
            ["why", self.out, self.duplicate],
            ["duplicates", self.out, self.duplicate],
            ["diff", self.out, self.whole],
            ["report", self.out],
            ["export", self.out, "--out", exported],
        ]


def kind_of(path: str) -> str:
    """Return what kind of file one of a run is."""
    folder, _, name = path.rpartition("/")
    if folder.startswith("stages"):
        return "seal" if name == "_seal.json" else "sidecar" if name.endswith(".json") else "stage shard"
    if folder.startswith(("ledger", "replies", "index")):
        return folder.partition("/")[0]
    return "dataset shard" if folder in ("dataset/data", "dataset/sft") else name


def damage(place: Path, how: str, chance: random.Random) -> None:
    """Flip a bit of a file, cut off its end, or delete it."""
    content = bytearray(place.read_bytes())
    if how == "delete" or not content:
        place.unlink()
        return
    at = chance.randrange(len(content))
    if how == "flip":
        content[at] ^= 1 << chance.randrange(8)
    place.write_bytes(content if how == "flip" else content[:at])


def dataset(out: Path) -> dict[str, str]:
    folder = out / "dataset"
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*.parquet"))}


@dataclass
class Tally:
    """What became of some damages, by kind of file."""

    met: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    unforeseen: Counter[str] = field(default_factory=Counter)
    reruns: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)

    def table(self) -> str:
        head = f"{'kind of file':<16}{'damages':>9}{'found':>7}{'traceback':>11}{'reruns':>8}{'refused':>9}{'wrong dataset':>15}"
        columns = (self.met, self.found, self.unforeseen, self.reruns, self.refused, self.wrong)
        rows = [
            f"{name:<16}" + "".join(f"{column[name]:>{width}}" for column, width in zip(columns, (9, 7, 11, 8, 9, 15), strict=True))
            for name in sorted(self.met)
        ]
        sums = "".join(f"{column.total():>{width}}" for column, width in zip(columns, (9, 7, 11, 8, 9, 15), strict=True))
        return "\n".join([head, *rows, f"{'all':<16}{sums}"])


def attempts(world: World, damages: int, seed: int) -> Iterator[tuple[int, str, str, random.Random]]:
    """Yield damages: number, file, what happens to it; every kind of file as often as any other."""
    kinds: dict[str, list[str]] = {}
    for path in world.files():
        kinds.setdefault(kind_of(path), []).append(path)
    chance = random.Random(seed)
    for number in range(damages):
        kind = sorted(kinds)[number % len(kinds)]
        yield number, chance.choice(kinds[kind]), ("flip", "flip", "cut", "delete")[(number // len(kinds)) % 4], chance


def tally(world: World, damages: int, every_verb: int, every_rerun: int, seed: int = 7) -> Tally:
    """Damage a run many times; after each look for it, call one verb (one time in so many all), and one time in so many run again."""
    result = Tally()
    verbs = len(world.verbs())
    whole = dataset(world.whole)
    for number, path, how, chance in attempts(world, damages, seed):
        damage(world.out / path, how, chance)
        kind = kind_of(path)
        what = f"{number}: {how} {path}"
        result.met[kind] += 1
        said = call("verify", world.out)
        result.found[kind] += said.code == 3
        told = [said] if said.code != 3 else []
        chosen = world.verbs() if chance.random() * every_verb < 1 else [world.verbs()[(number * 5 + number // verbs) % verbs]]
        looked = [said, *(call(*verb) for verb in chosen)]
        if chance.random() * every_rerun < 1:
            looked.append(world.run())
            result.reruns[kind] += 1
            result.refused[kind] += looked[-1].code != 0
            result.wrong[kind] += looked[-1].code == 0 and dataset(world.out) != whole
        unforeseen = [one for one in looked if any(word in one.all for word in UNFORESEEN)]
        result.unforeseen[kind] += bool(unforeseen)
        result.told += [f"{what}\n{one.code} {one.all[-1500:]}" for one in (*told, *unforeseen)]
        world.mend()
    return result


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World.make(tmp_path_factory.mktemp("damage"))


def assert_nothing_missed(result: Tally, damages: int) -> None:
    print(result.table())
    report = "\n".join([result.table(), *result.told[:20]])
    assert result.met.total() == result.found.total() == damages, report
    assert not result.unforeseen.total(), report
    assert not result.wrong.total(), report


def test_every_file_is_named_and_a_run_that_ended_is_sound(world: World) -> None:
    assert call("verify", world.out).code == 0
    contents = json.loads((world.out / "contents.json").read_bytes())
    named = {*contents["files"], *contents["logs"], *contents["live"], "contents.json"}
    assert named == set(world.files())


def test_damages_are_found_and_told_in_words(world: World) -> None:
    result = tally(world, damages=30, every_verb=15, every_rerun=5)
    assert_nothing_missed(result, 30)
    assert len(result.met) >= 14
    assert result.reruns.total() >= 4


@pytest.mark.full
def test_a_thousand_damages_are_found_and_told_in_words(world: World) -> None:
    result = tally(world, damages=1000, every_verb=20, every_rerun=8, seed=2026)
    assert_nothing_missed(result, 1000)
    assert result.reruns.total() > 90


@pytest.mark.parametrize("path", ["ledger/mine.parquet", "dataset/data/mine.parquet"])
def test_a_foreign_shard_is_told_once_and_not_opened(world: World, path: str) -> None:
    (world.out / path).write_text("x\n")
    said = call("verify", world.out, "--json")
    (world.out / path).unlink()
    told = "is in no record of this folder; it is not ours, or what names it is damaged; move it elsewhere"
    assert said.code == 3
    assert json.loads(said.out)["faults"] == [f"{world.out / path} {told}"]

"""Files that a recipe names: their copies in OUT are what workers open, and a copy that changed is not opened."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from curation.engine.failures import in_one_line
from curation.errors import CorruptShard
from curation.storage import carried
from curation.storage.carried import at_hand, damaged_carried, own_name, take_along
from curation.storage.location import Location
from curation.storage.resources import resolve
from filters.contract import FilterChoice
from filters.judge import Judge
from filters.measure import Measure
from pipelines.recipes.recipe import load
from tests.object_store import BUCKET, ObjectStore, object_store
from tests.running import ROOT

SHOUTING = """
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa

from filters.contract import Filter, above


@dataclass(frozen=True)
class Shouting(Filter):
    marks: str = "marks.txt"
    signal_types: ClassVar = {"marks": pa.int64()}
    file_fields: ClassVar = frozenset({"marks"})

    def files(self):
        return {"marks": Path(self.marks).read_text()}

    def signals(self, text, documents):
        marks = Path(self.marks).read_text()
        return {"marks": np.array([text.string(i).count(marks) for i in range(len(text))])}

    def rules(self):
        return {"shouts": above("marks", 3)}
"""

RECIPE = """
[[filter]]
file = "shouting.py"
marks = "marks.txt"
[[filter]]
name = "bad_words"
lists = ["words.txt"]
[[filter]]
name = "educational_score"
model = "edu.safetensors"
[export]
tokenizer = "tokenizer.json"
"""


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    with object_store() as store, pytest.MonkeyPatch.context() as patch:
        for name, value in store.env.items():
            patch.setenv(name, value)
        yield store


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "cache").mkdir()
    monkeypatch.setattr(carried, "_cache", lambda: tmp_path / "cache")  # the environment's also holds the kernels
    carried._checked.cache_clear()
    yield tmp_path / "cache"
    carried._checked.cache_clear()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "shouting.py").write_text(SHOUTING)
    (folder / "marks.txt").write_text("!")
    (folder / "words.txt").write_text("grok\n")
    shutil.copy(ROOT / "tests/lists/tokenizer.json", folder)
    for ending in ("safetensors", "json"):
        shutil.copy(ROOT / f"filters/models/edu.{ending}", folder)
    (folder / "mine.toml").write_text(RECIPE)
    return folder


def out_of(kind: str, tmp_path: Path) -> Location:
    return Location.of(tmp_path / "out" if kind == "local" else f"s3://{BUCKET}/{tmp_path.name}")


@pytest.mark.parametrize("kind", ["local", "s3"])
def test_a_recipe_works_where_its_files_are_not(kind: str, home: Path, tmp_path: Path, cache: Path, store: ObjectStore) -> None:
    out = out_of(kind, tmp_path)
    recipe = load(str(home / "mine.toml"))
    sent = recipe.carried(out)
    before = [Measure(recipe.filters).identity(), Judge(recipe.filters).identity()]
    shutil.rmtree(home)
    assert [Measure(sent.filters).identity(), Judge(sent.filters).identity()] == before  # the key is of the bytes, not of the place
    for choice in sent.filters:
        made = choice.build()
        for name in made.file_fields:
            value = getattr(made, name)
            for path in [value] if isinstance(value, str) else value:
                assert Path(path).is_relative_to(tmp_path if kind == "local" else cache)
    assert resolve(str(sent.export.tokenizer)).name == "tokenizer.json"
    assert len((out / "files").files(recursive=True)) == 6
    assert damaged_carried(out) == []


@pytest.mark.parametrize("kind", ["local", "s3"])
def test_a_copy_that_changed_is_not_opened(kind: str, home: Path, tmp_path: Path, cache: Path, store: ObjectStore) -> None:
    out = out_of(kind, tmp_path)
    address = take_along(home / "words.txt", (), out)
    Location.of(address).write_bytes(b"grik\n")
    stranger = out / "files/0/notes.txt"
    stranger.parent.make_folder()
    stranger.write_bytes(b"not ours")
    assert damaged_carried(out) == [str(Location.of(address).parent)]
    with pytest.raises(CorruptShard, match="is not what the run put there; delete that folder"):
        at_hand(address)
    take_along(home / "marks.txt", (), out)
    if kind == "local":
        assert take_along(home / "words.txt", (), out) == address  # the run's own command mends it
        assert Path(at_hand(address)).read_text() == "grok\n"


def test_a_machine_fetches_once_and_mends_its_cache(home: Path, tmp_path: Path, cache: Path, store: ObjectStore) -> None:
    address = take_along(home / "words.txt", (), out_of("s3", tmp_path))
    held = Path(at_hand(address))
    carried._checked.cache_clear()
    modified = held.stat().st_mtime_ns
    assert Path(at_hand(address)).stat().st_mtime_ns == modified
    held.write_text("grik\n")
    carried._checked.cache_clear()
    assert Path(at_hand(address)).read_text() == "grok\n"
    asking = "import sys; from curation.storage.carried import at_hand; print(at_hand(sys.argv[1]))"
    other = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "other")}
    many = [subprocess.Popen([sys.executable, "-c", asking, address], env=other, stdout=subprocess.PIPE) for _ in range(3)]
    told = {process.communicate(timeout=60)[0].decode().strip() for process in many}
    assert len(told) == 1
    assert Path(told.pop()).read_text() == "grok\n"


def test_compiled_code_beside_a_filter_is_neither_run_nor_written(
    home: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a run folder of somebody else it would be code that no digest covers."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    address = Path(take_along(home / "shouting.py", (), Location.of(tmp_path / "out")))
    planted = Path(importlib.util.cache_from_source(str(address)))
    choice = FilterChoice("shouting", {"marks": str(home / "marks.txt")}, str(address))
    choice.build()
    assert not planted.exists()
    trap = compile(f"open({str(tmp_path / 'trapped')!r}, 'w').close()\n{SHOUTING}", str(address), "exec")
    facts = address.stat()
    planted.parent.mkdir()
    planted.write_bytes(importlib._bootstrap_external._code_to_timestamp_pyc(trap, int(facts.st_mtime), facts.st_size))  # type: ignore[attr-defined]
    sys.modules.pop("user_filters.shouting")
    assert choice.build().signal_types == {"marks": pa.int64()}
    assert not (tmp_path / "trapped").exists()
    spec = importlib.util.spec_from_file_location("shouting", address)
    assert spec is not None and spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert (tmp_path / "trapped").exists()  # the trap would have worked


def test_a_failure_names_the_user_s_file(home: Path, tmp_path: Path, cache: Path) -> None:
    (home / "shouting.py").write_text(SHOUTING.replace("Path(self.marks).read_text()}", "1 / 0}"))
    address = take_along(home / "shouting.py", (), Location.of(tmp_path / "out"))
    with pytest.raises(ZeroDivisionError) as raised:
        FilterChoice("shouting", {"marks": str(home / "marks.txt")}, address).build().files()
    assert in_one_line(raised.value) == "ZeroDivisionError: division by zero (shouting.py, line 19)"
    assert own_name("/home/me/files/words.txt") == "/home/me/files/words.txt"

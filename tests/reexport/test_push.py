"""Pushing a dataset to the Hub and reading one from it, against a Hub on this machine."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.hub import Hub, hub, using
from tests.running import curate
from tests.verbs import call

NAME = "someone/tides"
TARGET = f"hf://datasets/{NAME}"

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=")
"""What huggingface_hub's client says of its own upload."""


@pytest.fixture(scope="module")
def exported(corpus_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("push") / "shards"
    assert call("export", corpus_run, "--out", out, "--shard-mib", 1, "--split", "validation=5%").code == 0
    return out


@pytest.fixture
def there() -> Iterator[Hub]:
    with hub() as served, using(served):
        yield served


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def test_a_pushed_dataset_is_the_dataset_and_is_read_from_there(there: Hub, exported: Path, tmp_path: Path) -> None:
    told = json.loads(curate("push", exported, TARGET, "--json"))
    assert there.repositories[NAME] == files_of(exported)
    assert (told["files"], told["removed"]) == (len(files_of(exported)), 0)
    assert told["bytes"] == sum(map(len, files_of(exported).values()))
    curate("run", "dedup", f"{TARGET}/data/*.parquet", "--out", tmp_path / "out")
    assert there.commits == 1
    rows = pl.read_parquet(sorted((exported / "data").glob("*.parquet")))
    ledger = pl.read_parquet(sorted((tmp_path / "out/ledger").glob("*.parquet")))
    assert ledger.height == rows.height
    assert set(ledger["source"]) == {f"{TARGET}/data/*.parquet"}
    before = len(there.asked)
    curate("run", "dedup", f"{TARGET}/data/*.parquet", "--out", tmp_path / "out", "--frozen")
    assert not [path for _, path in there.asked[before:] if "/resolve/" in path]  # the same content: nothing is read again
    curate("run", "dedup", TARGET, "--out", tmp_path / "whole", "--limit", 5)
    assert call("verify", tmp_path / "whole").code == 0


def test_another_push_replaces_the_shards_of_the_one_before_and_uploads_what_is_new(
    there: Hub, exported: Path, corpus_run: Path, tmp_path: Path
) -> None:
    curate("push", exported, TARGET)
    stored = len(there.stored)
    curate("push", exported, TARGET)
    assert (there.commits, len(there.stored)) == (1, stored)
    assert call("export", corpus_run, "--out", tmp_path / "other", "--shard-mib", 2).code == 0
    told = json.loads(curate("push", tmp_path / "other", TARGET, "--json"))
    assert there.repositories[NAME] == files_of(tmp_path / "other")
    assert told["removed"] == len({*files_of(exported)} - {*files_of(tmp_path / "other")})


def test_a_push_that_breaks_off_leaves_the_dataset_as_it_was_and_goes_on(there: Hub, exported: Path) -> None:
    there.fails = lambda method, path: "/commit/" in path
    assert "refuses" in curate("push", exported, TARGET, code=3)
    assert there.repositories[NAME] == {}
    uploads = sum(method == "PUT" for method, _ in there.asked)
    there.fails = lambda method, path: False
    curate("push", exported, TARGET)
    assert sum(method == "PUT" for method, _ in there.asked) == uploads > 3


def test_what_is_not_ours_to_push_or_to_replace_is_refused(there: Hub, exported: Path, corpus_run: Path, tmp_path: Path) -> None:
    there.repositories[NAME] = {"data/strange.parquet": b"of somebody else", "README.md": b"# Theirs"}
    assert "data/strange.parquet" in curate("push", exported, TARGET, code=3)
    assert there.repositories[NAME] == {"data/strange.parquet": b"of somebody else", "README.md": b"# Theirs"}
    damaged = shutil.copytree(exported, tmp_path / "damaged")
    shard = next((damaged / "data").glob("*.parquet"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    assert "curate verify" in curate("push", damaged, TARGET, code=3)
    there.token = "another"
    assert "hf auth login" in curate("push", exported, "hf://datasets/someone/other", code=3)
    assert list(there.repositories) == [NAME]


def test_errors_name_what_is_wrong(there: Hub, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "hf://datasets/ORG/NAME" in curate("push", exported, "hf://models/x", code=2)
    assert "no manifest.json" in curate("push", tmp_path, TARGET, code=2)
    asked = ("run", "dedup", f"{TARGET}/x.parquet", "--out", tmp_path / "out")
    assert "there is no such file or folder" in curate(*asked, code=2)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "cannot be reached" in curate(*asked, code=2)
    assert "for reading only" in curate("run", "dedup", exported / "data", "--out", TARGET, code=2)

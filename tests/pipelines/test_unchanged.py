"""A damaged shard of a small run is named before anything reads it: no wrong figure, no process that ends without a word."""

import shutil
from pathlib import Path

import pytest

from pipelines.inspect import unchanged
from tests.verbs import call


@pytest.fixture
def damaged(demo_run: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A run, and its largest shard of signals, in which one bit of each of a hundred bytes is another."""
    out = shutil.copytree(demo_run, tmp_path / "out")
    shard = max((out / "stages/2-measure").glob("*.parquet"), key=lambda path: path.stat().st_size)
    content = bytearray(shard.read_bytes())
    for place in range(len(content) // 4, len(content) // 2, len(content) // 400):
        content[place] ^= 1
    shard.write_bytes(content)
    return out, shard


def test_every_verb_that_looks_names_it(damaged: tuple[Path, Path]) -> None:
    out, shard = damaged
    looks = (["inspect", out, "--signal", "gopher_quality.words", "--at", 100], ["why", out, "web-0001"])
    for verb in (*looks, ["export", out, "--out", out / "../x"]):
        said = call(*verb)
        assert said.code == 1, said
        assert f"{shard} is damaged (it is not what was written); give the command again that made this folder" in said.err
    assert not (out / "../x").exists()


def test_it_is_found_after_a_first_look_and_a_large_folder_is_left_to_verify(
    demo_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = shutil.copytree(demo_run, tmp_path / "out")
    look = ["inspect", out, "--signal", "gopher_quality.words", "--at", 100]
    assert call(*look).code == 0
    shard = max((out / "stages/2-measure").glob("*.parquet"), key=lambda path: path.stat().st_size)
    content = bytearray(shard.read_bytes())
    content[0] ^= 1
    shard.write_bytes(content)
    assert (call(*look).code, "is not what was written" in call(*look).err) == (1, True)
    monkeypatch.setattr(unchanged, "SMALL_FOLDER_BYTES", 0)
    assert "what was written); give" not in call(*look).err
    assert call("verify", out).code == 3

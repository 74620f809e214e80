"""Texts of a run or an export that a person has edited: a later session writes them again, but first moves the person's text aside."""

import shutil
from pathlib import Path

import pytest

from tests.running import SMALL_RECIPE, many_files
from tests.verbs import Said, call

MINE = "# My own words about this data\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("edited")
    many_files(folder / "input", files=2, rows=24)
    (folder / "plain.toml").write_text(SMALL_RECIPE)
    assert rerun(folder / "run", folder).code == 0
    assert call("export", folder / "run", "--out", folder / "export").code == 0
    return folder


def rerun(run: Path, folder: Path, *more: object) -> Said:
    return call("run", folder / "plain.toml", folder / "input/*.jsonl", "--out", run, *more)


@pytest.mark.parametrize("change", [pytest.param((), marks=pytest.mark.full), ("--set", "filter.gopher_quality.min_words=45")])
@pytest.mark.parametrize("name", ["dataset/README.md", "recipe.toml", "report.html"])
def test_what_somebody_wrote_is_moved_aside_and_told(made: Path, tmp_path: Path, name: str, change: tuple[str, ...]) -> None:
    run = shutil.copytree(made / "run", tmp_path / "run")
    before = (run / name).read_text()
    for number, mine in enumerate((MINE, before + MINE), start=1):
        (run / name).write_text(mine)
        said = rerun(run, made, *change)
        assert said.code == 0, said
        aside = run / (f"{name}.yours" if number == 1 else f"{name}.yours-2")
        told = f"{run / name} is not what this program wrote there: it is written again, and what it held is kept in {aside}"
        assert " ".join(said.err.split()).count(told) == 1, said.err
        assert aside.read_text() == mine
        assert MINE not in (run / name).read_text()
        if not change:
            assert (run / name).read_text() == before or name == "report.html"
        assert call("verify", run).code == 0
    assert "is not what this program wrote" not in rerun(run, made, *change).err


def test_a_recipe_edited_in_a_run_that_was_killed_is_moved_aside(made: Path, tmp_path: Path) -> None:
    run = shutil.copytree(made / "run", tmp_path / "run")
    (run / "contents.json").unlink()
    (run / "recipe.toml").write_text(MINE)
    assert "recipe.toml.yours" in rerun(run, made).err
    assert (run / "recipe.toml.yours").read_text() == MINE


def test_the_report_alone_moves_an_edited_one_aside(made: Path, tmp_path: Path) -> None:
    run = shutil.copytree(made / "run", tmp_path / "run")
    assert call("report", run).err == ""
    (run / "report.html").write_text(MINE)
    assert "report.html.yours" in call("report", run).err
    assert (run / "report.html.yours").read_text() == MINE
    assert call("verify", run).code == 0


@pytest.mark.parametrize("name", ["README.md", "croissant.json"])
def test_an_export_over_an_edited_one_moves_its_texts_aside(made: Path, tmp_path: Path, name: str) -> None:
    exported = shutil.copytree(made / "export", tmp_path / "export")
    before = (exported / name).read_text()
    assert ".yours" not in call("export", made / "run", "--out", exported).all
    (exported / name).write_text(MINE)
    said = call("export", made / "run", "--out", exported)
    assert said.code == 0, said
    assert f"{name}.yours" in said.err
    assert ((exported / name).read_text(), (exported / f"{name}.yours").read_text()) == (before, MINE)

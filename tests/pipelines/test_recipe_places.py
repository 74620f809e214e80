"""Paths that a recipe names are those of its own folder; those on the command line are those of the current one."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from curation.errors import InputError, RecipeError
from curation.storage.resources import beside
from pipelines.recipes.recipe import load
from tests.running import TEXTS
from tests.verbs import Said, call

ROOT = Path(__file__).resolve().parents[2]
SHOUTING = (ROOT / "filters/README.md").read_text("utf-8").split('"""Drops texts that shout."""')[1].split("```")[0]

RECIPE = """
[[input]]
path = "crawl/*.jsonl"

[[filter]]
file = "filters/shouting.py"
max_marks = 1

[[filter]]
name = "bad_words"
lists = ["lists/hard.txt"]

[[filter]]
name = "url_rules"
domains = ["lists/domains.txt"]

[[filter]]
name = "benchmark_overlap"
benchmarks = ["sample_data:benchmarks/questions.jsonl"]

[[filter]]
name = "token_density"
tokenizer = "../tokenizer.json"

[deduplicate]
against = ["earlier"]

[export]
tokenizer = "../tokenizer.json"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A recipe in a folder of its own, with all that it names beside it, in a project."""
    here = ROOT / "tests/lists"
    recipes = tmp_path / "project/recipes"
    for folder in ("filters", "lists", "crawl"):
        (recipes / folder).mkdir(parents=True)
    (recipes / "filters/shouting.py").write_text(f'"""Drops texts that shout."""{SHOUTING}')
    for name in ("hard.txt", "domains.txt"):
        shutil.copy(here / name, recipes / "lists")
    shutil.copy(here / "tokenizer.json", tmp_path / "project")
    shutil.copy(TEXTS / "web.jsonl", recipes / "crawl")
    (recipes / "mine.toml").write_text(RECIPE)
    (recipes / "plain.toml").write_text("[deduplicate]\n")
    return tmp_path / "project"


def run(recipe: object, *arguments: object) -> Said:
    return call("run", recipe, *arguments, "--progress", "none")


def test_a_recipe_means_the_same_from_every_folder(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = project / "recipes/earlier"
    said = run(project / "recipes/plain.toml", TEXTS / "textbook.jsonl", "--out", earlier)
    assert said.code == 0, said.all
    ledgers = []
    for number, (folder, recipe) in enumerate(
        ((project, "recipes/mine.toml"), (project / "recipes", "mine.toml"), (tmp_path, project / "recipes/mine.toml"))
    ):
        monkeypatch.chdir(folder)
        out = tmp_path / f"out-{number}"
        said = run(recipe, "--out", out)
        assert said.code == 0, said.all
        ledgers.append({path.name: path.read_bytes() for path in (out / "ledger").glob("*.parquet")})
        assert "counted with the tokenizer `tokenizer.json`" in (out / "dataset/README.md").read_text("utf-8")
        assert call("verify", out).code == 0
        assert json.loads((out / "run.json").read_text())["sessions"][-1]["against"]
    assert ledgers[0] == ledgers[1] == ledgers[2]
    rows = pl.read_parquet(tmp_path / "out-0/ledger/*.parquet")
    assert set(rows["source"]) == {"crawl/*.jsonl"}
    assert rows.height > 100
    assert call("run", "recipes/mine.toml", "--out", tmp_path / "out-0", "--frozen").code == 2  # given from the wrong folder
    monkeypatch.chdir(project)
    said = run("recipes/mine.toml", "--out", tmp_path / "out-0", "--frozen")
    assert said.code == 0, said.all


def test_inputs_on_the_command_line_are_those_of_the_current_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    shutil.copy(TEXTS / "textbook.jsonl", project / "here.jsonl")
    said = run("recipes/plain.toml", "here.jsonl", "--out", "out")
    assert said.code == 0, said.all
    assert set(pl.read_parquet(project / "out/ledger/*.parquet")["file_path"]) == {"here.jsonl"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[filter]]\nfile = "none.py"\n', "recipes/none.py does not exist"),
        ('[[filter]]\nname = "bad_words"\nlists = ["none.txt"]\n', "recipes/none.txt: no such file"),
        ('[export]\ntokenizer = "none.json"\n', "recipes/none.json: no such file"),
        ('[[input]]\npath = "none/*.gz"\n', "recipes/none/*.gz: it holds no files"),
        ('[deduplicate]\nagainst = ["none"]\n', "recipes/none is not there"),
    ],
)
def test_what_is_not_there_is_told_with_its_whole_path(project: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str) -> None:
    monkeypatch.chdir(project)
    (project / "recipes/wrong.toml").write_text(text)
    said = run("recipes/wrong.toml", *([] if "input" in text else ["recipes/crawl/*.jsonl"]), "--out", "out")
    assert said.code == 2
    assert told in " ".join(said.err.split())


def test_only_relative_paths_of_files_move(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    for path in ("/a/b", "~/b", "s3://a/b", "https://a/b", "sample_data:texts/web.jsonl", ""):
        assert beside("recipes", path) == path
    assert beside("recipes", "a/../b") == "recipes/b"
    assert beside("", "a/../b") == "a/../b"
    monkeypatch.chdir(project.parent)
    with pytest.raises((RecipeError, InputError), match=r"project/recipes/lists/other\.txt: no such file"):
        load("project/recipes/mine.toml", ['filter.bad_words.lists=["lists/other.txt"]'])

"""The README and the help texts say what is so: commands that parse, files that exist, verbs and recipes that are all there are."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.recipes.recipe import load, parse_recipe
from pipelines.recipes.shipped import shipped_recipes
from tests.running import ROOT

README = (ROOT / "README.md").read_text("utf-8")
GROUP = typer.main.get_command(app)
VERBS = GROUP.commands  # type: ignore[attr-defined]
LEAVES = {
    leaf: command
    for verb, of_verb in VERBS.items()
    for leaf, command in (
        {f"{verb} {part}": inner for part, inner in of_verb.commands.items()} if hasattr(of_verb, "commands") else {verb: of_verb}
    ).items()
}
"""Every command that does something: verbs, and the parts of those that have parts (`train score`)."""
FOLDERS = ("curation", "filters", "synth", "pipelines", "tests", "sample_data")
_COMMAND_ENDS = {"|", ">", ">>", "&&", "||", ";", "&"}


def block_after(mark: str) -> str:
    """Return the shell block that follows a mark."""
    found = re.search(rf"<!-- {mark} -->\n```bash\n(.*?)\n```", README, re.DOTALL)
    assert found, f"README.md has no bash block after <!-- {mark} -->"
    return found[1]


def shell_lines() -> Iterator[str]:
    """Yield the commands of the README's shell blocks, continued lines joined."""
    for block in re.findall(r"```(?:bash|console|sh)\n(.*?)```", README, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            yield line.removeprefix("$ ")


def curate_commands(line: str) -> Iterator[list[str]]:
    """Yield the arguments of every `curate` in a shell line."""
    words = shlex.split(line, comments=True)
    for place, word in enumerate(words):
        if word == "curate" and (place == 0 or words[place - 1] in _COMMAND_ENDS):
            end = next((i for i, other in enumerate(words[place:], place) if other in _COMMAND_ENDS), len(words))
            yield words[place + 1 : end]


def told_commands() -> list[list[str]]:
    """Return the arguments of every complete `curate` command of the README, in blocks and between backquotes."""
    inline = [text for text in re.findall(r"(?<!`)`(curate [^`\n]+)`", README) if len(text.split()) > 2]
    return [arguments for line in [*shell_lines(), *inline] for arguments in curate_commands(line)]


def check(arguments: list[str]) -> None:
    """Parse a command line as `curate` would, without running it."""
    verb, *rest = arguments
    assert verb in VERBS, f"there is no `curate {verb}`"
    if verb not in LEAVES:
        verb, rest = f"{verb} {rest[0]}", rest[1:]
    LEAVES[verb].make_context(verb, rest)


def test_ci_runs_the_readme_s_tests() -> None:
    script = (ROOT / ".ci/run").read_text("utf-8")
    (extraction,) = re.findall(r"^command=.*$", script, re.MULTILINE)
    taken = subprocess.run(["bash", "-c", f'{extraction}\nprintf %s "$command"'], cwd=ROOT, capture_output=True, text=True, check=True)
    assert taken.stdout == block_after("tests")
    assert 'eval "$command"' in script
    assert re.search(r"\bpytest\b", taken.stdout)


def test_the_demo_command_is_a_run_of_the_demo() -> None:
    (arguments,) = [arguments for line in block_after("demo").splitlines() for arguments in curate_commands(line)]
    assert arguments[:2] == ["run", "demo"]


@pytest.mark.parametrize("arguments", told_commands(), ids=" ".join)
def test_every_command_of_the_readme_parses(arguments: list[str]) -> None:
    check(arguments)


def test_a_command_that_does_not_exist_is_caught() -> None:
    with pytest.raises(AssertionError, match="no `curate rum`"):
        check(["rum", "demo"])
    with pytest.raises(Exception, match="No such option"):
        check(["run", "demo", "--ouut", "x"])


def test_every_option_the_readme_names_exists() -> None:
    known = {name for verb in LEAVES.values() for option in verb.params for name in option.opts} | {"--help"}
    others = {"--check", "--dist"}  # of ruff and pytest, in the test command
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    assert named <= known | others


def test_the_readme_is_a_front_page() -> None:
    assert len(README.split()) <= 900
    assert set(re.findall(r"`curate (\w+)", README)) <= set(VERBS)
    linked = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(linked) >= 6
    assert all((ROOT / path).is_file() for path in linked)


def test_the_readme_lists_all_recipes_and_no_other() -> None:
    sentence = re.search(r"^Recipes that come with it: (.*?);", README, re.MULTILINE | re.DOTALL)
    assert sentence, "the README has no sentence `Recipes that come with it: ...;`"
    assert sorted(re.findall(r"`(\w+)`", sentence[1])) == sorted(shipped_recipes())
    used = [arguments[1] for arguments in told_commands() if arguments[0] in ("run", "plan")]
    assert all(recipe in shipped_recipes() or recipe.endswith(".toml") for recipe in used), used


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_say_how_they_are_run(name: str) -> None:
    assert load(name).description
    first_lines = (ROOT / f"pipelines/recipes/{name}.toml").read_text("utf-8").split("\n\n")[0]
    commands = re.findall(r"curate [a-z]+ .*", first_lines)
    for command in commands:
        (arguments,) = curate_commands(command.rstrip("."))
        check(arguments)
        assert arguments[0] != "run" or arguments[1] == name


@pytest.mark.parametrize("group", [[], ["train"]])
def test_a_list_of_verbs_fits_into_80_columns_and_cuts_no_description(group: list[str]) -> None:
    printed = CliRunner().invoke(app, [*group, "--help"], env={"COLUMNS": "80"})
    listed = printed.output.partition("Commands:\n")[2].rstrip().splitlines()
    assert len(listed) >= 2
    for line in listed:
        assert re.fullmatch(r"  [a-z]+ +[A-Z].*[^.]\.", line), line
        assert len(line) <= 80


@pytest.mark.parametrize("verb", LEAVES)
def test_every_verb_has_help_with_an_example_that_parses(verb: str) -> None:
    printed = CliRunner().invoke(app, [*verb.split(), "--help"])
    assert printed.exit_code == 0
    examples = re.findall(r"^Example: (.+)$", LEAVES[verb].help or "", re.MULTILINE)
    assert examples, f"curate {verb} --help shows no example"
    assert " ".join(examples[0].split()) in " ".join(printed.stdout.split())
    for example in examples:
        (arguments,) = curate_commands(example)
        assert " ".join(arguments).startswith(verb)
        check(arguments)


@pytest.mark.parametrize("verb", LEAVES)
def test_every_option_is_explained(verb: str) -> None:
    for parameter in LEAVES[verb].params:
        assert parameter.param_type_name == "argument" or parameter.help, f"curate {verb} {parameter.opts}"
    assert any("--json" in parameter.opts for parameter in LEAVES[verb].params)


def code_map() -> list[tuple[str, str]]:
    """Return (folder, what is said of it) for each folder of the README's code map, continued lines joined."""
    section = re.search(r"^## The code\n\n((?: {4}.*\n)+)", README, re.MULTILINE)
    assert section, "README.md has no code map under ## The code"
    entries: list[tuple[str, str]] = []
    for line in section[1].splitlines():
        folder = re.match(r" {4}(\w+)/ +(.*)", line)
        if folder:
            entries.append((folder[1], folder[2]))
        else:
            entries[-1] = (entries[-1][0], f"{entries[-1][1]} {line.strip()}")
    return entries


def test_the_code_map_names_every_package() -> None:
    assert [folder for folder, _ in code_map()] == ["curation", "filters", "synth", "pipelines", "sample_data", "tests"]


@pytest.mark.parametrize("package", ["curation", "pipelines"])
def test_the_code_map_names_every_room(package: str) -> None:
    about = dict(code_map())[package]
    rooms = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    assert len(rooms) > 8
    assert {room for room in rooms if f" {room}/" not in about} == set()


def test_every_file_of_the_code_map_exists() -> None:
    for folder, about in code_map():
        for name in re.findall(r"(?<![\w/.])((?:[\w.]+/)*[\w.]+(?:/|\.py|\.md|\.toml))(?!\w)", about):
            assert (ROOT / folder / name).exists() or (ROOT / name).exists(), f"{folder}/{name}"


def test_every_path_of_the_readme_exists() -> None:
    named = set(re.findall(rf"(?<![\w/.])((?:{'|'.join(FOLDERS)})/[\w./-]*\w)", README))
    assert named <= {path.relative_to(ROOT).as_posix() for folder in FOLDERS for path in (ROOT / folder).rglob("*")}
    modules = re.findall(rf"\b(?:from|import) ((?:{'|'.join(FOLDERS)})(?:\.\w+)+)", README)
    assert all(Path(ROOT, *module.split(".")).with_suffix(".py").is_file() for module in modules)


def python_blocks(room: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / room / "README.md").read_text("utf-8"), re.DOTALL)


def test_the_room_s_deduplication_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = (code for code in python_blocks("curation/in_memory") if "find_duplicates" in code)
    texts = ["one text of a few words", "another text", "One text, of a few words!"]
    pq.write_table(pa.table({"id": ["a", "b", "c"], "text": texts}), tmp_path / "texts.parquet")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["kept"].tolist() == [False, True, True]
    assert names["fates"]["duplicate_of"].to_pylist() == ["c", None, None]
    assert pq.read_table(tmp_path / "kept.parquet")["id"].to_pylist() == ["b", "c"]


def test_the_room_s_recipe_is_a_recipe(tmp_path: Path) -> None:
    told = (ROOT / "curation/duplicates/README.md").read_text("utf-8")
    (text,) = (text for text in re.findall(r"```toml\n(.*?)```", told, re.DOTALL) if "[deduplicate]" in text)
    recipe = parse_recipe(text, "readme")
    assert recipe.deduplicate is not None
    assert recipe.repeated_lines is not None


def test_the_room_s_filter_is_a_filter(tmp_path: Path) -> None:
    from filters.contract import filter_from_file
    from filters.judge import judge
    from tests.filters.test_filter_contract import documents_of, measured

    (code,) = (code for code in python_blocks("filters") if "(Filter)" in code)
    (tmp_path / "shouting_of_the_readme.py").write_text(code, "utf-8")
    made = filter_from_file(tmp_path / "shouting_of_the_readme.py")(max_marks=1)  # type: ignore[call-arg]
    verdicts = judge(measured(made, documents_of(["Hear!", "Hear! Hear!"])), [made])
    assert [rule and rule.rpartition(".")[2] for rule in verdicts["rule"].to_pylist()] == [None, "shouts"]

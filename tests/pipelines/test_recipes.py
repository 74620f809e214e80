"""Recipes are strict: whatever is wrong is told with its place in the file and the nearest thing that exists, before any work is done."""

import dataclasses
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import get_type_hints

import pytest

from curation.choices import build, read_toml
from curation.errors import InputError, RecipeError, UsageError
from curation.ingest.edits import shipped_edits
from curation.plugins import USERS
from filters.contract import shipped_filters
from pipelines.pipeline import input_files
from pipelines.recipes.recipe import Recipe, load, parse_recipe
from pipelines.recipes.settings_on_line import with_settings
from pipelines.recipes.shipped import shipped_recipes
from pipelines.terminal.wording import NO_LICENSE
from tests.verbs import call

NUMBERS = (int, float, int | None, float | None)

WHOLE = """
description = "Every part once."
license = "cc0-1.0"

[[input]]
path = "a/*.jsonl"
source = "a"
text = "body"

[extractor]
name = "plain"

[[edit]]
name = "whitespace"
collapse = false

[[filter]]
name = "language"
keep = ["en", "de"]
gate = true

[[filter]]
name = "gopher_quality"
min_words = 30

[deduplicate]
threshold = 0.8
prefer = '"gopher_quality.words"'

[synthesize]
teacher = { name = "procedural" }
tasks = [{ name = "worked_problem", count = 3 }]

[export]
shard_mib = 8
"""


def wrong(text: str) -> str:
    with pytest.raises(RecipeError) as raised:
        parse_recipe(text, "mine")
    return str(raised.value)


def test_a_whole_recipe_is_understood() -> None:
    recipe = parse_recipe(WHOLE, "mine")
    assert (recipe.name, recipe.description, recipe.license) == ("mine", "Every part once.", "cc0-1.0")
    assert (recipe.inputs[0].source, recipe.inputs[0].fields.text) == ("a", "body")
    assert (recipe.extractor.name, recipe.edits[0].parameters) == ("plain", {"collapse": False})
    assert [(choice.name, choice.gate, dict(choice.parameters)) for choice in recipe.filters] == [
        ("language", True, {"keep": ["en", "de"]}),
        ("gopher_quality", False, {"min_words": 30}),
    ]
    assert recipe.deduplicate is not None
    assert recipe.deduplicate.threshold == 0.8
    assert recipe.synthesize is not None
    assert [task.count for task in recipe.synthesize.built_tasks()] == [3]
    assert recipe.export.shard_mib == 8


def test_what_is_absent_is_not_run() -> None:
    recipe = parse_recipe("", "mine")
    assert (recipe.inputs, recipe.edits, recipe.filters) == ((), (), ())
    assert recipe.deduplicate is None
    assert recipe.synthesize is None
    assert recipe == Recipe("mine", "")


def test_an_input_without_a_path_describes_what_is_given(tmp_path: Path) -> None:
    for name in ("own", "other"):
        (tmp_path / f"{name}.jsonl").write_text("{}\n")
    own = f'[[input]]\npath = "{tmp_path}/own.jsonl"\nsource = "own"\n'
    described = '[[input]]\nsource = "mine"\ntext = "body"\n'
    given = [str(tmp_path / "other.jsonl")]
    for text in (described, own + described, described + own):
        (source,) = input_files(parse_recipe(text, "mine"), given)
        assert (source.location.name, source.source, source.fields.text) == ("other.jsonl", "mine", "body")
        with pytest.raises(UsageError, match="without a path, which describes input on the command line; give one: curate run mine INPUT"):
            input_files(parse_recipe(text, "mine"), [])
    (source,) = input_files(parse_recipe(own, "mine"), given)
    assert (source.location.name, source.source) == ("other.jsonl", "own")


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_load(name: str) -> None:
    recipe = load(name)
    assert recipe.name == name
    assert recipe.description.endswith(".")


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_choose_no_licence_for_other_people_s_texts(name: str) -> None:
    recipe = load(name)
    reads_own_texts = all(choice.path.startswith("sample_data:") for choice in recipe.inputs)
    made_here = bool(recipe.inputs) or recipe.synthesize is not None
    assert recipe.license == ("apache-2.0" if reads_own_texts and made_here else NO_LICENSE)


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("dedup = 3", "recipe mine", "unknown key 'dedup'; did you mean 'deduplicate'?"),
        ("[[filters]]\nname = 'language'", "recipe mine", "unknown key 'filters'; did you mean 'filter'?"),
        ("[[input]]\npath = 'a'\nsorce = 'b'", "[[input]] 1", "'sorce'; did you mean 'source'?"),
        ("[[input]]\npath = 'a'\n[[input]]\npth = 'b'", "[[input]] 2", "'pth'; did you mean 'path'?"),
        ("[extractor]\nname = 'plain'\ndepth = 3", "extractor", "no parameter 'depth'; there are: format"),
        ("[[edit]]\nname = 'whitespace'\ncolapse = true", "[[edit]] 1", "'colapse'; did you mean 'collapse'?"),
        ("[[filter]]\nname = 'language'\n[[filter]]\nname = 'gopher_quality'\nmin_word = 3", "[[filter]] 2", "did you mean 'min_words'?"),
        ("[deduplicate]\nband = 3", "deduplicate", "'band'; did you mean 'bands'?"),
        ("[synthesize]\nteachers = {}", "synthesize", "'teachers'; did you mean 'teacher'?"),
        ("[synthesize]\nteacher = { name = 'procedural', temperature = 1 }", "teacher procedural", "no parameter 'temperature'"),
        ("[synthesize]\ntasks = [{ name = 'worked_problem', cont = 3 }]", "task worked_problem", "'cont'; did you mean 'count'?"),
        ("[export]\nshard_mb = 3", "export", "'shard_mb'; did you mean 'shard_mib'?"),
    ],
)
def test_an_unknown_key_is_told_with_its_place_and_the_nearest_one(text: str, place: str, hint: str) -> None:
    message = wrong(text)
    assert message.startswith("recipe mine")
    assert place in message
    assert hint in message


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[extractor]\nname = 'resiliparsee'", "extractor: there is no extractor 'resiliparsee'; did you mean 'resiliparse'?"),
        ("[[edit]]\nname = 'mojibak'", "[[edit]] 1: there is no edit 'mojibak'; did you mean 'mojibake'?"),
        ("[[filter]]\nname = 'gopher_qualty'", "[[filter]] 1: there is no filter 'gopher_qualty'; did you mean 'gopher_quality'?"),
        ("[[filter]]\nname = 'contract'", "there is no filter 'contract'"),
        ("[[filter]]\nname = 'language'\nkeep = ['en', 'eng']", "no text is found to be in 'eng'; did you mean 'en'?"),
        ("[[filter]]\nname = 'language'\nkeep = ['DE']", "no text is found to be in 'DE'; did you mean 'de'?"),
        ("[[filter]]\nname = 'language'\nkeep = ['7']", "no text is found to be in '7'; there are: ace, af, am, an, ar,"),
        ("[[filter]]\nname = 'educational_score'\nlanguage = 'eng'", "language: no text is found to be in 'eng'; did you mean 'en'?"),
        ("[[filter]]\nfile = 'nowhere/mine.py'", "nowhere/mine.py does not exist"),
        ("[synthesize]\nteacher = { name = 'procedura' }", "there is no teacher 'procedura'; did you mean 'procedural'?"),
        ("[synthesize]\ntasks = [{ name = 'worked_problm' }]", "there is no task 'worked_problm'; did you mean 'worked_problem'?"),
        ("[synthesize]\ntasks = [{ name = 'worked_problem', topics = ['ratio'] }]", "there is no topic 'ratio'"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest_one(text: str, hint: str) -> None:
    message = wrong(text)
    assert message.startswith("recipe mine")
    assert hint in message


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("description = 3", "description must be a str, not 3"),
        ("input = ['a']", "input must be a list of tables, written [[input]]"),
        ("[input]\npath = 'a'", "input must be a list of tables, written [[input]]"),
        ("[[input]]\nsource = 'a'\n" * 2, "two inputs have no path"),
        ("[[input]]\npath = 3", "[[input]] 1: path = 3 is not acceptable"),
        ("extractor = 'plain'", "extractor must be a table, not 'plain'"),
        ("[[edit]]\ncollapse = true", "[[edit]] 1 needs a name"),
        ("[[filter]]\nname = 3", "[[filter]] 1 needs a name"),
        ("[[filter]]\nname = 'language'\ngate = 'yes'", "gate is true or false"),
        ("[[filter]]\nname = 'language'\nkeep = 'en'", "keep = 'en' is not acceptable"),
        ("[[filter]]\nname = 'gopher_quality'\nmin_words = '50'", "min_words = '50' is not acceptable"),
        ("[[filter]]\nname = 'gopher_quality'\nmin_words = true", "min_words = True is not acceptable"),
        ("[[filter]]\nname = 'gopher_quality'\nmin_words = 2.5", "min_words = 2.5 is not acceptable"),
        ("[[filter]]\nname = 'gopher_quality'\nstop_words = ['two words']", "'two words' is not one word"),
        ("deduplicate = true", "deduplicate must be a table, not True"),
        ("[deduplicate]\nthreshold = 'high'", "threshold = 'high' is not acceptable"),
        ("[deduplicate]\nthreshold = 1.5", "threshold must be"),
        ("[deduplicate]\nprefer = 'length('", "is not an SQL expression"),
        ("synthesize = 'all'", "synthesize must be a table, not 'all'"),
        ("[synthesize]\ntasks = []", "at least one task"),
        ("[synthesize]\ntasks = [{ name = 'worked_problem', count = 0 }]", "count = 0: ask for at least one"),
        ("[synthesize]\ntasks = [{ name = 'worked_problem' }, { name = 'worked_problem' }]", "listed twice"),
        ("export = 3", "export must be a table, not 3"),
        ("[export]\nshard_mib = 0", "shard_mib must be at least 1"),
        ("[deduplicate]\npermutations = 1000000000000000", "permutations must be from 1 to 16,384, not 1,000,000,000,000,000"),
        ("[deduplicate]\nbands = 1000000\nrows = 8", "bands times rows must be at most 16,384, not 8,000,000"),
        ("[[filter]]\nname = 'educational_score'\nmin_score = nan", "min_score = nan is not acceptable: it is not a number"),
        ("[deduplicate", "is not TOML"),
    ],
)
def test_a_value_that_cannot_work_is_told(text: str, hint: str) -> None:
    message = wrong(text)
    assert message.startswith("recipe mine")
    assert hint in message


def test_a_filter_listed_twice_is_refused(tmp_path: Path) -> None:
    assert "filter 'language' is listed twice" in wrong("[[filter]]\nname = 'language'\n" * 2)
    own = tmp_path / "language.py"
    own.write_text(
        "from dataclasses import dataclass\n\nfrom filters.contract import Filter\n\n\n@dataclass(frozen=True)\nclass Mine(Filter):\n"
        "    signal_types = {}\n\n    def signals(self, text, documents):\n        return {}\n\n    def rules(self):\n        return {}\n"
    )
    assert "listed twice" in wrong(f"[[filter]]\nname = 'language'\n[[filter]]\nfile = '{own}'\n")


def test_a_preference_names_a_signal_that_is_measured() -> None:
    measured = "[[filter]]\nname = 'language'\n[deduplicate]\nprefer = '\"language.score\"'"
    assert parse_recipe(measured, "mine").deduplicate is not None
    assert "language.score" in wrong("[deduplicate]\nprefer = '\"language.score\"'")


@pytest.mark.parametrize(
    "text",
    [
        "[export]\ntokenizer = 'nowhere.json'",
        "[[filter]]\nname = 'benchmark_overlap'\nbenchmarks = ['nowhere.jsonl']",
        "[[filter]]\nname = 'educational_score'\nmodel = 'nowhere.safetensors'",
        "[[filter]]\nname = 'educational_score'\nmodel = 'filters:models/nowhere.safetensors'",
    ],
)
def test_a_file_that_is_missing_is_told_when_the_recipe_is_loaded(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(InputError, match="nowhere"):
        load(str(tmp_path / "mine.toml"))


def test_a_recipe_that_is_no_text_or_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"description = '\xff'")
    with pytest.raises(RecipeError, match="is not UTF-8 text"):
        load(str(tmp_path / "mine.toml"))
    with pytest.raises(RecipeError, match="neither a file nor a shipped recipe; did you mean 'demo'"):
        load("demmo")


_OWN = """from dataclasses import dataclass

from filters.contract import Filter, below


@dataclass(frozen=True)
class Mine(Filter):
    signal_types = {}

    def signals(self, text, documents):
        return {}

    def rules(self):
        return {"REASON": below("SIGNAL", 1)}
"""


@pytest.mark.parametrize("odd", ["\n", "\x1b[31m", "\u202e"])
def test_a_name_that_no_folder_could_show_is_refused_before_any_work(odd: str, tmp_path: Path) -> None:
    own, strange, recipe, out = (tmp_path / name for name in ("own.py", f"own{odd}.py", "mine.toml", "out"))
    strange.write_text(_OWN)
    for text, own_text, place in (
        (f"license = {json.dumps(odd)}", "", "license"),
        (f"[[filter]]\nfile = {json.dumps(str(strange))}", "", "[[filter]] file"),
        ("[[filter]]\nfile = 'own.py'", _OWN.replace("REASON", repr(odd)[1:-1]), "filter own: the rule"),
        ("[[filter]]\nfile = 'own.py'", _OWN.replace("SIGNAL", repr(odd)[1:-1]), "filter own: the signal"),
        (f"[[filter]]\nname = 'fasttext'\nmodel = {json.dumps(f'{odd}.bin')}", "", "filter fasttext: model"),
    ):
        recipe.write_text(text)
        own.write_text(own_text or _OWN)
        sys.modules.pop(f"{USERS}.own", None)
        with pytest.raises(RecipeError, match="cannot be shown") as error:
            load(str(recipe))
        assert str(error.value).startswith(f"recipe mine: {place}")
        assert str(error.value).isprintable()
    named = tmp_path / f"r{odd}.toml"
    named.write_text("description = ''")
    for path in (recipe, named):
        for verb in (("run", path, "nowhere.jsonl", "--out", out), ("plan", path, "nowhere.jsonl")):
            said = call(*verb)
            assert (said.code, said.all.count("cannot be shown"), out.exists()) == (2, 1, False), said.all


@pytest.mark.parametrize("text", ["x = " + "[" * 20_000, "[[filter]]\nname = " + "{a=" * 20_000])
def test_a_recipe_nested_without_end_is_no_toml(text: str, tmp_path: Path) -> None:
    path = tmp_path / "deep.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match="recipe deep is not TOML"):
        load(str(path))


def test_tables_and_lists_lie_at_most_fifty_deep() -> None:
    assert read_toml(f"x = {'[' * 50}{']' * 50}", "a recipe")
    with pytest.raises(RecipeError, match="more than 50 deep"):
        read_toml(f"x = {'[' * 51}{']' * 51}", "a recipe")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"[deduplicate]\nbands = {'9' * 5000}", "is not TOML"),
        (f"[deduplicate]\nbands = {'9' * 400}", "the number 99999999999999999999... is beyond 64 bits"),
        ('[[filter]]\nfile = "a\\u0000.py"', "holds U\\+0000"),
        (f"[extractor]\nname = {'[' * 60}{']' * 60}", "lie more than 50 deep"),
    ],
)
def test_what_toml_allows_and_nothing_has_room_for_is_told(text: str, told: str) -> None:
    with pytest.raises(RecipeError, match=f"recipe odd.*{told}"):
        parse_recipe(text, "odd")


@pytest.mark.parametrize(
    ("table", "key", "value", "bound"),
    [
        ("[[filter]] 1: filter gopher_quality", "min_words", "-5", "greater than or equal to 0"),
        ("[[filter]] 1: filter gopher_quality", "max_bullet_line_ratio", "1.01", "less than or equal to 1"),
        ("[[filter]] 1: filter gopher_quality", "max_symbol_ratio", "-0.1", "greater than or equal to 0"),
        ("[[filter]] 1: filter gopher_repetition", "max_duplicate_line_share", "-0.01", "greater than or equal to 0"),
        ("[[filter]] 1: filter c4_quality", "max_characters", "-1", "greater than or equal to 0"),
        ("[[filter]] 1: filter language", "min_score", "65.0", "less than or equal to 1"),
        ("[[filter]] 1: filter language", "sample_bytes", "0", "greater than or equal to 1"),
        ("[[edit]] 1: edit c4_lines", "min_words", "-1", "greater than or equal to 0"),
        ("[[edit]] 1: edit refinedweb_lines", "max_digit_ratio", "2.0", "less than or equal to 1"),
        ("deduplicate", "alarm_documents", "-1", "greater than or equal to 0"),
    ],
)
def test_a_number_without_meaning_is_refused_in_the_file_and_on_the_line_alike(table: str, key: str, value: str, bound: str) -> None:
    kind, name = table.split(maxsplit=1)[0].strip("[]").rstrip(":"), table.rsplit(maxsplit=1)[-1]
    head = f"[{kind}]" if name == kind else f"[[{kind}]]\nname = '{name}'"
    message = wrong(f"{head}\n{key} = {value}")
    assert f"recipe mine: {table}: {key} = {value} is not acceptable" in message, message
    assert bound in message
    path = key if name == kind else f"{name}.{key}"
    assert wrong(with_settings(head, "recipe mine", [f"{kind}.{path}={value}"])) == message


def test_every_number_of_a_shipped_part_has_a_lower_bound_or_may_be_negative() -> None:
    """The names of those that may be: scores on a scale that goes below zero."""
    free = set()
    for kind in (*shipped_filters().values(), *shipped_edits().values()):
        for name in {field.name for field in dataclasses.fields(kind) if get_type_hints(kind)[field.name] in NUMBERS}:
            with suppress(RecipeError):
                build(kind, {name: -1}, kind.__name__)
                free.add(name)
    assert free == {"min_score", "min_flesch_reading_ease", "max_flesch_reading_ease", "max_mcalpine_eflaw"}

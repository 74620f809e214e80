"""`--set` changes a value of a recipe for one run; what is run is a whole recipe, written down as it was run."""

import json
import subprocess
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.choices import build
from curation.errors import RecipeError
from filters.contract import shipped_filters
from filters.gopher_quality import GopherQuality
from pipelines.recipes.recipe import parse_recipe
from pipelines.recipes.settings_on_line import require_heard, with_settings
from pipelines.recipes.shipped import shipped_recipes
from pipelines.recipes.toml_text import write_toml
from tests.meeting import meets, met
from tests.running import CURATE, SMALL_RECIPE, curate, made, many_files, shards
from tests.verbs import call

WHOLE = """
# kept only while nothing is set
[[input]]
path = "a.jsonl"

[[edit]]
name = "whitespace"

[[filter]]
name = "language"

[[filter]]
name = "gopher_quality"
min_words = 50

[[filter]]
file = "mine/shouting.py"

[deduplicate]
threshold = 0.75

[synthesize]
teacher = { name = "procedural" }
tasks = [{ name = "worked_problem", count = 3 }]
"""


def changed(*settings: str, text: str = WHOLE) -> dict[str, object]:
    return tomllib.loads(with_settings(text, "recipe mine", settings))


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("filter.gopher_quality.min_words=40", {"filter": {1: {"name": "gopher_quality", "min_words": 40}}}),
        ("filter.2.min_words = 40", {"filter": {1: {"name": "gopher_quality", "min_words": 40}}}),
        ('filter.language.keep=["en", "de"]', {"filter": {0: {"name": "language", "keep": ["en", "de"]}}}),
        ("filter.language.gate=true", {"filter": {0: {"name": "language", "gate": True}}}),
        ("filter.shouting.max_marks=2", {"filter": {2: {"file": "mine/shouting.py", "max_marks": 2}}}),
        ("edit.whitespace.nfc=true", {"edit": {0: {"name": "whitespace", "nfc": True}}}),
        ("deduplicate.threshold=0.8", {"deduplicate": {"threshold": 0.8}}),
        ("deduplicate.preset=20x13", {"deduplicate": {"threshold": 0.75, "preset": "20x13"}}),
        ("export.shard_mib=8", {"export": {"shard_mib": 8}}),
        ("extractor.name=plain", {"extractor": {"name": "plain"}}),
        ("license=cc0-1.0", {"license": "cc0-1.0"}),
        ('description="two words"', {"description": "two words"}),
        ("input.text=body", {"input": {0: {"path": "a.jsonl", "text": "body"}}}),
        ("input.1.source=mine", {"input": {0: {"path": "a.jsonl", "source": "mine"}}}),
        ("synthesize.teacher.name=openai", {"synthesize": {"teacher": {"name": "openai"}}}),
        ("synthesize.tasks.worked_problem.count=9", {"synthesize": {"tasks": {0: {"name": "worked_problem", "count": 9}}}}),
        ("repeated_lines={ keep_first = 2 }", {"repeated_lines": {"keep_first": 2}}),
    ],
)
def test_a_path_leads_to_its_value_and_nothing_else_changes(setting: str, expected: dict[str, object]) -> None:
    before, after = tomllib.loads(WHOLE), changed(setting)
    merge(before, expected)
    assert after == before


def merge(table: object, change: object) -> None:
    """Put the wanted values into a table; a number is a place in a list."""
    for key, value in change.items():  # type: ignore[attr-defined]
        if isinstance(value, dict) and (isinstance(table, list) or key in table):  # type: ignore[operator]
            merge(table[key], value)  # type: ignore[index]
        else:
            table[key] = value  # type: ignore[index]


def test_an_input_without_a_path_is_made_where_there_is_none() -> None:
    assert changed("input.text=body", "input.id=number", text="")["input"] == [{"text": "body", "id": "number"}]


def test_later_settings_go_on_from_earlier_ones() -> None:
    assert changed("deduplicate={}", "deduplicate.threshold=0.9", text="")["deduplicate"] == {"threshold": 0.9}
    assert changed("license=a", "license=b")["license"] == "b"


def test_without_settings_the_text_is_not_touched() -> None:
    assert with_settings(WHOLE, "recipe mine", ()) == WHOLE
    assert "# kept" not in with_settings(WHOLE, "recipe mine", ["license=x"])


@pytest.mark.parametrize(
    ("setting", "hint"),
    [
        ("min_words", "is not PATH=VALUE"),
        ("filter..min_words=3", "is not PATH=VALUE"),
        ("filter.gopher_qualty.min_words=3", "there is no filter.gopher_qualty; did you mean 'gopher_quality'?"),
        ("filter.0.min_words=3", "there is no filter.0; there are: language, gopher_quality, shouting"),
        (f"filter.{'9' * 5000}.min_words=3", "is not PATH=VALUE"),
        ("filter.7.min_words=3", "there is no filter.7; there are: language, gopher_quality, shouting"),
        ("filter.min_words=3", "filter is a list; name an entry and its key: filter.language.KEY"),
        ("filter.language=3", "filter is a list; name an entry and its key: filter.language.KEY"),
        ("repeated_lines.keep_first=2", "recipe mine has no 'repeated_lines'"),
        ("dedup.threshold=0.8", "recipe mine has no 'dedup'; did you mean 'deduplicate'?"),
        ("license.name=x", "recipe mine has no 'license'"),
        ("deduplicate.threshold.low=1", "deduplicate.threshold is 0.75, which has no keys"),
        ('license="open', "the value is not TOML"),
        ("filter.language.keep=[en", "the value is not TOML"),
        ('license="a"\nexport = 3', "one --set changes one value"),
        ("license=", "the value is not TOML"),
        ("license=a\udcffb", "the value is not TOML"),
        ("license=" + "[" * 5000, "the value is not TOML"),
        ("license=" + "9" * 5000, "the value is not TOML"),
        ("deduplicate.bands=" + "9" * 400, "is beyond 64 bits"),
        ('filter.language.file="a\\u0000b"', "holds U+0000"),
        ("filter.language.keep=" + "[" * 60 + "]" * 60, "more than 50 deep"),
        ("input." + "a." * 3000 + "b=1", "is not PATH=VALUE"),
    ],
)
def test_a_path_that_leads_nowhere_is_told(setting: str, hint: str) -> None:
    with pytest.raises(RecipeError) as raised:
        changed(setting)
    assert hint in str(raised.value)
    assert len(str(raised.value)) < 600


def test_an_unknown_key_or_a_wrong_value_is_told_as_for_a_recipe() -> None:
    for setting, hint in [
        ("filter.gopher_quality.min_wrds=40", "did you mean 'min_words'?"),
        ("filter.gopher_quality.min_words=many", "min_words = 'many' is not acceptable"),
        ("filter.gopher_quality.min_words=200000", "min_words = 200000 is above max_words = 100000 (the default)"),
        ("filter.gopher_quality.max_words=49", "min_words = 50 is above max_words = 49: no value lies between them"),
        ("filter.gopher_quality.max_mean_word_length=2.5", "min_mean_word_length = 3 (the default) is above max_mean_word_length = 2.5"),
        ("synthesize.seeds={ min_bytes = 9, max_bytes = 8 }", "min_bytes = 9 is above max_bytes = 8"),
        ("licence=cc0-1.0", "did you mean 'license'?"),
    ]:
        with pytest.raises(RecipeError) as raised:
            parse_recipe(with_settings(WHOLE.replace('[[filter]]\nfile = "mine/shouting.py"\n', ""), "recipe mine", [setting]), "mine")
        assert hint in str(raised.value)


def test_equal_bounds_leave_one_value_and_no_bound_leaves_all() -> None:
    build(GopherQuality, {"min_words": 60, "max_words": 60}, "filter gopher_quality")
    build(shipped_filters()["readability"], {"min_flesch_reading_ease": 900.0}, "filter readability")


def test_a_setting_that_the_inputs_of_the_command_line_replace_is_refused(tmp_path: Path) -> None:
    """It would change nothing, in silence."""
    named = tmp_path / "a.jsonl"
    named.write_text('{"body": "a text"}\n')
    recipe = tmp_path / "mine.toml"
    for inputs, setting, hint in [
        ('path = "b.jsonl"', "input.path=c.jsonl", "the inputs that the command names are read instead"),
        ('path = "b.jsonl"', "input.1.path=c.jsonl", "the inputs that the command names are read instead"),
        ("", 'input=[{ path = "c.jsonl", text = "body" }]', "the inputs that the command names are read instead"),
        ('path = "b.jsonl"\n[[input]]\ntext = "body"', "input.1.text=words", "is described by [[input]] 2, not 1"),
        ('path = "b.jsonl"\n[[input]]\npath = "c.jsonl"', "input.2.text=body", "is described by [[input]] 1, not 2"),
    ]:
        recipe.write_text(f"[[input]]\n{inputs}\n" if inputs else "")
        for verb in (("run", "--out", tmp_path / "out"), ("plan",)):
            said = call(verb[0], recipe, named, *verb[1:], "--set", setting)
            assert (said.code, setting in said.err, hint in " ".join(said.err.split())) == (2, True, True), said
    assert not (tmp_path / "out").exists()
    recipe.write_text('[[input]]\npath = "b.jsonl"\n')
    require_heard(["input.text=body", "input.1.id=number", "license=x"], ["b.jsonl"])
    require_heard(['input=[{ text = "body" }]', "input.text=words"], [""])


_KEYS = st.text(st.characters(codec="utf-8"), max_size=6)
_PLAIN = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(st.characters(codec="utf-8"), max_size=12)
)
_VALUES = st.recursive(
    _PLAIN, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_KEYS, inner, max_size=3)), max_leaves=12
)


def test_what_is_written_as_toml_is_read_as_what_it_was() -> None:
    @meets(several=21, nested=60)
    @given(st.dictionaries(_KEYS, _VALUES, max_size=5))
    def check(table: dict[str, object]) -> None:
        assert tomllib.loads(write_toml(table)) == table
        met["several"] += len(table) > 1
        met["nested"] += sum(isinstance(value, list | dict) for value in table.values())

    check()


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_can_be_changed_and_stays_the_same_recipe(name: str) -> None:
    text = shipped_recipes()[name]
    written = with_settings(text, f"recipe {name}", ['description="changed"'])
    assert tomllib.loads(written) == {**tomllib.loads(text), "description": "changed"}


def test_a_run_with_a_changed_value_is_recorded_and_resumes(tmp_path: Path) -> None:
    recipe = tmp_path / "small.toml"
    recipe.write_text(SMALL_RECIPE.replace("[synthesize]", "[not]").split("[not]")[0] + "[export]\nshard_mib = 1\n")
    texts, out, again = many_files(tmp_path / "texts", files=3), tmp_path / "out", tmp_path / "again"
    command = ("run", recipe, texts, "--out", out, "--set", "filter.gopher_quality.min_words=60", "--set", "license=cc0-1.0")
    first = json.loads(curate(*command, "--json"))
    written = tomllib.loads((out / "recipe.toml").read_text())
    assert (written["filter"][0]["min_words"], written["license"]) == (60, "cc0-1.0")
    session = json.loads((out / "run.json").read_text())["sessions"][-1]
    assert session["set"] == ["filter.gopher_quality.min_words=60", "license=cc0-1.0"]
    assert any(step["rule"] == "gopher_quality.too_few_words" and step["threshold"] == 60 for step in first["funnel"]["web"]["steps"])
    curate(*command)
    assert made(out) == {}
    curate("run", out / "recipe.toml", texts, "--out", again)
    assert shards(again) == shards(out)


def test_recipes_are_listed_and_printed_byte_for_byte() -> None:
    listed = curate("recipes")
    assert all(name in listed for name in shipped_recipes())
    printed = subprocess.run([CURATE, "recipes", "web"], capture_output=True, check=True).stdout
    assert printed == (Path(__file__).parents[2] / "pipelines/recipes/web.toml").read_bytes()
    assert json.loads(curate("recipes", "web", "--json"))["text"] == printed.decode()
    assert "did you mean 'fineweb'" in curate("recipes", "finweb", code=2)

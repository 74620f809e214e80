"""The reference of recipes says what the code says, explains every key, and its examples are recipes."""

import json
import re
import tomllib
from dataclasses import dataclass

import pytest

from pipelines.recipes.recipe import parse_recipe
from pipelines.recipes.reference import meanings, reference, tables
from synth.ask.teacher import FINAL
from synth.offered import shipped_tasks
from synth.sheet import TaskSheet, reasons
from tests.running import ROOT, curate

CHECKED_IN = ROOT / "pipelines/recipes/README.md"


def test_the_reference_that_is_checked_in_is_that_of_the_code() -> None:
    assert CHECKED_IN.read_text("utf-8") == reference(), "curate recipes --reference > pipelines/recipes/README.md"


def test_curate_recipes_reference_prints_it() -> None:
    printed = curate("recipes", "--reference")
    assert printed == reference()
    assert [table["heading"] for table in json.loads(curate("recipes", "--reference", "--json"))] == [table.heading for table in tables()]
    assert "give either --reference or a name" in curate("recipes", "web", "--reference", code=2)


def test_every_key_of_every_table_has_a_type_and_a_meaning() -> None:
    keys = [(table.heading, key) for table in tables() for key in table.keys]
    assert len(keys) > 150
    assert [(heading, key.name) for heading, key in keys if not key.meaning or not key.type] == []


def test_every_default_is_toml() -> None:
    met = 0
    for table in tables():
        for key in table.keys:
            if key.default:
                assert list(tomllib.loads(f"x = {key.default}")) == ["x"], key
                met += 1
    assert met > 100


def test_defaults_and_types_are_those_of_the_code() -> None:
    by_heading = {table.heading: {key.name: key for key in table.keys} for table in tables()}
    assert by_heading["[deduplicate]"]["threshold"].default == "0.75"
    assert by_heading["[deduplicate]"]["unit"].type == '"word" or "character"'
    assert by_heading["[deduplicate]"]["sources"].type == "list of text"
    assert by_heading["[export]"]["shard_mib"].type == "integer"
    assert by_heading["[export]"]["tokenizer"].default == ""
    assert by_heading['[[filter]] name = "gopher_quality"']["min_words"].default == "50"
    assert by_heading['[synthesize.teacher] name = "openai"']["model"].default is None
    assert by_heading["[[input]]"]["text"].meaning == "the field with the record's text"


@pytest.mark.parametrize("number", range(7))
def test_examples_are_recipes(number: int) -> None:
    examples = re.findall(r"```toml\n(.*?)```", CHECKED_IN.read_text("utf-8"), re.DOTALL)
    assert len(examples) == 8
    recipe = parse_recipe(examples[number], "example")
    assert recipe.inputs or recipe.edits or recipe.filters or recipe.synthesize


def test_examples_show_four_endpoints() -> None:
    text = CHECKED_IN.read_text("utf-8")
    asked = [parse_recipe(example, "example").synthesize for example in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)]
    presets = {settings.teacher.get("preset") for settings in asked if settings is not None}
    assert presets >= {"ollama", "vllm", "azure", "openai"}
    assert all(name in text for name in ("Ollama", "vLLM", "Azure", "OpenAI"))


def test_meanings_are_read_by_name_and_go_on() -> None:
    @dataclass
    class Settings:
        """About it.

        first, second  both of them,
            and more.
        third: another
        unknown  not a field

        Afterwards first is a word of a sentence.
        """

        first: int = 1
        second: int = 2
        third: int = 3

    assert meanings(Settings) == {
        "first": "both of them, and more",
        "second": "both of them, and more",
        "third": "another unknown  not a field",
    }


def test_every_rule_that_rejects_a_reply_is_explained() -> None:
    told = set(tomllib.loads((ROOT / "synth" / "rejections.toml").read_text("utf-8")))
    raised = {rule for path in (ROOT / "synth").rglob("*.py") for rule in re.findall(r'Rejected\(\s*"([a-z_]+)"', path.read_text("utf-8"))}
    listed = {rule for kind in shipped_tasks().values() if isinstance(kind, TaskSheet) for rule in reasons(kind)}
    assert raised | listed | FINAL | {"teacher_failed"} == told
    shown = reference()
    assert all(f"| `{rule}` | " in shown for rule in told)
    assert all(f"| `{name}` | " in shown for name in shipped_tasks())

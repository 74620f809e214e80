"""The reference of recipes: every table and key with type, default and meaning, read from the dataclasses of the typed recipe.

A meaning is a line of a dataclass's docstring, `name  meaning` or `name: meaning`; commas separate several names, and a line without a name
continues the meaning before it. `curate recipes --reference` prints this reference. `pipelines/recipes/README.md` holds the same text, and
a test compares the two. Another test parses its examples (`templates/recipe_examples.md`).
"""

import dataclasses
import inspect
import json
import re
import tomllib
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from curation.duplicates.deduplicate import DeduplicateSettings
from curation.ingest.edits import shipped_edits
from curation.ingest.extraction import shipped_extractors
from curation.repeats.repeated_lines import RepeatedLinesSettings
from curation.storage.digests import plain
from filters.contract import shipped_filters
from pipelines.export.export import ExportSettings
from pipelines.recipes.recipe import InputChoice
from pipelines.recipes.toml_text import toml_value
from pipelines.terminal.wording import NO_LICENSE
from synth.ask.teacher import teacher_class, teachers
from synth.offered import build_task, shipped_tasks
from synth.router import RouteSettings
from synth.seeds import SeedPolicy
from synth.sheet import TaskSheet, reasons
from synth.sheet_task import SheetSettings
from synth.synthesize import SynthesisSettings

_LONGEST = 60
"""The number of characters shown of a default."""

_OWN_TASK = (
    "A task of your own is one Markdown file, such as those in `synth/tasks`; `synth/sheet.py` tells its form. No code is run from it."
)

_WORDS = {int: "integer", float: "number", str: "text", bool: "true or false"}


@dataclass(frozen=True)
class Key:
    """A key of a table; `default` is written as TOML, None when the key is required, and "" when it is absent by default."""

    name: str
    type: str
    default: str | None
    meaning: str


@dataclass(frozen=True)
class ReferenceTable:
    """A table of a recipe: its heading, its purpose and its keys."""

    heading: str
    about: str
    keys: Sequence[Key]


def tables() -> list[ReferenceTable]:
    """Return every table of a recipe in order."""
    top = [
        Key("description", "text", '""', "a description of the dataset in one sentence; the card begins with it"),
        Key("license", "text", json.dumps(NO_LICENSE), "the licence of the dataset, as the Hugging Face hub writes it"),
    ]
    gate = Key("gate", "true or false", "false", "later filters measure only the documents that this one keeps")
    file = Key("file", "text", "", "your own filter: a Python file instead of a name")
    return [
        ReferenceTable("(above all tables)", "Keys of the whole recipe.", top),
        _of(InputChoice, "[[input]]"),
        *(_named(kind, "[extractor]", name) for name, kind in shipped_extractors().items()),
        *(_named(kind, "[[edit]]", name) for name, kind in shipped_edits().items()),
        ReferenceTable("[[filter]]", "Keys of every filter besides its own.", [_name("a shipped filter"), file, gate]),
        *(_named(kind, "[[filter]]", name) for name, kind in shipped_filters().items()),
        _of(DeduplicateSettings, "[deduplicate]"),
        _of(RepeatedLinesSettings, "[repeated_lines]"),
        _of(SynthesisSettings, "[synthesize]"),
        *(_named(teacher_class(name), "[synthesize.teacher]", name) for name in teachers()),
        *(_task(kind, name) for name, kind in shipped_tasks().items()),
        ReferenceTable("[[synthesize.tasks]]", _OWN_TASK, [replace(file, meaning="your own task: a Markdown file instead of a name")]),
        _of(RouteSettings, "[[synthesize.routes]]"),
        _of(SeedPolicy, "[synthesize.seeds]"),
        _of(ExportSettings, "[export]"),
    ]


def reference() -> str:
    """Return the whole reference as Markdown."""
    every = tables()
    first_task = next(at for at, table in enumerate(every) if table.heading.startswith("[[synthesize.tasks]]"))
    before, after = (list(map(_markdown, part)) for part in (every[:first_task], every[first_task:]))
    return "\n\n".join([_opening(), *before, _tasks_at_a_glance(), *after, _rejections(), _examples().strip()]) + "\n"


def meanings(kind: type) -> Mapping[str, str]:
    """Return the meaning of each field from the dataclass's docstring."""
    known = {field.name for field in dataclasses.fields(kind)}
    found: dict[str, str] = {}
    current: list[str] = []
    for line in inspect.cleandoc(kind.__doc__ or "").splitlines():
        match = re.match(r"(\w+(?:, \w+)*)(?::\s+|\s{2,}|\s(?=\d))(\S.*)", line)
        names = match[1].split(", ") if match else []
        if match and all(name in known for name in names):
            current = names
            found.update(dict.fromkeys(names, match[2]))
        elif not line.strip():
            current = []
        else:
            found.update({name: f"{found[name]} {line.strip()}" for name in current})
    return {name: meaning.rstrip(".") for name, meaning in found.items()}


def _named(kind: type, heading: str, name: str) -> ReferenceTable:
    table = _of(kind, heading)
    about = (inspect.getmodule(kind).__doc__ or "").strip().partition("\n\n")[0]
    return ReferenceTable(f'{heading} name = "{name}"', " ".join(about.split()), table.keys)


def _task(kind: type | TaskSheet, name: str) -> ReferenceTable:
    if not isinstance(kind, TaskSheet):
        return _named(kind, "[[synthesize.tasks]]", name)
    shown = "a passage of a kept document" if kind.front.passage else "nothing but its grid"
    rejected = ", ".join(f"`{rule}`" for rule in reasons(kind))
    about = f"{kind.front.about} From {shown}; level {kind.front.level}, template `{name}@{kind.front.version}`. Rejects: {rejected}."
    return ReferenceTable(f'[[synthesize.tasks]] name = "{name}"', about, _of(SheetSettings, "").keys)


def _of(kind: type, heading: str) -> ReferenceTable:
    said = meanings(kind)
    hints = get_type_hints(kind)
    keys = [Key(f.name, _type(hints[f.name]), _default(f), said.get(f.name, "")) for f in dataclasses.fields(kind) if f.init]
    return ReferenceTable(heading, inspect.cleandoc(kind.__doc__ or "").partition("\n")[0], keys)


def _name(what: str) -> Key:
    return Key("name", "text", None, what)


def _type(hint: Any) -> str:
    """Return a type in words."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(_type(part) for part in inner if part is not type(None))
    if origin is Literal:
        return " or ".join(json.dumps(value) for value in inner)
    if origin in (tuple, list):
        return f"list of {_type(inner[0])}s".replace("texts", "text").replace("true or falses", "true or false")
    if origin is not None and issubclass(origin, Mapping):
        return "table"
    return _WORDS.get(hint, getattr(hint, "__name__", str(hint)))


def _default(field: "dataclasses.Field[Any]") -> str | None:
    if field.default is not dataclasses.MISSING:
        value = field.default
    elif field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    else:
        return None
    return "" if value is None else toml_value(plain(value))


def _opening() -> str:
    return """# Recipes

This page lists every table and key of a recipe; `curate recipes --reference` writes it from the code. `curate recipes` lists the recipes in
this folder, `curate recipes NAME > mine.toml` copies one, and `--set PATH=VALUE` changes one value for one run. An unknown key is an error.

Paths in a recipe (inputs, `file`, models, lists, tokenizers, `against`), also those that `--set` gives, are relative to the folder of the
recipe's file. Paths in a shipped recipe or in a recipe on an object store, and inputs on the command line, are relative to the current
folder. `sample_data:texts/web.jsonl` is a file of an installed package."""


def _tasks_at_a_glance() -> str:
    """Return what tasks there are, what they are made from, and how many calls a row takes."""
    lines = ["## Tasks at a glance", "", "| task | from | calls | what it makes |", "|---|---|---|---|"]
    for name, kind in shipped_tasks().items():
        task = build_task({"name": name})
        about = _task(kind, name).about.partition(".")[0].partition(": From")[0]
        lines.append(f"| `{name}` | {'a document' if task.needs_seed else 'nothing'} | {1 + task.later_calls} | {about} |")
    told = "Calls are those of a model; teachers that work by rule make none. The reasons for rejecting replies stand below the tasks."
    return "\n".join([*lines, "", told])


def _rejections() -> str:
    """Return why replies become no rows."""
    rules = tomllib.loads((files("synth") / "rejections.toml").read_text("utf-8"))
    rows = [f"| `{rule}` | {meaning} |" for rule, meaning in sorted(rules.items())]
    return "\n".join(["## Why a reply becomes no row", "", "| rule | meaning |", "|---|---|", *rows])


def _markdown(table: ReferenceTable) -> str:
    lines = [f"## `{table.heading}`" if table.heading.startswith("[") else f"## {table.heading}", "", table.about]
    if table.keys:
        lines += ["", "| key | type | default | meaning |", "|---|---|---|---|", *_rows(table.keys)]
    return "\n".join(lines)


def _rows(keys: Sequence[Key]) -> Iterator[str]:
    for key in keys:
        default = "required" if key.default is None else f"`{key.default}`" if key.default else "none"
        if key.default is not None and len(key.default) > _LONGEST:
            default = f"`{key.default[:_LONGEST]}` …"
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in (f"`{key.name}`", key.type, default, key.meaning)) + " |"


def _examples() -> str:
    return (files("pipelines") / "templates" / "recipe_examples.md").read_text("utf-8")

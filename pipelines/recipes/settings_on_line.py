"""Values of a recipe that the command line changes for one run: `--set 'filter.gopher_quality.min_words=40'`.

    PATH=VALUE   filter.NAME.key   edit.NAME.key   deduplicate.key   export.key   license   input.key
                 input.1.key   synthesize.teacher.model   synthesize.tasks.NAME.count
                 NAME is an entry's name (for a filter's file, its name without `.py`) or its number, from 1
                 VALUE is TOML (40, 0.5, true, ["en", "de"], "two words"); a bare word is a text

The changed recipe is a recipe like any other: it is written as TOML, parsed strictly and recorded in the run folder, and resuming redoes
whatever the change affects. It loses its comments; without --set the text stays byte for byte the same.

A key never adds a table that the recipe lacks, because the part of that table would then run: `--set 'deduplicate={}'` adds the table.

Inputs that the command names replace the recipe's. A setting of an input that is then not read is refused, not ignored (`require_heard`).
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from curation.choices import nearest, read_toml
from curation.errors import RecipeError
from pipelines.recipes.toml_text import write_toml

_ALWAYS: Mapping[str, Any] = {"input": [{}], "extractor": {"name": "blocks"}, "export": {}}
"""The parts that every run has, with their defaults; an input without a path describes the inputs on the command line."""

_LONGEST = 16
"""The most steps of a path; no recipe is that deep."""

_SHOWN = 200
"""Characters of a setting that an error message repeats."""


def with_settings(text: str, where: str, settings: Sequence[str]) -> str:
    """Return a recipe's text with some values changed. Raises RecipeError for an unknown path or a value that is not TOML."""
    if not settings:
        return text
    table = read_toml(text, where)
    for setting in settings:
        path, mark, value = setting.partition("=")
        steps = path.strip().split(".")
        told = setting if len(setting) <= _SHOWN else f"{setting[:_SHOWN]}…"
        if not mark or not all(steps) or len(steps) > _LONGEST or len(path) > _SHOWN:
            raise RecipeError(f"--set {told!r} is not PATH=VALUE, such as filter.gopher_quality.min_words=40")
        try:
            _put(table, steps, _value(value.strip()), where)
        except RecipeError as error:
            raise RecipeError(f"--set {told}: {error}") from None
    return write_toml(table)


def describing(paths: Sequence[str]) -> int:
    """Return the place of the input that describes those on the command line: the one without a path, or else the first."""
    return next((place for place, path in enumerate(paths) if not path), 0)


def require_heard(settings: Sequence[str], paths: Sequence[str]) -> None:
    """Raise RecipeError for a setting of an input that inputs on the command line replace; `paths` are those of the recipe's inputs."""
    heard = str(describing(paths) + 1)
    for setting in settings:
        path, _, value = setting.partition("=")
        first, *steps = path.strip().split(".")
        if first != "input":
            continue
        entries = _value(value.strip()) if not steps else []
        if steps[-1:] == ["path"] or any(entry.get("path") for entry in entries):
            raise RecipeError(
                f"--set {setting} has no effect: the inputs that the command names are read instead; leave out one of the two"
            )
        if len(steps) > 1 and steps[0] != heard:
            told = f"what the command names is described by [[input]] {heard}, not {steps[0]}"
            raise RecipeError(f"--set {setting} has no effect: {told}; set input.{heard}.{steps[1]}, or name no inputs")


def _value(text: str) -> Any:
    """Parse a value from the command line."""
    try:
        read = read_toml(f"value = {text}", "the value")
    except RecipeError as error:
        is_toml = not isinstance(error.__cause__, tomllib.TOMLDecodeError)
        if is_toml or not text or text[0] in "\"'[{" or not text.isprintable():
            raise RecipeError(f'{error}; write 40, 0.5, true, ["en"] or a bare word') from None
        return text
    if list(read) != ["value"]:
        raise RecipeError("one --set changes one value; use another --set for each further value")
    return read["value"]


def _put(table: dict[str, Any], steps: Sequence[str], value: Any, where: str) -> None:
    """Change one value of a recipe's table."""
    first = steps[0]
    if len(steps) > 1 and first not in table:
        if first not in _ALWAYS:
            raise RecipeError(f"{where} has no {first!r}{nearest(first, {**table, **_ALWAYS})}")
        table[first] = json.loads(json.dumps(_ALWAYS[first]))
    place: Any = table
    for depth, step in enumerate(steps[:-1]):
        told = ".".join(steps[:depth])
        if isinstance(place, list):
            place = _entry(place, step, told)
        else:
            place = _table(place, told).setdefault(step, {})
        if isinstance(place, list) and len(place) == 1 and _name(place[0]) is None and not steps[depth + 1].isdecimal():
            (place,) = place
    told = ".".join(steps[:-1])
    if isinstance(place, list):
        raise RecipeError(f"{told} is a list; name an entry and its key: {told}.{_names(place)[0]}.KEY")
    _table(place, told)[steps[-1]] = value


def _table(place: Any, told: str) -> dict[str, Any]:
    if not isinstance(place, dict):
        raise RecipeError(f"{told} is {place!r}, which has no keys")
    return place


def _entry(entries: list[Any], step: str, told: str) -> Any:
    """Return the entry of a list of tables that a step names."""
    named = [entry for entry in entries if _name(entry) == step]
    if named:
        return named[0]
    if step in map(str, range(1, len(entries) + 1)):
        return entries[int(step) - 1]
    raise RecipeError(f"there is no {told}.{step}{nearest(step, _names(entries))}")


def _names(entries: Sequence[Any]) -> list[str]:
    """Return the names of a list's entries; an entry without a name has its number."""
    return [_name(entry) or str(place) for place, entry in enumerate(entries, 1)]


def _name(entry: Any) -> str | None:
    """Return an entry's name; a user's own filter has the name of its file."""
    if not isinstance(entry, Mapping):
        return None
    file = entry.get("file")
    name = entry.get("name", Path(file).stem if isinstance(file, str) else None)
    return name if isinstance(name, str) else None

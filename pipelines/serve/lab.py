"""The lab: judges stored signals again with several new thresholds, and shows the change to the recipe that sets them.

A parameter of the filter determines a rule's threshold. The lab finds this parameter by experiment: it changes each numeric parameter a
little, and a rule whose threshold moves belongs to that parameter. It only tries filters that the project ships, because a run folder is
never executed.

Invariant: the changed recipe differs only in the lines of the changed parameters.
"""

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from difflib import unified_diff
from typing import Any

from curation.choices import read_toml
from curation.errors import CurationError, UsageError
from filters.contract import FilterChoice
from pipelines.inspect.rules import RunRules

_HEAD = re.compile(r"^\s*\[\[?\s*([\w.]+)\s*\]\]?\s*(#.*)?$")
_STEP = 1.25


@dataclass(frozen=True)
class RecipeChange:
    """The recipe with other thresholds: its text, a diff, and the rules whose parameter is unknown."""

    text: str
    diff: str
    unknown: tuple[str, ...]


def changed_recipe(rules: RunRules, thresholds: Mapping[str, float]) -> RecipeChange:
    """Return the recipe with the parameters that set these thresholds, which are given by the full names of their rules."""
    text, unknown = rules.text, []
    for name, threshold in thresholds.items():
        filter_name = name.partition(".")[0]
        parameter = _parameter_of(rules.text, filter_name, name)
        if parameter is None:
            unknown.append(name)
            continue
        text = _with_value(text, filter_name, parameter, threshold)
    diff = "".join(unified_diff(rules.text.splitlines(True), text.splitlines(True), "recipe.toml", "recipe.toml, changed"))
    return RecipeChange(text, diff, tuple(unknown))


def _parameter_of(text: str, filter_name: str, rule: str) -> str | None:
    """Return the parameter that sets the threshold of a rule."""
    tables = read_toml(text, "the run's recipe").get("filter")
    named = [table for table in tables if isinstance(table, dict) and table.get("name") == filter_name] if isinstance(tables, list) else []
    if not named or "file" in named[0]:
        return None
    try:
        given = _without_files(filter_name, named[0])
        made = FilterChoice(filter_name, given).build()
        before = made.rules()[rule.partition(".")[2]].single_threshold
    except (CurationError, KeyError):
        return None
    for field in fields(made):
        value = getattr(made, field.name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        moved = type(value)(value * _STEP + 1)
        try:
            after = FilterChoice(filter_name, {**given, field.name: moved}).build().rules()[rule.partition(".")[2]].single_threshold
        except CurationError:
            continue
        if before == value and after == moved:
            return field.name
    return None


def _without_files(filter_name: str, choice: Mapping[str, Any]) -> dict[str, Any]:
    """Return a filter's parameters without optional files: files that a run folder names are not opened."""
    chosen = FilterChoice(filter_name).filter_class()
    optional = {field.name for field in fields(chosen) if field.default is not MISSING or field.default_factory is not MISSING}
    return {name: value for name, value in choice.items() if name not in {"name", "gate", *(chosen.file_fields & optional)}}


def _with_value(text: str, filter_name: str, parameter: str, threshold: float) -> str:
    """Set a parameter in the table of a filter; add it after the filter's name if it is missing."""
    lines = text.splitlines(keepends=True)
    told = f"{parameter} = {int(threshold) if float(threshold).is_integer() else threshold!r}"
    name = re.compile(rf"""^\s*name\s*=\s*["']{re.escape(filter_name)}["']""")
    place = next((number for number, line in enumerate(lines) if name.match(line) and _table_at(lines, number) == "filter"), None)
    if place is None:
        raise UsageError(f"the recipe has no filter {filter_name!r}")
    end = next((number for number in range(place + 1, len(lines)) if _HEAD.match(lines[number])), len(lines))
    begin = next(number for number in range(place, -1, -1) if _HEAD.match(lines[number]))
    known = re.compile(rf"^(\s*){re.escape(parameter)}\s*=\s*[^#\n]*?(\s*#.*)?$")
    for number in range(begin + 1, end):
        match = known.match(lines[number].rstrip("\n"))
        if match is not None:
            lines[number] = f"{match[1]}{told}{match[2] or ''}\n"
            return "".join(lines)
    lines[place] = lines[place] if lines[place].endswith("\n") else f"{lines[place]}\n"
    lines.insert(place + 1, f"{told}\n")
    return "".join(lines)


def _table_at(lines: list[str], place: int) -> str:
    heads = (match[1] for line in reversed(lines[:place]) if (match := _HEAD.match(line)))
    return next(heads, "")

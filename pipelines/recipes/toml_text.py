"""Write a table as TOML: the standard library reads TOML (`tomllib`) but does not write it.

The writer covers what a recipe can hold: text, numbers, true and false, lists and tables. Plain values of a table come before its
subtables, as TOML requires. A list of tables becomes `[[name]]` sections; a table inside a list of values is written in braces.

Invariant: the returned text parses to the same table; a text that does not is never returned.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from curation.errors import RecipeError

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def write_toml(table: Mapping[str, Any]) -> str:
    """Return a table as TOML text. Raises RecipeError for a value that a recipe cannot hold, such as a date."""
    text = "\n".join(_lines(table, "")).strip("\n") + "\n"
    if tomllib.loads(text) != table:
        raise RecipeError("this recipe holds a value that cannot be written back as TOML, such as nan")
    return text


def _lines(table: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield the lines of a table: plain values, then tables and lists of tables below their headings."""
    for key, value in table.items():
        if not _is_section(value):
            yield f"{_key(key)} = {toml_value(value)}"
    for key, value in table.items():
        if _is_section(value):
            name = f"{path}.{_key(key)}" if path else _key(key)
            for entry in [value] if isinstance(value, Mapping) else value:
                yield f"\n[{name}]" if isinstance(value, Mapping) else f"\n[[{name}]]"
                yield from _lines(entry, name)


def _is_section(value: Any) -> bool:
    """Return whether a value gets a heading of its own: a table, or a non-empty list of only tables."""
    if isinstance(value, Mapping):
        return True
    return isinstance(value, list) and bool(value) and all(isinstance(entry, Mapping) for entry in value)


def toml_value(value: Any) -> str:
    """Return a value as TOML writes it after `=`. Raises RecipeError for a value that a recipe cannot hold."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case Mapping():
            return "{ " + ", ".join(f"{_key(key)} = {toml_value(entry)}" for key, entry in value.items()) + " }" if value else "{}"
        case Sequence():
            return "[" + ", ".join(toml_value(entry) for entry in value) + "]"
    raise RecipeError(f"a recipe holds text, numbers, true or false, lists and tables, not {type(value).__name__} ({value})")


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else toml_value(key)

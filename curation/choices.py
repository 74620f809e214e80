"""Choosing a part by name: build it from a recipe's plain values; errors suggest the nearest known name.

Filters, edits, extractors and teachers are frozen dataclasses chosen by name in a recipe. Their fields are the parameters; pydantic checks
the types strictly, so that `min_words = "50"` and `min_words = -50` are errors and not surprises. So is a `min_X` above its `max_X`.
"""

import dataclasses
import difflib
import json
import tomllib
from collections.abc import Iterable
from functools import cache
from typing import Annotated, Any, TypeAlias, TypeVar, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError

from curation.arrays import JsonMapping, JsonObject
from curation.errors import RecipeError

Choosable = TypeVar("Choosable")

Count: TypeAlias = Annotated[int, Field(ge=0)]
Positive: TypeAlias = Annotated[int, Field(ge=1)]
NonNegative: TypeAlias = Annotated[float, Field(ge=0)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
"""Types of parameters for which other numbers have no meaning."""

_DEEPEST = 50
"""How deeply tables and lists of a TOML file may be nested; all later readers of them recurse."""


def read_toml(text: str, what: str) -> JsonObject:
    """Return the table that a text in TOML holds.

    Raises RecipeError, beginning with `what`, if the text is not TOML, or if it holds something that TOML allows but that has no place in a
    recipe: a number beyond 64 bits, U+0000 or half a surrogate pair in a text, or hundreds of nested lists.
    """
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a ValueError
        raise RecipeError(f"{what} is not TOML: {error}") from error
    waiting: list[tuple[Any, int]] = [(table, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _DEEPEST:
            raise RecipeError(f"{what}: its tables and lists lie more than {_DEEPEST} deep in one another")
        if isinstance(value, dict):
            waiting += [(part, depth + 1) for pair in value.items() for part in pair]
        elif isinstance(value, list):
            waiting += [(part, depth + 1) for part in value]
        elif isinstance(value, str) and not _is_plain_text(value):
            raise RecipeError(f"{what}: the text {value[:40]!r} holds U+0000 or bytes that are not UTF-8")
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise RecipeError(f"{what}: the number {str(value)[:20]}... is beyond 64 bits")
    return table


def _is_plain_text(text: str) -> bool:
    return "\0" not in text and text == text.encode("utf-8", "ignore").decode()


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean ...?" with the closest known name, or a list of all known names."""
    known = list(known)
    if not known:
        return "; it has none"
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(known)}"


def build(part: type[Choosable], parameters: JsonMapping, what: str) -> Choosable:
    """Make a dataclass from a recipe's values. Raises RecipeError for a parameter that is unknown, missing or of the wrong type."""
    known = [field.name for field in dataclasses.fields(part) if field.init]  # type: ignore[arg-type]
    values = {}
    for name, value in parameters.items():
        if name not in known:
            raise RecipeError(f"{what} has no parameter {name!r}{nearest(name, known)}")
        try:
            values[name] = _adapter(part, name).validate_json(json.dumps(value), strict=True)  # type: ignore[arg-type]
        except ValidationError as error:
            raise RecipeError(f"{what}: {name} = {value!r} is not acceptable: {error.errors()[0]['msg']}") from None
        if values[name] != values[name]:  # nothing is below or above it
            raise RecipeError(f"{what}: {name} = nan is not acceptable: it is not a number")
    required = [field.name for field in dataclasses.fields(part) if field.init and _has_no_default(field)]  # type: ignore[arg-type]
    missing = [name for name in required if name not in values]
    if missing:
        raise RecipeError(f"{what} needs {', '.join(missing)}")
    try:
        made = part(**values)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{what}: {error}") from error
    _require_room(made, known, values, what)
    return made


@cache
def _adapter(part: Any, name: str) -> TypeAdapter[Any]:
    """Return what checks a parameter, made once: every stage builds its parts again."""
    return TypeAdapter(_types(part)[name])


@cache
def _types(part: Any) -> JsonMapping:
    return get_type_hints(part, include_extras=True)


def _require_room(made: object, names: Iterable[str], given: Iterable[str], what: str) -> None:
    """Raise RecipeError where a part has a `min_X` above its `max_X`: no value lies between them."""
    for least in (name for name in names if name.startswith("min_")):
        most = f"max_{least.removeprefix('min_')}"
        low, high = getattr(made, least), getattr(made, most, None)
        if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low > high:
            told = [f"{name} = {value}{'' if name in given else ' (the default)'}" for name, value in ((least, low), (most, high))]
            raise RecipeError(f"{what}: {told[0]} is above {told[1]}: no value lies between them; lower the one or raise the other")


def _has_no_default(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING

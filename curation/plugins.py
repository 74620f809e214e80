"""Plugins: a folder offers one class per file, under the file's name, without a list to edit.

Filters, extractors, edits and tasks are found this way. A module that defines one class of the kind offers it under the module's name; a
module that defines none, or only abstract ones, is a helper; two are an error.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from inspect import isabstract
from types import ModuleType
from typing import TypeVar

from curation.choices import nearest
from curation.errors import RecipeError

_Kind = TypeVar("_Kind")

USERS = "user_filters"
"""Package under which users' files are loaded, so that a user's `statistics.py` does not replace another module."""


class Named:
    """A class that is named after the file that defines it."""

    @classmethod
    def name(cls) -> str:
        """The name of the defining file."""
        return cls.__module__.rsplit(".", 1)[-1]


def class_in(module: ModuleType, kind: type[_Kind]) -> type[_Kind] | None:
    """Return the class of a kind that a module defines, abstract ones aside, or None. Raises RecipeError where it defines two."""
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, kind) and value is not kind
        if not isabstract(value) and value.__module__ == module.__name__
    ]
    if len(classes) > 1:
        raise RecipeError(f"{module.__name__} defines {len(classes)} classes that extend {kind.__name__}; a file may define only one")
    return classes[0] if classes else None


def shipped(package: str, kind: type[_Kind]) -> dict[str, type[_Kind]]:
    """Return all classes of a kind in a package, by name."""
    return dict(_shipped(package, kind))  # type: ignore[arg-type]


@cache
def _shipped(package: str, kind: type[_Kind]) -> Mapping[str, type[_Kind]]:
    """Return the same, looked for only once: a task asks for all kinds of problems with each draft."""
    found = {name: class_in(importlib.import_module(f"{package}.{name}"), kind) for name in _modules_of(package)}
    return {name: offered for name, offered in found.items() if offered is not None}


def shipped_as(name: str, package: str, kind: type[_Kind]) -> type[_Kind]:
    """Return the class with this name, importing only its file. Raises RecipeError with the nearest name if it does not exist."""
    offered = class_in(importlib.import_module(f"{package}.{name}"), kind) if name in _modules_of(package) else None
    if offered is None:
        raise RecipeError(f"there is no {kind.__name__.lower()} {name!r}{nearest(name, shipped(package, kind))}")
    return offered


@cache
def _modules_of(package: str) -> tuple[str, ...]:
    """Return the names of a package's modules, in order; the folder is read only once, because a run asks hundreds of times."""
    return tuple(sorted(info.name for info in pkgutil.iter_modules(importlib.import_module(package).__path__)))

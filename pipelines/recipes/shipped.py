"""The recipes that come with the project: their names, descriptions and exact text.

This module does not parse recipes into their typed form (`pipelines.recipes.recipe` does), so that listing names needs no heavy import.
"""

import tomllib
from dataclasses import dataclass
from importlib.resources import files

from curation.choices import nearest
from curation.errors import UsageError

_ENDING = ".toml"


@dataclass(frozen=True)
class RecipeSummary:
    """A shipped recipe in one line."""

    name: str
    description: str


@dataclass(frozen=True)
class RecipeText:
    """A shipped recipe with the exact text of its file."""

    name: str
    description: str
    text: str


def shipped_recipes() -> dict[str, str]:
    """Return name -> TOML text of the shipped recipes, sorted by name."""
    entries = [entry for entry in (files("pipelines") / "recipes").iterdir() if entry.name.endswith(_ENDING)]
    return {entry.name.removesuffix(_ENDING): entry.read_bytes().decode("utf-8") for entry in sorted(entries, key=lambda entry: entry.name)}


def list_recipes() -> list[RecipeSummary]:
    """Return every shipped recipe with its description."""
    return [RecipeSummary(name, tomllib.loads(text)["description"]) for name, text in shipped_recipes().items()]


def recipe_text(name: str) -> RecipeText:
    """Return a shipped recipe. Raises UsageError with the nearest name for an unknown name."""
    recipes = shipped_recipes()
    if name not in recipes:
        raise UsageError(f"there is no shipped recipe {name!r}{nearest(name, recipes)}")
    return RecipeText(name, tomllib.loads(recipes[name])["description"], recipes[name])

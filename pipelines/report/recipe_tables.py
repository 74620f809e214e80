"""The terminal's list of the shipped recipes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines.terminal.terminal import new_console, new_table, print_table

if TYPE_CHECKING:
    from pipelines.recipes.shipped import RecipeSummary


def show_recipes(recipes: Sequence["RecipeSummary"]) -> None:
    """Show the shipped recipes."""
    table = new_table("recipe", "what it makes", numbers_from=None)
    for entry in recipes:
        table.add_row(entry.name, entry.description)
    print_table(new_console(), table)

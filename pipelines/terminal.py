"""How results are laid out on the terminal: the tables, pairs and bars that all views are made of.

Text that came from a crawl is printed as text: markup is off, and control characters, which could move the cursor or turn the direction of
writing, are shown as escapes.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.wording import number, printable

_WIDTH_WHEN_PLAIN = 160
_BAR = 40


def show_fields(result: Any) -> None:
    """Show any dataclass: plain fields as pairs, lists of dataclasses as tables, a dataclass within it likewise below its name."""
    console = new_console()
    fields = {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
    rows = {name: value for name, value in fields.items() if _is_rows(value)}
    parts = {name: value for name, value in fields.items() if dataclasses.is_dataclass(value)}
    pairs = {name: value for name, value in fields.items() if name not in rows and name not in parts}
    print_pairs(console, {name.replace("_", " "): worded(value) for name, value in pairs.items()})
    for name, entries in rows.items():
        columns = [field.name for field in dataclasses.fields(entries[0])]
        table = new_table(*(column.replace("_", " ") for column in columns), title=name.replace("_", " ").capitalize())
        for entry in entries:
            table.add_row(*(worded(getattr(entry, column)) for column in columns))
        console.print(table)
    for name, part in parts.items():
        console.print(f"\n{name.replace('_', ' ').capitalize()}", style="bold")
        show_fields(part)


def new_console() -> Console:
    """Return a console on stdout; into a file or pipe, plain and wide."""
    console = Console(highlight=False, markup=False, emoji=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, emoji=False, width=_WIDTH_WHEN_PLAIN)


def new_table(
    *columns: str, title: str | None = None, numbers_from: int | None = 1, numbers_to: int | None = None, wrap: bool = False
) -> Table:
    """Return a table whose first columns are words and, from `numbers_from` to `numbers_to`, numbers set to the right."""
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", header_style="bold", pad_edge=False)
    last = len(columns) if numbers_to is None else numbers_to
    for place, column in enumerate(columns):
        right = numbers_from is not None and numbers_from <= place <= last and column not in ("", "rule", "verdict")
        table.add_column(column, justify="right" if right else "left", overflow="fold", no_wrap=right and not wrap)
    return table


def print_pairs(console: Console, pairs: Mapping[str, Any]) -> None:
    """Print names and values, one pair a line; those without a value are left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs.items():
        if value not in (None, ""):
            grid.add_row(printable(name), printable(str(value)))
    console.print(grid)


def print_lines(console: Console, lines: Iterable[str]) -> None:
    """Print lines of foreign text, each as one line."""
    for line in lines:
        console.print(Text(f"  {printable(line)}"), soft_wrap=True)


def _is_rows(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(dataclasses.is_dataclass(entry) for entry in value)


def worded(value: Any) -> str:
    """Return a plain value as a person writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {worded(entry)}" for name, entry in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(worded(entry) for entry in value)
    if dataclasses.is_dataclass(value):
        return ", ".join(f"{field.name.replace('_', ' ')} {worded(getattr(value, field.name))}" for field in dataclasses.fields(value))
    return printable(str(value))


def minus(count: int) -> str:
    """Return a number of documents that were taken away."""
    return f"-{count:,}" if count else "0"


def bar_length(count: int, most: int, width: int = _BAR) -> int:
    """Return how many characters a bar for a count has, where that for the most has `width`."""
    return -(-width * count // most) if most else 0


def bar(count: int, most: int, width: int = _BAR) -> str:
    """Return a bar."""
    return "█" * bar_length(count, most, width)

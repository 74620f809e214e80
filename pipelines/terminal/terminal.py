"""The layout of results on the terminal: the tables, pairs and bars that all views share.

Text from a crawl is printed as plain text: markup is off, and control characters, which could move the cursor or change the direction of
writing, appear as escapes.

On a terminal, results take the terminal's width. In a file or pipe they take COLUMNS cells if it is set, else WIDTH_WHEN_PLAIN.
"""

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from pipelines.terminal.sheets import Sheet, wrapped
from pipelines.terminal.wording import number, printable

WIDTH_WHEN_PLAIN = 160
_BAR = 40
_BETWEEN = 2
_ROOM = 24
"""The least width, in cells, of a value printed beside its name."""


def show_fields(result: Any) -> None:
    """Show any dataclass: plain fields as pairs, lists of dataclasses as tables, nested dataclasses likewise below their names."""
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
        print_table(console, table)
    for name, part in parts.items():
        console.print(f"\n{name.replace('_', ' ').capitalize()}", style="bold")
        show_fields(part)


def new_console() -> Console:
    """Return a console on stdout; plain and wide when stdout is a file or pipe."""
    console = Console(highlight=False, markup=False, emoji=False)
    if console.is_terminal or os.environ.get("COLUMNS", "").isdigit():
        return console
    return Console(highlight=False, markup=False, emoji=False, width=WIDTH_WHEN_PLAIN)


def new_table(
    *columns: str,
    title: str | None = None,
    numbers_from: int | None = 1,
    numbers_to: int | None = None,
    bars: bool = False,
    droppable: Sequence[int] = (),
) -> Sheet:
    """Return a table whose columns from `numbers_from` to `numbers_to` hold right-aligned numbers, and the others words.

    With `bars` the last column holds bars, which are dropped first when space is short. `droppable` columns are dropped next, in order.
    """
    last = len(columns) if numbers_to is None else numbers_to + 1
    numbers = range(numbers_from, last) if numbers_from is not None else ()
    place = len(columns) - 1 if bars else None
    words = ("", "rule", "verdict")
    return Sheet(
        columns,
        frozenset(column for column in numbers if column < len(columns) and columns[column] not in words and column != place),
        tuple(droppable),
        place,
        title,
    )


def print_table(console: Console, table: Sheet) -> None:
    """Print a table; the terminal itself wraps a number that is wider than the terminal."""
    console.print(table, crop=False)


def print_pairs(console: Console, pairs: Mapping[str, Any]) -> None:
    """Print one name and value per line and wrap long values beside their names; leave out pairs without a value.

    A name that would leave no room for its value goes above it.
    """
    told = [(printable(name), printable(str(value))) for name, value in pairs.items() if value not in (None, "")]
    width = max((cell_len(name) for name, _ in told), default=0)
    beside = console.width - width - _BETWEEN
    for name, value in told:
        label = Text(name, style="dim")
        if beside >= _ROOM:
            lines = wrapped(value, beside)
            indent = " " * (width + _BETWEEN)
            console.print(label + Text(" " * (width - cell_len(name) + _BETWEEN)) + Text(f"\n{indent}".join(lines)), soft_wrap=True)
        else:
            console.print(Text("\n").join(Text(line, style="dim") for line in wrapped(name, console.width)), soft_wrap=True)
            console.print(Text("\n".join(f"  {line}" for line in wrapped(value, console.width - 2))), soft_wrap=True)


def print_lines(console: Console, lines: Iterable[str]) -> None:
    """Print lines of untrusted text, each as one line."""
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
    """Return the number of removed documents with a minus sign."""
    return f"-{count:,}" if count else "0"


def bar_length(count: int, most: int, width: int = _BAR) -> int:
    """Return the length of the bar for a count when the bar for `most` has `width` characters."""
    return -(-width * count // most) if most else 0


def bar(count: int, most: int, width: int = _BAR) -> str:
    """Return the bar for a count when the bar for `most` has `width` characters."""
    return "█" * bar_length(count, most, width)

"""Sheets: tables for the terminal that fit its width and never cut a number.

A column holds numbers (right-aligned, never broken), words (broken between words and after `.`, `_`, `/` and `-`; a piece that is wider
than the column breaks anywhere), or bars. A sheet that is wider than the terminal shrinks in these steps:

    it wraps words and shortens bars, the widest column first
    it drops the bars
    it drops columns in the order that its maker states; a line below names them
    it becomes a list: a heading for each row, and below it "column value" pairs

Widths count terminal cells: a Chinese character takes two.

Invariants
    - Every printed number stands whole on one line.
    - Every word of a shown column is printed whole, on as many lines as it takes.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rich import box
from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

Cell = str | Text

_GAP = 2
_LEAST_WORDS = 16
"""The least width, in cells, to which a column of words shrinks; a narrower column keeps its own width."""

_LEAST_BARS = 8

_BREAKS = re.compile(r"(?<=[._/\-])(?=[^\W\d_])|(?<=\s)(?=\S)")
_NUMBER = re.compile(r"[-+−(]*\d[\d,.]*[)%]*,?")


@dataclass
class Sheet:
    """A table. `numbers`, `droppable` (first to go first) and `bars` are indices of columns."""

    columns: tuple[str, ...]
    numbers: frozenset[int] = frozenset()
    droppable: tuple[int, ...] = ()
    bars: int | None = None
    title: str | None = None
    rows: list[tuple[tuple[Cell, ...], str | None]] = field(default_factory=list)
    sections: set[int] = field(default_factory=set)

    @property
    def row_count(self) -> int:
        """The number of rows."""
        return len(self.rows)

    def add_row(self, *cells: Cell, style: str | None = None) -> None:
        """Add a row with one cell for each column."""
        if len(cells) != len(self.columns):
            raise ValueError(f"a row of {len(cells)} cells in a sheet of {len(self.columns)} columns")
        self.rows.append((cells, style))

    def add_section(self) -> None:
        """Separate the rows that follow from those before."""
        self.sections.add(len(self.rows))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay the sheet out in the available width."""
        if self.title:
            yield Text(self.title, style="bold")
        shown = list(range(len(self.columns)))
        gone: list[str] = []
        to_go = [*([self.bars] if self.bars is not None else []), *self.droppable]
        while (widths := self._widths(shown, options.max_width)) is None and to_go:
            column = to_go.pop(0)
            shown.remove(column)
            if column != self.bars:
                gone.append(self.columns[column])
        if widths is None:
            yield from self._list(options.max_width)
            return
        yield self._table(shown, widths)
        if gone:
            yield Text(f"No room for: {', '.join(gone)}.", style="dim")
        yield Text("")

    def _cells(self, column: int) -> Iterable[str]:
        return (_plain(cells[column]) for cells, _ in self.rows)

    def _widths(self, shown: Sequence[int], room: int) -> dict[int, int] | None:
        """Return the width of each shown column, or None when they do not fit."""
        natural, least = {}, {}
        for column in shown:
            header = max(map(cell_len, self.columns[column].split(" ")), default=0)
            widest = max((cell_len(text) for text in self._cells(column)), default=0)
            if column == self.bars:
                natural[column], least[column] = widest, min(widest, _LEAST_BARS)
                continue
            if column in self.numbers:
                natural[column], least[column] = max(cell_len(self.columns[column]), widest), max(header, widest)
                continue
            numbers = max((cell_len(word) for text in self._cells(column) for word in text.split() if _NUMBER.fullmatch(word)), default=0)
            natural[column] = max(cell_len(self.columns[column]), widest)
            least[column] = max(header, numbers, min(natural[column], _LEAST_WORDS))
        room -= _GAP * (len(shown) - 1)
        if sum(least.values()) > room:
            return None
        while sum(natural.values()) > room:
            widest_column = max((column for column in shown if natural[column] > least[column]), key=lambda column: natural[column])
            natural[widest_column] -= 1
        return natural

    def _table(self, shown: Sequence[int], widths: dict[int, int]) -> Table:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0, 0, 1), header_style="bold")
        for column in shown:
            justify = "right" if column in self.numbers else "left"
            header = "\n".join(wrapped(self.columns[column], widths[column]))
            table.add_column(Text(header), justify=justify, width=widths[column], no_wrap=column in self.numbers or column == self.bars)  # type: ignore[arg-type]
        for place, (cells, style) in enumerate(self.rows):
            if place in self.sections and place:
                table.add_section()
            table.add_row(*(self._fitted(cells[column], column, widths[column]) for column in shown), style=style)
        return table

    def _fitted(self, cell: Cell, column: int, width: int) -> Text:
        text = cell if isinstance(cell, Text) else Text(cell)
        if column in self.numbers:
            return text
        if column == self.bars:
            longest = max(map(cell_len, self._cells(column)))
            return text if longest <= width else _shorter(text, width / longest)
        return Text("\n".join(wrapped(_plain(cell), width)), style=cell.style if isinstance(cell, Text) else "")

    def _list(self, width: int) -> RenderResult:
        """Yield a heading for each row, taken from its first column of words, and its other cells below."""
        words = [column for column in range(len(self.columns)) if column not in self.numbers and column != self.bars]
        for place, (cells, style) in enumerate(self.rows):
            if place in self.sections and place:
                yield Text("")
            heading = next((column for column in words if _plain(cells[column])), None)
            if heading is not None:
                named = _plain(cells[heading])
                yield Text("\n".join(wrapped(named, width)), style=style or "bold")
            pairs = [
                f"{self.columns[column]} {_plain(cells[column])}".strip()
                for column in range(len(self.columns))
                if column not in (heading, self.bars) and _plain(cells[column])
            ]
            yield Text("\n".join(f"  {line}" for line in _packed(pairs, max(width - 2, 1))), no_wrap=True, overflow="ignore")
        yield Text("")


def _shorter(bar: Text, share: float) -> Text:
    """Return a bar shortened to a share of its length; each part keeps at least one cell."""
    parts = [(bar.plain[span.start : span.end], span.style) for span in bar.spans] or [(bar.plain, bar.style)]
    return Text.assemble(*((part[: max(1, int(len(part) * share))], style) for part, style in parts if part))


def wrapped(text: str, width: int) -> list[str]:
    """Return text in lines of at most `width` cells; a wider number gets a line of its own."""
    lines = [""]
    for piece in _BREAKS.split(text):
        if cell_len((lines[-1] + piece).rstrip()) <= width:
            lines[-1] += piece
            continue
        pieces = [piece] if cell_len(piece.rstrip()) <= width or _NUMBER.fullmatch(piece.strip()) else chop_cells(piece, width)
        lines += pieces
    return [line.rstrip() for line in lines if line.strip()] or [""]


def _packed(pairs: Sequence[str], width: int) -> list[str]:
    """Return the pairs packed into as few lines as possible, in order."""
    lines: list[str] = []
    for pair in pairs:
        if lines and cell_len(f"{lines[-1]} · {pair}") <= width:
            lines[-1] += f" · {pair}"
        else:
            lines += [pair] if cell_len(pair) <= width else wrapped(pair, width)
    return lines


def _plain(cell: Cell) -> str:
    return cell.plain if isinstance(cell, Text) else cell

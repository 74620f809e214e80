"""Scores as tables for the terminal: what moved a document's, and the buckets of a corpus."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from curation.counting import counted
from pipelines.terminal.sheets import Sheet
from pipelines.terminal.terminal import new_console, new_table, print_pairs, print_table
from pipelines.terminal.wording import number, printable

if TYPE_CHECKING:
    from pipelines.inspect.buckets import SignalEdges
    from pipelines.inspect.moved import ScoreTold, Span, Word

_MOST_WINDOWS = 60


def show_score(console: Console, told: "ScoreTold") -> None:
    """Show a document's windows, its best span, and what raised and lowered its score."""
    console.print(Text("\nWhat moved the educational score", style="bold"))
    if told.fault is not None or told.best is None:
        console.print(
            Text(f"The model {printable(told.model)} cannot be asked: {printable(told.fault or 'it has no window')}", style="yellow")
        )
        return
    windows = counted(len(told.windows), "window")
    best = f"{number(round(told.best.value, 2))}, bytes {told.best.start:,} to {told.best.end:,}: {told.best.excerpt}"
    print_pairs(console, {"model": told.model, windows: _in_row(told.windows), "best window": best})
    table = new_table("odds of 3 or more", "windows", "words", title="Words and pairs", numbers_to=1, numbers_from=0)
    for word in (*told.raised, *told.lowered[::-1]):
        table.add_row(_factor(word.effect), f"{word.windows:,}", printable(word.words))
    _print(console, table, told.raised, told.lowered)
    table = new_table("odds of 3 or more", "bytes", "sentence", title="Sentences", numbers_to=0, numbers_from=0)
    for span in (*told.raising, *told.lowering[::-1]):
        table.add_row(_factor(span.value), f"{span.start:,} to {span.end:,}", printable(span.excerpt))
    _print(console, table, told.raising, told.lowering)


def _print(console: Console, table: Sheet, raised: "Sequence[Word | Span]", lowered: "Sequence[Word | Span]") -> None:
    if raised or lowered:
        print_table(console, table)


def _factor(effect: float) -> str:
    """Say by what the odds are multiplied."""
    return f"× {number(float(f'{math.exp(effect):.3g}'))}"


def _in_row(scores: Sequence[float]) -> str:
    """Return the windows' scores in the order of the text, and how many are left out."""
    shown = " ".join(f"{score:.1f}" for score in scores[:_MOST_WINDOWS])
    return shown if len(scores) <= _MOST_WINDOWS else f"{shown} and {len(scores) - _MOST_WINDOWS:,} more"


def show_edges(told: "Sequence[SignalEdges]") -> None:
    """Show some of the edges of each signal: what a document needs to be in the upper half, fifth, tenth and twentieth of the bytes."""
    table = new_table(
        "signal",
        "source",
        "documents",
        "half",
        "fifth",
        "tenth",
        "twentieth",
        title="Least score for the best ... of the bytes",
        numbers_from=2,
    )
    for own in told:
        source = "all" if own.source == "*" else printable(own.source)
        table.add_row(printable(own.signal), source, f"{own.documents:,}", *(number(own.edges[place]) for place in (9, 15, 17, 18)))
    print_table(new_console(), table)

"""Signals on the terminal: the distribution of one signal, and what another threshold, or a range of thresholds, would keep.

Rendering reads the plain fields of results and computes nothing.
"""

from typing import TYPE_CHECKING, Any

from rich.text import Text

from curation.counting import counted
from pipelines.inspect.sources import largest_splits, others_in_words
from pipelines.terminal.sheets import Sheet
from pipelines.terminal.terminal import bar, bar_length, new_console, new_table, print_table
from pipelines.terminal.wording import dropped_side, number, printable

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.inspect.signal_split import SignalSplit
    from pipelines.inspect.thresholds import Retention, ThresholdEffect
    from pipelines.inspect.views import SignalSummary


def show_signal(summary: "SignalSummary") -> None:
    """Show a signal: quantiles, histogram, samples."""
    console = new_console()
    mean = f", mean {number(summary.mean)}" if summary.mean is not None else ""
    console.print(f"{summary.signal}: {counted(summary.documents, 'document')}, {summary.missing:,} not measured{mean}", style="bold")
    for rule in summary.rules:
        side = dropped_side(rule.drops, rule.threshold)
        console.print(f"  {rule.name} {side}")
    if summary.values:
        values = new_table("value", "documents", "kept", "", bars=True)
        most = max(value.documents for value in summary.values)
        for value in summary.values:
            values.add_row(printable(value.value), f"{value.documents:,}", f"{value.kept:,}", bar(value.documents, most))
        print_table(console, values)
    if summary.quantiles:
        quantiles = new_table(*(f"{entry.share:.0%}" for entry in summary.quantiles), title="Quantiles", numbers_from=0)
        quantiles.add_row(*(number(entry.value) for entry in summary.quantiles))
        print_table(console, quantiles)
        title = f"Histogram ({summary.scale} bins; █ kept, ░ not kept)"
        bins = new_table("from", "to", "documents", "kept", "", title=title, numbers_from=0, bars=True)
        most = max((entry.documents for entry in summary.bins), default=0)
        for entry in summary.bins:
            if not entry.documents:
                continue
            kept, others = bar_length(entry.kept, most), bar_length(entry.documents - entry.kept, most)
            split = Text.assemble(("█" * kept, "green"), ("░" * others, "red"))
            bins.add_row(number(entry.low), number(entry.high), f"{entry.documents:,}", f"{entry.kept:,}", split)
        print_table(console, bins)
    _show_samples(console, "Samples", summary)


def _show_samples(console: "Console", title: str, summary: "SignalSummary") -> None:
    if not summary.samples:
        return
    samples = new_table("where", "value", "fate", "id", "text", title=title, numbers_from=None)
    for sample in summary.samples:
        fate = sample.fate if sample.rule is None else f"{sample.fate}: {sample.rule}"
        samples.add_row(sample.where, number(sample.value), printable(fate), printable(sample.id, 60), printable(sample.excerpt))
    print_table(console, samples)


def show_signal_split(split: "SignalSplit") -> None:
    """Show a signal by source or origin: quantiles of all parts, then samples of each."""
    console = new_console()
    console.print(f"{split.signal} by {split.by}", style="bold")
    shares = ("5%", "25%", "50%", "75%", "95%")
    table = new_table(split.by, "documents", "kept", "not measured", "mean", *shares, droppable=(3, 5, 9))
    for part in split.parts:
        at = {f"{quantile.share:.0%}": number(quantile.value) for quantile in part.summary.quantiles}
        mean = "" if part.summary.mean is None else number(part.summary.mean)
        counts = (f"{part.summary.documents:,}", f"{part.kept:,}", f"{part.summary.missing:,}")
        table.add_row(printable(part.name), *counts, mean, *(at.get(share, "") for share in shares))
    print_table(console, table)
    if split.others:
        console.print(f"Not shown: {others_in_words(split.others)}.")
    for part in split.parts:
        _show_samples(console, f"Samples of {printable(part.name)}", part.summary)


def _instead(threshold: float | None) -> str:
    return "each document's own threshold" if threshold is None else number(threshold)


def show_threshold(effect: "ThresholdEffect") -> None:
    """Show what another threshold would keep."""
    console = new_console()
    replaced = f" instead of {_instead(effect.threshold)} ({effect.rule})" if effect.rule else ""
    console.print(f"{effect.signal}: drop values {effect.drops} {number(effect.at)}{replaced}", style="bold")
    table = new_table(
        "", "documents", "pass now", "would pass", "change", "tokens now", "tokens then", "change in tokens", droppable=(5, 6, 7)
    )
    for part in (effect.all, effect.otherwise_kept):
        _add_split(table, part.name, part)
    if effect.sources:
        table.add_section()
        for part in largest_splits(effect.sources):
            _add_split(table, f"otherwise kept, from {printable(part.name)}", part)
    print_table(console, table)
    console.print(effect.note, style="dim")


def _add_split(table: Sheet, name: str, part: Any) -> None:
    change = part.then.documents - part.now.documents
    tokens = part.then.tokens - part.now.tokens
    table.add_row(
        name,
        f"{part.of.documents:,}",
        f"{part.now.documents:,}",
        f"{part.then.documents:,}",
        f"{change:+,}",
        f"{part.now.tokens:,}",
        f"{part.then.tokens:,}",
        f"{tokens:+,}",
    )


def show_retention(retention: "Retention") -> None:
    """Show what a range of thresholds would keep of all documents, and of those that pass every other rule and are no duplicates."""
    console = new_console()
    console.print(
        f"{retention.signal}: {counted(retention.documents, 'document')}; {retention.missing:,} not measured, and these pass", style="bold"
    )
    for curve in retention.curves:
        if not curve.points:
            console.print("  The signal has no value, so it has no possible threshold.")
            continue
        instead = f", instead of {_instead(curve.threshold)} ({curve.rule})" if curve.rule else ""
        title = f"Drop values {curve.drops} ...{instead}"
        columns = ("documents", "share", "tokens", "share", "kept", "share", "tokens kept", "share", "")
        table = new_table(curve.drops, "", *columns, title=title, numbers_from=0, bars=True, droppable=(4, 5, 3, 8, 2, 9, 1))
        for point in curve.points:
            table.add_row(
                number(point.at),
                "recipe" if point.recipe else "",
                f"{point.all.documents:,}",
                f"{point.share:.1%}",
                f"{point.all.tokens:,}",
                f"{point.token_share:.1%}",
                f"{point.otherwise_kept.documents:,}",
                f"{point.otherwise_share:.1%}",
                f"{point.otherwise_kept.tokens:,}",
                f"{point.otherwise_token_share:.1%}",
                bar(point.otherwise_kept.tokens, curve.otherwise_kept.tokens, 20),
                style="bold" if point.recipe else None,
            )
        print_table(console, table)
    console.print('"kept" counts the documents that also pass every other rule and are no duplicates.', style="dim")
    console.print(retention.note, style="dim")

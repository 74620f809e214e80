"""Tables for the terminal: what a result looks like to a person; `as_plain` is the same for a program.

Rendering knows results by their plain fields and computes nothing. Text that came from a crawl is printed as text: markup is off, and
control characters, which could move the cursor or turn the direction of writing, are shown as escapes.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.wording import dropped_side, number, printable, size

if TYPE_CHECKING:
    from pipelines.catalogue import FilterDescription, FilterSummary
    from pipelines.diff import Difference
    from pipelines.inspect import SignalSummary, ThresholdEffect
    from pipelines.ledger import Flow, Funnel
    from pipelines.pipeline import Summary
    from pipelines.verify import Verification
    from pipelines.why import Cluster, Explanation

_WIDTH_WHEN_PLAIN = 160
_BAR = 40


def as_plain(value: Any) -> Any:
    """Return a result as JSON types: dataclasses as objects of their fields, keys and bytes as hex, numbers that JSON lacks as null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_plain(getattr(value, field.name)) for field in dataclasses.fields(value) if field.repr}
    if isinstance(value, Mapping):
        return {str(name): as_plain(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_plain(entry) for entry in (sorted(value) if isinstance(value, (set, frozenset)) else value)]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and value - value != 0:
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def show_summary(summary: "Summary") -> None:
    """Show the end of a run: its funnel, whether the books balance, and where things are."""
    console = _console()
    show_funnel(summary.funnel)
    books = summary.books
    if books.faults:
        console.print(f"\nThe books do not balance: {len(books.faults)} faults", style="bold red")
        _lines(console, books.faults)
    else:
        console.print(f"\nThe books balance: {books.records:,} records, each with one fate.", style="bold green")
    console.print()
    _pairs(console, {"dataset": summary.dataset, "report": summary.report, "run": summary.out, "time": f"{summary.seconds:.1f} s"})


def show_funnel(funnel: "Funnel") -> None:
    """Show the funnel: what came, what each rule took, what stayed; then by source."""
    console = _console()
    steps = _table("", "rule", "documents", "text", "share", "left", "also fail", title="From the crawl to the dataset")
    steps.add_row("read", "all records", f"{funnel.records:,}", "", "", "", "")
    for kind, count in funnel.ignored.items():
        steps.add_row("", f"no document: {kind}", _minus(count), "", "", "", "")
    _add_flow(steps, funnel.web, "documents")
    if funnel.synthetic is not None:
        steps.add_section()
        _add_flow(steps, funnel.synthetic, "generated rows")
    console.print(steps)
    idle = [step.rule for step in funnel.web.steps if not step.failing]
    if idle:
        console.print(f"{len(idle)} rules of the recipe held for no document.", style="dim")
    if len(funnel.sources) > 1:
        sources = _table("source", "documents", "kept", "share", "dropped", "duplicate", "unreadable", "tokens kept", title="By source")
        for source in funnel.sources:
            fates = source.fates
            counts = [f"{fates[fate]:,}" for fate in ("dropped", "duplicate", "unreadable")]
            kept = [f"{source.kept.documents:,}", f"{source.kept_share:.1%}"]
            sources.add_row(printable(source.source), f"{source.came.documents:,}", *kept, *counts, f"{source.kept.tokens:,}")
        console.print()
        console.print(sources)
    if funnel.dataset is not None:
        made = funnel.dataset
        in_files = f"{made.files} {'file' if made.files == 1 else 'files'}"
        console.print(f"\nDataset: {made.rows:,} rows, {made.tokens:,} tokens, {size(made.bytes)} in {in_files}.")


def _add_flow(table: Table, flow: "Flow", what: str) -> None:
    came = flow.came
    table.add_row("", what, f"{came.documents:,}", size(came.text_bytes), "100.0%", f"{came.documents:,}", "", style="bold")
    stage = ""
    for step in flow.steps:
        if not step.failing:
            continue
        taken = step.taken
        also = step.failing - taken.documents
        rule = printable(step.rule) + (f" ({number(step.threshold)})" if step.threshold is not None else "")
        shown = ("" if step.stage == stage else step.stage, rule if step.fate != "unreadable" else f"unreadable: {rule}")
        text = size(taken.text_bytes) if taken.text_bytes else ""
        table.add_row(*shown, _minus(taken.documents), text, f"{step.share:.1%}", f"{step.remaining:,}", f"{also:,}" if also else "")
        stage = step.stage
    kept = flow.kept
    share = f"{flow.kept_share:.1%}"
    table.add_row("kept", "", f"{kept.documents:,}", size(kept.text_bytes), share, f"{kept.documents:,}", "", style="bold green")


def show_signal(summary: "SignalSummary") -> None:
    """Show a signal: quantiles, histogram, samples."""
    console = _console()
    console.print(f"{summary.signal}: {summary.documents:,} documents, {summary.missing:,} not measured", style="bold")
    for rule in summary.rules:
        console.print(f"  {rule.name} {dropped_side(rule.drops, rule.threshold)}")
    if summary.values:
        values = _table("value", "documents", "kept", "")
        most = max(value.documents for value in summary.values)
        for value in summary.values:
            values.add_row(printable(value.value), f"{value.documents:,}", f"{value.kept:,}", _bar(value.documents, most))
        console.print(values)
    if summary.quantiles:
        quantiles = _table(*(f"{entry.share:.0%}" for entry in summary.quantiles), title="Quantiles", numbers_from=0)
        quantiles.add_row(*(number(entry.value) for entry in summary.quantiles))
        console.print(quantiles)
        bins = _table("from", "to", "documents", "kept", "", title=f"Histogram ({summary.scale} bins)", numbers_from=0)
        most = max((entry.documents for entry in summary.bins), default=0)
        for entry in summary.bins:
            if not entry.documents:
                continue
            bar = Text("█" * _length(entry.kept, most), style="green") + Text(
                "░" * _length(entry.documents - entry.kept, most), style="red"
            )
            bins.add_row(number(entry.low), number(entry.high), f"{entry.documents:,}", f"{entry.kept:,}", bar)
        console.print(bins)
    samples = _table("where", "value", "fate", "id", "text", title="Samples", numbers_from=None, wrap=True)
    for sample in summary.samples:
        fate = sample.fate if sample.rule is None else f"{sample.fate}: {sample.rule}"
        samples.add_row(sample.where, number(sample.value), printable(fate), printable(sample.id, 60), printable(sample.excerpt))
    console.print(samples)


def show_threshold(effect: "ThresholdEffect") -> None:
    """Show what another threshold would keep."""
    console = _console()
    threshold = "each document's own threshold" if effect.threshold is None else number(effect.threshold)
    replaced = f" instead of {threshold} ({effect.rule})" if effect.rule else ""
    console.print(f"{effect.signal}: drop what is {effect.drops} {number(effect.at)}{replaced}", style="bold")
    table = _table("", "of", "passes now", "would pass", "change", "tokens now", "tokens then", "change")
    for part in (effect.all, effect.otherwise_kept):
        _add_split(table, part.name, part)
    if effect.sources:
        table.add_section()
        for part in effect.sources:
            _add_split(table, f"otherwise kept, from {printable(part.name)}", part)
    console.print(table)
    console.print(effect.note, style="dim", soft_wrap=True)


def _add_split(table: Table, name: str, part: Any) -> None:
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


def show_why(explanations: Sequence["Explanation"]) -> None:
    """Show each document's story."""
    console = _console()
    for place, told in enumerate(explanations):
        if place:
            console.rule()
        style = {"kept": "bold green", "duplicate": "bold yellow"}.get(told.fate, "bold red")
        console.print(Text(f"{told.fate}", style=style) + Text(f" at {told.stage}" + (f" by {printable(told.rule)}" if told.rule else "")))
        record = {
            "id": told.id,
            "url": told.url,
            "source": told.source,
            "origin": told.origin,
            "file": f"{told.file_path} at {told.offset}",
        }
        if told.value is not None:
            record["value"] = number(told.value) + (f" against {number(told.threshold)}" if told.threshold is not None else "")
        if told.evidence:
            record["evidence"] = told.evidence
        if told.duplicate_of:
            record["duplicate of"] = f"{told.duplicate_of} (similarity {number(told.similarity)})"
        elif told.cluster_size > 1:
            record["stayed for"] = f"a cluster of {told.cluster_size}"
        if told.place is not None:
            record["in the dataset"] = f"{told.place.file}, row {told.place.row}"
        record["text"] = f"{told.text_bytes:,} bytes"
        _pairs(console, record | {f"metadata {name}": value for name, value in told.metadata.items()})
        if told.rules:
            rules = _table("rule", "value", "drops", "verdict", title="Rules")
            for rule in told.rules:
                limit = "" if rule.threshold is None else f"{rule.drops or 'see'} {number(rule.threshold)}"
                verdict = Text("fails", style="red") if rule.fails else Text("passes", style="green")
                rules.add_row(printable(rule.rule), _value(rule.value), limit, verdict if rule.value is not None else "not measured")
            console.print(rules)
        others = {name: value for name, value in told.signals.items() if name not in {rule.signal for rule in told.rules}}
        if others:
            signals = _table("signal", "value", title="Other signals")
            for name, value in others.items():
                signals.add_row(printable(name), _value(value))
            console.print(signals)
        if told.text is not None:
            console.print(Text(printable(told.text)))


def show_duplicates(cluster: "Cluster") -> None:
    """Show a cluster: who stayed first, then who went, most similar first."""
    console = _console()
    table = _table(
        "", "similarity", "id", "url", "source", "text", "excerpt", title=f"A cluster of {cluster.size}", numbers_from=None, wrap=True
    )
    for member in cluster.members:
        went = member.fate != "kept"
        similarity = number(member.similarity) if member.similarity is not None else ""
        named = [printable(member.id, 60), printable(member.url or "", 80), printable(member.source)]
        fate = Text(member.rule or member.fate, style="yellow") if went else Text("stayed", style="bold green")
        table.add_row(fate, similarity, *named, size(member.text_bytes), printable(member.excerpt or ""))
    console.print(table)


def show_diff(difference: "Difference") -> None:
    """Show which documents went another way."""
    console = _console()
    counts = f"{difference.same:,} documents as before, {difference.changed:,} with another fate"
    console.print(
        f"{counts}, {difference.only_first:,} only in the first run, {difference.only_second:,} only in the second.", style="bold"
    )
    if difference.changes:
        table = _table("documents", "before", "after", "for example", numbers_from=0, numbers_to=0, wrap=True)
        for change in difference.changes:
            before, after = (printable(": ".join(filter(None, side))) for side in (change.before, change.after))
            table.add_row(f"{change.documents:,}", before, after, ", ".join(printable(name, 60) for name in change.examples))
        console.print(table)


def show_plan(plan: Any) -> None:
    """Show a plan, field by field."""
    show_fields(plan)


def show_training(result: Any) -> None:
    """Show what training gave, field by field."""
    show_fields(result)


def show_export(result: Mapping[str, Any]) -> None:
    """Show what was written."""
    _pairs(_console(), {name: _value(value) for name, value in result.items()})


def show_verification(result: "Verification") -> None:
    """Show what was checked and what was wrong."""
    console = _console()
    console.print(f"{result.files:,} files, {size(result.bytes)} hashed again.")
    if result.faults:
        console.print(f"{len(result.faults)} faults:", style="bold red")
        _lines(console, result.faults)
    else:
        console.print("All is as it was written.", style="bold green")


def show_filters(filters: Sequence["FilterSummary"]) -> None:
    """Show the catalogue."""
    table = _table("filter", "what it asks", numbers_from=None, wrap=True)
    for entry in filters:
        table.add_row(entry.name, entry.summary)
    _console().print(table)


def show_filter(described: "FilterDescription") -> None:
    """Show one filter: its docstring, parameters, signals and rules."""
    console = _console()
    console.print(Text(f"{described.name}\n\n{described.about}\n\n{described.details}\n"))
    parameters = _table("parameter", "type", "default", "moves", title="Parameters", numbers_from=None, wrap=True)
    for parameter in described.parameters:
        moves = "rules only: re-judges in seconds" if parameter.judges else "signals: measures again"
        parameters.add_row(parameter.name, parameter.type, _value(parameter.default), moves)
    signals = _table("signal", "type", title="Signals", numbers_from=None)
    for name, kind in described.signals.items():
        signals.add_row(name, kind)
    rules = _table("rule", "signal", "threshold", title="Rules", numbers_from=2)
    for name, (signal, threshold) in described.rules.items():
        rules.add_row(name, signal, _value(threshold))
    for table in (parameters, signals, rules):
        if table.row_count:
            console.print(table)


def show_fields(result: Any) -> None:
    """Show any dataclass: plain fields as pairs, lists of dataclasses as tables, a dataclass within it likewise below its name."""
    console = _console()
    fields = {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
    rows = {name: value for name, value in fields.items() if _is_rows(value)}
    parts = {name: value for name, value in fields.items() if dataclasses.is_dataclass(value)}
    _pairs(console, {name.replace("_", " "): _value(value) for name, value in fields.items() if name not in rows and name not in parts})
    for name, entries in rows.items():
        columns = [field.name for field in dataclasses.fields(entries[0])]
        table = _table(*(column.replace("_", " ") for column in columns), title=name.replace("_", " ").capitalize())
        for entry in entries:
            table.add_row(*(_value(getattr(entry, column)) for column in columns))
        console.print(table)
    for name, part in parts.items():
        console.print(f"\n{name.replace('_', ' ').capitalize()}", style="bold")
        show_fields(part)


def _console() -> Console:
    """Return a console on stdout; into a file or pipe, plain and wide."""
    console = Console(highlight=False, markup=False, emoji=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, emoji=False, width=_WIDTH_WHEN_PLAIN)


def _table(
    *columns: str, title: str | None = None, numbers_from: int | None = 1, numbers_to: int | None = None, wrap: bool = False
) -> Table:
    """Return a table whose first columns are words and, from `numbers_from` to `numbers_to`, numbers set to the right."""
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", header_style="bold", pad_edge=False)
    last = len(columns) if numbers_to is None else numbers_to
    for place, column in enumerate(columns):
        right = numbers_from is not None and numbers_from <= place <= last and column not in ("", "rule", "verdict")
        table.add_column(column, justify="right" if right else "left", overflow="fold", no_wrap=right and not wrap)
    return table


def _pairs(console: Console, pairs: Mapping[str, Any]) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs.items():
        if value not in (None, ""):
            grid.add_row(printable(name), printable(str(value)))
    console.print(grid)


def _lines(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(Text(f"  {printable(line)}"), soft_wrap=True)


def _is_rows(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(dataclasses.is_dataclass(entry) for entry in value)


def _value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_value(entry)}" for name, entry in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_value(entry) for entry in value)
    if dataclasses.is_dataclass(value):
        return ", ".join(f"{field.name.replace('_', ' ')} {_value(getattr(value, field.name))}" for field in dataclasses.fields(value))
    return printable(str(value))


def _minus(count: int) -> str:
    return f"-{count:,}" if count else "0"


def _length(count: int, most: int) -> int:
    return -(-_BAR * count // most) if most else 0


def _bar(count: int, most: int) -> str:
    return "█" * _length(count, most)

"""Results as tables for the terminal; `as_plain` returns the same results for programs.

Rendering reads the plain fields of results and computes nothing. Signals and plans have files of their own
(`pipelines.report.signal_tables`, `pipelines.plan.plan_tables`). Text from a crawl is printed as plain text: markup is off, and control
characters, which could move the cursor or change the direction of writing, appear as escapes.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from curation.counting import counted
from pipelines.inspect.sources import SHOWN, largest_flows, others_in_words
from pipelines.report.notes import notes_of
from pipelines.report.score_tables import show_score
from pipelines.terminal.sheets import Sheet
from pipelines.terminal.terminal import minus, new_console, new_table, print_lines, print_pairs, print_table, worded
from pipelines.terminal.wording import license_in_words, loss_in_words, lost_in_words, number, printable, size

if TYPE_CHECKING:
    from pipelines.inspect.diff import Difference
    from pipelines.inspect.extracting import PageStory
    from pipelines.inspect.flows import Flow, Funnel
    from pipelines.inspect.verify import Verification
    from pipelines.inspect.why import Cluster, EarlierCopy, Explanation
    from pipelines.recipes.catalogue import FilterDescription, FilterSummary
    from pipelines.report.summary import Summary


def as_plain(value: Any) -> Any:
    """Return a result as JSON types: dataclasses become objects, bytes become hex, and numbers that JSON lacks become null."""
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
    """Show the end of a run: its funnel, whether the books balance, and the paths of its results."""
    console = new_console()
    show_funnel(summary.funnel)
    books = summary.books
    if books.faults:
        console.print(f"\nThe books do not balance: {counted(len(books.faults), 'fault')}", style="bold red")
        print_lines(console, books.faults)
    else:
        generated = sum(books.synthetic_fates.values())
        console.print(f"\n{_balanced(books.records, generated)}", style="bold green")
        if books.lost:
            console.print(f"In addition, {lost_in_words(books.lost)}.")
    console.print()
    note = license_in_words(summary.license)
    if note:
        console.print(f"{note}\n", style="yellow")
    print_pairs(console, {"dataset": summary.dataset, "report": summary.report, "run": summary.out, "time": f"{summary.seconds:.1f} s"})


def _balanced(records: int, generated: int) -> str:
    """Return what the books that balance are about: the records read and the rows asked for, whichever there are."""
    told = [counted(count, noun) for count, noun in ((records, "record"), (generated, "generated row")) if count]
    return f"The books balance: {' and '.join(told) or 'no record'}, each with one fate."


def show_funnel(funnel: "Funnel") -> None:
    """Show the funnel: the documents read, those that each rule removed, and those kept; then the same by source."""
    console = new_console()
    of = "rows" if funnel.is_generated else "documents"
    columns = ("", "rule", of, "text", "share", "left", "already dropped")
    begins = "teacher" if funnel.is_generated else "crawl"
    steps = new_table(*columns, title=f"From the {begins} to the dataset", droppable=(6, 3, 4))
    if not funnel.is_generated:
        steps.add_row("read", "all records", f"{funnel.records:,}", "", "", "", "")
        for kind, count in funnel.ignored.items():
            steps.add_row("", f"not a document: {kind}", minus(count), "", "", "", "")
        _add_flow(steps, funnel.web, "documents")
    if funnel.synthetic is not None:
        steps.add_section()
        _add_flow(steps, funnel.synthetic, "generated rows")
    print_table(console, steps)
    idle = [step.rule for step in funnel.main.steps if not step.failing]
    if idle:
        console.print(f"{counted(len(idle), 'rule')} of the recipe matched no {'row' if funnel.is_generated else 'document'}.", style="dim")
    for note in notes_of(funnel):
        console.print(note, style="dim")
    for alarm in funnel.alarms[:SHOWN]:
        lost = loss_in_words(printable(alarm.source), alarm.duplicates, alarm.documents, alarm.alarm_share)
        console.print(f"Alarm: {lost}.", style="bold yellow")
    if len(funnel.alarms) > SHOWN:
        console.print(f"Alarm: {others_in_words(len(funnel.alarms) - SHOWN)} also lost more than that share.", style="bold yellow")
    if funnel.unknown_sources:
        named = ", ".join(map(printable, funnel.unknown_sources))
        console.print(f"The recipe prefers sources that have no document: {named}.", style="bold yellow")
    if len(funnel.sources) > 1:
        by_source = ("source", of, "kept", "share", "dropped", "duplicate", "unreadable", "tokens kept")
        sources = new_table(*by_source, title="By source", droppable=(3, 7, 6, 5, 4))
        for source in largest_flows(funnel.sources):
            fates = source.fates
            counts = [f"{fates[fate]:,}" for fate in ("dropped", "duplicate", "unreadable")]
            kept = [f"{source.kept.documents:,}", f"{source.kept_share:.1%}"]
            sources.add_row(printable(source.source), f"{source.came.documents:,}", *kept, *counts, f"{source.kept.tokens:,}")
        console.print()
        print_table(console, sources)
    if funnel.dataset is not None:
        made = funnel.dataset
        told = [counted(made.rows, "row"), counted(made.tokens, "token"), f"{size(made.bytes)} in {counted(made.files, 'file')}"]
        console.print(f"\nDataset: {', '.join(told)}.")


def _add_flow(table: Sheet, flow: "Flow", what: str) -> None:
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
        table.add_row(*shown, minus(taken.documents), text, f"{step.share:.1%}", f"{step.remaining:,}", f"{also:,}" if also else "")
        stage = step.stage
    kept = flow.kept
    share = f"{flow.kept_share:.1%}"
    table.add_row("kept", "", f"{kept.documents:,}", size(kept.text_bytes), share, f"{kept.documents:,}", "", style="bold green")


def show_why(explanations: Sequence["Explanation"]) -> None:
    """Explain the fate of each document."""
    console = new_console()
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
            record["value"] = number(told.value) + (f" (threshold {number(told.threshold)})" if told.threshold is not None else "")
        if told.evidence:
            record["evidence"] = told.evidence
        if told.duplicate_of:
            record["duplicate of"] = f"{told.duplicate_of} (similarity {number(told.similarity)})"
            record |= _of_earlier(told.earlier)
        elif told.cluster_size > 1 and told.fate == "kept":
            record["kept from"] = f"a cluster of {told.cluster_size} documents"
        if told.place is not None:
            record["in the dataset"] = f"{told.place.file}, row {told.place.row}"
        record["text"] = counted(told.text_bytes, "byte")
        print_pairs(console, record | {f"metadata {name}": value for name, value in told.metadata.items()})
        _show_measured(console, told)
        if told.score is not None:
            show_score(console, told.score)
        if told.cuts:
            cuts = new_table("bytes", "", title="Cut because the text repeats elsewhere", numbers_from=None)
            for cut in told.cuts:
                cuts.add_row(f"{cut.start:,} to {cut.end:,}", printable(cut.excerpt))
            print_table(console, cuts)
        if told.text is not None:
            console.print(Text(printable(told.text)))


def _show_measured(console: Console, told: "Explanation") -> None:
    """Show the rules that judged a document, and the signals without a rule."""
    if told.rules:
        rules = new_table("rule", "value", "drops", "verdict", title="Rules", droppable=(2,))
        for rule in told.rules:
            limit = "" if rule.threshold is None else f"{rule.drops or 'see'} {number(rule.threshold)}"
            verdict = Text("fails", style="red") if rule.fails else Text("passes", style="green")
            rules.add_row(printable(rule.rule), worded(rule.value), limit, verdict if rule.value is not None else "not measured")
        print_table(console, rules)
    others = {name: value for name, value in told.signals.items() if name not in {rule.signal for rule in told.rules}}
    if others:
        signals = new_table("signal", "value", title="Other signals")
        for name, value in others.items():
            signals.add_row(printable(name), worded(value))
        print_table(console, signals)


def _of_earlier(earlier: "EarlierCopy | None") -> dict[str, str]:
    """Return pairs that describe a document kept by an earlier run, or say why it cannot be read."""
    if earlier is None:
        return {}
    told = {"of earlier run": f"{earlier.run} at {earlier.place}" if earlier.place is not None else earlier.run}
    if earlier.fault is not None:
        return told | {"not found": earlier.fault}
    if earlier.document is not None:
        told |= {"there": f"{earlier.document.url or earlier.document.source}: {printable(earlier.document.excerpt, 200)}"}
    return told


def show_duplicates(cluster: "Cluster") -> None:
    """Show a cluster: first the kept document, then the dropped ones, most similar first."""
    console = new_console()
    columns = ("", "similarity", "id", "url", "source", "text", "excerpt")
    table = new_table(*columns, title=f"A cluster of {counted(cluster.size, 'document')}", numbers_from=None, droppable=(5, 4, 6))
    for member in cluster.members:
        went = member.fate != "kept"
        similarity = number(member.similarity) if member.similarity is not None else ""
        named = [printable(member.id, 60), printable(member.url or "", 80), printable(member.source)]
        fate = Text(member.rule or member.fate, style="yellow") if went else Text("stayed", style="bold green")
        table.add_row(fate, similarity, *named, size(member.text_bytes), printable(member.excerpt or ""))
    if cluster.earlier is not None:
        print_pairs(console, {"stayed": cluster.stayed, **_of_earlier(cluster.earlier)})
    print_table(console, table)


def show_diff(difference: "Difference") -> None:
    """Show the documents whose fate differs."""
    console = new_console()
    counts = f"{counted(difference.same, 'document')} with the same fate, {difference.changed:,} with another fate"
    console.print(
        f"{counts}, {difference.only_first:,} only in the first run, {difference.only_second:,} only in the second.", style="bold"
    )
    if difference.changes:
        table = new_table("documents", "before", "after", "for example", "url", numbers_from=0, numbers_to=0)
        for change in difference.changes:
            before, after = (printable(": ".join(filter(None, side))) for side in (change.before, change.after))
            told = (f"{change.documents:,}", before, after)
            for example in change.examples:
                table.add_row(*told, printable(example.id, 60), printable(example.url or "", 80))
                told = ("", "", "")
        print_table(console, table)


def show_training(result: Any) -> None:
    """Show the trained model, its training texts and its quality; its card has the rest."""
    told, console = result.held_out, new_console()
    facts: dict[str, Any] = {
        "model": result.model,
        "sha256": result.sha256,
        "size": size(result.bytes),
        "trainer": result.trainer,
        **result.settings,
        "settings tried": f"{len(result.tried)}; the same are tried by --trainer {result.among} --trials {len(result.tried)}",
        "texts learnt": result.rows,
        "copies left out": result.copies,
        "groups": result.groups,
    }
    print_pairs(console, {name: worded(value) for name, value in facts.items()})
    console.print(f"On {told.rows:,} texts of {told.groups:,} held-out groups, with the bounds of 95 % of resamples of whole groups:")
    names = {
        "ROC AUC, score at least 3": "auc",
        "average precision": "average_precision",
        "F1 at 3, rounded": "f1",
        "kappa, quadratic weights": "quadratic_kappa",
        "mean absolute error": "mean_absolute_error",
        "calibration error": "calibration_error",
    }
    bounds = {name: " to ".join(map(str, told.intervals.get(name, ()))) for name in names.values()}
    figures = {title: f"{worded(getattr(told, name))} ({bounds[name] or 'no bounds'})" for title, name in names.items()}
    print_pairs(console, figures)


def show_extractor_training(result: Any) -> None:
    """Show the trained weights, the pages they learnt from, and the word F1 on sites held out, by kind of page; the card has the rest."""
    console = new_console()
    facts = {
        "weights": result.weights,
        "sha256": result.sha256,
        "size": size(result.bytes),
        "pages": result.pages,
        "pages left out": result.left_out,
        "sites": result.sites,
        "blocks": result.blocks,
    }
    print_pairs(console, {name: worded(value) for name, value in facts.items()})
    console.print("Word F1 on held-out sites:")
    table = new_table("pages", "number", "F1", "in 95 % of resamples", "first model alone", numbers_to=4)
    for both, first in zip(result.held_out, result.held_out_first_model, strict=True):
        table.add_row(printable(both.kind), f"{both.pages:,}", f"{both.f1:.3f}", f"{both.low:.3f} to {both.high:.3f}", f"{first.f1:.3f}")
    print_table(console, table)


def show_pages(stories: "Sequence[PageStory]") -> None:
    """Show what extractors made of pages: a lone text as it is; else a table of the extractors, and their texts one below the other."""
    console = new_console()
    for place, story in enumerate(stories):
        alone = len(story.extracted) == 1 and not story.blocks
        if len(stories) > 1 or not alone:
            console.print(Text(("\n" if place else "") + printable(story.page), style="bold"), soft_wrap=True)
        if not alone:
            table = new_table("extractor", "words", "shared with the first", "facts", numbers_to=2)
            for made in story.extracted:
                table.add_row(
                    made.extractor, f"{made.words:,}", f"{made.shared_words:,}", printable(worded({"title": made.title, **made.facts}))
                )
            print_table(console, table)
        for made in story.extracted:
            if len(story.extracted) > 1:
                console.print(f"\n--- {made.extractor}", style="bold")
            if not story.blocks:
                for line in made.text.split("\n"):
                    console.print(Text(printable(line)), soft_wrap=True)
        if story.blocks:
            table = new_table("kept", "probability", "words", "linked", "tag", "begins with", numbers_to=3)
            for block in story.blocks:
                kept = "yes" if block.kept else "no"
                tag = f"{block.tag}, hidden" if block.hidden else block.tag
                table.add_row(
                    kept, f"{block.probability:.2f}", f"{block.words:,}", f"{block.linked_share:.0%}", tag, printable(block.text[:80])
                )
            print_table(console, table)


def show_export(result: Mapping[str, Any]) -> None:
    """Show the summary of an export."""
    print_pairs(new_console(), {name: worded(value) for name, value in result.items()})


def show_verification(result: "Verification") -> None:
    """Show what was checked and the faults found."""
    console = new_console()
    console.print(f"{counted(result.files, 'file')}, {size(result.bytes)} hashed again.")
    if result.faults:
        console.print(f"{counted(len(result.faults), 'fault')}:", style="bold red")
        print_lines(console, result.faults)
        print_lines(console, ["The command that made this folder writes again what is damaged or missing."])
    else:
        said = "All files are unchanged." if result.unfinished is None else "All files written so far are unchanged."
        console.print(said, style="bold green")
        if result.records is not None:
            console.print(_balanced(result.records, result.generated), style="bold green")
    if result.unfinished is not None:
        print_lines(console, [f"Note: {result.unfinished}."])
    if result.strangers:
        more = f" and {len(result.strangers) - 10:,} more" if len(result.strangers) > 10 else ""
        print_lines(console, [f"Not part of this run, and not checked: {', '.join(result.strangers[:10])}{more}"])
    if result.unchecked:
        console.print("Duplicates of earlier runs that can no longer be looked up:", style="dim")
        print_lines(console, result.unchecked)


def show_filters(filters: Sequence["FilterSummary"]) -> None:
    """Show the catalogue of filters."""
    table = new_table("filter", "what it asks", numbers_from=None)
    for entry in filters:
        table.add_row(entry.name, entry.summary)
    print_table(new_console(), table)


def show_filter(described: "FilterDescription") -> None:
    """Show one filter: its docstring, parameters, signals and rules."""
    console = new_console()
    console.print(Text(f"{described.name}\n\n{described.about}\n\n{described.details}\n"))
    parameters = new_table("parameter", "type", "default", "a change", title="Parameters", numbers_from=None)
    for parameter in described.parameters:
        effect = "only judges again" if parameter.judges else "measures again"
        parameters.add_row(parameter.name, parameter.type, worded(parameter.default), effect)
    signals = new_table("signal", "type", title="Signals", numbers_from=None)
    for name, kind in described.signals.items():
        signals.add_row(name, kind)
    rules = new_table("rule", "signal", "threshold", title="Rules", numbers_from=2)
    for name, (signal, threshold) in described.rules.items():
        rules.add_row(name, signal, worded(threshold))
    for table in (parameters, signals, rules):
        if table.row_count:
            print_table(console, table)

"""A plan on the terminal: the predicted costs of a run, the cost and drops of each filter, and the gates that would save time.

Rendering reads the plain fields of results and computes nothing.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.text import Text

from curation.counting import counted
from pipelines.plan.on_paper import READ_PRICE, WRITE_PRICE, driver_memory
from pipelines.recipes.stage_words import in_words
from pipelines.terminal.terminal import new_console, new_table, print_pairs, print_table, worded
from pipelines.terminal.wording import comparison_in_words, number, printable, size

if TYPE_CHECKING:
    from pipelines.plan.duplicates_plan import DuplicatesPlan
    from pipelines.plan.filter_plan import Arrangement, FilterPlan
    from pipelines.plan.on_paper import PaperStep
    from pipelines.plan.plan import Plan, StagePlan
    from synth.estimate import CostEstimate

_Stage = TypeVar("_Stage", "StagePlan", "PaperStep")


def show_plan(plan: "Plan") -> None:
    """Show a plan: its fields, then deduplication and filters."""
    console = new_console()
    web = {
        "input": f"{counted(plan.files, 'file')}, {size(plan.input_bytes)}",
        "done already": f"{plan.units_done:,} of {counted(plan.units, 'unit')} of input",
        "sample": f"{size(plan.sample_bytes)} of {size(plan.input_bytes)}",
        "kept of sample": f"{plan.sample_kept:,} of {counted(plan.sample_records, 'record')} ({plan.retention:.1%})",
        "expected": f"about {plan.kept:,} of {counted(plan.records, 'record')} kept; fewer if files contain copies of each other",
    }
    made = f"about {plan.rows_kept:,} of them kept" if plan.rows_kept is not None else "fewer are made, by what the checks reject"
    waiting = f", without waiting for {', '.join(plan.waits_for)}" if plan.waits_for else ""
    print_pairs(
        console,
        {
            "recipe": plan.recipe,
            **(web if plan.files else {}),
            "rows": f"{counted(plan.rows_asked, 'row')} asked for; {made}" if plan.rows_asked else "",
            "wall time": f"about {number(plan.wall_seconds)} s with {counted(plan.workers, 'worker')}{waiting}",
            "memory": f"{number(plan.peak_worker_mib)} MiB per worker",
            "disk": size(plan.disk_bytes),
            "teachers ready": ", ".join(plan.checked),
        },
    )
    steps = new_table("step", "core s", "disk", title="Steps")
    for words, stages in _by_words([stage for stage in plan.stages if plan.files or stage.disk_bytes]).items():
        steps.add_row(words, number(sum(stage.worker_seconds for stage in stages)), size(sum(stage.disk_bytes for stage in stages)))
    print_table(console, steps)
    if plan.paper:
        _show_paper(new_console(), plan)
    if plan.teaching:
        _show_teaching(console, plan.teaching, plan.prices_of)
    if plan.duplicates is not None:
        _show_duplicates(new_console(), plan.duplicates)
    if plan.filters is not None:
        console = new_console()
        _show_costs(console, plan.filters)
        _show_arrangements(console, plan.filters)


def _by_words(stages: "Sequence[_Stage]") -> "dict[str, list[_Stage]]":
    """Group the stages by their step in words, in the order of the run; one step may have several stages."""
    found: dict[str, list[_Stage]] = {}
    for stage in stages:
        found.setdefault(in_words(stage.stage), []).append(stage)
    return found


def _show_paper(console: Console, plan: "Plan") -> None:
    """Show what a corpus of another size would take, step by step."""
    title = f"On paper: {plan.documents:,} documents like the sample's, {counted(plan.workers, 'worker')}"
    table = new_table("step", "units", "core h", "hours", "disk", "requests", "USD", title=title, droppable=(1, 3))
    for words, steps in [*_by_words(plan.paper).items(), ("all", plan.paper)]:
        core_hours, hours, price = (sum(getattr(step, name) for step in steps) for name in ("core_hours", "hours", "price"))
        units, disk, requests = (sum(getattr(step, name) for step in steps) for name in ("units", "disk_bytes", "requests"))
        spent = (f"{core_hours:,.1f}", f"{hours:,.1f}", size(disk))
        table.add_row(words, f"{units:,}", *spent, f"{requests:,}", f"{price:,.2f}")
    print_table(console, table)
    console.print(
        f"The driver would hold about {size(driver_memory(plan.paper))}. An object store gets at least these requests, "
        f"at {READ_PRICE} USD a thousand reads and {WRITE_PRICE} a thousand writes; machines and storage cost extra. "
        "A small sample exaggerates: its units are small, and each has a fixed cost.",
        style="dim",
    )


def _show_teaching(console: Console, teaching: "Sequence[CostEstimate]", prices_of: str) -> None:
    """Show the questions to teachers, and their cost."""
    title = "Questions to teachers, cost in USD" + (f" at the prices of {prices_of}" if prices_of else "")
    heads = ("task", "teacher", "calls", "at most", "prompt tokens", "answer tokens", "low", "expected", "high")
    table = new_table(*heads, title=title, numbers_from=2)
    for each in teaching:
        costs = ("unknown" if cost is None else f"{cost:.4f}" for cost in (each.low, each.expected, each.high))
        counts = (f"{count:,}" for count in (each.calls, each.most_calls, each.prompt_tokens, each.answer_tokens))
        table.add_row(printable(each.task), printable(each.teacher), *counts, *costs)
    print_table(console, table)
    if answered := sum(each.answered for each in teaching):
        console.print(f"{counted(answered, 'question')} need no further reply: the log holds all of them.")
    known = [each for each in teaching if each.low is not None and each.expected is not None and each.high is not None]
    if known:
        low, expected, high = (sum(getattr(each, name) for each in known) for name in ("low", "expected", "high"))
        console.print(f"All of these: {low:.4f} to {high:.4f} USD, expected {expected:.4f}. --budget sets a limit.")
    if len(known) < len(teaching):
        console.print("Where a cost is unknown, set input_price and output_price of the teacher.", style="dim")


def _show_duplicates(console: Console, plan: "DuplicatesPlan") -> None:
    title = f"Deduplication: {comparison_in_words(plan.shingles, plan.bands, plan.rows, plan.threshold)}"
    table = new_table("similarity", *(number(each.similarity) for each in plan.meetings), title=title)
    table.add_row("found", *(f"{each.candidates:.1%}" for each in plan.meetings))
    print_table(console, table)
    needs = new_table("resource", "for", "bytes", title="Disk before compression, memory without the libraries", numbers_from=2)
    for takes, part, taken in (
        ("disk", "signatures", plan.signature_bytes),
        ("disk", "buckets", plan.bucket_bytes),
        ("disk", "comparison, with the sample's share of candidates", plan.comparison_bytes),
        ("disk", "comparison, if every document had a candidate", plan.full_comparison_bytes),
        ("memory", "a worker with its largest unit", plan.worker_bytes),
        ("memory", "the driver while it adds up the books", plan.driver_bytes),
    ):
        needs.add_row(takes, part, size(taken))
    print_table(console, needs)


def _show_costs(console: Console, plan: "FilterPlan") -> None:
    title = f"Filters, timed on {counted(plan.documents, 'document')} with {size(plan.text_bytes)} of text"
    table = new_table("filter", "core s per GB", "drops", "drops first", "drops of text", title=title, droppable=(4, 3))
    first = {part.part: part.asked_by[0] for part in plan.shared}
    for row in plan.filters:
        for part in plan.shared:
            if first[part.part] == row.filter:
                table.add_row(f"{part.part} (shared)", number(part.seconds_per_gb), "", "", "", style="dim")
        name = printable(row.filter) + (" (gate)" if row.gate else "")
        table.add_row(name, number(row.seconds_per_gb), *(f"{share:.1%}" for share in (row.drops, row.drops_first, row.drops_text)))
    print_table(console, table)


def _show_arrangements(console: Console, plan: "FilterPlan") -> None:
    table = new_table("measuring", "core s", "saved", "share", "order", title="Gates", numbers_to=3)
    for name, arranged in (("as written", plan.as_it_is), ("with gates", plan.gates), ("with gates, reordered", plan.order_and_gates)):
        saved = number(arranged.saved_seconds) if arranged.saved_seconds else ""
        table.add_row(name, worded(arranged.seconds), saved, f"{arranged.saved_share:.1%}" if saved else "", _told(arranged))
    print_table(console, table)
    if plan.suggestion is None:
        console.print("Gates would save little: keep the filters as they are.", style="dim")
        return
    print_pairs(console, {"note": plan.note})
    console.print("\nThe recipe's filters with the gates that save the most:\n")
    console.print(Text("\n".join(printable(line) for line in plan.suggestion.splitlines())), soft_wrap=True)


def _told(arranged: "Arrangement") -> str:
    """Return an order in words, with the share of the text that is left after each gate."""
    told, reached = [], 1.0
    for place in arranged.order:
        less = f"{place.reached_by:.0%} " if place.reached_by < reached else ""
        told.append(f"{less}{printable(place.filter)}{' |' if place.gate else ''}")
        reached = place.reached_by
    return ", ".join(told).replace("|,", "|")

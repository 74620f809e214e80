"""A signal by source or origin: the distribution in each of the largest, with sample texts at its levels.

A score that is right on the whole can be wrong for one source; its samples beside those of the others show it.

Invariant: each part is the summary of that source's documents alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from curation.errors import UsageError
from pipelines.inspect.looking import looks_at_runs
from pipelines.inspect.rules import read_rules
from pipelines.inspect.run_folder import checked_folder, places, scan_measured
from pipelines.inspect.sources import SHOWN
from pipelines.inspect.views import SignalSummary, full_name, summarise, with_samples

COLUMNS = ("source", "origin")


@dataclass(frozen=True)
class SignalPart:
    """The documents of one source, of which `kept` stay, and the signal over them."""

    name: str
    kept: int
    summary: SignalSummary


@dataclass(frozen=True)
class SignalSplit:
    """A signal in the largest parts of a run; `others` counts the parts that are not shown."""

    signal: str
    by: str
    parts: Sequence[SignalPart]
    others: int


@looks_at_runs()
def signal_by(folder: str, signal: str, by: str) -> SignalSplit:
    """Summarise a signal for each of the largest sources or origins. Raises UsageError for an unknown signal or column."""
    if by not in COLUMNS:
        raise UsageError(f"--by {by!r} is unknown; choose {' or '.join(COLUMNS)}")
    out = checked_folder(folder)
    found = places(out)
    name, kind = full_name(signal, found)
    rules = [rule for rule in read_rules(out).rules if rule.signal == name]
    table = scan_measured(found, ["key", "fate", "rule", "source"], [name]).rename({name: "value"})
    kept = (pl.col("fate") == "kept").sum().alias("kept")
    counts = table.group_by(by).agg(pl.len().alias("documents"), kept).sort(["documents", by], descending=[True, False])
    largest = counts.collect(engine="streaming")
    parts = []
    for part, _, stay in largest.head(SHOWN).iter_rows():
        rows = table.filter(pl.col(by) == part)
        parts.append(SignalPart(part, stay, with_samples(summarise(name, kind, [rows], rules), rows, found)))
    return SignalSplit(name, by, parts, max(0, largest.height - SHOWN))

"""The distribution of a signal over the documents, with sample texts at its quantiles and around its thresholds.

All counts come from the stored signals and the ledger, whose shards have the same rows. Text is read for the samples only.

Invariant: the same folder gives the same answer, since bins lie on a fixed grid and samples are chosen by value and key.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Literal

import polars as pl

from curation.choices import nearest
from curation.errors import UsageError
from pipelines.inspect.flows import Funnel
from pipelines.inspect.funnel import funnel
from pipelines.inspect.histogram import Bin, count_bins, grid
from pipelines.inspect.looking import looks_at_runs
from pipelines.inspect.rules import RecipeRule, read_rules
from pipelines.inspect.run_folder import ShardPlace, checked_folder, places, scan, scan_measured
from pipelines.inspect.samples import Sample, SampleQuery, take_samples
from pipelines.terminal.wording import number

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)

_SAMPLED = (0.05, 0.25, 0.5, 0.75, 0.95)
_AROUND = 3


@dataclass(frozen=True)
class Quantile:
    """The value below which this share of the documents lies. It is a value that occurs, not an interpolated one."""

    share: float
    value: float


@dataclass(frozen=True)
class Value:
    """A value of a text signal, with the number of documents that have it."""

    value: str
    documents: int
    kept: int


@dataclass(frozen=True)
class SignalSummary:
    """A signal over all measured documents; a text signal has `values` instead of quantiles and bins."""

    signal: str
    documents: int
    missing: int
    mean: float | None
    quantiles: Sequence[Quantile]
    scale: Literal["linear", "log", "values"]
    bins: Sequence[Bin]
    values: Sequence[Value]
    rules: Sequence[RecipeRule]
    samples: Sequence[Sample] = ()


@looks_at_runs()
def funnel_of(folder: str) -> Funnel:
    """Return the funnel of a run."""
    return funnel(folder)


@looks_at_runs()
def signal_summary(folder: str, signal: str) -> SignalSummary:
    """Summarise a signal, with samples. The name of its filter is optional if only one filter has a signal of that name.

    Raises UsageError for an unknown signal.
    """
    out = checked_folder(folder)
    found = places(out)
    name, kind = full_name(signal, found)
    table = scan_measured(found, ["key", "fate", "rule"], [name]).rename({name: "value"})
    return with_samples(summarise(name, kind, [table], [rule for rule in read_rules(out).rules if rule.signal == name]), table, found)


def summarise(signal: str, kind: Any, tables: Sequence[pl.LazyFrame], rules: Sequence[RecipeRule]) -> SignalSummary:
    """Summarise a signal without samples, from tables with `value` (of polars type `kind`), `fate` and `rule`; `rules` are its rules.

    The values are read at once, and the tables one after another.
    """
    if not has_thresholds(kind):
        return _summary_of_text(signal, pl.concat(tables), rules)
    value = pl.col("value")
    facts = finite(pl.concat([table.select("value") for table in tables])).select(
        pl.len().alias("rows"),
        value.null_count().alias("missing"),
        value.mean().alias("mean"),
        value.filter(value > 0).min().alias("least"),
        value.quantile(list(QUANTILES), interpolation="nearest").alias("quantiles"),
    )
    rows, missing, mean, least, values = facts.collect(engine="streaming").row(0)
    if rows == missing:
        return SignalSummary(signal, rows, missing, None, (), "linear", (), (), rules)
    quantiles = [Quantile(share, at) for share, at in zip(QUANTILES, values, strict=True)]
    scale, edges = grid(values[0], values[QUANTILES.index(0.5)], values[-1], least, kind.is_integer() or kind == pl.Boolean)
    counted = [count_bins(finite(table), edges, [rule.name for rule in rules]) for table in tables]
    bins = [_sum_of_bins(same) for same in zip(*counted, strict=True)]
    return SignalSummary(signal, rows, missing, mean, quantiles, scale, bins, (), rules)


def _sum_of_bins(same: Sequence[Bin]) -> Bin:
    sums = (sum(getattr(one, part) for one in same) for part in ("documents", "kept", "dropped_here"))
    return Bin(same[0].low, same[0].high, *sums)


def with_samples(summary: SignalSummary, table: pl.LazyFrame, found: Sequence[ShardPlace]) -> SignalSummary:
    """Return the summary of a table with sample texts: at quantiles and thresholds, or of the most frequent values."""
    choices = _of_values(table, summary) if summary.scale == "values" else _around(finite(table), summary)
    return replace(summary, samples=take_samples(choices, found))


def signals_in(found: Iterable[ShardPlace]) -> dict[str, Any]:
    """Return the name and polars type of every signal of a run, in recipe order."""
    for place in found:
        if place.signals is not None:
            schema = scan([place.signals]).collect_schema()
            return {name: kind for name, kind in schema.items() if name not in ("key", "id")}
    raise UsageError("this run has no signals: its recipe has no filters, or stages/2-measure was deleted")


def full_name(signal: str, found: Iterable[ShardPlace]) -> tuple[str, Any]:
    """Return the full name and type of a signal. Raises UsageError, with the nearest name, if no signal or more than one matches."""
    known = signals_in(found)
    matches = [signal] if signal in known else [name for name in known if name.partition(".")[2] == signal]
    if len(matches) > 1:
        raise UsageError(f"{signal!r} is a signal of several filters: {', '.join(matches)}")
    if not matches:
        names = known if "." in signal else [name.partition(".")[2] for name in known]
        raise UsageError(f"there is no signal {signal!r} in this run{nearest(signal, names)}")
    return matches[0], known[matches[0]]


def finite(table: pl.LazyFrame) -> pl.LazyFrame:
    """Return a table with `value` as a float; null replaces a value that is not a finite number."""
    value = pl.col("value").cast(pl.Float64)
    return table.with_columns(pl.when(value.is_finite()).then(value).alias("value"))


def has_thresholds(kind: Any) -> bool:
    """Return whether a signal of this polars type can have a threshold."""
    return bool(kind.is_numeric() or kind == pl.Boolean)


def _summary_of_text(signal: str, table: pl.LazyFrame, rules: Sequence[RecipeRule]) -> SignalSummary:
    kept = (pl.col("fate") == "kept").sum().alias("kept")
    counted = table.group_by("value").agg(pl.len().alias("documents"), kept).sort(["documents", "value"], descending=[True, False])
    counts = counted.collect(engine="streaming")
    missing = int(counts.filter(pl.col("value").is_null())["documents"].sum())
    values = [Value(str(row[0]), row[1], row[2]) for row in counts.filter(pl.col("value").is_not_null()).head(30).iter_rows()]
    return SignalSummary(signal, int(counts["documents"].sum()), missing, None, (), "values", (), values, rules)


def _of_values(table: pl.LazyFrame, summary: SignalSummary) -> list[SampleQuery]:
    """Choose one document for each of the most frequent values of a text signal."""
    chosen = []
    for value in summary.values[:10]:
        rows = table.filter(pl.col("value").cast(pl.String) == value.value).bottom_k(1, by="key")
        chosen.append(SampleQuery(f"is {value.value}", rows.with_columns(pl.lit(None, pl.Float64).alias("value"))))
    return chosen


def _around(numbers: pl.LazyFrame, summary: SignalSummary) -> list[SampleQuery]:
    """Choose documents at quantiles, and the nearest documents on both sides of each threshold; dropped and kept ones come first."""
    value = pl.col("value")
    chosen = []
    sampled = [quantile for quantile in summary.quantiles if quantile.share in _SAMPLED]
    for at, same in groupby(sampled, lambda quantile: quantile.value):
        shares = [f"{quantile.share:.0%}" for quantile in same]
        where = f"at {' to '.join(shares[:: max(1, len(shares) - 1)])}"
        chosen.append(SampleQuery(where, numbers.filter(value == at).bottom_k(1, by="key")))
    for rule in summary.rules:
        if rule.threshold is None or rule.drops is None:
            continue
        bound = number(rule.threshold)
        drops = value < rule.threshold if rule.drops == "below" else value > rule.threshold
        far = (value - rule.threshold).abs()
        dropped = numbers.filter(drops).sort((pl.col("rule") == rule.name).fill_null(False).not_(), far, "key").head(_AROUND)
        passing = numbers.filter(drops.not_()).sort(pl.col("fate") != "kept", far, "key").head(_AROUND)
        chosen += [SampleQuery(f"{rule.drops} {bound}", dropped), SampleQuery(f"not {rule.drops} {bound}", passing)]
    return chosen

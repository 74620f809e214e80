"""The documents that other thresholds would keep, from a run's stored signals and its ledger. No text is read and nothing is written.

The ledger lists the rules that each document fails. Rules with a new threshold are compared with the signals again; the ledger answers for
all other rules. This decides whether a document passes all rules. It does not decide whether deduplication would keep a document that the
run dropped before, or a copy of a document that is dropped now. Such documents count as "to compare": some would be kept, and some are
duplicates.

The rule of a gate decides which documents later filters measured. A document that passes the gate only now has no later signals, and a
missing signal fails no rule.

Invariant: a run with these thresholds would pass the same documents, unless one of the rules is a gate's.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from curation.choices import nearest
from curation.errors import UsageError
from pipelines.inspect.flows import AMOUNT, estimated_tokens
from pipelines.inspect.looking import looks_at_runs
from pipelines.inspect.rules import RecipeRule, read_rules
from pipelines.inspect.run_folder import checked_folder, measured_parts, places, scan_measured

TO_COMPARE = "to compare"
"""What would become of a document that passes and has not been compared with those that would be kept."""

_JUDGED = "judge"
"""What the ledger calls the stage of a document that a rule dropped."""

_FACTS = ["id", "url", "source", "fate", "rule", "stage", "failed", "duplicate_of", "duplicate_run", "cluster_size", "text_bytes"]
_NAMES = ["id", "url", "source", "fate", "rule"]

_RULES = pl.Schema({"rule": pl.String, "signal": pl.String, "drops": pl.String, "threshold": pl.Float64})


@dataclass(frozen=True, repr=False)
class Rejudged:
    """The fates of a run's documents under other thresholds.

    rules     the changed rules: `threshold` and `fails` of the run, and `threshold_after` and `fails_after`
    fates     documents, bytes of text and estimated tokens by `fate` in the run and by `after`
    sources   by source: documents that the run kept, that are still kept, and to compare
    """

    rules: pl.DataFrame
    fates: pl.DataFrame
    sources: pl.DataFrame
    _documents: pl.LazyFrame = field(compare=False)

    @property
    def kept(self) -> int:
        """The number of documents that the run keeps and that would pass all rules."""
        return self._after("kept")

    @property
    def to_compare(self) -> int:
        """The number of documents that would pass all rules, and would be kept unless they are duplicates."""
        return self._after(TO_COMPARE)

    def documents(self) -> pl.LazyFrame:
        """Return every measured document: its names, its `fate` and `rule` in the run, its fate `after`, and its signals."""
        return self._documents

    def __repr__(self) -> str:
        """Return the counts by rule and by fate."""
        return f"{self._summary()}\n{self.rules}\n{self.fates}"

    def _repr_html_(self) -> str:
        return f"<p>{self._summary()}</p>{self.rules._repr_html_()}{self.fates._repr_html_()}"

    def _summary(self) -> str:
        now = self.fates.filter(pl.col("fate") == "kept")["documents"].sum()
        return f"{self.kept:,} of {now:,} kept documents stay; {self.to_compare:,} others pass and would be compared"

    def _after(self, fate: str) -> int:
        return int(self.fates.filter(pl.col("after") == fate)["documents"].sum())


@dataclass(frozen=True)
class _Changed:
    """A rule of the recipe with another threshold; None disables it."""

    rule: RecipeRule
    threshold: float | None

    def fails(self) -> pl.Expr:
        """Return whether a document fails the changed rule, by the same comparison as in judge."""
        if self.threshold is None:
            return pl.lit(False)
        value = pl.col(self.rule.signal)
        return (value < self.threshold if self.rule.drops == "below" else value > self.threshold).fill_null(False)


@looks_at_runs()
def rejudge_run(folder: str, thresholds: Mapping[str, float | None]) -> Rejudged:
    """Return the documents that other thresholds would keep; `thresholds` maps rules or signals to new thresholds."""
    out = checked_folder(folder)
    changed = _resolve(thresholds, read_rules(out).rules)
    found = places(out)
    if not found:
        raise UsageError(f"{folder} has no ledger yet, so no document has a fate that other thresholds could change; end the run first")
    signals = list(dict.fromkeys(change.rule.signal for change in changed))
    measured = scan_measured(found, _FACTS, signals)
    judged = _with_fate_after(measured, _gone(measured, changed), changed)
    flags = [f"{side}{place}" for place in range(len(changed)) for side in ("fails", "fails_after")]
    size = pl.len().alias("documents"), pl.col("text_bytes").sum(), estimated_tokens(pl.col("text_bytes")).sum().alias("tokens")
    some = [scan_measured(part, _FACTS, signals) for part in measured_parts(found)]
    gone = pl.concat([_gone(part, changed).collect(engine="streaming") for part in some]).lazy()
    by = ["source", "fate", "after", *flags]
    parts = [_with_fate_after(part, gone, changed).group_by(by).agg(size).collect(engine="streaming") for part in some]
    counted = pl.concat(parts).group_by(by).agg(pl.col(AMOUNT).sum())
    by_fate = counted.group_by("fate", "after").agg(pl.col(AMOUNT).sum()).sort("fate", "after", descending=[True, False])
    kept, documents = pl.col("fate") == "kept", pl.col("documents")
    of_sources = [
        documents.filter(kept).sum().alias("kept"),
        documents.filter(kept & (pl.col("after") == "kept")).sum().alias("kept_after"),
        documents.filter(pl.col("after") == TO_COMPARE).sum().alias("to_compare"),
    ]
    by_source = counted.group_by("source").agg(of_sources).sort("source")
    fails = counted.select(documents.filter(pl.col(flag)).sum().alias(flag) for flag in flags)
    return Rejudged(_rules(changed, fails), by_fate, by_source, judged.select(*_NAMES, "after", "text_bytes", *signals))


def rules_table(rules: Sequence[RecipeRule]) -> pl.DataFrame:
    """Return each rule with its signal, the side of the threshold that it drops, and its threshold (null if it has none)."""
    return pl.DataFrame([(rule.name, rule.signal, rule.drops, rule.threshold) for rule in rules], _RULES, orient="row")


def _verdicts(table: pl.LazyFrame, changed: Sequence[_Changed]) -> pl.LazyFrame:
    """Add to every document whether it fails each changed rule before and after, and whether it passes all rules."""
    now = [pl.col("failed").list.contains(change.rule.name).fill_null(False).alias(f"fails{i}") for i, change in enumerate(changed)]
    then = [change.fails().alias(f"fails_after{i}") for i, change in enumerate(changed)]
    held = pl.sum_horizontal([pl.col(f"fails{i}").cast(pl.Int64) for i in range(len(changed))])
    others = pl.col("failed").list.len().fill_null(0).cast(pl.Int64) - held > 0
    passes = ~(others | pl.any_horizontal([pl.col(f"fails_after{i}") for i in range(len(changed))]))
    return table.with_columns(*now, *then).with_columns(passes.alias("passes"))


def _gone(table: pl.LazyFrame, changed: Sequence[_Changed]) -> pl.LazyFrame:
    """Return the documents that have duplicates and would not be kept: `duplicate_of` is their id."""
    gone = (pl.col("fate") == "kept") & ~pl.col("passes") & (pl.col("cluster_size") > 1)
    return _verdicts(table, changed).filter(gone).select(pl.col("id").alias("duplicate_of"), pl.lit(True).alias("freed"))


def _with_fate_after(table: pl.LazyFrame, gone: pl.LazyFrame, changed: Sequence[_Changed]) -> pl.LazyFrame:
    """Add to every document its verdicts and its new fate (`after`)."""
    was_compared = pl.col("fate").is_in(["kept", "duplicate"]) & ~pl.col("freed")
    after = (
        pl.when((pl.col("fate") == "dropped") & (pl.col("stage") != _JUDGED))
        .then(pl.col("fate"))
        .when(~pl.col("fate").is_in(["kept", "duplicate", "dropped"]))
        .then(pl.col("fate"))
        .when(~pl.col("passes"))
        .then(pl.lit("dropped"))
        .when(was_compared)
        .then(pl.col("fate"))
        .otherwise(pl.lit(TO_COMPARE))
    )
    judged = _verdicts(table, changed)
    copy = (pl.col("fate") == "duplicate") & pl.col("duplicate_run").is_null()
    copies = judged.filter(copy).join(gone, on="duplicate_of", how="left").with_columns(pl.col("freed").fill_null(False))
    return pl.concat([judged.filter(~copy).with_columns(pl.lit(False).alias("freed")), copies]).with_columns(after.alias("after"))


def _rules(changed: Sequence[_Changed], fails: pl.DataFrame) -> pl.DataFrame:
    kept = rules_table([change.rule for change in changed])
    return kept.with_columns(
        pl.Series("threshold_after", [change.threshold for change in changed], pl.Float64),
        pl.Series("fails", [int(fails[f"fails{i}"][0]) for i in range(len(changed))], pl.Int64),
        pl.Series("fails_after", [int(fails[f"fails_after{i}"][0]) for i in range(len(changed))], pl.Int64),
    )


def _resolve(thresholds: Mapping[str, float | None], rules: Sequence[RecipeRule]) -> list[_Changed]:
    """Return the named rules with their new thresholds."""
    if not thresholds:
        raise UsageError("say which thresholds to change, such as {'gopher_quality.too_few_words': 30}; Run.rules() lists them")
    changed: list[_Changed] = []
    for name, threshold in thresholds.items():
        rule = _rule_named(name, rules)
        if any(known.rule == rule for known in changed):
            raise UsageError(f"{name!r} means the rule {rule.name}, which is given a threshold already")
        if threshold is not None and (isinstance(threshold, bool) or not isinstance(threshold, int | float) or math.isnan(threshold)):
            raise UsageError(f"the threshold of {name!r} must be a number, or None to leave the rule out, not {threshold!r}")
        if threshold is not None and rule.drops is None:
            raise UsageError(f"the rule {rule.name} has no threshold; None leaves it out")
        changed.append(_Changed(rule, None if threshold is None else float(threshold)))
    return changed


def _rule_named(name: str, rules: Sequence[RecipeRule]) -> RecipeRule:
    """Return the rule with this name, or else the rule on the signal with this name; the filter's name is optional."""
    for told in (lambda rule: rule.name, lambda rule: rule.signal, lambda rule: _bare(rule.name), lambda rule: _bare(rule.signal)):
        matches = [rule for rule in rules if told(rule) == name]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise UsageError(f"{name!r} may mean several rules: {', '.join(rule.name for rule in matches)}")
    raise UsageError(f"this run has no rule {name!r}{nearest(name, [rule.name for rule in rules])}")


def _bare(name: str) -> str:
    return name.partition(".")[2]

"""Thresholds: the documents that another threshold on a signal would keep, and the curve of a range of thresholds.

Nothing is judged again. The ledger lists the rules that every document fails, so the signal alone shows the documents that a rule with
another threshold would keep; the dataset would contain those that fail no other rule and are no duplicates.

A threshold replaces the recipe's nearest threshold on the signal. For a signal without a threshold in the recipe, low values are dropped. A
document without the signal passes, as it does in judging.

Invariant: a point of the curve equals the result of `--at` for its threshold, because both use the same expressions.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from curation.errors import UsageError
from curation.storage.location import Location
from filters.contract import Side
from pipelines.inspect.flows import Amount, Split, estimated_tokens
from pipelines.inspect.looking import looks_at_runs
from pipelines.inspect.rules import RecipeRule, read_rules
from pipelines.inspect.run_folder import ShardPlace, checked_folder, places, scan_measured
from pipelines.inspect.views import finite, full_name, has_thresholds

THRESHOLD_NOTE = "Tokens are estimated (bytes / 4). Documents that come back have not been compared with others: some will be duplicates."

_EFFECT = ["source", "fate", "failed", "text_bytes"]
_SHARES = (0.0, 0.001, 0.005, 0.01, *(step / 50 for step in range(1, 50)), 0.99, 0.995, 0.999, 1.0)
"""The quantiles of a signal that are points of its curve."""


@dataclass(frozen=True)
class ThresholdEffect:
    """The documents that a threshold at `at` would keep: of all documents, and of those that no other rule or deduplication drops."""

    signal: str
    at: float
    drops: Side
    rule: str | None
    threshold: float | None
    all: Split
    otherwise_kept: Split
    sources: Sequence[Split]
    note: str


@dataclass(frozen=True)
class Point:
    """The documents that pass a threshold: of all documents, and of those that are otherwise kept. Each share is of its own group.

    recipe  whether this is the recipe's own threshold
    """

    at: float
    recipe: bool
    all: Amount
    share: float
    token_share: float
    otherwise_kept: Amount
    otherwise_share: float
    otherwise_token_share: float


@dataclass(frozen=True)
class Curve:
    """The thresholds that could replace the threshold of one rule (None: no rule), rising, and the documents that each would keep.

    `otherwise_kept` counts the documents that pass every other rule and are not duplicates.
    """

    rule: str | None
    threshold: float | None
    drops: Side
    all: Amount
    otherwise_kept: Amount
    points: Sequence[Point]


@dataclass(frozen=True)
class Retention:
    """The curves of a signal: one for each rule on it, or a single curve if the recipe has no rule on it."""

    signal: str
    documents: int
    missing: int
    curves: Sequence[Curve]
    note: str


@dataclass(frozen=True)
class AskedSignal:
    """A numeric signal, the place of its values, and the recipe's thresholds on it."""

    name: str
    kind: Any
    found: Sequence[ShardPlace]
    rules: Sequence[RecipeRule]

    @classmethod
    def of(cls, out: Location, signal: str) -> "AskedSignal":
        """Find a signal in a run. Raises UsageError if it is unknown or not a number."""
        found = places(out)
        name, kind = full_name(signal, found)
        if not has_thresholds(kind):
            raise UsageError(f"{name} is not a number, so it has no threshold; `curate inspect DIR --signal {name}` shows its values")
        return cls(name, kind, found, [rule for rule in read_rules(out).rules if rule.signal == name and rule.drops is not None])

    def replaced_by(self, at: float) -> RecipeRule | None:
        """Return the rule whose threshold is nearest to `at`."""
        return min(self.rules, key=lambda rule: _distance(rule.threshold, at)) if self.rules else None

    def judged(self, rule: RecipeRule | None) -> pl.LazyFrame:
        """Return source, text_bytes and value of every document, whether it passes `rule`, and whether it is otherwise kept."""
        return self.judged_by(self.found, {"": rule}).rename({"now ": "now", "otherwise ": "otherwise"})

    def judged_by(self, found: Sequence[ShardPlace], rules: Mapping[str, RecipeRule | None]) -> pl.LazyFrame:
        """Return the same for the documents of some places and for several rules; each rule's columns end with its name."""
        value = pl.col(self.name)
        verdicts = [verdict for name, rule in rules.items() for verdict in _verdicts(name, rule)]
        return scan_measured(found, _EFFECT, [self.name]).select(
            "source", "text_bytes", (value.cast(pl.UInt8) if self.kind == pl.Boolean else value).alias("value"), *verdicts
        )


def _verdicts(name: str, rule: RecipeRule | None) -> tuple[pl.Expr, pl.Expr]:
    fails = pl.col("failed").list.contains(rule.name).fill_null(False) if rule is not None else pl.lit(False)
    fails_others = (pl.col("failed").list.len().fill_null(0) - fails.cast(pl.UInt32)) > 0
    return (~fails).alias(f"now {name}"), (~fails_others & (pl.col("fate") != "duplicate")).alias(f"otherwise {name}")


@looks_at_runs()
def threshold_effect(folder: str, signal: str, at: float) -> ThresholdEffect:
    """Return the documents that a threshold at `at` would keep. Raises UsageError if the signal is unknown or not a number."""
    asked = AskedSignal.of(checked_folder(folder), signal)
    rule = asked.replaced_by(at)
    drops = side_of(rule)
    table = asked.judged(rule).with_columns(_passes(drops, at).alias("then"))
    amounts = [*_sums("of"), *_sums("now", pl.col("now")), *_sums("then", pl.col("then"))]
    kept = table.filter(pl.col("otherwise"))
    queries = [table.select(amounts), kept.select(amounts), kept.group_by("source").agg(amounts).sort("source")]
    everything, otherwise, sources = pl.collect_all(queries, engine="streaming")
    return ThresholdEffect(
        asked.name,
        at,
        drops,
        rule.name if rule is not None else None,
        rule.threshold if rule is not None else None,
        _split("all", everything.row(0, named=True)),
        _split("otherwise kept", otherwise.row(0, named=True)),
        [_split(row["source"], row) for row in sources.iter_rows(named=True)],
        THRESHOLD_NOTE,
    )


@looks_at_runs()
def retention(folder: str, signal: str) -> Retention:
    """Return the documents that thresholds at about sixty quantiles of a signal, and at the recipe's own threshold, would keep.

    Raises UsageError for an unknown signal, or one that is no number.
    """
    asked = AskedSignal.of(checked_folder(folder), signal)
    value = pl.col("value")
    facts = finite(asked.judged(None)).select(
        pl.len().alias("documents"),
        value.null_count().alias("missing"),
        value.quantile(list(_SHARES), interpolation="nearest").alias("quantiles"),
    )
    documents, missing, quantiles = facts.collect(engine="streaming").row(0)
    own = [rule.threshold for rule in asked.rules if rule.threshold is not None]
    thresholds = sorted({at for at in (*own, *(quantiles or ())) if at is not None})
    curves = []
    for rule in asked.rules or (None,):
        nearest = [at for at in thresholds if asked.replaced_by(at) is rule]
        curves.append(_curve(asked.judged(rule), rule, nearest))
    return Retention(asked.name, documents, missing, curves, THRESHOLD_NOTE)


def _curve(judged: pl.LazyFrame, rule: RecipeRule | None, thresholds: Sequence[float]) -> Curve:
    drops, otherwise = side_of(rule), pl.col("otherwise")
    sums = [*_sums("all"), *_sums("otherwise", otherwise)]
    for place, at in enumerate(thresholds):
        passes = _passes(drops, at)
        sums += [*_sums(f"all {place}", passes), *_sums(f"otherwise {place}", passes & otherwise)]
    row = judged.select(sums).collect(engine="streaming").row(0, named=True)
    everything, kept = _amount("all", row), _amount("otherwise", row)
    points = []
    for place, at in enumerate(thresholds):
        passing, staying = _amount(f"all {place}", row), _amount(f"otherwise {place}", row)
        own = rule is not None and rule.threshold == at
        points.append(Point(at, own, passing, *_shares(passing, everything), staying, *_shares(staying, kept)))
    name, threshold = (rule.name, rule.threshold) if rule is not None else (None, None)
    return Curve(name, threshold, drops, everything, kept, points)


def side_of(rule: RecipeRule | None) -> Side:
    """Return the side that a rule drops; without a rule, low values are dropped."""
    return rule.drops if rule is not None and rule.drops is not None else "below"


def _passes(drops: Side, at: float) -> pl.Expr:
    """Return whether a document passes a threshold."""
    value = pl.col("value")
    return ~(value < at if drops == "below" else value > at).fill_null(False)


def _sums(name: str, passes: pl.Expr | None = None) -> list[pl.Expr]:
    """Return the number of documents, and the bytes and the tokens of their text, for all documents or for those that pass."""
    size = pl.col("text_bytes")
    sizes = {"bytes": size, "tokens": estimated_tokens(size)}
    if passes is None:
        return [pl.len().alias(name), *(each.sum().alias(f"{name} {part}") for part, each in sizes.items())]
    of_passing = {part: pl.when(passes).then(each).otherwise(0) for part, each in sizes.items()}
    return [passes.sum().alias(name), *(each.sum().alias(f"{name} {part}") for part, each in of_passing.items())]


def _amount(name: str, row: dict[str, Any]) -> Amount:
    return Amount(row[name], row[f"{name} bytes"], row[f"{name} tokens"])


def _shares(part: Amount, whole: Amount) -> tuple[float, float]:
    """Return the share of the documents and the share of the tokens."""
    return part.documents / max(1, whole.documents), part.text_bytes / max(1, whole.text_bytes)


def _split(name: str, row: dict[str, Any]) -> Split:
    return Split(name, *(_amount(side, row) for side in ("of", "now", "then")))


def _distance(threshold: float | None, at: float) -> float:
    """Return the distance of a threshold from `at`, as a ratio if both are positive, so that 100 is nearer to 50 than to 100,000."""
    if threshold is None:
        return math.inf
    if threshold > 0 and at > 0:
        return abs(math.log(threshold / at))
    return abs(threshold - at)

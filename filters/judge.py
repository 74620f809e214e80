"""The stage Judge applies rules to stored signals, in recipe order. It reads no text, and only this stage depends on thresholds.

The first rule that a document fails decides. The verdict names it with the value and the threshold of the comparison. It also lists all
other rules that the document fails, so a researcher sees the effect of relaxing one rule.

Invariant: a document's verdict depends only on its own signals and the recipe's rules.
"""

import json
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
import pyarrow as pa

from curation.arrays import Column, Flags, JsonMapping, JsonValue, Table
from curation.engine.stage import Output, Stage, Unit
from curation.schema import VERDICTS
from curation.storage.shards import batches
from filters.contract import Filter, FilterChoice, failing


@dataclass(frozen=True)
class Judge(Stage):
    """Judges signals shards by the recipe's rules."""

    filters: tuple[FilterChoice, ...]
    name: ClassVar[str] = "3-judge"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "polars")

    def fields(self) -> JsonValue:
        """Return every field of every filter, including thresholds."""
        return {"filters": [choice.identity() for choice in self.filters]}

    def make(self, unit: Unit, output: Output) -> JsonMapping:
        """Judge one signals shard."""
        filters = [choice.build() for choice in self.filters]
        signals = unit.shard("signals")
        dropped = 0
        with output.shard(signals.name, VERDICTS) as writer:
            for batch in batches(signals):
                verdicts = judge(batch, filters)
                dropped += verdicts.num_rows - verdicts["rule"].null_count
                writer.write(verdicts)
        return {"documents": signals.rows, "dropped": dropped}


def judge(signals: Table, filters: list[Filter]) -> Table:
    """Return the VERDICTS of a signals table."""
    rows = signals.num_rows
    first = np.full(rows, -1)
    reasons: list[str] = []
    held: list[Flags] = []
    values, thresholds = np.full(rows, np.nan), np.full(rows, np.nan)
    evidence = np.full(rows, None, object)
    for made in filters:
        prefix = f"{made.name()}."
        own = pa.table({name: signals[prefix + name] for name in made.signal_types})
        for (reason, rule), fails in failing(made, own):
            decides = np.flatnonzero(fails & (first < 0))
            first[decides] = len(reasons)
            numeric = _is_number(made.signal_types[rule.signal])
            if numeric:
                values[decides] = own[rule.signal].cast(pa.float64()).to_numpy()[decides]
            if rule.threshold is not None:
                one = rule.single_threshold
                thresholds[decides] = one if one is not None else rule.thresholds(pl.DataFrame(own.take(decides)))
            named = rule.evidence if numeric else (rule.signal, *rule.evidence)
            if named and len(decides):
                evidence[decides] = _as_json(own.select(sorted(set(named))).take(decides))
            reasons.append(prefix + reason)
            held.append(fails)
    names = pa.array([*reasons, None], pa.string())
    return pa.table(
        {
            "key": signals["key"],
            "rule": names.take(pa.array(first % (len(reasons) + 1))),
            "value": pa.array(values, from_pandas=True),
            "threshold": pa.array(thresholds, from_pandas=True),
            "failed": _lists(held, names, rows),
            "evidence": pa.array(evidence, pa.string()),
        },
        schema=VERDICTS,
    )


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _as_json(seen: Table) -> list[str]:
    """Return each row of a table as a JSON object. Columns are encoded whole, since calling an encoder for every row is slow."""
    encode = json.JSONEncoder(ensure_ascii=False).encode
    columns = []
    for name, column in zip(seen.column_names, seen.columns, strict=True):
        values = column.to_pylist()
        written = encode(values)[1:-1].split(", ") if _is_number(column.type) else [encode(value) for value in values]
        columns.append([f"{encode(name)}: {value}" for value in written])
    return [f"{{{', '.join(row)}}}" for row in zip(*columns, strict=True)]


def _lists(held: list[Flags], names: Column, rows: int) -> Column:
    """Return the list of failed rules for each row."""
    if not held:
        return pa.array([[]] * rows, pa.list_(pa.string()))
    matrix = np.stack(held, axis=1)
    offsets = np.concatenate([[0], np.cumsum(matrix.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), names.take(pa.array(np.nonzero(matrix)[1])))

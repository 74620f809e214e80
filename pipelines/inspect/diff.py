"""Diff: the documents whose fate differs in a second run, grouped by fate and rule before and after.

Records are matched by key, which does not depend on recipe, folder or order. Records with the same key (copies of one record) are matched
in the order of file and offset.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipelines.inspect.looking import looks_at_runs
from pipelines.inspect.run_folder import checked_folder, scan_ledger

EXAMPLES = 5

_WAY = ["fate", "rule"]


@dataclass(frozen=True)
class ExampleDocument:
    """A document by its names."""

    id: str
    url: str | None


@dataclass(frozen=True)
class Change:
    """Documents with one fate and rule in the first run and another in the second."""

    before: tuple[str, str | None]
    after: tuple[str, str | None]
    documents: int
    text_bytes: int
    examples: Sequence[ExampleDocument]


@dataclass(frozen=True)
class Difference:
    """The differences between two runs, most frequent first; `only_first` and `only_second` count records missing from the other run."""

    same: int
    changed: int
    changes: Sequence[Change]
    only_first: int
    only_second: int
    examples_first: Sequence[ExampleDocument]
    examples_second: Sequence[ExampleDocument]


@looks_at_runs(2)
def diff(first: str, second: str) -> Difference:
    """Compare the web documents and the generated rows of two runs. Raises UsageError if a folder is not the folder of a run."""
    before, after = _fates(first), _fates(second)
    both, same = _paired(before, after), _goes_the_same_way()
    ways = ["fate", "rule", "fate_after", "rule_after"]
    examples = pl.struct("id", "url").bottom_k_by("key", EXAMPLES).alias("examples")
    size = pl.max_horizontal("text_bytes", "text_bytes_after").sum().alias("bytes")
    changes = both.filter(~same).group_by(ways).agg(pl.len().alias("documents"), size, examples)
    lonely = [one.join(other, on=["key", "turn"], how="anti") for one, other in ((before, after), (after, before))]
    queries = [both.select(same.sum().alias("same")), changes.sort("documents", *ways, descending=[True, *[False] * 4], nulls_last=True)]
    queries += [frame.select(pl.len().alias("rows"), examples.implode()) for frame in lonely]
    agreed, changed, only_first, only_second = pl.collect_all(queries, engine="streaming")
    rows = [
        Change((row["fate"], row["rule"]), (row["fate_after"], row["rule_after"]), row["documents"], row["bytes"], _named(row["examples"]))
        for row in changed.iter_rows(named=True)
    ]
    return Difference(
        int(agreed.item()),
        sum(change.documents for change in rows),
        rows,
        int(only_first["rows"][0]),
        int(only_second["rows"][0]),
        _named(only_first["examples"][0].to_list()),
        _named(only_second["examples"][0].to_list()),
    )


def _named(examples: Sequence[Mapping[str, Any]]) -> list[ExampleDocument]:
    return [ExampleDocument(**example) for example in examples]


@looks_at_runs(2)
def changed_documents(first: str, second: str) -> pl.LazyFrame:
    """Scan the documents whose fate or rule differs in the second run: id, url, source, and fate, rule and size before and after."""
    before, after = _fates(first), _fates(second)
    told = ["id", "url", "source", "fate", "rule", "text_bytes", "fate_after", "rule_after", "text_bytes_after"]
    return _paired(before, after).filter(~_goes_the_same_way()).select(told)


def _paired(before: pl.LazyFrame, after: pl.LazyFrame) -> pl.LazyFrame:
    return before.join(after, on=["key", "turn"], how="inner", suffix="_after")


def _goes_the_same_way() -> pl.Expr:
    return pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_after")) for name in _WAY)


def _fates(folder: str) -> pl.LazyFrame:
    """Return key, turn (a number among the records with that key), names, size, fate and rule of every record."""
    out = checked_folder(folder)
    columns = ["key", "id", "url", "source", "file_path", "offset", "text_bytes", *_WAY]
    ledgers = pl.concat([scan_ledger(out, "web").select(columns), scan_ledger(out, "synthetic").select(columns)])
    row = pl.int_range(pl.len())
    first_of_key = pl.when(pl.col("key").ne_missing(pl.col("key").shift())).then(row).forward_fill()
    return ledgers.sort("key", "file_path", "offset").with_columns((row - first_of_key).alias("turn"))

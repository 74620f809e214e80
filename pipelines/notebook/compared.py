"""The differences between two runs as frames: the counts that `curate diff` prints, and the documents behind them."""

from dataclasses import dataclass, field

import polars as pl

from pipelines.inspect.diff import Difference, changed_documents, diff

_CHANGES = pl.Schema(
    {
        "fate": pl.String(),
        "rule": pl.String(),
        "fate_after": pl.String(),
        "rule_after": pl.String(),
        "documents": pl.Int64(),
        "text_bytes": pl.Int64(),
        "examples": pl.List(pl.String),
    }
)


@dataclass(frozen=True, repr=False)
class Comparison:
    """Two runs side by side.

    same         records with the same fate and rule in both runs
    changed      records with another fate or rule in the second run
    only_first, only_second   records that the other run lacks
    changes      a row for every combination of fate and rule before and after, most frequent first, with some ids
    """

    same: int
    changed: int
    only_first: int
    only_second: int
    changes: pl.DataFrame
    _folders: tuple[str, str] = field(compare=False)

    def changed_documents(self) -> pl.LazyFrame:
        """Return every document whose fate or rule changed: its names, and fate, rule and size before and after."""
        return changed_documents(*self._folders)

    def __repr__(self) -> str:
        """Return the counts and the changes."""
        return f"{self._counts()}\n{self.changes}"

    def _repr_html_(self) -> str:
        return f"<p>{self._counts()}</p>{self.changes._repr_html_()}"

    def _counts(self) -> str:
        lonely = f"{self.only_first:,} only in the first run, {self.only_second:,} only in the second"
        return f"{self.changed:,} records go another way, {self.same:,} the same way; {lonely}"


def compare_runs(first: str, second: str) -> Comparison:
    """Compare two runs. Raises UsageError if a folder is not the folder of a run."""
    found = diff(first, second)
    return Comparison(found.same, found.changed, found.only_first, found.only_second, _table(found), (first, second))


def _table(found: Difference) -> pl.DataFrame:
    rows = [
        (*change.before, *change.after, change.documents, change.text_bytes, [example.id for example in change.examples])
        for change in found.changes
    ]
    return pl.DataFrame(rows, _CHANGES, orient="row")

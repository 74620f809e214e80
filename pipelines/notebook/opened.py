"""A run as an object: the folder that `curate run` or `curation.run` left.

This module only reads, and never runs code that the folder names, so a stranger's run is safe to open. An unfinished run can be opened too;
`state` describes its progress. Every call reads the folder again, so it sees the progress of a run that is still going on.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from curation.storage.location import Location
from pipelines.inspect.rejudged import Rejudged, rejudge_run, rules_table
from pipelines.inspect.rules import read_rules
from pipelines.inspect.run_folder import checked_folder
from pipelines.inspect.run_state import note_on, state_of
from pipelines.inspect.why import Explanation, why
from pipelines.notebook.compared import Comparison, compare_runs
from pipelines.notebook.tables import scan_documents, scan_ledgers, scan_signals


@dataclass(frozen=True)
class Run:
    """The folder of a run, made by `open_run`. Every method may raise CurationError if the folder is damaged."""

    folder: str

    @property
    def ended(self) -> bool:
        """Whether the run has ended."""
        return state_of(Location.of(self.folder)).ended

    @property
    def state(self) -> str:
        """The progress of the run, or the fault in its records; "ended" for a sound run that has ended."""
        return note_on(self.folder) or "ended"

    def ledger(self) -> pl.LazyFrame:
        """Return one row for every record and every generated row: its fate, and the reason."""
        return scan_ledgers(self.folder)

    def signals(self) -> pl.LazyFrame:
        """Return one row for every measured document: a column `<filter>.<signal>` for every signal, and its fate."""
        return scan_signals(self.folder)

    def documents(self) -> pl.LazyFrame:
        """Return all documents with their ingested text; the run kept those whose `fate` is "kept".

        The text in the dataset is shorter if the recipe cuts repeated lines.
        """
        return scan_documents(self.folder)

    def rules(self) -> pl.DataFrame:
        """Return the recipe's rules, which `rejudge` can change, in the order in which they were applied."""
        return rules_table(read_rules(checked_folder(self.folder)).rules)

    def why(self, name: str) -> list[Explanation]:
        """Explain every record with this id or URL (usually one): its signals, rules, fate and place in the dataset.

        Raises UsageError, with the nearest names, if there is none.
        """
        return why(self.folder, name)

    def rejudge(self, thresholds: Mapping[str, float | None]) -> Rejudged:
        """Return the documents that other thresholds would keep, from the stored signals; nothing is written.

        Name a threshold by its rule (`gopher_quality.too_few_words`), or by its signal if only one rule is on that signal
        (`gopher_quality.words`). The name of the filter is optional if the rest is unambiguous. None disables the rule. Raises UsageError
        for an unknown or ambiguous name, and for a threshold of a rule that has none.
        """
        return rejudge_run(self.folder, thresholds)

    def compare(self, other: "Run | str | os.PathLike[str]") -> Comparison:
        """Compare this run with another run, which counts as the later one."""
        return compare_runs(self.folder, other.folder if isinstance(other, Run) else os.fspath(other))

    def __repr__(self) -> str:
        """Return the folder and the progress of the run."""
        return f"Run({self.folder!r}, {self.state})"


def open_run(folder: str | os.PathLike[str]) -> Run:
    """Open the folder of a run, local or on an object store.

    Raises UsageError if it is not the folder of a run, and Refused if a link leads out of it.
    """
    checked_folder(os.fspath(folder))
    return Run(os.fspath(folder))

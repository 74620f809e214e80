"""A run as an object: the folder that `curate run` or `curation.run` left, to look at.

Looking only reads, and never runs what the folder names, so a stranger's run is safe to open. A run that has not ended can be looked at
too; `state` says how far it came. Every call looks at the folder anew, so that a run that goes on meanwhile is seen as it is.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from curation.storage.location import Location
from pipelines.inspect.rules import read_rules
from pipelines.inspect.run_folder import checked_folder
from pipelines.inspect.run_state import note_on, state_of
from pipelines.inspect.why import Explanation, why
from pipelines.notebook.compared import Comparison, compare_runs
from pipelines.notebook.rejudged import Rejudged, rejudge_run, rules_table
from pipelines.notebook.tables import scan_documents, scan_ledgers, scan_signals


@dataclass(frozen=True)
class Run:
    """The folder of a run. `open_run` makes one; all that is asked of it may raise CurationError where the folder is damaged."""

    folder: str

    @property
    def ended(self) -> bool:
        """Whether the run came to its end."""
        return state_of(Location.of(self.folder)).ended

    @property
    def state(self) -> str:
        """How far the run came, or what is wrong with its records; "ended" of a sound run that ended."""
        return note_on(self.folder) or "ended"

    def ledger(self) -> pl.LazyFrame:
        """Return one row for every record that was read, and for every generated one: what became of it, and why."""
        return scan_ledgers(self.folder)

    def signals(self) -> pl.LazyFrame:
        """Return what was measured: one row for every document, a column `<filter>.<signal>` for every signal, and its fate."""
        return scan_signals(self.folder)

    def documents(self) -> pl.LazyFrame:
        """Return the documents with their text as it was ingested, kept or not; what the run kept is where `fate` is "kept".

        The dataset's text is shorter where the recipe cuts repeated lines.
        """
        return scan_documents(self.folder)

    def rules(self) -> pl.DataFrame:
        """Return the recipe's rules in the order in which they were tried: what `rejudge` can change."""
        return rules_table(read_rules(checked_folder(self.folder)).rules)

    def why(self, name: str) -> list[Explanation]:
        """Return the story of every record with this id or URL, most often one: signals, rules, fate, place in the dataset.

        Raises UsageError, with the nearest names, where there is none.
        """
        return why(self.folder, name)

    def rejudge(self, thresholds: Mapping[str, float | None]) -> Rejudged:
        """Return what other thresholds would keep, from the stored signals; nothing is written.

        A threshold is that of a rule (`gopher_quality.too_few_words`), or of a signal on which there is one rule (`gopher_quality.words`);
        the filter's name may be left out where no other has the same. None leaves the rule out. Raises UsageError for a name that is
        unknown or ambiguous, and for a rule without a threshold that is given one.
        """
        return rejudge_run(self.folder, thresholds)

    def compare(self, other: "Run | str | os.PathLike[str]") -> Comparison:
        """Return which documents go another way in another run, which is taken as the later one."""
        return compare_runs(self.folder, other.folder if isinstance(other, Run) else os.fspath(other))

    def __repr__(self) -> str:
        """Return the folder, and how far the run came."""
        return f"Run({self.folder!r}, {self.state})"


def open_run(folder: str | os.PathLike[str]) -> Run:
    """Open the folder of a run, local or on an object store.

    Raises UsageError where it is not that of a run, Refused where a link in it leads out of it.
    """
    checked_folder(os.fspath(folder))
    return Run(os.fspath(folder))

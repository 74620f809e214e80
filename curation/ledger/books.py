"""The books must balance: every record that a reader counted has exactly one fate, and the dataset holds exactly the kept records.

No stage's own account of its output is trusted. Records come from the readers' counts (made before parsing, in ingest's sidecars); fates
are counted from the ledger on disk; dataset rows are counted from the files themselves.

    for every input file     records counted - ignored kinds  ==  ledger rows; and lost records that the reader counted in addition  ==
                             the number that the unreadable rows report (`records` in their evidence)
    for the synthesis        requests to a teacher  ==  rows of ledger/synthetic
    for every ledger row     its fate is one of FATES; a duplicate's `duplicate_of` is the id of a kept row, in this run or, if
                             `duplicate_run` is set, in that earlier run (checked if its ledger can still be opened)
    for the dataset          rows of origin web == kept web rows;  rows of origin synthetic == kept synthetic rows;
                             the ids of its rows are those of the kept rows, each equally often

Memory does not grow with the number of documents: files are read one row group at a time. The ledger's narrow columns are read once for
counting and twice for every `id_sets.HELD` duplicates; `curation.ledger.id_sets` compares ids in less than 600 MiB. The names of input
files and shards are held in memory.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyarrow.compute as pc

from curation.arrays import Column, Table
from curation.counting import counted
from curation.engine.leftovers import named_in, path_below
from curation.engine.stage import Workspace, finished_units
from curation.errors import BooksUnbalanced, CorruptShard
from curation.ingest.ingest import Ingest
from curation.ledger.id_sets import MOST_HELD, Multiset, id_differences, ids_not_among
from curation.schema import FATES
from curation.storage.location import Location
from curation.storage.shards import open_parquet, row_groups
from curation.system_errors import error_in_words

LedgerOf = Callable[[str], tuple[Sequence[Location], str]]
"""A function from the name of an earlier run to its ledger files and "", or to no files and the reason why it cannot be opened."""


UNBALANCED = "If somebody changed files below stages/, delete that folder and run the same command again; if not, this is a bug: report it."


@dataclass(frozen=True)
class Books:
    """The totals of a run, and every mismatch (`faults` is empty if the books balance).

    `lost` is the number of records without a row of their own: one unreadable row may represent many. `unchecked` lists earlier runs that
    cannot be opened any more; duplicates of their documents are not verified.
    """

    records: int
    ignored: Mapping[str, int]
    fates: Mapping[str, int]
    synthetic_fates: Mapping[str, int]
    dataset: Mapping[str, int]
    faults: Sequence[str]
    unchecked: Sequence[str] = ()
    lost: int = 0

    def require_balance(self) -> None:
        """Raise BooksUnbalanced, naming every file that does not balance, unless all do."""
        if self.faults:
            told = "\n  ".join(self.faults[:50])
            raise BooksUnbalanced(f"the books do not balance:\n  {told}\n{UNBALANCED}")


def add_up(out: Location, ledger_of: LedgerOf, held: int = MOST_HELD, foreign: Set[Location] = frozenset()) -> Books:
    """Count everything again from the files in OUT and from the earlier runs they refer to. Holds about `held` ids at once.

    `foreign` files are not opened: they lie in OUT, but are not of this run.
    """
    faults: list[str] = []
    unchecked: list[str] = []
    readable: dict[str, int] = {}
    ignored: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    for unit in finished_units(Workspace(out), Ingest):
        for file, facts in unit.counts["files"].items():
            readable[file] = facts["records"] - sum(facts["ignored"].values())
            ignored.update(facts["ignored"])
            lost[file] += facts.get("lost", 0)
    web = _read_ledger(out / "ledger", faults, foreign)
    synthetic = _read_ledger(out / "ledger" / "synthetic", faults, foreign)
    for file in sorted(readable.keys() | web.records.keys()):
        expected, found = readable.get(file, 0), web.records.get(file, 0)
        if expected != found:
            faults.append(f"{file}: the reader counted {expected:,} records that need a fate, but the ledger has {found}")
        if lost[file] != web.lost[file]:
            faults.append(f"{file}: the reader counted {lost[file]} further lost records, but the ledger's rows report {web.lost[file]}")
    requests = _count_requests(out, "stages/6-replies")
    if requests != sum(synthetic.fates.values()):
        faults.append(f"synthesis: {requests} requests to a teacher, but {sum(synthetic.fates.values())} rows in ledger/synthetic")
    faults += _dangling("ledger", web, web.files, held)
    faults += _dangling("ledger/synthetic", synthetic, [*web.files, *synthetic.files], held)
    for run in sorted(name for name in web.pointing.keys() | synthetic.pointing.keys() if name is not None):
        faults += _dangling_earlier(run, (web, synthetic), ledger_of, unchecked, held)
    dataset = _read_dataset(out / "dataset" / "data", faults, foreign)
    faults += _strangers(dataset, (web, synthetic), held)
    for origin, ledger in (("web", web), ("synthetic", synthetic)):
        there, kept = dataset.origins.get(origin, 0), ledger.fates.get("kept", 0)
        if there != kept:
            faults.append(f"dataset: {there} rows of origin {origin}, but the ledger keeps {kept}")
    records = sum(readable.values()) + ignored.total()
    told = dict(sorted(ignored.items())), dict(web.fates), dict(synthetic.fates), dict(dataset.origins)
    return Books(records, *told, faults, unchecked, lost.total())


def _tables_in(folder: Location, foreign: Set[Location] = frozenset()) -> list[Location]:
    names = [facts.location for facts in folder.files() if facts.location.name.endswith(".parquet")]
    return [location for location in names if not location.name.startswith(".") and location not in foreign]


def _count_requests(out: Location, folder: str) -> int:
    """Count the requests to a teacher, from shards that are written before any reply is read."""
    requests, ours = 0, named_in(out, folder).shards
    for location in _tables_in(out / folder):
        if path_below(out, location) not in ours:
            continue
        with open_parquet(location) as file:
            requests += file.metadata.num_rows
    return requests


@dataclass
class _Ledger:
    """The content of some ledger files: rows by input file and by fate, duplicates by the run they point into (None: this run), kept ids.

    `lost` is the number of records without a row of their own, by input file.
    """

    files: list[Location] = field(default_factory=list)
    records: Counter[str] = field(default_factory=Counter)
    fates: Counter[str] = field(default_factory=Counter)
    pointing: Counter[str | None] = field(default_factory=Counter)
    kept: Multiset = field(default_factory=Multiset)
    lost: Counter[str] = field(default_factory=Counter)

    def include(self, other: "_Ledger") -> None:
        self.files += other.files
        self.records.update(other.records)
        self.fates.update(other.fates)
        self.pointing.update(other.pointing)
        self.lost.update(other.lost)
        self.kept.include(other.kept)


def _read_ledger(folder: Location, faults: list[str], foreign: Set[Location]) -> _Ledger:
    """Count the rows of all readable files; an unreadable file counts for nothing and is not read again."""
    ledger = _Ledger()
    for location in _tables_in(folder, foreign):
        try:
            found = _read_ledger_file(location)
        except CorruptShard as error:
            faults.append(str(error))
            continue
        ledger.include(found)
        unsaid = found.fates["duplicate"] - found.pointing.total()
        if unsaid:
            faults.append(f"{location}: {counted(unsaid, 'duplicate does', 'duplicates do')} not name a survivor")
    for fate in ledger.fates:
        if fate not in FATES:
            faults.append(f"{folder}: {ledger.fates[fate]} rows have the fate {fate!r}, which does not exist")
    return ledger


def _read_ledger_file(location: Location) -> _Ledger:
    found = _Ledger([location])
    for table in row_groups(location, ["id", "file_path", "fate", "duplicate_of", "duplicate_run", "evidence"]):
        found.records.update(_tally(table["file_path"]))
        found.fates.update(_tally(table["fate"]))
        found.kept.add(_kept(table))
        pointing = table.filter(pc.and_(pc.equal(table["fate"], "duplicate"), pc.is_valid(table["duplicate_of"])))
        found.pointing.update(_tally(pointing["duplicate_run"]))
        found.lost.update(_lost(table))
    return found


def _lost(table: Table) -> Counter[str]:
    """Return how many records beyond their own row the unreadable rows of each input file represent."""
    several = table.filter(pc.and_(pc.equal(table["fate"], "unreadable"), pc.match_substring(table["evidence"], '"records": ')))
    lost: Counter[str] = Counter()
    for file, evidence in zip(several["file_path"].to_pylist(), several["evidence"].to_pylist(), strict=True):
        lost[file] += json.loads(evidence).get("records", 1) - 1
    return lost


def _tally(column: Column) -> dict[Any, int]:
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(column).to_pylist()}


def _kept(table: Table) -> Column:
    return table["id"].filter(pc.equal(table["fate"], "kept"))


def _kept_in(files: Sequence[Location]) -> Iterator[Column]:
    """Yield the ids of kept rows in ledger files."""
    for file in files:
        for table in row_groups(file, ["id", "fate"]):
            yield _kept(table)


def _pointed_at(files: Sequence[Location], run: str | None) -> Iterator[Column]:
    """Yield the ids of a run (None: this run) that the duplicates in ledger files point at."""
    for file in files:
        for table in row_groups(file, ["fate", "duplicate_of", "duplicate_run"]):
            named = pc.is_null(table["duplicate_run"]) if run is None else pc.equal(table["duplicate_run"], run)
            yield table["duplicate_of"].filter(pc.and_(pc.equal(table["fate"], "duplicate"), named)).drop_null()


def _dangling(name: str, ledger: _Ledger, kept_in: Sequence[Location], held: int) -> list[str]:
    """Return a fault if duplicates point at ids that are not kept."""
    pointed = partial(_pointed_at, ledger.files, None)
    missing = ids_not_among(pointed, ledger.pointing[None], partial(_kept_in, kept_in), held)
    return (
        [f"{name}: {counted(missing.rows, 'duplicate points', 'duplicates point')} at ids that are not kept, such as {missing.example!r}"]
        if missing
        else []
    )


def _dangling_earlier(run: str, ledgers: Sequence[_Ledger], ledger_of: LedgerOf, unchecked: list[str], held: int) -> list[str]:
    """Return a fault if duplicates point at ids that an earlier run did not keep."""
    files, fault = ledger_of(run)
    pointed = partial(_pointed_at, [file for ledger in ledgers for file in ledger.files], run)
    missing = None
    if not fault:
        try:
            missing = ids_not_among(pointed, sum(ledger.pointing[run] for ledger in ledgers), partial(_kept_in, files), held)
        except (CorruptShard, OSError) as error:
            fault = f"the ledger of the earlier run {run} cannot be read: {error_in_words(error)}"
    if fault:
        unchecked.append(fault)
    if missing is None:
        return []
    return [
        f"ledger: duplicates point at {counted(missing.ids, 'id')} that the earlier run {run} does not keep, such as {missing.example!r}"
    ]


@dataclass
class _Dataset:
    """The content of the dataset's files: rows of each origin, and ids."""

    files: list[Location] = field(default_factory=list)
    origins: Counter[str] = field(default_factory=Counter)
    ids: Multiset = field(default_factory=Multiset)

    def include(self, other: "_Dataset") -> None:
        self.files += other.files
        self.origins.update(other.origins)
        self.ids.include(other.ids)


def _read_dataset(folder: Location, faults: list[str], foreign: Set[Location]) -> _Dataset:
    """Count the rows of all readable files."""
    dataset = _Dataset()
    for location in _tables_in(folder, foreign):
        found = _Dataset([location])
        try:
            for table in row_groups(location, ["id", "origin"]):
                found.origins.update(_tally(table["origin"]))
                found.ids.add(table["id"])
        except CorruptShard as error:
            faults.append(str(error))
            continue
        dataset.include(found)
    return dataset


def _ids_in(files: Sequence[Location]) -> Iterator[Column]:
    for file in files:
        for table in row_groups(file, ["id"]):
            yield table["id"]


def _strangers(dataset: _Dataset, ledgers: Sequence[_Ledger], held: int) -> list[str]:
    """Return faults for dataset rows that the ledger does not keep, for repeated rows, and for missing kept rows."""
    kept = Multiset()
    for ledger in ledgers:
        kept.include(ledger.kept)
    files = [file for ledger in ledgers for file in ledger.files]
    found = id_differences(partial(_ids_in, dataset.files), partial(_kept_in, files), (dataset.ids, kept), held)
    told = (
        (found.strange, "rows are not kept by the ledger"),
        (found.again, "rows occur more often than the ledger keeps them"),
        (found.missing, "kept rows are missing"),
    )
    return [f"dataset: {some.counted} {what}, such as {some.example!r}" for some, what in told if some is not None]

"""The books: every record that a reader counted has exactly one fate, and the dataset holds just the kept.

Nothing here trusts a stage's own word about its output. Records come from the readers' counts (made before parsing, in ingest's sidecars);
fates are counted from the ledger as it lies on disk; dataset rows are counted from the files themselves.

    for every input file     records counted - ignored kinds  ==  ledger rows
    for the synthesis        requests to a teacher  ==  rows of ledger/synthetic
    for every ledger row     one of the FATES; a duplicate's duplicate_of is the id of a kept row: of this run's, or where there
                             is a duplicate_run of that earlier run's, if its ledger can still be opened
    for the dataset          rows of origin web == kept web rows;  rows of origin synthetic == kept synthetic rows;
                             every row's id is that of a kept row, and every kept row's id is there
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curation.errors import BooksUnbalanced, CorruptShard
from curation.ingest import Ingest
from curation.location import Location
from curation.schema import FATES
from curation.shards import open_parquet
from curation.stage import Workspace, finished_units

LedgerOf = Callable[[str], tuple[Sequence[Location], str]]
"""Takes the name of an earlier run and returns the files of its ledger and "", or none and why it cannot be opened."""


@dataclass(frozen=True)
class Books:
    """The totals of a run, and what does not add up (empty: they balance).

    `unchecked` says which earlier runs cannot be opened any more: what is a duplicate of theirs is taken at its word.
    """

    records: int
    ignored: Mapping[str, int]
    fates: Mapping[str, int]
    synthetic_fates: Mapping[str, int]
    dataset: Mapping[str, int]
    faults: Sequence[str]
    unchecked: Sequence[str] = ()

    def require_balance(self) -> None:
        """Raise BooksUnbalanced, naming every file that is out, unless the books balance."""
        if self.faults:
            raise BooksUnbalanced("the books do not balance:\n  " + "\n  ".join(self.faults[:50]))


def add_up(out: Location, ledger_of: LedgerOf) -> Books:
    """Count everything again from what lies in OUT; what is said of earlier runs is looked up in theirs."""
    faults: list[str] = []
    unchecked: list[str] = []
    counted: dict[str, int] = {}
    ignored: Counter[str] = Counter()
    for unit in finished_units(Workspace(out), Ingest):
        for file, facts in unit.counts["files"].items():
            counted[file] = facts["records"] - sum(facts["ignored"].values())
            ignored.update(facts["ignored"])
    web = _read_ledger(out / "ledger", faults)
    synthetic = _read_ledger(out / "ledger" / "synthetic", faults)
    for file in sorted(counted.keys() | web.files.keys()):
        expected, found = counted.get(file, 0), web.files.get(file, 0)
        if expected != found:
            faults.append(f"{file}: the reader counted {expected} records to be judged, the ledger has {found}")
    requests = _count_requests(out / "stages" / "6-replies")
    if requests != sum(synthetic.fates.values()):
        faults.append(f"synthesis: {requests} requests to a teacher, but {sum(synthetic.fates.values())} rows in ledger/synthetic")
    faults += _dangling(web, web, "ledger")
    faults += _dangling(synthetic, web, "ledger/synthetic", synthetic)
    for run in sorted(web.pointed_earlier.keys() | synthetic.pointed_earlier.keys()):
        faults += _dangling_earlier(run, [*web.pointed_earlier[run], *synthetic.pointed_earlier[run]], ledger_of, unchecked)
    dataset, ids = _read_dataset(out / "dataset" / "data", faults)
    faults += _strangers(ids, [*web.kept, *synthetic.kept])
    for origin, ledger in (("web", web), ("synthetic", synthetic)):
        kept = ledger.fates.get("kept", 0)
        if dataset.get(origin, 0) != kept:
            faults.append(f"dataset: {dataset.get(origin, 0)} rows of origin {origin}, but the ledger keeps {kept}")
    records = sum(counted.values()) + ignored.total()
    return Books(records, dict(sorted(ignored.items())), dict(web.fates), dict(synthetic.fates), dict(dataset), faults, unchecked)


def _count_requests(folder: Location) -> int:
    """Count what a teacher was asked, in the shards that hold requests before anything reads the replies."""
    requests = 0
    for facts in folder.files():
        if facts.location.name.endswith(".parquet"):
            with open_parquet(facts.location) as file:
                requests += file.metadata.num_rows
    return requests


@dataclass
class _Ledger:
    """What one ledger folder holds: rows by file, by fate; ids kept; ids pointed at, in this run and in each earlier one."""

    files: Counter[str] = field(default_factory=Counter)
    fates: Counter[str] = field(default_factory=Counter)
    kept: list[Any] = field(default_factory=list)
    pointed: list[Any] = field(default_factory=list)
    pointed_earlier: defaultdict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))


def _read_ledger(folder: Location, faults: list[str]) -> _Ledger:
    ledger = _Ledger()
    for facts in folder.files():
        if not facts.location.name.endswith(".parquet"):
            continue
        try:
            with open_parquet(facts.location) as file:
                table = file.read(columns=["id", "file_path", "fate", "duplicate_of", "duplicate_run"])
        except (CorruptShard, pa.ArrowInvalid) as error:
            faults.append(f"{facts.location}: {error}")
            continue
        ledger.files.update(_tally(table["file_path"]))
        ledger.fates.update(_tally(table["fate"]))
        ledger.kept.append(table["id"].filter(pc.equal(table["fate"], "kept")))
        duplicates = table.filter(pc.equal(table["fate"], "duplicate"))
        ledger.pointed.append(duplicates["duplicate_of"].filter(pc.is_null(duplicates["duplicate_run"])))
        for run in duplicates["duplicate_run"].drop_null().unique().to_pylist():
            ledger.pointed_earlier[run].append(duplicates["duplicate_of"].filter(pc.equal(duplicates["duplicate_run"], run)))
        if duplicates["duplicate_of"].null_count:
            faults.append(f"{facts.location}: {duplicates['duplicate_of'].null_count} duplicates do not say of what")
    for fate in ledger.fates:
        if fate not in FATES:
            faults.append(f"{folder}: {ledger.fates[fate]} rows have the fate {fate!r}, which is none")
    return ledger


def _tally(column: Any) -> dict[str, int]:
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(column).to_pylist()}


def _dangling(ledger: _Ledger, kept: _Ledger, name: str, also: _Ledger | None = None) -> list[str]:
    """Return a fault for ids that duplicates point at but nobody kept."""
    known = [column for source in (kept, also) if source is not None for column in source.kept]
    missing = _not_among(_joined(ledger.pointed), known).drop_null()
    if len(missing) == 0:
        return []
    return [f"{name}: {len(missing)} duplicates point at ids that are not kept, such as {missing[0].as_py()!r}"]


def _dangling_earlier(run: str, pointed: list[Any], ledger_of: LedgerOf, unchecked: list[str]) -> list[str]:
    """Return a fault for ids that an earlier run did not keep though duplicates point at them there.

    Of that run's ids no more are held at a time than are looked for, so that each is looked at a few times and memory stays this run's.
    """
    missing = _joined(pointed).drop_null().unique()
    files, fault = ledger_of(run)
    kept: list[Any] = []
    try:
        for file in files:
            with open_parquet(file) as opened:
                table = opened.read(columns=["id", "fate"])
            kept.append(table["id"].filter(pc.equal(table["fate"], "kept")))
            if sum(map(len, kept)) > len(missing):
                missing, kept = _not_among(missing, kept), []
    except (CorruptShard, pa.ArrowInvalid, OSError) as error:
        fault = f"the ledger of the earlier run {run} cannot be read: {error}"
    if fault:
        unchecked.append(fault)
        return []
    missing = _not_among(missing, kept)
    if len(missing) == 0:
        return []
    return [f"ledger: duplicates point at {len(missing)} ids that the earlier run {run} does not keep, such as {missing[0].as_py()!r}"]


def _joined(columns: list[Any]) -> Any:
    return pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string())


def _not_among(ids: Any, known: list[Any]) -> Any:
    return ids.filter(pc.invert(pc.is_in(ids, _joined(known).combine_chunks())))


def _strangers(ids: list[Any], kept: list[Any]) -> list[str]:
    """Return a fault for dataset rows that the ledger does not keep, and one for kept rows that are missing (others then stand twice)."""
    strange = _not_among(_joined(ids), kept)
    faults = [f"dataset: {len(strange)} rows are not kept by the ledger, such as {strange[0].as_py()!r}"] if len(strange) else []
    missing = _not_among(_joined(kept), ids)
    return [*faults, f"dataset: {len(missing)} kept rows are not there, such as {missing[0].as_py()!r}"] if len(missing) else faults


def _read_dataset(folder: Location, faults: list[str]) -> tuple[Counter[str], list[Any]]:
    """Return the rows of each origin, and all ids."""
    rows: Counter[str] = Counter()
    ids = []
    for facts in folder.files():
        if not facts.location.name.endswith(".parquet"):
            continue
        try:
            with open_parquet(facts.location) as file:
                table = file.read(columns=["id", "origin"])
        except (CorruptShard, pa.ArrowInvalid) as error:
            faults.append(f"{facts.location}: {error}")
            continue
        rows.update(_tally(table["origin"]))
        ids.append(table["id"])
    return rows, ids

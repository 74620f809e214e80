"""The books: every record that a reader counted has exactly one fate, and the dataset holds just the kept.

Nothing here trusts a stage's own word about its output. Records come from the readers' counts (made before parsing, in ingest's sidecars);
fates are counted from the ledger as it lies on disk; dataset rows are counted from the files themselves.

    for every input file     records counted - ignored kinds  ==  ledger rows
    for the synthesis        requests to a teacher  ==  rows of ledger/synthetic
    for every ledger row     one of the FATES; a duplicate's duplicate_of is the id of a kept row (of an earlier run's where
                             there is a duplicate_run)
    for the dataset          rows of origin web == kept web rows;  rows of origin synthetic == kept synthetic rows;
                             every row's id is that of a kept row, and every kept row's id is there
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curation.errors import BooksUnbalanced, CorruptShard
from curation.ingest import Ingest
from curation.location import Location
from curation.schema import FATES
from curation.shards import open_parquet
from curation.stage import Workspace, finished_units


@dataclass(frozen=True)
class Books:
    """The totals of a run, and what does not add up (empty: they balance)."""

    records: int
    ignored: Mapping[str, int]
    fates: Mapping[str, int]
    synthetic_fates: Mapping[str, int]
    dataset: Mapping[str, int]
    faults: Sequence[str]

    def require_balance(self) -> None:
        """Raise BooksUnbalanced, naming every file that is out, unless the books balance."""
        if self.faults:
            raise BooksUnbalanced("the books do not balance:\n  " + "\n  ".join(self.faults[:50]))


def add_up(out: Location) -> Books:
    """Count everything again from what lies in OUT."""
    faults: list[str] = []
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
    dataset, ids = _read_dataset(out / "dataset" / "data", faults)
    faults += _strangers(ids, [*web.kept, *synthetic.kept])
    for origin, ledger in (("web", web), ("synthetic", synthetic)):
        kept = ledger.fates.get("kept", 0)
        if dataset.get(origin, 0) != kept:
            faults.append(f"dataset: {dataset.get(origin, 0)} rows of origin {origin}, but the ledger keeps {kept}")
    records = sum(counted.values()) + ignored.total()
    return Books(records, dict(sorted(ignored.items())), dict(web.fates), dict(synthetic.fates), dict(dataset), faults)


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
    """What one ledger folder holds: rows by file, by fate; ids kept; ids pointed at."""

    files: Counter[str]
    fates: Counter[str]
    kept: list[Any]
    pointed: list[Any]


def _read_ledger(folder: Location, faults: list[str]) -> _Ledger:
    ledger = _Ledger(Counter(), Counter(), [], [])
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
    if not ledger.pointed:
        return []
    known = [chunk for source in (kept, also) if source is not None for column in source.kept for chunk in column.chunks]
    values = pa.chunked_array(known, pa.string()) if known else pa.chunked_array([[]], pa.string())
    pointed = pa.chunked_array([chunk for column in ledger.pointed for chunk in column.chunks], pa.string())
    missing = pointed.filter(pc.invert(pc.is_in(pointed, values.combine_chunks())))
    missing = missing.drop_null()
    if len(missing) == 0:
        return []
    return [f"{name}: {len(missing)} duplicates point at ids that are not kept, such as {missing[0].as_py()!r}"]


def _strangers(ids: list[Any], kept: list[Any]) -> list[str]:
    """Return a fault for dataset rows that the ledger does not keep, and one for kept rows that are missing (others then stand twice)."""
    rows = pa.chunked_array([chunk for column in ids for chunk in column.chunks], pa.string())
    known = pa.chunked_array([chunk for column in kept for chunk in column.chunks], pa.string())
    strange = rows.filter(pc.invert(pc.is_in(rows, known.combine_chunks())))
    faults = [f"dataset: {len(strange)} rows are not kept by the ledger, such as {strange[0].as_py()!r}"] if len(strange) else []
    missing = known.filter(pc.invert(pc.is_in(known, rows.combine_chunks())))
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

"""Verify: check that every file is still as it was written.

A finished run has contents.json, which names every file. Verification hashes each file again, checks the digests inside records, compares
the manifest with contents.json, and adds up the books again. It checks the files of an unfinished run against their sidecars and the
lines of its indexes against their own digests, and reports that the books cannot balance yet. It checks a dataset alone (a folder with
manifest.json) against its manifest.

A shard in the ledger or the dataset that no record names is a fault, because anyone who loads the folder would train on it. Any other file
that no record names is reported as a stranger and not opened.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from curation.counting import counted
from curation.engine.index import INDEXES, damaged_lines
from curation.engine.leftovers import named_by_stages, path_below, strangers_in
from curation.engine.stage import SEAL, SHARD_ENDINGS, outputs_recorded
from curation.errors import InputError
from curation.ingest.ingest import Ingest
from curation.ledger.books import Books, add_up
from curation.storage.carried import damaged_carried
from curation.storage.contents import CONTENTS, LIVE, Contents, differences_from, digest_at
from curation.storage.location import Location
from curation.storage.ownership import RULES_FILE, RUN, refuse_links_out
from curation.storage.records import CorruptRecord, find_record, read_record
from pipelines.inspect.earlier_runs import ledger_of
from pipelines.inspect.run_state import state_of

_PUBLIC = ("ledger", "dataset", "data", "sft", "dpo")
"""The folders that hold shards for others to read, in a run or in an export."""

_ENDINGS = (*SHARD_ENDINGS, ".jsonl.zst", ".bin", ".idx", ".ds", ".ds.index", ".ds.metadata", ".npy")
"""Endings of the files in those folders that somebody may train on: those of a run, and those of an export's formats."""

_PUBLIC_BEGIN = tuple(f"{name}/" for name in _PUBLIC)


@dataclass(frozen=True)
class Verification:
    """The checked files and bytes, the faults found, and the duplicates that could not be checked because an earlier run is gone.

    `strangers` are harmless files of others. `unfinished` says which stages of an unfinished run are done; None for a finished run or a
    dataset. `records` and `generated` count the records and the generated rows of the books; `records` is None if they were not added up.
    """

    files: int
    bytes: int
    faults: Sequence[str]
    unchecked: Sequence[str] = ()
    unfinished: str | None = None
    strangers: Sequence[str] = ()
    records: int | None = None
    generated: int = 0


@dataclass
class _Checked:
    """The state of a check: path below the folder -> recorded SHA-256 for hashed files; other recorded files; bytes read; and faults."""

    recorded: dict[str, str] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    bytes: int = 0
    faults: list[str] = field(default_factory=list)


def verify(folder: Location) -> Verification:
    """Check a run or a dataset. Raises InputError if the folder is neither, and Refused if a link leads out of it."""
    refuse_links_out(folder)
    is_run = any((folder / name).exists() for name in ("stages", CONTENTS, RUN))
    dataset = folder if (folder / "manifest.json").facts() is not None else folder / "dataset"
    if not is_run and not (dataset / "manifest.json").exists():
        absent = "" if folder.is_folder() else ": there is no such folder"
        raise InputError(f"{folder} holds no run and no dataset{absent}; give the --out of a `curate run` or of a `curate export`")
    state = state_of(folder) if is_run else None
    checked = _Checked()
    if state is not None and state.fault:
        checked.faults.append(state.fault)
    if state is not None and state.contents is not None:
        _check_contents(folder, state.contents, checked)
    elif state is not None:
        _check_sidecars(folder, checked)
    has_ended = state is None or state.ended
    if has_ended or (dataset / "manifest.json").exists():
        _check_manifest(folder, dataset, checked)
    strangers = _strangers(folder, checked.recorded.keys() | checked.named) if is_run else []
    checked.faults += [f"{place} is not what the run put there" for place in damaged_carried(folder)] if is_run else []
    foreign = _misleading(folder, checked.recorded.keys() | checked.named)
    if has_ended:
        told_foreign = "is in no record of this folder; it is not ours, or what names it is damaged; move it elsewhere"
        checked.faults += [f"{place} {told_foreign}" for place in foreign]
    books = None
    if (has_ended or (state is not None and state.unbalanced)) and (folder / "stages" / Ingest.name).exists():
        books = _check_books(folder, checked, frozenset(foreign))
    told = state.told if state is not None and not has_ended else None
    found = len(checked.recorded), checked.bytes, sorted(set(checked.faults))
    if books is None:
        return Verification(*found, (), told, strangers)
    return Verification(*found, books.unchecked, told, strangers, books.records, sum(books.synthetic_fates.values()))


def damaged_files(folder: Location) -> list[str]:
    """Return the faults in the files of a run, without adding up its books."""
    state, checked = state_of(folder), _Checked()
    if state.fault:
        checked.faults.append(state.fault)
    if state.contents is not None:
        _check_contents(folder, state.contents, checked)
    else:
        _check_sidecars(folder, checked)
    return sorted(set(checked.faults))


def _check_contents(folder: Location, contents: Contents, checked: _Checked) -> None:
    """Hash every file that a finished run left."""
    checked.bytes += differences_from(folder, contents, checked.faults)
    checked.recorded |= {path: sha256 for path, (_, sha256) in {**contents.files, **contents.logs}.items()}
    _check_records(folder, LIVE, checked)


def _check_sidecars(folder: Location, checked: _Checked) -> None:
    """Hash every recorded shard of an unfinished run, and check its records."""
    named = named_by_stages(folder).values()
    there = [path for each in named for path in sorted(each.records | each.journals)]
    checked.named.update(there, *(each.shards for each in named))
    for path in there:
        place = folder / path
        if not path.endswith(".json") or place.facts() is None:
            continue
        checked.recorded[path] = ""
        try:
            outputs = outputs_recorded(folder, place) if place.name != SEAL else []
            find_record(place)
        except CorruptRecord as error:
            checked.faults.append(str(error))
            continue
        for output, _, sha256 in outputs:
            _check(folder, output, sha256, checked)
    _check_records(folder, (RUN, RULES_FILE), checked)
    for facts in (folder / INDEXES).files(recursive=True):
        checked.recorded[path_below(folder, facts.location)] = ""
        checked.bytes += facts.size
        if wrong := damaged_lines(facts.location):
            told = f"{counted(wrong, 'line')} changed since; the run's command writes it again"
            checked.faults.append(f"{facts.location} is not what was written: {told}")


def _check_records(folder: Location, names: Sequence[str], checked: _Checked) -> None:
    for name in names:
        try:
            find_record(folder / name)
        except CorruptRecord as error:
            checked.faults.append(str(error))


def _check_manifest(folder: Location, dataset: Location, checked: _Checked) -> None:
    """Compare the manifest with the recorded digests of the dataset's files, or with the files themselves if none are recorded."""
    try:
        content = read_record(dataset / "manifest.json")
        if "unfinished" in content:
            checked.faults.append(f"{dataset}: {content['unfinished']}")
            return
        entries = dict(_entries(content))
    except CorruptRecord as error:
        checked.faults.append(str(error))
        return
    except (KeyError, TypeError) as error:
        checked.faults.append(f"{dataset / 'manifest.json'} is no manifest: {error!r}")
        return
    below = dataset.path.removeprefix(folder.path).lstrip("/")
    for file, sha256 in entries.items():
        path = f"{below}/{file}" if below else file
        known = checked.recorded.get(path)
        if known is None:
            _check(folder, path, sha256, checked)
        elif known != sha256:
            checked.faults.append(f"{dataset / file}: the manifest says that its sha256 is {sha256}, recorded is {known}")


def _entries(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for entry in [*content["shards"], *content["sft"], *content.get("dpo", ())]:
        yield str(entry["file"]), str(entry["sha256"])
        for beside in entry.get("beside", ()):
            yield str(beside["file"]), str(beside["sha256"])


def _misleading(folder: Location, named: Set[str]) -> list[Location]:
    """Return the shards that no record names but that readers would load."""
    shards = (facts.location for name in _PUBLIC for facts in (folder / name).files(recursive=True))
    return [place for place in shards if place.name.endswith(_ENDINGS) and path_below(folder, place) not in named]


def _strangers(folder: Location, named: Set[str]) -> list[str]:
    """Return the files in a run's folder that no record names, except those that `_misleading` reports."""
    return [path for path in strangers_in(folder, named) if not (path.startswith(_PUBLIC_BEGIN) and path.endswith(_ENDINGS))]


def _check_books(folder: Location, checked: _Checked, foreign: Set[Location]) -> Books | None:
    """Add up the books without `foreign` files, and add their faults.

    If damaged files make the books illegible, add one more fault and return None.
    """
    try:
        books = add_up(folder, partial(ledger_of, folder), foreign=foreign)
    except Exception as error:
        if not checked.faults:
            raise
        checked.faults.append(f"the books cannot be added up before that is mended ({type(error).__name__}: {error})")
        return None
    checked.faults += books.faults
    return books


def _check(folder: Location, path: str, sha256: str, checked: _Checked) -> None:
    """Hash a file of the folder, and add a fault if it is missing or differs."""
    try:
        place = folder.within(path)
    except ValueError as error:
        checked.faults.append(str(error))
        return
    checked.recorded[path] = sha256
    found = digest_at(place)
    if found is None:
        checked.faults.append(f"{place} is missing")
        return
    checked.bytes += found[0]
    if found[1] != sha256:
        checked.faults.append(f"{place} is not what was written: its sha256 is {found[1]}, recorded is {sha256}")

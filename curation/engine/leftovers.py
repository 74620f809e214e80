"""Leftovers are files that our records name but that belong to no unit any more; only such files are deleted.

Three records name the files of a stage: a unit's sidecar names its shards, the seal names all files as of the stage's last completion, and
the journal of an unfinished unit names the files that it writes (`curation.storage.journal`). Any of them may be damaged or missing: files
that the others name are still ours. A file that none of them names is a stranger: it is never deleted or overwritten.

Invariants
    - Names lead to the stage's own folder, the ledger or the dataset, and nowhere else, whatever a record says.
    - A temporary file is ours if its name has our form and a record names its final file.
"""

import json
import re
from collections.abc import Iterable, Set
from dataclasses import dataclass
from functools import lru_cache

from curation.engine.stage import SEAL, SHARD_ENDINGS, shards_recorded
from curation.errors import Refused
from curation.storage.contents import read_contents
from curation.storage.journal import JOURNAL_ENDING, is_torn, read_journal
from curation.storage.location import TEMPORARY, FileFacts, Location
from curation.storage.ownership import FIXED, KEPT
from curation.storage.records import CorruptRecord

PUBLIC = ("ledger", "dataset")
"""Folders below OUT whose shards readers find by listing. A reader would take a stranger's shard there for one of ours."""

_TEMPORARY = re.compile(re.escape(TEMPORARY) + r"[0-9a-f]{32}-(.+)", re.DOTALL)


@dataclass(frozen=True)
class NamedFiles:
    """Files that the records in a folder of sidecars name, as paths below OUT.

    records   sidecars of finished units, and the seal
    journals  journals in this folder
    shards    shards, wherever they are
    others    all other files in the folder: strangers
    """

    records: frozenset[str] = frozenset()
    journals: frozenset[str] = frozenset()
    shards: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()


class Listing:
    """Lists folders below OUT, each once: nothing else writes to them meanwhile."""

    def __init__(self, out: Location, there: Iterable[FileFacts] = ()) -> None:
        """Start from a listing that was made before: all files of some folders."""
        self._out = out
        self._listed: dict[str, list[FileFacts]] = {}
        for facts in there:
            self._listed.setdefault(path_below(out, facts.location).rpartition("/")[0], []).append(facts)

    @property
    def folders(self) -> list[str]:
        """The folders that are listed already, as paths below OUT."""
        return sorted(self._listed)

    def __call__(self, folder: str) -> list[FileFacts]:
        """Return the files in a folder (a path below OUT; "" is OUT)."""
        if folder not in self._listed:
            self._listed[folder] = (self._out / folder if folder else self._out).files()
        return self._listed[folder]


def named_in(out: Location, folder: str, listing: Listing | None = None) -> NamedFiles:
    """Read the records in a folder of sidecars (a path below OUT); skip a sidecar that the seal or a journal names."""
    there = {facts.location.name: facts.location for facts in (listing or Listing(out))(folder)}
    records, journals, shards = set[str](), set[str](), set[str]()
    sealed = _sealed(there[SEAL], folder) if SEAL in there else None
    if sealed is not None:
        units, files = sealed
        records |= {SEAL, *(f"{unit}.json" for unit in units)}
        shards |= set(files)
    for name in sorted(there):
        journal = read_journal(there[name]) if name.endswith(JOURNAL_ENDING) else None
        if journal is not None:
            journals.add(name)
            records.add(f"{name.removesuffix(JOURNAL_ENDING)}.json")
            shards |= {f"{journal[0]}/{file}" for file in journal[1]}
    for name in sorted(there.keys() - records):
        recorded = shards_recorded(there[name]) if name.endswith(".json") and not name.startswith(TEMPORARY) else None
        if recorded is not None:
            records.add(name)
            shards |= set(recorded)
    found = (records, journals, there.keys() - records - journals)
    mine, kept, others = (frozenset(f"{folder}/{name}" for name in names) for names in found)
    return NamedFiles(mine, kept, frozenset(shard for shard in shards if _may_be(shard)), others)


def _sealed(seal: Location, folder: str) -> tuple[list[str], list[str]] | None:
    """Return the units and the shards (as paths below OUT) that a seal names; None for a file that is not a seal."""
    try:
        content = json.loads(seal.read_bytes())
        if not isinstance(content["digest"], str):
            return None
        files = [f"{content.get('folder', folder)}/{file}" for file in content.get("files", [])]
        return [str(unit) for unit in content.get("names", [])], files
    except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _may_be(shard: str) -> bool:
    """Return whether a shard named in a record can be ours at all."""
    parts = shard.split("/")
    return parts[0] in (*PUBLIC, "stages") and not {"", ".", ".."} & set(parts) and shard.endswith(SHARD_ENDINGS)


def sweep(out: Location, folders: Iterable[str], known: Iterable[str], listing: Listing | None = None) -> list[str]:
    """Delete temporaries of dead attempts for the `known` files in some folders (paths below OUT; "" is OUT); return their names."""
    wanted, found = set(known), []
    listing = listing or Listing(out)
    for folder in sorted(set(folders)):
        for facts in listing(folder):
            match = _TEMPORARY.fullmatch(facts.location.name)
            if match and f"{folder}/{match[1]}".removeprefix("/") in wanted:
                facts.location.delete()
                found.append(match[1])
    return sorted(found)


def remove_stale(out: Location, named: NamedFiles, kept: Iterable[str]) -> list[str]:
    """Delete files that the records name and `kept` does not (paths below OUT), records last; return the names of deleted files."""
    stays = set(kept)
    removed = []
    for path in (*sorted(named.shards - stays), *sorted(named.records - stays)):
        if (out / path).facts() is not None:
            (out / path).delete()
            removed.append(path.rpartition("/")[2])
    return sorted(removed)


def named_by_stages(out: Location) -> dict[str, NamedFiles]:
    """Read the records of all stages: folder below OUT (with files in it) -> what its records name."""
    return _named_in_all(out, (out / "stages").files(recursive=True))


def _named_in_all(out: Location, there: Iterable[FileFacts]) -> dict[str, NamedFiles]:
    listing = Listing(out, there)
    return {folder: named_in(out, folder, listing) for folder in listing.folders}


def named_by_run(out: Location) -> frozenset[str]:
    """Return the files of a run by its own records, as paths below OUT: its contents once it has ended, else what its stages name so far.

    All other files are strangers: they are reported, but neither opened nor counted.
    """
    return left_by_run(out) or _named_so_far(out, tuple((out / "stages").files(recursive=True)))


@lru_cache(maxsize=4)
def _named_so_far(out: Location, there: tuple[FileFacts, ...]) -> frozenset[str]:
    """Return the files that the records among `there` name; cached, as a report asks a dozen times and each record costs a request."""
    found = _named_in_all(out, there).values()
    return frozenset[str]().union(*(each.shards | each.records | each.journals for each in found))


def left_by_run(out: Location) -> frozenset[str]:
    """Return the paths below OUT of the files of a finished run, even damaged ones; the set is empty for an unfinished run."""
    try:
        contents = read_contents(out)
    except CorruptRecord:
        return frozenset()
    return frozenset(contents.names()) if contents is not None else frozenset()


def strangers_in(out: Location, ours: Set[str]) -> list[str]:
    """Return the files in OUT that are not ours, as paths below OUT."""
    found = (path_below(out, facts.location) for facts in out.files(recursive=True))
    return [path for path in found if path not in ours and path not in FIXED and not path.startswith(KEPT)]


def path_below(out: Location, place: Location) -> str:
    """Return a file's path below OUT."""
    return place.path.removeprefix(out.path.rstrip("/") + "/")


def check_public(out: Location) -> None:
    """Raise Refused where the ledger or the dataset contains a shard that is not ours: readers would take it for ours."""
    there = [path_below(out, facts.location) for folder in PUBLIC for facts in (out / folder).files(recursive=True)]
    shards = [path for path in there if path.endswith(SHARD_ENDINGS) and not _TEMPORARY.fullmatch(path.rpartition("/")[2])]
    if not shards:
        return
    ours = left_by_run(out).union(*(named.shards for named in named_by_stages(out).values()))
    strangers = [path for path in shards if path not in ours]
    if strangers:
        more = f" (and {len(strangers) - 1} more like it)" if len(strangers) > 1 else ""
        raise Refused(
            f"{out / strangers[0]}{more} was not made by this run, but readers of the folder would take it for a part of the run; "
            "move it elsewhere, then give the same command again"
        )


def check_free(out: Location, named: NamedFiles, wanted: Iterable[str]) -> None:
    """Raise Refused where a record that is to be written (paths below OUT) would overwrite a stranger."""
    for path in sorted(named.others & set(wanted)):
        if path.endswith(JOURNAL_ENDING) and is_torn(out / path):
            continue
        raise Refused(f"{out / path} has a record's name, but is not ours or is damaged; move or delete it, then run again")

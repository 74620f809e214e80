"""Unread inputs: files of which no record, or only a part, could be read; usually the recipe or a name is wrong.

A run continues past such files and finishes its books. Then it fails and says, for each file, why, and what to do: the text column has
another name, the document is not text, the encoding is not supported. Files that are merely truncated, whose archive gives wrong lengths,
or whose only record is too large or kills its process, fail a run only if nothing at all could be read: crawls contain a few of them,
nobody can repair them, and the ledger names them.

A file of which a limit of ours left a part unread fails the run too, however much of it was read: the limit is ours, and the user knows
whether the file is sound.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from curation.counting import counted
from curation.engine.stage import Workspace, finished_units
from curation.errors import NothingRead
from curation.ingest.ingest import FATAL, Ingest
from curation.ingest.readers import BOMB
from curation.storage.location import Location

TO_BE_MET = frozenset({"truncated", "wrong_content_length", "bad_content_length", "too_large", *FATAL})
"""Reasons for an unreadable file that occur in any crawl."""
_TOLD = 10


@dataclass(frozen=True)
class UnreadFile:
    """An input file, the number of records found in it, and why the first of them could not be read."""

    file: str
    records: int
    reason: str
    detail: str


@dataclass(frozen=True)
class Unread:
    """The files that fail a run, the number of files with records, and the files of which a limit left a part unread."""

    files: Sequence[UnreadFile] = ()
    of: int = 0
    limited: Sequence[UnreadFile] = ()

    @property
    def names(self) -> list[str]:
        """The names of the files that fail the run."""
        return sorted(found.file for found in (*self.files, *self.limited))

    def require_none(self) -> None:
        """Raise NothingRead with the names of the files, if there are any."""
        told = []
        if self.files:
            which = "the input" if len(self.files) == self.of else f"{counted(len(self.files), 'file')} of {self.of:,}"
            told += [f"nothing could be read from {which}:", *_listed(self.files)]
        if self.limited:
            which = counted(len(self.limited), "file")
            told += [f"a limit left the rest or a part of {which} unread:", *_listed(self.limited)]
        if told:
            rest = "The run is otherwise finished, and its ledger has the fate of every record."
            raise NothingRead("\n".join([*told, rest]))


def _listed(files: Sequence[UnreadFile]) -> list[str]:
    told = [f"  {found.file}: {found.reason}: {found.detail}" for found in files[:_TOLD]]
    more = len(files) - len(told)
    return told + ([f"  and {counted(more, 'other')}"] if more else [])


def find_unread(out: Location) -> Unread:
    """Collect what ingest recorded about each file."""
    unread, limited, held = [], list[UnreadFile](), 0
    for unit in finished_units(Workspace(out), Ingest):
        for file, facts in unit.counts["files"].items():
            records = facts["records"] - sum(facts["ignored"].values())
            held += records > 0
            first = facts.get("unreadable")
            if first and records and first["records"] == records:
                unread.append(UnreadFile(file, records, first["reason"], first["detail"]))
            elif facts.get("limited"):
                limited.append(UnreadFile(file, records, BOMB, facts["limited"]))
    unread.sort(key=lambda found: found.file)
    limited.sort(key=lambda found: found.file)
    if len(unread) < held:
        unread = [found for found in unread if found.reason not in TO_BE_MET]
    return Unread(unread, held, limited)

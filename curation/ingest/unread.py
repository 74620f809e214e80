"""Input files of which not one record, or not all, could be read: a run must not pass them over, for most often recipe or name is wrong.

A run goes on past such files and finishes its books. Then it fails, and says of each file why, with what to do: a text column that has
another name, a document that is no text, data in an encoding that is not read. Files that are merely cut short, whose archive gives wrong
lengths, or whose only record is too large or takes its process down, fail a run only if nothing at all could be read: crawls hold a few of
them, nobody can mend them, and the ledger names them.

A file of which a limit of ours left something unread fails a run too, however much of it was read: the limit is ours, and the user knows
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
"""Why nothing was read of a file that any crawl may hold."""
_TOLD = 10


@dataclass(frozen=True)
class UnreadFile:
    """An input file, how many records were found in it, and why the first of them could not be read."""

    file: str
    records: int
    reason: str
    detail: str


@dataclass(frozen=True)
class Unread:
    """The files of a run that fail it, how many were read at all or held records, and those that a limit of ours cut short."""

    files: Sequence[UnreadFile] = ()
    of: int = 0
    limited: Sequence[UnreadFile] = ()

    @property
    def names(self) -> list[str]:
        """The files that fail the run."""
        return sorted(found.file for found in (*self.files, *self.limited))

    def require_none(self) -> None:
        """Raise NothingRead, naming the files, unless there is none."""
        told = []
        if self.files:
            which = "the input" if len(self.files) == self.of else f"{counted(len(self.files), 'file')} of {self.of:,}"
            told += [f"nothing could be read of {which}:", *_listed(self.files)]
        if self.limited:
            which = counted(len(self.limited), "file")
            told += [f"a limit left the rest, or a part, of {which} unread:", *_listed(self.limited)]
        if told:
            rest = "The run is finished otherwise, and its ledger says of every record what became of it."
            raise NothingRead("\n".join([*told, rest]))


def _listed(files: Sequence[UnreadFile]) -> list[str]:
    told = [f"  {found.file}: {found.reason}: {found.detail}" for found in files[:_TOLD]]
    more = len(files) - len(told)
    return told + ([f"  and {counted(more, 'other')}"] if more else [])


def find_unread(out: Location) -> Unread:
    """Look through what ingest said of each file."""
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

"""Input files of which not one record could be read: what a run must not pass over, for most often the recipe or the file's name is wrong.

A run goes on past such files and finishes its books. Then it fails, and says of each file why, with what to do: a text column that has
another name, a document that is no text, data in an encoding that is not read. Files that are merely cut short, or whose archive gives
wrong lengths, fail a run only if nothing at all could be read: crawls hold a few of them, nobody can mend them, and the ledger names them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from curation.errors import NothingRead
from curation.ingest import Ingest
from curation.location import Location
from curation.stage import Workspace, finished_units

CUT_SHORT = frozenset({"truncated", "wrong_content_length", "bad_content_length"})
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
    """The files of a run that fail it, and how many were read at all or held records."""

    files: Sequence[UnreadFile] = ()
    of: int = 0

    def require_none(self) -> None:
        """Raise NothingRead, naming the files, unless there is none."""
        if not self.files:
            return
        told = [f"  {found.file}: {found.reason}: {found.detail}" for found in self.files[:_TOLD]]
        more = len(self.files) - len(told)
        told += [f"  and {more} others"] if more else []
        count = (
            "nothing could be read of the input"
            if len(self.files) == self.of
            else f"nothing could be read of {len(self.files)} files of {self.of}"
        )
        rest = "The run is finished otherwise, and its ledger says of every record what became of it."
        raise NothingRead("\n".join([f"{count}:", *told, rest]))


def find_unread(out: Location) -> Unread:
    """Look through what ingest said of each file."""
    unread, held = [], 0
    for unit in finished_units(Workspace(out), Ingest):
        for file, facts in unit.counts["files"].items():
            records = facts["records"] - sum(facts["ignored"].values())
            held += records > 0
            first = facts.get("unreadable")
            if first and records and first["records"] == records:
                unread.append(UnreadFile(file, records, first["reason"], first["detail"]))
    unread.sort(key=lambda found: found.file)
    if len(unread) < held:
        unread = [found for found in unread if found.reason not in CUT_SHORT]
    return Unread(unread, held)

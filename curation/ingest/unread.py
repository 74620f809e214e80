"""Unread inputs: files of which no record, or only a part, could be read; usually the recipe or a name is wrong.

A run continues past such files and finishes its books. Then it fails and says, for each file, why, and what to do: the text column has
another name, the document is not text, the encoding is not supported. Files that are merely truncated, whose archive gives wrong lengths,
or whose only record is too large or kills its process, fail a run only if nothing at all could be read: crawls contain a few of them,
nobody can repair them, and the ledger names them.

A file without a record, of whatever format and compression (0 bytes, a header alone, a Parquet file of no rows), is sound: a job that found
nothing leaves one. It is named. Where no file has a record, the run fails: an empty dataset is never what was meant.

A damaged file (truncated, corrupt) of which records could be read is named in one line at the end, with how to look at what was lost.

A file of which a limit of ours left a part unread fails the run too, however much of it was read: the limit is ours, and the user knows
whether the file is sound.
"""

import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from curation.arrays import JsonMapping
from curation.counting import counted
from curation.engine.stage import Workspace, finished_units
from curation.errors import NothingRead
from curation.ingest.ingest import FATAL, Ingest
from curation.ingest.readers import BOMB
from curation.storage.location import Location

TO_BE_MET = frozenset({"truncated", "wrong_content_length", "bad_content_length", "too_large", *FATAL})
"""Reasons for an unreadable file that occur in any crawl."""
_TOLD = 10
_DAMAGED_TOLD = 3
_NO_BYTES = hashlib.sha256().hexdigest()


@dataclass(frozen=True)
class UnreadFile:
    """An input file, the number of records found in it, and why the first of them could not be read."""

    file: str
    records: int
    reason: str
    detail: str


@dataclass(frozen=True)
class DamagedFile:
    """An input file that breaks off or holds garbage: the reason and id of the first damaged place. How much it held, nobody knows."""

    file: str
    reason: str
    first: str


@dataclass(frozen=True)
class Unread:
    """The input files that were not read as a whole.

    files            files that fail the run
    of               number of files with records
    limited          files of which a limit left a part unread
    without_records  files without a record, each with a description of its content
    damaged          files that break off or hold garbage
    """

    files: Sequence[UnreadFile] = ()
    of: int = 0
    limited: Sequence[UnreadFile] = ()
    without_records: Sequence[tuple[str, str]] = ()
    damaged: Sequence[DamagedFile] = ()

    @property
    def names(self) -> list[str]:
        """The names of the files that fail the run."""
        return sorted([found.file for found in (*self.files, *self.limited)] + [file for file, _ in self.without_records if not self.of])

    def note(self) -> str | None:
        """Name the files without a record, for a run that has records from others."""
        if not (self.of and self.without_records):
            return None
        named = ", ".join(file for file, _ in self.without_records[:_TOLD])
        rest = f" and {counted(len(self.without_records) - _TOLD, 'other')}" if len(self.without_records) > _TOLD else ""
        return f"without a record: {counted(len(self.without_records), 'file')} of {self.of + len(self.without_records):,}: {named}{rest}"

    def damage_note(self, out: Location) -> str | None:
        """Name the damaged files of which something could be read, and the command that shows the first loss; the others fail the run."""
        named = set(self.names)
        found = [each for each in self.damaged if each.file not in named]
        if not found:
            return None
        told = ", ".join(f"{each.file} ({each.reason})" for each in found[:_DAMAGED_TOLD])
        rest = f" and {counted(len(found) - _DAMAGED_TOLD, 'other')}" if len(found) > _DAMAGED_TOLD else ""
        look = shlex.join(["curate", "why", str(out), found[0].first])
        where = f"each damaged place is one unreadable row of the ledger, however many records it held: {look}"
        return f"damaged: {counted(len(found), 'input file')}: {told}{rest}; {where}"

    def require_none(self) -> None:
        """Raise NothingRead with the names of the files, if there are any."""
        told = []
        if self.without_records and not self.of:
            told += [f"the input holds no record: {counted(len(self.without_records), 'file')} without a line, a row or a page:"]
            told += _shortened([f"  {file}: {holds}" for file, holds in self.without_records])
            told += ["Look whether the files were copied whole, and whether they are the ones that you mean."]
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
    return _shortened([f"  {found.file}: {found.reason}: {found.detail}" for found in files])


def _shortened(lines: Sequence[str]) -> list[str]:
    more = len(lines) - _TOLD
    return [*lines[:_TOLD], f"  and {counted(more, 'other')}"] if more > 0 else list(lines)


def _in_place_of_records(facts: JsonMapping) -> str:
    if facts["sha256"] == _NO_BYTES:
        return "0 bytes"
    ignored = ", ".join(f"{kind} {count:,}" for kind, count in facts["ignored"].items())
    return f"only what is no page ({ignored})" if ignored else "a sound file that holds nothing"


def find_unread(out: Location) -> Unread:
    """Collect what ingest recorded about each file."""
    unread, limited, without, held = [], list[UnreadFile](), list[tuple[str, str]](), 0
    damaged = list[DamagedFile]()
    for unit in finished_units(Workspace(out), Ingest):
        for file, facts in unit.counts["files"].items():
            records = facts["records"] - sum(facts["ignored"].values())
            held += records > 0
            if not records:
                without.append((file, _in_place_of_records(facts)))
            if loss := facts.get("damaged"):
                damaged.append(DamagedFile(file, loss["reason"], loss["id"]))
            first = facts.get("unreadable")
            if first and records and first["records"] == records:
                unread.append(UnreadFile(file, records, first["reason"], first["detail"]))
            elif facts.get("limited"):
                limited.append(UnreadFile(file, records, BOMB, facts["limited"]))
    unread.sort(key=lambda found: found.file)
    limited.sort(key=lambda found: found.file)
    if len(unread) < held:
        unread = [found for found in unread if found.reason not in TO_BE_MET]
    damaged.sort(key=lambda found: found.file)
    return Unread(unread, held, limited, sorted(without), damaged)

"""The journal of a unit lists the shards that an attempt writes; each name is recorded before the shard's first byte.

A shard is renamed into place before the sidecar that records it is written. A process that dies between the two leaves a shard that no
sidecar names. The journal names it, so the next session may delete it without guessing from file names.

Invariants
    - A name is in the journal before its temporary file exists. Journals are deleted when the stage is sealed: the seal names all shards.
    - Lines are handed to the operating system but not flushed to disk: a killed process loses none. After a power cut a shard may lack its
      line; it then counts as somebody else's file and is left alone, which is the safe side.
"""

from pathlib import Path

from curation.storage.location import Location, telling_what_is_written
from curation.storage.ownership import MADE_BY

JOURNAL_ENDING = ".names"
_HEAD = f"{MADE_BY} writes to "


class Journal:
    """Records the names of a unit's shards. `folder` is their folder, as a path below OUT."""

    def __init__(self, sidecars: Location, unit: str, folder: str) -> None:
        """Keep the journal of one unit, whose shards go to a folder."""
        self.place = sidecars / f"{unit}{JOURNAL_ENDING}"
        self.folder = folder
        self._told: list[str] = []

    def announce(self, file: str) -> None:
        """Record the name of a file before the file is started."""
        lines = [file] if self._told else ["", f"{_HEAD}{self.folder}", file]  # "" ends an incomplete earlier line
        self._told += lines
        if self.place.is_local:
            self.place.require_writable()
            with telling_what_is_written(self.place), Path(self.place.path).open("ab") as stream:
                stream.write("".join(line + "\n" for line in lines).encode())
        else:
            self.place.write_bytes("".join(line + "\n" for line in self._told).encode())


def read_journal(place: Location) -> tuple[str, list[str]] | None:
    """Return a journal's folder below OUT and the names it lists; None for a file that this project did not write."""
    lines = [line for line in place.read_bytes().decode("utf-8", "replace").split("\n") if line]
    folders = [line.removeprefix(_HEAD) for line in lines if line.startswith(_HEAD)]
    if not folders or not (lines[0].startswith(_HEAD) or _HEAD.startswith(lines[0])):
        return None
    return folders[-1], [line for line in lines if not line.startswith(_HEAD)]


def is_torn(place: Location) -> bool:
    """Return whether a file is a journal whose first line is incomplete, as after a full disk."""
    return _HEAD.startswith(place.read_bytes()[: len(_HEAD) + 1].decode("utf-8", "replace").strip("\n"))

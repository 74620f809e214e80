"""The journal of a unit: the names of the shards that an attempt at it writes, set down before the first byte of each.

A shard is renamed into place before the sidecar that records it is written. A process that dies between the two leaves a shard that no
sidecar names; the journal does, so the next session may delete it, and need not take every file of a likely name for ours.

Invariants
    - A name is in the journal before its temporary exists. Journals are deleted when the stage is sealed: then the seal names all shards.
    - Lines are handed to the operating system, not flushed to disk: a killed process loses none. After a power cut a shard may lack its
      line; it is then told as a stranger and left alone, which is the safe side.
"""

from pathlib import Path

from curation.storage.location import Location, telling_what_is_written
from curation.storage.ownership import MADE_BY

ENDING = ".names"
_HEAD = f"{MADE_BY} writes to "


class Journal:
    """Writes down the names of a unit's shards. `folder` is the path below OUT where they go."""

    def __init__(self, sidecars: Location, unit: str, folder: str) -> None:
        """Keep the journal of one unit, whose shards go to a folder."""
        self.place = sidecars / f"{unit}{ENDING}"
        self.folder = folder
        self._told: list[str] = []

    def announce(self, file: str) -> None:
        """Write down the name of a file before it is begun."""
        lines = [file] if self._told else ["", f"{_HEAD}{self.folder}", file]  # an empty line ends one that an earlier attempt left torn
        self._told += lines
        if self.place.is_local:
            with telling_what_is_written(self.place), Path(self.place.path).open("ab") as stream:
                stream.write("".join(line + "\n" for line in lines).encode())
        else:
            self.place.write_bytes("".join(line + "\n" for line in self._told).encode())


def read_journal(place: Location) -> tuple[str, list[str]] | None:
    """Return the folder below OUT and the names that a journal holds; None for a file that is none of ours."""
    lines = [line for line in place.read_bytes().decode("utf-8", "replace").split("\n") if line]
    folders = [line.removeprefix(_HEAD) for line in lines if line.startswith(_HEAD)]
    if not folders or not (lines[0].startswith(_HEAD) or _HEAD.startswith(lines[0])):
        return None
    return folders[-1], [line for line in lines if not line.startswith(_HEAD)]


def is_torn(place: Location) -> bool:
    """Whether a file is a journal of which not even the first line was written, as on a full disk."""
    return _HEAD.startswith(place.read_bytes()[: len(_HEAD) + 1].decode("utf-8", "replace").strip("\n"))

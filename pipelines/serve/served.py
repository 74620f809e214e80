"""The served runs by name, and the label file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.exceptions import HTTPException

from curation.storage.location import Location
from pipelines.inspect.run_folder import checked_folder
from pipelines.serve.labels import LabelFile
from pipelines.terminal.wording import readable


@dataclass(frozen=True)
class Served:
    """The served runs by name, and the label file."""

    runs: Mapping[str, Location]
    labels: LabelFile

    def run(self, name: str) -> Location:
        """Return the place of a run."""
        try:
            return self.runs[name]
        except KeyError:
            raise HTTPException(404, "No run of that name is served.") from None


def served(folders: Sequence[str], labels: str) -> Served:
    """Open run folders. Raises UsageError for a folder that is not a run."""
    runs: dict[str, Location] = {}
    for folder in folders:
        place = checked_folder(folder)
        name = readable(place.name, 60) or "run"
        while name in runs:
            name = f"{name}'"
        runs[name] = place
    return Served(runs, LabelFile.open(Location.of(labels)))

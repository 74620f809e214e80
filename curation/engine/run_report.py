"""run.json: what each session on an output folder did, when, on which machine, and how it ended; and whether the run is closed.

Invariant: only this file records times and machines; no unit's key or bytes depend on them.
"""

import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any

from curation.arrays import JsonMapping, JsonObject
from curation.storage.location import Location
from curation.storage.ownership import MADE_BY, RUN, read_mark
from curation.storage.records import CorruptRecord, find_record, write_record
from curation.storage.traffic import Traffic

RUNNING, DONE = "running", "done"
"""The outcome of a session that is at work, and of one whose stages are all done."""
UNTOLD = "ended without a word (killed?)"
"""The outcome of a session that did not record its end, as the next one tells it."""

_ADDED = (
    *("made", "made_names", "interrupted", "removed", "seconds", "worker_seconds"),
    *(f"store_{field.name}" for field in fields(Traffic)),
    "store_calls_of_driver",
)
"""What is added up where a stage runs twice in a session."""


def store_calls(units: Sequence[Traffic], driver: Traffic) -> JsonObject:
    """Return how a stage called object stores: its units and the driver together, and how many of the calls were the driver's."""
    made = replace(driver)
    for traffic in units:
        made.add(traffic)
    return {**{f"store_{name}": value for name, value in asdict(made).items()}, "store_calls_of_driver": driver.calls}


class RunReport:
    """This session's entry in OUT/run.json, beside those of earlier sessions."""

    def __init__(self, out: Location, recipe: str | None, workers: int, facts: JsonMapping) -> None:
        """Begin an entry; nothing is written yet."""
        self.closed = bool((read_mark(out) or {}).get("closed"))
        self._place, self._recipe = out / RUN, recipe
        self._entry: JsonObject = {
            "began": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": platform.node(),
            "workers": workers,
            **facts,
            "stages": [],
            "outcome": RUNNING,
        }
        self._began = time.perf_counter()
        self._earlier = _earlier_sessions(self._place)

    def note(self, name: str, value: Any) -> None:
        """Add a fact to the entry."""
        self._entry[name] = value

    @property
    def stages(self) -> Sequence[JsonMapping]:
        """What the stages of this session did so far, in the order in which they began."""
        stages: Sequence[JsonMapping] = self._entry["stages"]
        return stages

    @property
    def made(self) -> int:
        """Number of units that this session has made so far."""
        return sum(int(stage["made"]) for stage in self.stages)

    def add_stage(self, entry: JsonObject) -> None:
        """Record what a stage did, and write; a stage that runs twice in a session still has one entry."""
        stages = self._entry["stages"]
        before = next((stage for stage in stages if stage["stage"] == entry["stage"]), None)
        if before is None:
            stages.append(entry)
        else:
            for name in _ADDED:
                before[name] += entry[name]
        self.write()

    def end(self) -> None:
        """Record how long the session took, and write."""
        self._entry["seconds"] = round(time.perf_counter() - self._began, 3)
        self.write()

    def write(self) -> None:
        """Write run.json."""
        content = {"made_by": MADE_BY, "recipe": self._recipe, "closed": self.closed, "sessions": [*self._earlier, self._entry]}
        write_record(self._place, content)


def _earlier_sessions(place: Location) -> list[Any]:
    try:
        sessions = (find_record(place) or {}).get("sessions")
    except CorruptRecord:
        return []  # rewriting the content of a damaged record would make it look trustworthy
    if not isinstance(sessions, list):
        return []
    return [{**each, "outcome": UNTOLD} if isinstance(each, dict) and each.get("outcome") == RUNNING else each for each in sessions]

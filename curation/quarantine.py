"""Quarantine: reading a unit whose records kill the process that reads them.

Native parsers can crash on hostile input, and no `except` catches that. A unit that has killed two workers is made here in a child process
that writes down, before each record, which record it is about to take. When the child dies, the unit is begun again; a record at which it
has died twice is the killer (once may have been chance: a machine that ran out of memory, an operator's kill): from then on it counts as
unreadable (`crashed`). Only the killers are lost, and each has its row in the ledger.

The result is a function of the input's bytes: the same records crash whoever reads them. A unit fails, and with it the run, when its
children die before its first record, when leaving the killer out does not help (the crash is in finding or parsing the record, or in an
edit, which takes a batch at once), or more than MAX_CRASHES times.
"""

import json
import multiprocessing
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curation.ingest import Ingest, Place
from curation.journal import Journal, read_journal
from curation.leftovers import sweep
from curation.stage import Job, Output, recorded

MAX_CRASHES = 1000


def make_isolated(job: Job, output: Output) -> Mapping[str, Any]:
    """Make a unit of ingest in child processes, leaving out what crashes them. Raises RuntimeError where that cannot end."""
    if not isinstance(job.stage, Ingest):
        raise TypeError(f"stage {job.stage.name} has no records to leave out")
    deaths: Counter[Place] = Counter()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="quarantine-") as folder:
        while deaths.total() <= MAX_CRASHES:
            crashing = frozenset(place for place, times in deaths.items() if times >= 2)
            at, result = Path(folder) / "at.json", Path(folder) / "result.json"
            at.unlink(missing_ok=True)
            child = context.Process(target=_make, args=(job, crashing, at, result))
            child.start()
            child.join()
            if child.exitcode == 0:
                content = json.loads(result.read_bytes())
                output.shards += [output.known(*facts) for facts in content["shards"]]
                counts: dict[str, Any] = content["counts"]
                return counts
            if not at.exists():
                raise RuntimeError(f"unit {job.unit.name} kills its process (exit {child.exitcode}) before its first record is read")
            file_path, number = json.loads(at.read_bytes())
            place = (file_path, number)
            if place in crashing:
                raise RuntimeError(
                    f"unit {job.unit.name} kills its process (exit {child.exitcode}) at record {number} of {file_path}, "
                    "even when that record is left out"
                )
            deaths[place] += 1
            _sweep(job)
    raise RuntimeError(f"unit {job.unit.name} has killed the processes that read it {MAX_CRASHES} times")


def _sweep(job: Job) -> None:
    """Delete the temporaries that a dead child left: those of the shards that the unit's journal names."""
    place = Journal(job.space.sidecars(job.stage), job.unit.name, "").place
    folder, files = (read_journal(place) if place.facts() is not None else None) or ("", [])
    sweep(job.space.out, [folder], [f"{folder}/{file}" for file in files])


def _make(job: Job, crashing: frozenset[Place], at: Path, result: Path) -> None:
    """Run in the child: make the unit, writing down each record's place before it is taken."""

    def note(place: Place) -> None:
        at.write_text(json.dumps(place))

    assert isinstance(job.stage, Ingest)
    output = job.output()
    counts = job.stage.make_without(job.unit, output, crashing, note)
    shards = [recorded(shard) for shard in output.shards]
    result.write_text(json.dumps({"counts": counts, "shards": shards}))

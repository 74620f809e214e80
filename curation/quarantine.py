"""Quarantine: reading a unit whose records kill, or hold, the process that reads them.

Native parsers can crash or never return on hostile input, and no `except` catches that. A unit that has killed two workers, or held one for
too long, is made here in a child process that writes down, before each record, which record it is about to take. When the child dies, or
one record holds it beyond its limit (`curation.heartbeat`) and it is ended, the unit is begun again; a record at which that has happened
twice is to blame (once may have been chance: a machine that ran out of memory, an operator's kill): from then on it counts as unreadable
(`crashed`, `timed_out`). Only such records are lost, and each has its row in the ledger.

The result is a function of the input's bytes: the same records crash or hang whoever reads them. A unit fails, and with it the run, when
its children end before its first record, when leaving the record out does not help (the fault is in finding or parsing it), when edits are
at work, which take a batch at once, or after more than MAX_CRASHES deaths.
"""

import json
import multiprocessing
import os
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curation.heartbeat import FIELDS, TICK, Watch, attach, begin
from curation.ingest import BATCH, Ingest, Place
from curation.journal import Journal, read_journal
from curation.leftovers import sweep
from curation.runner import tell_on_stderr
from curation.signals import die_with, workers_spared
from curation.stage import Job, Output, recorded

MAX_CRASHES = 1000


def make_isolated(job: Job, output: Output) -> Mapping[str, Any]:
    """Make a unit of ingest in child processes, leaving out what they do not survive. Raises RuntimeError where that cannot end."""
    if not isinstance(job.stage, Ingest):
        raise TypeError(f"stage {job.stage.name} has no records to leave out")
    deaths: Counter[Place] = Counter()
    fatal: dict[Place, str] = {}
    with tempfile.TemporaryDirectory(prefix="quarantine-") as folder:
        while deaths.total() <= MAX_CRASHES:
            at, result = Path(folder) / "at.json", Path(folder) / "result.json"
            at.unlink(missing_ok=True)
            ending = _run(job, fatal, at, result)
            if ending is None:
                content = json.loads(result.read_bytes())
                output.shards += [output.known(*facts) for facts in content["shards"]]
                counts: dict[str, Any] = content["counts"]
                return counts
            what = f"unit {job.unit.name} {'holds' if ending == 'timed_out' else 'kills'} the process that reads it"
            if not at.exists():
                raise RuntimeError(f"{what} before its first record is read")
            file_path, number = json.loads(at.read_bytes())
            place = (file_path, number)
            if place == BATCH:
                raise RuntimeError(f"{what} while edits work on many records at once, so that it cannot be told which; leave an edit out")
            if place in fatal:
                raise RuntimeError(f"{what} at record {number} of {file_path}, even when that record is left out")
            deaths[place] += 1
            if deaths[place] >= 2:
                fatal[place] = ending
            _sweep(job)
    raise RuntimeError(f"unit {job.unit.name} has killed or held the processes that read it {MAX_CRASHES} times")


def _run(job: Job, fatal: Mapping[Place, str], at: Path, result: Path) -> str | None:
    """Make the unit in a child; return None, or how that ended before its time: `crashed` or `timed_out`."""
    context = multiprocessing.get_context("spawn")
    slots = context.RawArray("Q", FIELDS)
    child = context.Process(target=_make, args=(job, fatal, at, result, slots, os.getpid()))
    with workers_spared():
        child.start()
    watch, ending = Watch(slots, tell_on_stderr), "crashed"
    try:
        while child.exitcode is None:
            child.join(TICK)
            if watch.look():
                ending = "timed_out"
                child.kill()
    finally:
        child.kill()
        child.join()
    return None if child.exitcode == 0 else ending


def _sweep(job: Job) -> None:
    """Delete the temporaries that a dead child left: those of the shards that the unit's journal names."""
    place = Journal(job.space.sidecars(job.stage), job.unit.name, "").place
    folder, files = (read_journal(place) if place.facts() is not None else None) or ("", [])
    sweep(job.space.out, [folder], [f"{folder}/{file}" for file in files])


def _make(job: Job, fatal: Mapping[Place, str], at: Path, result: Path, slots: Any, parent: int) -> None:
    """Run in the child: make the unit, writing down each record's place before it is taken."""

    def note(place: Place) -> None:
        at.write_text(json.dumps(place))

    die_with(parent)
    attach(slots, 0)
    begin(1)
    assert isinstance(job.stage, Ingest)
    output = job.output()
    counts = job.stage.make_without(job.unit, output, fatal, note)
    shards = [recorded(shard) for shard in output.shards]
    result.write_text(json.dumps({"counts": counts, "shards": shards}))

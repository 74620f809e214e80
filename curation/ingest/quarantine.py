"""Quarantine: read a unit whose records kill or block the process that reads them.

Native parsers can crash or never return on hostile input, and no `except` catches that. A unit that has killed two workers, or blocked one
for too long, is made here in a child process that records, before each record, which one comes next. When the child dies, or one record
exceeds its time limit (`curation.engine.heartbeat`) and the child is ended, the unit starts again. A record at which that happens twice is
to blame (once may have been chance: a machine that ran out of memory, an operator's kill); from then on it counts as unreadable (`crashed`,
`timed_out`). Only such records are lost, and each has its row in the ledger.

Edits work on many records at once. Here each record first goes through them alone, and the result is discarded. So a record that kills an
edit is identified too, and the shards are the same as without quarantine.

Place and result travel through shared memory and a pipe, so that a killed process leaves nothing behind.

The result is a function of the input's bytes: the same records crash or hang in every process. A unit fails, and the run with it, when its
children end before the first record, when leaving the record out does not help (the fault is in finding or parsing it), when the edits fail
on records together but not one by one, or after more than MAX_CRASHES deaths.
"""

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol, cast

from curation.arrays import JsonMapping, JsonObject
from curation.engine.heartbeat import FIELDS, TICK, Watch, attach, begin
from curation.engine.leftovers import sweep
from curation.engine.runner import tell_on_stderr
from curation.engine.signals import die_with, workers_spared
from curation.engine.stage import Job, Output, Unit, recorded
from curation.storage.journal import Journal, read_journal

RecordPlace = tuple[str, int]
"""A record's place: the file's relative path and the record's number in the file, from 0."""

BATCH: RecordPlace = ("", -1)
"""Represents the many records that edits work on at once."""

MAX_CRASHES = 1000
_RECORD_BITS = 40
_NOWHERE, _TOGETHER = -1, -2


class ReadsRecords(Protocol):
    """A stage that can leave records out, and announces each record before it reads it."""

    def make_without(
        self, unit: Unit, output: Output, fatal: Mapping[RecordPlace, str], note: Callable[[RecordPlace], None]
    ) -> JsonMapping:
        """Make a unit; call `note(place)` before each record, and reject those in `fatal` as unreadable, with that reason."""
        ...


def make_isolated(job: Job, output: Output) -> JsonMapping:
    """Make a unit in child processes, leaving out the records that kill or block them. Raises RuntimeError if that does not help.

    The job's stage must be a ReadsRecords.
    """
    deaths: Counter[RecordPlace] = Counter()
    fatal: dict[RecordPlace, str] = {}
    while deaths.total() <= MAX_CRASHES:
        content, place, ending = _run(job, fatal)
        if content is not None:
            output.shards += [output.known(*facts) for facts in content["shards"]]
            counts: JsonObject = content["counts"]
            return counts
        what = f"unit {job.unit.name} {'holds' if ending == 'timed_out' else 'kills'} the process that reads it"
        if place is None:
            raise RuntimeError(f"{what} before its first record is read")
        if place == BATCH:
            raise RuntimeError(f"{what} while edits work on many records at once, though not on any of them alone; leave an edit out")
        if place in fatal:
            raise RuntimeError(f"{what} at record {place[1]} of {place[0]}, even when that record is left out")
        deaths[place] += 1
        if deaths[place] >= 2:
            fatal[place] = ending
        _sweep(job)
    raise RuntimeError(f"unit {job.unit.name} has killed or held the processes that read it {MAX_CRASHES} times")


def _run(job: Job, fatal: Mapping[RecordPlace, str]) -> tuple[JsonObject | None, RecordPlace | None, str]:
    """Make the unit in a child; return its counts (None if it did not finish), the last noted place, and how it ended otherwise."""
    context = multiprocessing.get_context("spawn")
    slots, at = context.RawArray("Q", FIELDS), context.RawValue("q", _NOWHERE)
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_make, args=(job, fatal, at, sender, slots, os.getpid()))
    with workers_spared():
        child.start()
    sender.close()
    watch, ending, content = Watch(slots, tell_on_stderr), "crashed", None
    try:
        while True:
            if receiver in wait([receiver, child.sentinel], TICK):
                content = _received(receiver)
                break
            if child.exitcode is not None and not receiver.poll():
                break
            if watch.look():
                ending = "timed_out"
                child.kill()
    finally:
        child.kill()
        child.join()
        receiver.close()
    return content, _place_of(job, at.value), ending


def _received(receiver: Connection) -> JsonObject | None:
    """Return the counts that a child sends; None if it died first."""
    try:
        content: JsonObject = receiver.recv()
        return content
    except (EOFError, OSError):
        return None


def _place_of(job: Job, number: int) -> RecordPlace | None:
    """Return the place that a child recorded; None if it did not reach any."""
    if number == _NOWHERE:
        return None
    return BATCH if number == _TOGETHER else (job.unit.sources[number >> _RECORD_BITS].relative, number & (1 << _RECORD_BITS) - 1)


def _sweep(job: Job) -> None:
    """Delete the temporaries of a dead child: those of the shards that the unit's journal names."""
    place = Journal(job.space.sidecars(job.stage), job.unit.name, "").place
    folder, files = (read_journal(place) if place.facts() is not None else None) or ("", [])
    sweep(job.space.out, [folder], [f"{folder}/{file}" for file in files])


def _make(job: Job, fatal: Mapping[RecordPlace, str], at: Any, sender: Connection, slots: Any, parent: int) -> None:
    """Run in the child: make the unit, recording each record's place before it is read."""

    numbers = {source.relative: number for number, source in enumerate(job.unit.sources)}

    def note(place: RecordPlace) -> None:
        """Store a place as one number, which is written atomically."""
        at.value = _TOGETHER if place == BATCH else numbers[place[0]] << _RECORD_BITS | place[1]

    die_with(parent)
    attach(slots, 0)
    begin(1)
    output = job.output()
    counts = cast(ReadsRecords, job.stage).make_without(job.unit, output, fatal, note)
    sender.send({"counts": counts, "shards": [recorded(shard) for shard in output.shards]})

"""A unit is tried again where a second try may help: its store did not answer, or one of its records killed the worker.

A store's outage passes, so the unit waits and is made once more, at most TRIES times in all. A unit that kills its worker is made without
the records that do so, if its stage can (`survives_crashes`). Any other failure would be the same the next time.

Invariant: every job gives exactly one outcome, its last.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from curation.engine.runner import Need, Runner, TaskOutcome
from curation.engine.stage import Cost, Finished, Job, perform

TRIES = 3
"""How often a unit is tried while its store does not answer."""

PAUSE = 2
"""Seconds before the second try; four times as long before each further one."""

Made = TaskOutcome[Job, tuple[Finished, Cost]]


def _need(job: Job) -> Need:
    return Need(f"{job.unit.name} of {job.stage.name}", job.stage.memory(job.unit))


def last_outcomes(runner: Runner, jobs: Sequence[Job], tell: Callable[[str], None]) -> Iterator[Made]:
    """Make the units, and yield each one's last outcome as soon as it is known."""
    tries: Counter[str] = Counter()
    waiting = list(jobs)
    while waiting:
        again: list[Job] = []
        for outcome in runner.map(perform, waiting, _need):
            job = outcome.item
            tries[job.unit.name] += outcome.may_pass
            if outcome.killed and job.stage.survives_crashes and not job.isolated:
                again.append(replace(job, isolated=True))
            elif outcome.may_pass and tries[job.unit.name] < TRIES:
                again.append(job)
            else:
                yield outcome
        failed = [tries[job.unit.name] for job in again if tries[job.unit.name]]
        if failed:
            pause = PAUSE * 4 ** (max(failed) - 1)
            tell(f"{len(failed)} of {len(waiting)} units failed because a store did not answer: tried again in {pause} s")
            time.sleep(pause)
        waiting = again

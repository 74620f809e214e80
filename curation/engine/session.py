"""A session is one live run on one output folder; it drives stages one after the other until each is sealed.

The session handles everything that stages must not know: the runner, the lock, the clock, and `run.json`, which records times, machines and
counts after every stage. A killed session leaves finished units with sidecars, and at most one temporary file of each unfinished unit. The
next session deletes those, reports them as `interrupted`, and makes only units without a sidecar.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from curation.arrays import JsonMapping, JsonObject
from curation.engine.drift_told import DriftTeller, inputs_of
from curation.engine.failures import Failure, told_of
from curation.engine.index import IndexWriter, damaged_lines, index_of, index_path, units_done, write_index
from curation.engine.leftovers import (
    Listing,
    check_free,
    check_public,
    left_by_run,
    named_by_stages,
    named_in,
    path_below,
    remove_stale,
    strangers_in,
    sweep,
)
from curation.engine.run_report import DONE, RunReport, store_calls
from curation.engine.runner import Runner, TaskOutcome
from curation.engine.signals import Ended, ended_told
from curation.engine.stage import SEAL, Cost, Finished, Job, Stage, Unit, Workspace, is_whole, keys_under, read_sidecar
from curation.engine.tries import last_outcomes
from curation.engine.watcher import Silent, Watcher
from curation.errors import CannotWrite, ShardsFailed
from curation.storage.contents import CONTENTS, digest_at, files_left, reopen, write_contents
from curation.storage.digests import digest_of
from curation.storage.journal import JOURNAL_ENDING
from curation.storage.location import FileFacts, Location
from curation.storage.ownership import FIXED, RUN, locked
from curation.storage.records import CorruptRecord, find_record, write_record
from curation.storage.shards import Shard
from curation.storage.traffic import so_far


@dataclass(frozen=True)
class Sealed:
    """A finished stage: its units by name."""

    stage: str
    units: tuple[Finished, ...]

    @property
    def shards(self) -> tuple[Shard, ...]:
        """All shards of all units, by name."""
        return tuple(sorted((shard for unit in self.units for shard in unit.shards), key=lambda shard: shard.name))

    @property
    def digest(self) -> str:
        """The SHA-256 over names and bytes of all shards."""
        return digest_of([[shard.name, shard.sha256] for shard in self.shards])

    def total(self, count: str) -> int:
        """Sum a count over all units."""
        return sum(int(unit.counts.get(count, 0)) for unit in self.units)


class Session:
    """Drives stages on one output folder. Use it as `with Session.open(...) as session: session.run(stage, units)`."""

    def __init__(
        self, out: Location, runner: Runner, frozen: bool, watcher: Watcher, facts: JsonMapping, recipe: str | None = None
    ) -> None:
        """Take over a claimed folder; `Session.open` claims it first."""
        self.out = out
        self.recipe = recipe
        self.space = Workspace(out)
        self.runner = runner
        self.frozen = frozen
        self.watcher = watcher
        self._report = RunReport(out, recipe, runner.workers, facts)
        self._sealed: set[str] = set()
        self._ours: set[str] = set()
        self.shards: dict[str, tuple[int, str]] = {}
        self.suspects: list[Shard] = []
        self._sidecars: list[str] = []
        self._left = left_by_run(out)
        self._before = files_left(out) if self._report.closed else {}
        closing = (out / CONTENTS).facts() if self._report.closed else None
        self.closed_at = closing.changed if closing is not None else None
        self.hashed: set[str] = set()
        self.require_lock: Callable[[], None] = lambda: None
        self._drift = DriftTeller(frozen, str(out / RUN), watcher.tell, self.note)

    @classmethod
    @contextmanager
    def open(
        cls,
        out: Location,
        runner: Runner,
        *,
        frozen: bool = False,
        watcher: Watcher | None = None,
        facts: JsonMapping | None = None,
        recipe: str | None = None,
        replace: bool = False,
        take_over: bool = False,
    ) -> Iterator["Session"]:
        """Lock OUT, mark it as ours, yield a session, and record how it ended.

        `recipe` names the recipe that owns the dataset there; a folder of another recipe is taken only with `replace`, one that another
        session has locked only with `take_over`. Raises Refused where OUT is not ours, or another session is live.
        """
        watcher = watcher or Silent()
        with locked(out, recipe, replace, take_over, watcher.tell) as require:
            check_public(out)
            sweep(out, ("", "dataset"), FIXED)
            session = cls(out, runner, frozen, watcher, facts or {}, recipe)
            session.require_lock = require
            runner.tell = session.watcher.tell
            session._report.write()
            try:
                with session._drift.refusing():
                    yield session
                session.note("outcome", DONE)
            except BaseException as error:
                session.note("outcome", str(error) if isinstance(error, Ended) else f"{type(error).__name__}: {error}")
                if isinstance(error, Ended):
                    error.kept = str(out)
                elif isinstance(error, OSError):
                    error.add_note(f"finished work is kept in {out}; the same command continues from there")
                with suppress(CannotWrite):  # a full disk has no room for this either; the first error is reported
                    session._report.end()
                raise
            session._report.end()

    def run(self, stage: Stage, units: Iterable[Unit]) -> Sealed:
        """Finish every unit of a stage and seal the stage.

        A frozen session redoes nothing: it returns the stage as it was, and refuses later, with all that drifted. Raises ShardsFailed
        after all other units are done.
        """
        began, before_it = time.perf_counter(), so_far()
        folder, shard_folder = f"{self.space.below}/{stage.name}", self.space.folder_of(stage)
        for path in (folder, shard_folder):
            (self.out / path).make_folder()
        listing = Listing(self.out)
        named = named_in(self.out, folder, listing)
        identity = stage.identity()
        ordered = sorted(units, key=lambda unit: unit.name)
        if len({unit.name for unit in ordered}) != len(ordered):
            raise ValueError(f"stage {stage.name} has two units with the same name")
        records = {f"{folder}/{SEAL}", *(f"{folder}/{unit.name}{ending}" for unit in ordered for ending in (".json", JOURNAL_ENDING))}
        interrupted = sweep(self.out, (folder, shard_folder), named.shards | named.records | named.journals | records, listing)
        sizes = {facts.location.name: facts.size for facts in listing(shard_folder)}
        mine = named.shards | self._left
        taken = frozenset(name for name in sizes if f"{shard_folder}/{name}" not in mine)
        jobs = self._jobs(stage, identity, ordered, taken)
        done = self._already_done(stage, jobs, sizes, listing(folder))
        pending = [job for job in jobs if job.unit.name not in done]
        check_free(self.out, named, records - self._left)
        seal = self._read_seal(stage)
        if self._drift.compare(stage, identity, seal, jobs, len(pending)) and seal is not None:
            return self._as_before(stage, seal, folder)
        if pending or seal is None or seal["digest"] != digest_of([(job.unit.name, job.key) for job in jobs]):
            self.reopen()
        self.watcher.begin(self._title(stage), len(jobs), len(done))
        reused = len(done)
        try:
            costs, failures = self._make(stage, pending, done)
        except Ended:
            self.runner.close()
            now = named_in(self.out, folder)
            sweep(self.out, (folder, shard_folder), records | now.shards | now.records | now.journals)
            raise
        if failures:
            self.suspects = [shard for failure in failures for shards in failure.item.unit.inputs.values() for shard in shards]
            raise ShardsFailed(*told_of(stage.name, len(jobs), [_failure(outcome) for outcome in failures]))
        finished = tuple(done[job.unit.name] for job in jobs)
        shards = {f"{shard_folder}/{shard.location.name}" for unit in finished for shard in unit.shards}
        sidecars = {f"{folder}/{SEAL}", *(f"{folder}/{unit.name}.json" for unit in finished)}
        before = [named, named_in(self.out, folder)] if pending else [named]
        self._sealed.add(folder)
        self._ours |= shards | sidecars
        self._sidecars += sorted((*sidecars, index_path(folder)))
        self.shards |= {f"{shard_folder}/{shard.location.name}": (shard.bytes, shard.sha256) for unit in finished for shard in unit.shards}
        stale = sorted(name for each in before for name in remove_stale(self.out, each, shards | sidecars))
        self._write_seal(stage, identity, jobs, finished, seal)
        for each in before:
            if pending:
                sweep(self.out, (folder, shard_folder), each.shards | each.records | each.journals | records | shards)
            for journal in each.journals:
                (self.out / journal).delete()
        self.watcher.end(self._title(stage))
        self._report.add_stage(
            {
                "stage": self._title(stage),
                "units": len(jobs),
                "reused": reused,
                "made": len(pending),
                "made_names": sorted(job.unit.name for job in pending)[:1000],
                "interrupted": interrupted,
                "removed": stale,
                "seconds": round(time.perf_counter() - began, 3),
                "worker_seconds": round(sum(cost.seconds for cost in costs), 3),
                "peak_worker_mib": round(max((cost.peak_mib for cost in costs), default=0.0), 1),
                **store_calls([cost.traffic for cost in costs], so_far() - before_it),
                "rows": sum(shard.rows for unit in finished for shard in unit.shards),
                "bytes": sum(shard.bytes for unit in finished for shard in unit.shards),
            }
        )
        return Sealed(stage.name, finished)

    @contextmanager
    def within(self, folder: str) -> Iterator["Session"]:
        """Run stages in a folder of their own, below `stages` or the folder of an enclosing `with`."""
        before, self.space = self.space, Workspace(self.out, f"{self.space.below}/{folder}")
        try:
            yield self
        finally:
            self.space = before

    def retire_others(self) -> None:
        """Delete the shards and sidecars of stages that this session did not run: an earlier recipe had them.

        Raises Refused if the session is frozen and there are such stages, or anything has drifted.
        """
        there = named_by_stages(self.out).items()
        retired = [(folder, named) for folder, named in there if folder not in self._sealed and (named.records or named.journals)]
        self._drift.require_no([folder for folder, _ in retired])
        for folder, named in retired:
            known = named.shards | named.records | named.journals
            sweep(self.out, {folder, *(shard.rpartition("/")[0] for shard in named.shards)}, known)
            remove_stale(self.out, replace(named, records=named.records | named.journals), self._ours)
            (self.out / index_path(folder)).delete()

    def was_sealed(self, stage: Stage) -> bool:
        """Return whether an earlier session, or this one, has sealed a stage."""
        return self._read_seal(stage) is not None

    def require_no_drift(self) -> None:
        """Raise Refused if the session is frozen and something has drifted so far: what follows would cost something."""
        self._drift.stop()

    def tell_strangers(self) -> None:
        """Report the files in OUT that are not ours; they stay unchanged."""
        strangers = strangers_in(self.out, self._ours)
        if strangers:
            more = f" and {len(strangers) - 10} more" if len(strangers) > 10 else ""
            self.watcher.tell(f"files in {self.out} that this run did not make are left unchanged: {', '.join(strangers[:10])}{more}")

    def put(self, path: str, content: bytes) -> None:
        """Write a file of the run, unless it already has this content."""
        place = self.out / path
        if place.facts() is None or place.read_bytes() != content:
            self.reopen()
            place.write_bytes(content)

    def reopen(self) -> None:
        """Mark the run as not ended, before anything in it changes."""
        if self._report.closed or (self.out / CONTENTS).facts() is not None:
            self._report.closed = False
            self._report.write()
            reopen(self.out, self.watcher.tell)

    def conclude(self) -> None:
        """Record in run.json that all stages are done, for readers of the run before it is closed."""
        self.note("outcome", DONE)
        self._report.end()

    def close(self) -> None:
        """Write contents.json (`curation.storage.contents`): the run has ended."""
        write_contents(self.out, self.shards, self._sidecars, self._before if self._report.closed else {})
        self._report.closed = True

    @property
    def made(self) -> int:
        """Number of units that this session has made so far."""
        return self._report.made

    def note(self, name: str, value: Any) -> None:
        """Add a fact to this session's entry in run.json."""
        self._report.note(name, value)

    def _title(self, stage: Stage) -> str:
        return f"{self.space.below}/{stage.name}".removeprefix("stages/")

    def _jobs(self, stage: Stage, identity: JsonMapping, units: Sequence[Unit], taken: frozenset[str]) -> list[Job]:
        key_of = keys_under(identity)
        return [Job(stage, unit, key_of(unit), self.space, identity["packages"], taken=taken) for unit in units]

    def _already_done(
        self, stage: Stage, jobs: Sequence[Job], sizes: Mapping[str, int], sidecars: Sequence[FileFacts]
    ) -> dict[str, Finished]:
        index = index_of(self.space, stage)
        if index.is_local:  # what goes to a store is written in scratch first
            place = path_below(self.out, index)
            sweep(self.out, (place.rpartition("/")[0],), {place})
        said = units_done(self.space, stage, [job.unit.name for job in jobs], sidecars)
        done = {}
        for job in jobs:
            finished = said.get(job.unit.name)
            if finished is not None and finished.key == job.key and is_whole(finished, sizes) and self._is_sound(stage, finished):
                done[job.unit.name] = finished
        self._mend_index(stage, done)
        return done

    def _mend_index(self, stage: Stage, done: Mapping[str, Finished]) -> None:
        """Write a stage's index again if it is missing or not as it was written; while the run is not closed, its lines tell."""
        index = index_of(self.space, stage)
        found, closed = digest_at(index), self._before.get(path_below(self.out, index))
        if done and not self.frozen and (found is None or (found != closed if closed is not None else damaged_lines(index))):
            self.reopen()
            write_index(self.space, stage, done.values())

    def _is_sound(self, stage: Stage, finished: Finished) -> bool:
        """Return whether a unit's shards are what was written; others than `hashed_again` are checked when read."""
        if not stage.hashed_again:
            return True
        for shard in finished.shards:
            if digest_at(shard.location) != (shard.bytes, shard.sha256):
                self.watcher.tell(f"{shard.location} is not what was written: it is rebuilt")
                return False
        self.hashed |= {path_below(self.out, shard.location) for shard in finished.shards}
        return True

    @ended_told()
    def _make(self, stage: Stage, pending: Sequence[Job], done: dict[str, Finished]) -> tuple[list[Cost], list[TaskOutcome[Job, Any]]]:
        costs: list[Cost] = []
        failures: list[TaskOutcome[Job, Any]] = []
        if not pending:
            return costs, failures
        with IndexWriter(self.space, stage, done.values()) as index:
            for outcome in last_outcomes(self.runner, pending, self.watcher.tell):
                if outcome.result is not None:
                    self._take(stage, outcome.result, done, costs)
                    index.add(outcome.result[0])
                else:
                    failures.append(outcome)
        return costs, failures

    def _take(self, stage: Stage, result: tuple[Finished, Cost], done: dict[str, Finished], costs: list[Cost]) -> None:
        self.require_lock()
        finished, cost = result
        done[finished.name] = finished
        costs.append(cost)
        self.watcher.advance(self._title(stage), finished)

    def _as_before(self, stage: Stage, seal: JsonMapping, folder: str) -> Sealed:
        """Return a stage as it was sealed. Raises Refused (the drift so far) where a record of it is missing."""
        self._sealed.add(folder)
        found = [read_sidecar(self.space, stage, name) for name in seal["names"]]
        if None in found:
            self._drift.stop()
        return Sealed(stage.name, tuple(finished for finished in found if finished is not None))

    def _read_seal(self, stage: Stage) -> JsonObject | None:
        try:
            return find_record(self.space.sidecars(stage) / SEAL)
        except CorruptRecord:
            return None

    def _write_seal(self, stage: Stage, identity: Any, jobs: Sequence[Job], finished: Sequence[Finished], before: Any) -> None:
        content = {
            "identity": identity,
            "units": len(finished),
            "digest": digest_of([(unit.name, unit.key) for unit in finished]),
            "folder": self.space.folder_of(stage),
            "names": [unit.name for unit in finished],
            "files": [shard.location.name for unit in finished for shard in unit.shards],
        }
        inputs = inputs_of(jobs)
        if inputs:
            content["inputs"] = inputs
        if content != before:
            write_record(self.space.sidecars(stage) / SEAL, content)


def _failure(outcome: TaskOutcome[Job, Any]) -> Failure:
    """Return the failure of a unit that could not be made."""
    error, unit = outcome.error or "no reason was given", outcome.item.unit
    return Failure(outcome.line or " ".join(error.split()), error, unit.name, [source.relative for source in unit.sources])

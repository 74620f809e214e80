"""Stages are pure functions from bytes to shards; one rule decides which work is skipped or redone.

A stage is a frozen dataclass whose fields are everything that can change its bytes. It works on *units*: a unit has a name, reads shards,
and makes shards of its own. A unit's key is the SHA-256 of the stage (name, version, fields, package versions, digests of files it reads)
and of the SHA-256 of every shard that the unit reads. When its shards are written, a *sidecar* `<unit>.json` records key, outputs and
counts.

    The only rule: a unit is done if its sidecar holds its key and its outputs exist. Any other unit is made.

So if a recipe, a model or an input changes, exactly what depends on it is made again. The driver seals a stage when all its units are
done, and then removes what an earlier recipe left behind. A sidecar never contains times or places.

Invariants
    - Outputs are complete before the sidecar exists; the sidecar is complete before the seal exists.
    - Two attempts at one unit write equal bytes, so either may win.
    - A failed unit does not stop the others; the run then ends with ShardsFailed.
"""

import dataclasses
import hashlib
import json
import re
import resource
import time
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from curation.arrays import JsonMapping, JsonObject, JsonValue, Schema, Table
from curation.engine.node_check import Misfit
from curation.errors import Refused
from curation.storage.digests import canonical, json_of, plain, shared, version_of
from curation.storage.journal import Journal
from curation.storage.location import TEMPORARY, Location
from curation.storage.records import REMEDY, CorruptRecord, find_record, read_record, write_record
from curation.storage.shards import Shard, ShardWriter
from curation.storage.traffic import Traffic, measured

if TYPE_CHECKING:
    from curation.storage.source_file import SourceFile

SEAL = "_seal.json"
SHARD_ENDINGS = (".parquet", ".jsonl.gz")
WORKER_MEMORY = 512 << 20
"""Bytes that a worker takes at most in most stages: of 5 million documents none took more than 446 MiB (tests/benchmark/README.md)."""

_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Unit:
    """One piece of a stage's work.

    `inputs` are the shards that it reads, by role; `sources` the input files (ingest only); `extra` holds further values that change its
    bytes.
    """

    name: str
    inputs: Mapping[str, tuple[Shard, ...]] = field(default_factory=dict)
    sources: tuple["SourceFile", ...] = ()
    extra: JsonMapping = field(default_factory=dict)

    def shard(self, role: str) -> Shard:
        """Return the only shard in a role."""
        (shard,) = self.inputs[role]
        return shard

    def identity(self) -> JsonObject:
        """Return the values that the unit's bytes depend on: digests and relative paths, never places."""
        return {
            "name": self.name,
            "inputs": {role: [[shard.name, shard.sha256] for shard in shards] for role, shards in self.inputs.items()},
            "sources": [[s.relative, s.source, shared(s.fields), s.size, s.changed] for s in self.sources],
            "extra": plain(self.extra),
        }


class Output:
    """Where a unit writes: opens shards under temporary names and remembers the finished ones.

    Each name goes to the `journal` first. `taken` are files in the folder that are not ours: they are never overwritten.
    """

    def __init__(self, folder: Location, journal: Journal | None = None, taken: frozenset[str] = frozenset()) -> None:
        """Write into a folder, and announce each file in the journal; the files that `taken` names are in the folder but not the run's."""
        self.folder = folder
        self.shards: list[Shard] = []
        self._journal = journal
        self._taken = taken

    def begin(self, file: str) -> Location:
        """Return the location of a file that is about to be written. Raises Refused if somebody else's file has that name."""
        if file in self._taken:
            raise Refused(f"{self.folder / file} was not made by this run, and this run needs its name; move it elsewhere, then run again")
        if self._journal is not None:
            self._journal.announce(file)
        return self.folder / file

    def known(self, file: str, rows: int, size: int, sha256: str) -> Shard:
        """Return a shard of this folder from its recorded facts. Raises ValueError if they are malformed, or lead out of the folder."""
        if [type(fact) for fact in (file, rows, size, sha256)] != [str, int, int, str]:
            raise ValueError(f"{file!r} and what is recorded beside it are not a file's facts")
        return Shard(file.partition(".")[0], self.folder.within(file), rows, size, sha256)

    def shard(
        self, name: str, schema: Schema, metadata: Mapping[str, str] | None = None, level: int = 1, cut_by_content: bool = False
    ) -> "_RecordingWriter":
        """Open a shard for writing; use it as a context manager."""
        return _RecordingWriter(self, name, schema, metadata, level, cut_by_content)

    def write(self, name: str, table: Table, metadata: Mapping[str, str] | None = None) -> Shard:
        """Write a table as one shard."""
        with self.shard(name, table.schema, metadata) as writer:
            writer.write(table)
        return self.shards[-1]


class _RecordingWriter(ShardWriter):
    def __init__(
        self, output: Output, name: str, schema: Schema, metadata: Mapping[str, str] | None, level: int, cut_by_content: bool
    ) -> None:
        super().__init__(name, output.begin(f"{name}.parquet"), schema, metadata, level, cut_by_content)
        self._output = output

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)
        if self.shard is not None:
            self._output.shards.append(self.shard)


def recorded(shard: Shard) -> list[Any]:
    """Return what a sidecar records about a shard."""
    return [shard.location.name, shard.rows, shard.bytes, shard.sha256]


@dataclass(frozen=True)
class Stage(ABC):
    """Base class of all stages. Its fields are its recipe; `make` is a pure function of them and of the unit.

    `folder` is where its shards go below OUT: `stages/<name>`, unless the stage says otherwise. Sidecars are always in `stages/<name>`.
    `hashed_again`: every session hashes the shards again and rebuilds damaged ones, because people read them.
    `survives_crashes`: a unit that kills its worker twice is made once more by `make_isolated`.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("pyarrow",)
    folder: ClassVar[str | None] = None
    survives_crashes: ClassVar[bool] = False
    hashed_again: ClassVar[bool] = False

    @abstractmethod
    def make(self, unit: Unit, output: Output) -> JsonMapping:
        """Write the unit's shards and return its counts: JSON values that depend on the unit's bytes alone."""

    def make_isolated(self, job: "Job", output: Output) -> JsonMapping:  # noqa: ARG002
        """Make a unit without the records that kill its workers; only a stage that `survives_crashes` can do this."""
        raise TypeError(f"stage {self.name} cannot leave records out of {job.unit.name}")

    def memory(self, unit: Unit) -> int:  # noqa: ARG002
        """Return how many bytes a worker takes to make a unit: what a cluster is asked for. Stages work batch by batch."""
        return WORKER_MEMORY

    def files(self) -> Mapping[str, str]:
        """Return the name and SHA-256 of each file that this stage reads besides its shards (models, lists, prompts)."""
        return {}

    def fields(self) -> JsonValue:
        """Return the fields that change bytes, as JSON types."""
        return {f.name: plain(getattr(self, f.name)) for f in dataclasses.fields(self)}

    def identity(self) -> JsonObject:
        """Return the values that every unit of the stage depends on."""
        return {
            "stage": self.name,
            "version": self.version,
            "fields": self.fields(),
            "files": dict(self.files()),
            "packages": {package: version_of(package) for package in self.packages},
            "unicode": unicodedata.unidata_version,
        }


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished unit: its shards and counts."""

    name: str
    key: str
    shards: tuple[Shard, ...]
    counts: JsonMapping

    def shard(self, name: str) -> Shard:
        """Return the shard with this name. Raises CorruptRecord where the unit's sidecar records none."""
        for shard in self.shards:
            if shard.name == name:
                return shard
        told = ", ".join(str(shard.location) for shard in self.shards) or "no shard at all"
        raise CorruptRecord(
            f"unit {self.name} is recorded with {told}, and not with its shard {name}: its sidecar is not what was written; "
            f"delete that sidecar ({self.name}.json), then {REMEDY}"
        )


@dataclass(frozen=True)
class Cost:
    """What a unit cost: wall-clock seconds, the worker's peak resident memory so far in MiB, and its calls of object stores."""

    seconds: float
    peak_mib: float
    traffic: Traffic


@dataclass(frozen=True)
class Workspace:
    """The place of stages: OUT, and their folder below it. Stages over synthetic rows have a folder of their own."""

    out: Location
    below: str = "stages"

    def sidecars(self, stage: Stage | type[Stage]) -> Location:
        """Return the folder of a stage's sidecars and seal."""
        return self.out / self.below / stage.name

    def shards(self, stage: Stage | type[Stage]) -> Location:
        """Return the folder of a stage's shards."""
        return self.out / self.folder_of(stage)

    def folder_of(self, stage: Stage | type[Stage]) -> str:
        """Return the folder of a stage's shards, as a path below OUT."""
        return stage.folder if stage.folder is not None else f"{self.below}/{stage.name}"


@dataclass(frozen=True, slots=True)
class Job:
    """A unit to make, in the form that is sent to a worker."""

    stage: Stage
    unit: Unit
    key: str
    space: Workspace
    packages: Mapping[str, str] = field(default_factory=dict)
    isolated: bool = False
    taken: frozenset[str] = frozenset()

    def output(self) -> Output:
        """Return the output that the unit writes to."""
        journal = Journal(self.space.sidecars(self.stage), self.unit.name, self.space.folder_of(self.stage))
        return Output(self.space.shards(self.stage), journal, self.taken)


def perform(job: Job) -> tuple[Finished, Cost]:
    """Make one unit: its shards, then its sidecar. Runs in a worker.

    Raises Misfit where this machine has other files or packages than the key says.
    """
    began = time.perf_counter()
    if key_of(job.stage.identity(), job.unit) != job.key:
        raise Misfit(_difference(job.stage.identity()["packages"], job.packages))
    with measured() as traffic:
        output = job.output()
        counts = job.stage.make_isolated(job, output) if job.isolated else job.stage.make(job.unit, output)
        finished = Finished(job.unit.name, job.key, tuple(output.shards), plain(counts))
        write_sidecar(job.space, job.stage, finished)
    return finished, Cost(time.perf_counter() - began, _peak_mib(), traffic)


def _difference(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """Say how this machine differs from the driver's."""
    other = [f"{name} {version} here, {there.get(name)} there" for name, version in here.items() if there.get(name) != version]
    how = ", ".join(other) or "in its Unicode tables, or in a file that a filter reads"
    return f"it differs from the machine that started the run ({how}); install the same there"


def _peak_mib() -> float:
    """Return this process's peak resident memory; on Linux `ru_maxrss` would start with the parent's peak."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write_sidecar(space: Workspace, stage: Stage, finished: Finished) -> None:
    """Record that a unit is done."""
    content = {
        "key": finished.key,
        "folder": space.folder_of(stage),
        "outputs": [recorded(shard) for shard in finished.shards],
        "counts": finished.counts,
    }
    write_record(space.sidecars(stage) / f"{finished.name}.json", content)


def read_sidecar(space: Workspace, stage: Stage | type[Stage], name: str) -> Finished | None:
    """Return the content of a sidecar, or None where it is missing or damaged."""
    try:
        content = find_record(space.sidecars(stage) / f"{name}.json")
        if content is None:
            return None
        output = Output(space.shards(stage))
        shards = tuple(output.known(*facts) for facts in content["outputs"])
        return Finished(name, str(content["key"]), shards, dict(content["counts"]))
    except (CorruptRecord, ValueError, KeyError, TypeError):
        return None


def shards_recorded(sidecar: Location) -> list[str] | None:
    """Return the paths below OUT of the shards that a sidecar of any stage records; None for a file that is not a sidecar."""
    try:
        content = json.loads(sidecar.read_bytes())
        if not _KEY.fullmatch(content["key"]):
            return None
        return [f"{content['folder']}/{file}" for file, *_ in content["outputs"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def outputs_recorded(out: Location, sidecar: Location) -> list[tuple[str, int, str]]:
    """Return path below OUT, size and SHA-256 of the shards that a sidecar of any stage records.

    Raises CorruptRecord for a sidecar that is not what was written, or that names files outside OUT.
    """
    content = read_record(sidecar)
    try:
        found = [(f"{content['folder']}/{file}", int(size), str(sha256)) for file, _, size, sha256 in content["outputs"]]
        for path, _, _ in found:
            out.within(path)
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptRecord(f"{sidecar} is not a sidecar ({error}); {REMEDY}") from error
    return found


def finished_units(space: Workspace, stage: type[Stage]) -> tuple[Finished, ...]:
    """Return every unit of a stage that has a sidecar, by name, to inspect a finished run; the seal says which are the run's."""
    files = [facts.location.name for facts in space.sidecars(stage).files()]
    names = [name.removesuffix(".json") for name in files if name.endswith(".json") and name != SEAL and not name.startswith(TEMPORARY)]
    sealed = units_sealed(space.sidecars(stage) / SEAL) if SEAL in files else None
    found = [read_sidecar(space, stage, name) for name in names if sealed is None or name in sealed]
    return tuple(finished for finished in found if finished is not None)


def units_sealed(seal: Location) -> frozenset[str] | None:
    """Return the names of the units that a seal covers; None where the seal is unreadable or does not say."""
    try:
        return frozenset(json.loads(seal.read_bytes())["names"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def key_of(stage_identity: JsonMapping, unit: Unit) -> str:
    """Return the key of a unit of a stage: `digest_of([stage_identity, unit.identity()])`."""
    return keys_under(stage_identity)(unit)


def keys_under(stage_identity: JsonMapping) -> Callable[[Unit], str]:
    """Return `key_of` for the many units of one stage, whose identity is hashed once."""
    begun = hashlib.sha256(f"[{canonical(stage_identity)},".encode("utf-8", "surrogatepass"))

    def key(unit: Unit) -> str:
        whole = begun.copy()
        whole.update(f"{json_of(unit.identity())}]".encode("utf-8", "surrogatepass"))
        return whole.hexdigest()

    return key


def is_whole(finished: Finished, sizes: Mapping[str, int]) -> bool:
    """Return whether all outputs of a unit exist with the recorded size; `sizes` lists the stage's shard folder by file name.

    Every unit writes a shard, even one without rows: a sidecar that records none was not written by a run.
    """
    return bool(finished.shards) and all(sizes.get(shard.location.name) == shard.bytes for shard in finished.shards)

"""A finished run of 100,000 units a stage, run again: what the driver takes.

    python -m tests.benchmark.many_units [UNITS] [STAGES] [no-index]

The units are synthetic: sidecars are written as workers write them, beside shards of a few bytes that nothing opens.
"""

import hashlib
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from curation.engine.index import IndexWriter, index_of
from curation.engine.runner import LocalRunner
from curation.engine.session import Session
from curation.engine.stage import Finished, Output, Stage, Unit, Workspace, keys_under
from curation.storage.location import Location
from curation.storage.records import encode_record
from curation.storage.shards import Shard

CONTENT = b"PAR1 synthetic"


@dataclass(frozen=True)
class Numbers(Stage):
    """Would write numbers."""

    name: ClassVar[str] = "1-numbers"

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        """Nothing is to be made in this measurement."""
        raise AssertionError(f"{unit.name} is made again")


@dataclass(frozen=True)
class More(Numbers):
    """Would read numbers."""

    name: ClassVar[str] = "2-more"


@dataclass(frozen=True)
class Most(Numbers):
    """Would read them again."""

    name: ClassVar[str] = "3-most"


def write_units(space: Workspace, stage: Stage, units: list[Unit]) -> list[Finished]:
    """Write sidecars and shards as if the units had been made."""
    key_of, digest = keys_under(stage.identity()), hashlib.sha256(CONTENT).hexdigest()
    folder = Path(space.sidecars(stage).path)
    folder.mkdir(parents=True)
    made = []
    for unit in units:
        shard = Shard(unit.name, space.shards(stage) / f"{unit.name}.parquet", 1000, len(CONTENT), digest)
        counts = {"records": 1000, "documents": 990, "text_bytes": 3_000_000}
        content = {"key": key_of(unit), "folder": space.folder_of(stage), "outputs": [[f"{unit.name}.parquet", 1000, len(CONTENT), digest]]}
        (folder / f"{unit.name}.parquet").write_bytes(CONTENT)
        (folder / f"{unit.name}.json").write_bytes(encode_record({**content, "counts": counts}))
        made.append(Finished(unit.name, content["key"], (shard,), counts))
    return made


def run_again(out: Location, first: list[Unit], stages: Sequence[Stage]) -> None:
    """Run the stages, as a session does: each reads what the one before made."""
    with Session.open(out, LocalRunner(), recipe="many") as session:
        sealed = session.run(stages[0], first)
        for stage in stages[1:]:
            sealed = session.run(stage, [Unit(shard.name, {"numbers": (shard,)}) for shard in sealed.shards])
        session.retire_others()
        session.tell_strangers()
        session.close()


def main(count: int, many: int, indexed: bool) -> None:
    """Prepare a finished run, and measure two reruns: the first seals, the second has nothing to do."""
    folder = tempfile.mkdtemp(prefix="many-units-")
    out = Location.of(folder + "/out")
    space = Workspace(out)
    units = [Unit(f"part-{number:06d}") for number in range(count)]
    first, stages = units, (Numbers(), More(), Most())[:many]
    try:
        with Session.open(out, LocalRunner(), recipe="many"):
            pass
        for stage in stages:
            made = write_units(space, stage, units)
            if indexed:
                with IndexWriter(space, stage, made):
                    pass
            units = [Unit(finished.name, {"numbers": finished.shards}) for finished in made]
        print("| units | stages | run | index | time | processor | peak memory |\n|---|---|---|---|---|---|---|", flush=True)
        for name in ("sealing", "nothing to do"):
            if not indexed:
                for stage in stages:
                    index_of(space, stage).delete()
            began, before = time.perf_counter(), time.process_time()
            run_again(out, first, stages)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            took = f"{time.perf_counter() - began:.1f} s | {time.process_time() - before:.1f} s | {peak:.0f} MiB"
            print(f"| {count:,} | {many} | {name} | {'yes' if indexed else 'no'} | {took} |", flush=True)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    numbers = [int(given) for given in sys.argv[1:] if given.isdigit()]
    main(*(*numbers, *(100_000, 3)[len(numbers) :]), indexed="no-index" not in sys.argv)

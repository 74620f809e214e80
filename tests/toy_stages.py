"""Small real stages for the tests of sessions and runners: they write numbers, fail, or kill their process."""

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from curation.engine.stage import Output, Stage, Unit
from curation.storage.shards import read_shard

NUMBERS = pa.schema([pa.field("number", pa.int64(), nullable=False)])


@dataclass(frozen=True)
class Count(Stage):
    """Writes 0..size-1, as many as the unit's name says."""

    size: int = 10
    name: ClassVar[str] = "1-count"

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        with output.shard(unit.name, NUMBERS) as writer:
            writer.write({"number": pa.array(range(self.size))})
        return {"rows": self.size}


@dataclass(frozen=True)
class Double(Stage):
    """Doubles another shard's numbers."""

    factor: int = 2
    slow: ClassVar[float] = 0.0
    name: ClassVar[str] = "2-double"

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        numbers = read_shard(unit.shard("numbers"))["number"].to_pylist()
        output.write(unit.name, pa.table({"number": [self.factor * number for number in numbers]}, schema=NUMBERS))
        return {"rows": len(numbers)}


@dataclass(frozen=True)
class SlowDouble(Double):
    """Takes its time, so that it can be killed."""

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        numbers = read_shard(unit.shard("numbers"))["number"].to_pylist()
        with output.shard(unit.name, NUMBERS) as writer:
            for number in numbers:
                time.sleep(0.02)
                writer.write({"number": pa.array([self.factor * number])})
        return {"rows": len(numbers)}


@dataclass(frozen=True)
class FailOn(Double):
    """Raises on one unit."""

    bad: str = ""

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        if unit.name == self.bad:
            raise RuntimeError(f"cannot double {unit.name}")
        return super().make(unit, output)


@dataclass(frozen=True)
class DieOnce(Double):
    """Kills its own process at one unit, as often as the file in `fuse` says."""

    bad: str = ""
    fuse: str = ""

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        fuse = Path(self.fuse)
        if unit.name == self.bad and fuse.exists():
            left = int(fuse.read_text()) - 1
            fuse.unlink() if left == 0 else fuse.write_text(str(left))
            os.kill(os.getpid(), signal.SIGKILL)
        return super().make(unit, output)

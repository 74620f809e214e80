"""From two runs on samples to a whole input: what a stage costs for each part of the input, and what it costs for each byte.

A part is a unit of ingest. Every stage opens the shards of each part, even if they are almost empty. For a sample of a few kilobytes this
is nearly the whole cost; scaled by bytes, it would predict hours. So the recipe runs twice: on a morsel of one file, which costs little
more than opening shards, and on the sample. The line through both is the model:

    cost = parts * per_part + bytes * per_byte

Invariants: no coefficient is negative; for the sample's own parts and bytes, the model returns what was measured on it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PartsAndBytes:
    """What a part costs and what a byte of the input costs."""

    per_part: float
    per_byte: float

    def at(self, parts: int, size: int) -> float:
        """Return the cost of `parts` parts with `size` bytes in all."""
        return parts * self.per_part + size * self.per_byte


@dataclass(frozen=True)
class StageCost:
    """The processor seconds and the bytes on disk of one stage."""

    stage: str
    seconds: PartsAndBytes
    disk: PartsAndBytes


def line_through(morsel: tuple[int, int, float], sample: tuple[int, int, float]) -> PartsAndBytes:
    """Return the line through the sample that comes closest to the morsel without a negative coefficient; both are (parts, bytes, cost)."""
    (few, little, low), (parts, size, cost) = morsel, sample
    determinant = few * size - parts * little
    per_part = (low * size - cost * little) / determinant if determinant > 0 else 0.0
    per_part = min(max(per_part, 0.0), cost / max(parts, 1))
    return PartsAndBytes(per_part, (cost - parts * per_part) / max(size, 1))


def costs_of(morsel: Sequence[Mapping[str, Any]], little: int, sample: Sequence[Mapping[str, Any]], size: int) -> list[StageCost]:
    """Return the model of each stage, from the stages in run.json of both runs, and the bytes of input that each run stands for."""
    before = {stage["stage"]: stage for stage in morsel}
    few, parts = (stages[0]["units"] if stages else 0 for stages in (morsel, sample))
    found = []
    for stage in sample:
        first = before.get(stage["stage"], {"worker_seconds": 0.0, "bytes": 0})
        seconds, disk = (line_through((few, little, first[name]), (parts, size, stage[name])) for name in ("worker_seconds", "bytes"))
        found.append(StageCost(stage["stage"], seconds, disk))
    return found

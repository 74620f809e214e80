"""Budgets: scales the weights of a mix so that it has a given number of tokens.

A row of weight w is written floor(w) times, and once more if its random number in [0, 1) is below the fraction of w. Random numbers have 20
bits, so a histogram of tokens by random number gives the tokens of every scale: nothing needs to be sorted, and memory does not grow with
the run. Bisection finds the scale.

Only training rows count; held-out rows are written at most once and are drawn with the same scale.

Invariant: the scale depends on the rows alone. Its tokens differ from the budget by at most a 2**-20 part and one document of each group of
equal weights.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from curation.arrays import Floats, Hashes, Integers
from curation.errors import UsageError
from pipelines.reexport.mix import LARGEST, Mix, Part

BITS = 20
_STEPS = 1 << BITS

REST = -1
"""The part that holds the rows that no `--mix NAME=...` names."""


def copies_of(weights: Floats, chances: Hashes) -> Integers:
    """Return how many times each row is written; `chances` are 64-bit numbers."""
    whole = np.floor(weights)
    return whole.astype(np.int64) + ((chances >> np.uint64(64 - BITS)).astype(np.int64) < _fraction(weights - whole))


def _fraction(values: Floats) -> Integers:
    return np.rint(values * _STEPS).astype(np.int64)


@dataclass
class Pool:
    """The training rows of one part with one weight: their number, their tokens, and a histogram of tokens by random number."""

    rows: int = 0
    tokens: int = 0
    text_bytes: int = 0
    by_chance: Integers | None = None

    def add(self, rows: int, text_bytes: int, steps: Integers, tokens: Integers) -> None:
        """Add the rows of a shard, and their tokens by random number if there is a budget."""
        self.rows, self.text_bytes = self.rows + rows, self.text_bytes + text_bytes
        self.tokens += int(tokens.sum())
        if len(steps):
            if self.by_chance is None:
                self.by_chance = np.zeros(_STEPS, np.int64)
            np.add.at(self.by_chance, steps, tokens)


@dataclass
class Pools:
    """All pools by part and weight."""

    held: dict[tuple[int, float], Pool] = field(default_factory=dict)

    def of(self, part: int) -> dict[float, Pool]:
        """Return the pools of a part by weight."""
        return {weight: pool for (number, weight), pool in self.held.items() if number == part}

    def at(self, part: int, weight: float) -> Pool:
        """Return a pool; make it if it does not exist yet."""
        return self.held.setdefault((part, weight), Pool())


def scales_for(mix: Mix, pools: Pools) -> Mapping[int, float]:
    """Return the scale of each part's weights. Raises UsageError if a budget cannot be met."""
    scales = {number: part.amount if part.kind == "rate" else 1.0 for number, part in enumerate(mix.parts)} | {REST: 1.0}
    spent = 0.0
    for number, part in enumerate(mix.parts):
        if part.kind == "rate":
            continue
        wanted = part.amount * (mix.tokens or 0) if part.kind == "share" else part.amount
        scales[number] = _scale([(pools.of(number), 1.0)], wanted, part)
        spent += wanted
    if mix.tokens is None:
        return scales
    others = [number for number in scales if number == REST or mix.parts[number].kind == "rate"]
    wanted = mix.tokens - spent
    rest = [(pools.of(number), scales[number]) for number in others]
    if wanted < 1:
        factor = 0.0
    else:
        there = _tokens_at(rest, 1.0)
        if there < wanted and not _nearly(there, wanted):
            raise UsageError(
                f"--tokens {mix.tokens:,}: the mix has {there + spent:,.0f} tokens; ask for fewer, or give sources weights above 1"
            )
        factor = _bisect(rest, wanted, 1.0)
    return scales | {number: scales[number] * factor for number in others}


def _scale(pools: Sequence[tuple[Mapping[float, Pool], float]], wanted: float, part: Part) -> float:
    most = 1.0
    while _tokens_at(pools, most) < wanted:
        most *= 2
        if most > LARGEST:
            held = sum(pool.tokens for own, _ in pools for weight, pool in own.items() if weight)
            raise UsageError(f"--mix {part.name}: {wanted:,.0f} tokens are asked for, but its kept rows have {held:,}")
    return _bisect(pools, wanted, most)


def _bisect(pools: Sequence[tuple[Mapping[float, Pool], float]], wanted: float, most: float) -> float:
    low, high = 0.0, most
    for _ in range(64):
        middle = (low + high) / 2
        if _tokens_at(pools, middle) < wanted:
            low = middle
        else:
            high = middle
    return high


def _tokens_at(pools: Iterable[tuple[Mapping[float, Pool], float]], factor: float) -> float:
    """Return the tokens of the rows after all weights are multiplied by their part's scale and by a factor."""
    total = 0
    for own, scale in pools:
        for weight, pool in own.items():
            scaled = weight * scale * factor
            whole = int(np.floor(scaled))
            total += whole * pool.tokens
            if pool.by_chance is not None:
                total += int(pool.by_chance[: int(np.rint((scaled - whole) * _STEPS))].sum())
    return float(total)


def _nearly(there: float, wanted: float) -> bool:
    return there >= wanted * (1 - 1e-6)

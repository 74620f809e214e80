"""Chance: the draws of one exercise, from one seed, with the knobs of its level, and the worlds that quantities come from.

A world (`synth/phrases/worlds.toml`) is a list of things that a kind of problem can be about, each with its unit and the range in which its
quantities are plausible: gardens are measured in metres, and nobody sails 144 decimetres.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from random import Random
from types import SimpleNamespace
from typing import Any


@cache
def worlds() -> Mapping[str, Any]:
    """Return all worlds, by name."""
    return tomllib.loads((files("synth") / "phrases" / "worlds.toml").read_text("utf-8"))


class Chance(Random):
    """A seeded generator of chance; `level` runs from 1 to 5, `knob` holds the family's knobs at that level."""

    level: int
    knob: SimpleNamespace

    @classmethod
    def of(cls, seed: str, level: int, knobs: Mapping[str, tuple[int, ...]], turned: Mapping[str, int]) -> "Chance":
        """Return the chance of an exercise; `turned` sets knobs by hand."""
        made = cls(seed)
        made.level = level
        made.knob = SimpleNamespace(**{name: turned.get(name, values[level - 1]) for name, values in knobs.items()})
        return made

    def choice(self, options: Any) -> Any:
        """Return one of the options; the library's own way takes three times as long."""
        return options[int(self.random() * len(options))]

    def between(self, low: int, high: int, step: int = 1) -> int:
        """Return a multiple of `step` from `low` to `high`, both possible."""
        first = -(-low // step)
        return step * (first + int(self.random() * (max(high // step, first) - first + 1)))

    def of_world(self, name: str) -> Any:
        """Return a thing of a world."""
        return self.choice(worlds()[name])

    def within(self, limits: list[int], step: int = 1) -> int:
        """Return a quantity in a world's range."""
        return self.between(limits[0], limits[1], step)

    def person(self) -> str:
        """Return a first name."""
        return str(self.choice(worlds()["names"]))

    def people(self, count: int) -> list[str]:
        """Return different first names."""
        return self.sample(worlds()["names"], count)

    def chances(self, share: float) -> bool:
        """Return True with a probability."""
        return self.random() < share

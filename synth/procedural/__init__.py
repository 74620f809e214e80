"""Exercises made by rule: every number of an exercise comes from one source of truth, and another method checks it.

A generator is a class in a file of its own in this folder; the file's name is the topic and no list needs an edit. `make` draws quantities
and works with exact fractions, then tells the problem, the steps and the answer in words. `solve` starts from the facts the problem states
and reaches the answer by a different road (counting, search, substitution, running the program), sharing no code with `make`; a slip in
one of them does not go unseen. `checkpoints` are statements the second road also reaches, which the steps must make in that order.

What comes out is correct and narrow: it suits the mathematics, logic and tracing share of a mix and does not replace a model's prose.

    make(draw, difficulty)   an Exercise; difficulty runs from 1 to 5
    solve(facts)             the answer, as `Exercise.answer` writes it
    checkpoints(facts)       statements that the steps must make

Invariants
    - `make` is a pure function of the random generator's state and the difficulty.
    - Facts are small: numbers up to `largest`, lists of at most MOST_ITEMS. The second roads count and try, so larger facts, which only a
      model makes up, could keep them busy for years; `are_small` refuses them.
    - Every number in `facts` stands in the problem; every number in a step stands in the problem, in an equation that holds, in a
      checkpoint or in the answer (`synth.solution` checks both).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from curation.plugins import Named, shipped, shipped_as

LEVELS = (1, 2, 3, 4, 5)

MOST_ITEMS = 12
"""Most entries of a list or a table in facts."""

MOST_CHARACTERS = 500
"""Most characters of a text in facts."""


@dataclass(frozen=True)
class Exercise:
    """A problem in words, its worked steps (a paragraph each), its answer, and the facts the problem states (JSON values)."""

    title: str
    problem: str
    steps: tuple[str, ...]
    answer: str
    facts: Mapping[str, Any]


class Generator(Named, ABC):
    """Base of all generators; see the module's docstring for the contract. `about` names the topic to a reader."""

    about: ClassVar[str]
    version: ClassVar[int] = 1
    largest: ClassVar[int] = 1000

    @abstractmethod
    def make(self, draw: Random, difficulty: int) -> Exercise:
        """Return an exercise."""

    @abstractmethod
    def solve(self, facts: Mapping[str, Any]) -> str:
        """Return the answer that follows from the facts. Raises ValueError, KeyError or TypeError for facts that are none."""

    def checkpoints(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """Return statements that the steps must make, in this order."""
        del facts
        return ()


def are_small(facts: Any, largest: int) -> bool:
    """Whether every number, text and list in facts (JSON values) is small enough to be solved by counting and trying."""
    if isinstance(facts, Mapping):
        return len(facts) <= MOST_ITEMS and all(are_small(value, largest) for value in facts.values())
    if isinstance(facts, list):
        return len(facts) <= MOST_ITEMS and all(are_small(value, largest) for value in facts)
    if isinstance(facts, str):
        return len(facts) <= MOST_CHARACTERS
    return facts is None or abs(facts) <= largest


def generators() -> dict[str, type[Generator]]:
    """Return topic -> class of every generator in this folder."""
    return shipped("synth.procedural", Generator)  # type: ignore[type-abstract]


def generator(topic: str) -> Generator:
    """Return the generator of a topic. Raises RecipeError with the nearest name where there is none."""
    return shipped_as(topic, "synth.procedural", Generator)()  # type: ignore[type-abstract]

"""Procedural exercises are made by rule: each has one source of numbers, and an independent method checks it.

A generator is a class in its own file in this folder; the file's name is the topic, and no list has to be changed. `make` draws quantities
and works with exact fractions, then states the problem, the steps and the answer in words. `solve` starts from the facts that the problem
states and reaches the answer by a different method (counting, search, substitution, running the program) without sharing code with `make`,
so a mistake in one of them is noticed. `checkpoints` are statements that this method also reaches and that the steps must make in the same
order.

The results are correct and narrow: they suit the mathematics, logic and tracing share of a mix, and do not replace a model's prose.

    make(draw, difficulty)   an Exercise; difficulty runs from 1 to 5
    solve(facts)             the answer, as `Exercise.answer` writes it
    checkpoints(facts)       statements that the steps must make

Invariants
    - `make` is a pure function of the random generator's state and the difficulty.
    - Facts are small: numbers up to `largest`, lists of at most MOST_ITEMS. `solve` counts and tries, so larger facts, which only a model
      invents, could keep it busy for years; `are_small` refuses them.
    - Every number in `facts` occurs in the problem; every number in a step occurs in the problem, in a true equation, in a checkpoint or in
      the answer (`synth.solution` checks both).
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
    """Base class of all generators; see the module's docstring for the contract. `about` names the topic for a reader."""

    about: ClassVar[str]
    version: ClassVar[int] = 1
    largest: ClassVar[int] = 1000

    @abstractmethod
    def make(self, draw: Random, difficulty: int) -> Exercise:
        """Return an exercise."""

    @abstractmethod
    def solve(self, facts: Mapping[str, Any]) -> str:
        """Return the answer that follows from the facts. Raises ValueError, KeyError or TypeError for invalid facts."""

    def checkpoints(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """Return statements that the steps must make, in this order."""
        del facts
        return ()


def are_small(facts: Any, largest: int) -> bool:
    """Return whether every number, text and list in facts (JSON values) is small enough for counting and trying."""
    if isinstance(facts, Mapping):
        return len(facts) <= MOST_ITEMS and all(are_small(value, largest) for value in facts.values())
    if isinstance(facts, list):
        return len(facts) <= MOST_ITEMS and all(are_small(value, largest) for value in facts)
    if isinstance(facts, str):
        return len(facts) <= MOST_CHARACTERS
    return facts is None or abs(facts) <= largest


def generators() -> dict[str, type[Generator]]:
    """Return the class of every generator in this folder, by topic."""
    return shipped("synth.procedural", Generator)  # type: ignore[type-abstract]


def generator(topic: str) -> Generator:
    """Return the generator of a topic. Raises RecipeError with the nearest name if it does not exist."""
    return shipped_as(topic, "synth.procedural", Generator)()  # type: ignore[type-abstract]

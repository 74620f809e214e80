"""Procedural exercises are made by rule. A family of problems is a file in `families/`, about thirty lines; its name is the topic.

    draw(chance)       facts: the quantities and names that the problem states (JSON values), within the knobs of the level
    work(facts, slip)  the typed steps (`synth.procedural.steps`); with the name of a slip, those of someone who makes this mistake
    recheck(facts)     statements that a second way reaches, in order, and last the answer: by counting, search, substitution or running,
                       without the code of `work`
    slips              names of misconceptions; they give wrong traces, which are exercises in finding errors and rejected answers

Words are data: `synth/phrases/families/<topic>.toml` has the problem in parts, ideas, and what to say of each slip. `realise` chooses the
layout and the wordings.

The results are correct and narrow: they suit the mathematics, logic and tracing share of a mix, and do not replace a model's prose.

Invariants
    - An exercise is a pure function of seed, level and knobs.
    - Facts are small: numbers up to `largest`, lists of at most MOST_ITEMS: `recheck` counts and tries.
    - Every number in facts occurs in the problem; every number in a step occurs in the problem, in a true equation, or in what `recheck`
      returns (`synth.solution` checks both).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from curation.plugins import Named, shipped, shipped_as
from synth.procedural.chance import Chance
from synth.procedural.steps import Steps

LEVELS = (1, 2, 3, 4, 5)

MOST_ITEMS = 24
"""Most entries of a list or a table in facts."""

MOST_CHARACTERS = 500
"""Most characters of a text in facts."""

Facts = Mapping[str, Any]
Values = dict[str, Any]


@dataclass(frozen=True)
class Slip:
    """A wrong solution: the misconception's name, its steps and its answer."""

    name: str
    steps: tuple[str, ...]
    answer: str


@dataclass(frozen=True)
class Exercise:
    """A problem in words, its worked steps (a paragraph each), its answer, and the facts the problem states.

    `attempt` is a wrong solution that the problem shows, where the task is to find its error; `slip` is one that nobody is shown.
    """

    title: str
    problem: str
    heading: str
    steps: tuple[str, ...]
    answer: str
    facts: Facts
    layout: str
    attempt: str = ""
    slip: Slip | None = None


def by_level(**knobs: tuple[int, int, int, int, int]) -> Mapping[str, tuple[int, ...]]:
    """Return the knobs of a family, each with its value at the five levels."""
    return knobs


class Family(Named, ABC):
    """Base class of all families; see the module's docstring for the contract.

    about   names the topic for a reader
    knobs   what a level sets (`by_level`)
    cases   whether the steps are cases, which may be written as such
    """

    about: ClassVar[str]
    version: ClassVar[int] = 5
    largest: ClassVar[int] = 1000
    knobs: ClassVar[Mapping[str, tuple[int, ...]]] = {}
    slips: ClassVar[tuple[str, ...]] = ()
    cases: ClassVar[bool] = False

    @abstractmethod
    def draw(self, chance: Chance) -> Values:
        """Return the facts of a problem."""

    @abstractmethod
    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Yield the steps; the last that is no check has the answer as its result."""

    @abstractmethod
    def recheck(self, facts: Facts) -> Sequence[str]:
        """Return what a second way reaches, the answer last. Raises ValueError, KeyError or TypeError for invalid facts."""

    def words(self, facts: Facts) -> Mapping[str, Any]:
        """Return further values for wordings."""
        del facts
        return {}


def are_small(facts: Any, largest: int) -> bool:
    """Return whether every number, text and list in facts (JSON values) is small enough for counting and trying."""
    if isinstance(facts, str):
        return len(facts) <= MOST_CHARACTERS
    if isinstance(facts, dict | list):
        values = facts.values() if isinstance(facts, dict) else facts
        return len(facts) <= MOST_ITEMS and all(are_small(value, largest) for value in values)
    return facts is None or abs(facts) <= largest


def every_family() -> dict[str, type[Family]]:
    """Return the class of every family, by topic."""
    return shipped("synth.procedural.families", Family)  # type: ignore[type-abstract]


@cache
def family(topic: str) -> Family:
    """Return the family of a topic. Raises RecipeError with the nearest name if it does not exist."""
    return shipped_as(topic, "synth.procedural.families", Family)()  # type: ignore[type-abstract]

"""The narrator words procedural exercises with random names, connectives and phrases, so that two exercises rarely sound alike.

Diversity of wording matters more to a model than polish, so a generator has several versions of every sentence. A narrator draws among
them, and repeats no connective within one exercise while others are left.
"""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

Option = TypeVar("Option")

FIRST_NAMES = (
    "Amara", "Anselm", "Beatriz", "Bogdan", "Carmen", "Chidi", "Daria", "Dmitri", "Elif", "Emil", "Farida", "Felix", "Greta", "Hamid",
    "Hana", "Ines", "Ivo", "Jonas", "Kamala", "Kenji", "Leila", "Lucas", "Maren", "Mateo", "Nadia", "Nils", "Oksana", "Omar", "Priya",
    "Quentin", "Rosa", "Rui", "Salma", "Soren", "Tamsin", "Tariq", "Uma", "Viktor", "Wanda", "Xavier", "Yara", "Yusuf", "Zofia", "Zeno",
)  # fmt: skip

_FIRST = (
    "First, ", "To begin, ", "We start here: ", "Begin with what is known: ", "The first thing to settle is this: ", "As an opening move, ",
    "Let us start simply: ", "Before anything else, ", "Start from the facts: ", "The natural place to begin: ",
)  # fmt: skip
_NEXT = (
    "Next, ", "After that, ", "From here, ", "With that in hand, ", "Now ", "The next step follows: ", "Building on this, ", "Then ",
    "Carrying on, ", "That done, ", "Continuing, ", "Moving on, ", "Knowing this, ", "One step further: ",
)  # fmt: skip
_LAST = (
    "Finally, ", "Last of all, ", "One step remains: ", "It only remains to finish: ", "To close, ", "At the end, ", "In the last step, ",
    "All that is left is this: ", "We can now finish: ",
)  # fmt: skip
_CHECK = (
    "To check, ", "A quick check: ", "We can test this result: ", "Does this make sense? ", "It is worth verifying: ", "As a check, ",
    "Working backwards confirms it: ", "Let us make sure: ", "The answer can be confirmed: ",
)  # fmt: skip


class Narrator:
    """Draws words for one exercise."""

    def __init__(self, draw: Random) -> None:
        """Choose with a generator of chance."""
        self.draw = draw
        self._said: dict[tuple[str, ...], list[str]] = {}

    def one_of(self, *options: Option) -> Option:
        """Return one of the options."""
        return self.draw.choice(options)

    def people(self, count: int) -> list[str]:
        """Return names of different people."""
        return self.draw.sample(FIRST_NAMES, count)

    def person(self) -> str:
        """Return a name."""
        return self.draw.choice(FIRST_NAMES)

    def shuffled(self, items: Sequence[Option]) -> list[Option]:
        """Return the items in a random order."""
        return self.draw.sample(items, len(items))

    def first(self, *sentences: str) -> str:
        """Return one of the sentences (each begins in lower case) as the beginning of a solution."""
        return self._led(_FIRST, sentences)

    def then(self, *sentences: str) -> str:
        """Return one of the sentences as a middle step."""
        return self._led(_NEXT, sentences)

    def last(self, *sentences: str) -> str:
        """Return one of the sentences as the closing step."""
        return self._led(_LAST, sentences)

    def check(self, *sentences: str) -> str:
        """Return one of the sentences as a check of the result."""
        return self._led(_CHECK, sentences)

    def led(self, number: int, count: int, *sentences: str) -> str:
        """Return one of the sentences as step `number` of `count`, counted from 0."""
        say = self.first if number == 0 else self.last if number == count - 1 else self.then
        return say(*sentences)

    def _led(self, leads: tuple[str, ...], sentences: Sequence[str]) -> str:
        sentence = self.draw.choice(sentences)
        if not self._said.get(leads):
            self._said[leads] = self.shuffled(leads)
        lead = self._said[leads].pop()
        ends = lead.rstrip()[-1] == "?"
        return lead + (sentence[:1].upper() + sentence[1:] if ends else sentence)


def times(number: int) -> str:
    """Return a number of times in words: once, twice, 3 times."""
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def listed(items: Sequence[str], word: str = "and") -> str:
    """Return items as a list in a sentence: a, b and c."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {word} {items[-1]}"

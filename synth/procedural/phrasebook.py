"""The phrasebook: wordings are data, TOML files in `synth/phrases`, and a speaker draws among them for one exercise.

A wording may choose within itself, `[Add|Sum] the two`, and has values in braces, `{n:{thing}}` (`synth.procedural.grammar`). A family's
file holds its titles, the parts of its problem, its ideas, its misconceptions, and wordings of its own kinds of steps. Its `closers` take
turns with those of all families; its `endings` replace those, and the pupil's last words, where the answer is no noun.

Invariant: a speaker says no sentence twice, and no wording twice while others are left.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from synth.procedural.chance import Chance
from synth.procedural.grammar import begun, capitalised, shown

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SENTENCES = re.compile(r"\s(?:(?<=[.!?]\s)\s*|(?<=\n)\n*)")
"""White space after the end of a sentence, or line breaks; written so that it begins with a single character, which `re` finds quickly."""

_SEVERAL = re.compile(r"[.!?\n](?:(?<=\n)|\**\s)")
_AT_BREAKS = re.compile(r" *\n *(?=\n|$)| (?=\n)|(?<=\n\n) ")
_NO_LEAD = re.compile(
    r"(?:so|thus|hence|therefore|now|then|next|here|after|from|as|at|in|once|when|with|that|this|finally)\b"
    r"|(?:[^\s,]+ ){0,6}[^\s,:]+, |.*(?:\?|\b(?:next|now|then)\b)",
    re.DOTALL,
)
"""A wording that has no connective before it: another connective, a phrase before its subject, or a question."""

_TRIES = 8


@cache
def book(name: str) -> Mapping[str, Any]:
    """Return a file of the phrasebook."""
    return tomllib.loads((files("synth") / "phrases" / f"{name}.toml").read_text("utf-8"))


@cache
def _parts(wording: str) -> tuple[tuple[str, ...], ...]:
    """Return a wording as its parts in order, each with its alternatives."""
    return tuple((part,) if at % 2 == 0 else tuple(part.split("|")) for at, part in enumerate(_CHOICE.split(wording)))


@cache
def wordings(option: str) -> int:
    """Return how many wordings an option stands for."""
    count = 1
    for part in _parts(option):
        count *= len(part)
    return count


def several(text: str) -> bool:
    """Return whether a text has more than one sentence or line."""
    return _SEVERAL.search(text) is not None


def sentences(text: str) -> list[str]:
    """Return the sentences and lines of a text."""
    return _SENTENCES.split(text)


class Speaker:
    """Draws wordings for one exercise; `values` are those that all its wordings may use."""

    def __init__(self, chance: Chance, values: Mapping[str, Any]) -> None:
        """Begin with nothing said."""
        self.chance = chance
        self._values = {name: shown(value) for name, value in values.items()}
        self._used: set[str] = set()
        self._said: set[str] = set()

    def say(self, options: Sequence[str], lead: str = "", **values: Any) -> str:
        """Return a wording of one of the options, new if possible, after a lead; "" if every try repeats a sentence."""
        known, draw = self._values, self.chance.random
        if values:
            known = known.copy()
            for name, value in values.items():
                known[name] = value if type(value) is str else shown(value)
        for _ in range(_TRIES):
            fresh = options[int(draw() * len(options))]
            if fresh in self._used:
                fresh = options[int(draw() * len(options))]
            parts = _parts(fresh)
            chosen = fresh if len(parts) == 1 else "".join([part[int(draw() * len(part))] for part in parts])
            text = chosen.format_map(known)
            if lead and not _NO_LEAD.match(chosen):
                text = lead + text
            if several(text):
                text = text if "```" in chosen else capitalised(text)
                saying = set(sentences(text))
            else:
                text = begun(text)
                saying = {text}
            if saying.isdisjoint(self._said):
                self._used.add(fresh)
                self._said |= saying
                return text
        return ""

    def plain(self, options: Sequence[str], values: Mapping[str, str]) -> str:
        """Return a wording of one of the options with the values as they are, in a document's own spelling."""
        chosen = "".join(self.chance.choice(part) for part in _parts(self.chance.choice(options)))
        return chosen.format_map(values)

    def again(self) -> "Speaker":
        """Return a speaker with the same values that has said nothing yet."""
        other = Speaker(self.chance, {})
        other._values = self._values
        return other


def paragraph(texts: Iterable[str]) -> str:
    """Return texts as one paragraph; one that begins or ends with a line break keeps it."""
    joined = " ".join(filter(None, texts))
    return _AT_BREAKS.sub(lambda found: found[0].strip(" "), joined) if "\n" in joined else joined

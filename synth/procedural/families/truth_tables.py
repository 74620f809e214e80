"""Compound statements and their truth tables. The second way lets Python's operators decide every case."""

from collections.abc import Mapping
from itertools import product

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance, worlds
from synth.procedural.grammar import cardinal, listed
from synth.procedural.steps import Steps, state

_SHAPES = (
    ("{0} and {1}", "{0} or {1}", "{0} and not {1}", "not {0} or {1}", "not {0} and {1}"),
    ("not ({0} and {1})", "not ({0} or {1})", "not {0} or not {1}", "({0} or {1}) and not {1}", "{0} or not ({0} and {1})"),
    ("({0} or {1}) and {2}", "({0} and {1}) or {2}", "{0} and ({1} or not {2})", "({0} or {1}) and not {2}", "not {0} or ({1} and {2})"),
    ("({0} or {1}) and (not {1} or {2})", "({0} and {1}) or (not {0} and {2})", "not ({0} and {1}) or {2}", "not ({0} or {1}) and {2}"),
)


class TruthTables(Family):
    """Two letters at the first two levels, three at the others; how many cases make the statement true?"""

    about = "truth tables of compound statements"
    knobs = by_level(shape=(0, 1, 2, 3, 3))
    slips = ("counts_false", "or_excludes", "swaps_and_or")
    cases = True

    def draw(self, chance: Chance) -> Values:
        """Draw a statement, its letters and what they stand for."""
        letters = chance.choice((["p", "q", "r"], ["s", "t", "u"], ["x", "y", "z"]))
        shape = chance.choice(_SHAPES[chance.knob.shape])
        used = [letter for at, letter in enumerate(letters) if f"{{{at}}}" in shape]
        meanings = chance.sample(worlds()["statements"], len(used))
        return {"statement": shape.format(*letters), "letters": used, "meanings": meanings, "who": chance.person()}

    def words(self, facts: Facts) -> Values:
        """Return what the letters stand for."""
        told = [f"{letter} means that {meaning}" for letter, meaning in zip(facts["letters"], facts["meanings"], strict=True)]
        return {"legend": ", ".join(told[:-1]) + f", and {told[-1]}", "number": cardinal(len(told))}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Decide case by case."""
        true, statement = 0, facts["statement"]
        for case in product((True, False), repeat=len(facts["letters"])):
            values = dict(zip(facts["letters"], case, strict=True))
            holds = _Reader(statement, values, slip).any_of()
            true += holds
            told = listed(f"{letter} is {_WORD[value]}" for letter, value in values.items())
            yield state(f"the case in which {told}", f'"{statement}" is {_WORD[holds]}', "case", case=told)
        count = 2 ** len(facts["letters"]) - true if slip == "counts_false" else true
        yield state(
            "the final count",
            f"the statement is true in {cardinal(count) if count else 'none'} of the cases",
            "counted",
            value=cardinal(count) if count else "none",
        )

    def recheck(self, facts: Facts) -> list[str]:
        """Ask Python's own operators, letter by letter."""
        found = []
        for case in product((True, False), repeat=len(facts["letters"])):
            source = facts["statement"]
            for letter, value in zip(facts["letters"], case, strict=True):
                source = " ".join(
                    str(value) if token == letter else token for token in source.replace("(", "( ").replace(")", " )").split()
                )
            found.append(_decided(source))
        return [
            *(f'"{facts["statement"]}" is {_WORD[holds]}' for holds in found),
            ("none", "one", "two", "three", "four", "five", "six", "seven", "eight")[sum(found)],
        ]


_WORD = {True: "true", False: "false"}


def _decided(source: str) -> bool:
    """Replace what is decided by its value until one value is left."""
    rules = (("( True )", "True"), ("( False )", "False"), ("not True", "False"), ("not False", "True"))
    pairs = {(a, b): (f"{a} and {b}", str(a and b)) for a in (True, False) for b in (True, False)}
    either = {(a, b): (f"{a} or {b}", str(a or b)) for a in (True, False) for b in (True, False)}
    while source not in ("True", "False"):
        for before, after in (*rules, *pairs.values(), *either.values()):
            if before in source:
                source = source.replace(before, after, 1)
                break
        else:
            raise ValueError(f"cannot decide {source!r}")
    return source == "True"


class _Reader:
    """Reads a statement by recursive descent: `or` above `and` above `not`."""

    def __init__(self, statement: str, case: Mapping[str, bool], slip: str) -> None:
        self.tokens = statement.replace("(", " ( ").replace(")", " ) ").split()
        self.case, self.slip = case, slip

    def any_of(self) -> bool:
        value = self._all_of()
        while self.tokens and self.tokens[0] == "or":
            self.tokens.pop(0)
            other = self._all_of()
            value = value != other if self.slip == "or_excludes" else value and other if self.slip == "swaps_and_or" else value or other
        return value

    def _all_of(self) -> bool:
        value = self._one()
        while self.tokens and self.tokens[0] == "and":
            self.tokens.pop(0)
            other = self._one()
            value = value or other if self.slip == "swaps_and_or" else value and other
        return value

    def _one(self) -> bool:
        token = self.tokens.pop(0)
        if token == "not":
            return not self._one()
        if token == "(":
            value = self.any_of()
            self.tokens.pop(0)
            return value
        return self.case[token]

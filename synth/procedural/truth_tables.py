"""Propositional logic: in how many cases is a compound statement true? A truth table gives the answer.

`make` judges a statement by its meaning, as arithmetic; `solve` reads the printed statement with a small parser of its own and must reach
every line of the table (`checkpoints`).
"""

from collections.abc import Callable, Mapping
from itertools import product
from random import Random
from typing import Any, ClassVar

from synth.procedural import Exercise, Generator
from synth.procedural.narrator import Narrator, listed

_Judge = Callable[[bool, bool, bool], bool]
_SHAPES: tuple[tuple[tuple[str, _Judge], ...], ...] = (
    (
        ("{p} and not {q}", lambda p, q, _: p > q),
        ("not {p} or {q}", lambda p, q, _: p <= q),
        ("not ({p} and {q})", lambda p, q, _: p + q < 2),
        ("not {p} and not {q}", lambda p, q, _: p + q == 0),
        ("not ({p} or not {q})", lambda p, q, _: p < q),
    ),
    (
        ("({p} or {q}) and not ({p} and {q})", lambda p, q, _: p != q),
        ("({p} and {q}) or (not {p} and not {q})", lambda p, q, _: p == q),
        ("not {p} or ({p} and {q})", lambda p, q, _: p <= q),
        ("({p} or not {q}) and (not {p} or {q})", lambda p, q, _: p == q),
    ),
    (
        ("({p} or {q}) and {r}", lambda p, q, r: max(p, q) and r),
        ("{p} and ({q} or not {r})", lambda p, q, r: p and q >= r),
        ("not {p} or ({q} and {r})", lambda p, q, r: p <= min(q, r)),
        ("not ({p} or {q}) or {r}", lambda p, q, r: max(p, q) <= r),
    ),
    (
        ("({p} and {q}) or ({q} and {r})", lambda p, q, r: q and max(p, r)),
        ("({p} or not {q}) and ({q} or not {r})", lambda p, q, r: p >= q >= r),
        ("not ({p} and {q}) and ({p} or {r})", lambda p, q, r: p + q < 2 and max(p, r)),
    ),
    (
        ("({p} or {q}) and ({q} or {r}) and ({p} or {r})", lambda p, q, r: p + q + r >= 2),
        ("({p} and not {q}) or ({q} and not {r}) or ({r} and not {p})", lambda p, q, r: 0 < p + q + r < 3),
        ("({p} or {q} or {r}) and not ({p} and {q} and {r})", lambda p, q, r: 0 < p + q + r < 3),
    ),
)
"""For each difficulty the statements, and their meaning as arithmetic with false = 0 and true = 1."""

_MEANINGS = (
    ("the lamp is on", "the door is locked", "the alarm is set"),
    ("it rains", "the market is open", "the ferry runs"),
    ("the soup is hot", "the bread is fresh", "the kettle boils"),
    ("the valve is closed", "the pump works", "the tank is full"),
    ("the bell rings", "the gate is shut", "the guard is awake"),
    ("the flag is up", "the wind blows", "the tide is high"),
    ("the oven is warm", "the dough has risen", "the baker is in"),
    ("the key fits", "the safe is empty", "the clerk is honest"),
)
_IDEA = (
    "A truth table lists every combination of true and false. For each of them we work out the statement from the inside to the outside.",
    "Each letter is either true or false, so there are only a few cases, and we can look at all of them.",
    "The meaning of a compound statement lies in its truth table. We fill it in case by case.",
    "There is no need for cleverness here. Going through all cases in a fixed order settles the question.",
)
_TABLE = ("The cases, one after the other:", "Here is the whole table in words.", "We take the cases in order.", "This gives the table:")


class TruthTables(Generator):
    """Statements in two letters (difficulty 1 and 2) or three."""

    about: ClassVar[str] = "propositional logic with truth tables"

    def make(self, draw: Random, difficulty: int) -> Exercise:
        """Return a counting exercise over all cases."""
        say = Narrator(draw)
        shape, judge = say.one_of(*_SHAPES[difficulty - 1])
        letters = say.one_of("pqr", "abc", "xyz", "ABC", "PQR", "uvw", "stu")[: 3 if "{r}" in shape else 2]
        shown = shape.format(**dict(zip("pqr", letters, strict=False)))
        meanings = say.one_of(*_MEANINGS)
        legend = listed([f'{letter} stands for "{meaning}"' for letter, meaning in zip(letters, meanings, strict=False)])
        who = say.person()
        problem = say.one_of(
            f'Suppose that {legend}. In how many of the possible cases is the statement "{shown}" true?',
            f'{who} writes down the rule "{shown}", where {legend}. How many combinations of true and false make the rule hold?',
            f'In a puzzle, {legend}. {who} claims: "{shown}". Count the cases in which the claim is true.',
        )
        lines, count = [], 0
        for values in product((True, False), repeat=len(letters)):
            true = bool(judge(*values, *(False,) * (3 - len(letters))))
            count += true
            lines.append(_line(dict(zip(letters, values, strict=True)), true))
        total = 2 ** len(letters)
        steps = [
            say.one_of(*_IDEA),
            say.first(
                f"{'three' if len(letters) == 3 else 'two'} letters with two values each give {' × '.join('2' for _ in letters)} = "
                f"{total} cases.",
                f"the number of cases is {' × '.join('2' for _ in letters)} = {total}.",
            ),
            "\n".join([say.one_of(*_TABLE), "", *(f"- {line}" for line in lines)]),
            say.last(
                f"count the cases that came out true: {' + '.join('1' if line.endswith('true.') else '0' for line in lines)} = {count}.",
                f"the statement fails in {total} - {count} = {total - count} cases, which leaves {count} where it holds.",
            ),
        ]
        title = say.one_of("A table of truth", "How many cases make it true?", "Reading a logical rule", "True or false, case by case")
        return Exercise(title, problem, tuple(steps), f"{count} cases", {"statement": shown, "letters": list(letters)})

    def checkpoints(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """Return every line of the table."""
        return tuple(_line(case, _truth(facts["statement"], case)) for case in _cases(facts["letters"]))

    def solve(self, facts: Mapping[str, Any]) -> str:
        """Read the statement again for every case and count."""
        return str(sum(_truth(facts["statement"], case) for case in _cases(facts["letters"])))


def _cases(letters: list[str]) -> list[dict[str, bool]]:
    """Return all cases, true before false, by counting down in binary."""
    last = len(letters) - 1
    return [
        {letter: bool(number >> (last - place) & 1) for place, letter in enumerate(letters)}
        for number in range(2 ** len(letters) - 1, -1, -1)
    ]


def _line(case: Mapping[str, bool], true: bool) -> str:
    said = ", ".join(f"{letter} is {'true' if value else 'false'}" for letter, value in case.items())
    return f"If {said}, the statement is {'true' if true else 'false'}."


def _truth(statement: str, case: Mapping[str, bool]) -> bool:
    """Read a statement by recursive descent: `or` above `and` above `not`."""
    tokens = statement.replace("(", " ( ").replace(")", " ) ").split()

    def any_of() -> bool:
        value = all_of()
        while tokens and tokens[0] == "or":
            tokens.pop(0)
            value = all_of() or value
        return value

    def all_of() -> bool:
        value = one()
        while tokens and tokens[0] == "and":
            tokens.pop(0)
            value = one() and value
        return value

    def one() -> bool:
        token = tokens.pop(0)
        if token == "not":
            return not one()
        if token == "(":
            value = any_of()
            tokens.pop(0)
            return value
        return case[token]

    return any_of()

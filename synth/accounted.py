"""Accounting for numbers: every number in a worked solution comes from its problem or from a step computed before.

A solution may be a chain of true equations about other numbers than the problem's ("Anna has 3 apples and buys 4": 20 + 22 = 42). So the
numbers of the problem are known, in figures or in words; the right side of an equation becomes known once its left side is; and what a
reader knows without being told (half, a hundred per cent, sixty minutes where minutes are spoken of) is known too.
"""

import re

from synth.arithmetic import equations, numbers
from synth.procedural.phrasebook import book
from synth.task import Rejected

_WORDS = {word: value for value, words in book("words")["numbers"].items() for word in words.split()}
_ALWAYS = frozenset({"0", "1", "2"})
_UNITS: tuple[tuple[str, frozenset[str]], ...] = (
    (r"second|minute|hour|\bh\b|\bmin\b|clock", frozenset({"60", "3600", "24", "12"})),
    (r"hour|day|week", frozenset({"24", "7"})),
    (r"week|month|year", frozenset({"7", "12", "52", "365", "366", "30", "4"})),
    (r"per ?cent|%|discount|interest|tax", frozenset({"100", "0.01"})),
    (r"metre|meter|\bk?m\b|\bcm\b|\bmm\b|gram|\bk?g\b|lit(?:re|er)|\bml\b|kilo|tonne", frozenset({"10", "100", "1000"})),
    (r"angle|triangle|degree|circle|rotat|turn", frozenset({"90", "180", "360"})),
    (r"dollar|cent|euro|pound|pence|\$|€|£", frozenset({"100"})),
    (r"dozen", frozenset({"12"})),
    (r"average|mean|square|rectangle|perimeter|cube|dice|die\b|coin|triangle", frozenset({"3", "4", "6"})),
)
_WORD = re.compile(r"[a-z]+")


def known_numbers(problem: str) -> set[str]:
    """Return the numbers that a problem states, in figures or words, and those that its units imply."""
    lower = problem.casefold()
    known = {_plain(number) for number in numbers(problem)} | _ALWAYS
    known |= {_WORDS[word] for word in _WORD.findall(lower) if word in _WORDS}
    for pattern, implied in _UNITS:
        if re.search(pattern, lower):
            known |= implied
    return known


def require_accounted(problem: str, steps: str, answer: str) -> None:
    """Raise Rejected (`unaccounted_number`) unless every number of steps and answer is known or computed from what is known."""
    known = known_numbers(problem)
    for equation in equations(steps):
        strange = _numbers(equation.left) - known
        if strange:
            raise Rejected("unaccounted_number", {"numbers": sorted(strange), "equation": str(equation)})
        known |= _numbers(equation.right)
    strange = (_numbers(steps) | _numbers(answer)) - known
    if strange:
        raise Rejected("unaccounted_number", {"numbers": sorted(strange)})


def _numbers(text: str) -> set[str]:
    return {_plain(number) for number in numbers(text)}


def _plain(number: str) -> str:
    """Return a number without superfluous zeros: 2.50 and 2.5 are one."""
    return (number.rstrip("0").rstrip(".") if "." in number else number).lstrip("0") or "0"

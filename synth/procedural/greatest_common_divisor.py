"""Greatest common divisors by Euclid's algorithm (Elements, book VII), in stories about cutting and sharing without remainder.

`solve` lists all divisors of both numbers and takes the largest common one.
"""

from collections.abc import Mapping
from random import Random
from typing import Any, ClassVar

from synth.procedural import Exercise, Generator
from synth.procedural.narrator import Narrator, times

_SCENES = (
    (
        "Equal bouquets",
        ("{who} has {a} roses and {b} tulips", "On the market {who} bought {a} roses and {b} tulips", "{a} roses and {b} tulips lie ready"),
        (
            "All of them are bound into equal bouquets, with the same flowers in each.",
            "They become bouquets that do not differ from each other.",
        ),
        "What is the largest number of bouquets?",
        "bouquets",
    ),
    (
        "Cutting ribbons",
        ("Two ribbons are {a} and {b} centimetres long", "{who} finds one ribbon of {a} and one of {b} centimetres"),
        (
            "Both are cut into pieces of one length, and nothing is left over.",
            "They are to be cut into pieces that are all as long, without rest.",
        ),
        "What is the greatest possible length of a piece, in centimetres?",
        "centimetres",
    ),
    (
        "Tiles without waste",
        ("A floor measures {a} by {b} centimetres", "{who}'s kitchen is {a} centimetres long and {b} centimetres wide"),
        ("It is to be covered with equal square tiles, none of them cut.", "Only whole square tiles of one size are used."),
        "How long, in centimetres, is the side of the largest tile that fits?",
        "centimetres",
    ),
    (
        "Even teams",
        ("{a} runners and {b} swimmers meet at the club", "{who} coaches {a} runners and {b} swimmers"),
        (
            "They are divided among teams, and all teams are made up alike.",
            "Every team gets as many runners and as many swimmers as any other.",
        ),
        "How many teams are possible at most?",
        "teams",
    ),
    (
        "Packing the shipment",
        ("{who} must pack {a} cups and {b} plates", "An order lists {a} cups and {b} plates", "{a} cups and {b} plates wait in the store"),
        ("Every box holds the same as any other, with nothing left.", "They go into boxes whose contents do not differ."),
        "What is the largest number of boxes?",
        "boxes",
    ),
    (
        "Fence posts",
        ("A plot is {a} metres long and {b} metres wide", "{who} fences a meadow of {a} by {b} metres"),
        (
            "Posts stand at equal distances along the edge, one of them at every corner.",
            "From post to post it is always as far, and each corner has one.",
        ),
        "What is the greatest distance between posts in whole metres?",
        "metres",
    ),
    (
        "Wheels and teeth",
        ("One wheel has {a} teeth and another {b}", "{who} builds a clock with wheels of {a} and {b} teeth"),
        (
            "A third wheel should have a number of teeth that divides both.",
            "The driving wheel must have a number of teeth that goes into both evenly.",
        ),
        "What is the largest number of teeth it can have?",
        "teeth",
    ),
)
_IDEA = (
    "What is asked for must divide both numbers, and it should be as large as possible. That is the greatest common divisor.",
    "Every number that divides both quantities is allowed, and we want the largest, so we look for the greatest common divisor.",
    "The task hides a greatest common divisor. Euclid's method finds it by repeated division with remainder.",
)
_EUCLID = (
    "A common divisor of two numbers also divides the remainder when one is divided by the other, so the pair may be replaced by a "
    "smaller one.",
    "Euclid noticed that the larger number can be replaced by the remainder of a division without changing the common divisors.",
    "Dividing with remainder makes the numbers smaller and keeps their common divisors. We go on until nothing remains.",
)


class GreatestCommonDivisor(Generator):
    """Euclid's algorithm, with longer chains of divisions as difficulty grows."""

    about: ClassVar[str] = "greatest common divisors with Euclid's algorithm"

    def make(self, draw: Random, difficulty: int) -> Exercise:
        """Return an exercise whose number of divisions is about the difficulty."""
        say = Narrator(draw)
        a, b = self._numbers(draw, difficulty)
        title, begun, rules, ask, unit = say.one_of(*_SCENES)
        story = f"{say.one_of(*begun)}. {say.one_of(*rules)} {ask}"
        steps = [f"{say.one_of(*_IDEA)} {say.one_of(*_EUCLID)}"]
        lines: list[str] = []
        big, small = a, b
        while small:
            quotient, rest = divmod(big, small)
            lines.append(
                say.one_of(
                    f"divide {big} by {small}. It goes {times(quotient)} with remainder {rest}: {quotient} × {small} + {rest} = {big}.",
                    f"{small} fits into {big} {times(quotient)} and leaves {rest}, as {quotient} × {small} + {rest} = {big} shows.",
                    f"from {big} we can take {small} {times(quotient)}, and {big} - {quotient} × {small} = {rest} remains.",
                )
            )
            big, small = small, rest
        steps += [say.led(number, max(len(lines), 2), line) for number, line in enumerate(lines)]
        steps.append(
            say.one_of(
                f"Nothing remains now, so the last divisor, {big}, is the greatest common divisor.",
                f"The remainder is zero. The number that divided last is {big}, and it is what we looked for.",
                f"Since the division comes out even, {big} is the greatest common divisor of {a} and {b}.",
            )
        )
        steps.append(say.check(f"both divisions come out even: {a} / {big} = {a // big} and {b} / {big} = {b // big}."))
        return Exercise(title, story.format(who=say.person(), a=a, b=b), tuple(steps), f"{big} {unit}", {"numbers": [a, b]})

    def _numbers(self, draw: Random, difficulty: int) -> tuple[int, int]:
        while True:
            common = draw.randint(2, 6 + 3 * difficulty)
            a, b = sorted((common * draw.randint(2, 8 + 5 * difficulty) for _ in range(2)), reverse=True)
            big, small, divisions = a, b, 0
            while small:
                big, small, divisions = small, big % small, divisions + 1
            if max(1, difficulty - 1) <= divisions <= difficulty + 1 and a != b and big > 1:
                return a, b

    def solve(self, facts: Mapping[str, Any]) -> str:
        """List the divisors of both numbers."""
        first, second = facts["numbers"]
        divisors = {n for n in range(1, first + 1) if first % n == 0} & {n for n in range(1, second + 1) if second % n == 0}
        return str(max(divisors))

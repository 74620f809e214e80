"""Linear equations in one unknown, plain or in a story.

`solve` substitutes whole numbers until both sides of the equation agree.
"""

from collections.abc import Mapping
from random import Random
from typing import Any, ClassVar

from synth.procedural import Exercise, Generator
from synth.procedural.narrator import Narrator

_STORIES = (
    ("The taxi ride", "A taxi charges {b} euros at the start and {a} euros for every kilometre. {who} pays {c} euros. Let {x} be "
                      "the number "
     "of kilometres."),
    ("Filling the barrel", "A barrel already holds {b} litres, and every minute {a} litres flow in. {who} closes the tap when it holds {c} "
     "litres. Let {x} be the number of minutes."),
    ("A number puzzle", "{who} thinks of a number, multiplies it by {a}, adds {b}, and gets {c}. Call the number {x}."),
    ("Saving for a kite", "{who} has {b} coins and adds {a} coins every week. After some weeks there are {c} coins. Let {x} be the "
                          "number of "
     "weeks."),
    ("The growing plant", "A climbing plant is {b} centimetres tall and gains {a} centimetres a day. {who} wants to know when it "
                          "reaches {c} "
     "centimetres. Let {x} be the number of days."),
    ("Rows of tiles", "{who} has laid {b} tiles and now lays rows of {a} tiles until {c} tiles lie on the floor. Let {x} be the number of "
     "rows."),
    ("Candles and boxes", "On the bench lie {b} single candles beside some boxes of {a} candles. {who} counts {c} candles "
                          "altogether. Let {x} "
     "be the number of boxes."),
)  # fmt: skip
_IDEA = (
    "An equation stays true when the same is done to both sides. We use this to leave the unknown alone on one side.",
    "Think of the equation as a balance. Whatever is taken from one pan must be taken from the other.",
    "To solve for {x}, undo what was done to it, in the opposite order, on both sides at once.",
    "The aim is a line that begins with {x} and an equals sign. Every step changes both sides in the same way.",
)


class LinearEquations(Generator):
    """Equations a x + b = c; from difficulty 3 on the unknown is on both sides."""

    about: ClassVar[str] = "solving linear equations in one unknown"

    def make(self, draw: Random, difficulty: int) -> Exercise:
        """Return an equation with a whole-number solution."""
        say = Narrator(draw)
        x = say.one_of("x", "n", "t", "y", "k", "m")
        root = draw.randint(2, 6 + 4 * difficulty)
        return self._one_side(say, x, root, difficulty) if difficulty <= 2 else self._both_sides(say, x, root, difficulty)

    def _one_side(self, say: Narrator, x: str, root: int, difficulty: int) -> Exercise:
        a, b = say.draw.randint(2, 5 + 3 * difficulty), say.draw.randint(2, 20)
        c = a * root + b
        title, story = say.one_of(*_STORIES)
        told = story.format(a=a, b=b, c=c, x=x, who=say.person())
        ask = say.one_of(f"Set up an equation and find {x}.", f"Which equation holds, and what is {x}?", f"Find {x} with an equation.")
        steps = (
            say.one_of(*_IDEA).format(x=x),
            say.first(f"the story says that {a}{x} + {b} = {c}.", f"in symbols the text reads {a}{x} + {b} = {c}."),
            say.then(
                f"subtract {b} from both sides. On the right, {c} - {b} = {c - b}, so {a}{x} = {c - b}.",
                f"the {b} does not depend on {x}, so it is removed from both sides: {c} - {b} = {c - b}. This leaves {a}{x} = {c - b}.",
            ),
            say.last(
                f"divide both sides by {a}: {c - b} / {a} = {root}. Hence {x} = {root}.",
                f"{a} equal parts make {c - b}, and one part is {c - b} / {a} = {root}. That is, {x} = {root}.",
            ),
            say.check(f"{a} × {root} + {b} = {c}, as it should be.", f"put {root} in the place of {x}: {a} × {root} + {b} = {c}."),
        )
        facts = {"unknown": x, "left": [a, b], "right": [c]}
        return Exercise(title, f"{told} {ask}", steps, f"{x} = {root}", facts)

    def _both_sides(self, say: Narrator, x: str, root: int, difficulty: int) -> Exercise:
        draw = say.draw
        a = draw.randint(4, 7 + 2 * difficulty)
        d = draw.randint(2, a - 2)
        b = draw.randint(2, 30)
        right = a * root + b - d * root
        swap = draw.random() < 0.5
        left_side, right_side = (f"{a}{x} + {b}", f"{d}{x} + {right}")
        shown = f"{right_side} = {left_side}" if swap else f"{left_side} = {right_side}"
        problem = say.one_of(
            f"Solve the equation {shown} for {x}.",
            f"{say.person()} writes {shown} on the board. Which value of {x} makes this true?",
            f"For which number {x} do both sides agree in {shown}?",
            f"Two sides of a balance hold {left_side} and {right_side} grams. They are level. Find {x}.",
        )
        steps = (
            say.one_of(*_IDEA).format(x=x),
            say.first(
                f"bring all terms with {x} to one side. Subtract {d}{x} from both sides: since {a} - {d} = {a - d}, we get "
                f"{a - d}{x} + {b} = {right}.",
                f"{d}{x} stands on the side with fewer {x}, so we subtract it from both sides. With {a} - {d} = {a - d} the "
                f"equation becomes "
                f"{a - d}{x} + {b} = {right}.",
            ),
            say.then(
                f"subtract {b} from both sides. Because {right} - {b} = {right - b}, what remains is {a - d}{x} = {right - b}.",
                f"the plain number {b} goes too: {right} - {b} = {right - b}, hence {a - d}{x} = {right - b}.",
            ),
            say.last(
                f"divide by {a - d}: {right - b} / {a - d} = {root}, so {x} = {root}.",
                f"one {x} is {right - b} / {a - d} = {root}. The solution is {x} = {root}.",
            ),
            say.check(
                f"one side gives {a} × {root} + {b} = {a * root + b}, the other {d} × {root} + {right} = {d * root + right}.",
                f"with {x} = {root} both sides agree, for {a} × {root} + {b} = {a * root + b} and {d} × {root} + {right} = "
                f"{d * root + right}.",
            ),
        )
        facts = {"unknown": x, "left": [a, b], "right": [d, right]}
        title = say.one_of("An unknown on both sides", "Keeping the balance", "Solving a linear equation", "Both sides at once")
        return Exercise(title, problem, steps, f"{x} = {root}", facts)

    def solve(self, facts: Mapping[str, Any]) -> str:
        """Substitute whole numbers until one fits."""
        a, b = facts["left"]
        *coefficient, c = facts["right"]
        d = sum(coefficient)
        for root in range(-1000, 1001):
            if a * root + b == d * root + c:
                return f"{facts['unknown']} = {root}"
        raise ValueError("no whole number solves it")

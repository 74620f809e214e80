"""Program tracing: what does a small Python function return? The loop is followed by hand, one iteration after the other.

`make` builds the function and follows it with its own values. `solve` parses the printed program and runs it in a small evaluator
(`synth.procedural.tiny_python`) that knows only these constructs and executes no Python; the steps must state every iteration that it sees.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from synth.procedural import Exercise, Generator
from synth.procedural.narrator import Narrator
from synth.procedural.tiny_python import run, turns

_NAMES = ("values", "numbers", "items", "readings", "scores", "weights")
_FUNCTIONS = ("mystery", "combine", "measure", "walk", "digest", "reckon", "gather", "compute")
_RESULTS = ("total", "result", "answer", "state", "count", "mark")
_EACH = ("value", "item", "n", "each", "entry", "v")
_IDEA = (
    "To trace a program, we keep a small table: what each variable holds after every turn of the loop.",
    "A loop is best understood by being the computer for a moment. We carry out each turn and write down what changes.",
    "The function looks at the list one element at a time. Only one variable has to be remembered from turn to turn.",
    "Reading code means predicting it. Follow the variable that is returned, and note its value after each element.",
)


@dataclass(frozen=True)
class _Body:
    """Lines of a loop body over {r} (the result) and {e} (the element), and the same as a function of result, element and bound."""

    start: int
    lines: tuple[str, ...]
    step: Callable[[int, int, int], int]
    idea: str


def _bodies(k: int) -> tuple[tuple[_Body, ...], tuple[_Body, ...]]:
    easy = (
        _Body(0, ("{r} = {r} + {e}",), lambda r, e, _: r + e, "it adds up the elements"),
        _Body(k, ("{r} = {r} + {e} * 2",), lambda r, e, _: r + 2 * e, "it adds twice each element to a first value"),
        _Body(100, ("{r} = {r} - {e}",), lambda r, e, _: r - e, "it takes every element away from a first value"),
        _Body(0, (f"if {{e}} > {k}:", "    {r} = {r} + 1"), lambda r, e, k: r + (e > k), "it counts the elements above a bound"),
        _Body(0, ("if {e} > {r}:", "    {r} = {e}"), lambda r, e, _: max(r, e), "it remembers the largest element so far"),
    )
    hard = (
        _Body(
            0,
            (f"if {{e}} % {k} == 0:", "    {r} = {r} + {e}"),
            lambda r, e, k: r + (e if e % k == 0 else 0),
            "it adds up certain multiples",
        ),
        _Body(
            0,
            ("if {e} % 2 == 0:", "    {r} = {r} + {e}", "else:", "    {r} = {r} - 1"),
            lambda r, e, _: r + e if e % 2 == 0 else r - 1,
            "it treats even and odd elements differently",
        ),
        _Body(
            1, (f"{{r}} = ({{r}} * {k} + {{e}}) % 100",), lambda r, e, k: (r * k + e) % 100, "it mixes each element in and keeps two digits"
        ),
        _Body(
            0,
            (f"if {{e}} > {k}:", "    {r} = {r} + {e}", "else:", "    {r} = {r} * 2"),
            lambda r, e, k: r + e if e > k else r * 2,
            "it adds large elements and doubles at small ones",
        ),
        _Body(
            50,
            ("if {r} > {e}:", "    {r} = {r} - {e}", "else:", "    {r} = {e} - {r}"),
            lambda r, e, _: abs(r - e),
            "it always takes the smaller number from the larger",
        ),
    )
    return easy, hard


class ProgramTracing(Generator):
    """A loop over a list of three to seven numbers with one variable that changes."""

    about: ClassVar[str] = "tracing what a short Python function returns"

    def make(self, draw: Random, difficulty: int) -> Exercise:
        """Return a function, a call, and its trace."""
        say = Narrator(draw)
        k = draw.randint(3, 9)
        easy, hard = _bodies(k)
        body = say.one_of(*(easy if difficulty <= 2 else hard))
        function, name, result, each = say.one_of(*_FUNCTIONS), say.one_of(*_NAMES), say.one_of(*_RESULTS), say.one_of(*_EACH)
        values = [draw.randint(1, 9 + 3 * difficulty) for _ in range(3 + (difficulty + 1) // 2 + draw.randint(0, 1))]
        inside = "\n".join(f"        {line.format(r=result, e=each)}" for line in body.lines)
        source = f"def {function}({name}):\n    {result} = {body.start}\n    for {each} in {name}:\n{inside}\n    return {result}"
        call = f"{function}({values})"
        who = say.person()
        ask = say.one_of(
            f"What does `{call}` return?",
            f"{who} calls `{call}`. Which number comes back?",
            f"Without running it, find the value of `{call}`.",
        )
        opening = say.one_of(
            "Consider this Python function.", f"{who} finds this function in an old program.", "Read the following function with care."
        )
        state, lines = body.start, []
        for number, value in enumerate(values):
            before, state = state, body.step(state, value, k)
            lines.append(
                say.led(
                    number,
                    len(values),
                    f"`{each}` is {value} while `{result}` is {before}. After this turn `{result}` is {state}.",
                    f"with `{result}` at {before} the loop takes up {value}. After this turn `{result}` is {state}.",
                    f"the element {value} meets `{result}` = {before}. After this turn `{result}` is {state}.",
                )
            )
        steps = (
            say.one_of(*_IDEA),
            say.one_of(
                f"Before the loop `{result}` is {body.start}. In short, {body.idea}.",
                f"At the start `{result}` holds {body.start}. What the loop does can be said in a few words: {body.idea}.",
                f"We note `{result}` = {body.start} before the first turn. The body shows that {body.idea}.",
                f"The variable `{result}` begins at {body.start}. Looking at the body of the loop, we see that {body.idea}.",
            ),
            *lines,
            say.one_of(
                f"The list is used up, so the function returns {state}.",
                f"No element is left, and `{result}` is returned with the value {state}.",
            ),
        )
        title = say.one_of(
            "Being the computer", "What does it return?", "Tracing a loop", "A function, step by step", f"The function {function}"
        )
        return Exercise(title, f"{opening}\n\n```python\n{source}\n```\n\n{ask}", steps, str(state), {"program": source, "values": values})

    def checkpoints(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the value of the result after every iteration, according to the evaluator."""
        return tuple(f"After this turn `{name}` is {value}." for name, value in turns(facts["program"], facts["values"]))

    def solve(self, facts: Mapping[str, Any]) -> str:
        """Run the printed program in the small evaluator."""
        return str(run(facts["program"], facts["values"]))

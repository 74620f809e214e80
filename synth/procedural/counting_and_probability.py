"""Counting and probability: combinations of choices, arrangements, and drawing from a bag with and without putting back.

`solve` lists every case (`itertools`) and counts the matching ones.
"""

from collections.abc import Mapping
from fractions import Fraction
from itertools import permutations, product
from random import Random
from typing import Any, ClassVar

from synth.procedural import Exercise, Generator
from synth.procedural.narrator import Narrator, listed

_MENUS = (
    ("Choosing an outfit", ("shirts", "pairs of trousers", "hats", "scarves"), "outfit"),
    ("The menu of the inn", ("starters", "main dishes", "desserts", "drinks"), "meal"),
    ("Building a bicycle", ("frames", "saddles", "handlebars", "bells"), "bicycle"),
    ("Planning a trip", ("morning trains", "museums", "restaurants", "evening shows"), "day"),
    (
        "A code of symbols",
        ("letters for the first place", "digits for the second", "signs for the third", "colours for the frame"),
        "badge",
    ),
    ("Ice cream combinations", ("cones", "flavours", "toppings", "sauces"), "ice cream"),
)
_ROWS = (
    ("Books on a shelf", "{who} puts {n} different books side by side on a shelf.", "In how many orders can they stand?"),
    ("Runners at the line", "{n} runners take part in a race without ties.", "How many different results are possible?"),
    ("A playlist", "{who} has {n} songs and plays each once.", "In how many orders can they be played?"),
    ("Flags on a mast", "{n} different flags are hoisted one above the other.", "How many signals can {who} give in this way?"),
)
_COLOURS = ("red", "blue", "green", "yellow", "white", "black", "orange")
_BAGS = ("bag", "box", "jar", "drawer", "basket")
_THINGS = ("marbles", "beads", "tickets", "buttons", "counters", "balls")


class CountingAndProbability(Generator):
    """The product rule, orders in a row, and probabilities of one or two draws."""

    about: ClassVar[str] = "counting possibilities and finding probabilities"

    def make(self, draw: Random, difficulty: int) -> Exercise:
        """Return one of the three kinds; two draws from difficulty 3 on."""
        say = Narrator(draw)
        kind = draw.choice(("menu", "row", "bag", "bag"))
        if kind == "menu":
            return self._menu(say, difficulty)
        return self._row(say, difficulty) if kind == "row" else self._bag(say, difficulty)

    def _menu(self, say: Narrator, difficulty: int) -> Exercise:
        title, kinds, whole = say.one_of(*_MENUS)
        count = 2 if difficulty <= 2 else 3 if difficulty <= 4 else 4
        sizes = [say.draw.randint(2, 4 + difficulty) for _ in range(count)]
        choices = listed([f"{n} {kind}" for n, kind in zip(sizes, kinds, strict=False)])
        problem = say.one_of(
            f"{say.person()} can choose among {choices}, one of each. How many different combinations are there?",
            f"There are {choices}. A complete {whole} has one of each kind. How many are possible?",
            f"To put together one {whole}, {say.person()} picks one of each: {choices}. In how many ways can this be done?",
        )
        steps = [
            say.one_of(
                "Independent choices multiply: every option of the first kind can be joined with every option of the second.",
                "Think of a tree that branches at every choice. The number of its tips is the product of the branches at each level.",
                "Each choice leaves the others free, so the numbers of options are multiplied.",
            )
        ]
        total = sizes[0]
        for number, (size, kind) in enumerate(zip(sizes[1:], kinds[1:], strict=False)):
            steps.append(
                say.led(
                    number,
                    max(2, count - 1),
                    f"each of these {total} beginnings goes with {size} {kind}, and {total} × {size} = {total * size}.",
                    f"bring in the {size} {kind}: {total} × {size} = {total * size} ways so far.",
                )
            )
            total *= size
        return Exercise(title, problem, tuple(steps), f"{total} combinations", {"choices": sizes})

    def _row(self, say: Narrator, difficulty: int) -> Exercise:
        n = say.draw.randint(3, 3 + min(difficulty, 4))
        title, story, ask = say.one_of(*_ROWS)
        who = say.person()
        steps = [
            say.one_of(
                "The places are filled one after the other, and each time there is one thing less to choose from.",
                "For the first place everything is available. Every later place has one option fewer.",
                "We multiply the number of options place by place, and the options shrink by one each time.",
            )
        ]
        total = n
        for place in range(1, n - 1):
            left = n - place
            steps.append(
                say.led(
                    place - 1,
                    max(2, n - 2),
                    f"the next place has {left} options: {total} × {left} = {total * left}.",
                    f"{left} things are still free, so we have {total} × {left} = {total * left} ways up to here.",
                )
            )
            total *= left
        steps.append(say.one_of("The last place is decided, because a single thing is left.", "Nothing can be chosen for the last place."))
        return Exercise(title, f"{story.format(who=who, n=n)} {ask.format(who=who)}", tuple(steps), f"{total} orders", {"in_a_row": n})

    def _bag(self, say: Narrator, difficulty: int) -> Exercise:
        draw = say.draw
        colours = draw.sample(_COLOURS, 2 if difficulty < 4 else 3)
        numbers = {colour: draw.randint(2, 4 + difficulty) for colour in colours}
        bag, things, who = say.one_of(*_BAGS), say.one_of(*_THINGS), say.person()
        wanted, whole = colours[0], sum(numbers.values())
        holds = listed([f"{n} {colour} {things}" for colour, n in numbers.items()])
        good = numbers[wanted]
        twice, back = difficulty >= 3, draw.random() < 0.5
        how = "" if not twice else " puts it back, and draws again" if back else " keeps it, and draws another"
        told = f"{who} draws one {things[:-1]} without looking{',' if twice else ''}{how}."
        ask = f"What is the probability that {'both are' if twice else 'it is'} {wanted}?"
        steps = [
            say.one_of(
                "If all outcomes are equally likely, a probability is the number of favourable cases divided by the number of all cases.",
                "Nothing favours one of the things over another, so probabilities are found by counting.",
                "We compare favourable cases with all cases. Since the draw is blind, every case is equally likely.",
            ),
            say.first(
                f"there are {' + '.join(map(str, numbers.values()))} = {whole} {things} in the {bag}, and {good} of them are {wanted}.",
                f"altogether the {bag} holds {' + '.join(map(str, numbers.values()))} = {whole} {things}.",
            ),
        ]
        one = Fraction(good, whole)
        if not twice:
            steps.append(
                say.last(
                    f"the probability is therefore {good}/{whole} = {one}.",
                    f"{good} out of {whole} are {wanted}: {good} / {whole} = {one}.",
                )
            )
            result = one
        else:
            left, rest = (good, whole) if back else (good - 1, whole - 1)
            result = one * Fraction(left, rest)
            steps.append(say.then(f"the first draw is {wanted} with probability {good}/{whole}."))
            steps.append(
                say.then(f"after that the {bag} is as before, so the second probability is {left}/{rest} too.")
                if back
                else say.then(
                    f"one {wanted} thing is gone: {good} - 1 = {left} of {whole} - 1 = {rest} are left, which gives {left}/{rest}."
                )
            )
            steps.append(
                say.last(
                    f"both must happen, so the probabilities are multiplied: {good}/{whole} × {left}/{rest} = {result}.",
                    f"multiply along the path: {good}/{whole} × {left}/{rest} = {good * left}/{whole * rest} = {result}.",
                )
            )
        title = say.one_of(f"Drawing from a {bag}", f"A {wanted} one, by chance", "Blind luck, counted", "How likely is it?")
        facts = {"holds": [[colour, n] for colour, n in numbers.items()], "wanted": wanted, "draws": ["one", "two"][twice], "back": back}
        return Exercise(title, f"A {bag} holds {holds}. {told} {ask}", tuple(steps), str(result), facts)

    def solve(self, facts: Mapping[str, Any]) -> str:
        """List all cases and count."""
        if "choices" in facts:
            return str(sum(1 for _ in product(*(range(n) for n in facts["choices"]))))
        if "in_a_row" in facts:
            return str(sum(1 for _ in permutations(range(facts["in_a_row"]))))
        things = [(colour, n) for colour, count in facts["holds"] for n in range(count)]
        draws = 2 if facts["draws"] == "two" else 1
        cases = list(product(things, repeat=draws)) if facts["back"] else list(permutations(things, draws))
        fit = [case for case in cases if all(colour == facts["wanted"] for colour, _ in case)]
        return str(Fraction(len(fit), len(cases)))

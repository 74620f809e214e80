"""Stories in which a stock of things grows and shrinks. The second way keeps a real pile, and counts it."""

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import ordinal, plural
from synth.procedural.steps import Steps, add, mul, sub


class ArithmeticStory(Family):
    """One to five changes of a stock, single or in equal groups."""

    about = "whole-number arithmetic in a short story"
    knobs = by_level(moves=(1, 2, 3, 4, 5), groups=(0, 1, 1, 2, 2))
    slips = ("one_group", "wrong_way")
    largest = 5000

    def draw(self, chance: Chance) -> Values:
        """Draw moves that never take more than there is."""
        world = chance.of_world("stocks")
        left = start = chance.within(world["range"])
        moves = []
        for number in range(chance.knob.moves):
            small = left // 12
            kind = chance.choice(("more", "less", *(("more_groups", "less_groups") if number < chance.knob.groups else ())))
            a, b = chance.between(3, 9), chance.between(2, max(small, 4))
            single = chance.between(4, max(left // 3, 8))
            kind = "more" if kind.startswith("less") and left <= max(a * b, single) + 2 else kind
            moves.append([kind, a, b] if "groups" in kind else [kind, single])
            left += {"more": single, "less": -single, "more_groups": a * b, "less_groups": -a * b}[kind]
        names = ("thing", "place", "arrive", "leave", "holder", "taker")
        return {"start": start, "moves": moves, "who": chance.person(), **{name: world[name] for name in names}}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Follow the stock; a slip counts one group only, or turns the last change around."""
        left, moves = facts["start"], facts["moves"]
        for at, (kind, a, *sizes) in enumerate(moves):
            size, thing, things = a, facts["thing"], plural(facts["thing"])
            if "groups" in kind:
                told = f"in the {a} {plural(facts['holder'])}" if kind[0] == "m" else f"taken by the {a} {plural(facts['taker'])}"
                whole = mul(f"the total number of {things} {told}", a, sizes[0], unit=thing)
                if slip != "one_group":
                    yield whole
                size = sizes[0] if slip == "one_group" else whole.value
            grows = (kind[0] == "m") != (slip == "wrong_way" and at == len(moves) - 1)
            when = "at the end" if at == len(moves) - 1 else f"after the {ordinal(at + 1)} change"
            yield (moved := (add if grows else sub)(f"the number of {things} {when}", left, size, unit=thing))
            left = moved.value

    def recheck(self, facts: Facts) -> list[str]:
        """Put things on a pile and take them off."""
        pile = ["thing"] * facts["start"]
        for kind, a, *sizes in facts["moves"]:
            for _ in range(a):
                for _ in range(sizes[0] if sizes else 1):
                    if kind.startswith("more"):
                        pile.append("thing")
                    else:
                        pile.pop()
        return [str(len(pile))]

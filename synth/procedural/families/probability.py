"""Drawing from a bag, once or twice, with and without putting back. The second way lists every pair of things."""

from fractions import Fraction
from itertools import permutations, product

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import listed, with_noun
from synth.procedural.steps import Steps, add, quotient, ratio, state, sub


class Probability(Family):
    """One draw at the first levels, then two."""

    about = "probabilities of drawing from a bag"
    knobs = by_level(colours=(2, 3, 2, 3, 3), most=(6, 9, 6, 7, 9), draws=(1, 1, 2, 2, 2))
    slips = ("odds", "as_before", "adds")

    def draw(self, chance: Chance) -> Values:
        """Draw colours and how many there are of each."""
        colours = chance.sample(["red", "blue", "green", "yellow", "white", "black", "orange"], chance.knob.colours)
        holds = [[colour, chance.between(2, chance.knob.most)] for colour in colours]
        facts = {
            "holds": holds,
            "wanted": colours[0],
            "bag": chance.of_world("bags"),
            "thing": chance.of_world("tokens"),
            "who": chance.person(),
        }
        return {**facts, "shape": "once" if chance.knob.draws == 1 else chance.choice(("back", "kept"))}

    def words(self, facts: Facts) -> Values:
        """Return what the bag holds."""
        return {"contents": listed(with_noun(count, f"{colour} {facts['thing']}") for colour, count in facts["holds"])}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Compare favourable with all cases; the slips compare with the others, forget what is gone, or add."""
        colour, thing, counts = facts["wanted"], facts["thing"], [count for _, count in facts["holds"]]
        good, once = counts[0], facts["shape"] == "once"
        if (slip == "as_before" and facts["shape"] != "kept") or (slip == "odds" and not once) or (slip == "adds" and once):
            return
        others = slip == "odds"
        if not others or len(counts) > 2:
            yield add(f"the number of other {thing}s" if others else f"the total number of {thing}s", *counts[others:], unit=thing)
        total = sum(counts[others:])
        name = f"the probability of {colour}" if once else f"the probability of {colour} on the first draw"
        yield quotient(name, good, total)
        if once:
            return
        left, rest = (good, total) if facts["shape"] == "back" or slip == "as_before" else (good - 1, total - 1)
        given = f", given that the first {thing} is {colour}" if left != good else ""
        if left != good:
            yield sub(f"the number of {colour} {thing}s that are left", good, 1, unit=f"{colour} {thing}")
            yield sub(f"the total number of {thing}s that are left", total, 1, unit=thing)
        yield state("the second draw", f"the second draw is {colour} with probability {left}/{rest}{given}")
        one, two = Fraction(good, total), Fraction(left, rest)
        if slip == "adds":
            yield ratio(f"the probability that both are {colour}", f"{good}/{total} + {left}/{rest}", one + two)
        else:
            yield ratio(f"the probability that both are {colour}", f"{good}/{total} × {left}/{rest}", one * two)

    def recheck(self, facts: Facts) -> list[str]:
        """List all cases and count."""
        things = [(colour, number) for colour, count in facts["holds"] for number in range(count)]
        pairs = {"once": permutations(things, 1), "back": product(things, repeat=2), "kept": permutations(things, 2)}
        cases = list(pairs[facts["shape"]])
        second = [] if facts["shape"] == "once" else [f"with probability {self._second(facts)}"]
        return [*second, str(Fraction(sum(all(colour == facts["wanted"] for colour, _ in case) for case in cases), len(cases)))]

    def _second(self, facts: Facts) -> str:
        bag = [colour for colour, count in facts["holds"] for _ in range(count)]
        if facts["shape"] == "kept":
            bag.remove(facts["wanted"])
        return f"{bag.count(facts['wanted'])}/{len(bag)}"

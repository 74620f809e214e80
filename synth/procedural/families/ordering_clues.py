"""Who stands where? Clues about an order with one solution. The second way sorts by the clues."""

from itertools import permutations

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import cardinal, listed, ordinal
from synth.procedural.steps import Steps, state


class OrderingClues(Family):
    """Four to six people by a measure, from clues that compare two of them."""

    about = "an order from clues"
    knobs = by_level(people=(3, 4, 4, 5, 5), spare=(0, 0, 1, 1, 2))
    slips = ("turns_round",)

    def draw(self, chance: Chance) -> Values:
        """Draw an order and clues: all neighbours, and some others."""
        people = chance.people(chance.knob.people)
        pairs = [[people[at], people[at + 1]] for at in range(len(people) - 1)]
        others = [[people[a], people[b]] for a in range(len(people)) for b in range(a + 2, len(people))]
        pairs += chance.sample(others, min(chance.knob.spare, len(others)))
        chance.shuffle(pairs)
        place = chance.between(1, len(people))
        return {"pairs": pairs, "place": ordinal(place), **chance.of_world("orders")}

    def words(self, facts: Facts) -> Values:
        """Return the clues."""
        clues = [f"{a} {facts['more']} {b}" for a, b in facts["pairs"]]
        names = sorted({person for pair in facts["pairs"] for person in pair})
        return {"clues": ". ".join(clues), "names": listed(names), "number": cardinal(len(names))}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Find who comes first among those left, again and again."""
        pairs = [pair[::-1] for pair in facts["pairs"]] if slip else facts["pairs"]
        left, order = sorted({person for pair in pairs for person in pair}), list[str]()
        while left:
            behind = {b for a, b in pairs if a in left and b in left}
            (first,) = [person for person in left if person not in behind]
            left.remove(first)
            order.append(first)
            place, kind = f"the {ordinal(len(order))} place", "placed" if left else "last"
            yield state(place, f"{place} goes to {first}", kind, person=first)
        answer = order[_PLACES.index(facts["place"])]
        yield state("the order", f"the order is {', '.join(order)}", "ordered", value=answer)

    def recheck(self, facts: Facts) -> list[str]:
        """Try all orders."""
        people = sorted({person for pair in facts["pairs"] for person in pair})
        (only,) = [order for order in permutations(people) if all(order.index(a) < order.index(b) for a, b in facts["pairs"])]
        return [f"the order is {', '.join(only)}", only[_PLACES.index(facts["place"])]]


_PLACES = tuple(ordinal(at) for at in range(1, 8))

"""The fewest steps through a network, layer by layer. The second way multiplies out walks."""

from collections.abc import Iterator

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import cardinal, listed, ordinal
from synth.procedural.steps import Steps, state


class BreadthFirstSearch(Family):
    """Five to nine places in a network without lengths."""

    about = "the fewest steps through a network"
    knobs = by_level(places=(5, 6, 7, 8, 9), extra=(1, 2, 2, 3, 3))
    slips = ("counts_places", "goes_deep")

    def draw(self, chance: Chance) -> Values:
        """Draw a tree with some more links, and a goal at least two steps away."""
        letters = "ABCDEFGHIJ"[: chance.knob.places]
        while True:
            links = [[letters[chance.between(max(0, at - 3), at - 1)], letters[at]] for at in range(1, len(letters))]
            spare = [[a, b] for at, a in enumerate(letters) for b in letters[at + 2 :] if [a, b] not in links]
            links += chance.sample(spare, min(len(spare), chance.knob.extra))
            if len(list(_layers(links, "A", letters[-1]))) > 2:
                chance.shuffle(links)
                return {"links": links, "goal": letters[-1], **chance.of_world("networks"), "who": chance.person()}

    def words(self, facts: Facts) -> Values:
        """Return the links in a row."""
        return {"list": listed(f"{a} - {b}" for a, b in facts["links"])}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Note layer by layer what is reached; a slip goes on from the last found, or counts places."""
        goal = facts["goal"]
        if slip == "goes_deep":
            roads, here, way = _neighbours(facts["links"]), "A", ["A"]
            while here != goal:
                ahead = [place for place in roads[here] if place not in way]
                if not ahead:
                    return
                here = ahead[0]
                way.append(here)
            yield state("one route", f"one route is {' - '.join(way)}")
            yield state("the number of steps", f"it takes {cardinal(len(way) - 1)} steps to reach {goal}", value=cardinal(len(way) - 1))
            return
        steps = 0
        for steps, layer in enumerate(_layers(facts["links"], "A", goal)):
            if steps:
                told = f"{listed(layer)} {'is' if len(layer) == 1 else 'are'} {cardinal(steps)} {'step' if steps == 1 else 'steps'} from A"
                yield state(f"the {ordinal(steps)} layer", told, "layer")
        told = cardinal(steps + (slip == "counts_places"))
        yield state("the number of steps", f"it takes {told} steps to reach {goal}", "reached", value=told)

    def recheck(self, facts: Facts) -> list[str]:
        """Let walkers go everywhere at once until one arrives."""
        walkers, steps = {"A"}, 0
        while facts["goal"] not in walkers:
            walkers |= {b for a, b in facts["links"] if a in walkers} | {a for a, b in facts["links"] if b in walkers}
            steps += 1
        return [cardinal(steps)]


def _neighbours(links: list[list[str]]) -> dict[str, list[str]]:
    roads: dict[str, list[str]] = {}
    for a, b in links:
        roads.setdefault(a, []).append(b)
        roads.setdefault(b, []).append(a)
    return {place: sorted(others) for place, others in roads.items()}


def _layers(links: list[list[str]], start: str, goal: str) -> Iterator[list[str]]:
    roads, layer, seen = _neighbours(links), [start], {start}
    while layer:
        yield layer
        if goal in layer:
            return
        layer = sorted({other for place in layer for other in roads[place]} - seen)
        seen |= set(layer)

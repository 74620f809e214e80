"""Shortest ways in a small road map, settled place by place as in Dijkstra's algorithm. The second way compares all routes."""

from collections.abc import Mapping
from itertools import pairwise, permutations

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance, worlds
from synth.procedural.grammar import listed
from synth.procedural.steps import Steps, state


class ShortestPath(Family):
    """Four to six places."""

    about = "the shortest route through a road map"
    knobs = by_level(places=(4, 4, 5, 5, 6), extra=(1, 2, 2, 3, 3), longest=(9, 12, 15, 20, 25))
    slips = ("nearest_first",)

    def draw(self, chance: Chance) -> Values:
        """Draw a chain of places with some roads across."""
        places = chance.sample(worlds()["places"], chance.knob.places)
        pairs = [tuple(pair) for pair in pairwise(places)]
        others = [(a, b) for at, a in enumerate(places) for b in places[at + 2 :]]
        pairs += chance.sample(others, min(chance.knob.extra, len(others)))
        roads = [[a, b, chance.between(2, chance.knob.longest)] for a, b in pairs]
        chance.shuffle(roads)
        return {"roads": roads, "start": places[0], "goal": places[-1], "who": chance.person()}

    def words(self, facts: Facts) -> Values:
        """Return the map as a list of roads."""
        return {"roads": "\n".join(f"- {a} to {b}: {length} km" for a, b, length in facts["roads"])}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Settle the nearest place again and again; a slip always takes the shortest road at hand."""
        roads, start, goal = _neighbours(facts), facts["start"], facts["goal"]
        if slip:
            here, places, lengths = start, [start], list[int]()
            while here != goal:
                ahead = {place: far for place, far in roads[here].items() if place not in places}
                if not ahead:
                    return
                here = min(ahead, key=lambda place: (ahead[place], place))
                places.append(here)
                lengths.append(roads[places[-2]][here])
            if len(lengths) > 1:
                way = f"the route from {start} to {goal} via {listed(places[1:-1])}"
                yield state(way, f"{way} is {' + '.join(map(str, lengths))} = {sum(lengths)} km long", "settle")
                yield state("the shortest route", f"the shortest route is {sum(lengths)} km long", "chosen", value=f"{sum(lengths)} km")
            return
        far, settled = {start: 0}, dict[str, int]()
        while goal not in settled:
            here = min((place for place in far if place not in settled), key=lambda place: (far[place], place))
            settled[here] = far[here]
            if here == goal:
                break
            for place, length in sorted(roads[here].items()):
                if place in settled:
                    continue
                total = far[here] + length
                kind = "settle" if place not in far or total < far[place] else "longer"
                far[place] = min(total, far.get(place, total))
                if here == start:
                    way, worked, kind = f"the direct road to {place}", str(length), "direct"
                else:
                    way, worked = f"the route to {place} via {here}", f"{far[here]} + {length} = {total}"
                yield state(way, f"{way} is {worked} km long", kind)
        yield state("the shortest route", f"the shortest route is {far[goal]} km long", "chosen", value=f"{far[goal]} km")

    def recheck(self, facts: Facts) -> list[str]:
        """Compare all routes."""
        roads = _neighbours(facts)
        between = [place for place in roads if place not in (facts["start"], facts["goal"])]
        routes = [(facts["start"], *middle, facts["goal"]) for size in range(len(between) + 1) for middle in permutations(between, size)]
        lengths = [[roads[a].get(b) for a, b in pairwise(route)] for route in routes]
        return [f"{min(sum(found) for found in lengths if None not in found)} km"]  # type: ignore[arg-type]


def _neighbours(facts: Facts) -> Mapping[str, Mapping[str, int]]:
    roads: dict[str, dict[str, int]] = {}
    for a, b, length in facts["roads"]:
        roads.setdefault(a, {})[b] = length
        roads.setdefault(b, {})[a] = length
    return roads

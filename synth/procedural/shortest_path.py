"""Shortest paths on a small map, by Dijkstra's algorithm (A note on two problems in connexion with graphs, 1959).

The steps settle one place after the other; `solve` tries every simple path and takes the shortest.
"""

import heapq
from collections.abc import Mapping
from itertools import pairwise, permutations
from random import Random
from typing import Any, ClassVar

from synth.procedural import Exercise, Generator
from synth.procedural.narrator import Narrator

_PLACES = (
    ("Ashford", "Birchley", "Coldwater", "Dunmoor", "Eastgate", "Fernhill", "Greyfield"),
    ("the harbour", "the mill", "the chapel", "the lighthouse", "the quarry", "the station", "the well"),
    ("Alder", "Beech", "Cedar", "Damson", "Elder", "Fir", "Gorse"),
    ("the hall", "the kitchen", "the library", "the chapel", "the tower", "the cellar", "the stables"),
    ("Ilmen", "Jarva", "Kolm", "Lend", "Mossby", "Narva", "Ohlau"),
)
_IDEA = (
    "We always settle the place that is nearest among those not settled yet. Its distance can never be improved by a detour.",
    "The method of Dijkstra grows a region of places whose distance is certain, always adding the nearest one outside.",
    "Work outwards from the start. The closest place that is still open gets its final distance, and its neighbours are looked at anew.",
)


class ShortestPath(Generator):
    """Maps of four to seven places."""

    about: ClassVar[str] = "shortest paths in a network of roads"

    def make(self, draw: Random, difficulty: int) -> Exercise:
        """Return a map in words, with the steps of the algorithm."""
        say = Narrator(draw)
        places = say.shuffled(say.one_of(*_PLACES))[: min(3 + difficulty, 6)]
        roads = self._roads(draw, places)
        unit, who = say.one_of("kilometres", "minutes", "miles", "hundred metres"), say.person()
        start, goal = places[0], places[-1]
        told = say.shuffled([say.one_of(f"{a} and {b}: {n}", f"{b} and {a}: {n}") for a, b, n in roads])
        problem = say.one_of(
            f"These are the roads on {who}'s map, with their lengths in {unit}. {'; '.join(told)}. How long is the shortest way "
            f"from {start} to "
            f"{goal}?",
            f"{who} wants to go from {start} to {goal}. The connections, in {unit}, are as follows. {'; '.join(told)}. What is the "
            f"least distance?",
            f"A network connects some places. In {unit} the connections measure: {'; '.join(told)}. Find the length of the shortest "
            f"route from "
            f"{start} to {goal}.",
        )
        steps, distance = self._walk(say, roads, start, goal, unit)
        title = say.one_of("The shortest way", f"From {start} to {goal}", "Finding a route", "Dijkstra on a small map")
        facts = {"roads": roads, "start": start, "goal": goal}
        return Exercise(title, problem, (say.one_of(*_IDEA), *steps), f"{distance} {unit}", facts)

    def _roads(self, draw: Random, places: list[str]) -> list[list[Any]]:
        """Return a connected map: a chain of all places, and some roads across."""
        pairs = list(pairwise(places))
        others = [(a, b) for i, a in enumerate(places) for b in places[i + 2 :] if (a, b) != (places[0], places[-1])]
        pairs += draw.sample(others, min(len(others), len(places) - 1))
        return [[a, b, draw.randint(2, 15)] for a, b in pairs]

    def _walk(self, say: Narrator, roads: list[list[Any]], start: str, goal: str, unit: str) -> tuple[list[str], int]:
        """Return the steps until the goal is settled, and its distance."""
        neighbours: dict[str, list[tuple[str, int]]] = {}
        for a, b, n in roads:
            neighbours.setdefault(a, []).append((b, n))
            neighbours.setdefault(b, []).append((a, n))
        best, settled, steps = {start: 0}, set(), []
        queue = [(0, start)]
        while queue:
            here, place = heapq.heappop(queue)
            if place in settled:
                continue
            settled.add(place)
            if place == goal:
                steps.append(
                    say.last(
                        f"the goal is now the nearest open place. Its distance of {here} {unit} is final.",
                        f"the nearest open place is {goal}, reached after {here} {unit}. Nothing can be shorter.",
                    )
                )
                return steps, here
            news = []
            for other, n in sorted(neighbours[place]):
                if other in settled:
                    continue
                reach = f"{here} + {n} = {here + n}"
                if other not in best or here + n < best[other]:
                    better = f" instead of {best[other]}" if other in best else ""
                    news.append(f"{other} can be reached in {reach}{better}")
                    best[other] = here + n
                    heapq.heappush(queue, (here + n, other))
                else:
                    news.append(f"for {other} the way over here would take {reach}, no better than {best[other]}")
            told = "; ".join(news) if news else "it opens no way to a place that is not settled"
            if place == start:
                steps.append(
                    say.first(f"from {start} the roads lead on as follows: {told}.", f"at {start} the distance is zero, and {told}.")
                )
            else:
                steps.append(
                    say.then(
                        f"the nearest open place is {place}, at {here}. From it, {told}.", f"{place} is settled with {here} {unit}: {told}."
                    )
                )
        raise AssertionError("the map is connected")

    def solve(self, facts: Mapping[str, Any]) -> str:
        """Try every simple path."""
        lengths = {frozenset((a, b)): n for a, b, n in facts["roads"]}
        start, goal = facts["start"], facts["goal"]
        between = sorted({place for road in facts["roads"] for place in road[:2]} - {start, goal})
        best: int | None = None
        for size in range(len(between) + 1):
            for middle in permutations(between, size):
                legs = [lengths.get(frozenset(leg)) for leg in pairwise((start, *middle, goal))]
                if None not in legs:
                    total = sum(leg for leg in legs if leg is not None)
                    best = total if best is None else min(best, total)
        if best is None:
            raise ValueError("there is no way")
        return str(best)

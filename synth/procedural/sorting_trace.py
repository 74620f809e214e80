"""Sorting by hand: insertion sort and selection sort on a short list; the number of moves, or the list after some passes.

`solve` counts inversions for insertion sort (every shift removes one), and repeatedly takes minima for selection sort.
"""

from collections.abc import Mapping
from random import Random
from typing import Any, ClassVar

from synth.procedural import Exercise, Generator
from synth.procedural.narrator import Narrator, listed

_STORIES = (
    "{who} holds cards with the numbers {shown}",
    "Parcels with the labels {shown} stand in a row",
    "On a shelf, {who} finds volumes {shown}",
    "A list holds the numbers {shown}",
    "Runners with the bibs {shown} stand in a line",
    "{who} lines up jars that weigh {shown} grams",
)
_INSERTION = (
    "Insertion sort keeps the front of the row in order. Each further element moves left, past every larger one, until it fits.",
    "In insertion sort the next element slides to the left as long as its left neighbour is larger. Every such step is one shift.",
    "The idea of insertion sort is that of a card player who puts each new card into its place among the sorted ones.",
)
_SELECTION = (
    "Selection sort looks for the smallest element of what is unsorted and exchanges it with the first unsorted one.",
    "In each pass of selection sort the least of the remaining elements changes places with the element at the front of the rest.",
    "Selection sort grows a sorted front: find the minimum behind it, and swap it into the next free place.",
)


class SortingTrace(Generator):
    """Shifts of insertion sort (odd difficulties), the row after some passes of selection sort (even difficulties)."""

    about: ClassVar[str] = "following insertion sort and selection sort by hand"

    def make(self, draw: Random, difficulty: int) -> Exercise:
        """Return a row of 4 to 8 different numbers, and its trace."""
        say = Narrator(draw)
        row = draw.sample(range(2, 30 + 10 * difficulty), 3 + difficulty)
        return self._insertion(say, row) if difficulty % 2 else self._selection(say, row)

    def _insertion(self, say: Narrator, row: list[int]) -> Exercise:
        given = say.one_of(*_STORIES).format(who=say.person(), shown=_shown(row))
        ask = say.one_of(
            "They are put in increasing order by insertion sort. How many shifts does that take?",
            "Insertion sort brings them into increasing order. Count the shifts, where a shift moves an element one place to the left.",
        )
        work, shifts, steps = list(row), [], [say.one_of(*_INSERTION)]
        for place in range(1, len(work)):
            value, here, passed = work[place], place, []
            while here and work[here - 1] > value:
                passed.append(work[here - 1])
                work[here], work[here - 1] = work[here - 1], value
                here -= 1
            shifts.append(len(passed))
            moved = (
                f"{value} moves past {listed([str(n) for n in passed])}"
                if passed
                else f"{value} is larger than its left neighbour and stays"
            )
            steps.append(
                say.led(place - 1, len(work), f"{moved}. The row is now {_shown(work)}.", f"{moved}, which makes the row {_shown(work)}.")
            )
        total = sum(shifts)
        steps.append(
            say.last(
                f"add up the shifts: {' + '.join(map(str, shifts))} = {total}.",
                f"the shifts come to {' + '.join(map(str, shifts))} = {total}.",
            )
        )
        title = say.one_of("Sorting by insertion", "Counting shifts", "A card player's way to sort")
        return Exercise(title, f"{given}. {ask}", tuple(steps), f"{total} shifts", {"row": row, "method": "insertion"})

    def _selection(self, say: Narrator, row: list[int]) -> Exercise:
        passes = say.draw.randint(2, len(row) - 2)
        given = say.one_of(*_STORIES).format(who=say.person(), shown=_shown(row))
        ask = say.one_of(
            f"What does the row look like after {passes} passes of selection sort in increasing order?",
            f"Selection sort is to put them in increasing order. Give the row after {passes} passes.",
        )
        work, steps = list(row), [say.one_of(*_SELECTION)]
        for place in range(passes):
            least = min(work[place:])
            other = work[place]
            where = work.index(least)
            work[place], work[where] = least, other
            done = f"{least} is the smallest of the rest" + (
                f" and changes places with {other}" if least != other else " and is in its place already"
            )
            steps.append(say.led(place, passes, f"{done}. The row is now {_shown(work)}.", f"{done}, and so we have {_shown(work)}."))
        title = say.one_of("Sorting by selection", "The smallest to the front", "Passes of a sort")
        facts = {"row": row, "method": "selection", "passes": passes}
        return Exercise(title, f"{given}. {ask}", tuple(steps), _shown(work), facts)

    def checkpoints(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the row after every pass."""
        row = list(facts["row"])
        if facts["method"] == "insertion":
            return tuple(_shown([*sorted(row[: n + 1]), *row[n + 1 :]]) for n in range(1, len(row)))
        return tuple(_shown(_selected(row, n)) for n in range(1, facts["passes"] + 1))

    def solve(self, facts: Mapping[str, Any]) -> str:
        """Count inversions, or place the smallest elements by rank."""
        row = facts["row"]
        if facts["method"] == "insertion":
            return str(sum(row[i] > row[j] for i in range(len(row)) for j in range(i + 1, len(row))))
        return _shown(_selected(row, facts["passes"]))


def _selected(row: list[int], passes: int) -> list[int]:
    """Return the row after a number of passes: the element of each rank moves to its place along the cycle of exchanges."""
    placed = list(row)
    for rank, element in enumerate(sorted(row)[:passes]):
        front = placed[rank]
        placed = [element if n == rank else front if value == element else value for n, value in enumerate(placed)]
    return placed


def _shown(row: list[int]) -> str:
    return ", ".join(map(str, row))

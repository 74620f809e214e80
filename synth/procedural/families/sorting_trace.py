"""Insertion sort and selection sort, followed pass by pass. The second way inserts into, or picks from, a sorted copy."""

from bisect import insort

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import ordinal
from synth.procedural.steps import Steps, state


class SortingTrace(Family):
    """Lists of four to eight different numbers; the list after some pass, or at the end, is asked for."""

    about = "sorting a list by insertion or selection"
    knobs = by_level(length=(4, 5, 6, 7, 8), most=(20, 40, 60, 90, 99))
    slips = ("one_pass_more", "descending")

    def draw(self, chance: Chance) -> Values:
        """Draw a list that is not sorted, and the number of passes."""
        numbers = list(range(2))
        while numbers == sorted(numbers):
            numbers = chance.sample(range(1, chance.knob.most), chance.knob.length)
        passes = chance.between(2, len(numbers) - 1)
        return {"shape": chance.choice(("insertion", "selection")), "numbers": numbers, "passes": _COUNTS[passes], "who": chance.person()}

    def words(self, facts: Facts) -> Values:
        """Return the list as it is printed."""
        return {"row": _row(facts["numbers"])}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Carry out the passes; the slips do one more, or sort the other way."""
        numbers, sign = list(facts["numbers"]), -1 if slip == "descending" else 1
        count = _COUNTS.index(facts["passes"]) + (slip == "one_pass_more")
        if count >= len(numbers):
            return
        for at in range(1, count + 1):
            if facts["shape"] == "insertion":
                moved = numbers[at]
                numbers[: at + 1] = sorted(numbers[: at + 1], key=lambda number: sign * number)
                kind = "inserted" if numbers[at] != moved else "stays"
            else:
                moved = min(numbers[at - 1 :], key=lambda number: sign * number)
                place = numbers.index(moved)
                kind = "swapped" if place != at - 1 else "right"
                numbers[at - 1], numbers[place] = numbers[place], numbers[at - 1]
            row = _row(numbers)
            yield state(f"the list after the {ordinal(at)} pass", f"the list is {row}", kind, value=row, moved=moved, place=ordinal(at))

    def recheck(self, facts: Facts) -> list[str]:
        """Sort the front part by bisection, or take the smallest numbers out one after the other."""
        numbers, rows = list(facts["numbers"]), []
        for at in range(1, _COUNTS.index(facts["passes"]) + 1):
            if facts["shape"] == "insertion":
                front: list[int] = []
                for number in facts["numbers"][: at + 1]:
                    insort(front, number)
                numbers = [*front, *facts["numbers"][at + 1 :]]
            else:
                goal = sorted(facts["numbers"])[at - 1]
                swap = {numbers[at - 1]: goal, goal: numbers[at - 1]}
                numbers = [swap.get(number, number) for number in numbers]
            rows.append(f"the list is {_row(numbers)}")
        return [*rows, _row(numbers)]


_COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")


def _row(numbers: list[int]) -> str:
    return f"[{', '.join(map(str, numbers))}]"

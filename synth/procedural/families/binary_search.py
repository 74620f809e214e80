"""Searching in a sorted list by halving. The second way counts how often the search halves, from the printed list."""

from collections.abc import Iterator
from typing import Any, ClassVar

from synth.procedural import Facts, Family
from synth.procedural.chance import Chance
from synth.procedural.grammar import cardinal
from synth.procedural.steps import WorkStep, state


class BinarySearch(Family):
    """Sorted lists of seven to fifteen numbers; how many numbers are looked at?"""

    about = "binary search in a sorted list"
    knobs: ClassVar = {"length": (5, 7, 9, 11, 14), "most": (40, 60, 99, 150, 200)}
    slips: ClassVar = ("one_by_one", "keeps_wrong_half")

    def draw(self, chance: Chance) -> dict[str, Any]:
        """Draw a sorted list and a number in it."""
        numbers = sorted(chance.sample(range(2, chance.knob.most), chance.knob.length))
        return {"numbers": numbers, "sought": chance.choice(numbers), "who": chance.person(), **chance.of_world("lists")}

    def words(self, facts: Facts) -> dict[str, Any]:
        """Return the list in a row."""
        return {"row": ", ".join(map(str, facts["numbers"]))}

    def work(self, facts: Facts, slip: str = "") -> Iterator[WorkStep]:
        """Halve the part that is left until the number is met."""
        numbers, sought = facts["numbers"], facts["sought"]
        low, high, looked = 0, len(numbers) - 1, 0
        while low <= high:
            middle = looked if slip == "one_by_one" else (low + high) // 2
            looked += 1
            found = numbers[middle]
            if slip == "keeps_wrong_half" and looked == 1 and found != sought:
                low = high = middle
            sign = "equal to" if found == sought else "larger than" if found > sought else "smaller than"
            yield state(f"look number {cardinal(looked)}", f"we look at {found}, which is {sign} {sought}", "look")
            if found == sought or (slip == "keeps_wrong_half" and looked == 2):
                break
            low, high = (middle + 1, high) if found < sought else (low, middle - 1)
        told = f"{cardinal(looked)} {'number was' if looked == 1 else 'numbers were'} looked at"
        yield state("the number of looks", told, "counted", value=cardinal(looked))

    def recheck(self, facts: Facts) -> list[str]:
        """Split the list itself, and count."""
        part, looks = list(facts["numbers"]), list[str]()
        while True:
            middle = part[(len(part) - 1) // 2]
            looks.append(f"we look at {middle},")
            if middle == facts["sought"]:
                return [*looks, cardinal(len(looks))]
            part = [number for number in part if (number > middle) == (facts["sought"] > middle) and number != middle]

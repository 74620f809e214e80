"""Searching in a sorted list by halving. The second way counts how often the search halves, from the printed list."""

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import cardinal, ordinal
from synth.procedural.steps import Steps, state


class BinarySearch(Family):
    """Sorted lists of seven to fifteen numbers; how many numbers are checked?"""

    about = "binary search in a sorted list"
    knobs = by_level(length=(5, 7, 9, 11, 14), most=(40, 60, 99, 150, 200))
    slips = ("one_by_one", "keeps_wrong_half")

    def draw(self, chance: Chance) -> Values:
        """Draw a sorted list and a number in it."""
        numbers = sorted(chance.sample(range(2, chance.knob.most), chance.knob.length))
        return {"numbers": numbers, "sought": chance.choice(numbers), "who": chance.person(), **chance.of_world("lists")}

    def words(self, facts: Facts) -> Values:
        """Return the list in a row."""
        return {"row": ", ".join(map(str, facts["numbers"]))}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Halve the part that is left until the number is met."""
        numbers, sought = facts["numbers"], facts["sought"]
        low, high, looked = 0, len(numbers) - 1, 0
        while low <= high:
            middle = looked if slip == "one_by_one" else (low + high) // 2
            looked += 1
            found = numbers[middle]
            forwards = (found < sought) != (slip == "keeps_wrong_half" and looked == 1)
            next_part = f"so we go on with the numbers {'after' if forwards else 'before'} it"
            told = "is the one we want" if found == sought else f"is too {'small' if found < sought else 'large'}, {next_part}"
            yield state(f"the {ordinal(looked)} check", f"the number {found} {told}", "state" if slip == "one_by_one" else "look")
            if found == sought:
                break
            low, high = (middle + 1, high) if forwards else (low, middle - 1)
        told = f"{cardinal(looked)} {'number was' if looked == 1 else 'numbers were'} checked"
        yield state("the number of checks", told, "counted", value=cardinal(looked))

    def recheck(self, facts: Facts) -> list[str]:
        """Split the list itself, and count."""
        part, looks = list(facts["numbers"]), list[str]()
        while True:
            middle = part[(len(part) - 1) // 2]
            looks.append(f"the number {middle} is")
            if middle == facts["sought"]:
                return [*looks, cardinal(len(looks))]
            part = [number for number in part if (number > middle) == (facts["sought"] > middle) and number != middle]

"""Writing numbers in other bases. The second way counts up in the new base, as a milometer does."""

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.steps import Steps, add, calc, mul, state


class NumberBases(Family):
    """From base ten into a base from two to nine, and back."""

    about = "numbers in other bases"
    knobs = by_level(most=(30, 80, 200, 500, 900), bases=(3, 5, 6, 8, 9))
    slips = ("backwards", "stops_early", "wrong_powers")

    def draw(self, chance: Chance) -> Values:
        """Draw a number and a base."""
        base, number = chance.between(2, chance.knob.bases), chance.between(12, chance.knob.most)
        facts = {"base": base, "who": chance.person()}
        if chance.chances(0.5):
            return {**facts, "shape": "into", "number": number}
        return {**facts, "shape": "from", "digits": " ".join(_digits(number, base))}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Divide again and again, or add up powers."""
        base = facts["base"]
        if facts["shape"] == "into":
            if slip == "wrong_powers":
                return
            left, digits = facts["number"], list[str]()
            while left >= base:
                quotient, digit = divmod(left, base)
                step = calc(f"the division of {left} by {base}", f"{quotient} × {base} + {digit}", left, kind="divided")
                yield step._replace(more={"left": left, "quotient": quotient, "digit": digit})
                digits.append(str(digit))
                left = quotient
            if slip != "stops_early":
                yield state("the last quotient", f"the last quotient, {left}, is smaller than {base} and gives the leading digit")
                digits.append(str(left))
            written = " ".join(digits if slip == "backwards" else digits[::-1])
            yield state("the digits", f"the digits from left to right are {written}", "digits", value=written)
            return
        digits = facts["digits"].split()
        if slip == "stops_early":
            return
        terms, power = list[int](), 1
        for digit in digits if slip == "backwards" else digits[::-1]:
            if digit != "0":
                yield (place := mul(f"the value of the digit {digit} in the place worth {power}", int(digit), power))
                terms.append(place.value)
            power = power + base if slip == "wrong_powers" and power > 1 else power * base
        if len(terms) > 1:
            yield add("the number in base ten", *terms)

    def recheck(self, facts: Facts) -> list[str]:
        """Count up digit by digit."""
        digits, count = [0], 0
        goal = facts.get("digits")
        while (" ".join(map(str, digits[::-1])) != goal) if goal else count < facts["number"]:
            count, at = count + 1, 0
            if count > self.largest:
                raise ValueError("not reached")
            while at < len(digits) and digits[at] == facts["base"] - 1:
                digits[at], at = 0, at + 1
            if at == len(digits):
                digits.append(0)
            digits[at] += 1
        return [str(count) if goal else " ".join(map(str, digits[::-1]))]


def _digits(number: int, base: int) -> list[str]:
    return [] if number == 0 else [*_digits(number // base, base), str(number % base)]

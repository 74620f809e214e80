"""The fair price of a game of chance. The second way plays all cases once."""

from fractions import Fraction

from synth.arithmetic import written
from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import listed, with_noun
from synth.procedural.steps import Steps, add, div, mul, sub


class ExpectedValue(Family):
    """Prizes with numbers of winning tickets; the expected gain, from the third level less the stake."""

    about = "expected values of games of chance"
    knobs = by_level(prizes=(2, 2, 2, 3, 3), stake=(0, 0, 1, 1, 1), tickets=(10, 20, 20, 50, 100))
    slips = ("mean_of_prizes", "forgets_stake")
    largest = 10_000

    def draw(self, chance: Chance) -> Values:
        """Draw prizes and tickets."""
        total, stake = chance.knob.tickets, chance.between(1, 3) if chance.knob.stake else 0
        prizes, left = list[list[int]](), total - 1
        amounts = sorted(chance.sample([2, 4, 5, 8, 10, 15, 20, 25, 40, 50], chance.knob.prizes), reverse=True)
        for amount in amounts:
            count = chance.between(1, max(1, left // 3))
            prizes.append([amount, count])
            left -= count
        facts = {"total": total, "prizes": prizes, **chance.of_world("games"), "who": chance.person()}
        return {**facts, "shape": "stake", "stake": stake} if stake else {**facts, "shape": "free"}

    def words(self, facts: Facts) -> Values:
        """Return the prizes in a sentence."""
        told = [(with_noun(amount, "euro"), with_noun(count, facts["piece"]), count) for amount, count in facts["prizes"]]
        return {
            "list": listed(f"{amount} on {'' if count == 1 else 'each of '}{pieces}" for amount, pieces, count in told),
            "wins": listed(f"{pieces} wins {amount}" if count == 1 else f"{pieces} win {amount} each" for amount, pieces, count in told),
        }

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Add up what all tickets pay, share it among them, and take off the stake."""
        prizes, stake = facts["prizes"], facts.get("stake", 0)
        uneven = "/" in written(Fraction(sum(amount for amount, _ in prizes), len(prizes)))
        if (slip == "forgets_stake" and not stake) or (slip == "mean_of_prizes" and uneven):
            return
        if slip == "mean_of_prizes":
            yield (whole := add("the sum of the prizes", *(amount for amount, _ in prizes), unit="euro"))
            mean = div("the expected prize", whole.value, len(prizes), unit="euro")
        else:
            paid = [mul(f"the total paid in prizes of {with_noun(amount, 'euro')}", amount, count, unit="euro") for amount, count in prizes]
            yield from paid
            yield (whole := add("the total paid in prizes of all kinds", *(step.value for step in paid), unit="euro"))
            mean = div("the expected prize", whole.value, facts["total"], unit="euro")
        yield mean
        if stake and slip != "forgets_stake":
            yield sub("the expected net gain", mean.value, stake, unit="euro")

    def recheck(self, facts: Facts) -> list[str]:
        """Draw every ticket once and take the mean."""
        tickets = [amount - facts.get("stake", 0) for amount, count in facts["prizes"] for _ in range(count)]
        tickets += [-facts.get("stake", 0)] * (facts["total"] - len(tickets))
        return [written(Fraction(sum(tickets), len(tickets)))]

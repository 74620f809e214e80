"""Who tells the truth? Knights always do, knaves never. The second way works with the statements as equations of parity."""

from itertools import product

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import cardinal, listed
from synth.procedural.steps import Steps, state


class KnightsAndKnaves(Family):
    """Two or three speakers with one solution; the assumptions are gone through case by case."""

    about = "puzzles of knights and knaves"
    knobs = by_level(people=(2, 2, 2, 3, 3))
    slips = ("believes_all",)
    cases = True

    def draw(self, chance: Chance) -> Values:
        """Draw statements until exactly one assignment fits."""
        people = chance.people(chance.knob.people)
        while True:
            claims = []
            for speaker in people:
                about = chance.choice([person for person in people if person != speaker])
                claims.append([speaker, chance.choice(("is a knight", "is a knave", "is of my kind", "is not of my kind")), about])
            if len(_fitting(people, claims)) == 1:
                return {"people": people, "claims": claims}

    def words(self, facts: Facts) -> Values:
        """Return what is said."""
        said = " ".join(f'{speaker} says, "{about} {_TOLD.get(claim, claim)}."' for speaker, claim, about in facts["claims"])
        return {"said": said, "number": cardinal(len(facts["people"])), "names": listed(facts["people"])}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Go through all assumptions; a slip believes everyone."""
        people, answer = facts["people"], ""
        for case in product((True, False), repeat=len(people)):
            kinds = dict(zip(people, case, strict=True))
            told = listed(f"{person} is a {_KIND[kind]}" for person, kind in kinds.items())
            if slip:
                yield state(f"the case in which {told}", "everyone is believed", "fits", case=told, value=told)
                return
            broken = next((claim for claim in facts["claims"] if _holds(claim, kinds) != kinds[claim[0]]), None)
            if broken is None:
                answer = told
                yield state(f"the case in which {told}", "everything that is said fits", "fits", case=told)
            else:
                word = "a knight who tells a lie" if kinds[broken[0]] else "a knave who tells the truth"
                yield state(f"the case in which {told}", f"{broken[0]} would be {word}", "case", case=told)
        yield state("the solution", f"the only possibility is that {answer}", "left", value=answer)

    def recheck(self, facts: Facts) -> list[str]:
        """Turn each statement into an equation of parity: a knight is 1, and what somebody says is true exactly if the speaker is 1."""
        people, fitting = facts["people"], []
        for number in range(2 ** len(people)):
            bit = {person: number >> at & 1 for at, person in enumerate(people)}
            odd = {"is a knight": 0, "is a knave": 1}
            agrees = [
                (bit[o] == 1) == ("not" not in c) if "my kind" in c else (bit[s] + bit[o] + odd[c]) % 2 == 0 for s, c, o in facts["claims"]
            ]
            if all(agrees):
                fitting.append(listed(f"{person} is a {'knight' if bit[person] else 'knave'}" for person in people))
        return fitting if len(fitting) == 1 else []


_TOLD = {"is of my kind": "is the same kind as I am", "is not of my kind": "is not the same kind as I am"}
_KIND = {True: "knight", False: "knave"}


def _holds(claim: list[str], kinds: dict[str, bool]) -> bool:
    speaker, said, about = claim
    if "my kind" in said:
        return (kinds[speaker] == kinds[about]) == ("not" not in said)
    return kinds[about] == (said == "is a knight")


def _fitting(people: list[str], claims: list[list[str]]) -> list[dict[str, bool]]:
    cases = [dict(zip(people, case, strict=True)) for case in product((True, False), repeat=len(people))]
    return [kinds for kinds in cases if all(_holds(claim, kinds) == kinds[claim[0]] for claim in claims)]

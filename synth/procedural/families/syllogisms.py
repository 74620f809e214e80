"""Does the conclusion follow? The second way looks for a world of few things in which it fails."""

from functools import lru_cache
from itertools import product

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance, worlds
from synth.procedural.steps import Steps, state


class Syllogisms(Family):
    """Two premises about three kinds, and a conclusion."""

    about = "whether a conclusion follows from two premises"
    knobs = by_level(forms=(4, 6, 8, 10, 12))
    slips = ("believes",)

    def draw(self, chance: Chance) -> Values:
        """Draw a form and three kinds of things."""
        first, second, conclusion = _FORMS[chance.between(0, chance.knob.forms - 1)]
        kinds = chance.sample(worlds()["kinds"], 3)
        return {"kinds": kinds, "first": first, "second": second, "conclusion": conclusion, "who": chance.person()}

    def words(self, facts: Facts) -> Values:
        """Return the sentences."""
        return {name: _told(facts[name], facts["kinds"]) for name in ("first", "second", "conclusion")}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Say what each premise means for the three groups, and compare with the conclusion."""
        words = self.words(facts)
        follows = (facts["first"], facts["second"], facts["conclusion"]) in _VALID
        for name in ("first", "second"):
            yield state(f"the {name} premise", f"the {name} premise says that {_meaning(facts[name], facts['kinds'])}", "premise")
        sure = follows != (slip == "believes")
        told = "whenever both premises are true, it must be true that" if sure else "both premises can be true without it being true that"
        yield state("the conclusion", f"{told} {words['conclusion']}", "conclusion", value=_answer(sure, str(words["conclusion"])))

    def recheck(self, facts: Facts) -> list[str]:
        """Try all worlds."""
        return [_answer(_follows(facts["first"], facts["second"], facts["conclusion"]), _told(facts["conclusion"], facts["kinds"]))]


_FORMS = (
    ("all A are B", "all B are C", "all A are C"),
    ("all A are B", "no B are C", "no A are C"),
    ("all A are B", "all C are B", "all A are C"),
    ("some A are B", "all B are C", "some A are C"),
    ("no A are B", "all B are C", "no A are C"),
    ("some A are B", "some B are C", "some A are C"),
    ("all A are B", "some B are C", "some A are C"),
    ("some A are B", "no B are C", "some A are not C"),
    ("no A are B", "some C are B", "some C are not A"),
    ("all A are B", "some C are not B", "some C are not A"),
    ("all A are B", "some C are not A", "some C are not B"),
    ("all B are A", "all B are C", "some A are C"),
)
_VALID = frozenset(_FORMS[at] for at in (0, 1, 3, 7, 8, 9, 11))


def _answer(sure: bool, conclusion: str) -> str:
    return f"it {'follows' if sure else 'does not follow'} that {conclusion}"


def _told(form: str, kinds: list[str]) -> str:
    return " ".join(kinds["ABC".index(word)] if word in "ABC" else word for word in form.split())


def _meaning(form: str, kinds: list[str]) -> str:
    quantity, one, _, *negated, other = form.split()
    first, second = kinds["ABC".index(one)], kinds["ABC".index(other)]
    if quantity == "all":
        return f"the group of {first} lies inside the group of {second}"
    if quantity == "no":
        return f"the group of {first} and the group of {second} have nothing in common"
    return f"at least one of the {first} lies {'outside' if negated else 'inside'} the group of {second}"


@lru_cache(maxsize=64)
def _follows(first: str, second: str, conclusion: str) -> bool:
    """Try all worlds: each of the eight ways of belonging to three kinds is inhabited or not, and every kind has a member."""
    for world in product((False, True), repeat=8):
        held = [cell for cell, inhabited in zip(product((False, True), repeat=3), world, strict=True) if inhabited]
        every_kind = all(any(cell[kind] for cell in held) for kind in range(3))
        if every_kind and _true(first, held) and _true(second, held) and not _true(conclusion, held):
            return False
    return True


def _true(form: str, held: list[tuple[bool, ...]]) -> bool:
    quantity, one, _, *negated, other = form.split()
    members = [cell["ABC".index(other)] != bool(negated) for cell in held if cell["ABC".index(one)]]
    return all(members) if quantity == "all" else not any(members) if quantity == "no" else any(members)

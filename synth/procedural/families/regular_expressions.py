"""Which words match a pattern? The second way uses Python's own engine."""

import re

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.steps import Steps, state


class RegularExpressions(Family):
    """Patterns of letters, classes, repetitions and choices over short words."""

    about = "regular expressions"
    knobs = by_level(parts=(2, 3, 3, 4, 4), words=(4, 5, 5, 6, 7))
    slips = ("star_is_plus", "anywhere")

    def draw(self, chance: Chance) -> Values:
        """Draw a pattern, and words that match it or nearly do."""
        letters = chance.sample("abcdst", 3)
        while True:
            signs = (*letters, f"[{''.join(letters[:2])}]")
            parts = [[chance.choice(signs), chance.choice(("", "", "*", "+", "?"))] for _ in range(chance.knob.parts)]
            if not any(repeat for _, repeat in parts):
                continue
            words = set[str]()
            for _ in range(5 * chance.knob.words):
                made = "".join(chance.choice(sign.strip("[]")) for sign, repeat in parts for _ in range(chance.between(*_RANGES[repeat])))
                made = chance.choice((made, made, made + chance.choice(letters), made[1:]))
                words |= {made} if 1 < len(made) < 8 else set()
            chosen = chance.sample(sorted(words), min(len(words), chance.knob.words))
            facts = {"pattern": "".join(map("".join, parts)), "words": chosen, "who": chance.person()}
            matched = sum(_fits(parts, word, "") for word in chosen)
            if 0 < matched < len(chosen):
                return {**facts, "parts": ["".join(part) for part in parts]}

    def words(self, facts: Facts) -> Values:
        """Return the words as code."""
        return {"words": [f"`{word}`" for word in facts["words"]]}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Test word after word."""
        parts, found = [[part.rstrip("*+?"), part[len(part.rstrip("*+?")) :]] for part in facts["parts"]], list[str]()
        for word in facts["words"]:
            fits = _fits(parts, word, slip)
            found += [word] if fits else []
            code = f"`{word}`"
            yield state(f"the word {code}", f"{code} {'matches' if fits else 'does not match'}", "fits" if fits else "fails", word=code)
        if found:
            listed = ", ".join(f"`{word}`" for word in found)
            told = f"the words that match are {listed}" if len(found) > 1 else f"the only word that matches is {listed}"
            yield state("the words that match", told, "found", value=listed)

    def recheck(self, facts: Facts) -> list[str]:
        """Let Python's regular expressions decide."""
        engine = re.compile(facts["pattern"])
        fits = [engine.fullmatch(word) is not None for word in facts["words"]]
        told = [f"`{word}` {'matches' if fit else 'does not match'}" for word, fit in zip(facts["words"], fits, strict=True)]
        return [*told, ", ".join(f"`{word}`" for word, fit in zip(facts["words"], fits, strict=True) if fit)]


_RANGES = {"": (1, 1), "?": (0, 1), "*": (0, 3), "+": (1, 3)}


def _fits(parts: list[list[str]], word: str, slip: str) -> bool:
    """Follow all places that the parts so far can have reached."""
    places = set(range(len(word) + 1)) if slip == "anywhere" else {0}
    for sign, repeat in parts:
        least, most = {"": (1, 1), "?": (0, 1), "*": (int(slip == "star_is_plus"), 9), "+": (1, 9)}[repeat]
        reached = set[int]()
        for place in places:
            count = 0
            while count <= most and place + count <= len(word):
                if count >= least:
                    reached.add(place + count)
                if place + count == len(word) or word[place + count] not in sign.strip("[]"):
                    break
                count += 1
        places = reached
    return bool(places) if slip == "anywhere" else len(word) in places

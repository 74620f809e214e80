"""Edits of a word, one after the other. The second way works on a list of letters."""

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance, worlds
from synth.procedural.grammar import cardinal
from synth.procedural.steps import Steps, state


class StringEdits(Family):
    """Three to seven edits."""

    about = "edits of a word"
    knobs = by_level(edits=(2, 3, 4, 5, 6))
    slips = ("skips_second", "wrong_end")

    def draw(self, chance: Chance) -> Values:
        """Draw a word and edits that can be carried out."""
        word = text = chance.choice(worlds()["words"])
        edits: list[list[str]] = []
        while len(edits) < chance.knob.edits:
            kind = chance.choice(("reverse", "first_to_end", "drop_last", "replace", "double_first", "insert_front"))
            if (kind == "drop_last" and len(text) < 4) or (edits and edits[-1][0] == kind):
                continue
            arguments = {"replace": [chance.choice(text), chance.choice("xyz")], "insert_front": [chance.choice("bdgkmt")]}.get(kind, [])
            edits.append([kind, *arguments])
            text = _edited(text, [kind, *arguments])
        return {"word": word, "edits": edits, "who": chance.person()}

    def words(self, facts: Facts) -> Values:
        """Return the word as code, and the edits as a list."""
        told = [f"- {_TOLD[kind].format(*arguments)}" for kind, *arguments in facts["edits"]]
        return {"word": f"`{facts['word']}`", "list": "\n".join(told)}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Carry out edit after edit."""
        text = facts["word"]
        for at, edit in enumerate(facts["edits"], 1):
            kind, *arguments = edit
            if slip == "skips_second" and at == 2:
                continue
            text = text[1:] if slip == "wrong_end" and kind == "drop_last" else _edited(text, edit)
            told = _TOLD[kind].format(*arguments)
            yield state(f"edit number {cardinal(at)}", f"the word is now `{text}`", "edited", told=told, at=cardinal(at))
        yield state("the result", f"the result is `{text}`", "result", value=f"`{text}`")

    def recheck(self, facts: Facts) -> list[str]:
        """Move single letters in a list."""
        letters, seen = list(facts["word"]), list[str]()
        for kind, *arguments in facts["edits"]:
            if kind == "reverse":
                letters = [letters[-at] for at in range(1, len(letters) + 1)]
            elif kind == "first_to_end":
                letters.append(letters.pop(0))
            elif kind == "drop_last":
                letters.pop()
            elif kind == "replace":
                letters = [arguments[1] if letter == arguments[0] else letter for letter in letters]
            else:
                letters.insert(0, letters[0] if kind == "double_first" else arguments[0])
            seen.append(f"the word is now `{''.join(letters)}`")
        return [*seen, f"`{''.join(letters)}`"]


_TOLD = {
    "reverse": "reverse the order of the letters",
    "first_to_end": "move the first letter to the end",
    "drop_last": "strike out the last letter",
    "replace": "replace every `{}` by `{}`",
    "double_first": "write the first letter twice",
    "insert_front": "put the letter `{}` in front",
}


def _edited(text: str, edit: list[str]) -> str:
    kind, *arguments = edit
    if kind == "reverse":
        return text[::-1]
    if kind == "first_to_end":
        return text[1:] + text[0]
    if kind == "drop_last":
        return text[:-1]
    return text.replace(arguments[0], arguments[1]) if kind == "replace" else (text[0] if kind == "double_first" else arguments[0]) + text

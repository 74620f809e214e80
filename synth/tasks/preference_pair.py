"""Preference pairs: a problem whose answer is proved by rule, and a model's tries at it: one that is right, and one that is not.

The problem is one of the families' (`synth/procedural/families`), with a single number as its answer; the model sees the problem alone. A
try is right if it reaches the number and its equations hold; it is wrong if it states another number of the same thing. If every try
is right, the family's slip is the wrong solution; if no try is right, the rule's own solution is the right one. The share of right tries
measures the difficulty and goes to the row. A pair whose sides differ much in length would teach length, and is rejected.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from curation.storage.digests import canonical
from synth.arithmetic import equations
from synth.blind import solve_drafts
from synth.instructions import refuse_appeals, refuse_meta_talk
from synth.loose_json import read_object, text_field, text_list
from synth.procedural import Exercise, every_family, family
from synth.procedural.proof import PROOF_VERSION, prove
from synth.procedural.realise import exercise
from synth.solution import agree, single_number, supported
from synth.task import Draft, Example, Heard, Rejected, Seed, Task, Work

_LENGTHS = 3.0
"""The longer side has at most this many times the words of the shorter one."""


@dataclass(frozen=True)
class PreferencePair(Task):
    """Preference pairs on problems with a proved answer.

    count  number of problems to ask
    tries  how often a model solves each
    """

    tries: int = 4
    version: ClassVar[int] = 1
    asks_more: ClassVar[bool] = True
    makes_pairs: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        super().__post_init__()
        if self.tries < 2:
            raise ValueError("tries must be at least 2: a pair has two sides")

    @property
    def later_calls(self) -> int:  # type: ignore[override]
        """The tries after the first."""
        return self.tries - 1

    def draft(self, number: int, seed: Seed | None) -> Draft:
        """Ask for a solution of the next problem; no seed is needed."""
        del seed
        topics, level = tuple(every_family()), 1 + number % 5
        at = number
        while (made := _drawn(topics[at % len(topics)], level, number)) is None:
            at += 1
        brief = {"topic": topics[at % len(topics)], "difficulty": level, "number": number}
        return self._ask(brief, made.problem, 0, level)

    def work(self, brief: Mapping[str, Any], heard: Heard) -> Work:
        """Ask for the other tries, sort all by the proved answer, and return a pair."""
        made = _drawn(brief["topic"], brief["difficulty"], brief["number"])
        if made is None:
            raise Rejected("unsolvable", {"detail": "the family has changed since the question was asked"})
        passed = prove(made, family(brief["topic"]))
        others = yield [self._ask(brief, made.problem, sample, 1) for sample in range(1, self.tries)]
        tries = [read for text in (heard.text, *others) if (read := _read(text)) is not None]
        right = [steps for steps, answer in tries if _is_right(steps, answer, made.answer)]
        wrong = [steps for steps, answer in tries if _is_wrong(answer, made.answer)]
        chosen, of = (right[0], "a model") if right else (made.steps, "rules")
        if not wrong and made.slip is not None:
            wrong = [made.slip.steps]
        if not wrong or (not right and not tries):
            raise Rejected("no_contrast", {"right": len(right), "tries": self.tries})
        worked, rejected = "\n\n".join(chosen), "\n\n".join(wrong[0])
        words = sorted(len(side.split()) for side in (worked, rejected))
        if words[1] > _LENGTHS * words[0]:
            raise Rejected("length_bias", {"words": words})
        messages = ({"role": "user", "content": made.problem}, {"role": "assistant", "content": worked})
        sides = {"prompt": messages[:1], "chosen": messages[1:], "rejected": [{"role": "assistant", "content": rejected}]}
        facts = {name: canonical(said) for name, said in sides.items()}
        facts |= {"topic": brief["topic"], "difficulty": str(brief["difficulty"]), "chosen_of": of, "solved": f"{len(right)}/{self.tries}"}
        text = f"# {made.title}\n\n{made.problem}\n\n## {made.heading}\n\n{worked}"
        return Example(text, messages, made.answer, f"proof@{PROOF_VERSION}:{passed}+tries", "proved", facts=facts)

    @staticmethod
    def _ask(brief: Mapping[str, Any], problem: str, sample: int, level: int) -> Draft:
        (asked,) = solve_drafts(problem, 1)
        parameters = {**asked.parameters, "temperature": 1.0, "max_tokens": 900}
        return Draft(brief, asked.messages, asked.schema, asked.template, parameters, difficulty=level, sample=sample)


def _drawn(topic: str, level: int, number: int) -> Exercise | None:
    """Return a problem of a family; None if it is not asked by its text alone, or its answer is not one number."""
    made = exercise(family(topic), level, f"preference_pair {number}", {})
    return made if not made.attempt and made.layout == "worked" and single_number(made.answer) is not None else None


def _read(text: str | None) -> tuple[Sequence[str], str] | None:
    """Return the steps and the answer of a try; None if it cannot be used."""
    try:
        found = read_object(text or "")
        steps, answer = text_list(found, "steps"), text_field(found, "answer")
        refuse_meta_talk(*steps, answer)
        refuse_appeals(*steps, answer)
    except Rejected:
        return None
    return steps, answer


def _is_right(steps: Sequence[str], answer: str, true: str) -> bool:
    said = "\n".join(steps)
    return agree(answer, true) and supported(answer, said) and all(equation.holds for equation in equations(said))


def _is_wrong(answer: str, true: str) -> bool:
    """Return whether an answer states another number of the same thing: what has another unit may be right after all."""
    value, wanted = single_number(answer), single_number(true)
    units = [[word for word in said.casefold().split() if word.strip(".,$€%").isalpha()] for said in (answer, true)]
    return value is not None and wanted is not None and value != wanted and units[0] in ([], units[1])

"""Code exercises: a problem, a program whose tests pass while its mutants fail, and an explanation.

The program runs in the sandbox with its tests; a failure is told to the model once. Then programs that are written blind, from the problem
alone, run against the same tests: the share that passes is stored, and a problem that they do not solve is either unclear or wrong. The row
says at which level of the sandbox its code ran, and how many mutants the tests caught.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from synth.blind import LEAST_SHARE
from synth.grid import cell_of
from synth.instructions import refuse_appeals, refuse_meta_talk, refuse_orders
from synth.loose_json import object_schema, read_object, text_field, text_list
from synth.procedural.phrasebook import book
from synth.prompt import load_prompt
from synth.sandbox.judging_code import judge_code
from synth.sandbox.running import run_code
from synth.task import Draft, Example, Heard, Rejected, Seed, Task, Work

_FORM = object_schema(title="text", problem="text", solution="text", tests="text", explanation="texts")
_PROGRAM = object_schema(program="text")
_REPAIR = "The tests do not pass: {said}. Answer once more with the whole JSON object, with program or tests corrected."


@dataclass(frozen=True)
class CodeExercise(Task):
    """Code exercises, judged in the sandbox.

    count   number of exercises to ask for
    levels  difficulties, 1 to 5, in turn
    solves  how often a program is written blind, from the problem alone
    """

    levels: tuple[int, ...] = (1, 2, 3, 4, 5)
    solves: int = 3
    version: ClassVar[int] = 1
    asks_more: ClassVar[bool] = True
    repairs: ClassVar[int] = 1

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        super().__post_init__()
        if self.solves < 1 or not self.levels or not set(self.levels) <= {1, 2, 3, 4, 5}:
            raise ValueError("solves must be at least 1, and levels some of 1, 2, 3, 4, 5")

    @property
    def later_calls(self) -> int:  # type: ignore[override]
        """The number of blind programs."""
        return self.solves

    def draft(self, number: int, seed: Seed | None) -> Draft:
        """Ask with the next cell of the grid; no seed is needed."""
        del seed
        cell, level = cell_of(number, book("tasks")["code_exercise"]), self.levels[number % len(self.levels)]
        prompt = load_prompt("code_exercise")
        brief = {"cell": cell, "difficulty": level, "number": number}
        messages = prompt.messages({**cell, "difficulty": level})
        return Draft(brief, messages, _FORM, prompt.name, {"max_tokens": 2000, "temperature": 0.9}, difficulty=level)

    def work(self, brief: Mapping[str, Any], heard: Heard) -> Work:
        """Judge the program, once more if its tests failed, and let others solve the problem."""
        text = heard.text
        try:
            found, passed = _judged(text)
        except Rejected as rejected:
            if rejected.rule != "tests_fail" or rejected.evidence["ended"] != "failed":
                raise
            prompt = load_prompt("code_exercise")
            asked = prompt.messages({**brief["cell"], "difficulty": brief["difficulty"]})
            told = _REPAIR.format(said=rejected.evidence["said"][:300])
            again = (*asked, {"role": "assistant", "content": text}, {"role": "user", "content": told})
            (reply,) = yield [Draft({**brief, "repair": 1}, again, _FORM, prompt.name)]
            if reply is None:
                raise
            found, passed = _judged(reply)
        blind = load_prompt("solve_code")
        messages = blind.messages({"problem": found["problem"]})
        drafts = [Draft({"problem": found["problem"]}, messages, _PROGRAM, blind.name, sample=k) for k in range(self.solves)]
        replies = yield drafts
        passing = sum(reply is not None and _passes(reply, found["tests"]) for reply in replies)
        share = f"{passing}/{self.solves}"
        if passing < LEAST_SHARE * self.solves:
            raise Rejected("disagreed", {"share": share})
        code, tests = (f"```python\n{found[name].strip()}\n```" for name in ("solution", "tests"))
        worked = "\n\n".join([*found["explanation"], code])
        whole = f"# {found['title']}\n\n{found['problem']}\n\n## Solution\n\n{worked}\n\n## Tests\n\n{tests}"
        messages = ({"role": "user", "content": found["problem"]}, {"role": "assistant", "content": worked})
        facts = {**brief["cell"], "difficulty": str(brief["difficulty"]), "sandbox": passed.level, "mutants_caught": passed.caught}
        return Example(whole, messages, found["solution"], f"code@{self.version}:tests+mutants+blind", "agreed", share, facts)


def _judged(text: str) -> tuple[dict[str, Any], Any]:
    """Read a reply and judge its program. Raises Rejected."""
    read = read_object(text, _FORM)
    found: dict[str, Any] = {name: text_field(read, name) for name in ("title", "problem", "solution", "tests")}
    found["explanation"] = text_list(read, "explanation")
    for refuse in (refuse_meta_talk, refuse_appeals, refuse_orders):
        refuse(found["title"], found["problem"], *found["explanation"])
    if found["tests"].count("assert") < 3:
        raise Rejected("tests_vacuous", {"assertions": found["tests"].count("assert")})
    return found, judge_code(found["solution"], found["tests"])


def _passes(reply: str, tests: str) -> bool:
    """Return whether a program that was written blind passes the tests."""
    try:
        return run_code(text_field(read_object(reply, _PROGRAM), "program"), tests).ended == "passed"
    except Rejected:
        return False

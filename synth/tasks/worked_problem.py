"""Worked problems: an exercise, its solution step by step, and the answer, all recomputed before they become a row.

What rules made is `proved`: a second way reaches the answer from the facts. What a model wrote is `agreed`: its equations hold, its numbers
are the problem's own, and blind solves reach its answer.

Topics are the families in `synth/procedural/families`, in turn, so that any number of questions covers them evenly; difficulty rises after
each round of topics. Setting and reader vary the wording for a model (topic, setting and audience made synthetic textbooks diverse in
"Textbooks Are All You Need", arXiv 2306.11644, and in Cosmopedia).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, ClassVar

from curation.choices import nearest
from curation.errors import RecipeError
from curation.storage.digests import json_of
from synth import blind, solution
from synth.accounted import require_accounted
from synth.blind import require_agreement, solve_drafts
from synth.instructions import refuse_appeals, refuse_meta_talk
from synth.loose_json import object_schema
from synth.procedural import LEVELS, Exercise, Family, every_family, family
from synth.procedural.phrasebook import book
from synth.procedural.proof import PROOF_VERSION, prove, read_exercise
from synth.prompt import load_prompt
from synth.task import Draft, Example, Heard, Seed, Task, Work

SCHEMA = object_schema(title="text", problem="text", steps="texts", answer="text", expression="text")
_WORDS = book("tasks")["worked_problem"]


@dataclass(frozen=True)
class WorkedProblem(Task):
    """Exercises with worked solutions.

    count   number of exercises to make
    topics  names of families in `synth/procedural/families`; none: all
    levels  difficulties, 1 to 5, in turn
    knobs   knobs set by hand, as `family.knob` = number (a family's file names its knobs and their values by level)
    solves  how often a problem that a model wrote is solved blind (`synth.blind`)
    """

    topics: tuple[str, ...] = ()
    levels: tuple[int, ...] = LEVELS
    knobs: Mapping[str, int] = field(default_factory=dict)
    solves: int = 3
    version: ClassVar[int] = 3
    asks_more: ClassVar[bool] = True
    makes_pairs: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        super().__post_init__()
        if self.solves < 1:
            raise ValueError("solves must be at least 1")
        known = every_family()
        for topic in self.topics:
            if topic not in known:
                raise RecipeError(f"task worked_problem: there is no topic {topic!r}{nearest(topic, known)}")
        for name in self.knobs:
            topic, _, knob = name.partition(".")
            if topic not in known or knob not in known[topic].knobs:
                raise RecipeError(f"task worked_problem: there is no knob {name!r}{nearest(name, _knobs(known))}")
        if not self.levels or not set(self.levels) <= set(LEVELS):
            raise ValueError(f"levels must be some of {', '.join(map(str, LEVELS))}")

    @property
    def later_calls(self) -> int:  # type: ignore[override]
        """The number of blind solves."""
        return self.solves

    def identity(self) -> Mapping[str, Any]:
        """Return what examples depend on, including the checks and the independent methods."""
        roads = {name: topic.version for name, topic in every_family().items()}
        return {
            **super().identity(),
            "solution": solution.SOLUTION_VERSION,
            "proof": PROOF_VERSION,
            "blind": blind.BLIND_VERSION,
            "second_roads": roads,
        }

    def draft(self, number: int, seed: Seed | None) -> Draft:
        """Ask for an exercise on the next topic in turn; no seed is needed."""
        del seed
        topics = self.topics or tuple(every_family())
        topic, level = topics[number % len(topics)], self.levels[number // len(topics) % len(self.levels)]
        draw = Random(f"worked_problem {number}")
        prompt = load_prompt("worked_problem")
        values = {
            "topic": every_family()[topic].about,
            "difficulty": level,
            "setting": draw.choice(_WORDS["settings"]),
            "reader": draw.choice(_WORDS["readers"]),
        }
        knobs = {name.partition(".")[2]: value for name, value in self.knobs.items() if name.startswith(f"{topic}.")}
        brief = {"topic": topic, "difficulty": level, "number": number, **({"knobs": knobs} if knobs else {})}
        return Draft(brief, prompt.messages(values), SCHEMA, prompt.name, {"max_tokens": 1200, "temperature": 1.0}, difficulty=level)

    def work(self, brief: Mapping[str, Any], heard: Heard) -> Work:
        """Read and recheck a solution; one that a model wrote is solved blind too. Return the formatted example."""
        if heard.by_rule:
            exercise = read_exercise(heard.text)
            return self._of_rules(brief, exercise, prove(exercise, family(brief["topic"])))
        found = solution.read_solution(heard.text)
        refuse_meta_talk(found.title, found.problem, *found.steps)
        refuse_appeals(found.title, found.problem, *found.steps, found.answer)
        passed = solution.check(found)
        require_accounted(found.problem, "\n".join(found.steps), found.answer)
        replies = yield solve_drafts(found.problem, self.solves)
        agreement = require_agreement(found.answer, replies)
        return self._formatted(brief, found, f"{passed}+accounted+blind", agreement)

    def _of_rules(self, brief: Mapping[str, Any], found: Exercise, passed: str) -> Example:
        """Format what rules made; where it has a rejected solution, `prompt`, `chosen` and `rejected` are a pair."""
        asked = "\n\n".join(part for part in (found.problem, found.attempt) if part)
        worked = "\n\n".join(found.steps)
        heading = Random(json_of([brief, found.problem])).choice((*_WORDS["problem_headings"], *[""] * len(_WORDS["problem_headings"])))
        text = "\n\n".join([f"# {found.title}", *([f"## {heading}"] if heading else []), asked, f"## {found.heading}", worked])
        messages = ({"role": "user", "content": asked}, {"role": "assistant", "content": worked})
        facts = {"topic": brief["topic"], "difficulty": str(brief["difficulty"]), "layout": found.layout}
        if found.slip is not None:
            rejected = [{"role": "assistant", "content": "\n\n".join(found.slip.steps)}]
            pair = {"prompt": messages[:1], "chosen": messages[1:], "rejected": rejected}
            facts |= {name: json_of(spoken) for name, spoken in pair.items()} | {"slip": found.slip.name}
        return Example(text, messages, found.answer, f"proof@{PROOF_VERSION}:equations+{passed}", "proved", facts=facts)

    def _formatted(self, brief: Mapping[str, Any], found: solution.Solution, passed: str, agreement: str) -> Example:
        draw = Random(json_of([brief, found.problem]))
        answer = found.answer.rstrip(".")
        worked = "\n\n".join([*found.steps, draw.choice(_WORDS["answers"]).format(answer=answer)])
        parts = [f"# {found.title}"]
        if draw.random() < 0.5:
            parts.append(f"## {draw.choice(_WORDS['problem_headings'])}")
        parts += [found.problem, f"## {draw.choice(_WORDS['headings'])}", worked]
        messages = ({"role": "user", "content": found.problem}, {"role": "assistant", "content": worked})
        facts = {"topic": brief["topic"], "difficulty": str(brief["difficulty"])}
        verifier = f"solution@{solution.SOLUTION_VERSION}:{passed}"
        return Example("\n\n".join(parts), messages, answer, verifier, "agreed", agreement, facts)


def _knobs(known: Mapping[str, type[Family]]) -> list[str]:
    return [f"{topic}.{knob}" for topic, kind in known.items() for knob in kind.knobs]

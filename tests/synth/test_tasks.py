"""What the tasks ask a teacher for, and how an accepted reply is laid out: all kinds in turn, and neither layout too rare."""

from itertools import product
from typing import Any

import pytest

from synth.offered import build_task
from synth.procedural import every_family
from synth.questions import questions
from synth.router import Router
from synth.sheet_task import SheetTask
from synth.solution import Solution
from synth.task import Seed, Task
from synth.tasks import worked_problem

SEED = Seed(bytes(16), "a document", "Mud closed the roads in spring, so grain went to the town on barges.")


def drafted(task: Task, count: int) -> list[Any]:
    return [task.draft(number, SEED) for number in range(count)]


def test_every_kind_of_question_is_asked_for_every_reader_before_one_comes_again() -> None:
    task = build_task({"name": "grounded_question"})
    assert isinstance(task, SheetTask)
    vary = task.sheet.front.vary
    cells = list(product(*vary.values()))
    drafts = drafted(task, 2 * len(cells))
    for half in (drafts[: len(cells)], drafts[len(cells) :]):
        assert sorted(tuple(draft.brief["cell"].values()) for draft in half) == sorted(cells)
    for draft in drafts:
        asked = " ".join(message["content"] for message in draft.messages)
        assert draft.brief["cell"]["reader"] in asked
        assert draft.brief["cell"]["kind"] in asked
        assert SEED.text in asked
        assert (draft.brief["seed"], draft.brief["passage"]) == (SEED.id, SEED.text)
        assert (draft.parameters, draft.seed_ids, draft.difficulty) == ({"max_tokens": 1200, "temperature": 0.7}, (SEED.id,), 2), (
            "a passage that reads easily"
        )


@pytest.mark.parametrize("settings", [{}, {"topics": ("fractions_of_wholes", "clocks", "means"), "levels": (2, 5)}])
def test_every_topic_is_asked_for_at_every_level_before_one_comes_again(settings: dict[str, Any]) -> None:
    task = build_task({"name": "worked_problem", **settings})
    assert isinstance(task, worked_problem.WorkedProblem)
    pairs = list(product(task.levels, task.topics or every_family()))
    for number, (draft, (level, topic)) in enumerate(zip(drafted(task, 2 * len(pairs)), pairs * 2, strict=True)):
        assert draft.brief == {"topic": topic, "difficulty": level, "number": number}
        assert (draft.parameters, draft.difficulty) == ({"max_tokens": 1200, "temperature": 1.0}, level)
        assert every_family()[topic].about in " ".join(message["content"] for message in draft.messages)


def test_half_of_a_model_s_problems_have_a_heading_and_all_say_the_answer() -> None:
    task = build_task({"name": "worked_problem"})
    assert isinstance(task, worked_problem.WorkedProblem)
    headed, closings = 0, set()
    for number in range(200):
        found = Solution("A title", f"How many in box {number}?", ("First we count.", "Then we add."), f"{number}.")
        example = task._formatted({"topic": "means", "difficulty": 2}, found, "equations", "3/3")
        title, *parts = example.text.split("\n\n")
        assert title == "# A title"
        if parts[0] != found.problem:
            headed += 1
            assert parts.pop(0) in {f"## {heading}" for heading in worked_problem._WORDS["problem_headings"]}
        problem, heading, *steps, closing = parts
        assert (problem, steps, example.answer) == (found.problem, list(found.steps), str(number))
        assert heading in {f"## {one}" for one in worked_problem._WORDS["headings"]}
        closings.add(closing.replace(str(number), "{answer}"))
        assert example.messages[1]["content"] == "\n\n".join([*steps, closing])
    assert 80 < headed < 120
    assert closings == set(worked_problem._WORDS["answers"])


def test_a_task_that_needs_documents_asks_nothing_where_there_are_none() -> None:
    tasks = [build_task({"name": "grounded_question", "count": 3}), build_task({"name": "worked_problem", "count": 2})]
    router = Router.of({"name": "openai", "model": "m", "base_url": "http://127.0.0.1:1/v1"}, [], tasks)
    assert [(question.number, question.task.name()) for question in questions(router, tasks, [])] == [
        (0, "worked_problem"),
        (1, "worked_problem"),
    ]
    asked = list(questions(router, tasks, [SEED]))
    assert [question.number for question in asked] == list(range(5))
    assert [question.draft.seed_ids for question in asked] == [(SEED.id,)] * 3 + [()] * 2

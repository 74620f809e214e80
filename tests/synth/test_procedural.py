"""Every generator: what it makes passes the independent check, what is corrupted does not, and wording is diverse."""

import json
import re
from dataclasses import asdict, replace
from functools import cache
from random import Random

import pytest

from synth.arithmetic import equations, numbers, plain_signs
from synth.procedural import LEVELS, Exercise, generator, generators
from synth.procedural.narrator import FIRST_NAMES
from synth.solution import Solution, check, read_solution
from synth.task import Rejected

SEEDS = 200


@cache
def exercises(topic: str) -> list[Exercise]:
    made = generator(topic)
    return [made.make(Random(f"test {seed}"), LEVELS[seed % len(LEVELS)]) for seed in range(SEEDS)]


def as_reply(exercise: Exercise) -> Solution:
    return read_solution(json.dumps(asdict(exercise), ensure_ascii=False))


def rejected(changed: Solution, topic: str) -> bool:
    try:
        check(changed, generator(topic))
    except Rejected:
        return True
    return False


def test_there_are_enough_generators() -> None:
    assert len(generators()) >= 15


@pytest.mark.parametrize("topic", generators())
def test_what_is_made_is_true(topic: str) -> None:
    for exercise in exercises(topic):
        passed = check(as_reply(exercise), generator(topic))
        assert f"facts.{topic}@" in passed


@pytest.mark.parametrize("topic", generators())
def test_making_is_a_function_of_seed_and_difficulty(topic: str) -> None:
    for seed, difficulty in ((1, 1), (2, 3), (3, 5)):
        first, again = (generator(topic).make(Random(seed), difficulty) for _ in range(2))
        assert first == again
        assert first != generator(topic).make(Random(seed + 1000), difficulty)


@pytest.mark.parametrize("topic", generators())
def test_a_wrong_answer_is_rejected(topic: str) -> None:
    for exercise in exercises(topic):
        found = as_reply(exercise)
        figures = numbers(found.answer)
        if figures:
            wrong = re.sub(re.escape(figures[0]), str(int(float(figures[0])) + 1), found.answer, count=1)
        else:
            wrong = {"Monday": "Tuesday"}.get(found.answer, "Monday")
        assert rejected(replace(found, answer=wrong), topic), (found.answer, wrong)


@pytest.mark.parametrize("topic", generators())
def test_a_changed_number_in_any_step_is_rejected(topic: str) -> None:
    """Put a number that is nowhere else in the place of each number of each step."""
    for exercise in exercises(topic)[::13]:
        found = as_reply(exercise)
        strange = str(max(int(float(n)) for n in numbers(json.dumps(asdict(exercise)))) + 7919)
        for place, step in enumerate(found.steps):
            for number in re.finditer(r"\d+(?:\.\d+)?", step):
                mutated = step[: number.start()] + strange + step[number.end() :]
                steps = (*found.steps[:place], mutated, *found.steps[place + 1 :])
                assert rejected(replace(found, steps=steps), topic), mutated


@pytest.mark.parametrize("topic", generators())
def test_an_equation_that_is_off_by_one_is_rejected(topic: str) -> None:
    for exercise in exercises(topic)[::9]:
        found = as_reply(exercise)
        for place, step in enumerate(found.steps):
            printed = plain_signs(step)
            for equation in equations(step):
                right = equation.right
                if re.fullmatch(r"-?\d+", right):
                    wrong = printed.replace(f"= {right}", f"= {int(right) + 1}", 1)
                    if wrong == printed:
                        continue
                    steps = (*found.steps[:place], wrong, *found.steps[place + 1 :])
                    assert rejected(replace(found, steps=steps), topic), wrong


@pytest.mark.parametrize("topic", generators())
def test_facts_that_the_problem_does_not_state_are_rejected(topic: str) -> None:
    for exercise in exercises(topic)[::8]:
        found = as_reply(exercise)
        told = json.dumps(found.facts, ensure_ascii=False)
        figures = numbers(told)
        if figures:
            other = str(int(figures[-1]) + 7919)
            changed = json.loads(other.join(told.rsplit(figures[-1], 1)))
            assert rejected(replace(found, facts=changed), topic), changed


@pytest.mark.parametrize("topic", ["program_tracing", "truth_tables", "sorting_trace", "sequences"])
def test_a_missing_step_is_rejected_where_steps_are_checkpoints(topic: str) -> None:
    dropped = 0
    for exercise in exercises(topic)[::7]:
        found = as_reply(exercise)
        needed = generator(topic).checkpoints(exercise.facts)
        for place, step in enumerate(found.steps):
            steps = (*found.steps[:place], *found.steps[place + 1 :])
            if any(point in step for point in needed) and not all(point in "\n".join(steps) for point in needed):
                dropped += 1
                assert rejected(replace(found, steps=steps), topic)
    assert dropped > 10


def skeleton(text: str) -> str:
    """Return text without names and numbers."""
    masked = re.sub(r"\d+(?:[./]\d+)*", "#", text)
    return re.sub(rf"\b(?:{'|'.join(FIRST_NAMES)})\b", "NAME", masked)


@pytest.mark.parametrize("topic", generators())
def test_wording_is_diverse(topic: str) -> None:
    made = exercises(topic)
    problems = {skeleton(exercise.problem) for exercise in made}
    solutions = {skeleton("\n".join(exercise.steps)) for exercise in made}
    openers = {tuple(exercise.steps[1].split()[:4]) for exercise in made}
    assert len(solutions) >= 0.9 * SEEDS, len(solutions)
    assert len(problems) >= 0.12 * SEEDS, len(problems)
    assert len(openers) >= 8, openers


def test_difficulty_makes_longer_solutions() -> None:
    easy = hard = 0
    for topic in generators():
        for seed in range(30):
            easy += len("".join(generator(topic).make(Random(seed), 1).steps))
            hard += len("".join(generator(topic).make(Random(seed), 5).steps))
    assert hard > 1.3 * easy


def test_the_check_refuses_what_it_cannot_recompute() -> None:
    prose = Solution("On cats", "Why do cats purr?", ("They are content.",), "content")
    with pytest.raises(Rejected, match="unchecked"):
        check(prose, None)


def test_facts_that_are_nonsense_are_a_rejection_and_no_crash() -> None:
    for topic in generators():
        for facts in ({"x": []}, {"numbers": ["a"]}, {"program": "import os", "values": [1]}, {"statement": ")(", "letters": ["p"]}):
            found = Solution("t", "1 2 3", ("1 + 1 = 2",), "2", facts=facts)
            with pytest.raises(Rejected, match=r"unsolvable|unstated_fact|wrong_answer|wrong_step"):
                check(found, generator(topic))

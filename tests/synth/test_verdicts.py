"""Verdicts mean what they say: proved from facts, agreed by blind solves, or necessary conditions."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from curation.text.text import Text
from pipelines.recipes.recipe import load
from synth.accounted import require_accounted
from synth.blind import require_agreement
from synth.grounding import require_bearing, require_known_names
from synth.offered import build_task
from synth.synthesize import SynthesisSettings
from synth.task import Heard, Rejected
from tests.endpoint import Answer, completion, serving
from tests.synth.test_synthesize import generate, key, rows_of

__all__ = ["key"]  # a fixture

BRIEF = {"topic": "percentages", "difficulty": 1, "number": 0}
APPLES = {
    "title": "Apples",
    "problem": "Anna has 3 apples and buys 4 more. How many apples has she now?",
    "steps": ["Together that is 3 + 4 = 7 apples."],
    "answer": "7 apples",
    "expression": "3 + 4",
}
TRAIN = {
    "title": "A train",
    "problem": "A train travels 120 km in 3 hours. How fast is it?",
    "steps": ["The speed is 120 / 3 = 40 km/h."],
    "answer": "40 km/h",
    "expression": "120 / 3",
}


@pytest.mark.parametrize(
    ("problem", "steps", "answer"),
    [
        (APPLES["problem"], "Together that is 3 + 4 = 7 apples.", "7"),
        ("Ben reads twelve pages a day for a week. How many pages?", "12 × 7 = 84.", "84 pages"),
        ("A film lasts 2 hours. How many minutes?", "2 × 60 = 120 minutes", "120"),
        ("A coat of 80 euros is 25 % cheaper.", "25 / 100 = 0.25, so 80 × 0.25 = 20 and 80 - 20 = 60.", "60 euros"),
        ("A rope of 3.50 m and one of 2 m.", "3.5 + 2 = 5.5", "5.5 m"),
    ],
)
def test_numbers_of_the_problem_or_computed_are_accounted_for(problem: str, steps: str, answer: str) -> None:
    require_accounted(problem, steps, answer)


@pytest.mark.parametrize(
    ("problem", "steps", "answer"),
    [
        (APPLES["problem"], "20 + 22 = 42.", "42 apples"),
        (APPLES["problem"], "3 + 4 = 7. With the 9 of her brother, 7 + 9 = 16.", "16"),
        (APPLES["problem"], "3 + 4 = 7, so there are 7.", "8 apples"),
        ("A film lasts 2 hours.", "2 × 55 = 110 minutes", "110"),
    ],
)
def test_other_numbers_are_not(problem: str, steps: str, answer: str) -> None:
    with pytest.raises(Rejected, match="unaccounted_number"):
        require_accounted(problem, steps, answer)


def solved(answer: str) -> str:
    return json.dumps({"steps": ["so"], "answer": answer})


def test_blind_solves_must_agree() -> None:
    assert require_agreement("7 apples", [solved("7"), solved("7 apples"), solved("seven")]) == "2/3"
    for replies in ([solved("7"), None, "no JSON"], [solved("8")] * 3, [solved("unsolvable")] * 3, [solved("7 or 8")] * 3):
        with pytest.raises(Rejected, match="disagreed"):
            require_agreement("7 apples", replies)


def test_facts_that_a_model_gives_prove_nothing() -> None:
    """A model may add the field `facts` to a wrong problem; it is solved blind all the same."""
    task = build_task({"name": "worked_problem"})
    work = task.work(BRIEF, Heard(json.dumps({**APPLES, "facts": {"a": 3, "b": 4}})))
    asked = next(work)
    assert len(asked) == 3
    assert len({draft.sample for draft in asked}) == 3
    shown = json.dumps([draft.messages for draft in asked])
    assert APPLES["problem"] in shown
    assert "3 + 4" not in shown
    assert "7 apples" not in shown
    with pytest.raises(StopIteration) as end:
        work.send([solved("7")] * 3)
    assert (end.value.value.verdict, end.value.value.agreement) == ("agreed", "3/3")


def test_verdicts_reach_the_rows_and_wrong_problems_do_not(tmp_path: Path) -> None:
    wrong_train = {**TRAIN, "steps": ["The speed is 120 × 3 = 360 km/h."], "answer": "360 km/h", "expression": "120 * 3"}
    strange = {**APPLES, "steps": ["20 + 22 = 42."], "answer": "42 apples", "expression": "20 + 22"}
    replies = [APPLES, TRAIN, wrong_train, strange]

    def answer(body: dict[str, Any], _: int) -> Answer:
        text = body["messages"][-1]["content"]
        for problem, true in ((APPLES, "7"), (TRAIN, "40 km/h")):
            if text == problem["problem"]:
                return completion(solved(true))
        first.append(text)
        return completion(json.dumps(replies[len(first) - 1]))

    first: list[str] = []
    with serving(answer) as endpoint:
        teacher = {"name": "openai", "model": "m", "base_url": endpoint.url, "key_variable": "", "concurrency": 1}
        settings = SynthesisSettings(teacher=teacher, tasks=({"name": "worked_problem", "count": 4},))
        sealed, _ = generate(tmp_path / "out", settings)
        accepted, rejected = rows_of(sealed)
        calls = len(endpoint.bodies)
        again, _ = generate(tmp_path / "out", settings)
    assert [(dict(row["metadata"])["verdict"], dict(row["metadata"])["agreement"]) for row in accepted] == [("agreed", "3/3")] * 2
    assert {row["offset"]: row["rule"] for row in rejected} == {2: "disagreed", 3: "unaccounted_number"}
    assert calls == len(endpoint.bodies) == 4 + 3 * 2, "the blind solves of one problem are asked once, and nothing is asked again"
    assert sealed.digest == again.digest


def test_procedural_rows_are_proved(tmp_path: Path) -> None:
    accepted, _ = rows_of(generate(tmp_path / "out", SynthesisSettings(tasks=({"name": "worked_problem", "count": 16},)))[0])
    assert {dict(row["metadata"])["verdict"] for row in accepted} == {"proved"}
    with pytest.raises(Rejected, match="unchecked"):
        next(build_task({"name": "worked_problem"}).work(BRIEF, Heard(json.dumps(APPLES), by_rule=True)))


EVIDENCE = ["The kiln of Josiah Wedgwood reached white heat."]
PASSAGE = f"{EVIDENCE[0]} Bricks swell in it. Etruria lay near Stoke. Etruria grew."


def test_names_must_stand_in_the_evidence_or_twice_in_the_passage() -> None:
    require_known_names(["At Etruria the potter Wedgwood fired bricks. However, they swelled."], EVIDENCE, PASSAGE)
    for text in ("It was fired by Spode.", "They sell SuperPills.", "It was near Stoke.", "So said NASA then."):
        with pytest.raises(Rejected, match="ungrounded_name"):
            require_known_names([text], EVIDENCE, PASSAGE)


def test_question_evidence_explanation_and_answer_must_bear_on_each_other() -> None:
    def bears(question: str, explanation: str, answer: str) -> None:
        require_bearing([("question", question), ("explanation", explanation), ("answer", answer)], EVIDENCE[0], PASSAGE)

    bears("How hot was the kiln?", "Bricks glow in such heat.", "White hot.")
    for question, explanation, answer in (
        ("Which pills are best?", "Bricks glow in such heat.", "White hot."),
        ("How hot was the kiln?", "Pills cure everything.", "White hot."),
        ("How hot was the kiln?", "Bricks glow in such heat.", "Pills cure everything."),
    ):
        with pytest.raises(Rejected, match="unsupported"):
            bears(question, explanation, answer)


def test_the_shipped_recipe_keeps_sound_rows_and_drops_a_loop(tmp_path: Path) -> None:
    """Limits made for web pages dropped a tenth of these rows, and two thirds of the truth tables."""
    settings = SynthesisSettings(tasks=({"name": "worked_problem", "count": 480},))
    texts = [row["text"] for row in rows_of(generate(tmp_path / "out", settings)[0])[0]]
    (chosen,) = load("reasoning").filters
    loop = "So the answer is four apples and two pears in all. " * 30
    halves = f"{texts[0]} " + " ".join(["Then we add the next number to the sum of before."] * 12)
    made = chosen.build()
    all_texts = [*texts, loop, halves]
    measured = made.signals(Text.from_strings(all_texts), pa.table({"url": pa.nulls(len(all_texts), pa.string())}))
    signals = pl.DataFrame({name: pl.Series(values) for name, values in measured.items()})
    dropped = [any(row) for row in signals.select(rule.drops.fill_null(False).alias(name) for name, rule in made.rules().items()).rows()]
    assert len(texts) == 480
    assert sum(dropped[:-2]) <= 0.02 * len(texts)
    assert all(dropped[-2:])

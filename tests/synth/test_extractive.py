"""Exercises taken from documents: everything asked and answered stands in the document, wherever in it, and is labelled `necessary`."""

import dataclasses
import json
from collections import Counter
from pathlib import Path

import pytest

from synth.ask.teacher import Reply
from synth.extractive import ASKABLE, item_of, passages
from synth.extractive_teacher import ExtractiveTeacher
from synth.procedural.chance import Chance
from synth.router import Addressing, Router
from synth.task import Example, Rejected, Seed
from synth.tasks.document_exercise import DocumentExercise

TEXTS = Path(__file__).parents[2] / "sample_data" / "texts" / "textbook.jsonl"
TABLE = (
    "Planets and their days.\n\n| planet | day in hours |\n| --- | --- |\n| Earth | 24 |\n| Jupiter | 10 |\n\n"
    "A planet is a body that circles a star."
)


def made(document: str, number: int, kind: str | None = None) -> tuple[str, Example]:
    task = DocumentExercise(count=1)
    draft = task.draft(number, Seed(b"key", f"document {number}", document))
    request, teacher = Addressing(Router.of({"name": "extractive"}, [], [task])).request(task, draft)
    assert isinstance(teacher, ExtractiveTeacher)
    return request.brief["passage"], task.example(request.brief, teacher.answer(request).text)


def test_questions_and_answers_stand_in_the_document() -> None:
    kinds: Counter[str] = Counter()
    places = []
    for number, line in enumerate(TEXTS.read_text("utf-8").splitlines()):
        document = json.loads(line)["text"]
        try:
            passage, example = made(document, number)
        except Rejected as rejected:
            assert rejected.rule in ("nothing_to_ask", "advertises", "obeys", "gap_does_not_fit")
            continue
        kinds[example.facts["kind"]] += 1
        places.append(document.find(passage[:40]) / len(document))
        assert example.verdict == "necessary"
        assert example.answer in passage
        assert example.answer in example.messages[1]["content"]
        assert passage in example.messages[0]["content"]
    assert set(kinds) == set(ASKABLE)
    assert kinds.total() > 100
    assert sum(place > 0.3 for place in places) > 30


def test_each_kind_finds_what_it_asks() -> None:
    for kind, answer in (("table", {"24", "10"}), ("definition", {"A planet is a body that circles a star."})):
        found = [item_of(TABLE, kind, Chance(str(seed))) for seed in range(20)]
        assert {item.answer for item in found if item is not None and item.kind == kind} == answer
    assert item_of("Nothing here.", "number", Chance("1")) is None


def test_passages_are_whole_paragraphs_of_the_whole_text() -> None:
    text = "\n\n".join(f"Paragraph {number}. " + "word " * 60 for number in range(9))
    assert "\n\n".join(passages(text)) == text.replace(" \n\n", "\n\n").strip()
    assert len(passages(text)) > 3


@pytest.mark.parametrize(
    ("reply", "rule"),
    [
        ("{}", "nothing_to_ask"),
        ("no JSON", "unparsable"),
        ({"evidence": "Mars is a planet."}, "evidence_missing"),
        ({"answer": "Mars"}, "unsupported_answer"),
        ({"question": "A ____ circles a star."}, "gap_does_not_fit"),
        ({"options": ["planet", "Pluto"]}, "unsupported_answer"),
    ],
)
def test_what_does_not_stand_in_the_passage_is_rejected(reply: object, rule: str) -> None:
    sound = {
        "kind": "cloze", "question": "A ____ is a body that circles a star.", "answer": "planet",
        "evidence": "A planet is a body that circles a star.", "reply": "planet",
    }  # fmt: skip
    task, brief = DocumentExercise(), {"passage": TABLE}
    assert task.example(brief, json.dumps(sound)).answer == "planet"
    with pytest.raises(Rejected, match=rule):
        task.example(brief, reply if isinstance(reply, str) else json.dumps({**sound, **reply}))  # type: ignore[dict-item]


def test_other_tasks_are_declined() -> None:
    task = DocumentExercise(count=1)
    request, teacher = Addressing(Router.of({"name": "extractive"}, [], [task])).request(task, task.draft(0, Seed(b"k", "d", TABLE)))
    reply = teacher.answer(dataclasses.replace(request, task="worked_problem"))  # type: ignore[attr-defined]
    assert isinstance(reply, Reply)
    assert reply.error == "unsupported_task"

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


ODD = (
    "The well-known bridge of New South Wales carries a well-known road over 1,149 metres of water near the harbour.",
    'A sailor wrote "the harbour is full of bridges and 12 boats" in the logbook of the old harbour.',
    "At https://bridge.example/harbour/1932 the harbour keeps its records of the bridge and its trains.",
    "The load follows F = 3 × 45 + 7 newtons, so every single harbour crane of the port holds.",
    "In about 1 250 trials John F. Kennedy saw a harbour, and King Henry VIII never saw the bridge in any harbour.",
    "Mount Everest stands far from every harbour, and the harbour's own hill is only 38 metres high.",
    "The bridge carries 3 million people and 5% of all trains in the state through the harbour of Sydney every year.",
    "From Lisbon the road leads to Porto, and 313 kilometres later it ends beside the harbour wall there.",
    "It was drawn by Mr. Bradfield and later built by others from Middlesbrough at the harbour of the city.",
    "The span of 3.5 kilometres joins Hobart and its harbour to the eastern shore of the river Derwent.",
    "Set $x = 12$ and call `harbour(12)` to see that the harbour of the model holds water for 40 ships.",
    r"The drawing says that a second span of \( 17 \) metres reaches the far side of the harbour in the model.",
)


def test_gaps_are_whole_tokens_and_no_part_of_something_longer() -> None:
    passage = " ".join(ODD)
    found = {
        (item.answer, item.evidence)
        for seed in range(1500)
        if (item := item_of(passage, ("cloze", "number")[seed % 2], Chance(str(seed)))) is not None
    }
    answers = {answer for answer, _ in found}
    assert answers >= {"3 million", "5%", "Porto", "Lisbon", "3.5", "313", "Sydney", "40"}
    parts = {
        "known",
        "South",
        "Wales",
        "New",
        "12",
        "1932",
        "3",
        "45",
        "7",
        "17",
        "1",
        "250",
        "1 250",
        "John",
        "Henry",
        "Everest",
        "5",
        "Kennedy",
    }
    assert not answers & parts
    assert not any("harbour" in answer and "harbour's" in evidence for answer, evidence in found)
    assert {evidence for _, evidence in found} <= set(ODD), "a sentence is whole"
    for answer, evidence in found:
        assert f" {answer}" in f" {evidence}"


def test_a_gap_of_a_model_is_whole_too() -> None:
    brief = {"passage": "The well-known bridge was opened in 1932 by the state."}
    reply = {"kind": "cloze", "question": "The well-____ bridge was opened in 1932 by the state.", "answer": "known", "reply": "known"}
    with pytest.raises(Rejected, match="gap_does_not_fit"):
        DocumentExercise().example(brief, json.dumps({**reply, "evidence": brief["passage"]}))


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

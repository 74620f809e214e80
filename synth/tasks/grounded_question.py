"""Grounded questions: a question, an explanation and an answer made from a kept document and checked against it.

A kept document with a high educational score is a better source of facts than a model's memory; the model adds the question and the
reasoning (compare the seeded question-answer sets of Nemotron-CC, arXiv 2412.02595). Kinds of questions and readers take turns, so that
repeated questions on one document differ. The document must contain the reply's quotations, and its numbers too (`synth.grounding`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from synth import grounding
from synth.instructions import refuse_appeals, refuse_orders
from synth.loose_json import read_object, text_field, text_list
from synth.meta_talk import refuse_meta_talk
from synth.prompt import load_prompt
from synth.task import Draft, Example, Rejected, Seed, Task

SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "question": {"type": "string"},
        "evidence": {"type": "array", "items": {"type": "string"}},
        "explanation": {"type": "array", "items": {"type": "string"}},
        "answer": {"type": "string"},
    },
    "required": ["title", "question", "evidence", "explanation", "answer"],
    "additionalProperties": False,
}
_KINDS = ("cause and effect", "comparison", "how it works", "why it matters", "what would change if", "putting events in order")
_READERS = ("a pupil of a middle school", "a first-year student", "a curious adult", "someone who teaches the subject")
_SOURCE_TALK = ("the passage", "the text above", "the author", "this article", "according to the text", "the excerpt")


@dataclass(frozen=True)
class GroundedQuestion(Task):
    """Questions from seeds, which are kept documents.

    count               number of questions to ask for
    max_copied          greatest share of the explanation's 8-grams that may occur in the document
    min_evidence_words  fewest words in a quoted passage
    """

    max_copied: float = 0.3
    min_evidence_words: int = 4
    version: ClassVar[int] = 2
    needs_seed: ClassVar[bool] = True

    def draft(self, number: int, seed: Seed | None) -> Draft:
        """Ask for a question on a document."""
        if seed is None:
            raise ValueError("grounded_question needs a document")
        prompt = load_prompt("grounded_question")
        values = {"kind": _KINDS[number % len(_KINDS)], "reader": _READERS[number // len(_KINDS) % len(_READERS)], "passage": seed.text}
        brief = {"seed": seed.id, "kind": values["kind"], "passage": seed.text}
        parameters = {"max_tokens": 1200, "temperature": 0.7}
        return Draft(brief, prompt.messages(values), SCHEMA, prompt.name, parameters, (seed.id,), difficulty=3)

    def identity(self) -> Mapping[str, Any]:
        """Return what examples depend on, including the comparison."""
        return {**super().identity(), "grounding": grounding.GROUNDING_VERSION}

    def example(self, brief: Mapping[str, Any], text: str) -> Example:
        """Read a reply, compare it with the document, and format it."""
        found = read_object(text, SCHEMA)
        title, question, answer = (text_field(found, name) for name in ("title", "question", "answer"))
        evidence, explanation = text_list(found, "evidence"), text_list(found, "explanation")
        refuse_meta_talk(title, question, answer, *explanation)
        refuse_appeals(title, question, answer, *explanation)
        refuse_orders(title, question, answer, *explanation)
        for phrase in _SOURCE_TALK:
            if phrase in " ".join([question, answer, *explanation]).casefold():
                raise Rejected("leaks_source", {"matched": phrase})
        passage = brief["passage"]
        grounding.require_quoted(evidence, passage, self.min_evidence_words)
        grounding.require_known_numbers([question, answer, *explanation], passage)
        grounding.require_known_names([question, answer, *explanation], evidence, passage)
        grounding.require_bearing(question, evidence, explanation, answer, passage)
        grounding.require_own_words([*explanation, answer], passage, self.max_copied)
        worked = "\n\n".join([*explanation, answer])
        heading = Random(passage).choice(("Explanation", "Thinking it through", "Answer", "Discussion"))
        whole = "\n\n".join([f"# {title}", question, f"## {heading}", worked])
        messages = ({"role": "user", "content": question}, {"role": "assistant", "content": worked})
        checks = f"grounding@{grounding.GROUNDING_VERSION}:evidence+numbers+names+bearing+own_words"
        return Example(whole, messages, answer, checks, "necessary", facts={"kind": brief["kind"]})

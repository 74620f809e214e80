"""Exercises on a document: a gap, a definition, a number or a look-up in a table, taken from a passage and found in it again.

The passage is a chunk of a kept document. Chance draws the chunk, so that every part of a long document is asked about. Kinds take turns.
The answer verdict is `necessary`: question and answer stand in the passage; whether they are worth asking is not proved.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from synth.extractive import ASKABLE, passages, stands_whole
from synth.instructions import refuse_appeals, refuse_orders
from synth.loose_json import read_object, text_field
from synth.procedural.chance import Chance
from synth.procedural.phrasebook import book
from synth.prompt import load_prompt
from synth.task import Draft, Example, Rejected, Seed, Task

SCHEMA = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("kind", "question", "answer", "evidence", "reply")},
    "required": ["kind", "question", "answer", "evidence", "reply"],
}


@dataclass(frozen=True)
class DocumentExercise(Task):
    """Exercises from seeds, which are kept documents.

    count  number of exercises to ask for
    """

    version: ClassVar[int] = 2
    needs_seed: ClassVar[bool] = True

    def draft(self, number: int, seed: Seed | None) -> Draft:
        """Ask for an exercise on a passage of a document."""
        if seed is None:
            raise ValueError("document_exercise needs a document")
        passage = Chance(f"{seed.id} {number}").choice(passages(seed.text) or [seed.text])
        kind = ASKABLE[number % len(ASKABLE)]
        prompt = load_prompt("document_exercise")
        brief = {"seed": seed.id, "kind": kind, "passage": passage, "number": number}
        parameters = {"max_tokens": 600, "temperature": 0.3}
        return Draft(brief, prompt.messages({"kind": kind, "passage": passage}), SCHEMA, prompt.name, parameters, (seed.id,))

    def example(self, brief: Mapping[str, Any], text: str) -> Example:
        """Find question, answer and evidence in the passage again, and format them."""
        found = read_object(text, SCHEMA)
        if not found:
            raise Rejected("nothing_to_ask", {"begins": text[:200]})
        kind, question, answer, evidence, reply = (text_field(found, name) for name in SCHEMA["required"])
        passage = brief["passage"]
        if evidence not in passage:
            raise Rejected("evidence_missing", {"evidence": evidence})
        if answer not in evidence or answer not in reply:
            raise Rejected("unsupported_answer", {"answer": answer})
        if "____" in question and not any(
            question.find(evidence[: at.start()] + "____" + evidence[at.end() :]) >= 0 and stands_whole(evidence, *at.span())
            for at in re.finditer(re.escape(answer), evidence)
        ):
            raise Rejected("gap_does_not_fit", {"question": question})
        if set(found.get("options", ())) and (answer not in found["options"] or not all(option in passage for option in found["options"])):
            raise Rejected("unsupported_answer", {"options": found["options"]})
        refuse_appeals(passage, question, reply)
        refuse_orders(passage, question, reply)
        title = Chance(evidence).choice(book("extractive")["titles"])
        whole = f"# {title}\n\n{passage}\n\n## Question\n\n{question}\n\n## Answer\n\n{reply}"
        messages = ({"role": "user", "content": f"{passage}\n\n{question}"}, {"role": "assistant", "content": reply})
        return Example(whole, messages, answer, f"extracted@{self.version}:evidence+answer+gap", "necessary", facts={"kind": kind})

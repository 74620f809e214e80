"""The task class of all sheets (`synth.sheet`): it asks, checks, repairs a faulty format once, gets blind solutions, and formats the row.

The passage is a random part of a kept document, so that questions cover all of a long document. The grid (`synth.grid`) assigns the values
of [vary] evenly, and they go to the row. The sheet's level and the difficulty of its passage choose the teacher.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from curation.choices import Count
from curation.errors import RecipeError
from synth import blind, checks, grounding
from synth.blind import require_agreement, solve_drafts
from synth.checks import recall, require_all
from synth.extractive import passages
from synth.grid import cell_of
from synth.instructions import refuse_appeals, refuse_meta_talk, refuse_orders
from synth.loose_json import object_schema, read_object, text_field, text_list
from synth.procedural.chance import Chance
from synth.prompt import load_prompt
from synth.seeds import shift_for
from synth.sheet import TaskSheet
from synth.task import AnswerVerdict, Draft, Example, Heard, Rejected, Seed, Task, Work

_FORMAL = frozenset({"unparsable", "length", "entries", "ragged_table", "no_key", "length_bias"})
"""Faults of format, which a model can repair when it learns of them."""

_WRITTEN = object_schema(text="text")
_REPAIR = "This cannot be used ({rule}: {evidence}). Answer once more with the whole JSON object, corrected."


@dataclass(frozen=True)
class SheetSettings:
    """A task written as a sheet.

    count  number of examples to ask for
    """

    count: Count = 100


@dataclass(frozen=True)
class SheetTask(Task):
    """A task written as a sheet. Its own example is parsed, checked and formatted before any request is sent."""

    sheet: TaskSheet = field(kw_only=True)

    def __post_init__(self) -> None:
        """Refuse a sheet whose own example does not pass."""
        super().__post_init__()
        sheet, where = self.sheet, f"task {self.sheet.name}"
        seed = Seed(b"", "example", sheet.sections.get("passage", "")) if sheet.front.passage else None
        brief = {**self.draft(0, seed).brief, **({"passage": seed.text} if seed is not None else {})}
        try:
            fields = self._read(brief, sheet.sections["example"])
            self._example(brief, fields)
            if "blind" in sheet.sections:
                self.sheet.fill("blind", {**brief["cell"], **fields})
        except Rejected as rejected:
            raise RecipeError(f"{where}: its own ## example is rejected ({rejected.rule}: {rejected.evidence})") from rejected

    def name(self) -> str:  # type: ignore[override]
        """The name of the sheet's file."""
        return self.sheet.name

    @property
    def needs_seed(self) -> bool:  # type: ignore[override]
        """Whether the task shows a passage."""
        return self.sheet.front.passage > 0

    @property
    def later_calls(self) -> int:  # type: ignore[override]
        """The number of requests after the first: blind solutions, or one text written from the instruction."""
        return self.sheet.front.solves + bool(self.sheet.front.fidelity)

    @property
    def repairs(self) -> int:  # type: ignore[override]
        """How often a faulty format may be repaired."""
        return self.sheet.front.repairs

    @property
    def asks_more(self) -> bool:  # type: ignore[override]
        """Whether more requests may follow the first reply."""
        return self.sheet.front.solves + self.sheet.front.repairs + self.sheet.front.fidelity > 0

    def identity(self) -> Mapping[str, Any]:
        """Return everything that examples depend on: the sheet, and the versions of the checks."""
        versions = [checks.CHECKS_VERSION, grounding.GROUNDING_VERSION, blind.BLIND_VERSION]
        return {"name": self.name(), "version": self.sheet.front.version, "sheet": self.sheet.digest, "checks": versions}

    def draft(self, number: int, seed: Seed | None) -> Draft:
        """Draft a request with the next cell of the grid, and with a part of a document if the task needs one."""
        front = self.sheet.front
        cell = cell_of(number, front.vary)
        brief: dict[str, Any] = {"cell": cell} if seed is None else {"seed": seed.id, "cell": cell}
        if front.passage:
            if seed is None:
                raise ValueError(f"{self.name()} needs a document")
            brief["passage"] = Chance(f"{seed.id} {number}").choice(passages(seed.text, front.passage) or [seed.text])
        values = {**cell, "passage": brief.get("passage", "")}
        messages = self._messages(values)
        parameters = {"max_tokens": front.max_tokens, "temperature": front.temperature}
        seeds = () if seed is None else (seed.id,)
        template = f"{self.name()}@{front.version}"
        usual = len(self.sheet.sections["example"].encode()) // 4
        level = min(5, max(1, front.level + shift_for(brief["passage"]))) if front.passage else front.level
        return Draft(brief, messages, self.sheet.schema, template, parameters, seeds, difficulty=level, usual_tokens=usual)

    def example(self, brief: Mapping[str, Any], text: str) -> Example:
        """Parse and check one reply. `work` sends the requests that the answer verdict `agreed` needs."""
        return self._example(brief, self._read(brief, text))

    def work(self, brief: Mapping[str, Any], heard: Heard) -> Work:
        """Repair the format if allowed, get blind solutions if the sheet wants them, and return the example."""
        sheet, text = self.sheet, heard.text
        for repair in range(sheet.front.repairs + 1):
            try:
                fields = self._read(brief, text)
                break
            except Rejected as rejected:
                if repair == sheet.front.repairs or rejected.rule not in _FORMAL:
                    raise
                told = _REPAIR.format(rule=rejected.rule, evidence=str(rejected.evidence)[:500])
                said = ({"role": "assistant", "content": text}, {"role": "user", "content": told})
                asked = self._messages({**brief["cell"], "passage": brief.get("passage", "")})
                parameters = {"temperature": sheet.front.temperature}
                (again,) = yield [Draft({**brief, "repair": repair + 1}, (*asked, *said), sheet.schema, sheet.name, parameters)]
                if again is None:
                    raise
                text = again
        if "blind" not in sheet.sections:
            return self._example(brief, fields)
        problem = sheet.fill("blind", {**brief["cell"], **fields})
        if sheet.front.fidelity:
            (written,) = yield [_follow(problem)]
            require_fidelity(written, brief["passage"], sheet.front.fidelity)
            return self._example(brief, fields)
        replies = yield solve_drafts(problem, sheet.front.solves)
        return self._example(brief, fields, require_agreement(fields[sheet.front.answer], replies))

    def _messages(self, values: Mapping[str, Any]) -> tuple[Mapping[str, str], ...]:
        return (
            {"role": "system", "content": self.sheet.system(values)},
            {"role": "user", "content": self.sheet.fill("user", values)},
        )

    def _read(self, brief: Mapping[str, Any], text: str) -> dict[str, Any]:
        """Return the fields of a reply that passes every check. Raises Rejected for any other reply."""
        found = read_object(text, self.sheet.schema)
        kinds = self.sheet.schema["properties"]
        fields = {name: (text_field if kind["type"] == "string" else text_list)(found, name) for name, kind in kinds.items()}
        quoted = {name for check in self.sheet.checks if check.name == "quotes" for name in check.fields}
        words = [text for name, value in fields.items() if name not in quoted for text in ([value] if isinstance(value, str) else value)]
        for refuse in (refuse_meta_talk, refuse_appeals, refuse_orders):
            refuse(*words)
        require_all(self.sheet.checks, fields, brief.get("passage", ""))
        return fields

    def _example(self, brief: Mapping[str, Any], fields: Mapping[str, Any], agreement: str | None = None) -> Example:
        try:
            return self._formatted(brief, fields, agreement)
        except RecipeError as error:
            raise Rejected("unparsable", {"detail": str(error)}) from error

    def _formatted(self, brief: Mapping[str, Any], fields: Mapping[str, Any], agreement: str | None) -> Example:
        sheet = self.sheet
        values = {**brief["cell"], **fields, "passage": brief.get("passage", "")}
        if sheet.front.dialogue:
            said = fields[sheet.front.dialogue]
            messages = tuple({"role": ("user", "assistant")[at % 2], "content": turn} for at, turn in enumerate(said))
        else:
            messages = tuple(
                {"role": role, "content": sheet.fill(part, values)} for role, part in (("user", "asked"), ("assistant", "answered"))
            )
        title = [f"# {fields['title']}"] if "title" in fields else []
        whole = sheet.fill("row", values) if "row" in sheet.sections else "\n\n".join([*title, *(said["content"] for said in messages)])
        passed = "+".join(dict.fromkeys(check.name for check in sheet.checks)) + ("+blind" if agreement else "")
        verdict: AnswerVerdict = "agreed" if agreement else "necessary"
        answer = fields.get(sheet.front.answer, messages[-1]["content"])
        return Example(whole, messages, str(answer), f"checks@{checks.CHECKS_VERSION}:{passed}", verdict, agreement, dict(brief["cell"]))


def _follow(instruction: str) -> Draft:
    prompt = load_prompt("follow_instruction")
    return Draft({"instruction": instruction}, prompt.messages({"instruction": instruction}), _WRITTEN, prompt.name)


def require_fidelity(reply: str | None, passage: str, least: float) -> None:
    """Raise Rejected (`low_fidelity`) unless a text written from an instruction alone has enough of the passage's numbers and words."""
    share = 0.0 if reply is None else recall(text_field(read_object(reply, _WRITTEN), "text"), passage)[0]
    if share < least:
        raise Rejected("low_fidelity", {"share": round(share, 4), "at_least": least})

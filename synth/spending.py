"""Spending: what the questions of a run have cost, by task, teacher and outcome, and what the largest teacher alone would have cost.

Cost and tokens of a question are those of all its calls, failed tries included, and belong to the teacher that was asked last. They are
noted while questions are surveyed, in a few numbers each, and joined with the outcomes once rows are made. Replies of rules cost nothing
and are not listed; an unknown cost makes a sum unknown.
"""

from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow.compute as pc

from curation.schema import REJECTED
from curation.storage.shards import Shard, batches
from synth.questions import Conversation, Question

_UNKNOWN = float("nan")
ACCEPTED = "accepted"


class Spending:
    """What each question cost."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._names: list[tuple[str, str]] = []
        self._places: dict[tuple[str, str], int] = {}
        self._kinds, self._tries, self._tokens = array("l"), array("b"), array("l")
        self._costs, self._largest = array("d"), array("d")

    def add(self, question: Question, conversation: Conversation) -> None:
        """Note the next question."""
        kind = (question.task.name(), conversation.teacher.label)
        if kind not in self._places:
            self._places[kind] = len(self._names)
            self._names.append(kind)
        is_free = conversation.teacher.proves and not conversation.before
        self._kinds.append(-1 if is_free else self._places[kind])
        self._tries.append(conversation.tries)
        exchanges = [*(exchange for _, exchange in conversation.before), *conversation.exchanges]
        self._tokens.append(sum((reply.prompt_tokens or 0) + (reply.completion_tokens or 0) for _, reply in exchanges))
        self._costs.append(sum(_UNKNOWN if reply.cost is None else reply.cost for _, reply in exchanges))
        first = [reply for teacher, (_, reply) in conversation.before if teacher == question.teacher]
        first = first or [reply for _, reply in conversation.exchanges]
        priced = [question.ladder[-1].price(reply.prompt_tokens or 0, reply.completion_tokens or 0) for reply in first]
        self._largest.append(sum(_UNKNOWN if cost is None else cost for cost in priced) if len(question.ladder) > 1 else self._costs[-1])

    def table(self, shards: Sequence[Shard]) -> list[dict[str, Any]]:
        """Return a line for each task, teacher and outcome, with its cost and what the largest teacher alone would have cost."""
        lines: dict[tuple[int, str], dict[str, Any]] = {}
        for number, outcome in _outcomes(shards):
            kind = self._kinds[number]
            if kind < 0:
                continue
            task, teacher = self._names[kind]
            empty = {"rows": 0, "tries": 0, "tokens": 0, "usd": 0.0, "usd_of_largest": 0.0}
            line = lines.setdefault((kind, outcome), {"task": task, "teacher": teacher, "outcome": outcome, **empty})
            line["rows"] += 1
            line["tries"] += self._tries[number]
            line["tokens"] += self._tokens[number]
            line["usd"] += self._costs[number]
            line["usd_of_largest"] += self._largest[number]
        ordered = [lines[key] for key in sorted(lines)]
        return [{name: _known(value) for name, value in line.items()} for line in ordered]


def _outcomes(shards: Sequence[Shard]) -> Iterator[tuple[int, str]]:
    """Yield the number of every question, and what became of it."""
    for shard in shards:
        is_rejected = shard.name.endswith(REJECTED)
        for batch in batches(shard, ["offset", "rule"] if is_rejected else ["offset"]):
            numbers = batch["offset"].to_pylist()
            rules = pc.fill_null(batch["rule"], "").to_pylist() if is_rejected else [ACCEPTED] * len(numbers)
            yield from zip(numbers, rules, strict=True)


def _known(value: Any) -> Any:
    """Return an unknown cost as None, and a known one to a millionth."""
    if isinstance(value, float):
        return None if value != value else round(value, 6)  # noqa: PLR0124  (NaN)
    return value

"""Conversations and preferences: rows that a generated document carries in addition to its text, for training after pretraining.

Source: the columns that TRL's trainers read: `messages` for supervised fine-tuning; `prompt`, `chosen` and `rejected` for preferences.

A document has such a row if its metadata contains `messages`, or all three of the others, as JSON (a string, or a list of messages with
role and content).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipelines.export.export import DPO, PREFERENCE, SFT

CONVERSATIONS = (pa.field("_sft", pa.large_string()), pa.field("_dpo", pa.large_string()))
"""Columns of scattered rows: a row of each kind as JSON, or null if the document has none."""

KINDS = {"sft": SFT, "dpo": DPO}
"""The folder of each kind and its columns."""


def conversations_in(metadata: Sequence[Any]) -> dict[str, Any]:
    """Return the columns of CONVERSATIONS for the metadata of some documents."""
    found = [_of(dict(pairs or ())) for pairs in metadata]
    return {column.name: pa.array([row[place] for row in found], column.type) for place, column in enumerate(CONVERSATIONS)}


def rows_of(kind: str, ids: Sequence[str], texts: Sequence[str | None]) -> Any:
    """Return the rows of a kind from its column of JSON."""
    rows = [{"id": row_id, **json.loads(text)} for row_id, text in zip(ids, texts, strict=True) if text is not None]
    return pa.Table.from_pylist(rows, KINDS[kind])


def _of(facts: Mapping[str, str]) -> tuple[str | None, str | None]:
    if facts.get("origin") != "synthetic":
        return None, None
    about = {"task": facts.get("task"), "teacher": facts.get("teacher"), "seed_ids": json.loads(facts.get("seed_ids", "[]"))}
    talk = {**about, "messages": json.loads(facts["messages"])} if "messages" in facts else None
    preferred = None
    if all(name in facts for name in PREFERENCE):
        roles = {"prompt": "user", "chosen": "assistant", "rejected": "assistant"}
        preferred = {**about, **{name: _messages(facts[name], roles[name]) for name in PREFERENCE}}
    first, second = (None if one is None else json.dumps(one, ensure_ascii=False, sort_keys=True) for one in (talk, preferred))
    return first, second


def _messages(text: str, role: str) -> list[dict[str, str]]:
    """Return a prompt or an answer as messages."""
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    return value if isinstance(value, list) else [{"role": role, "content": value if isinstance(value, str) else text}]

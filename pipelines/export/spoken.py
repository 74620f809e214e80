"""Conversations and preferences: rows that a generated document carries in addition to its text, for training after pretraining.

Source: the columns that TRL's trainers read: `messages` for supervised fine-tuning; `prompt`, `chosen` and `rejected` for preferences.

A generated document has such a row if its metadata holds all of the columns. Each is JSON, a list of messages with role and content; a
prompt and its answers may also be texts, and anything else is their text as it stands.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

MESSAGES = pa.list_(pa.struct([pa.field("role", pa.string()), pa.field("content", pa.string())]))
SFT = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("messages", MESSAGES, nullable=False),
        pa.field("task", pa.string()),
        pa.field("teacher", pa.string()),
        pa.field("seed_ids", pa.list_(pa.string())),
    ]
)

PREFERENCE = ("prompt", "chosen", "rejected")
DPO = pa.schema(
    [SFT.field("id"), *(pa.field(name, MESSAGES, nullable=False) for name in PREFERENCE), *(SFT.field(at) for at in range(2, 5))]
)

_ROLES = {"prompt": "user", "chosen": "assistant", "rejected": "assistant"}


def spoken(facts: Mapping[str, str], columns: Sequence[str]) -> dict[str, Any] | None:
    """Return the row that the metadata of a generated document holds, without its id; None if it holds none."""
    said = {name: _messages(facts[name], _ROLES.get(name)) for name in columns if name in facts}
    if len(said) < len(columns) or not all(said.values()):
        return None
    return {**said, "task": facts.get("task"), "teacher": facts.get("teacher"), "seed_ids": json.loads(facts.get("seed_ids", "[]"))}


def _messages(text: str, role: str | None) -> list[dict[str, str]]:
    """Return what one side says as messages; none if it is no list of messages and has no role as a text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    if isinstance(value, list) and value and all(map(_is_message, value)):
        return [{"role": said["role"], "content": said["content"]} for said in value]
    return [] if role is None else [{"role": role, "content": value if isinstance(value, str) else text}]


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(part), str) for part in ("role", "content"))

"""The conversations and preferences of generated rows (`pipelines.export.spoken`), as columns that go with the rows into their ranges."""

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from pipelines.export.spoken import DPO, PREFERENCE, SFT, spoken

CONVERSATIONS = (pa.field("_sft", pa.large_string()), pa.field("_dpo", pa.large_string()))
"""Columns of scattered rows: a row of each kind as JSON, or null if the document has none."""

KINDS = {"sft": SFT, "dpo": DPO}
"""The folder of each kind and its columns."""


def conversations_in(metadata: Sequence[Any], generated: bool) -> dict[str, Any]:
    """Return the columns of CONVERSATIONS for the metadata of some documents; only `generated` ones can have such rows."""
    facts = [dict(pairs or ()) if generated else {} for pairs in metadata]
    rows = ([spoken(each, columns) for each in facts] for columns in (("messages",), PREFERENCE))
    told = ([None if row is None else json.dumps(row, ensure_ascii=False, sort_keys=True) for row in kind] for kind in rows)
    return {column.name: pa.array(kind, column.type) for column, kind in zip(CONVERSATIONS, told, strict=True)}


def rows_of(kind: str, ids: Sequence[str], texts: Sequence[str | None]) -> Any:
    """Return the rows of a kind from its column of JSON."""
    rows = [{"id": row_id, **json.loads(text)} for row_id, text in zip(ids, texts, strict=True) if text is not None]
    return pa.Table.from_pylist(rows, KINDS[kind])

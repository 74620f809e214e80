"""The page of one document: its text with marked reasons, its text beside the raw record, or the changes that edits made to it.

The last two views read the input, so each is made only when a user opens it.
"""

import json
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from curation.choices import read_toml
from curation.errors import InputError
from curation.storage.location import Location
from pipelines.inspect.rules import read_rules
from pipelines.inspect.why import Explanation, why
from pipelines.inspect.why import duplicates as cluster_of
from pipelines.serve.benchmark_item import item_text
from pipelines.serve.marks import LONGEST_SHOWN, Passage, WholeText, benchmark_spans, capped, marked_text, mask_spans
from pipelines.serve.original import InputPlace, Original, original_of
from pipelines.serve.reading import StoredText, changes_between, compared, evidence_of, shortened, stored_text
from pipelines.serve.served import Served

VIEWS = {"text": "Text", "record": "Beside its record", "edits": "What edits changed"}
_EDITS = "edits."


def document(what: Served, request: Request, name: str) -> dict[str, Any]:
    """Everything that the run knows about one document."""
    out = what.run(name)
    told = why(str(out), request.query_params.get("id", ""))
    chosen = next((one for one in told if one.key == request.query_params.get("key")), told[0])
    view = request.query_params.get("view", "text")
    if view not in VIEWS:
        raise HTTPException(404, f"There is no view {view!r} of a document.")
    copies = None
    if chosen.fate in ("kept", "duplicate") and (chosen.cluster_size > 1 or chosen.duplicate_of):
        copies = cluster_of(str(out), chosen.id)
    failed, measured = set(chosen.failed), {rule.signal for rule in chosen.rules}
    recipe, evidence = read_rules(out).text, evidence_of(chosen.evidence)
    tables = read_toml(recipe, "the run's recipe")
    stored = stored_text(out, chosen.id, chosen.key)
    return {
        "own": chosen,
        "others": [one for one in told if one.key != chosen.key],
        "views": VIEWS if chosen.origin == "web" else {"text": VIEWS["text"]},
        "view": view,
        "text": None if stored is None else _marked(stored, chosen.metadata, evidence, tables),
        "item": item_text(out, evidence, tables),
        **_from_input(out, chosen, recipe, view, stored),
        "copies": copies,
        "rules": sorted(chosen.rules, key=lambda rule: (rule.rule not in failed, rule.rule)),
        "failed": failed,
        "other_signals": {signal: value for signal, value in chosen.signals.items() if signal not in measured},
        "evidence": evidence,
        "edits": {name.removeprefix(_EDITS): count for name, count in chosen.metadata.items() if name.startswith(_EDITS)},
        "other_fields": {name: value for name, value in chosen.metadata.items() if not name.startswith(_EDITS)},
        "messages": _messages(chosen.metadata),
    }


def compare(what: Served, request: Request, name: str) -> dict[str, Any]:
    """Two documents side by side."""
    first, second = request.query_params.get("a", ""), request.query_params.get("b", "")
    left, right = compared(what.run(name), first, second)
    return {"first": first, "second": second, "left": left, "right": right}


def _marked(stored: StoredText, metadata: Mapping[str, str], evidence: Mapping[str, Any], recipe: Mapping[str, Any]) -> WholeText:
    spans = [*benchmark_spans(stored.text, evidence), *stored.cuts, *mask_spans(stored.text, metadata, recipe)]
    return marked_text(stored.text, spans)


def _from_input(out: Location, chosen: Explanation, recipe: str, view: str, stored: StoredText | None) -> dict[str, Any]:
    """Read a document's record if the view shows it; if it is missing, say why."""
    facts: dict[str, Any] = {"record": None, "body": None, "changes": None, "missing": ""}
    if view == "text" or chosen.origin != "web":
        return facts
    try:
        record = original_of(out, InputPlace(chosen.file_path, chosen.offset, bytes.fromhex(chosen.key)), recipe)
    except InputError as error:
        return facts | {"missing": str(error)}
    if view == "record":
        return facts | {"record": record, "body": capped([Passage(record.body)])}
    return facts | {"record": record, "changes": _changes(record, stored)}


def _changes(record: Original, stored: StoredText | None) -> WholeText | None:
    if record.extracted is None or stored is None:
        return None
    return capped(shortened(changes_between(record.extracted[:LONGEST_SHOWN], stored.text[:LONGEST_SHOWN])))


def _messages(metadata: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the request and the reply of a generated row."""
    try:
        found = json.loads(metadata.get("messages", "[]"))
    except ValueError:
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

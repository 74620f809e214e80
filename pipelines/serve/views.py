"""The content of each page: one function per page, from the request to the values of its template."""

import json
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import polars as pl
from starlette.exceptions import HTTPException
from starlette.requests import Request

from curation.errors import UsageError
from curation.storage.location import Location
from curation.storage.records import CorruptRecord, find_record
from pipelines.inspect.diff import diff
from pipelines.inspect.flows import Funnel
from pipelines.inspect.funnel import funnel
from pipelines.inspect.rules import read_rules
from pipelines.inspect.run_folder import ShardPlace, iter_rows, measured_parts, places, scan, scan_ledger, scan_measured
from pipelines.inspect.sources import largest_flows
from pipelines.inspect.views import SignalSummary, full_name, has_thresholds, signals_in, summarise
from pipelines.report import charts
from pipelines.report.report import clusters_of, session_of, similarities_of
from pipelines.serve.lab import changed_recipe
from pipelines.serve.listing import Search, all_places, numeric_signals, search
from pipelines.serve.movable import movable
from pipelines.serve.served import Served

_SHOWN_RULES = 200
_HELD = 16
"""Small results that are held: funnels, summaries of signals, names of sources."""

_NO_THRESHOLD: dict[str, Any] = {"effect": None, "chart": None, "near": ([], []), "edges": []}
_SCORE = "educational_score.score"


def at_once(what: Served, name: str) -> dict[str, Any]:
    """The facts about a run that need no table: its name, and the books of its last session."""
    out = what.run(name)
    session = session_of(out) or {}
    books = session.get("books")
    sound = isinstance(books, dict) and isinstance(books.get("records"), int) and isinstance(books.get("fates"), dict)
    return {"title": session.get("recipe") or name, "books": books if sound else None}


def overview(what: Served, request: Request, name: str) -> dict[str, Any]:
    """The funnel, sources, costs and versions; what changed against another run."""
    out = what.run(name)
    counted = _funnel(out, _stamp(out, all_places(out)))
    session = session_of(out) or {}
    other = request.query_params.get("against", "")
    changes = diff(str(what.run(other)), str(out)) if other and other != name else None
    rules = read_rules(out)
    return {
        "title": rules.name,
        "description": rules.description,
        "funnel": counted,
        "picture": charts.funnel_charts(charts.funnel_levels(counted), lambda level: _documents_of(level, name, counted.is_generated)),
        "sources": largest_flows(counted.sources),
        "session": session,
        "against": other,
        "changes": changes,
        "unfinished": counted.unfinished,
        "recipe": rules.text,
    }


def _documents_of(level: charts.FunnelLevel, run: str, is_generated: bool) -> str:
    """Return the address of the documents that a level of the funnel removed, or of all that came, or of those that are kept."""
    asked = {
        "dropped": {"rule": level.label},
        "duplicate": {"fate": "duplicate"},
        "unreadable": {"stage": level.label},
        "kept": {"fate": "kept"},
    }
    origin = "synthetic" if is_generated else "web"
    return "/documents?" + urlencode({"run": run, "origin": origin, **asked.get(level.kind, {})})


def signals(what: Served, request: Request, name: str) -> dict[str, Any]:
    """One signal with a movable threshold, and the list of all."""
    out = what.run(name)
    try:
        known = {signal: has_thresholds(kind) for signal, kind in signals_in(places(out)).items()}
    except UsageError:
        known = {}
    rules = read_rules(out).rules
    ruled = list(dict.fromkeys(rule.signal for rule in rules if known.get(rule.signal)))
    chosen = request.query_params.get("signal") or next(iter([*ruled, *known]), "")
    if not chosen:
        return {"known": {}, "chosen": "", "ruled": [], "summary": None, "own": [], **_NO_THRESHOLD}
    found = places(out)
    chosen, _ = full_name(chosen, found)
    own = [rule for rule in rules if rule.signal == chosen]
    stamp = _stamp(out, found)
    summary = _summary(out, chosen, stamp)
    facts: dict[str, Any] = {"known": known, "chosen": summary.signal, "ruled": ruled, "summary": summary, "own": own}
    if not known.get(summary.signal) or not summary.quantiles:
        values = [(value.value, value.documents, value.kept) for value in summary.values[:20]]
        return facts | _NO_THRESHOLD | {"chart": charts.bars_chart(summary.signal, values) if values else None}
    thresholds = [rule.threshold for rule in own if rule.threshold is not None]
    middle = next((quantile.value for quantile in summary.quantiles if quantile.share == 0.5), summary.quantiles[0].value)
    default = thresholds[0] if thresholds else middle
    at = _number(request, "at", default)
    at = default if at is None else at
    held = movable(out, summary.signal, stamp)
    edges = [*(entry.low for entry in summary.bins), *(entry.high for entry in summary.bins[-1:])]
    chart = charts.histogram_chart(summary.signal, summary.bins, thresholds)
    return facts | {"effect": held.effect(at), "near": held.nearest(at), "chart": chart, "edges": edges}


def threshold(what: Served, request: Request, name: str, _body: Any) -> dict[str, Any]:
    """What a threshold would keep, and the documents around it."""
    out = what.run(name)
    signal, at = request.query_params.get("signal", ""), _number(request, "at", None)
    if at is None:
        raise HTTPException(400, "at must be a number")
    held = movable(out, signal, _stamp(out, places(out)))
    near = held.nearest(at) if request.query_params.get("near") else ([], [])
    return {"effect": held.effect(at), "below": near[0], "above": near[1]}


def lab(what: Served, request: Request, name: str) -> dict[str, Any]:
    """Several thresholds at once, judged again, and the change to the recipe."""
    from pipelines.inspect.rejudged import rejudge_run

    out = what.run(name)
    told = read_rules(out)
    plain = [rule for rule in told.rules if rule.drops is not None and rule.threshold is not None][:_SHOWN_RULES]
    asked = {rule.name: _number(request, f"t.{rule.name}", rule.threshold) for rule in plain}
    changed = {rule.name: value for rule in plain if (value := asked[rule.name]) is not None and value != rule.threshold}
    judged = rejudge_run(str(out), changed) if changed and places(out) else None
    return {
        "rules": [(rule, asked[rule.name]) for rule in plain],
        "changed": changed,
        "judged": judged,
        "by_fate": judged.fates.to_dicts() if judged is not None else [],
        "by_source": judged.sources.head(50).to_dicts() if judged is not None else [],
        "by_rule": {row["rule"]: row for row in judged.rules.to_dicts()} if judged is not None else {},
        "change": changed_recipe(told, changed) if changed else None,
    }


def documents(what: Served, request: Request, name: str) -> dict[str, Any]:
    """A page of what a search finds."""
    out = what.run(name)
    asked, stamp = _search(request), _stamp(out, all_places(out))
    found = search(out, asked, stamp)
    given = {key: value for key, value in request.query_params.items() if key not in ("page", "token")}
    return {
        "asked": asked,
        "found": found,
        "rules": [rule.name for rule in read_rules(out).rules],
        "signals": numeric_signals(out),
        "sources": _sources(out, stamp),
        "link": lambda number: "/documents?" + urlencode({**given, "page": number}),
    }


def duplicates(what: Served, request: Request, name: str) -> dict[str, Any]:  # noqa: ARG001
    """The largest clusters, and how similar duplicates are."""
    out = what.run(name)
    bins = similarities_of(out)
    return {
        "clusters": clusters_of(out, 100),
        "chart": charts.histogram_chart("similarity", bins, (), "duplicate") if bins else None,
        "how": read_rules(out).comparing,
    }


def synthetic(what: Served, request: Request, name: str) -> dict[str, Any]:
    """Generated rows, accepted and rejected."""
    out = what.run(name)
    page = int(_number(request, "page", 1.0) or 1)
    fate = request.query_params.get("fate", "")
    counted = _funnel(out, _stamp(out, all_places(out))).synthetic
    found = search(out, Search(origin="synthetic", fate=fate, page=page))
    return {"flow": counted, "found": found, "fate": fate, "page_number": page}


def label(what: Served, request: Request, name: str) -> dict[str, Any]:
    """The next document to label: those not yet labelled, in the order of their keys."""
    out = what.run(name)
    row = _next_unlabelled(what, out, request.query_params.get("after", ""))
    own = _labelled_document(out, row) if row is not None else None
    return {
        "own": own,
        "agreement": what.labels.agreement(),
        "file": str(what.labels.place),
        "after": request.query_params.get("after", ""),
    }


def give_label(what: Served, request: Request, name: str, body: Any) -> dict[str, Any]:  # noqa: ARG001
    """Take a label, or take the last one back."""
    if not isinstance(body, dict):
        raise HTTPException(400, "a label is an object")
    if body.get("undo"):
        return {"undone": what.labels.take_back(), "agreement": what.labels.agreement()}
    out = what.run(name)
    key, score = str(body.get("key", "")), body.get("score")
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise HTTPException(400, "a score is a number from 0 to 5")
    row = _row_of_key(out, key)
    document = _labelled_document(out, row)
    what.labels.give(document | {"text": document["whole"]}, float(score))
    return {"agreement": what.labels.agreement(), "after": key}


def _search(request: Request) -> Search:
    asked = request.query_params
    where, order = asked.get("in", "text"), asked.get("sort", "")
    return Search(
        words=asked.get("q", ""),
        where="id" if where == "id" else "url" if where == "url" else "text",
        fate=asked.get("fate", ""),
        stage=asked.get("stage", ""),
        rule=asked.get("rule", ""),
        source=asked.get("source", ""),
        origin=asked.get("origin", ""),
        signal=asked.get("signal", ""),
        low=_number(request, "low", None),
        high=_number(request, "high", None),
        descending={"up": False, "down": True}.get(order),
        page=max(1, int(_number(request, "page", 1.0) or 1)),
    )


def _number(request: Request, name: str, default: float | None) -> float | None:
    text = request.query_params.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not math.isfinite(value):
        raise HTTPException(400, f"{name} must be a number, not {text[:40]!r}")
    return value


@lru_cache(maxsize=_HELD)
def _funnel(out: Location, stamp: object) -> Funnel:  # noqa: ARG001  (a changed run is counted again)
    return funnel(str(out))


@lru_cache(maxsize=_HELD)
def _sources(out: Location, stamp: object) -> Sequence[str]:  # noqa: ARG001
    """Return the names of sources that a form offers."""
    return scan_ledger(out).select(pl.col("source").unique()).head(200).collect(engine="streaming")["source"].sort().to_list()


@lru_cache(maxsize=_HELD)
def _summary(out: Location, signal: str, stamp: object) -> SignalSummary:  # noqa: ARG001  (a changed run is read again)
    found = places(out)
    name, kind = full_name(signal, found)
    own = [rule for rule in read_rules(out).rules if rule.signal == name]
    tables = [scan_measured(part, ["fate", "rule"], [name]).rename({name: "value"}) for part in measured_parts(found)]
    return summarise(name, kind, tables, own)


def _stamp(out: Location, found: Sequence[ShardPlace]) -> Any:
    """Return a value that changes when the run changes, so that cached data is read again."""
    shards = tuple(place.ledger for place in found)
    try:
        return shards, json.dumps((find_record(out / "run.json") or {}).get("sessions", [])[-1:], sort_keys=True)
    except CorruptRecord:
        return shards, ""


def _next_unlabelled(what: Served, out: Location, after: str) -> tuple[int, int] | None:
    """Return shard and row of the document with the smallest key that has no label and comes after a key."""
    given = [bytes.fromhex(key) for key in what.labels.rows if len(key) == 32]
    best: tuple[bytes, int, int] | None = None
    for number, place in enumerate(all_places(out)):
        if place.documents is None or place.origin != "web":
            continue
        rows = scan([place.documents]).select("key").with_row_index("row").filter(~pl.col("key").is_in(given))
        if after:
            rows = rows.filter(pl.col("key") > bytes.fromhex(after))
        first = rows.bottom_k(1, by="key").collect(engine="streaming")
        if first.height and (best is None or first["key"][0] < best[0]):
            best = (first["key"][0], number, first["row"][0])
    return None if best is None else (best[1], best[2])


def _row_of_key(out: Location, key: str) -> tuple[int, int]:
    for number, place in enumerate(all_places(out)):
        if place.documents is not None:
            rows = scan([place.documents]).select("key").with_row_index("row")
            found = rows.filter(pl.col("key") == bytes.fromhex(key)).collect(engine="streaming")
            if found.height:
                return number, int(found["row"][0])
    raise HTTPException(404, "No document has this key.")


def _labelled_document(out: Location, at: tuple[int, int]) -> dict[str, Any]:
    place = all_places(out)[at[0]]
    if place.documents is None:
        raise HTTPException(404, "The text of this document is gone.")
    ((_, row),) = iter_rows(place.documents, [at[1]], ["key", "id", "url", "source", "text"])
    predicted = None
    if place.signals is not None:
        names = scan([place.signals]).collect_schema().names()
        if _SCORE in names:
            ((_, measured),) = iter_rows(place.signals, [at[1]], [_SCORE])
            predicted = measured[_SCORE]
    return {**row, "key": row["key"].hex(), "whole": row["text"], "text": row["text"][:20_000], "predicted": predicted}

"""Explain what happened to one document between the crawl and the dataset, and show its duplicate cluster.

The ledger holds the document's fate. Its signals, compared with every rule of the recipe, show how close the decision was. Its row of the
documents shard has the text. An id or a URL that the crawl has twice gets several explanations (`id`, `id~1a2b3c4d`).

If a document of an earlier run replaced this one, the explanation reads that run's folder, or says that the folder is gone.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from curation.errors import UsageError
from curation.ingest.side_fields import string_of
from curation.schema import CUT_STAGE, LEDGER
from curation.storage.location import Location
from filters.contract import Side
from filters.judge import Judge
from pipelines.inspect.looking import looks_at_runs
from pipelines.inspect.moved import ScoreTold, tell_score
from pipelines.inspect.rules import RecipeRule, RunRules, read_rules
from pipelines.inspect.run_folder import ShardPlace, checked_folder, manifest, matching_rows, places, read_ledger_rows, scan, undecided
from pipelines.inspect.samples import excerpt

_SEARCH = "; `curate inspect` with --signal shows documents with their ids, and `curate serve` searches their texts"

BEGINNING = 300
"""The number of characters shown of a text."""

_VERDICT = ["rule", "value", "threshold", "failed", "evidence"]

MEMBERS = 1000
"""The maximum number of documents shown of a cluster."""


@dataclass(frozen=True)
class RuleSeen:
    """A rule of the recipe applied to this document: `threshold` is the document's own; `value` is None if the signal was not measured."""

    rule: str
    signal: str
    value: Any
    drops: Side | None
    threshold: float | None
    fails: bool


@dataclass(frozen=True)
class CutExcerpt:
    """A span of the text in bytes (`start` to `end`, exclusive) that the dataset leaves out, and its beginning."""

    start: int
    end: int
    excerpt: str


@dataclass(frozen=True)
class DatasetPlace:
    """The file of the dataset that holds the document, and its row in that file, counted from 0."""

    file: str
    row: int


@dataclass(frozen=True)
class Explanation:
    """Everything that the run knows about one record."""

    id: str
    key: str
    url: str | None
    source: str
    origin: str
    file_path: str
    offset: int
    fate: str
    stage: str
    rule: str | None
    value: float | None
    threshold: float | None
    evidence: str | None
    failed: Sequence[str]
    duplicate_of: str | None
    duplicate_run: str | None
    similarity: float | None
    earlier: "EarlierCopy | None"
    cluster_size: int
    place: DatasetPlace | None
    text_bytes: int
    text: str | None
    metadata: Mapping[str, str]
    signals: Mapping[str, Any]
    rules: Sequence[RuleSeen]
    cuts: Sequence[CutExcerpt] = ()
    score: ScoreTold | None = None


@dataclass(frozen=True)
class ClusterMember:
    """A document of a cluster; `similarity` compares it with the kept document, and is None for the kept document itself."""

    id: str
    url: str | None
    source: str
    origin: str
    fate: str
    rule: str | None
    similarity: float | None
    text_bytes: int
    excerpt: str


@dataclass(frozen=True)
class EarlierCopy:
    """The document of an earlier run for which others were dropped; if it cannot be read, `fault` says why."""

    run: str
    place: str | None
    fault: str | None
    document: ClusterMember | None


@dataclass(frozen=True)
class Cluster:
    """A cluster of duplicates: first the kept document, then the dropped ones, most similar first (at most MEMBERS of them).

    `earlier` describes the kept document if an earlier run kept it; `size` counts it, and `members` contains it if it can be read.
    """

    stayed: str
    size: int
    members: Sequence[ClusterMember]
    earlier: EarlierCopy | None = None


@looks_at_runs()
def why(folder: str, name: str, model: str | None = None) -> list[Explanation]:
    """Explain every record with this id or URL; `model` is the file of an educational score that is not shipped.

    Raises UsageError when there is no such record.
    """
    out = checked_folder(folder)
    found = places(out)
    named = (pl.col("id") == name) | pl.col("id").str.starts_with(f"{name}~") | (pl.col("url") == name)
    rows = _rows(found, named) or list(_undecided(out, found, named))
    if not rows:
        raise UsageError(f"{folder} knows no record with the id or URL {name!r}{_hint(found, name)}")
    rules = read_rules(out)
    return [_explain(out, place, row, number, rules, found, model) for place, number, row in rows]


@looks_at_runs()
def duplicates(folder: str, name: str) -> Cluster:
    """Return the duplicate cluster of the document with this id. Raises UsageError if the id is unknown or has no cluster."""
    out = checked_folder(folder)
    found = places(out)
    mine = _rows(found, pl.col("id") == name)
    if not mine:
        raise UsageError(f"{folder} knows no record with the id {name!r}{_hint(found, name)}")
    _, _, row = mine[0]
    if row["fate"] not in ("kept", "duplicate"):
        when = "with its copies" if row["stage"] == CUT_STAGE else "before anything was compared"
        raise UsageError(f"{name} was {row['fate']} by {row['rule']}, {when}; see: curate why {folder} {name}")
    stayed, run = row["duplicate_of"] or row["id"], row["duplicate_run"]
    went = (pl.col("duplicate_of") == stayed) & pl.col("duplicate_run").eq_missing(pl.lit(run, pl.String))
    rows = _rows(found, went if run is not None else went | ((pl.col("id") == stayed) & (pl.col("fate") == "kept")))
    rows.sort(key=lambda entry: (entry[2]["fate"] != "kept", -(entry[2]["similarity"] or 0.0), entry[2]["id"]))
    members = [_member(place, number, entry) for place, number, entry in rows[:MEMBERS]]
    if run is None:
        return Cluster(stayed, len(rows), members)
    earlier = _followed(out, run, stayed)
    return Cluster(stayed, len(rows) + 1, [*([earlier.document] if earlier.document is not None else []), *members], earlier)


def _member(place: ShardPlace, number: int, row: Mapping[str, Any]) -> ClusterMember:
    text = read_ledger_rows(place.documents, [number], ["text"])[number]["text"] if place.documents is not None else None
    same = {name: row[name] for name in ("id", "url", "source", "fate", "rule", "similarity", "text_bytes")}
    return ClusterMember(**same, origin=place.origin, excerpt=excerpt(text))


def _followed(out: Location, run: str, kept: str) -> EarlierCopy:
    """Look up a document that an earlier run kept."""
    from pipelines.inspect.earlier_runs import find_earlier  # with all stages of a run, which most documents do without

    folder, fault = find_earlier(out, run)
    if folder is None:
        return EarlierCopy(run, None, fault, None)
    rows = _rows(places(folder), (pl.col("id") == kept) & (pl.col("fate") == "kept"))
    if not rows:
        return EarlierCopy(run, str(folder), f"{folder} keeps no document with the id {kept!r}", None)
    return EarlierCopy(run, str(folder), None, _member(*rows[0]))


def _rows(found: Sequence[ShardPlace], wanted: pl.Expr) -> list[tuple[ShardPlace, int, dict[str, Any]]]:
    """Return the selected ledger rows, each with its place and row number."""
    numbers: dict[ShardPlace, list[int]] = {}
    for place, number in matching_rows(found, wanted):
        numbers.setdefault(place, []).append(number)
    rows = []
    for place, own in numbers.items():
        frame = scan([place.ledger]).with_row_index("_row").filter(pl.col("_row").is_in(own)).collect(engine="streaming")
        rows += [(place, int(row.pop("_row")), row) for row in frame.iter_rows(named=True)]
    return rows


def _undecided(out: Location, found: Sequence[ShardPlace], wanted: pl.Expr) -> Iterator[tuple[ShardPlace, int, dict[str, Any]]]:
    """Yield the rows of documents that are not yet in a ledger, with the results of the stages that are done."""
    verdicts = out / "stages" / Judge.name
    for place in undecided(out, found):
        there = scan([place.ledger])
        known = [name for name in there.collect_schema().names() if name in LEDGER.names]
        judged = verdicts / f"{place.name}.parquet"
        stage = "judge" if judged.facts() is not None else "measure" if place.signals is not None else "ingest"
        rows = there.with_row_index("_row").filter(wanted).select("_row", *known).collect(engine="streaming")
        for row in rows.iter_rows(named=True):
            number = int(row.pop("_row"))
            verdict = read_ledger_rows(judged, [number], _VERDICT)[number] if stage == "judge" and place.documents is not None else {}
            yield place, number, {**dict.fromkeys(LEDGER.names), "fate": "undecided", "stage": stage, "cluster_size": 1, **verdict, **row}


def _explain(
    out: Location,
    place: ShardPlace,
    row: Mapping[str, Any],
    number: int,
    rules: RunRules,
    found: Sequence[ShardPlace],
    model: str | None,
) -> Explanation:
    document = read_ledger_rows(place.documents, [number], ["text", "metadata"])[number] if place.documents is not None else {}
    signals = {}
    if place.signals is not None:
        measured = scan([place.signals]).slice(number, 1).collect().row(0, named=True)
        signals = {name: value for name, value in measured.items() if name not in ("key", "id")}
    text = document.get("text")
    same = ("id", "url", "source", "file_path", "offset", "fate", "stage", "rule", "value", "threshold", "evidence", "duplicate_of")
    return Explanation(
        **{name: row[name] for name in (*same, "duplicate_run", "similarity", "cluster_size", "text_bytes")},
        earlier=_followed(out, row["duplicate_run"], row["duplicate_of"]) if row["duplicate_run"] is not None else None,
        key=row["key"].hex(),
        origin=place.origin,
        failed=row["failed"] or [],
        place=_place(out, place, number, found) if row["fate"] == "kept" else None,
        text=None if text is None else text[:BEGINNING],
        metadata={name: string_of(text) for name, text in document.get("metadata") or []},
        signals=signals,
        rules=[_seen(rule, signals, row) for rule in rules.rules if rule.signal in signals],
        cuts=_cuts(place, number, text),
        score=tell_score(rules, signals, text, model),
    )


def _cuts(place: ShardPlace, number: int, text: str | None) -> list[CutExcerpt]:
    if place.cuts is None or text is None:
        return []
    encoded = text.encode()
    spans = [(span["start"], span["end"]) for span in read_ledger_rows(place.cuts, [number], ["spans"])[number]["spans"]]
    return [CutExcerpt(start, end, excerpt(encoded[start:end].decode())) for start, end in spans]


def _seen(rule: RecipeRule, signals: Mapping[str, Any], row: Mapping[str, Any]) -> RuleSeen:
    """Return a rule applied to a document. The ledger says whether the document fails; nothing is judged again."""
    value = signals[rule.signal]
    fails = value is not None and rule.name in (row["failed"] or ())
    return RuleSeen(rule.name, rule.signal, value, rule.drops, _threshold(rule, signals, row), fails)


def _threshold(rule: RecipeRule, signals: Mapping[str, Any], row: Mapping[str, Any]) -> float | None:
    """Return the bound that a document was compared with: its own bound from a table, or the bound that decided."""
    if rule.bounds is not None:
        return rule.bounds.of(signals.get(rule.bounds.signal))
    return row["threshold"] if rule.own is not None and row["rule"] == rule.name else rule.threshold


def _place(out: Location, place: ShardPlace, number: int, found: Sequence[ShardPlace]) -> DatasetPlace | None:
    """Return the place of a kept row in the dataset: the number of kept rows in earlier shards, and before it in its own shard."""
    content = manifest(out)
    ledgers = {(entry.name, entry.origin): entry.ledger for entry in found}
    for shard in content["shards"] if content is not None else []:
        if place.name not in shard["documents"]:
            continue
        before = 0
        for name in shard["documents"]:
            if name == place.name:
                return DatasetPlace(shard["file"], before + _kept(place.ledger, number))
            before += _kept(ledgers.get((name, "web")) or ledgers[name, "synthetic"])
    return None


def _kept(ledger: Location, rows: int | None = None) -> int:
    """Count the kept rows of a ledger shard, or of its first rows."""
    table = scan([ledger]).select("fate")
    counted = (table if rows is None else table.head(rows)).select((pl.col("fate") == "kept").sum())
    return int(counted.collect().item())


def _hint(found: Sequence[ShardPlace], name: str) -> str:
    """Return a hint with the ids or URLs that resemble the requested one."""
    tail = name.rstrip("/").rsplit("/", 1)[-1]
    if len(tail) < 3:
        return _SEARCH
    alike = pl.col("id").str.contains(tail, literal=True) | pl.col("url").str.contains(tail, literal=True).fill_null(False)
    frames = pl.collect_all([scan([place.ledger]).filter(alike).select("id", "url").head(3) for place in found], engine="streaming")
    close = [row[1] if row[1] and tail in row[1] else row[0] for frame in frames for row in frame.iter_rows()][:3]
    return f"; did you mean {' or '.join(json.dumps(entry, ensure_ascii=False) for entry in close)}?" if close else _SEARCH

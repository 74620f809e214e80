"""A small run folder for the tests of what people look at: real signals and verdicts of about sixty texts from two sources.

The texts are made of a few sentences; what ingest, deduplication and synthesis would do is written by hand, so that every fate is there.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from curation.engine.runner import LocalRunner
from curation.engine.session import Session
from curation.engine.stage import Output, Stage, Unit
from curation.ingest.ingest import Ingest
from curation.schema import DOCUMENTS, LEDGER
from curation.storage.journal import Journal
from curation.storage.location import Location
from curation.storage.ownership import RULES_FILE
from curation.storage.record_keys import record_key
from curation.storage.records import encode_record
from curation.storage.shards import Shard, read_shard
from filters.contract import FilterChoice
from filters.judge import Judge
from filters.measure import Measure
from pipelines.export.export import Export
from pipelines.inspect.rules import encoded, rules_of
from pipelines.recipes.recipe import parse_recipe

HOSTILE = (
    "<script>alert('run')</script> <img src=x onerror=alert(1)> {{ 7 * 7 }} \u202egnihtyna od ot ti kcirt\u202c \x1b[31mred\x1b[0m "
    "</pre></svg><style>body{display:none}</style> and the text that be of the and that have with it goes on and on. "
)
HOSTILE_URL = "javascript:alert('url')"

RECIPE = """description = "A toy: \\"quoted\\" <b>text</b>"
license = "apache-2.0"

[[filter]]
name = "gopher_quality"
min_words = {min_words}

[[filter]]
name = "fineweb_quality"
"""

_SENTENCES = (
    "The tide is the slow rise and fall of the sea, and it comes with the moon.",
    "A lever is a rigid bar that turns about a point, and the longer arm needs the smaller force.",
    "To add two fractions, we write them with one denominator and then we add the numerators.",
    "The heart has four rooms, and blood passes through all of them on its way to the lungs and back.",
    "Rivers carry sand to the sea, where it settles in layers that become stone with time.",
    "A loop repeats the same steps until the condition that guards it is no longer true.",
    "Printers of that century set every letter by hand, and a page took a day of work.",
)


FILES: dict[str, Mapping[str, Any]] = {
    "small-01-00000": {
        "files": {"crawl.warc.gz": {"records": 30 + 2 + 33, "ignored": {"request": 32, "warcinfo": 1}, "sha256": "00"}},
        "edits": {"pii.emails": 2},
    },
    "small-02-00000": {"files": {"blogs/posts.jsonl": {"records": 31, "ignored": {}, "sha256": "11"}}, "edits": {}},
}
"""What ingest would count, by unit."""


def article(number: int, sentences: int) -> str:
    """Return an article of so many sentences, each article another order of them."""
    return "\n".join(
        f"{_SENTENCES[(number * 3 + place * (number % 5 + 1)) % len(_SENTENCES)]} This is remark {place} of part {number}."
        for place in range(sentences)
    )


def documents() -> dict[str, list[dict[str, Any]]]:
    """Return the rows of two documents shards."""
    wide = [_row("crawl", "crawl.warc.gz", place, article(place, 1 + place % 13)) for place in range(30)]
    wide[3] = _row("crawl", "crawl.warc.gz", 3, HOSTILE * 4, url=HOSTILE_URL, own_id="<i>hostile</i>\u202e")
    wide[5] = _row("crawl", "crawl.warc.gz", 5, "word " * 30_000)
    blogs = [_row("blogs", "blogs/posts.jsonl", 100 + place, article(50 + place, 2 + place % 9)) for place in range(30)]
    blogs[7] = _row("blogs", "blogs/posts.jsonl", 107, article(4, 5) + "\nOne more line of it.", own_id="copy-1")
    blogs[8] = _row("blogs", "blogs/posts.jsonl", 108, article(4, 5), own_id="copy-2")
    return {"small-01-00000": wide, "small-02-00000": blogs}


def _row(source: str, path: str, number: int, text: str, url: str | None = None, own_id: str | None = None) -> dict[str, Any]:
    own_id = own_id or f"doc-{number:03d}"
    url = url or f"https://{source}.example/page/{number}"
    return {
        "key": record_key(own_id, url, text.encode()),
        "id": own_id,
        "url": url,
        "source": source,
        "file_path": path,
        "offset": number * 100,
        "crawled_at": datetime(2024, 5, 1 + number % 28, tzinfo=UTC),
        "text_bytes": len(text.encode()),
        "text": text,
        "metadata": {"title": f"Title {number}", **({"edits.pii.emails": "2"} if number == 0 else {})},
    }


@dataclass(frozen=True)
class _Ingested(Stage):
    """Writes the rows of `documents`."""

    name: ClassVar[str] = Ingest.name

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        output.write(unit.name, pa.Table.from_pylist(documents()[unit.name], DOCUMENTS))
        return FILES[unit.name]


@dataclass(frozen=True)
class _Ledger(Stage):
    """Writes the ledger of a shard: verdicts, the copies by hand, and a last id that another record had."""

    name: ClassVar[str] = "5-select"
    folder: ClassVar[str | None] = "ledger"

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        rows = []
        verdicts = read_shard(unit.shard("verdicts")).to_pylist()
        for document, verdict in zip(read_shard(unit.shard("documents")).drop_columns(["text"]).to_pylist(), verdicts, strict=True):
            row = {**document, **verdict, "fate": "kept", "stage": "select", "cluster_size": 3 if document["id"] == "doc-004" else 1}
            if verdict["rule"] is not None:
                row |= {"fate": "dropped", "stage": "judge"}
            elif document["id"].startswith("copy-"):
                similarity = 1.0 if document["id"] == "copy-2" else 0.91
                rule = "exact" if similarity == 1 else "near_duplicate"
                row |= {"fate": "duplicate", "stage": "deduplicate", "rule": rule, "similarity": similarity, "cluster_size": 3}
                row |= {"duplicate_of": "doc-004"}
            elif document["id"] == "doc-111":
                row |= {"id": "doc-110~0badcafe"}
            rows.append({name: row.get(name) for name in LEDGER.names})
        output.write(unit.name, pa.Table.from_pylist(rows, LEDGER))
        return {}


def write_run(out: Path, min_words: int = 50, synthetic: bool = True) -> Path:
    """Write a run folder and return it."""
    place = Location.of(out)
    choices = (FilterChoice("gopher_quality", {"min_words": min_words}), FilterChoice("fineweb_quality"))
    with Session.open(place, LocalRunner()) as session:
        (place / "recipe.toml").write_bytes(RECIPE.format(min_words=min_words).encode())
        (place / RULES_FILE).write_bytes(encoded(rules_of(parse_recipe(RECIPE.format(min_words=min_words), "toy-run"))))
        ingested = session.run(_Ingested(), [Unit(name) for name in documents()]).shards
        signals = session.run(Measure(choices), [Unit(shard.name, {"documents": (shard,)}) for shard in ingested]).shards
        verdicts = session.run(Judge(choices), [Unit(shard.name, {"signals": (shard,)}) for shard in signals]).shards
        pairs = zip(ingested, verdicts, strict=True)
        ledger = session.run(_Ledger(), [Unit(a.name, {"documents": (a,), "verdicts": (b,)}) for a, b in pairs]).shards
        generated: list[str] = []
        if synthetic:
            made, fates = _write_synthetic(place)
            ingested, ledger, generated = (*ingested, made), (*ledger, fates), [made.name]
        inputs = {"documents": tuple(ingested), "ledger": tuple(ledger), "signals": ()}
        (exported,) = session.run(Export(), [Unit("train-00000-of-00001", inputs, extra={"generated": generated})]).units
    _write_rejects(place)
    shard = exported.shards[0]
    entry = {"file": f"data/{shard.name}.parquet", "rows": shard.rows, "tokens": exported.counts["tokens"], "bytes": shard.bytes}
    entry |= {"sha256": shard.sha256, "documents": exported.counts["documents"]}
    packages = {"polars": "2.1.0", "pyarrow": "26.0.1", "textbook-curation": "0.1.0"}
    content = {"shards": [entry], "rows": shard.rows, "tokens": entry["tokens"], "recipe_key": "0" * 64, "packages": packages}
    (place / "dataset" / "manifest.json").write_bytes(encode_record({**content, "sft": []}))
    return out


def output_in(out: Location, folder: str) -> Output:
    """Return where shards are written by hand, so that the run's records name them."""
    (out / "stages/by-hand").make_folder()
    return Output(out / folder, Journal(out / "stages/by-hand", folder.replace("/", "-"), folder))


def _write_rejects(out: Location) -> None:
    """Write the ledger of what ingest rejected."""
    rejects = [
        reject("crawl", "crawl.warc.gz", 9000, "dropped", "http_status", 404.0),
        reject("crawl", "crawl.warc.gz", 9100, "dropped", "not_html", None),
        reject("blogs", "blogs/posts.jsonl", 9200, "unreadable", "bad_json", None),
    ]
    output_in(out, "ledger").write("small-01-rejected", pa.Table.from_pylist(rejects, LEDGER))


def reject(source: str, path: str, offset: int, fate: str, rule: str, value: float | None) -> dict[str, Any]:
    own_id = f"{path}:{offset}"
    facts = {"id": own_id, "key": record_key(own_id, None, b""), "source": source, "file_path": path, "offset": offset, "text_bytes": 0}
    facts |= {"url": f"https://{source}.example/{rule}", "evidence": json.dumps({"detail": "as told"}), "failed": [rule]}
    facts |= {"fate": fate, "stage": "ingest", "rule": rule, "value": value, "cluster_size": 1}
    return {name: facts.get(name) for name in LEDGER.names}


def _write_synthetic(out: Location) -> tuple[Shard, Shard]:
    """Write three generated rows, one of which its verifier refused, with their ledger."""
    folder = "stages/6-synthesize/assemble"
    rows = []
    for number in range(3):
        row = _row(
            "worked_problem", "worked_problem", 500 + number, f"Problem {number}.\n" + article(number + 20, 6), own_id=f"made-{number}"
        )
        asked = [{"role": "user", "content": f"Ask for problem {number}."}, {"role": "assistant", "content": "The reply."}, "no message"]
        row["metadata"] = {"origin": "synthetic", "seed_ids": '["doc-004"]', "task": "worked_problem", "teacher": "procedural"}
        row["metadata"]["messages"] = json.dumps(asked if number < 2 else "no messages")
        rows.append(row)
    made = output_in(out, folder).write("worked_problem-00000", pa.Table.from_pylist(rows, DOCUMENTS))
    fates = [
        {"fate": "kept", "stage": "select"},
        {"fate": "dropped", "stage": "synthesize", "rule": "wrong_answer"},
        {"fate": "kept", "stage": "select"},
    ]
    lines = [{**row, **fate, "cluster_size": 1} for row, fate in zip(rows, fates, strict=True)]
    table = pa.Table.from_pylist([{name: line.get(name) for name in LEDGER.names} for line in lines], LEDGER)
    return made, output_in(out, "ledger/synthetic").write("worked_problem-00000", table)

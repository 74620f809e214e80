"""Export: write the dataset that a training run reads. This stage writes text for the second and last time.

A file of the dataset holds the kept rows of consecutive shards of documents, in order, up to `shard_mib` of text; a changed input therefore
rewrites only the files that contain it. The columns are FineWeb's where they exist, followed by our own: the row's origin, and for a
synthetic row its seeds, task, teacher, verifier and answer verdict. The other fields of the input record (licence, domain, ...) and the
notes of ingest (encoding, title, edits) are in `metadata` as JSON text; the recipe's `keep` turns some of them into columns.

`token_count` comes from the recipe's tokenizer.json; without one it is round(bytes / 4), and the card says so.

Invariants
    - Each row of the ledger with fate `kept` is exactly one row of the dataset, whose text is the document's without its cuts
      (`curation.repeats.cuts`).
    - Settings are part of the key; the bytes depend only on the settings and the rows.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.arrays import Table
from curation.engine.stage import Output, Stage, Unit
from curation.ingest.side_fields import json_object_of, string_of
from curation.repeats.cuts import Spans, without
from curation.storage.digests import digest_of_file
from curation.storage.resources import resolve
from curation.storage.shards import Shard, batches, check_aligned, open_parquet, read_shard
from curation.text.text import Text
from curation.text.tokens import token_counts
from pipelines.export.spoken import DPO, PREFERENCE, SFT, spoken

DATASET = pa.schema(
    [
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("date", pa.string()),
        pa.field("file_path", pa.string(), nullable=False),
        pa.field("language", pa.string()),
        pa.field("language_score", pa.float64()),
        pa.field("token_count", pa.int64(), nullable=False),
        pa.field("score", pa.float64()),
        pa.field("int_score", pa.int64()),
        pa.field("minhash_cluster_size", pa.int64(), nullable=False),
        pa.field("metadata", pa.large_string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("seed_ids", pa.list_(pa.string())),
        pa.field("task", pa.string()),
        pa.field("teacher", pa.string()),
        pa.field("verifier", pa.string()),
        pa.field("verdict", pa.string()),
        pa.field("agreement", pa.string()),
    ]
)

_MADE_OF = ("seed_ids", "task", "teacher", "verifier", "verdict", "agreement")
_OF_GENERATED = ("origin", *_MADE_OF, "messages", *PREFERENCE)

_ROW_GROUP_BYTES = 16 << 20
_SIGNALS = {
    "language": ("language.language", "fineweb2.language"),
    "language_score": ("language.score", "fineweb2.language_score"),
    "score": ("educational_score.score",),
}
"""Column of the dataset -> the signals it may come from; the first measured signal wins."""


@dataclass(frozen=True)
class ExportSettings:
    """How the dataset is split into files, and how its tokens are counted.

    shard_mib  the amount of text in one file, in MiB
    tokenizer  path of a tokenizer.json (Hugging Face tokenizers) to count tokens with; without it a count is round(bytes / 4)
    sft        also write the conversations of synthetic rows to sft/
    dpo        also write pairs of a verified and a wrong solution to dpo/, where a task makes them
    keep       fields of the input that also become text columns of their own; null when a record lacks the field
    """

    shard_mib: int = 256
    tokenizer: str | None = None
    sft: bool = True
    dpo: bool = True
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        taken = sorted({*DATASET.names} & {*self.keep})
        if taken:
            raise ValueError(f"keep: {taken[0]!r} is a column of every dataset; `metadata` holds the input's field of that name")
        if len(set(self.keep)) < len(self.keep) or "" in self.keep:
            raise ValueError("keep: name every field once; a name must not be empty")
        if self.shard_mib < 1:
            raise ValueError("shard_mib must be at least 1")


@dataclass(frozen=True)
class Source:
    """A shard of documents with its ledger and, if they exist, its signals and cuts: all files have the same rows."""

    documents: Shard
    ledger: Shard
    signals: Shard | None
    kept_bytes: int
    cuts: Shard | None = None
    generated: bool = False


def export_units(sources: Sequence[Source], settings: ExportSettings, prefix: str = "train") -> list[Unit]:
    """Group shards of documents into files of about `shard_mib` of kept text; return at least one, possibly empty, file."""
    groups: list[list[Source]] = [[]]
    size = 0
    for source in sources:
        if source.kept_bytes == 0:
            continue
        if groups[-1] and size + source.kept_bytes > settings.shard_mib << 20:
            groups.append([])
            size = 0
        groups[-1].append(source)
        size += source.kept_bytes
    units = []
    for number, group in enumerate(groups):
        inputs = {
            "documents": tuple(source.documents for source in group),
            "ledger": tuple(source.ledger for source in group),
            "signals": tuple(source.signals for source in group if source.signals is not None),
        }
        if any(source.cuts is not None for source in group):
            inputs["cuts"] = tuple(source.cuts for source in group if source.cuts is not None)
        generated = [source.documents.name for source in group if source.generated]
        units.append(Unit(f"{prefix}-{number:05d}-of-{len(groups):05d}", inputs, extra={"generated": generated} if generated else {}))
    return units


@dataclass(frozen=True)
class Export(Stage):
    """Writes the dataset's files."""

    tokenizer: str | None = None
    keep: tuple[str, ...] = ()
    name: ClassVar[str] = "7-export"
    version: ClassVar[int] = 5
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "tokenizers")
    folder: ClassVar[str | None] = "dataset/data"
    hashed_again: ClassVar[bool] = True

    def fields(self) -> Any:
        """Return all fields except the tokenizer's path, whose digest is in `files`."""
        return {name: value for name, value in super().fields().items() if name != "tokenizer"}

    def files(self) -> Mapping[str, str]:
        """Return the tokenizer's digest."""
        return {"tokenizer": digest_of_file(resolve(self.tokenizer))} if self.tokenizer else {}

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        """Write one file."""
        counts, verdicts = Counter({"rows": 0, "tokens": 0, "text_bytes": 0, "web": 0, "synthetic": 0}), Counter[str]()
        with output.shard(unit.name, schema_with(self.keep), level=3, cut_by_content=True) as writer:
            for table in gathered(self._rows(unit)):
                counts.update(_counts(table))
                verdicts.update(pc.drop_null(table["verdict"]).to_pylist())
                writer.write(table)
        return {**counts, "verdicts": dict(sorted(verdicts.items())), "documents": [shard.name for shard in unit.inputs["documents"]]}

    def _rows(self, unit: Unit) -> Iterator[Any]:
        signals = {shard.name: shard for shard in unit.inputs["signals"]}
        cuts = {shard.name: shard for shard in unit.inputs.get("cuts", ())}
        for documents, ledger in zip(unit.inputs["documents"], unit.inputs["ledger"], strict=True):
            beside = signals.get(documents.name), cuts.get(documents.name)
            generated = documents.name in unit.extra.get("generated", ())
            for table, _ in kept_rows(documents, ledger, *beside, self.tokenizer, self.keep, generated):
                yield table


@dataclass(frozen=True)
class ExportConversations(Stage):
    """Writes the conversations (`messages`) of kept synthetic rows, for supervised fine-tuning."""

    name: ClassVar[str] = "7-export-sft"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("pyarrow",)
    folder: ClassVar[str | None] = "dataset/sft"
    hashed_again: ClassVar[bool] = True
    columns: ClassVar[tuple[str, ...]] = ("messages",)
    schema: ClassVar[Any] = SFT

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        """Write one file: a row for each document that has all the spoken parts."""
        with output.shard(unit.name, self.schema, level=3) as writer:
            for documents, ledger in zip(unit.inputs["documents"], unit.inputs["ledger"], strict=True):
                for batch, _ in _kept_batches(documents, ledger):
                    rows = batch.select(["id", "metadata"]).to_pylist()
                    said = [(row["id"], spoken(dict(row["metadata"] or []), self.columns)) for row in rows]
                    writer.write(pa.Table.from_pylist([{"id": row_id, **row} for row_id, row in said if row is not None], self.schema))
        return {"rows": writer.rows}


@dataclass(frozen=True)
class ExportPairs(ExportConversations):
    """Writes pairs of solutions, one verified and one wrong, in the columns of TRL's trainers for preferences."""

    name: ClassVar[str] = "7-export-dpo"
    folder: ClassVar[str | None] = "dataset/dpo"
    columns: ClassVar[tuple[str, ...]] = PREFERENCE
    schema: ClassVar[Any] = DPO


def gathered(tables: Iterator[Any]) -> Iterator[Any]:
    """Concatenate small tables into tables of about _ROW_GROUP_BYTES of text."""
    waiting: list[Any] = []
    for table in tables:
        waiting.append(table)
        if sum(one["text"].nbytes for one in waiting) >= _ROW_GROUP_BYTES:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _counts(table: Table) -> dict[str, int]:
    synthetic = pc.sum(pc.equal(table["origin"], "synthetic")).as_py() or 0
    return {
        "rows": table.num_rows,
        "tokens": pc.sum(table["token_count"]).as_py() or 0,
        "text_bytes": pc.sum(pc.binary_length(table["text"])).as_py() or 0,
        "synthetic": synthetic,
        "web": table.num_rows - synthetic,
    }


def kept_rows(
    documents: Shard,
    ledger: Shard,
    signals: Shard | None,
    cuts: Shard | None,
    tokenizer: str | None,
    keep: Sequence[str] = (),
    generated: bool = False,
) -> Iterator[tuple[Any, Any]]:
    """Yield the kept rows of one shard of documents as tables with DATASET's columns and those in `keep`, each with its batch of documents.

    `generated` is true when the pipeline made the rows: a field `origin` of a web record must not make it look like one of them.
    """
    if signals is not None:
        check_aligned([documents, signals])
    measured = _measured(signals)
    for batch, places in _kept_batches(documents, ledger, cuts):
        fields = [dict(pairs or ()) for pairs in batch["metadata"].to_pylist()]
        made_of = [_made_of(facts) if generated else {} for facts in fields]
        origin = pa.array(["synthetic" if generated else "web"] * len(fields))
        own = {name: column.take(places) for name, column in measured.items()}
        score = own["score"]
        table = pa.table(
            {
                "text": batch["text"],
                "id": batch["id"],
                "url": batch["url"],
                "date": pc.strftime(batch["crawled_at"], "%Y-%m-%dT%H:%M:%SZ"),
                "file_path": batch["file_path"],
                "language": own["language"],
                "language_score": own["language_score"],
                "token_count": _tokens(batch["text"], tokenizer),
                "score": score,
                "int_score": _rounded(score),
                "minhash_cluster_size": batch["cluster_size"],
                "metadata": [json_object_of(_beside(facts) if generated else facts) for facts in fields],
                "source": batch["source"],
                "origin": origin,
                **{name: [facts.get(name) for facts in made_of] for name in _MADE_OF},
                **{name: [None if name not in facts else string_of(facts[name]) for facts in fields] for name in keep},
            },
            schema=schema_with(keep),
        )
        yield table, batch


def schema_with(keep: Sequence[str]) -> Any:
    """Return the dataset's schema with the extra columns that a recipe keeps."""
    return pa.schema([*DATASET, *(pa.field(name, pa.string()) for name in keep)])


def _made_of(facts: Mapping[str, str]) -> Mapping[str, Any]:
    """Return a generated row's seeds, task, teacher, verifier and answer verdict from the fields beside its text."""
    return {name: json.loads(facts[name]) if name == "seed_ids" else facts[name] for name in _MADE_OF if name in facts}


def _beside(facts: Mapping[str, str]) -> Mapping[str, str]:
    """Return the fields beside a generated row's text, except its conversation and those that are columns."""
    return {name: text for name, text in facts.items() if name not in _OF_GENERATED}


def _kept_batches(documents: Shard, ledger: Shard, cuts: Shard | None = None) -> Iterator[tuple[Any, Any]]:
    """Yield for each batch its kept rows without cuts, with the ledger's ids and cluster sizes, and their row numbers in the shard."""
    check_aligned([documents, ledger] if cuts is None else [documents, ledger, cuts])
    spans = None if cuts is None else read_shard(cuts, ["spans"])["spans"]
    fates = read_shard(ledger, ["id", "fate", "cluster_size"])
    kept = pc.equal(fates["fate"], "kept")
    begin = 0
    for batch in batches(documents):
        rows = slice(begin, begin + batch.num_rows)
        here = kept[rows]
        chosen = batch.set_column(batch.schema.get_field_index("id"), "id", fates["id"][rows]).append_column(
            "cluster_size", fates["cluster_size"][rows]
        )
        places = np.flatnonzero(here.to_numpy()) + begin
        begin += batch.num_rows
        if len(places):
            table = chosen.filter(here)
            if spans is not None:
                cut = without(Text.from_arrow(table["text"]), Spans.from_arrow(spans.take(pa.array(places))))
                table = table.set_column(table.schema.get_field_index("text"), DATASET.field("text"), cut.to_arrow())
            yield table, pa.array(places)


def _measured(signals: Shard | None) -> dict[str, Any]:
    """Return the signals that are columns of the dataset; nulls for a signal that was not measured."""
    kinds = {name: DATASET.field(name).type for name in _SIGNALS}
    if signals is None:
        return {name: _Nulls(kind) for name, kind in kinds.items()}
    with open_parquet(signals.location) as file:
        present = set(file.schema_arrow.names)
    chosen = {name: next((signal for signal in known if signal in present), None) for name, known in _SIGNALS.items()}
    table = read_shard(signals, [signal for signal in chosen.values() if signal is not None])
    return {name: table[signal].cast(kinds[name]) if signal is not None else _Nulls(kinds[name]) for name, signal in chosen.items()}


@dataclass(frozen=True)
class _Nulls:
    """A column of only nulls, of any length."""

    kind: Any

    def take(self, places: Any) -> Any:
        """Return as many nulls as there are places."""
        return pa.nulls(len(places), self.kind)


def _rounded(score: Any) -> Any:
    """Return the score as FineWeb-Edu's int_score: rounded and clipped to 0..5."""
    values = score.to_numpy() if isinstance(score, pa.ChunkedArray) else score.to_numpy(zero_copy_only=False)
    unknown = np.isnan(values.astype(np.float64))
    return pa.array(np.clip(np.rint(np.where(unknown, 0.0, values)), 0, 5).astype(np.int64), mask=unknown)


def _tokens(text: Any, tokenizer: str | None) -> Any:
    if tokenizer is None:
        return pc.cast(pc.round(pc.divide(pc.cast(pc.binary_length(text), pa.float64()), 4.0)), pa.int64())
    return pa.array(token_counts(text.to_pylist(), tokenizer))

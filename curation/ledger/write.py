"""Select writes the ledger: one row for every input record, with its fate.

A unit is one documents shard (with its verdicts, duplicates and cuts, row by row) or one shard of rejects. Precedence: a record that ingest
rejected stays rejected; otherwise a document that a rule dropped is dropped; otherwise a copy of a kept document is a duplicate; otherwise
a document of which the cuts left too little is dropped, and its copies with it, because a duplicate must point at a kept document; all
others are kept. No record can have two fates, because each is one row here; none can have no fate, because the rows are those of ingest.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from curation.arrays import Column, JsonMapping, Table
from curation.engine.stage import Output, Stage, Unit
from curation.schema import CUT_STAGE, LEDGER
from curation.storage.shards import Shard, check_aligned, read_shard

COPY_OF_DROPPED = "copy_of_dropped"

_NAMED = ["key", "id", "url", "source", "file_path", "offset"]


@dataclass(frozen=True)
class Select(Stage):
    """Writes the ledger."""

    name: ClassVar[str] = "5-select"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("pyarrow",)
    folder: ClassVar[str | None] = "ledger"
    hashed_again: ClassVar[bool] = True
    rejected_at: ClassVar[str] = "ingest"

    def make(self, unit: Unit, output: Output) -> JsonMapping:
        """Write the ledger of one shard."""
        check_aligned([shard for role, shards in unit.inputs.items() if role != "gone" for shard in shards])
        table = _of_rejects(unit, self.rejected_at) if "rejects" in unit.inputs else _of_documents(unit)
        output.write(unit.name, table)
        kept = pc.equal(table["fate"], "kept")
        size = table["text_bytes"]
        if "cuts" in unit.inputs:
            size = pc.subtract(size, read_shard(unit.shard("cuts"), ["cut_bytes"])["cut_bytes"])
        fates = {entry["values"]: entry["counts"] for entry in pc.value_counts(table["fate"]).to_pylist()}
        return {**{fate: fates.get(fate, 0) for fate in sorted(fates)}, "kept_bytes": pc.sum(size.filter(kept)).as_py() or 0}


@dataclass(frozen=True)
class SelectSynthetic(Select):
    """Writes the ledger of generated rows, in a folder of its own."""

    version: ClassVar[int] = 2
    rejected_at: ClassVar[str] = "synthesize"
    folder: ClassVar[str | None] = "ledger/synthetic"


def ledger_units(documents: Sequence[Shard], rejects: Sequence[Shard], gone: Sequence[Shard] = (), **beside: Sequence[Shard]) -> list[Unit]:
    """Pair each shard with the side shards of the same name; the roles are `ids`, `verdicts`, `duplicates` and `cuts`, any of which may be
    empty.

    `gone` are the keys of documents that the cuts dropped although they have duplicates (see `curation.repeats.repeated_lines`).
    """
    named = {role: {shard.name: shard for shard in shards} for role, shards in beside.items()}
    units = []
    for role, shards in (("documents", documents), ("rejects", rejects)):
        for shard in shards:
            found: dict[str, tuple[Shard, ...]] = {
                other: (by_name[shard.name],) for other, by_name in named.items() if shard.name in by_name
            }
            if gone and "duplicates" in found:
                found["gone"] = tuple(gone)
            units.append(Unit(shard.name, {role: (shard,), **found}))
    return units


def _of_rejects(unit: Unit, stage: str) -> Table:
    table = read_shard(unit.shard("rejects"))
    rows = table.num_rows
    columns = {name: table[name] for name in (*_NAMED, "fate", "rule", "value", "threshold", "evidence")} | _final_ids(unit)
    return _ledger(
        rows,
        {
            **columns,
            "stage": pa.repeat(pa.scalar(stage), rows),
            "failed": pa.array([[rule] for rule in table["rule"].to_pylist()], pa.list_(pa.string())),
            "text_bytes": pa.repeat(pa.scalar(0, pa.int64()), rows),
            "cluster_size": pa.repeat(pa.scalar(1, pa.int64()), rows),
        },
    )


def _of_documents(unit: Unit) -> Table:
    documents = unit.shard("documents")
    narrow = read_shard(documents, [*_NAMED, "text_bytes"])
    rows = narrow.num_rows
    columns: dict[str, Column] = {name: narrow[name] for name in narrow.column_names} | {
        "fate": pa.repeat(pa.scalar("kept"), rows),
        "stage": pa.repeat(pa.scalar("select"), rows),
        "cluster_size": pa.repeat(pa.scalar(1, pa.int64()), rows),
    }
    columns |= _final_ids(unit)
    if "duplicates" in unit.inputs:
        _mark_duplicates(columns, read_shard(unit.shard("duplicates")))
    if "cuts" in unit.inputs:
        _mark_cut(columns, read_shard(unit.shard("cuts"), ["rule", "value", "threshold"]))
    if "gone" in unit.inputs:
        _mark_copies_of_gone(columns, read_shard(unit.shard("duplicates"), ["duplicate_of_key"])["duplicate_of_key"], unit.inputs["gone"])
    if "verdicts" in unit.inputs:
        _mark_dropped(columns, read_shard(unit.shard("verdicts")))
    return _ledger(rows, columns)


def _final_ids(unit: Unit) -> dict[str, Column]:
    return {"id": read_shard(unit.shard("ids"), ["id"])["id"]} if "ids" in unit.inputs else {}


def _mark_duplicates(columns: dict[str, Column], found: Table) -> None:
    is_copy = pc.is_valid(found["rule"])
    columns["fate"] = pc.if_else(is_copy, "duplicate", columns["fate"])
    columns["stage"] = pc.if_else(is_copy, "deduplicate", columns["stage"])
    columns["rule"] = found["rule"]
    columns["duplicate_of"] = found["duplicate_of"]
    columns["duplicate_run"] = found["duplicate_run"]
    columns["similarity"] = found["similarity"]
    columns["cluster_size"] = found["cluster_size"]


def _mark_cut(columns: dict[str, Column], cuts: Table) -> None:
    dropped = pc.is_valid(cuts["rule"])
    columns["fate"] = pc.if_else(dropped, "dropped", columns["fate"])
    columns["stage"] = pc.if_else(dropped, CUT_STAGE, columns["stage"])
    columns["rule"] = pc.if_else(dropped, cuts["rule"], columns["rule"]) if "rule" in columns else cuts["rule"]
    columns["failed"] = _failing(columns["rule"], dropped)
    for name in ("value", "threshold"):
        columns[name] = pc.if_else(dropped, cuts[name], None)


def _mark_copies_of_gone(columns: dict[str, Column], survivors: Table, gone: Sequence[Shard]) -> None:
    """Drop the duplicates of dropped documents; the evidence names the dropped document."""
    keys = pa.concat_tables([read_shard(shard, ["key"]) for shard in gone])["key"].combine_chunks()
    dropped = pc.fill_null(pc.is_in(survivors, keys), False)
    told = [json.dumps({"copy_of": name}, ensure_ascii=False) if gone else None for name, gone in _zipped(columns["duplicate_of"], dropped)]
    columns["evidence"] = pa.array(told, pa.string())
    columns["fate"] = pc.if_else(dropped, "dropped", columns["fate"])
    columns["stage"] = pc.if_else(dropped, CUT_STAGE, columns["stage"])
    columns["rule"] = pc.if_else(dropped, COPY_OF_DROPPED, columns["rule"])
    columns["failed"] = pc.coalesce(_failing(columns["rule"], dropped), columns["failed"])
    for name in ("duplicate_of", "similarity"):
        columns[name] = pc.if_else(dropped, None, columns[name])


def _failing(rules: Column, dropped: Column) -> Column:
    """Return, for dropped rows, a list that holds their only rule: the list of all failed rules."""
    return pa.array([[rule] if gone else None for rule, gone in _zipped(rules, dropped)], pa.list_(pa.string()))


def _zipped(*columns: Column) -> Column:
    return zip(*(column.to_pylist() for column in columns), strict=True)


def _mark_dropped(columns: dict[str, Column], verdicts: Table) -> None:
    """Apply the verdicts: they win, because a document that a rule drops was not compared with any other."""
    dropped = pc.is_valid(verdicts["rule"])
    columns["fate"] = pc.if_else(dropped, "dropped", columns["fate"])
    columns["stage"] = pc.if_else(dropped, "judge", columns["stage"])
    columns["rule"] = pc.if_else(dropped, verdicts["rule"], columns["rule"]) if "rule" in columns else verdicts["rule"]
    for name in ("value", "threshold", "failed", "evidence"):
        columns[name] = pc.if_else(dropped, verdicts[name], columns[name]) if name in columns else verdicts[name]


def _ledger(rows: int, columns: Mapping[str, Column]) -> Table:
    return pa.table(
        {field.name: columns[field.name] if field.name in columns else pa.nulls(rows, field.type) for field in LEDGER}, schema=LEDGER
    )

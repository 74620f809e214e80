"""The ledger: each shard with the side shards of its name, and the fate of each row."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from curation.engine.stage import Output, Unit
from curation.ingest.record_ids import ID_ROWS
from curation.ledger.write import Select, SelectSynthetic, ledger_units
from curation.schema import DOCUMENTS, REJECTS, VERDICTS
from curation.storage.location import Location
from curation.storage.shards import Shard, read_shard


def shard(name: str) -> Shard:
    return Shard(name, Location.of("/nowhere") / name, 1, 1, "")


def test_a_shard_goes_with_the_side_shards_of_its_name() -> None:
    verdicts, duplicates, gone = (shard("a"), shard("b")), (shard("b"),), (shard("gone"),)
    units = ledger_units([shard("a"), shard("b")], [shard("c")], gone, verdicts=verdicts, duplicates=duplicates, cuts=())
    assert [(unit.name, {role: [each.name for each in shards] for role, shards in unit.inputs.items()}) for unit in units] == [
        ("a", {"documents": ["a"], "verdicts": ["a"]}),
        ("b", {"documents": ["b"], "verdicts": ["b"], "duplicates": ["b"], "gone": ["gone"]}),
        ("c", {"rejects": ["c"]}),
    ]


def test_without_documents_that_the_cuts_dropped_no_unit_reads_them() -> None:
    (unit,) = ledger_units([shard("a")], [], (), duplicates=[shard("a")])
    assert sorted(unit.inputs) == ["documents", "duplicates"]


KEYS = [bytes([number]) * 16 for number in range(3)]
BASE = {"url": None, "source": "crawl", "file_path": "a.jsonl"}


def ledger(folder: Path, stage: Select, tables: Mapping[str, tuple[Any, Sequence[Mapping[str, Any]]]]) -> list[dict[str, Any]]:
    """Return the rows of the ledger of one unit; its shards are given by role, as a schema and rows without their keys."""
    inputs = {}
    for role, (schema, rows) in tables.items():
        keyed = [{**BASE, **row, "key": key} for key, row in zip(KEYS, rows, strict=True)]
        table = pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in keyed], schema)
        inputs[role] = (Output(Location.of(folder / role)).write("a", table),)
    output = Output(Location.of(folder / "ledger"))
    stage.make(Unit("a", inputs), output)
    return [dict(row) for row in read_shard(output.shards[0]).to_pylist()]


def test_a_document_is_kept_under_its_final_id_unless_a_rule_drops_it(tmp_path: Path) -> None:
    documents = [{"id": "twin", "offset": number, "text_bytes": 10 + number, "text": "t"} for number in range(3)]
    verdicts: list[dict[str, Any]] = [{}, {"rule": "f.short", "value": 1.0, "threshold": 2.0, "failed": ["f.short", "f.dull"]}, {}]
    tables = {"documents": (DOCUMENTS, documents), "verdicts": (VERDICTS, verdicts)}
    plain = ledger(tmp_path / "plain", Select(), tables)
    assert [row["id"] for row in plain] == ["twin"] * 3
    final = [{"id": name} for name in ("twin", "twin~01010101", "twin~02020202")]
    rows = ledger(tmp_path / "final", Select(), {**tables, "ids": (ID_ROWS, final)})
    assert rows == [{**row, **own} for row, own in zip(plain, final, strict=True)]
    assert [(row["fate"], row["stage"], row["rule"], row["failed"]) for row in rows] == [
        ("kept", "select", None, None),
        ("dropped", "judge", "f.short", ["f.short", "f.dull"]),
        ("kept", "select", None, None),
    ]
    assert [(row["key"], row["text_bytes"], row["cluster_size"]) for row in rows] == [(key, 10 + n, 1) for n, key in enumerate(KEYS)]


def test_a_rejected_record_keeps_its_fate_and_is_a_cluster_of_its_own(tmp_path: Path) -> None:
    rejects = [{"id": "twin", "offset": number, "fate": "unreadable", "rule": "bad_json", "evidence": "{}"} for number in range(3)]
    final = [{"id": name} for name in ("twin", "twin~01010101", "twin~02020202")]
    tables = {"rejects": (REJECTS, rejects), "ids": (ID_ROWS, final)}
    for stage, named in ((Select(), "ingest"), (SelectSynthetic(), "synthesize")):
        rows = ledger(tmp_path / named, stage, tables)
        assert [row["id"] for row in rows] == [own["id"] for own in final]
        for row in rows:
            assert (row["fate"], row["stage"], row["rule"], row["failed"]) == ("unreadable", named, "bad_json", ["bad_json"])
            assert (row["text_bytes"], row["cluster_size"], row["duplicate_of"]) == (0, 1, None)

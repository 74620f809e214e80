"""Deduplication on real stages without the command line: write rows as shards, run, and look at what became of every document."""

import pyarrow as pa

from curation.duplicates.deduplicate import DUPLICATES, DeduplicateSettings, deduplicate
from curation.duplicates.parts import DuplicatesPart
from curation.duplicates.sign import sign_documents
from curation.engine.runner import LocalRunner
from curation.engine.session import Session
from curation.schema import DOCUMENTS, VERDICTS
from curation.storage.location import Location
from curation.storage.record_keys import record_key
from curation.storage.shards import ShardWriter, read_shard


def document(own_id, text, *, key=None, date=None, source="test", url=None):
    return {
        "key": key or record_key(own_id, url, text.encode()),
        "id": own_id,
        "url": url,
        "source": source,
        "file_path": "test.jsonl",
        "offset": 0,
        "crawled_at": date,
        "text": text,
        "text_bytes": len(text.encode()),
        "metadata": {},
    }


def write(folder, name, table):
    with ShardWriter(name, Location.of(folder) / f"{name}.parquet", table.schema) as writer:
        for start in range(0, table.num_rows, 50):
            writer.write(table.slice(start, 50))
    return writer.shard


def write_documents(folder, name, rows):
    return write(folder, name, pa.Table.from_pylist(rows, DOCUMENTS))


def verdicts(rows, dropped):
    return pa.Table.from_pylist([{"key": row["key"], "rule": "some.rule" if row["id"] in dropped else None} for row in rows], VERDICTS)


def cut(rows, shards):
    """Deal rows out to so many shards."""
    return {f"shard-{place}": rows[place::shards] for place in range(shards) if rows[place::shards]}


def run(folder, shards, chosen=None, *, workers=1, dropped=(), signals=None, priorities=None):
    """Deduplicate shards (name -> rows) and return one row for each document, with its id, by id."""
    chosen = chosen or DeduplicateSettings()
    runner = LocalRunner(workers)
    with Session.open(Location.of(folder / "out"), runner) as session:
        documents = {name: write_documents(folder / "documents", name, rows) for name, rows in shards.items()}
        signed = {shard.name: shard for shard in sign_documents(session, list(documents.values()), chosen.minhash)}
        parts = [
            DuplicatesPart(
                documents[name],
                signed[name],
                (write(folder / "verdicts", name, verdicts(rows, dropped)),),
                None if signals is None else write(folder / "signals", name, signals(rows)),
                priority=(priorities or {}).get(name, 0),
            )
            for name, rows in shards.items()
        ]
        found = deduplicate(session, parts, chosen)
    runner.close()
    assert [shard.name for shard in found] == sorted(shards)
    rows = []
    for shard in found:
        table = read_shard(shard)
        assert table.schema == DUPLICATES
        assert table["key"].to_pylist() == [row["key"] for row in shards[shard.name]]
        rows += [{"id": row["id"], **fate} for row, fate in zip(shards[shard.name], table.to_pylist(), strict=True)]
    check_books(rows)
    ids = [row["id"] for row in rows]
    return dict(zip(ids if len(set(ids)) == len(ids) else range(len(ids)), rows, strict=True))


def check_books(rows):
    """What holds for every result: no chains, one kept document a cluster, sizes that add up."""
    kept = {row["id"] for row in rows if row["rule"] is None}
    kept_keys = {row["key"] for row in rows if row["rule"] is None}
    for row in rows:
        assert (row["rule"] is None) == (row["duplicate_of"] is None) == (row["duplicate_of_key"] is None) == (row["similarity"] is None)
        if row["rule"] is not None:
            assert row["duplicate_of"] in kept
            assert row["duplicate_of_key"] in kept_keys
    clusters = {}
    for row in rows:
        clusters.setdefault(row["cluster"], []).append(row)
    for members in clusters.values():
        assert [member["cluster_size"] for member in members] == [len(members)] * len(members)
        (survivor,) = [member for member in members if member["rule"] is None]
        assert all(member["duplicate_of"] in (None, survivor["id"]) for member in members)


def facts(rows):
    """What must not depend on how the work was cut: everything but the numbers of this run."""
    return {key: {name: value for name, value in row.items() if name != "cluster"} for key, row in rows.items()}


def words(count, start=0):
    return [f"w{number}x" for number in range(start, start + count)]

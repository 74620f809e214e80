"""Documents that earlier runs kept, on real stages: what they win, that nothing but the documents decides it, and what they cost."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import curation.duplicates.gather
from curation.duplicates.deduplicate import DeduplicateSettings, deduplicate
from curation.duplicates.minhash import MinHashSettings, bucket_hashes, sign
from curation.duplicates.parts import DuplicatesPart
from curation.duplicates.shingles import distinct, shingle
from curation.duplicates.sign import sign_documents
from curation.engine.runner import LocalRunner
from curation.engine.session import Session
from curation.errors import ShardsFailed
from curation.storage.location import Location
from curation.storage.shards import read_shard
from curation.text.text import Text
from tests.deduplicating import cut, document, facts, verdicts, words, write, write_documents
from tests.duplicates.test_deduplicate import narrow, noisy_corpus, plain_resolve  # noqa: F401 (narrow is a fixture)


def run_against(folder, shards, earlier, chosen=None, dropped=()):
    """Deduplicate shards against those of earlier runs (name of the run -> shards); return one row for each new document, by id."""
    chosen = chosen or DeduplicateSettings()
    parts = []
    with Session.open(Location.of(folder / "out"), LocalRunner()) as session:
        for turn, (name, held) in enumerate([(None, shards), *earlier.items()]):
            place = folder / str(turn)
            documents = [write_documents(place, each, rows) for each, rows in sorted(held.items())]
            with session.within(f"run-{turn}"):
                signed = sign_documents(session, documents, chosen.minhash)
            for shard, signature in zip(documents, signed, strict=True):
                judged = write(place / "verdicts", shard.name, verdicts(held[shard.name], dropped))
                parts.append(DuplicatesPart(shard, signature, (judged,), priority=turn - 1 - len(earlier) if turn else 0, run=name))
        found = deduplicate(session, parts, chosen)
    assert [shard.name for shard in found] == sorted(shards)
    rows = [
        {"id": row["id"], **fate} for shard in found for row, fate in zip(shards[shard.name], read_shard(shard).to_pylist(), strict=True)
    ]
    return {row["id"]: row for row in rows}


def by_comparing_all(new, earlier):
    """Return (duplicate_of, rule, similarity) of new documents, by id, each judged by the plain twin among all documents there are."""
    settings = DeduplicateSettings().minhash
    best = sorted(new, key=lambda row: (-row["text_bytes"], row["key"]))
    rows = [*(row for held in earlier for row in sorted(held, key=lambda row: (-row["text_bytes"], row["key"]))), *best]
    column = Text.from_strings([row["text"] for row in rows])
    signed, found = sign(column, settings), distinct(shingle(column, settings.ngram, settings.characters))
    buckets = bucket_hashes(signed.signatures, settings).T.tolist()
    shingles = [set(found.hashes[a:b].tolist()) for a, b in zip(found.offsets, found.offsets[1:], strict=False)]
    documents = [
        (row["key"], tuple(text), *both, None)
        for row, text, *both in zip(rows, signed.text_hashes.tolist(), shingles, buckets, strict=True)
    ]
    first = len(rows) - len(new)
    fates, _, _ = plain_resolve(documents, 0.75, None, 8, first)
    return {
        rows[place]["id"]: (rows[survivor]["id"], rule, similarity) if rule else (None, None, None)
        for place, (survivor, rule, similarity) in enumerate(fates)
        if place >= first
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_against_earlier_runs_all_is_as_if_all_were_compared_with_all(tmp_path, request, seed):
    corpus = noisy_corpus(seed, families=20, copies=9)
    old, older, new = ([{**row, "id": f"{row['id']}/{part}"} for row in corpus[part::3]] for part in range(3))
    older += [{**row, "id": f"{row['id']}/again"} for row in old[:10]]
    new += [{**row, "id": f"{row['id']}/again"} for row in [*old[5:15], *older[:5]]]
    expected = by_comparing_all(new, [older, old])
    wide = run_against(tmp_path / "wide", cut(new, 2), {"older": cut(older, 1), "old": cut(old, 3)})
    assert {name: (row["duplicate_of"], row["rule"], row["similarity"]) for name, row in wide.items()} == expected
    assert {row["rule"] for row in wide.values()} == {None, "same_record", "exact", "near_duplicate"}
    runs = {row["id"]: name for name, rows in (("older", older), ("old", old)) for row in rows}
    assert {row["duplicate_run"] for row in wide.values()} == {None, "older", "old"}
    assert all(row["duplicate_run"] == runs.get(row["duplicate_of"]) for row in wide.values())
    request.getfixturevalue("narrow")
    many = run_against(tmp_path / "narrow", cut(new, 5), {"older": cut(older, 4), "old": cut(old[::-1], 2)})
    assert facts(many) == facts(wide)


def test_what_an_earlier_run_dropped_takes_no_part(tmp_path):
    text = " ".join(words(60))
    found = run_against(tmp_path, {"x": [document("new", text)]}, {"old": {"x": [document("old", text)]}}, dropped={"old"})
    assert found["new"]["rule"] is None
    assert run_against(tmp_path / "none", {}, {"old": {"x": [document("old", text)]}}) == {}


def damage_text(path, row_group):
    """Overwrite the pages of one row group's text, so that reading them fails."""
    with pq.ParquetFile(path) as file:
        chunk = next(
            found
            for found in map(file.metadata.row_group(row_group).column, range(file.metadata.num_columns))
            if found.path_in_schema == "text"
        )
    with path.open("r+b") as stream:
        stream.seek(chunk.data_page_offset)
        stream.write(b"\xff" * chunk.total_compressed_size)


def beside_but_not(text, other):
    """Return a text that shares a bucket with one text and none with another."""
    for place in range(1000):
        candidate = " ".join([*words(12, 10**6 * (place + 20)), *text.split()[12:]])
        hashes = bucket_hashes(sign(Text.from_strings([candidate, text, other]), MinHashSettings()).signatures, MinHashSettings())
        if (hashes[:, 0] == hashes[:, 1]).any() and not (hashes[:, 0] == hashes[:, 2]).any():
            return candidate
    raise AssertionError("there is no such text among a thousand")


def gathered(folder):
    """Return how many documents were compared, and how many of them were shingled for it."""
    counts = [json.loads(path.read_text())["counts"] for path in (folder / "out/stages/4e-gather").glob("0*.json")]
    return {name: sum(count[name] for count in counts) for name in ("documents", "shingled")}


def test_a_text_that_two_earlier_runs_kept_is_shingled_once(tmp_path):
    text = " ".join(words(80))
    earlier = {"older": {"x": [document("a", text)]}, "old": {"x": [document("b", text.upper())]}}
    found = run_against(tmp_path, {"x": [document("new", f"{text} more")]}, earlier)
    assert (found["new"]["duplicate_of"], found["new"]["duplicate_run"]) == ("a", "older")
    assert gathered(tmp_path) == {"documents": 3, "shingled": 2}


def test_of_an_earlier_text_only_row_groups_with_a_candidate_are_read(tmp_path, monkeypatch):
    """Row groups have 50 documents: of the earlier run's, the second holds a near copy, the third an exact one.

    The first has one that shares buckets with the near copy but none with the new document, and two that are alike.
    """
    old = [document(f"old-{place}", " ".join(words(80, 1000 * place))) for place in range(150)]
    near = document("near", " ".join([*words(74, 70_000), *words(6, 10**7)]))
    old[0] = document("old-0", beside_but_not(old[70]["text"], near["text"]))
    old[2] = document("old-2", old[1]["text"].upper())
    exact = document("exact", old[120]["text"])
    shards, earlier = {"x": [near, exact, document("alone", " ".join(words(80, 10**6)))]}, {"old": {"x": old}}
    expected = {"near": ("old-70", "near_duplicate"), "exact": ("old-120", "exact"), "alone": (None, None)}

    def fates(folder):
        return {name: (row["duplicate_of"], row["rule"]) for name, row in run_against(folder, shards, earlier).items()}

    whole = curation.duplicates.gather.gather_documents

    def damaged(row_groups):
        def gather(session, groups, *rest):
            for row_group in row_groups:
                damage_text(Path(groups[-1].members[0].documents.location.path), row_group)
            return whole(session, groups, *rest)

        return gather

    monkeypatch.setattr("curation.duplicates.deduplicate.gather_documents", damaged([0, 2]))
    assert fates(tmp_path / "unread") == expected
    assert gathered(tmp_path / "unread") == {"documents": 4, "shingled": 2}
    monkeypatch.setattr("curation.duplicates.deduplicate.gather_documents", damaged([1]))
    with pytest.raises(ShardsFailed, match="row group 1, is damaged"):
        fates(tmp_path / "read")


def test_an_earlier_run_goes_before_this_one(tmp_path):
    with Session.open(Location.of(tmp_path / "out"), LocalRunner()) as session:
        shard = write_documents(tmp_path, "x", [document("a", "a b c")])
        (signed,) = sign_documents(session, [shard], DeduplicateSettings().minhash)
        with pytest.raises(ValueError, match="lower priority number"):
            deduplicate(session, [DuplicatesPart(shard, signed), DuplicatesPart(shard, signed, run="old")], DeduplicateSettings())
        later = [DuplicatesPart(shard, signed, priority=priority) for priority in (3, 0)]
        with pytest.raises(ValueError, match="lower priority number"):
            deduplicate(session, [*later, DuplicatesPart(shard, signed, run="old")], DeduplicateSettings())

"""Deduplication end to end, on real stages: what is dropped, for whom, and that nothing but the documents decides it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curation.candidates
import curation.comparison
import curation.exchange
import curation.identifiers
import curation.numbering
import curation.verify
from curation.deduplicate import DUPLICATES, DeduplicateSettings, deduplicate
from curation.errors import CorruptShard, InputError, RecipeError, ShardsFailed
from curation.identifiers import resolve_ids
from curation.keys import record_key
from curation.location import Location
from curation.minhash import MinHashSettings, bucket_hashes, sign
from curation.parts import Part
from curation.runner import LocalRunner
from curation.schema import DOCUMENTS, VERDICTS
from curation.session import Session
from curation.shards import ShardWriter, read
from curation.shingles import distinct, shingle
from curation.sign import sign_documents
from curation.survivors import preference
from curation.text import TextColumn
from curation.verify import RULES, judge


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
            Part(
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
        table = read(shard)
        assert table.schema == DUPLICATES
        assert table["key"].to_pylist() == [row["key"] for row in shards[shard.name]]
        rows += [{"id": row["id"], **fate} for row, fate in zip(shards[shard.name], table.to_pylist(), strict=True)]
    check_books(rows)
    return {row["id"] if len(rows) == len({row["id"] for row in rows}) else place: row for place, row in enumerate(rows)}


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


def shingle_set(text, ngram=5):
    own = text.lower().split()
    return {tuple(own[place : place + ngram]) for place in range(max(1, len(own) - ngram + 1))}


def jaccard(one, other):
    one, other = shingle_set(one), shingle_set(other)
    return len(one & other) / len(one | other)


@pytest.fixture
def narrow(monkeypatch):
    """Cut work into many small groups, ranges, runs and row groups."""
    monkeypatch.setattr(curation.exchange, "ROW_GROUP_BYTES", 2000)
    monkeypatch.setattr(curation.candidates, "RANGE_ROWS", 97)
    monkeypatch.setattr(curation.candidates, "_CHUNK", 7)
    monkeypatch.setattr(curation.identifiers, "RANGE_ROWS", 3)
    monkeypatch.setattr(curation.comparison, "RUN_BYTES", 20_000)
    monkeypatch.setattr(curation.verify, "RANGE_BYTES", 20_000)
    monkeypatch.setattr(curation.numbering.groups_of, "__defaults__", (40, 1 << 30))


def noisy_corpus(seed, families=12, copies=6):
    """Families of texts: exact copies, near copies, distant relatives, and some short and wordless ones."""
    generator = np.random.default_rng(seed)
    rows = []
    for family in range(families):
        base = [f"f{family}v{generator.integers(0, 400)}" for _ in range(150)]
        for copy in range(copies):
            own = base.copy()
            for place in generator.integers(0, len(own), int(generator.integers(0, 9))):
                own[place] = f"n{generator.integers(0, 10**6)}"
            rows.append(document(f"d{family}-{copy}", " ".join(own)))
    rows += [document(f"s{place}", text) for place, text in enumerate(["one two", "One, two!", "---", "***", "---", "a b c", "x"])]
    return rows


def test_exact_copies_are_dropped_for_the_best(tmp_path):
    text = " ".join(words(50))
    rows = [document("a", text.upper()), document("b", text + " !!!"), document("c", text), document("other", " ".join(words(50, 100)))]
    found = run(tmp_path, {"x": rows})
    assert [found[name]["rule"] for name in ("a", "b", "c", "other")] == ["exact", None, "exact", None]
    assert found["a"]["duplicate_of"] == "b"
    assert found["a"]["similarity"] == 1.0
    assert [found[name]["cluster_size"] for name in ("a", "b", "c", "other")] == [3, 3, 3, 1]


def test_the_same_record_twice_is_one_record(tmp_path):
    row = document("a", " ".join(words(30)))
    changed = document("a", " ".join(words(20, 500)), key=row["key"])
    found = run(tmp_path, {"x": [row, row], "y": [row, changed]})
    assert [found[place]["rule"] for place in range(4)] == [None, "same_record", "same_record", "same_record"]
    assert [found[place]["similarity"] for place in range(1, 4)] == [1.0, 1.0, 0.0]


def test_near_copies_are_dropped_with_their_similarity(tmp_path):
    text = words(100)
    near = [*text[:50], "changed", *text[51:]]
    found = run(tmp_path, {"x": [document("a", " ".join(text) + " and two"), document("b", " ".join(near))]})
    assert found["b"]["rule"] == "near_duplicate"
    assert found["b"]["duplicate_of"] == "a"
    assert found["b"]["similarity"] == jaccard(" ".join(text) + " and two", " ".join(near))


@pytest.mark.usefixtures("narrow")
def test_empty_short_and_wordless_documents(tmp_path):
    texts = {"e1": "", "e2": "", "r1": "-----", "r2": "*****", "r3": "-----", "h": "hello", "H": "Hello.", "ab": "a b", "ba": "b a"}
    found = run(tmp_path, cut([document(name, text) for name, text in texts.items()], 3))
    kept = {name for name, row in found.items() if row["rule"] is None}
    assert len(kept) == 6
    assert {name[0] for name in kept} == {"e", "r", "h", "a", "b"} or {name[0] for name in kept} == {"e", "r", "H", "a", "b"}
    assert {row["rule"] for row in found.values()} == {None, "exact"}
    assert found["r2"]["rule"] is None


@pytest.mark.usefixtures("narrow")
@settings(max_examples=5)
@given(shift=st.integers(10, 24), length=st.integers(4, 12), salt=st.integers(0, 9))
def test_in_a_chain_each_dropped_one_is_like_the_one_kept(tmp_path_factory, shift, length, salt):
    texts = {f"d{step}": " ".join(words(200, salt * 10**6 + step * shift)) for step in range(length)}
    found = run(tmp_path_factory.mktemp("chain"), cut([document(name, text) for name, text in texts.items()], 2))
    dropped = {name: row for name, row in found.items() if row["rule"] is not None}
    assert dropped
    assert len(dropped) < length - 1 or jaccard(texts["d0"], texts[f"d{length - 1}"]) > 0.5
    for name, row in dropped.items():
        assert row["similarity"] == jaccard(texts[name], texts[row["duplicate_of"]]) >= 0.75


def test_results_do_not_depend_on_order_grouping_or_workers(tmp_path, request):
    rows = noisy_corpus(1)
    wide = facts(run(tmp_path / "wide", cut(rows, 1)))
    assert {row["rule"] for row in wide.values()} == {None, "exact", "near_duplicate"}
    request.getfixturevalue("narrow")
    shuffled = [rows[place] for place in np.random.default_rng(2).permutation(len(rows))]
    assert facts(run(tmp_path / "narrow", cut(shuffled, 5))) == wide
    backwards = dict(reversed(cut(rows[::-1], 3).items()))
    assert facts(run(tmp_path / "workers", backwards, workers=2)) == wide


def test_the_same_input_gives_the_same_bytes(tmp_path):
    digests = []
    for name in ("one", "other"):
        run(tmp_path / name, cut(noisy_corpus(3, 4), 2))
        stages = sorted((tmp_path / name / "out" / "stages").rglob("*.parquet"))
        digests.append([(path.relative_to(tmp_path / name), path.read_bytes()) for path in stages])
    assert len(digests[0]) > 8
    assert digests[0] == digests[1]


def test_near_copies_are_found_and_others_are_not(tmp_path, real_data):
    texts = pl.read_parquet(real_data / "neardup" / "docs.parquet", columns=["doc_id", "text"])
    pairs = pl.read_parquet(real_data / "neardup" / "pairs.parquet", columns=["id_a", "id_b", "jaccard_w5"])
    rows = [document(name, text) for name, text in texts.iter_rows()]
    found = run(tmp_path, cut(rows, 4))
    kept = {name for name, row in found.items() if row["rule"] is None}
    alike = pairs.filter(pl.col("jaccard_w5") >= 0.8)
    both_kept = sum(one in kept and other in kept for one, other, _ in alike.iter_rows())
    assert alike.height > 1200
    assert both_kept <= 0.02 * alike.height
    truth = {frozenset((one, other)): similarity for one, other, similarity in pairs.iter_rows()}
    dropped = [(name, row) for name, row in found.items() if row["rule"] is not None]
    assert min(truth.get(frozenset((name, row["duplicate_of"])), 0) for name, row in dropped) >= 0.5
    assert all(abs(truth[frozenset((name, row["duplicate_of"]))] - row["similarity"]) < 0.1 for name, row in dropped)


@pytest.mark.usefixtures("narrow")
def test_a_hot_bucket_costs_no_more_than_its_documents(tmp_path):
    count = 2000
    page = " ".join(words(40))
    near = [*words(300), "end"]
    rows = [document(f"page{place}", page) for place in range(count)]
    rows += [document(f"near{place}", " ".join([*near, f"tail{place}"])) for place in range(count // 10)]
    found = run(tmp_path, cut(rows, 4))
    assert sum(row["rule"] is None for row in found.values()) == 2
    edges = compared = shingled = 0
    for path in (tmp_path / "out" / "stages").rglob("*.json"):
        counts = json.loads(path.read_text()).get("counts", {})
        edges += counts.get("edges", 0)
        compared += counts.get("compared", 0)
        shingled += counts.get("shingled", 0)
    assert edges <= 16 * len(rows)
    assert shingled == count // 10
    assert compared == count // 10 - 1


@pytest.mark.usefixtures("narrow")
def test_at_most_so_many_of_a_bucket_are_compared_and_the_rest_is_counted(tmp_path):
    common = words(200)
    rows = [document(f"d{place}", " ".join([*common, *words(60, 10**4 * (place + 1))])) for place in range(12)]
    run(tmp_path, {"x": rows}, DeduplicateSettings(threshold=0.99, bands=4, rows=1, compared=2))
    counts = [json.loads(path.read_text())["counts"] for path in (tmp_path / "out" / "stages" / "4f-verify").glob("0*.json")]
    assert sum(count["skipped"] for count in counts) > 0
    assert sum(count["compared"] for count in counts) <= 12 * 4 * 2


def plain_judge(documents, threshold, containment, most, earlier):
    """Judge documents (key, text, shingles, buckets), best first, as `curation.verify` says it; the first few are earlier runs'."""
    kept, by_bucket, fates, seen = [], {}, [], {}
    compared = skipped = 0
    for place, (key, text, shingles, buckets) in enumerate(documents):
        same = [other for other in kept if documents[other][0] == key]
        if place < earlier:
            kept.append(place)
            fates.append((place, None, 1.0))
            if text not in seen:
                seen[text] = (place, None, 1.0)
                for bucket in buckets:
                    by_bucket.setdefault(bucket, []).append(place)
            continue
        if same:
            other = documents[same[0]]
            fates.append((same[0], "same_record", 1.0 if other[1] == text else len(shingles & other[2]) / len(shingles | other[2])))
            continue
        if text in seen:
            survivor, rule, similarity = seen[text]
            fates.append((survivor, rule or "exact", similarity))
            continue
        offered = set()
        for bucket in buckets:
            offered |= set(by_bucket.get(bucket, [])[:most])
            skipped += len(by_bucket.get(bucket, [])[most:])
        fate = (place, None, 1.0)
        for other in sorted(offered):
            both, theirs = len(shingles & documents[other][2]), documents[other][2]
            compared += 1
            if both / len(shingles | theirs) >= threshold:
                fate = (other, "near_duplicate", both / len(shingles | theirs))
                break
            if containment is not None and both / len(shingles) >= containment:
                fate = (other, "contained", both / len(shingles))
                break
        if fate[0] == place:
            kept.append(place)
            for bucket in buckets:
                by_bucket.setdefault(bucket, []).append(place)
        seen[text] = fate
        fates.append(fate)
    return fates, compared, skipped


SHINGLES = st.sets(st.integers(0, 11), min_size=1, max_size=8).map(frozenset)
TEXTS = st.lists(st.tuples(SHINGLES, st.lists(st.integers(0, 4), unique=True, max_size=3)), min_size=1, max_size=10)


@given(
    TEXTS,
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12)), max_size=20),
    st.sampled_from([None, 0.8]),
    st.integers(1, 3),
    st.integers(0, 10),
)
def test_judging_is_that_of_the_plain_twin(texts, chosen, containment, most, earlier):
    documents = [(key, text % len(texts), *texts[text % len(texts)]) for text, key in chosen]
    first = {text: place for place, (_, text, _, _) in reversed(list(enumerate(documents)))}
    stands = [first[text] == place for place, (_, text, _, _) in enumerate(documents)]
    table = pa.table(
        {
            "number": [100 if place < earlier else 0 for place in range(len(documents))],
            "text_hash": pa.array([bytes([text]) * 16 for _, text, _, _ in documents], pa.binary(16)),
            "key": pa.array([bytes([key]) * 16 for key, _, _, _ in documents], pa.binary(16)),
            "buckets": pa.array([own if s else [] for (*_, own), s in zip(documents, stands, strict=True)], pa.large_list(pa.uint64())),
            "shingles": pa.array(
                [sorted(own) if s else [] for (*_, own, _), s in zip(documents, stands, strict=True)], pa.large_list(pa.uint64())
            ),
        }
    )
    rotated = np.roll(np.arange(len(documents)), 1)
    found = judge(table.take(pa.array(np.argsort(rotated))), rotated, 0.6, containment, most, 100)
    fates, compared, skipped = plain_judge(documents, 0.6, containment, most, earlier)
    rules = RULES.take(pa.array(found.rules)).to_pylist()
    assert list(zip(found.survivors.tolist(), rules, found.similarities.tolist(), strict=True)) == fates
    assert (found.compared, found.skipped) == (compared, skipped)


def test_survivor_order(tmp_path):
    text = " ".join(words(60))
    early, late = datetime(2020, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)
    groups = {
        "longer": [document("l1", f"{text} 1"), document("l2", f"{text} 1!!")],
        "earlier": [document("e1", f"{text} 2", date=late), document("e2", f"{text} 2", date=early), document("e3", f"{text} 2")],
        "key": [document("k1", f"{text} 3", key=b"\1" * 16), document("k2", f"{text} 3", key=b"\0" * 16)],
    }
    for name, rows in groups.items():
        found = run(tmp_path / name, {"x": rows})
        assert [key for key, row in found.items() if row["rule"] is None] == [{"longer": "l2", "earlier": "e2", "key": "k2"}[name]]


def test_the_recipes_preference_goes_before_length_and_priority_before_all(tmp_path):
    text = " ".join(words(60))
    rows = [document("long", text + " !!!!", source="b"), document("good", text), document("unmeasured", text + " !!!!!!!!")]
    scores = {"long": 1.0, "good": 4.5, "unmeasured": None}

    def signals(of):
        columns = {"key": [row["key"] for row in of], "id": [row["id"] for row in of], "edu.score": [scores[row["id"]] for row in of]}
        return pa.table(columns, schema=pa.schema([("key", pa.binary(16)), ("id", pa.string()), ("edu.score", pa.float64())]))

    def kept(name, **more):
        found = run(tmp_path / name, more.pop("shards", {"x": rows}), **more)
        return [key for key, row in found.items() if row["rule"] is None]

    assert kept("none") == ["unmeasured"]
    assert kept("score", chosen=DeduplicateSettings(prefer='"edu.score"'), signals=signals) == ["good"]
    assert kept("source", chosen=DeduplicateSettings(prefer="CASE WHEN source = 'b' THEN 1 ELSE 0 END")) == ["long"]
    apart = {"x": rows[1:], "y": rows[:1]}
    chosen = DeduplicateSettings(prefer='"edu.score"')
    assert kept("priority", chosen=chosen, signals=signals, shards=apart, priorities={"x": 1, "y": 0}) == ["long"]


def test_a_misspelt_preference_names_the_columns(tmp_path):
    with pytest.raises(RecipeError, match=r"edu\.scor.*text_bytes"):
        run(tmp_path, {"x": [document("a", "a b c")]}, DeduplicateSettings(prefer='"edu.scor"'))
    with pytest.raises(RecipeError, match="prefer"):
        preference("source", pa.table({"source": ["web"]}))


def test_a_missing_or_endless_preference_is_none():
    table = pa.table({"x": pa.array([1.0, None, float("nan"), float("inf"), -2.0])})
    assert preference("-x", table).to_pylist() == [-1.0, None, None, None, 2.0]
    assert preference("7", table).to_pylist() == [7.0] * 5


def test_dropped_documents_take_no_part(tmp_path):
    text = " ".join(words(60))
    rows = [document("best", text + " !!!"), document("second", text + " !"), document("third", text)]
    found = run(tmp_path, cut(rows, 3), dropped=("best",))
    assert [found[name]["rule"] for name in ("best", "second", "third")] == [None, None, "exact"]
    assert found["third"]["duplicate_of"] == "second"
    assert found["best"]["cluster_size"] == 1


def test_containment_also_drops_what_a_longer_one_holds(tmp_path):
    rows = [document("whole", " ".join(words(150))), document("part", " ".join(words(100)))]
    chosen = DeduplicateSettings(bands=56, rows=2)
    assert run(tmp_path / "off", {"x": rows}, chosen)["part"]["rule"] is None
    found = run(tmp_path / "on", {"x": rows}, DeduplicateSettings(bands=56, rows=2, containment=0.9))
    assert (found["part"]["rule"], found["part"]["similarity"]) == ("contained", 1.0)


def test_generated_documents_are_held_against_the_kept(tmp_path):
    text = words(80)
    web = [document("kept", " ".join([*text, "more"])), document("copy", " ".join(text)), document("bad", " ".join(words(80, 1000)))]
    made = [document("new", " ".join(words(80, 2000))), document("near", " ".join([*text, "much longer", *words(9, 500)]))]
    made += [document("of bad", " ".join(words(80, 1000)))]
    chosen = DeduplicateSettings()
    with Session.open(Location.of(tmp_path / "out"), LocalRunner()) as session:
        web_shard, made_shard = write_documents(tmp_path, "web", web), write_documents(tmp_path, "made", made)
        judged = write(tmp_path / "verdicts", "web", verdicts(web, {"bad"}))
        (signed,) = sign_documents(session, [web_shard], chosen.minhash)
        (first,) = deduplicate(session, [Part(web_shard, signed, (judged,))], chosen)
        with session.within("synthetic"):
            (signed_made,) = sign_documents(session, [made_shard], chosen.minhash)
            parts = [Part(web_shard, signed, (judged, first)), Part(made_shard, signed_made, priority=1)]
            second, again = deduplicate(session, parts, chosen)
    assert read(first)["duplicate_of"].to_pylist() == [None, "kept", None]
    assert read(again)["rule"].to_pylist() == [None] * 3
    assert read(second)["duplicate_of"].to_pylist() == [None, "kept", None]


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
                parts.append(Part(shard, signature, (judged,), priority=turn - 1 - len(earlier) if turn else 0, run=name))
        found = deduplicate(session, parts, chosen)
    assert [shard.name for shard in found] == sorted(shards)
    rows = [{"id": row["id"], **fate} for shard in found for row, fate in zip(shards[shard.name], read(shard).to_pylist(), strict=True)]
    return {row["id"]: row for row in rows}


def by_comparing_all(new, earlier):
    """Return (duplicate_of, rule, similarity) of new documents, by id, each judged by the plain twin among all documents there are."""
    settings = DeduplicateSettings().minhash
    best = sorted(new, key=lambda row: (-row["text_bytes"], row["key"]))
    rows = [*(row for held in earlier for row in sorted(held, key=lambda row: (-row["text_bytes"], row["key"]))), *best]
    column = TextColumn.from_strings([row["text"] for row in rows])
    signed, found = sign(column, settings), distinct(shingle(column, settings.ngram, settings.characters))
    buckets = bucket_hashes(signed.signatures, settings).T.tolist()
    shingles = [set(found.hashes[a:b].tolist()) for a, b in zip(found.offsets, found.offsets[1:], strict=False)]
    documents = [
        (row["key"], tuple(text), *both) for row, text, *both in zip(rows, signed.text_hashes.tolist(), shingles, buckets, strict=True)
    ]
    first = len(rows) - len(new)
    fates, _, _ = plain_judge(documents, 0.75, None, 8, first)
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
    narrow = run_against(tmp_path / "narrow", cut(new, 5), {"older": cut(older, 4), "old": cut(old[::-1], 2)})
    assert facts(narrow) == facts(wide)


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
        hashes = bucket_hashes(sign(TextColumn.from_strings([candidate, text, other]), MinHashSettings()).signatures, MinHashSettings())
        if (hashes[:, 0] == hashes[:, 1]).any() and not (hashes[:, 0] == hashes[:, 2]).any():
            return candidate
    raise AssertionError("there is no such text among a thousand")


def gathered(folder):
    """Return how many documents were compared, and how many of them were shingled for it."""
    counts = [json.loads(path.read_text())["counts"] for path in (folder / "out/stages/4e-comparison").glob("0*.json")]
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

    whole = curation.comparison.gather

    def damaged(row_groups):
        def gather(session, groups, *rest):
            for row_group in row_groups:
                damage_text(Path(groups[-1].members[0].documents.location.path), row_group)
            return whole(session, groups, *rest)

        return gather

    monkeypatch.setattr("curation.deduplicate.gather", damaged([0, 2]))
    assert fates(tmp_path / "unread") == expected
    assert gathered(tmp_path / "unread") == {"documents": 4, "shingled": 2}
    monkeypatch.setattr("curation.deduplicate.gather", damaged([1]))
    with pytest.raises(ShardsFailed, match="row group 1, is damaged"):
        fates(tmp_path / "read")


def test_an_earlier_run_goes_before_this_one(tmp_path):
    with Session.open(Location.of(tmp_path / "out"), LocalRunner()) as session:
        shard = write_documents(tmp_path, "x", [document("a", "a b c")])
        (signed,) = sign_documents(session, [shard], DeduplicateSettings().minhash)
        with pytest.raises(ValueError, match="priority must be below"):
            deduplicate(session, [Part(shard, signed), Part(shard, signed, run="old")], DeduplicateSettings())


def test_a_new_threshold_only_verifies_again(tmp_path):
    shards = cut(noisy_corpus(5, 5), 2)
    run(tmp_path, shards)
    run(tmp_path, shards, DeduplicateSettings(threshold=0.9))
    made = [
        [stage["stage"] for stage in session["stages"] if stage["made"]]
        for session in json.loads((tmp_path / "out" / "run.json").read_text())["sessions"]
    ]
    assert len(made[0]) == 7
    assert made[1] == ["4f-verify", "4-deduplicate"]


def test_no_documents_and_empty_shards(tmp_path):
    assert run(tmp_path / "none", {}) == {}
    found = run(tmp_path / "empty", {"a": [], "b": [document("x", "a b c")], "c": []})
    assert found["x"]["rule"] is None
    assert run(tmp_path / "all-empty", {"a": []}) == {}


def test_side_shards_of_other_rows_or_settings_are_refused(tmp_path):
    rows = [document("a", "one two"), document("b", "three four")]
    first, other = write_documents(tmp_path, "x", rows), write_documents(tmp_path / "other", "x", rows[::-1])
    with Session.open(Location.of(tmp_path / "out"), LocalRunner()) as session:
        (signed,) = sign_documents(session, [first], DeduplicateSettings().minhash)
        with pytest.raises(InputError, match="signed with"):
            deduplicate(session, [Part(first, signed)], DeduplicateSettings(bands=20, rows=13))
        with pytest.raises(Exception, match="do not hold the same rows") as raised:
            deduplicate(session, [Part(other, signed)], DeduplicateSettings())
        assert CorruptShard.__name__ in str(raised.value)


@pytest.mark.parametrize(
    "wrong", [{"threshold": 0}, {"threshold": 1.5}, {"containment": 0.0}, {"compared": 0}, {"bands": 0}, {"prefer": "(("}]
)
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DeduplicateSettings(**wrong)


def final_ids(folder, shards):
    with Session.open(Location.of(folder / "out"), LocalRunner()) as session:
        written = [write_documents(folder / "documents", name, rows) for name, rows in shards.items()]
        found = resolve_ids(session, written)
        assert [shard.name for shard in found] == sorted(shards)
        return {shard.name: read(shard)["id"].to_pylist() for shard in found}


def test_an_id_with_several_keys_is_made_several_ids(tmp_path, request):
    keys = [bytes([0, 0, 0, 0]) + bytes([place]) * 12 for place in range(3)] + [b"\7" * 16]
    shards = {
        "a": [document("x", "1", key=keys[3]), document("x", "2", key=keys[1]), document("y", "3", key=keys[1])],
        "b": [document("x", "4", key=keys[2]), document("x", "5", key=keys[0]), document("x", "6", key=keys[3]), document("z", "7")],
        "c": [],
    }
    expected = {"a": [f"x~{'07' * 4}", f"x~{keys[1].hex()}", "y"], "b": [f"x~{keys[2].hex()}", "x", f"x~{'07' * 4}", "z"], "c": []}
    assert final_ids(tmp_path / "wide", shards) == expected
    request.getfixturevalue("narrow")
    assert final_ids(tmp_path / "narrow", shards) == expected


def test_ids_reach_duplicates(tmp_path):
    text = " ".join(words(40))
    rows = [document("x", text + "!!"), document("x", text)]
    with Session.open(Location.of(tmp_path / "out"), LocalRunner()) as session:
        shard = write_documents(tmp_path, "a", rows)
        (ids,) = resolve_ids(session, [shard])
        (signed,) = sign_documents(session, [shard], DeduplicateSettings().minhash)
        (found,) = deduplicate(session, [Part(shard, signed, ids=ids)], DeduplicateSettings())
        assert read(found)["duplicate_of"].to_pylist() == [None, read(ids)["id"].to_pylist()[0]]

"""Deduplication end to end, on real stages: what is dropped, for whom, and that nothing but the documents decides it."""

import json
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from datasketch import MinHashLSH
from hypothesis import given, settings
from hypothesis import strategies as st

import curation.duplicates.candidates
import curation.duplicates.compare
import curation.duplicates.components
import curation.duplicates.gather
import curation.ingest.record_ids
import curation.shuffle.exchange
import curation.shuffle.merging
import curation.shuffle.numbering
from curation.duplicates.compare import documents_of
from curation.duplicates.deduplicate import DeduplicateSettings, deduplicate
from curation.duplicates.minhash import MinHashSettings
from curation.duplicates.parts import DuplicatesPart
from curation.duplicates.resolve import DUPLICATE_RULES, Resolver
from curation.duplicates.sign import sign_documents
from curation.duplicates.survivors import preference
from curation.engine.runner import LocalRunner
from curation.engine.session import Session
from curation.errors import CorruptShard, InputError, RecipeError
from curation.ingest.record_ids import resolve_ids
from curation.storage.location import Location
from curation.storage.shards import read_shard
from tests.deduplicating import cut, document, facts, run, verdicts, words, write, write_documents
from tests.meeting import meets, met
from tests.planted import jaccard


@pytest.fixture
def narrow(monkeypatch):
    """Cut work into many small groups, ranges, runs and row groups."""
    monkeypatch.setattr(curation.shuffle.exchange, "EXCHANGE_ROW_GROUP_BYTES", 2000)
    monkeypatch.setattr(curation.duplicates.candidates, "BUCKETS_PER_UNIT", 97)
    monkeypatch.setattr(curation.duplicates.components, "SHARE_ROWS", 100)
    monkeypatch.setattr(curation.duplicates.components, "COMPONENT_RUN_BYTES", 2000)
    monkeypatch.setattr(curation.shuffle.merging, "FAN_IN", 4)
    monkeypatch.setattr(curation.ingest.record_ids, "IDS_PER_UNIT", 3)
    monkeypatch.setattr(curation.duplicates.gather, "GATHERED_RUN_BYTES", 20_000)
    monkeypatch.setattr(curation.duplicates.compare, "COMPARED_RANGE_BYTES", 20_000)
    monkeypatch.setattr(curation.duplicates.compare, "STRETCH_BYTES", 3_000)
    monkeypatch.setattr(curation.shuffle.numbering.numbered_groups, "__defaults__", (40, 1 << 30))


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
@meets(dropped=90, kept=60)
@given(shift=st.integers(10, 24), length=st.integers(4, 12), salt=st.integers(0, 9))
def test_in_a_chain_each_dropped_one_is_like_the_one_kept(tmp_path_factory, shift, length, salt):
    texts = {f"d{step}": " ".join(words(200, salt * 10**6 + step * shift)) for step in range(length)}
    found = run(tmp_path_factory.mktemp("chain"), cut([document(name, text) for name, text in texts.items()], 2))
    dropped = {name: row for name, row in found.items() if row["rule"] is not None}
    assert dropped
    assert len(dropped) < length - 1 or jaccard(texts["d0"], texts[f"d{length - 1}"]) > 0.5
    for name, row in dropped.items():
        assert row["similarity"] == jaccard(texts[name], texts[row["duplicate_of"]]) >= 0.75
    met["dropped"] += len(dropped)
    met["kept"] += length - len(dropped)


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
    counts = [json.loads(path.read_text())["counts"] for path in (tmp_path / "out" / "stages" / "4f-compare").glob("0*.json")]
    assert sum(count["skipped"] for count in counts) > 0
    assert sum(count["compared"] for count in counts) <= 12 * 4 * 2


def plain_resolve(documents, threshold, containment, most, earlier):
    """Resolve documents (key, text, shingles, buckets, url), best first, as `curation.duplicates.compare` says it.

    The first few are documents of earlier runs.
    """
    kept, by_bucket, fates, seen = [], {}, [], {}
    compared = skipped = 0
    for place, (key, text, shingles, buckets, url) in enumerate(documents):
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
        found = [other for other in kept if url is not None and documents[other][4] == url]
        if found:
            theirs = documents[found[0]][2]
            fates.append((found[0], "same_url", len(shingles & theirs) / len(shingles | theirs)))
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


BASE = frozenset(range(10))
KEYS = st.integers(0, 40)
URLS = st.sampled_from([None, None, None, None, "a"])
_CHANGED = st.sets(st.integers(0, 19), max_size=6)
SHINGLES = st.one_of(
    _CHANGED.map(lambda changed: BASE ^ changed),
    _CHANGED.map(lambda added: BASE | added),
    st.sets(st.integers(0, 9), min_size=5, max_size=6).map(frozenset),
)
"""Sets near one base, more than it, or a part of it: most pairs are about as like each other as threshold and containment ask."""

TEXTS = st.lists(st.tuples(SHINGLES, st.lists(st.integers(0, 2), unique=True, min_size=1, max_size=2)), min_size=8, max_size=24)


def test_resolving_is_that_of_the_plain_twin():
    @meets(
        near_duplicate=100,
        contained=30,
        exact=20,
        same_record=20,
        same_url=20,
        skipped=20,
        compared=200,
        at_the_threshold=5,
        at_the_containment=5,
    )
    @given(
        TEXTS,
        st.lists(st.tuples(st.integers(0, 23), KEYS, URLS), min_size=8, max_size=24),
        st.sampled_from([None, 0.8, 1.0, 1.0]),
        st.integers(1, 3),
        st.integers(0, 2),
        st.sets(st.integers(1, 23), max_size=5),
    )
    def compare(texts, chosen, containment, most, earlier, cuts):
        documents = [(key, text % len(texts), *texts[text % len(texts)], url) for text, key, url in chosen]
        fates, compared, skipped = plain_resolve(documents, 0.6, containment, most, earlier)
        assert resolved(documents, 0.6, containment, most, earlier, cuts) == (fates, compared, skipped)
        met.update(rule for _, rule, _ in fates)
        met["at_the_threshold"] += sum(rule == "near_duplicate" and similarity == 0.6 for _, rule, similarity in fates)
        met["at_the_containment"] += sum(rule == "contained" and similarity == containment for _, rule, similarity in fates)
        met["compared"] += compared
        met["skipped"] += skipped

    compare()


def resolved(documents, threshold, containment, most, earlier, cuts):
    """Resolve documents (key, text, shingles, buckets, url), best first, in stretches that end at `cuts`."""
    first = {text: place for place, (_, text, *_) in reversed(list(enumerate(documents)))}
    stands = [first[text] == place for place, (_, text, *_) in enumerate(documents)]
    table = pa.table(
        {
            "number": [100 if place < earlier else 0 for place in range(len(documents))],
            "text_hash": pa.array([bytes([text]) * 16 for _, text, *_ in documents], pa.binary(16)),
            "key": pa.array([bytes([key]) * 16 for key, *_ in documents], pa.binary(16)),
            "buckets": pa.array([own if s else [] for (*_, own, _), s in zip(documents, stands, strict=True)], pa.large_list(pa.uint64())),
            "url": pa.array([url for *_, url in documents], pa.string()),
        }
    )
    rotated = np.roll(np.arange(len(documents)), 1)
    resolver = Resolver(documents_of(table.take(pa.array(np.argsort(rotated))), 100), rotated, threshold, containment, most)
    bounds = [0, *sorted(cut for cut in cuts if cut < len(documents)), len(documents)]
    for begin, end in pairwise(bounds):
        awaited = resolver.awaited(begin, end)
        own = [sorted(documents[list(rotated).index(row)][2]) for row in awaited]
        resolver.take(
            begin, end, awaited, np.cumsum([0, *map(len, own)]), np.array([shingle for each in own for shingle in each], np.uint64)
        )
    found = resolver.resolved()
    rules = DUPLICATE_RULES.take(pa.array(found.rules)).to_pylist()
    return list(zip(found.survivors.tolist(), rules, found.similarities.tolist(), strict=True)), found.compared, found.skipped


@pytest.mark.usefixtures("narrow")
def test_the_best_document_of_one_url_stays_where_the_recipe_asks(tmp_path):
    urls = ["https://www.lake.example/boats/", "http://lake.example/boats?utm_source=x", "https://Lake.example/boats#prices"]
    rows = [document(f"v{place}", " ".join(words(60 + place, 1000 * place)), url=url) for place, url in enumerate(urls)]
    rows += [document("copy", " ".join(words(61, 1000)), url="https://lake.example/other"), document("none", " ".join(words(30, 9000)))]
    rows += [document("none too", " ".join(words(30, 9500))), document("half", " ".join(words(40, 2000)), url=urls[0])]
    assert {row["rule"] for row in run(tmp_path / "off", cut(rows, 3)).values()} == {None, "exact"}
    found = run(tmp_path / "on", cut(rows, 3), DeduplicateSettings(by_url=True))
    assert {name: row["rule"] for name, row in found.items() if row["rule"] is not None} == dict.fromkeys(["v0", "v1", "half"], "same_url")
    assert {row["duplicate_of"] for row in found.values()} == {None, "v2"}
    assert [found[name]["similarity"] for name in ("v0", "half")] == [0.0, jaccard(rows[-1]["text"], rows[2]["text"])]
    again = run(tmp_path / "again", cut(rows[::-1], 2), DeduplicateSettings(by_url=True), workers=2)
    assert facts(again) == facts(found)


def test_a_hash_that_two_urls_share_makes_no_duplicate(tmp_path, monkeypatch):
    monkeypatch.setattr(curation.duplicates.candidates, "url_hash", lambda form: 7)
    rows = [document(f"d{place}", " ".join(words(60, 100 * place)), url=f"https://lake.example/{place // 2}") for place in range(6)]
    found = run(tmp_path, {"x": rows}, DeduplicateSettings(by_url=True))
    assert sum(row["rule"] == "same_url" for row in found.values()) == 3
    for place in range(0, 6, 2):
        assert {found[f"d{place}"]["cluster"]} == {found[f"d{place + 1}"]["cluster"]}


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


def test_a_listed_source_goes_before_preference_and_length(tmp_path):
    text = " ".join(words(60))
    rows = [
        document("long", text + " !!!!", source="mirror"),
        document("own", text, source="journal"),
        document("blog", text, source="blog"),
    ]

    def kept(name, sources):
        found = run(tmp_path / name, cut(rows, 2), DeduplicateSettings(sources=sources, prefer="text_bytes"))
        return [key for key, row in found.items() if row["rule"] is None]

    assert kept("none", ()) == ["long"]
    assert kept("one", ("journal",)) == ["own"]
    assert kept("two", ("blog", "journal")) == ["blog"]
    assert kept("other", ("elsewhere",)) == ["long"]


def test_bands_are_given_named_or_chosen_for_the_threshold():
    assert DeduplicateSettings().minhash == MinHashSettings(bands=14, rows=8)
    assert DeduplicateSettings(preset="20x13").minhash == MinHashSettings(bands=20, rows=13)
    chosen = DeduplicateSettings(permutations=128, threshold=0.7, unit="character", ngram=13).minhash
    lsh = MinHashLSH(threshold=0.7, num_perm=128)
    assert chosen == MinHashSettings(13, lsh.b, lsh.r, unit="character")
    for wrong, message in (
        ({"preset": "14x8", "bands": 14, "rows": 8}, "bands and preset both"),
        ({"preset": "14x8", "permutations": 112}, "preset and permutations both"),
        ({"bands": 14}, "go together"),
        ({"preset": "14x9"}, "did you mean '14x8'"),
        ({"permutations": 0}, "permutations must be"),
    ):
        with pytest.raises(ValueError, match=message):
            DeduplicateSettings(**wrong)


def test_character_shingles_bear_with_misspelt_words(tmp_path):
    text = words(60)
    wrong = [f"{word}x" if place % 6 == 0 else word for place, word in enumerate(text)]
    rows = [document("right", " ".join(text) + " and on"), document("wrong", " ".join(wrong))]
    assert {row["rule"] for row in run(tmp_path / "words", {"x": rows}).values()} == {None}
    chosen = DeduplicateSettings(unit="character", ngram=5, bands=28, rows=4)
    assert {row["rule"] for row in run(tmp_path / "characters", {"x": rows}, chosen).values()} == {None, "near_duplicate"}


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
        (first,) = deduplicate(session, [DuplicatesPart(web_shard, signed, (judged,))], chosen)
        with session.within("synthetic"):
            (signed_made,) = sign_documents(session, [made_shard], chosen.minhash)
            parts = [DuplicatesPart(web_shard, signed, (judged, first)), DuplicatesPart(made_shard, signed_made, priority=1)]
            second, again = deduplicate(session, parts, chosen)
    assert read_shard(first)["duplicate_of"].to_pylist() == [None, "kept", None]
    assert read_shard(again)["rule"].to_pylist() == [None] * 3
    assert read_shard(second)["duplicate_of"].to_pylist() == [None, "kept", None]


def test_a_new_threshold_only_verifies_again(tmp_path):
    shards = cut(noisy_corpus(5, 5), 2)
    run(tmp_path, shards)
    run(tmp_path, shards, DeduplicateSettings(threshold=0.9))
    made = [
        [stage["stage"] for stage in session["stages"] if stage["made"]]
        for session in json.loads((tmp_path / "out" / "run.json").read_text())["sessions"]
    ]
    assert len(made[0]) == 8
    assert made[1] == ["4f-compare", "4-deduplicate"]


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
            deduplicate(session, [DuplicatesPart(first, signed)], DeduplicateSettings(bands=20, rows=13))
        with pytest.raises(Exception, match="do not hold the same rows") as raised:
            deduplicate(session, [DuplicatesPart(other, signed)], DeduplicateSettings())
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
        return {shard.name: read_shard(shard)["id"].to_pylist() for shard in found}


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
        (found,) = deduplicate(session, [DuplicatesPart(shard, signed, ids=ids)], DeduplicateSettings())
        assert read_shard(found)["duplicate_of"].to_pylist() == [None, read_shard(ids)["id"].to_pylist()[0]]

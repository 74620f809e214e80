"""Repeated lines: what is cut of which document against a plain twin, and that nothing but the documents decides it."""

import json
import re
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import curation.repeats.repeated_lines
import curation.shuffle.exchange
import curation.shuffle.numbering
from curation.engine.runner import LocalRunner
from curation.engine.session import Session
from curation.repeats.cuts import CUTS, Spans, spans_of, without
from curation.repeats.passages import find_passages
from curation.repeats.repeated_lines import LinesPart, RepeatedLinesSettings, cut_repeated_lines, taking_part
from curation.schema import DOCUMENTS, VERDICTS
from curation.storage.location import Location
from curation.storage.record_keys import record_key
from curation.storage.shards import ShardWriter, read_shard
from curation.text.text import Text
from tests.meeting import meets, met
from tests.running import curate, made, shards

LINES = st.sampled_from(["", " ", "menu", " menu ", "MENU!", "wörld of", "a tale", "--", "tail\t", "Ménu"])
TEXTS = st.lists(st.lists(LINES, min_size=1, max_size=7).map("\n".join), min_size=1, max_size=7)
SETTINGS = st.builds(
    RepeatedLinesSettings,
    unit=st.sampled_from(["line", "paragraph"]),
    keep_first=st.integers(1, 2),
    min_characters=st.sampled_from([1, 5]),
    fold=st.booleans(),
    max_share=st.sampled_from([None, 0.5]),
)


def plain_passages(text, unit):
    """Return (passages, what parts them): those of a text, in order."""
    if unit == "line":
        return text.split("\n")
    return re.split("\n{2,}", text.strip())


def plain_form(passage, fold):
    """Return what tells whether passages are equal, None where there is nothing to compare."""
    if not fold:
        return passage.strip() or None
    words = re.findall(r"\w+", passage.lower().replace("é", "e").replace("ö", "o"))
    return " ".join(words) or None


def plain_cut(lines, goes):
    """Return the lines without those that go and the blank ones that go along, as the docstring of `curation.repeats.cuts` says it."""
    goes = list(goes)
    blank = [not line.strip() for line in lines]
    for place in range(len(lines)):
        if blank[place] and place and goes[place - 1]:
            run = place - 1
            while run >= 0 and goes[run]:
                run -= 1
            goes[place] = goes[place] or run < 0 or blank[run] or any(blank[between] for between in range(run + 1, place))
    for order in (range(len(lines)), range(len(lines) - 1, -1, -1)):
        edge = []
        for place in order:
            if not (goes[place] or blank[place]):
                break
            edge.append(place)
        if any(goes[place] for place in edge):
            for place in edge:
                goes[place] = True
    return "\n".join(line for line, gone in zip(lines, goes, strict=True) if not gone)


@meets(gone=89, left=100)
@given(st.lists(st.tuples(LINES, st.booleans()), min_size=1, max_size=9))
def test_lines_that_go_leave_the_others_joined_as_before(chosen):
    lines, goes = [line for line, _ in chosen], [go and bool(line.strip()) for line, go in chosen]
    text = Text.from_strings(["before", "\n".join(lines), ""])
    passages = find_passages(text, "line", False)
    marks = pa.array([False, *goes, False]).to_numpy(zero_copy_only=False)
    spans = spans_of(text, passages, marks)
    left = without(text, spans)
    assert [left.string(place) for place in (0, 2)] == ["before", ""]
    assert left.string(1) == plain_cut(lines, goes)
    pairs = list(zip(spans.starts.tolist(), spans.ends.tolist(), strict=True))
    assert all(start < end for start, end in pairs)
    assert all(end < start for (_, end), (start, _) in pairwise(pairs))
    met.update("gone" if go else "left" for go in goes)
    again = Spans.from_arrow(pa.chunked_array([spans.to_arrow().slice(0, 1), spans.to_arrow().slice(1)]))
    assert without(text, again).string(1) == left.string(1)


@meets(gone=60, left=60)
@given(st.lists(st.tuples(st.sampled_from(["a b", "tale\nof two", "é"]), st.booleans(), st.sampled_from(["\n\n", "\n\n\n\n"])), min_size=1))
def test_paragraphs_that_go_leave_the_others_parted_as_before(chosen):
    whole = "".join(paragraph + gap for paragraph, _, gap in chosen)[: -len(chosen[-1][2])]
    text = Text.from_strings([whole])
    marks = pa.array([go for _, go, _ in chosen]).to_numpy(zero_copy_only=False)
    left = without(text, spans_of(text, find_passages(text, "paragraph", False), marks)).string(0)
    stay = [paragraph for paragraph, go, _ in chosen if not go]
    assert left.split("\n\n") == stay or re.split("\n{2,}", left) == stay or left == "" == "".join(stay)
    assert left == left.strip()
    met.update("gone" if go else "left" for _, go, _ in chosen)


@meets(equal=60, nothing=40)
@example(["}\n\nI\n}", "I"], "line", False)
@example(["}\n\nI\n\n}", "I"], "paragraph", True)
@given(st.lists(st.lists(LINES, max_size=6).map("\n".join), max_size=5), st.sampled_from(["line", "paragraph"]), st.booleans())
def test_passages_are_equal_where_the_plain_twin_says_so(texts, unit, fold):
    found = find_passages(Text.from_strings(texts), unit, fold)
    plain = [passage for text in texts for passage in plain_passages(text, unit)]
    forms = [plain_form(passage, fold) for passage in plain]
    assert [bool(flag) for flag in found.comparable] == [form is not None for form in forms]
    assert found.characters.tolist() == [len(passage.strip()) for passage in plain]
    assert found.sizes.tolist() == [len(passage.strip().encode()) for passage in plain]
    known = {}
    for form, value in zip(forms, found.hashes.tolist(), strict=True):
        if form is not None:
            assert known.setdefault(form, value) == value
    assert len(set(known.values())) == len(known)
    met["nothing"] += forms.count(None)
    met["equal"] += len(forms) - forms.count(None) - len(known)
    assert taking_part(found, 5).tolist() == [form is not None and len(text.strip()) >= 5 for form, text in zip(forms, plain, strict=True)]


def document(name, text):
    key = record_key(name, None, text.encode())
    return {
        "key": key,
        "id": name,
        "url": None,
        "source": "test",
        "file_path": "x",
        "offset": 0,
        "text_bytes": len(text.encode()),
        "text": text,
    }


def write(folder, name, table):
    with ShardWriter(name, Location.of(folder) / f"{name}.parquet", table.schema) as writer:
        for start in range(0, table.num_rows, 3):
            writer.write(table.slice(start, 3))
    return writer.shard


def run(folder, parted, settings, *, dropped=(), workers=1, reverse=False):
    """Return id -> (text that is left, row of CUTS) of documents in shards (name -> rows)."""
    runner = LocalRunner(workers)
    with Session.open(Location.of(folder / "out"), runner) as session:
        candidates = []
        for name, rows in parted.items():
            verdicts = [{"key": row["key"], "rule": "some.rule" if row["id"] in dropped else None} for row in rows]
            documents = write(folder / "documents", name, pa.Table.from_pylist(rows, DOCUMENTS))
            candidates.append(LinesPart(documents, (write(folder / "verdicts", name, pa.Table.from_pylist(verdicts, VERDICTS)),)))
        found = cut_repeated_lines(session, candidates[::-1] if reverse else candidates, settings)
    runner.close()
    assert [shard.name for shard in found.cuts] == sorted(parted)
    left = {}
    for shard in found.cuts:
        table = read_shard(shard)
        assert table.schema == CUTS
        rows = parted[shard.name]
        texts = without(Text.from_strings([row["text"] for row in rows]), Spans.from_arrow(table["spans"]))
        for place, (row, cut) in enumerate(zip(rows, table.to_pylist(), strict=True)):
            assert cut["key"] == row["key"]
            assert cut["cut_bytes"] == len(row["text"].encode()) - len(texts.string(place).encode())
            left[row["id"]] = (texts.string(place), {name: cut[name] for name in ("rule", "value", "threshold", "passages")})
    return left


def plain(rows, settings, dropped=()):
    """Return the same by plain means, for texts without blank lines or blank ends."""
    seen, goes = defaultdict(int), {}
    ordered = sorted(rows, key=lambda row: int.from_bytes(row["key"][:8], "little"))
    for row in ordered:
        own = plain_passages(row["text"], settings.unit)
        goes[row["id"]] = [False] * len(own)
        for place, passage in enumerate(own if row["id"] not in dropped else []):
            form = plain_form(passage, settings.fold)
            if form is not None and len(passage.strip()) >= settings.min_characters:
                goes[row["id"]][place] = seen[form] >= settings.keep_first
                seen[form] += 1
    left = {}
    for row in rows:
        own = plain_passages(row["text"], settings.unit)
        gone = goes[row["id"]]
        sizes = [len(passage.strip().encode()) for passage in own]
        share = sum(size for size, go in zip(sizes, gone, strict=True) if go) / max(1, sum(sizes))
        mostly = settings.max_share is not None and share > settings.max_share
        rule = "only_repeated_lines" if share == 1 else "mostly_repeated_lines" if mostly else None
        text = plain_cut(own, gone) if settings.unit == "line" else None
        facts = {"rule": rule, "value": share if any(gone) else None, "passages": sum(gone)}
        left[row["id"]] = (text, facts | {"threshold": settings.max_share if rule == "mostly_repeated_lines" else None})
    return left


@pytest.fixture
def narrow(monkeypatch):
    """Cut work into many small groups, ranges, runs and row groups."""
    monkeypatch.setattr(curation.shuffle.exchange, "EXCHANGE_ROW_GROUP_BYTES", 100)
    monkeypatch.setattr(curation.repeats.repeated_lines, "RUN_ROWS", 4)
    monkeypatch.setattr(curation.repeats.repeated_lines, "REPEATS_PER_UNIT", 5)
    monkeypatch.setattr(curation.shuffle.numbering.numbered_groups, "__defaults__", (4, 1 << 30))


def check(folder, texts, settings, shards):
    """Compare what is cut with the twin's cuts, and return how often each rule drops a document, and how many passages go."""
    rows = [document(f"d{place}", text) for place, text in enumerate(texts)]
    parted = {f"shard-{place}": rows[place::shards] for place in range(shards)}
    found, expected = run(folder, parted, settings), plain(rows, settings)
    for name, (text, facts) in expected.items():
        assert found[name][1] == facts, name
        assert text is None or found[name][0] == text
    rules = Counter(facts["rule"] for _, facts in expected.values() if facts["rule"])
    return rules + Counter(passages=sum(facts["passages"] for _, facts in expected.values()))


@pytest.mark.usefixtures("narrow")
def test_what_is_cut_is_that_of_the_plain_twin_in_many_small_pieces(tmp_path_factory):
    @meets(mostly_repeated_lines=5, only_repeated_lines=10, passages=50)
    @given(TEXTS, SETTINGS, st.integers(1, 4))
    def check_one(texts, settings, pieces):
        met.update(check(tmp_path_factory.mktemp("run"), texts, settings, pieces))

    check_one()


def test_what_is_cut_is_that_of_the_plain_twin(tmp_path):
    texts = [f"the menu of all pages\nown line {place} of this page\nthe notice of {place % 3}" for place in range(40)]
    for number, settings in enumerate([RepeatedLinesSettings(), RepeatedLinesSettings(keep_first=3, min_characters=1, max_share=0.4)]):
        check(tmp_path / str(number), texts, settings, 3)


def test_workers_order_and_grouping_change_nothing(tmp_path, request):
    rows = [document(f"d{place}", f"one line for every page\nline number {place % 7} of some pages\nown {place}") for place in range(50)]
    settings = RepeatedLinesSettings(keep_first=2, min_characters=4)
    whole = run(tmp_path / "whole", {"a": rows}, settings, dropped={"d3"})
    assert whole == run(tmp_path / "apart", {f"s{n}": rows[n::5] for n in range(5)}, settings, dropped={"d3"}, reverse=True, workers=2)
    assert sum("one line for every page" in text for text, _ in whole.values()) == 2 + 1
    assert whole["d3"][1]["passages"] == 0
    request.getfixturevalue("narrow")
    assert whole == run(tmp_path / "narrow", {f"s{n}": rows[n::5] for n in range(5)}, settings, dropped={"d3"})


@pytest.mark.usefixtures("narrow")
def test_a_line_on_every_page_costs_few_rows(tmp_path):
    rows = [document(f"d{place}", "the same menu on every page") for place in range(60)]
    run(tmp_path, {"a": rows}, RepeatedLinesSettings())
    counts = [json.loads(path.read_text())["counts"] for path in (tmp_path / "out/stages/4h-repeats").glob("0*.json")]
    left = sum(count["passages"] for count in counts)
    assert left <= 60 / 4 + 1
    counts = [json.loads(path.read_text())["counts"] for path in (tmp_path / "out/stages/4g-lines").glob("0*.json")]
    assert [sum(count[name] for count in counts) for name in ("passages", "surplus")] == [60, 60 - left]


def test_nothing_to_look_at(tmp_path):
    rows = [document("a", "a line that is dropped"), document("b", "a line that is dropped")]
    found = run(tmp_path, {"x": rows, "y": []}, RepeatedLinesSettings(), dropped={"a", "b"})
    assert [facts["passages"] for _, facts in found.values()] == [0, 0]


@pytest.mark.parametrize("wrong", [{"keep_first": 0}, {"min_characters": 0}, {"max_share": 0.0}, {"max_share": 1.0}])
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RepeatedLinesSettings(**wrong)


NOTICE = "All pages of this station show this long notice about opening hours."
RECIPE = """
[deduplicate]

[repeated_lines]
min_characters = 30

[synthesize]
teacher = { name = "procedural" }
tasks = [{ name = "worked_problem", count = 5 }]
"""


def pages(folder: Path) -> None:
    """Write pages that share a notice, and twice each some that are made of the lines of two pages."""
    subjects = ["tides", "levers", "seeds", "bridges", "ferries", "clocks", "maps", "kites", "wells", "mills", "looms", "kilns"]
    lines = {s: [f"About {s} there is line {n} to be read and learned by heart, says {s}." for n in range(6)] for s in subjects}
    texts = {s: "\n".join([NOTICE, *own]) for s, own in lines.items()}
    for number, (one, other) in enumerate(zip(subjects, [*subjects[1:], subjects[0]], strict=True)):
        mixed = "\n".join([*lines[one][:3], *lines[other][3:]])
        texts |= {f"mixed{number}": mixed, f"mixed{number}-again": mixed}
    rows = [{"id": name, "text": text, "url": f"https://station.example/{name}"} for name, text in texts.items()]
    folder.mkdir(parents=True)
    for number in range(3):
        (folder / f"part-{number}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[number::3]))


def test_through_the_command_line(tmp_path: Path) -> None:
    pages(tmp_path / "input")
    (tmp_path / "recipe.toml").write_text(RECIPE)
    out = tmp_path / "out"

    def go(*options: object) -> str:
        return curate("run", tmp_path / "recipe.toml", tmp_path / "input/*.jsonl", "--out", out, *options)

    told = json.loads(go("--json"))
    data = pl.read_parquet(out / "dataset/data/*.parquet")
    web = data.filter(pl.col("origin") == "web")
    assert web["text"].str.contains(NOTICE, literal=True).sum() == 1
    lines = [line for text in web["text"] for line in text.split("\n") if len(line) >= 30]
    assert len(lines) == len(set(lines))
    assert data["token_count"].to_list() == [round(len(text.encode()) / 4) for text in data["text"]]
    ledger = pl.read_parquet(out / "ledger/*.parquet")
    fates = {row["id"]: row for row in ledger.iter_rows(named=True)}
    assert told["books"]["faults"] == []
    assert json.loads(curate("verify", out, "--json"))["faults"] == []
    whole = {row["id"]: row["text"] for path in (tmp_path / "input").glob("*") for row in map(json.loads, path.read_text().splitlines())}
    kept_bytes = sum(len(whole[name].encode()) for name in web["id"])
    assert told["funnel"]["cut"]["text_bytes"] == kept_bytes - sum(len(text.encode()) for text in web["text"]) > 0
    assert told["funnel"]["cut"]["documents"] == sum(text != whole[name] for name, text in web.select("id", "text").iter_rows())
    assert [step["rule"] for step in told["funnel"]["web"]["steps"]][:1] == ["exact"]

    cut = next(name for name, text in web.select("id", "text").iter_rows() if text != whole[name])
    (story,) = json.loads(curate("why", out, cut, "--json"))
    left = whole[cut].encode()
    for span in reversed(story["cuts"]):
        left = left[: span["start"]] + left[span["end"] :]
    assert left.decode() == web.filter(pl.col("id") == cut)["text"].item()
    assert "Cut because the text repeats elsewhere" in curate("why", out, cut)
    assert "Cut from kept documents" in (out / "dataset/README.md").read_text()

    exported = tmp_path / "exported"
    curate("export", out, "--out", exported, "--format", "jsonl", "--order")
    curate("export", out, "--out", tmp_path / "again", "--order")
    assert pl.read_parquet(tmp_path / "again/data/*.parquet").equals(data)
    assert pl.read_ndjson(exported / "data/train-00000-of-00001.jsonl.gz")["text"].to_list() == data["text"].to_list()

    before = shards(out)
    go("--frozen", "--workers", 2)
    assert made(out) == {}
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("min_characters = 30", "min_characters = 30\nmax_share = 0.1"))
    go()
    assert not made(out).keys() & {"1-ingest", "4a-sign", "4-deduplicate", "4g-lines", "4h-repeats"}
    assert "4i-cuts" in made(out)
    ledger = pl.read_parquet(out / "ledger/*.parquet")
    mostly = ledger.filter(pl.col("rule") == "mostly_repeated_lines")
    assert (mostly["value"] > mostly["threshold"]).all()
    assert mostly.height > 1
    (tmp_path / "recipe.toml").write_text(RECIPE)
    go()
    assert shards(out) == before
    (tmp_path / "recipe.toml").write_text("[deduplicate]\n")
    go()
    assert not (out / "stages/4i-cuts").exists() or not list((out / "stages/4i-cuts").glob("*.json"))
    plain_run = pl.read_parquet(out / "dataset/data/*.parquet")
    assert all(text == whole[name] for name, text in plain_run.select("id", "text").iter_rows())
    assert fates.keys() == whole.keys()


def test_copies_of_a_document_that_is_left_empty_go_with_it(tmp_path: Path) -> None:
    pages(tmp_path / "input")
    (tmp_path / "recipe.toml").write_text(RECIPE)
    out = tmp_path / "out"
    curate("run", tmp_path / "recipe.toml", tmp_path / "input/*.jsonl", "--out", out)
    fates = {row["id"]: row for row in pl.read_parquet(out / "ledger/*.parquet").iter_rows(named=True)}
    emptied = {name for name, row in fates.items() if row["rule"] == "only_repeated_lines"}
    assert emptied
    for name, row in fates.items():
        if row["rule"] == "copy_of_dropped":
            assert json.loads(row["evidence"])["copy_of"] in emptied
            assert (row["fate"], row["failed"], row["duplicate_of"], row["similarity"]) == ("dropped", ["copy_of_dropped"], None, None)
        assert (row["fate"] == "dropped") == (row["stage"] == "repeated_lines"), name
        if name in emptied:
            assert (row["fate"], row["failed"], row["value"]) == ("dropped", ["only_repeated_lines"], 1.0)
    gone = {json.loads(row["evidence"])["copy_of"] for row in fates.values() if row["rule"] == "copy_of_dropped"}
    assert gone == {name for name in emptied if name.startswith("mixed")} != set()


def test_without_deduplication(tmp_path: Path) -> None:
    pages(tmp_path / "input")
    (tmp_path / "recipe.toml").write_text('[repeated_lines]\nunit = "paragraph"\nmin_characters = 30\n')
    told = json.loads(curate("run", tmp_path / "recipe.toml", tmp_path / "input/*.jsonl", "--out", tmp_path / "out", "--json"))
    assert told["books"]["fates"]["dropped"] == 12
    assert told["funnel"]["cut"]["documents"] == 0
    assert json.loads(curate("verify", tmp_path / "out", "--json"))["faults"] == []

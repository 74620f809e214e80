"""Gopher's and FineWeb's rules: kernels against datatrove's formulas in plain Python, with our word boundaries. And benchmark overlap."""

import csv
import dataclasses
import gzip
import json
import math
import re
from collections import Counter
from fractions import Fraction
from itertools import accumulate
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import InputError, RecipeError
from curation.storage.resources import resolve
from curation.text.ngram_index import Lengths, NgramIndex
from curation.text.text import Text
from filters.benchmark_overlap import BenchmarkOverlap
from filters.contract import Filter
from filters.fineweb_quality import FinewebQuality
from filters.gopher_quality import GopherQuality
from filters.gopher_repetition import GopherRepetition
from filters.support.benchmark_items import read_items
from filters.support.punctuation import punctuation_marks, terminal_marks
from tests.meeting import meets, met

REAL_TEXTS = Path(__file__).resolve().parents[3] / "shared" / "data"
FILTERS: list[Filter] = [GopherQuality(), GopherRepetition(), FinewebQuality(), BenchmarkOverlap()]
PUNCTUATION = set(map(chr, punctuation_marks()))
MARKS = tuple(map(chr, terminal_marks()))
STOP_WORDS = {"the", "be", "to", "of", "and", "that", "have", "with"}

parts = st.sampled_from(
    [
        "the ",
        "of ",
        "and ",
        "bees ",
        "dance ",
        "a",
        "# ",
        "... ",
        "…",
        ". ",
        "\n",
        "\n\n",
        "\n\n\n",
        "- ",
        "• ",
        "漢字",
        "é ",
        "１",
        "→ ",
        "\u0301",
        "\r",
        "\u2028",
        "…\x85",
        "12 ",
        "!",
        "”",
        "\u00a0",
        " ",
        "?\n",
    ]
)
texts = st.one_of(st.lists(parts, max_size=60).map("".join), st.text(st.characters(exclude_categories=["Cs"]), max_size=60))


def measured(made: Filter, strings: list[str]) -> pl.DataFrame:
    """Return the signals of a batch, each in its declared type."""
    found = made.signals(Text.from_strings(strings), None)
    assert list(found) == list(made.signal_types)
    return pl.DataFrame({name: pl.Series(name, pa.array(found[name], kind)) for name, kind in made.signal_types.items()})


def verdicts(made: Filter, signals: pl.DataFrame) -> list[str | None]:
    """Return the first rule that each row fails."""
    failing = {reason: signals.select(rule.drops.fill_null(False)).to_series().to_list() for reason, rule in made.rules().items()}
    return [next((reason for reason, fails in failing.items() if fails[row]), None) for row in range(len(signals))]


# ----- plain twins -----


def ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def plain_gopher_quality(text: str, tokens: list[str]) -> dict[str, Any]:
    words = [token for token in tokens if set(token) - PUNCTUATION]
    lines = text.splitlines()
    return {
        "words": len(words),
        "mean_word_length": ratio(sum(map(len, words)), len(words)),
        "hash_ratio": ratio(text.count("#"), len(tokens)),
        "ellipsis_ratio": ratio(text.count("...") + text.count("…"), len(tokens)),
        "bullet_line_ratio": ratio(sum(line.lstrip().startswith(("•", "-")) for line in lines), len(lines)),
        "ellipsis_line_ratio": ratio(sum(line.rstrip().endswith(("...", "…")) for line in lines), len(lines)),
        "alphabetic_word_ratio": ratio(sum(any(map(str.isalpha, token)) for token in tokens), len(tokens)),
        "stop_words": len(STOP_WORDS & set(tokens)),
    }


def repeats(pieces: list[str]) -> tuple[int, int]:
    """Return how many pieces stood before, and their characters."""
    seen: set[str] = set()
    again = [piece for piece in pieces if piece in seen or seen.add(piece)]
    return len(again), sum(map(len, again))


def plain_gopher_repetition(text: str, tokens: list[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, pieces in (("paragraph", re.split("\n{2,}", text.strip())), ("line", re.split("\n+", text))):
        count, characters = repeats(pieces)
        found[f"duplicate_{name}_share"] = ratio(count, len(pieces))
        found[f"duplicate_{name}_characters"] = ratio(characters, len(text))
    for n in (2, 3, 4):
        grams = Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))
        top, times = grams.most_common(1)[0] if grams else ((), 0)
        found[f"top_{n}_gram"] = ratio(len(" ".join(top)) * times, len(text))
    for n in range(5, 11):
        read: set[tuple[str, ...]] = set()
        characters = place = 0
        while place <= len(tokens) - n:
            gram = tuple(tokens[place : place + n])
            if gram in read:
                characters += len("".join(gram))
                place += n
            else:
                read.add(gram)
                place += 1
        found[f"duplicate_{n}_gram"] = ratio(characters, len(text))
    return found


def plain_fineweb_quality(text: str, tokens: list[str]) -> dict[str, float]:
    lines = [line for line in text.split("\n") if line.strip()]
    return {
        "terminal_punctuation_ratio": ratio(sum(line.endswith(MARKS) for line in lines), len(lines)),
        "short_line_ratio": ratio(sum(len(line) <= 30 for line in lines), len(lines)),
        "duplicate_character_ratio": ratio(repeats(lines)[1], len(text.replace("\n", ""))),
        "newline_ratio": ratio(text.count("\n"), len(tokens)),
    }


def plain_signals(strings: list[str]) -> dict[str, list[dict[str, Any]]]:
    words = Text.from_strings(strings).words  # proved equal to their own twin in test_words
    rows: dict[str, list[dict[str, Any]]] = {"gopher_quality": [], "gopher_repetition": [], "fineweb_quality": []}
    for index, text in enumerate(strings):
        tokens = words.strings(index)
        rows["gopher_quality"].append(plain_gopher_quality(text, tokens))
        rows["gopher_repetition"].append(plain_gopher_repetition(text, tokens))
        rows["fineweb_quality"].append(plain_fineweb_quality(text, tokens))
    return rows


def assert_equal_to_plain(strings: list[str]) -> None:
    expected = plain_signals(strings)
    for made in FILTERS[:3]:
        assert measured(made, strings).to_dicts() == expected[made.name()]


# ----- signals -----


@meets(signals=200)
@given(st.lists(texts, max_size=4))
def test_signals_equal_plain_twins(batch: list[str]) -> None:
    assert_equal_to_plain(batch)
    met["signals"] += sum(bool(value) for rows in plain_signals(batch).values() for row in rows for value in row.values())


@meets(repeated=60)
@given(st.lists(st.sampled_from(["a", "bb", "."]), max_size=60))
def test_repeated_ngrams_of_few_words_equal_plain_twin(tokens: list[str]) -> None:
    assert_equal_to_plain([" ".join(tokens)])
    (row,) = plain_signals([" ".join(tokens)])["gopher_repetition"]
    met["repeated"] += sum(value > 0 for name, value in row.items() if name.endswith("gram"))


@pytest.mark.skipif(not REAL_TEXTS.is_dir(), reason="the shared real texts are not beside the project")
@pytest.mark.parametrize(("file", "every"), [("edu_labels/train.parquet", 8), ("langid/udhr.parquet", 6), ("wcxb/train.parquet", 3)])
def test_signals_of_real_texts_equal_plain_twins(file: str, every: int) -> None:
    path = REAL_TEXTS / file
    names = pq.read_schema(path).names
    strings = pq.read_table(path, columns=["text" if "text" in names else "gold_text"]).column(0).to_pylist()
    assert_equal_to_plain([text for text in strings[::every] if text])


@pytest.mark.parametrize("made", FILTERS, ids=lambda made: made.name())
@meets(apart=8)
@given(batch=st.lists(texts, min_size=1, max_size=6), data=st.data())
def test_signals_do_not_depend_on_batches(made: Filter, batch: list[str], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(batch)))
    apart = pl.concat([measured(made, batch[:cut]), measured(made, batch[cut:])])
    assert measured(made, batch).equals(apart)
    met["apart"] += 0 < cut < len(batch)


@pytest.mark.parametrize("made", FILTERS, ids=lambda made: made.name())
def test_examples(made: Filter) -> None:
    strings = [text for text, _ in made.examples]
    assert verdicts(made, measured(made, strings)) == [reason for _, reason in made.examples]


@pytest.mark.parametrize("made", FILTERS[:3], ids=lambda made: made.name())
@pytest.mark.parametrize("text", ["", " ", "\n", "\n\n\n", "\u200b", "\0", ".", "\ud7ff", "-" * 100_000, "ab " * 50_000, "\u0301" * 999])
def test_no_text_is_too_odd_to_measure(made: Filter, text: str) -> None:
    signals = measured(made, [text])
    assert not any(value is None or not math.isfinite(value) for value in signals.row(0))
    if made.name() == "gopher_quality":
        assert verdicts(made, signals) != [None]


def test_null_and_empty_batches() -> None:
    for made in FILTERS[:3]:
        assert len(measured(made, [])) == 0
        null = made.signals(Text.from_strings([None]), None)
        assert {name: values[0] for name, values in null.items()} == {
            name: values[0] for name, values in measured(made, [""]).to_dict().items()
        }


@pytest.mark.parametrize("made", FILTERS, ids=lambda made: made.name())
def test_thresholds_are_fields_and_every_rule_names_a_signal(made: Filter) -> None:
    fields = {field.name for field in dataclasses.fields(made)}
    assert made.threshold_fields() <= fields
    assert {rule.signal for rule in made.rules().values()} <= set(made.signal_types)
    assert all(field in (type(made).__doc__ or "") for field in fields if not field.startswith("max_duplicate_"))


def test_stop_words_are_single_words() -> None:
    with pytest.raises(RecipeError, match="single words"):
        GopherQuality(stop_words=("of the",)).signals(Text.from_strings(["x"]), None)
    assert measured(GopherQuality(stop_words=("der", "die", "der")), ["der Hund und die Katze"])["stop_words"].to_list() == [2]


# ----- benchmark overlap -----

QUESTION = "A farmer keeps 14 goats and twice as many hens; how many legs are there on the farm in all?"
SHORT = "Which gas do green plants take in by day?"


@pytest.fixture
def benchmarks(tmp_path: Path) -> tuple[str, ...]:
    with gzip.open(tmp_path / "farm.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.write(json.dumps({"id": "farm-1", "question": QUESTION, "answer": "84"}) + "\n\n")
        stream.write(json.dumps({"question": {"text": ["Tiny one", SHORT]}, "answer": None}) + "\n")
    with (tmp_path / "river.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(
            [
                ["No", "Question"],
                ["1", 'Name the longest river that flows, "unlike" all others,\nnorth into the cold sea.'],
                ["2", "Who owns the blue hen?"],
            ]
        )
    pq.write_table(
        pa.table({"prompt": ["Say in your own words why the sky over the desert looks so very dark at noon"]}), tmp_path / "sky.parquet"
    )
    return tuple(str(tmp_path / name) for name in ("farm.jsonl.gz", "river.csv", "sky.parquet"))


@pytest.mark.parametrize(
    ("text", "overlap", "benchmark", "item"),
    [
        (f"Try this. {QUESTION} Good luck.", 20, "farm", "farm-1 question"),
        ("A FARMER keeps 14 goats -- and\ntwice as\u00a0many “hens”, how many legs are THERE, hm", 15, "farm", "farm-1 question"),
        ("twice as many hens; how many legs are there on the farm", 12, "farm", "farm-1 question"),
        ("as many hens; how many legs are there on the farm", 0, None, None),
        (f"Plants: which gas do  ‘gréen’ plants take in (by day) & more. {'x ' * 500}", 9, "farm", "2 question"),
        ("which gas do green plants take in by night", 8, "farm", "2 question"),
        ("which gas do green plants take in at night", 0, None, None),
        ("but WHO owns “the Blue Hen”, then?", 5, "river", "2 question"),
        ("who then owns the green hen, or blue", 0, None, None),
        ("Name the longest river that flows unlike all others north into the cold sea", 14, "river", "1 question"),
        ("the sky over the desert looks so very dark at noon is clear: own words why", 11, "sky", "1 prompt"),
        ("sky over the desert looks so very dark at noon is clear: own words why the", 0, None, None),
        ("in your own words why the sky over the desert looks so very dark", 14, "sky", "1 prompt"),
        ("Tiny one", 0, None, None),
        ("", 0, None, None),
    ],
)
def test_benchmark_overlap(benchmarks: tuple[str, ...], text: str, overlap: int, benchmark: str | None, item: str | None) -> None:
    made = BenchmarkOverlap(benchmarks=benchmarks)
    row = measured(made, ["Other text.", text]).row(1, named=True)
    assert (row["overlap"], row["benchmark"], row["item"]) == (overlap, benchmark, item)
    assert verdicts(made, measured(made, [text])) == ["holds_benchmark_item" if overlap else None]
    if overlap:
        assert row["span"] in text
        assert len(Text.from_strings([row["span"]]).words.strings(0)) >= overlap
    else:
        assert row["span"] is None


def test_span_is_cut_and_evidence_is_named(tmp_path: Path) -> None:
    long = " ".join(f"word{number}" for number in range(100))
    path = tmp_path / "long.jsonl"
    path.write_text(json.dumps({"text": long}) + "\n")
    made = BenchmarkOverlap(benchmarks=(str(path),))
    row = measured(made, [f"so {long} it ends"]).row(0, named=True)
    assert (row["overlap"], row["span"]) == (100, long[:200])
    assert made.rules()["holds_benchmark_item"].evidence == ("benchmark", "item", "span")
    assert verdicts(BenchmarkOverlap(benchmarks=(str(path),), max_overlap=100), measured(made, [long])) == [None]


def test_changed_benchmark_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    made = BenchmarkOverlap(benchmarks=(str(path),))
    path.write_text(json.dumps({"text": SHORT}))
    before = made.files()
    assert measured(made, [QUESTION])["overlap"].to_list() == [0]
    path.write_text(json.dumps({"text": QUESTION}))
    assert made.files() != before
    assert measured(made, [QUESTION])["overlap"].to_list() == [20]


small_words = st.lists(st.sampled_from("abc"), max_size=14)


@meets(found=10, none=30)
@given(
    st.lists(small_words, max_size=4),
    st.lists(small_words, max_size=4),
    st.tuples(st.integers(1, 3), st.integers(0, 3), st.integers(0, 3)),
    st.sampled_from([1, 34, 50, 60, 100]),
)
def test_passages_equal_plain_twin(items: list[list[str]], documents: list[list[str]], steps: tuple[int, int, int], percent: int) -> None:
    fewest, smallest, size = accumulate(steps)
    grams: dict[tuple[str, ...], int] = {}
    for owner, item in enumerate(items):
        if len(item) >= fewest:
            length = min(len(item), size, max(smallest, ceil(Fraction(percent * len(item), 100))))
            for place in range(len(item) - length + 1):
                grams.setdefault(tuple(item[place : place + length]), owner)
    found = NgramIndex.of([" ".join(item) for item in items], Lengths(size, smallest, percent, fewest)).longest_passages(
        Text.from_strings([" ! ".join(words) for words in documents]).words
    )
    for row, words in enumerate(documents):
        best, best_owner = (0, 0), -1
        first = after = 0
        owner = -1
        for place in range(len(words)):
            held = [
                length
                for length in range(size, fewest - 1, -1)
                if tuple(words[place : place + length]) in grams and place + length <= len(words)
            ]
            if held and place + held[0] > after:
                if place >= after:
                    first, owner = place, grams[tuple(words[place : place + held[0]])]
                after = place + held[0]
                if after - first > best[1] - best[0]:
                    best, best_owner = (first, after), owner
        assert (found.words[row], found.items[row]) == (best[1] - best[0], best_owner)
        assert (found.starts[row], found.ends[row]) == ((best[0] * 4, best[1] * 4 - 3) if best_owner >= 0 else (0, 0))
        met["found" if best_owner >= 0 else "none"] += 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"x", "ends in .jsonl, .csv or .parquet"),
        ("a.jsonl", b'{"question": "x"}\n{', "line 2"),
        ("a.jsonl", b"[1]\n", "line 1 is no JSON object"),
        ("a.jsonl", b'{"body": "x"}\n', "it has body"),
        ("a.jsonl", b"", "no rows"),
        ("a.jsonl.gz", b"not gzip", "cannot be read"),
        ("a.csv", b"question\n\xff\xfe\n", "cannot be read"),
        ("a.parquet", b"PAR?", "cannot be read"),
    ],
)
def test_broken_benchmarks_are_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(str(path)) + ".*" + re.escape(message)):
        list(read_items(path, ("question",)))


def test_resources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve("curation:text/words.py").is_file()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.jsonl").write_text("{}")
    (tmp_path / "c:own.jsonl").write_text("{}")
    assert resolve("own.jsonl").resolve() == tmp_path / "own.jsonl"
    assert resolve("c:own.jsonl").resolve() == tmp_path / "c:own.jsonl"
    for path, message in (
        ("none.jsonl", "no such file"),
        ("sample_data:none.jsonl", "ships no file"),
        ("curation:../pyproject.toml", "is outside the package"),
    ):
        with pytest.raises(InputError, match=message):
            resolve(path)


def test_lengths_are_checked() -> None:
    for wrong in ({"ngram": 5}, {"min_words": 9}, {"min_words": 0}, {"min_percent": 0}, {"min_percent": 101}):
        with pytest.raises(RecipeError, match="min_percent" if "min_percent" in wrong else "min_words <= min_ngram <= ngram"):
            BenchmarkOverlap(**wrong)
    nothing = NgramIndex.of([], Lengths(13, 8, 60, 5))
    assert np.array_equal(nothing.longest_passages(Text.from_strings([QUESTION]).words).words, [0])


def test_how_long_a_passage_must_be() -> None:
    words = np.array([0, 4, 5, 7, 8, 12, 13, 14, 20, 21, 22, 500])
    assert Lengths(13, 8, 60, 5).of(words).tolist() == [0, 0, 5, 7, 8, 8, 8, 9, 12, 13, 13, 13]

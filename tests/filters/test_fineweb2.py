"""FineWeb-2's rules by language: verdicts against the original's steps in plain Python, stop words, the table, thresholds by document."""

import json
import shutil
import tomllib
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import InputError, RecipeError
from curation.storage.resources import resolve
from curation.text.text import Text
from filters.contract import Filter, FilterChoice, above, below
from filters.fineweb2 import Fineweb2
from filters.judge import judge
from filters.language import Language
from filters.support.stop_words import StopWordLists, count_stop_words
from pipelines.inspect.thresholds import threshold_effect
from pipelines.inspect.views import signal_summary
from pipelines.inspect.why import why
from tests.filters.test_heuristic_filters import plain_signals
from tests.meeting import meets, met
from tests.running import ROOT, curate

TABLE: dict[str, dict[str, Any]] = tomllib.loads(resolve("filters:fineweb2.toml").read_text("utf-8"))
KEPT = {label: text for label, (text, reason) in zip(("fr", "de", "ja"), Fineweb2.examples, strict=False) if reason is None}

FRENCH = (
    "La mer monte ",
    "et descend ",
    "dans une baie. ",
    "l'eau ",
    "d'été\n",
    "Accueil\n",
    "la maison la maison ",
    "- un\n",
    "… ",
    "12 ",
)
GERMAN = ("Der Regen fällt ", "und die Tropfen ", "werden schwer.\n", "Donaudampfschifffahrtsgesellschaft ", "Kontakt\n", "# ", "mit dem ")
JAPANESE = ("雨は降ります。", "山の空気が", "冷えて\n", "雨雨雨雨", "12", "です、")
pieces = st.one_of(*(st.lists(st.sampled_from(kind), min_size=1, max_size=80).map("".join) for kind in (FRENCH, GERMAN, JAPANESE)))
texts = st.one_of(pieces, st.sampled_from([*KEPT.values(), "", "Plain English is not in the table.", "1 2 3"]))


def measured(made: Filter, strings: list[str]) -> Any:
    """Return the signals of a batch as judge reads them."""
    found = made.signals(Text.from_strings(strings), None)
    columns = {f"{made.name()}.{name}": pa.array(found[name], kind) for name, kind in made.signal_types.items()}
    keys = pa.array([number.to_bytes(16, "big") for number in range(len(strings))], pa.binary(16))
    return pa.table({"key": keys, **columns})


# ----- verdicts -----


def plain_failures(text: str, own: dict[str, dict[str, Any]], stop_words: int, language: str | None, score: float | None) -> list[str]:
    """Return every rule that holds: the steps of fineweb-2-pipeline.py, each with the options it is given there, over our words."""
    if language is not None and language not in TABLE:
        config, failures = None, ["language_not_covered"]
    else:
        config, failures = TABLE.get(language or ""), []
    quality, repetition, lines = own["gopher_quality"], own["gopher_repetition"], own["fineweb_quality"]
    if config is not None:
        if not score >= config["min_language_score"]:
            failures.append("low_language_score")
        if repetition["duplicate_line_share"] > config["max_duplicate_line_share"]:
            failures.append("duplicate_line_share")
        for kind, lengths in (("top", (2, 3, 4)), ("duplicate", (5, 6, 7, 8, 9, 10))):
            failures += [f"{kind}_{n}_gram" for n in lengths if repetition[f"{kind}_{n}_gram"] > config[f"max_{kind}_{n}_gram"]]
        if lines["terminal_punctuation_ratio"] < config["min_terminal_punctuation_ratio"]:
            failures.append("few_sentence_ends")
    if lines["duplicate_character_ratio"] > 0.1:
        failures.append("duplicate_lines")
    if config is not None and lines["newline_ratio"] > config["max_newline_ratio"]:
        failures.append("mostly_newlines")
    if quality["words"] < 50:
        failures.append("too_few_words")
    if quality["words"] > 100_000:
        failures.append("too_many_words")
    if config is not None and quality["mean_word_length"] < config["min_mean_word_length"]:
        failures.append("short_words")
    if config is not None and quality["mean_word_length"] > config["max_mean_word_length"]:
        failures.append("long_words")
    for reason, signal, most in (
        ("many_hashes", "hash_ratio", 0.1),
        ("many_ellipses", "ellipsis_ratio", 0.1),
        ("mostly_bullets", "bullet_line_ratio", 0.9),
        ("lines_end_in_ellipsis", "ellipsis_line_ratio", 0.3),
    ):
        if quality[signal] > most:
            failures.append(reason)
    if config is not None and quality["alphabetic_word_ratio"] < config["min_alphabetic_word_ratio"]:
        failures.append("few_alphabetic_words")
    if config is not None and stop_words < 2:
        failures.append("few_stop_words")
    return [reason for reason in failures if config is None or reason not in config.get("left_out", ())]


def plain_stop_words(text: str, tokens: list[str], words: list[str], within: bool) -> int:
    """Return how many of the words stand in a text, at the borders of its tokens."""
    if within:
        return sum(word in text for word in set(words))
    starts, ends, place = [], set(), 0
    for token in tokens:
        place = text.index(token, place)
        starts.append(place)
        place += len(token)
        ends.add(place)
    return sum(
        any(text.startswith(word, start) and (start + len(word) in ends or word.endswith("'")) for start in starts) for word in set(words)
    )


def assert_equal_to_plain(strings: list[str]) -> Counter[str]:
    """Compare the verdicts with the twin's, and return how many there are of each."""
    made = Fineweb2()
    signals = measured(made, strings)
    languages, scores = (signals[f"fineweb2.{name}"].to_pylist() for name in ("language", "language_score"))
    assert languages == Language().signals(Text.from_strings(strings), None)["language"].to_pylist()
    counted = signals["fineweb2.stop_words"].to_pylist()
    plain, words = plain_signals(strings), Text.from_strings(strings).words
    failed = judge(signals, [made])["failed"].to_pylist()
    verdicts: Counter[str] = Counter()
    for row, text in enumerate(strings):
        config = TABLE.get(languages[row] or "")
        stop_words = (
            plain_stop_words(text, words.strings(row), config["stop_words"], config.get("stop_words_within", False)) if config else None
        )
        assert counted[row] == stop_words
        own = {name: rows[row] for name, rows in plain.items()}
        expected = plain_failures(text, own, stop_words or 0, languages[row], scores[row])
        assert failed[row] == [f"fineweb2.{reason}" for reason in expected], text[:80]
        verdicts.update(expected or ["stays"])
    return verdicts


@meets(
    duplicate_5_gram=10,
    duplicate_6_gram=7,
    duplicate_7_gram=4,
    duplicate_8_gram=4,
    duplicate_9_gram=4,
    duplicate_lines=8,
    few_alphabetic_words=10,
    few_sentence_ends=20,
    few_stop_words=10,
    language_not_covered=9,
    low_language_score=9,
    mostly_newlines=20,
    stays=10,
    too_few_words=50,
    top_2_gram=30,
    top_3_gram=40,
    top_4_gram=30,
)
@given(st.lists(texts, max_size=5))
def test_verdicts_equal_the_plain_twin(batch: list[str]) -> None:
    met.update(assert_equal_to_plain(batch))


def covered_texts(folder: Path) -> list[str]:
    """Return every real text in a language of the table."""
    strings = []
    for path in sorted(path for path in folder.rglob("*.parquet") if "bugs" not in path.relative_to(folder).parts):  # those are damaged
        names = pl.read_parquet_schema(path).keys()
        for column in {"text", "gold_text"} & names:
            strings += [text for text in pl.read_parquet(path, columns=[column])[column].unique(maintain_order=True) if text]
    languages = Language().signals(Text.from_strings(strings), None)["language"].to_pylist()
    return [text for text, language in zip(strings, languages, strict=True) if language in TABLE]


def test_verdicts_on_real_texts_equal_the_plain_twin(real_data: Path) -> None:
    strings = covered_texts(real_data)
    assert len(strings) > 200
    assert_equal_to_plain(strings)


def test_most_of_a_clean_text_passes_in_every_language(real_data: Path) -> None:
    table = pl.read_parquet(real_data / "langid" / "udhr.parquet")
    table = table.with_columns(label=pl.col("bcp47").str.split("-").list.first().replace({"nb": "no"})).filter(pl.col("label").is_in(TABLE))
    made = Fineweb2()
    rules = judge(measured(made, [unicodedata.normalize("NFC", text) for text in table["text"]]), [made])["rule"].to_pylist()
    passed = table.select("label", passes=pl.Series([rule is None for rule in rules])).group_by("label").agg(pl.col("passes").mean())
    assert len(passed) == len(TABLE) == 32
    assert {label for label, share in passed.iter_rows() if share < 0.8} == {"id"}, "Indonesian is hard to tell from Malay"
    assert sum(rule is None for rule in rules) == 166


# ----- stop words -----

LISTS = [(["la", "l'", "d'", "à"], False), (["г.", "на", "на"], False), (["の", "です", "こ れ"], True), ([], False)]
ELISIONS = ("la", " ", "l'eau", "l’eau", "La", "d'", "à", "a\u0300", "\n")
OTHERS = ("д'", "г", ".", "на", "нам", "の", "です", "です。", "こ れ")
bits = st.sampled_from(ELISIONS + OTHERS)


@meets(found=6, none=70)
@given(st.lists(st.tuples(st.lists(bits, max_size=12).map("".join), st.integers(-1, len(LISTS) - 1)), max_size=6))
def test_stop_words_are_counted_as_a_loop_counts_them(batch: list[tuple[str, int]]) -> None:
    column = Text.from_strings([text for text, _ in batch])
    counts = count_stop_words(column, StopWordLists.of(LISTS), np.array([own for _, own in batch], np.int64))
    expected = [plain_stop_words(text, column.words.strings(i), *LISTS[own]) if own >= 0 else 0 for i, (text, own) in enumerate(batch)]
    assert counts.tolist() == expected
    met["found"] += sum(expected)
    met["none"] += expected.count(0)


def test_every_stop_word_of_the_table_is_found_in_itself() -> None:
    for entry in TABLE.values():
        lists = StopWordLists.of([(entry["stop_words"], entry.get("stop_words_within", False))])
        text = Text.from_strings([" ".join(entry["stop_words"])])
        assert count_stop_words(text, lists, np.zeros(1, np.int64)).tolist() == [len(set(entry["stop_words"]))]


# ----- the table -----


def edited(folder: Path, before: str, after: str) -> str:
    text = resolve("filters:fineweb2.toml").read_text("utf-8")
    assert before in text
    (folder / "mine.toml").write_text(text.replace(before, after, 1), "utf-8")
    return str(folder / "mine.toml")


def test_a_copy_of_the_table_changes_no_key(tmp_path: Path) -> None:
    shutil.copy(resolve("filters:fineweb2.toml"), tmp_path / "copy.toml")
    ours, copy = FilterChoice("fineweb2"), FilterChoice("fineweb2", {"table": str(tmp_path / "copy.toml")})
    assert ours.identity() == copy.identity()
    assert ours.measuring() == copy.measuring()


def test_a_threshold_of_the_table_judges_again_and_a_stop_word_measures_again(tmp_path: Path) -> None:
    ours = FilterChoice("fineweb2")
    other = FilterChoice("fineweb2", {"table": edited(tmp_path, "max_newline_ratio = 0.185", "max_newline_ratio = 0.01")})
    assert other.identity() != ours.identity()
    assert other.measuring() == ours.measuring()
    made = other.build()
    assert judge(measured(made, [KEPT["fr"]]), [made])["rule"].to_pylist() == ["fineweb2.mostly_newlines"]
    spoken = FilterChoice("fineweb2", {"table": edited(tmp_path, '"roku", "s"]', '"roku", "so"]')})
    assert spoken.identity() != ours.identity()
    assert spoken.measuring() != ours.measuring()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("max_newline_ratio = 0.189", "max_newline_ration = 0.189", r"\[ar\] has no parameter 'max_newline_ration'; did you mean"),
        ("[ar]", "[arb]", r"no text is found to be in 'arb'; did you mean 'ar"),
        ("max_newline_ratio = 0.189\n", "", r"\[ar\] needs max_newline_ratio"),
        ("max_newline_ratio = 0.189", "max_newline_ratio = '0.189'", "is not acceptable"),
        ('"بعد"', '""', r"\[ar\]: stop word '' is empty"),
        ('"بعد"', '"the "', "has space about it"),
        ('left_out = ["long_words"', 'left_out = ["long_word"', r"\[ko\] leaves out 'long_word'; did you mean 'long_words'"),
        ("[ar]\n", "ar = 1\n[ar]\n", "the table of languages .* is not TOML"),
        ("[ar]\n", "en = 1\n[ar]\n", "en must be a table"),
    ],
)
def test_what_is_wrong_in_a_table_is_told(tmp_path: Path, before: str, after: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        FilterChoice("fineweb2", {"table": edited(tmp_path, before, after)}).build()
    with pytest.raises(InputError, match="nowhere"):
        FilterChoice("fineweb2", {"table": "nowhere.toml"}).build()


def test_other_languages_go_or_are_judged_by_what_all_share() -> None:
    english = ["The tide is the slow rise and fall of the sea. " * 6, "Click here.", "The sea rises.\n" * 20]
    for made, expected in (
        (Fineweb2(), ["language_not_covered"] * 3),
        (Fineweb2(keep_uncovered=True), [None, "too_few_words", "duplicate_lines"]),
    ):
        rules = judge(measured(made, english), [made])["rule"].to_pylist()
        assert rules == [reason and f"fineweb2.{reason}" for reason in expected]


# ----- thresholds that differ by document -----


def test_a_rule_tells_each_document_its_threshold() -> None:
    bound = pl.col("kind").replace_strict({"a": 1.0, "b": 5.0}, default=None, return_dtype=pl.Float64)
    own = pl.DataFrame({"kind": ["a", "b", "c", None], "size": [3.0] * 4})
    for rule, drops in ((below("size", bound), [False, True, None, None]), (above("size", bound), [True, False, None, None])):
        assert own.select(rule.drops).to_series().to_list() == drops
        np.testing.assert_array_equal(rule.thresholds(own), [1.0, 5.0, np.nan, np.nan])
        assert rule.single_threshold is None
    np.testing.assert_array_equal(below("size", 2).thresholds(own), [2.0] * 4)
    np.testing.assert_array_equal(below("size", pl.lit(2)).thresholds(own), [2.0] * 4)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the shipped recipe over the filter's examples, each under the number of its place."""
    folder = tmp_path_factory.mktemp("fineweb2")
    lines = [json.dumps({"id": str(place), "text": text}) for place, (text, _) in enumerate(Fineweb2.examples)]
    (folder / "texts.jsonl").write_text("\n".join(lines), "utf-8")
    assert "The books balance" in curate("run", "fineweb2", folder / "texts.jsonl", "--out", folder / "out")
    return folder / "out"


def test_the_recipe_gives_every_example_its_fate(run: Path) -> None:
    ledger = pl.read_parquet(run / "ledger" / "*.parquet").sort(pl.col("id").cast(pl.Int64))
    assert ledger["rule"].to_list() == [reason and f"fineweb2.{reason}" for _, reason in Fineweb2.examples]
    thresholds = dict(ledger.select("rule", "threshold").iter_rows())
    assert thresholds["fineweb2.few_sentence_ends"] == TABLE["fr"]["min_terminal_punctuation_ratio"]
    assert thresholds["fineweb2.duplicate_line_share"] == TABLE["fr"]["max_duplicate_line_share"]
    assert thresholds["fineweb2.too_few_words"] == 50
    dataset = pl.read_parquet(run / "dataset" / "data" / "*.parquet")
    assert sorted(dataset["language"]) == ["de", "fr", "ja"]
    assert dataset["language_score"].min() > 0.9


def test_why_shows_the_document_s_own_threshold(run: Path) -> None:
    for place, label in enumerate(("fr", "de", "ja")):
        (told,) = why(str(run), str(place))
        rules = {rule.rule.removeprefix("fineweb2."): rule for rule in told.rules}
        ends = rules["few_sentence_ends"]
        assert (ends.threshold, ends.drops, ends.fails) == (TABLE[label]["min_terminal_punctuation_ratio"], "below", False)
        assert rules["long_words"].threshold == (None if label == "ja" else TABLE[label]["max_mean_word_length"])
    assert "below 0.1" in curate("why", run, "6")
    told = json.loads(curate("why", run, "6", "--json"))
    (seen,) = [rule for rule in told[0]["rules"] if rule["rule"] == "fineweb2.few_sentence_ends"]
    assert (seen["threshold"], seen["drops"], seen["fails"]) == (0.1, "below", True)


def test_inspect_says_that_each_document_has_a_threshold_of_its_own(run: Path) -> None:
    summary = signal_summary(str(run), "terminal_punctuation_ratio")
    assert [(rule.name, rule.threshold, rule.drops) for rule in summary.rules] == [("fineweb2.few_sentence_ends", None, "below")]
    shown = curate("inspect", run, "--signal", "terminal_punctuation_ratio")
    assert "drops values below a threshold that depends on the document" in shown
    effect = threshold_effect(str(run), "terminal_punctuation_ratio", 0.9)
    assert (effect.rule, effect.threshold, effect.drops) == ("fineweb2.few_sentence_ends", None, "below")
    assert effect.otherwise_kept.of.documents == 4, "the three that are kept, and the one that only this rule drops"
    assert (effect.otherwise_kept.now.documents, effect.otherwise_kept.then.documents) == (3, 3)
    shown = curate("inspect", run, "--signal", "terminal_punctuation_ratio", "--at", "0.9")
    assert "instead of each document's own threshold (fineweb2.few_sentence_ends)" in " ".join(shown.split())


def test_the_report_and_the_catalogue_know_such_rules(run: Path) -> None:
    page = (run / "report.html").read_text("utf-8")
    assert "drops values below a threshold that depends on the document" in page
    assert "each document's own" in curate("filters", "fineweb2")
    told = json.loads(curate("filters", "fineweb2", "--json"))
    assert told["rules"]["few_sentence_ends"] == ["terminal_punctuation_ratio", "each document's own"]
    assert told["rules"]["many_hashes"] == ["hash_ratio", 0.1]


def test_the_english_recipe_runs_on_a_crawl(tmp_path: Path) -> None:
    assert "The books balance" in curate("run", "fineweb", ROOT / "sample_data" / "crawl.warc.gz", "--out", tmp_path / "out")
    funnel = json.loads(curate("inspect", tmp_path / "out", "--json"))
    assert funnel["web"]["kept"]["documents"] > 20
    assert {step["rule"].partition(".")[0] for step in funnel["web"]["steps"] if step["stage"] == "judge"} >= {"language", "gopher_quality"}

"""The reference of filters says what the code says: every signal is explained, every rule has a condition."""

import json

import pytest

from filters.contract import shipped_filters
from filters.gopher_quality import GopherQuality
from pipelines.recipes.filter_reference import filter_reference, filter_references, signal_meanings
from tests.running import ROOT, curate

CHECKED_IN = ROOT / "filters/README.md"


def test_the_reference_that_is_checked_in_is_that_of_the_code() -> None:
    assert CHECKED_IN.read_text("utf-8") == filter_reference(), "curate filters --reference > filters/README.md"


def test_curate_filters_reference_prints_it() -> None:
    printed = curate("filters", "--reference")
    assert printed == filter_reference()
    assert [each["name"] for each in json.loads(curate("filters", "--reference", "--json"))] == list(shipped_filters())
    assert "give either --reference or a name" in curate("filters", "language", "--reference", code=2)


def test_every_filter_has_a_source_and_every_signal_a_meaning() -> None:
    found = filter_references()
    assert all(each.source for each in found)
    signals = [signal for each in found for signal in each.signals]
    assert len(signals) > 90
    assert [signal.name for signal in signals if not signal.meaning] == []


def test_every_rule_says_what_it_drops() -> None:
    rules = {rule.name: rule.drops for each in filter_references() for rule in each.rules}
    assert len(rules) > 90
    assert rules["gopher_quality.too_few_words"] == "`words < 50`"
    assert rules["gopher_quality.too_many_words"] == "`words > 100,000`"
    assert rules["language.wrong_language"] == '`language not in ["en"]`'
    assert rules["fineweb2.top_2_gram"] == "`top_2_gram >` the threshold of its language"
    assert rules["url_rules.soft_words"] == "`soft_hits >= 2`"
    assert [name for name, drops in rules.items() if "col(" in drops or "[(" in drops or "dyn" in drops] == []


@pytest.mark.parametrize(
    ("docstring", "told"),
    [
        ("    words  how many\n           there are\n    hash_ratio a share", {"words": "how many there are", "hash_ratio": "a share"}),
        ("    words, hash_ratio  both", {"words": "both", "hash_ratio": "both"}),
        ("    words .. hash_ratio\n        a run", dict.fromkeys(["words", "mean_word_length", "hash_ratio"], "a run")),
        ("    words  one\n\n    no signal  at all\n        goes on", {"words": "one"}),
        ("words  not indented", {}),
    ],
)
def test_meanings_are_lines_of_the_docstring(docstring: str, told: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filters.gopher_quality.__doc__", f"About.\n\n{docstring}\n")
    assert signal_meanings(GopherQuality) == told


def test_all_others_are_those_that_no_line_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filters.gopher_quality.__doc__", "About.\n\n    words  one\n    all others  more\n")
    told = signal_meanings(GopherQuality)
    assert set(told) == set(GopherQuality.signal_types)
    assert [name for name, meaning in told.items() if meaning == "one"] == ["words"]

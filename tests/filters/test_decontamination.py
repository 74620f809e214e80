"""Real benchmark items planted in real text: floors of recall by change, no false alarm, and the evidence as a user sees it.

`tests/benchmark/decontamination.py` prints the tables.
"""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from curation.text.ngram_index import NgramIndex
from curation.text.text import Text
from tests.benchmark.decontamination import CHANGES, OURS, Questions, false_alarms, found, hosts, plant, read_questions
from tests.running import curate

SAME_WORDS = ("verbatim", "upper case", "lower case", "title case", "line breaks", "double spaces", "tabs", "typography", "bulleted lines")
FLOORS = {
    **dict.fromkeys(SAME_WORDS, 0.99),
    "punctuation": 0.97,
    "entities": 0.94,
    "first 60 %": 0.74,
    "a word in 15 changed": 0.66,
    "a word in 20 dropped": 0.91,
}

Clean = tuple[Questions, NgramIndex, list[str]]


@pytest.fixture(scope="module")
def clean(real_data: Path) -> Clean:
    """The questions of the benchmarks, the filter's index of them, and clean texts."""
    questions = read_questions(sorted((real_data / "decontam").glob("*.gz")))
    index = NgramIndex.of([item.text for item in questions.items], OURS)
    return questions, index, pl.read_parquet(real_data / "edu_labels" / "train.parquet")["text"].to_list()


def test_copies_are_found(clean: Clean) -> None:
    questions, index, texts = clean
    assert set(FLOORS) == set(CHANGES)
    planted = plant(questions, CHANGES, hosts(texts[:1000], [index]))
    hit, changes = found(index, planted), np.array([one.change for one in planted])
    recall = {change: hit[changes == change].mean() for change in CHANGES}
    assert {change: value for change, value in recall.items() if value < FLOORS[change]} == {}
    long = np.array([one.words >= OURS.smallest for one in planted])
    assert hit[long & np.isin(changes, SAME_WORDS)].all()


def test_clean_text_is_not_flagged(clean: Clean) -> None:
    questions, index, texts = clean
    assert false_alarms(index, questions, Text.from_strings(texts)) == []


def test_evidence_names_benchmark_item_and_passage(real_data: Path, tmp_path: Path, clean: Clean) -> None:
    questions, index, texts = clean
    files = sorted((real_data / "decontam").glob("*.gz"))
    host = hosts(texts[:1], [index])[0]
    wanted: dict[str, int] = {}
    for number in questions.planted:
        item = questions.items[number]
        wanted.setdefault(f"{item.benchmark} short" if questions.words[number] < OURS.smallest else item.benchmark, number)
    assert len(wanted) == 6, "four benchmarks, and two that have items of fewer words than a passage"
    changed = {name: CHANGES["upper case"](CHANGES["bulleted lines"](questions.items[number].text)) for name, number in wanted.items()}
    rows = [{"id": "clean", "text": host}, *({"id": name, "text": f"{host}\n\n{text}\n\n{host}"} for name, text in changed.items())]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    paths = json.dumps([str(path) for path in files])
    (tmp_path / "recipe.toml").write_text(f'description = "One filter."\n\n[[filter]]\nname = "benchmark_overlap"\nbenchmarks = {paths}\n')
    out = tmp_path / "out"
    curate("run", tmp_path / "recipe.toml", tmp_path / "texts.jsonl", "--out", out)
    assert json.loads(curate("why", out, "clean", "--json"))[0]["fate"] == "kept"
    for name, number in wanted.items():
        (told,) = json.loads(curate("why", out, name, "--json"))
        assert (told["fate"], told["rule"]) == ("dropped", "benchmark_overlap.holds_benchmark_item")
        evidence = json.loads(told["evidence"]) if isinstance(told["evidence"], str) else told["evidence"]
        item = questions.items[number]
        assert (evidence["benchmark"], evidence["item"]) == (item.benchmark, item.name)
        assert evidence["span"][:150] in changed[name]
        assert told["value"] == questions.words[number] or told["value"] >= OURS.size

"""What is told when a recipe, a model, a package or the input differs from what a folder was made with."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.engine.drift import LINES, changed_inputs, changes, differences, fingerprints, told, words_of_stage
from curation.ingest.ingest import Ingest, IngestPart
from curation.storage.location import Location
from curation.storage.source_file import SourceFile
from filters.contract import FilterChoice
from filters.judge import Judge
from filters.measure import Measure
from tests.meeting import meets, met

LANGUAGE, GOPHER = ("language", {"keep": ["en"], "min_score": 0.65}), ("gopher_quality", {"min_words": 50})


def judge(*filters: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return Judge(tuple(FilterChoice(name, values) for name, values in filters)).identity()


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (judge(GOPHER), judge(("gopher_quality", {"min_words": 60})), ["gopher_quality.min_words 50 -> 60"]),
        (judge(LANGUAGE, GOPHER), judge(GOPHER, LANGUAGE), ["filters are in another order: gopher_quality, language"]),
        (judge(GOPHER), judge(LANGUAGE, GOPHER), ["filter language is new"]),
        (judge(LANGUAGE, GOPHER), judge(GOPHER), ["filter language is no longer there"]),
        (
            judge(LANGUAGE, GOPHER),
            judge(GOPHER, ("language", {"keep": ["de", "en", "fr"], "min_score": 0.7})),
            ["language.keep: de, fr added", "language.min_score 0.65 -> 0.7"],
        ),
        (judge(LANGUAGE), judge(("language", {"keep": ["de"]})), ["language.keep: de added, en removed"]),
        (
            Ingest(edits=(IngestPart("pii"), IngestPart("whitespace"))).identity(),
            Ingest(IngestPart("plain"), edits=(IngestPart("whitespace", {"nfc": True}),), limit=5).identity(),
            ["edit pii is no longer there", "whitespace.nfc none -> true", "extractor blocks -> plain", "limit none -> 5"],
        ),
        ({"fields": {"a": None, "b": 1, "c": None}}, {"fields": {"b": None, "c": 2, "d": None}}, ["b 1 -> none", "c none -> 2"]),
    ],
)
def test_differences_are_told_by_name(before: Any, after: Any, lines: list[str]) -> None:
    assert [line for line in changes(before, after) if "package" not in line] == lines


def test_a_digest_is_told_as_changed_and_not_by_its_digits() -> None:
    assert differences("list", "0" * 64, "1" * 64) == ["list changed"]
    assert differences("list", "0" * 64, "none") == ['list "' + "0" * 64 + '" -> "none"']


def test_files_code_packages_and_unicode_are_told_by_what_they_are() -> None:
    before = Measure((FilterChoice("educational_score"), FilterChoice("gopher_quality"))).identity()
    model, quality = before["fields"]["filters"]
    after = {
        **before,
        "version": before["version"] + 1,
        "unicode": "99.0.0",
        "files": {"tokenizer": "0" * 64},
        "packages": {**before["packages"], "numba": "9.9"},
        "fields": {"filters": [{**model, "files": {"model": "f" * 64}}, {**quality, "version": 9}]},
    }
    assert changes(before, after) == [
        "educational_score: model changed",
        f"code of gopher_quality, version {quality['version']} -> 9",
        "tokenizer is new",
        f"numba {before['packages']['numba']} -> 9.9",
        f"Unicode {before['unicode']} -> 99.0.0",
        f"code of measure, version {before['version']} -> {before['version'] + 1}",
    ]


SCALAR = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "fields", "filter", "a", "b"]), inner, max_size=4),
    max_leaves=12,
)


@meets(nested=10)
@given(JSON)
def test_equal_values_are_never_told(value: Any) -> None:
    assert differences("x", value, value) == []
    identity = {"stage": "3-judge", "version": 1, "fields": {"x": value}}
    assert changes(identity, {**identity, "fields": {"x": tuple(value) if isinstance(value, list) else value}}) == []
    met["nested"] += isinstance(value, list | dict) and len(value) > 0


def test_values_that_differ_are_told_on_short_lines() -> None:
    @meets(differ=6)
    @given(JSON, JSON, SCALAR, SCALAR)
    def check(before: Any, after: Any, low: Any, high: Any) -> None:
        lines = [line for was, now in ((before, after), (low, high), (low, before)) for line in differences("x", was, now)]
        assert all(line.isprintable() for line in lines)
        if low != high:
            met["differ"] += 1
            assert differences("x", low, high)
            assert differences("x", [1, low], [1, high])
            assert differences("x", [{"name": "a", "b": low}], [{"name": "a", "b": high}])

    check()


def source(relative: str, size: int) -> SourceFile:
    return SourceFile(Location.of("/nowhere") / relative, relative, "x", size, 7)


def test_inputs_are_counted() -> None:
    before = fingerprints([source("a", 1), source("b", 1), source("c", 1), source("d", 1)])
    after = fingerprints([source("a", 2), source("b", 1), *(source(f"new-{number}", 1) for number in range(1200))])
    assert changed_inputs(before, after) == "1,200 inputs are new, 1 changed, 2 gone"
    assert changed_inputs(before, before | fingerprints([source("e", 1)])) == "1 input is new"
    assert changed_inputs(before, before) == ""


@pytest.mark.parametrize("count", [1, 2, LINES - 1, LINES, 500])
def test_no_more_than_ten_lines(count: int) -> None:
    lines = [f"filter.threshold_{number} 1 -> 2" for number in range(count)]
    text = told(lines, "judge again, 3 of 3 units", "run.json").splitlines()
    assert len(text) <= LINES
    named = sum("threshold" in line for line in text)
    assert named == count or text[-1] == f"  and {count - named} more: run.json"


def test_stages_are_told_as_words() -> None:
    assert [words_of_stage(name) for name in ("3-judge", "1a-id-hashes", "4d-stars")] == ["judge", "id hashes", "stars"]


def test_new_and_gone_inputs_of_a_run_are_told(tmp_path: Path) -> None:
    from tests.running import curate

    for name in ("a", "b", "c"):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / f"in/{name}.jsonl").write_text(f'{{"text": "what {name} says is this and no more"}}\n')
    given = ("run", "dedup", tmp_path / "in", "--out", tmp_path / "out")
    curate(*given)
    (tmp_path / "in/a.jsonl").unlink()
    (tmp_path / "in/b.jsonl").write_text('{"text": "something else altogether"}\n')
    (tmp_path / "in/d.jsonl").write_text('{"text": "a text that was not there"}\n')
    refused = curate(*given, "--frozen", code=3)
    assert "1 input is new, 1 changed, 1 gone: ingest again, " in refused
    assert len(refused.splitlines()) < 10
    curate(*given)
    (tmp_path / "in/d.jsonl").unlink()
    assert "1 input is gone" in curate(*given, "--frozen", code=3)


def test_a_run_over_other_inputs_is_not_replaced_unasked(tmp_path: Path) -> None:
    from tests.running import curate

    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.jsonl").write_text(f'{{"text": "what {name} says is this and no more"}}\n')
    out = tmp_path / "out"
    curate("run", "dedup", tmp_path / "a.jsonl", tmp_path / "b.jsonl", "--out", out)
    held = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    refused = " ".join(curate("run", "dedup", tmp_path / "c.jsonl", "--out", out, code=3).split())
    assert "holds a run over 2 other inputs, such as a.jsonl; none is read now" in refused
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == held
    curate("run", "dedup", tmp_path / "b.jsonl", tmp_path / "c.jsonl", "--out", out)
    curate("run", "dedup", tmp_path / "a.jsonl", "--out", out, "--replace")
    assert pl.read_parquet(out / "dataset/data/*.parquet")["text"].to_list() == ["what a says is this and no more"]


def test_frozen_names_all_that_a_recipe_changes(tmp_path: Path) -> None:
    from tests.running import curate

    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jsonl").write_text('{"text": "what is said is this and no more of it at all"}\n')
    (tmp_path / "mine.toml").write_text('[[edit]]\nname = "whitespace"\n[[filter]]\nname = "gopher_quality"\n[deduplicate]\n')
    given = ("run", tmp_path / "mine.toml", tmp_path / "in", "--out", tmp_path / "out")
    curate(*given)
    changed = [
        "edit.whitespace.collapse=false",
        "filter.gopher_quality.min_words=40",
        "deduplicate.threshold=0.8",
        'export.keep=["license"]',
    ]

    def frozen(*settings: str) -> str:
        return curate(*given, *(word for setting in settings for word in ("--set", setting)), "--frozen", code=3)

    refused = frozen(*changed)
    for line in ("whitespace.collapse", "gopher_quality.min_words 50 -> 40: judge again", "threshold 0.75 -> 0.8", "keep: license added"):
        assert line in refused, refused
    assert len(refused.splitlines()) <= LINES
    assert "what follows cannot be compared" not in refused
    assert "what follows cannot be compared" in frozen("deduplicate.ngram=4", 'export.keep=["license"]')
    curate(*given, "--frozen")

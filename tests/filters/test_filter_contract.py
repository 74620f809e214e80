"""What every shipped filter promises, checked on all of them: `filters.contract` says it, this file tries to catch one that does not hold.

A new filter is found here by itself: its examples are tried, its signals and rules are compared with what it declares, and it measures the
texts that break naive code, in batches of every size.
"""

import dataclasses
import inspect
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from curation.errors import RecipeError
from curation.schema import DOCUMENTS
from curation.storage.resources import resolve
from curation.text.text import Text
from filters.contract import Filter, FilterChoice, shipped_filters
from filters.judge import failing, judge
from filters.measure import DESCRIBING, measure, signals_schema
from pipelines.cli import app

FILTERS = shipped_filters()
BENCHMARK = "sample_data:benchmarks/questions.jsonl"
LISTS = Path(__file__).parents[1] / "lists"
CONFIGURED: dict[str, dict[str, Any]] = {
    "bad_words": {"lists": (BENCHMARK,)},  # its lines are entries as good as others
    "benchmark_overlap": {"benchmarks": (BENCHMARK,)},
    "token_density": {"tokenizer": str(LISTS / "tokenizer.json")},
    "url_rules": {kind: (str(LISTS / f"{kind}.txt"),) for kind in ("domains", "urls", "hard", "soft", "strict")},
}
"""Parameters without which a filter measures nothing; it is tried with and without them."""

OTHERS: dict[tuple[str, str], Any] = {("page_kind", "drop"): ("forum",), ("educational_score", "language"): "de"}
"""Another value of a parameter that takes only words from a list."""

MANY_WORDS = "The river carries fine sand to the sea, and the sea lays it down again in slow layers. " * 24_000
AWKWARD = {
    "empty": "",
    "blanks": " \t\n \u00a0\u3000\u2028\n\n",
    "newlines": "\n" * 1000,
    "one letter": "a",
    "lone accent": "\u0301",
    "accents": "e\u0301" * 50 + "\u0301" * 3000,
    "controls": "\x01\x07\x1b[31mred\x1b[0m \x7f\x85 \ufeff\ufffd\ufffe tail",
    "right to left": "\u202eمرحبا بالعالم\u202c שלום עולם. هذا نص قصير عن المطر والبحر.",
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈 👍🏽 rain ☔️ 🇩🇪" * 20,
    "beyond the plane": "𝒳 is a set; 𐍈 is a letter; 𠀀 is a character. " * 5,
    "Chinese": "雨は、空気が水を保てなくなったときに降ります。水蒸気冷却後凝結成雲。" * 10,
    "Thai": "ฝนตกเมื่ออากาศไม่สามารถอุ้มน้ำได้อีกต่อไป",
    "bullets": "- \n- \n• …\n- ...\n",
    "hashes": "# ## ### #### #a #b … ... .... .",
    "markup": "<p>&nbsp;</p>{{ }}\\x00%s%00'\";--",
    "one long word": "x" * 2_000_000,
    "one long line": MANY_WORDS,
}

filters = pytest.mark.parametrize("name", FILTERS)


def variants(name: str) -> list[Filter]:
    return [FILTERS[name](), *([FILTERS[name](**CONFIGURED[name])] if name in CONFIGURED else [])]


def documents_of(texts: list[str]) -> Any:
    """Return a DOCUMENTS batch of texts."""
    columns: dict[str, Any] = {field.name: pa.nulls(len(texts), field.type) for field in DOCUMENTS}
    columns["text"] = pa.array(texts, pa.large_string())
    columns["key"] = pa.array([number.to_bytes(16, "big") for number in range(len(texts))], pa.binary(16))
    for known in ("id", "source", "file_path"):
        columns[known] = pa.array([f"{known}-{number}" for number in range(len(texts))])
    columns["offset"] = columns["text_bytes"] = pa.array([len(text.encode()) for text in texts], pa.int64())
    return pa.table({field.name: columns[field.name] for field in DOCUMENTS}, schema=DOCUMENTS)


def measured(made: Filter, batch: Any) -> Any:
    return measure(batch, [(made, False)], signals_schema([made]))


def raw_signals(made: Filter, texts: list[str | None]) -> dict[str, Any]:
    """Return what the filter itself gives, before measure casts it."""
    narrow = documents_of([text or "" for text in texts]).select(DESCRIBING)
    found = made.signals(Text.from_strings(texts), narrow)
    return {name: column if isinstance(column, (pa.Array, pa.ChunkedArray)) else pa.array(column) for name, column in found.items()}


def corpus() -> list[str]:
    """Return every text of this file and a question of the benchmark, each at an odd place among the others."""
    examples = [text for kind in FILTERS.values() for text, _ in kind.examples]
    question = json.loads(resolve(BENCHMARK).read_text("utf-8").splitlines()[0])
    held = max((value for value in question.values() if isinstance(value, str)), key=len)
    return [*examples, f"As was asked before: {held} Nobody knew.", *AWKWARD.values()]


@filters
def test_examples_get_the_verdict_they_tell(name: str) -> None:
    made = FILTERS[name]()
    assert made.examples, "a filter shows what it keeps and what it drops"
    verdicts = judge(measured(made, documents_of([text for text, _ in made.examples])), [made])
    wanted = [reason and f"{name}.{reason}" for _, reason in made.examples]
    assert verdicts["rule"].to_pylist() == wanted


@filters
def test_signals_are_what_is_declared(name: str) -> None:
    for made in variants(name):
        found = raw_signals(made, [None, *corpus()])
        assert list(found) == list(made.signal_types)
        assert {signal: column.type for signal, column in found.items()} == dict(made.signal_types)
        assert {len(column) for column in found.values()} == {len(corpus()) + 1}


@filters
def test_awkward_texts_are_measured_without_error(name: str) -> None:
    for made in variants(name):
        for title, text in {**AWKWARD, "nothing": None}.items():
            for signal, column in raw_signals(made, [text]).items():
                if pa.types.is_floating(column.type) and column[0].is_valid:
                    assert np.isfinite(column[0].as_py()), f"{signal} of {title}"


@filters
def test_a_null_is_an_empty_text(name: str) -> None:
    for made in variants(name):
        assert raw_signals(made, [None, "one more"]) == raw_signals(made, ["", "one more"])
    assert FILTERS[name]().signals(Text.from_strings([]), documents_of([]).select(DESCRIBING)).keys() == FILTERS[name].signal_types.keys()


@filters
@pytest.mark.parametrize("size", [1, 2, 7])
def test_the_batch_moves_neither_signal_nor_verdict(name: str, size: int) -> None:
    batch = documents_of(corpus())
    for made in variants(name):
        whole = measured(made, batch)
        pieces = [measured(made, batch.slice(start, size)) for start in range(0, batch.num_rows, size)]
        assert pa.concat_tables(pieces).combine_chunks().equals(whole)
        assert pa.concat_tables([judge(piece, [made]) for piece in pieces]).combine_chunks().equals(judge(whole, [made]).combine_chunks())


def another(value: Any) -> Any:
    """Return a value of the same type that a recipe might hold instead."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value / 2 + 0.01
    if isinstance(value, str):
        return value + ":"
    if value is None:  # a bound that is not given
        return 1
    if isinstance(value, tuple) and all(isinstance(entry, str) for entry in value):
        return (*value, "zxx")
    raise NotImplementedError(f"say in this test what else {value!r} could be")


def changed(made: Filter, field: str, folder: Path) -> Filter:
    """Return the filter with another value in one field; a file's name becomes that of a copy."""
    value = getattr(made, field)
    if (made.name(), field) in OTHERS:
        return dataclasses.replace(made, **{field: OTHERS[made.name(), field]})
    names = [value] if isinstance(value, str) else value if isinstance(value, tuple) else []
    if names and all(":" in entry or Path(entry).is_file() for entry in names):
        for source in resolve(names[0]).parent.glob(f"{resolve(names[0]).stem}.*"):
            shutil.copy(source, folder)
        copy = str(folder / resolve(names[0]).name)
        return dataclasses.replace(made, **{field: copy if isinstance(value, str) else (copy,)})
    configured = CONFIGURED.get(made.name(), {}).get(field)
    return dataclasses.replace(made, **{field: configured if configured and not value else another(value)})


def rules_of(made: Filter) -> dict[str, tuple[str, str, str]]:
    return {reason: (str(rule.drops), rule.signal, str(rule.threshold)) for reason, rule in made.rules().items()}


@filters
def test_thresholds_and_places_move_no_signal_and_the_others_are_part_of_the_key(name: str, tmp_path: Path) -> None:
    batch = documents_of([text for text in corpus() if len(text) < 10_000])
    for made in variants(name):
        fields = {field.name for field in dataclasses.fields(made)}
        assert made.threshold_fields() | made.file_fields <= fields
        before = measured(made, batch)
        for field in sorted(fields):
            if field in made.file_fields and getattr(made, field) == "":
                continue  # it names no file yet, and there is none that it could name
            other = changed(made, field, tmp_path)
            if field in made.threshold_fields():
                assert measured(other, batch).equals(before), f"threshold {field} moves a signal"
                assert other.measuring() == made.measuring(), f"threshold {field} would make measure run again"
                assert rules_of(other) != rules_of(made), f"no rule reads {field}"
            elif field in made.file_fields and getattr(made, field):
                assert other.measuring() == made.measuring(), f"the place of {field} would make measure run again"
            else:
                assert other.measuring() != made.measuring(), f"{field} is not part of measure's key"
                assert rules_of(other) == rules_of(made), f"{field} moves a rule; it is a threshold"


@filters
def test_rules_read_declared_signals_and_examples_name_rules(name: str) -> None:
    for made in variants(name):
        for reason, rule in made.rules().items():
            assert {rule.signal, *rule.evidence, *rule.drops.meta.root_names()} <= made.signal_types.keys(), reason
            assert rule.signal in rule.drops.meta.root_names(), f"{reason} shows a signal that does not decide"
    made = FILTERS[name]()
    assert {reason for _, reason in made.examples} - {None} <= made.rules().keys()


@filters
def test_nulls_fail_no_rule(name: str) -> None:
    made = FILTERS[name]()
    unmeasured = pa.table({signal: pa.nulls(3, kind) for signal, kind in made.signal_types.items()})
    for (reason, _), fails in failing(made, unmeasured):
        assert not fails.any(), f"{reason} drops what was not measured"


@filters
def test_rules_give_true_or_false_for_each_document(name: str) -> None:
    made = FILTERS[name]()
    frame = pl.DataFrame(
        {signal: pl.Series([None], dtype=pl.Series(pa.nulls(0, kind)).dtype) for signal, kind in made.signal_types.items()}
    )
    for reason, rule in made.rules().items():
        assert frame.select(rule.drops).dtypes == [pl.Boolean], reason


@filters
def test_docstrings_name_the_source_and_every_parameter(name: str) -> None:
    kind = FILTERS[name]
    about = inspect.getmodule(kind).__doc__ or ""
    assert re.search(r"\bSource\b.*\b(19|20)\d\d\b|\b[Oo]urs\b", about, re.DOTALL), "name the paper and its year, or say that it is ours"
    details = kind.__doc__ or ""
    missing = [field.name for field in dataclasses.fields(kind) if not re.search(rf"\b{field.name}\b", details)]
    assert not missing, f"the docstring of {kind.__name__} does not tell {missing}"


@filters
def test_a_filter_that_drops_nothing_for_want_of_a_file_warns(name: str) -> None:
    """With its files it drops; without any it would keep all, in silence."""
    made = FILTERS[name]()
    idle = bool(made.file_fields) and not any(getattr(made, field) for field in made.file_fields)
    assert made.needs_files == idle
    assert [f"filter {name}: no file is named" in line for line in made.cautions()] == [True] * idle
    if name in CONFIGURED:
        assert FILTERS[name](**CONFIGURED[name]).cautions() == ()


@filters
def test_the_catalogue_lists_everything(name: str) -> None:
    kind = FILTERS[name]
    printed = CliRunner().invoke(app, ["filters", name, "--json"])
    assert printed.exit_code == 0
    told = json.loads(printed.stdout)
    assert {entry["name"]: entry["judges"] for entry in told["parameters"]} == {
        field.name: field.name in kind.threshold_fields() for field in dataclasses.fields(kind)
    }
    assert told["signals"] == {signal: str(type_) for signal, type_ in kind.signal_types.items()}
    assert list(told["rules"]) == list(kind().rules())
    assert told["about"] == inspect.cleandoc(inspect.getmodule(kind).__doc__ or "")


def test_the_list_of_filters_is_the_folder() -> None:
    listed = json.loads(CliRunner().invoke(app, ["filters", "--json"]).stdout)
    assert [entry["name"] for entry in listed] == list(FILTERS)
    assert all(entry["summary"].endswith((".", "?")) for entry in listed)


def test_a_user_s_filter_whose_rules_fail_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    """A recipe is refused at once, not after a crawl was measured; the message names the file and the error."""
    (tmp_path / "hasty.py").write_text(
        "from dataclasses import dataclass\nfrom filters.contract import Filter\n\n"
        "@dataclass(frozen=True)\nclass Hasty(Filter):\n    signal_types = {}\n\n"
        "    def signals(self, text, documents):\n        return {}\n\n"
        "    def rules(self):\n        return {'odd': 1 / 0}\n"
    )
    with pytest.raises(RecipeError, match=r"filter hasty of .*hasty\.py cannot be made: ZeroDivisionError"):
        FilterChoice("hasty", file=str(tmp_path / "hasty.py")).build()

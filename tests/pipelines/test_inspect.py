"""Looking at a run: the funnel adds up, signals and thresholds are counted as a plain loop counts them, stories are whole."""

import bisect
import dataclasses
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import UsageError
from curation.ledger.books import Books
from curation.storage.location import Location
from filters.contract import Rule
from pipelines.inspect.diff import diff
from pipelines.inspect.histogram import count_bins, grid
from pipelines.inspect.rules import side_dropped
from pipelines.inspect.run_folder import places
from pipelines.inspect.signal_split import signal_by
from pipelines.inspect.thresholds import retention, threshold_effect
from pipelines.inspect.verify import Verification
from pipelines.inspect.views import funnel_of, signal_summary
from pipelines.inspect.why import duplicates, why
from pipelines.recipes.catalogue import describe, list_filters
from pipelines.report import signal_tables, tables
from pipelines.report.summary import Summary
from pipelines.terminal import terminal
from pipelines.terminal.wording import number as number_in_words
from pipelines.terminal.wording import printable
from tests.meeting import meets, met
from tests.running import curate
from tests.toy_run import HOSTILE_URL, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_run(tmp_path_factory.mktemp("run")))


def _rows(run: str) -> list[dict]:
    """The plain twin's view: every measured web row with its ledger row."""
    rows = []
    for place in places(Location.of(run)):
        if place.signals is not None:
            ledger = pl.read_parquet(str(place.ledger)).to_dicts()
            signals = pl.read_parquet(str(place.signals)).to_dicts()
            rows += [{**left, **right, "id": left["id"]} for left, right in zip(ledger, signals, strict=True)]
    return rows


def test_the_funnel_adds_up(run: str) -> None:
    funnel = funnel_of(run)
    assert funnel.records == 96
    assert funnel.ignored == {"request": 32, "warcinfo": 1}
    assert funnel.web.came.documents == 63 == funnel.records - sum(funnel.ignored.values())
    for flow in (funnel.web, funnel.synthetic):
        assert flow is not None
        assert flow.came.documents == flow.kept.documents + sum(step.taken.documents for step in flow.steps) == sum(flow.fates.values())
        assert flow.came.text_bytes == flow.kept.text_bytes + sum(step.taken.text_bytes for step in flow.steps)
        assert flow.steps[-1].remaining == flow.kept.documents
        assert flow.kept_share == pytest.approx(flow.kept.documents / flow.came.documents)
        assert all(step.share == pytest.approx(step.taken.documents / flow.came.documents) for step in flow.steps)
    assert sum(source.came.documents for source in funnel.sources) == funnel.web.came.documents
    assert sum(source.kept.documents for source in funnel.sources) == funnel.web.kept.documents
    assert [source.source for source in funnel.sources] == ["blogs", "crawl"]
    assert sum(source.came.text_bytes for source in funnel.sources) == funnel.web.came.text_bytes
    assert sum(source.kept.text_bytes for source in funnel.sources) == funnel.web.kept.text_bytes
    assert all(source.kept_share == pytest.approx(source.kept.documents / source.came.documents) for source in funnel.sources)
    assert funnel.dataset is not None
    assert funnel.synthetic is not None
    assert funnel.dataset.rows == funnel.web.kept.documents + funnel.synthetic.kept.documents


def test_steps_come_in_the_order_in_which_they_happen(run: str) -> None:
    steps = funnel_of(run).web.steps
    assert [step.stage for step in steps] == sorted((step.stage for step in steps), key=["ingest", "judge", "deduplicate"].index)
    judged = [step for step in steps if step.stage == "judge"]
    assert judged[0].rule == "gopher_quality.too_few_words"
    assert (judged[0].signal, judged[0].threshold) == ("gopher_quality.words", 50.0)
    assert judged[-1].rule.startswith("fineweb_quality.")
    few_ends = next(step for step in judged if step.rule == "fineweb_quality.few_sentence_ends")
    assert few_ends.failing == sum(1 for row in _rows(run) if "fineweb_quality.few_sentence_ends" in (row["failed"] or []))
    assert few_ends.failing > few_ends.taken.documents == 0


def test_a_signal_is_summarised_as_a_loop_would(run: str) -> None:
    summary = signal_summary(run, "words")
    rows = _rows(run)
    values = sorted(row["gopher_quality.words"] for row in rows)
    assert summary.signal == "gopher_quality.words"
    assert (summary.documents, summary.missing, summary.scale) == (60, 0, "log")
    assert (summary.quantiles[0].value, summary.quantiles[-1].value) == (values[0], values[-1])
    assert all(quantile.value in values for quantile in summary.quantiles)
    for entry in summary.bins:
        inside = [row for row in rows if entry.low <= row["gopher_quality.words"] < entry.high]
        assert entry.documents == len(inside)
        assert entry.kept == sum(row["fate"] == "kept" for row in inside)
        assert entry.dropped_here == sum(row["rule"] in ("gopher_quality.too_few_words", "gopher_quality.too_many_words") for row in inside)
    below = [sample for sample in summary.samples if sample.where == "below 50"]
    above = [sample for sample in summary.samples if sample.where == "not below 50"]
    assert len(below) == len(above) == 3
    assert max(value for value in values if value < 50) == below[0].value
    assert {sample.rule for sample in below} == {"gopher_quality.too_few_words"}
    assert {sample.fate for sample in above} == {"kept"}
    assert all(0 < len(sample.excerpt) <= 200 for sample in summary.samples)


def test_another_threshold_keeps_what_a_loop_would_keep(run: str) -> None:
    effect = threshold_effect(run, "words", 100)
    rows = _rows(run)
    assert (effect.rule, effect.threshold, effect.drops) == ("gopher_quality.too_few_words", 50.0, "below")
    others = [row for row in rows if row["fate"] != "duplicate" and not set(row["failed"] or []) - {"gopher_quality.too_few_words"}]
    for split, of in ((effect.all, rows), (effect.otherwise_kept, others)):
        assert split.of.documents == len(of)
        assert split.now.documents == sum(row["gopher_quality.words"] >= 50 for row in of)
        assert split.then.documents == sum(row["gopher_quality.words"] >= 100 for row in of)
        assert split.then.text_bytes == sum(row["text_bytes"] for row in of if row["gopher_quality.words"] >= 100)
    assert effect.otherwise_kept.now.documents == sum(row["fate"] == "kept" for row in rows)
    assert {split.name for split in effect.sources} == {"blogs", "crawl"}
    assert sum(split.then.documents for split in effect.sources) == effect.otherwise_kept.then.documents


def test_the_nearest_of_two_thresholds_is_replaced(run: str) -> None:
    assert threshold_effect(run, "gopher_quality.words", 20_000).rule == "gopher_quality.too_many_words"
    assert threshold_effect(run, "gopher_quality.words", 10).otherwise_kept.then.documents == 56


@pytest.mark.parametrize("by", ["source", "origin"])
def test_a_signal_is_summarised_for_each_source_as_a_loop_would(run: str, by: str) -> None:
    split, rows = signal_by(run, "words", by), _rows(run)
    assert (split.signal, split.others) == ("gopher_quality.words", 0)
    assert len(split.parts) == (len({row["source"] for row in rows}) if by == "source" else 1)
    for part in split.parts:
        inside = rows if by == "origin" else [row for row in rows if row["source"] == part.name]
        values = sorted(row["gopher_quality.words"] for row in inside)
        assert (part.summary.documents, part.summary.mean) == (len(inside), pytest.approx(sum(values) / len(values)))
        assert (part.summary.quantiles[0].value, part.summary.quantiles[-1].value) == (values[0], values[-1])
        assert part.kept == sum(row["fate"] == "kept" for row in inside)
        assert {sample.id for sample in part.summary.samples} <= {row["id"] for row in inside}
        assert part.summary.samples
    assert sum(part.summary.documents for part in split.parts) == len(rows)
    shown = curate("inspect", run, "--signal", "words", "--by", by)
    assert all(f"Samples of {printable(part.name)}" in shown for part in split.parts)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda run: signal_by(run, "words", "colour"), "choose source or origin"),
        (lambda run: signal_summary(run, "wrods"), "did you mean 'words'"),
        (lambda run: signal_summary(run, "gopher_quality.wrods"), "did you mean 'gopher_quality.words'"),
        (lambda run: why(run, "doc-99999"), "knows no record"),
        (lambda run: why(run, "https://elsewhere.example/doc-004"), "doc-004"),
        (lambda run: duplicates(run, "doc-005"), "was dropped by gopher_quality.few_stop_words"),
        (lambda run: funnel_of(str(Path(run).parent / "nothing")), "not the folder of a run"),
    ],
)
def test_mistakes_are_told_with_a_hint(run: str, ask, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ask(run)


def test_why_tells_the_whole_story(run: str) -> None:
    (kept,) = why(run, "doc-004")
    assert (kept.fate, kept.cluster_size, kept.metadata["title"]) == ("kept", 3, "Title 4")
    assert kept.text is not None
    assert kept.text.startswith("A loop repeats")
    assert len(kept.rules) == 14
    assert not any(rule.fails for rule in kept.rules)
    assert why(run, "https://crawl.example/page/4") == [kept]
    (dropped,) = why(run, HOSTILE_URL)
    assert {rule.rule for rule in dropped.rules if rule.fails} == set(dropped.failed) != set()
    assert dropped.place is None
    (copy,) = why(run, "copy-1")
    assert (copy.fate, copy.duplicate_of, copy.similarity) == ("duplicate", "doc-004", 0.91)
    (unreadable,) = why(run, "blogs/posts.jsonl:9200")
    assert (unreadable.fate, unreadable.text, unreadable.signals) == ("unreadable", None, {})
    (made,) = why(run, "made-2")
    assert (made.origin, made.metadata["task"]) == ("synthetic", "worked_problem")


def test_why_finds_ids_that_were_made_longer(run: str) -> None:
    assert [told.id for told in why(run, "doc-110")] == ["doc-110", "doc-110~0badcafe"]


def test_places_in_the_dataset_are_those_of_the_file(run: str) -> None:
    for name in ("doc-004", "doc-110", "doc-110~0badcafe", "doc-129", "made-0", "made-2"):
        told = why(run, name)[-1]
        assert told.place is not None
        row = pl.read_parquet(Path(run) / "dataset" / told.place.file).row(told.place.row, named=True)
        assert row["id"] == told.id


def test_a_cluster_is_the_same_from_each_of_its_members(run: str) -> None:
    cluster = duplicates(run, "doc-004")
    assert duplicates(run, "copy-1") == cluster
    assert (cluster.stayed, cluster.size) == ("doc-004", 3)
    assert [(member.id, member.similarity) for member in cluster.members] == [("doc-004", None), ("copy-2", 1.0), ("copy-1", 0.91)]


def test_diff_counts_who_went_another_way(run: str, tmp_path: Path) -> None:
    other = str(write_run(tmp_path, min_words=120, synthetic=False))
    difference = diff(run, other)
    (change,) = difference.changes
    assert change.before == ("kept", None)
    assert change.after == ("dropped", "gopher_quality.too_few_words")
    moved = {row["id"] for row in _rows(run) if row["fate"] == "kept" and row["gopher_quality.words"] < 120}
    assert change.documents == difference.changed == len(moved)
    assert {example.id for example in change.examples} <= moved
    urls = {row["id"]: row["url"] for row in _rows(run)}
    assert all(example.url == urls[example.id] is not None for example in change.examples)
    assert (difference.only_first, difference.only_second) == (3, 0)
    assert {example.id for example in difference.examples_first} == {"made-0", "made-1", "made-2"}
    assert difference.same == 63 - len(moved)
    assert diff(run, run).changes == []


def test_a_signal_s_mean_is_told_where_it_has_one(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    summary = signal_summary(run, "words")
    assert summary.mean is not None
    signal_tables.show_signal(summary)
    out = capsys.readouterr().out
    assert f"not measured, mean {number_in_words(summary.mean)}\n" in out
    assert "Histogram (log bins; █ kept, ░ not kept)" in out
    assert all(number_in_words(entry.low) in out for entry in summary.bins if entry.documents)
    signal_tables.show_signal(dataclasses.replace(summary, mean=None))
    assert "mean" not in capsys.readouterr().out


@pytest.mark.parametrize("threshold", [-200.0, -0.5, 0.0, 0.001, 3.0, 1e6])
def test_the_side_that_a_rule_drops_is_found_by_trying(threshold: float) -> None:
    x = pl.col("x")
    for drops, side in (
        (x < threshold, "below"), (x <= threshold, "below"), (x > threshold, "above"), (x >= threshold, "above"),
        (x != threshold, None), (x == threshold, None), (pl.lit(True), None), (x.str.contains("a"), None),
    ):  # fmt: skip
        assert side_dropped(Rule(drops, "x", threshold)) == side
    assert side_dropped(Rule(x > threshold, "x", threshold, side="below")) == "below", "what is declared counts"
    assert side_dropped(Rule(x > threshold, "x", pl.lit(threshold))) is None


def test_why_tells_the_value_and_the_threshold_it_was_held_against(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    row = next(row for row in _rows(run) if row["rule"] == "gopher_quality.too_few_words")
    (told,) = why(run, row["id"])
    for threshold, words in ((told.threshold, " (threshold 50)"), (None, "")):
        tables.show_why([dataclasses.replace(told, threshold=threshold)])
        out = capsys.readouterr().out
        assert out.splitlines()[0] == "dropped at judge by gopher_quality.too_few_words"
        assert re.search(r"^value +(.*)$", out, re.MULTILINE)[1].rstrip() == f"{number_in_words(row['value'])}{words}"  # type: ignore[index]


def test_a_curve_without_points_says_so_and_one_with_points_shows_them(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    curves = retention(run, "words")
    signal_tables.show_retention(curves)
    out = capsys.readouterr().out
    assert "no possible threshold" not in out
    assert all(number_in_words(point.at) in out for curve in curves.curves for point in curve.points)
    assert "recipe" in out
    signal_tables.show_retention(dataclasses.replace(curves, curves=[dataclasses.replace(curves.curves[0], points=[])]))
    assert "The signal has no value, so it has no possible threshold." in capsys.readouterr().out


def test_every_result_is_json_and_a_table_without_control_characters(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = [
        (tables.show_funnel, funnel_of(run)),
        (signal_tables.show_signal, signal_summary(run, "words")),
        (signal_tables.show_threshold, threshold_effect(run, "words", 100)),
        (signal_tables.show_retention, retention(run, "words")),
        (tables.show_why, why(run, HOSTILE_URL)),
        (tables.show_duplicates, duplicates(run, "copy-1")),
        (tables.show_diff, diff(run, run)),
    ]
    for show, result in shown:
        json.dumps(tables.as_plain(result), allow_nan=False)
        show(result)
        out = capsys.readouterr().out
        assert out.strip()
        assert all(character.isprintable() for line in out.splitlines() for character in line)


@dataclass(frozen=True)
class _Part:
    stage_name: str
    share: float | None


@dataclass(frozen=True)
class _Whole:
    wall_seconds: float
    fresh: bool
    notes: tuple[str, ...]
    parts: tuple[_Part, ...]


def test_any_dataclass_of_plain_fields_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show_fields(_Whole(1234.5, True, ("one", "two"), (_Part("ingest", 0.25), _Part("[bold]judge", None))))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert {"wall seconds 1,234", "fresh yes", "notes one, two", "Parts", "stage name share", "ingest 0.25", "[bold]judge"} <= set(lines)


def test_the_other_verbs_have_tables(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    books = Books(96, {}, {}, {}, {}, [])
    tables.show_summary(Summary(run, funnel_of(run), books, f"{run}/dataset", f"{run}/report.html", "other", 1.25))
    shown = capsys.readouterr().out
    assert "The books balance: 96 records, each with one fate." in shown
    assert 'The dataset\'s licence is "other"' in shown
    faulty = dataclasses.replace(books, faults=["a.warc.gz: counted 3, the ledger has 2"])
    tables.show_summary(Summary(run, funnel_of(run), faulty, "", "", "cc0-1.0", 0.0))
    shown = capsys.readouterr().out
    assert "a.warc.gz: counted 3, the ledger has 2" in shown
    assert 'The dataset\'s licence is "other"' not in shown
    tables.show_verification(Verification(3, 4096, ["x.parquet is missing"]))
    assert "x.parquet is missing" in capsys.readouterr().out
    for count, more in ((0, None), (10, ""), (11, " and 1 more"), (1500, " and 1,490 more")):
        names = [f"n{number}" for number in range(count)]
        tables.show_verification(Verification(3, 4096, [], strangers=names))
        told = re.search(r"not checked: (n0(?:, n\d)*)(.*)", capsys.readouterr().out)
        assert (None if told is None else (told[1], told[2])) == (None if more is None else (", ".join(names[:10]), more))
    tables.show_filters(list_filters())
    assert "gopher_quality" in capsys.readouterr().out
    tables.show_filter(describe("gopher_quality"))
    assert "min_words" in capsys.readouterr().out
    tables.show_export({"rows": 1000, "out": "elsewhere"})
    assert "1,000" in capsys.readouterr().out


def test_numbers_that_json_lacks_become_null() -> None:
    assert tables.as_plain({"a": [math.nan, math.inf, 1.5, b"\x0a", {"b"}]}) == {"a": [None, None, 1.5, "0a", ["b"]]}


@meets(shown=20, mended=10)
@given(st.text())
def test_printable_text_is_printable(text: str) -> None:
    assert all(character.isprintable() for character in printable(text))
    assert "\n" not in printable(text)
    met["shown"] += bool(printable(text))
    met["mended"] += printable(text) != text


values = st.one_of(
    st.lists(st.floats(-1e9, 1e9, allow_subnormal=False), min_size=1, max_size=50),
    st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=50),
    st.lists(st.integers(0, 10**7), min_size=1, max_size=50),
)


@meets(bins=120, several=10)
@given(values)
def test_bins_cover_everything_once(numbers: list[float]) -> None:
    whole = all(isinstance(number, int) for number in numbers)
    ordered = sorted(numbers)
    least = min((number for number in numbers if number > 0), default=None)
    _, edges = grid(ordered[0], ordered[len(ordered) // 2], ordered[-1], least, whole)
    assert edges == sorted(set(edges))
    assert edges[0] <= ordered[0]
    assert ordered[-1] <= edges[-1]
    assert len(edges) <= 100
    frame = pl.LazyFrame(
        {"value": [float(number) for number in numbers], "fate": "kept", "rule": pl.Series([None] * len(numbers), dtype=pl.String)}
    )
    counted = count_bins(frame, edges, [])
    expected = [0] * (len(edges) - 1)
    for number in numbers:
        expected[min(bisect.bisect_right(edges, number), len(edges) - 1) - 1] += 1
    assert [entry.documents for entry in counted] == expected
    met["bins"] += sum(count > 0 for count in expected)
    met["several"] += len(edges) > 2


def test_skewed_bins_lie_on_preferred_numbers() -> None:
    scale, edges = grid(0, 40, 10_000, 7, whole=True)
    assert scale == "log"
    assert edges[:5] == [0, 7, 8, 10, 13]
    assert {50.0, 100.0, 1000.0, 10_000.0} <= set(edges)

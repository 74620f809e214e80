"""The threshold lab: every point of a curve is what `--at` says of it and what a plain loop counts, for signals of every kind."""

import json
import random
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import UsageError
from curation.storage.location import Location
from pipelines.inspect.flows import Amount
from pipelines.inspect.rules import RecipeRule, read_rules
from pipelines.inspect.run_folder import places
from pipelines.inspect.thresholds import AskedSignal, _shares, retention, threshold_effect
from pipelines.inspect.views import signal_summary
from tests.meeting import meets, met
from tests.running import curate

ODD_SIGNALS = """
import json
from dataclasses import dataclass
from typing import ClassVar
import pyarrow as pa
from filters.contract import Filter, Threshold, above, below

KINDS = {"degrees": pa.float64(), "count": pa.int64(), "flag": pa.bool_(), "same": pa.int32(), "nothing": pa.float64()}
KINDS["colour"] = pa.string()

@dataclass(frozen=True)
class OddSignals(Filter):
    \"\"\"Takes its signals from the text.\"\"\"
    coldest: Threshold[float] = -12.5
    hottest: Threshold[float] = 30.0
    signal_types: ClassVar = KINDS

    def signals(self, text, documents):
        rows = [json.loads(text.string(row)) for row in range(len(text))]
        return {name: pa.array([row.get(name) for row in rows], kind) for name, kind in KINDS.items()}

    def rules(self):
        return {
            "cold": below("degrees", self.coldest),
            "hot": above("degrees", self.hottest),
            "many": above("count", 400),
            "off": below("flag", 0.5),
            "little": below("same", 3),
        }
"""
NUMBERS = ["degrees", "count", "flag", "same", "nothing", "whitespace_share"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a run over texts that say their own signals: negative and missing values, ties, one constant, one always missing."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "odd_signals.py").write_text(ODD_SIGNALS)
    (folder / "plain.py").write_text(ODD_SIGNALS.partition("KINDS")[0] + PLAIN)
    filters = "".join(f"[[filter]]\nfile = '{folder}/{name}.py'\n" for name in ("odd_signals", "plain"))
    (folder / "odd.toml").write_text(f"{filters}[deduplicate]\n")
    chance = random.Random(5)
    for source in ("north", "south"):
        lines = []
        for number in range(120):
            degrees = None if chance.random() < 0.2 else chance.choice([-40.25, -12.5, -3.0, 0.0, 21.5, 30.0, chance.uniform(-50, 50)])
            text = {"degrees": degrees, "count": chance.randrange(500), "flag": chance.random() < 0.9, "same": 7}
            text |= {"colour": chance.choice(["red", "blue"]), "filler": " ".join(str(chance.random()) for _ in range(number % 40))}
            lines.append(json.dumps({"id": f"{source}-{number}", "text": json.dumps(text)}))
        lines += [json.dumps({**json.loads(lines[place]), "id": f"{source}-copy-{place}"}) for place in range(0, 120, 7)]
        (folder / f"{source}.jsonl").write_text("\n".join(lines))
    curate("run", "odd.toml", "north.jsonl", "south.jsonl", "--out", "out", cwd=folder)
    return str(folder / "out")


PLAIN = """
@dataclass(frozen=True)
class Plain(Filter):
    \"\"\"Has a signal and no rule.\"\"\"
    signal_types: ClassVar = {"whitespace_share": pa.float64()}

    def signals(self, text, documents):
        return {"whitespace_share": [text.string(row).count(" ") / len(text.string(row)) for row in range(len(text))]}

    def rules(self):
        return {}
"""


def full_name(signal: str) -> str:
    return f"{'plain' if signal == 'whitespace_share' else 'odd_signals'}.{signal}"


def rows_of(run: str) -> list[dict[str, Any]]:
    """Every document with its ledger row and its signals, as plain values."""
    rows = []
    for place in places(Location.of(run)):
        if place.signals is not None:
            pairs = zip(pl.read_parquet(str(place.ledger)).to_dicts(), pl.read_parquet(str(place.signals)).to_dicts(), strict=True)
            rows += [{**signals, **ledger} for ledger, signals in pairs]
    return rows


def counted(rows: list[dict[str, Any]], passes: Callable[[dict[str, Any]], bool]) -> Amount:
    texts = [row["text_bytes"] for row in rows if passes(row)]
    return Amount(len(texts), sum(texts), sum(round(size / 4) for size in texts))


@pytest.mark.parametrize(
    ("at", "nearest"), [(100.0, 50.0), (0.01, 1.0), (8.0, 50.0), (7.0, 1.0), (5e4, 1e5), (0.0, 1.0), (-1.0, 1.0), (-30.0, -40.0)]
)
def test_a_threshold_replaces_the_nearest_one_in_ratio_where_both_are_positive(at: float, nearest: float) -> None:
    rules = [RecipeRule(f"f.{bound}", "f.signal", bound, "below") for bound in (None, 1e5, 50.0, 1.0, -40.0)]
    replaced = AskedSignal("f.signal", pl.Float64(), (), rules).replaced_by(at)
    assert replaced is not None
    assert replaced.threshold == nearest


def test_a_share_of_one_is_whole_and_one_of_nothing_is_none() -> None:
    assert _shares(Amount(1, 1, 0), Amount(1, 1, 0)) == (1.0, 1.0)
    assert _shares(Amount(1, 3, 1), Amount(4, 12, 3)) == (0.25, 0.25)
    assert _shares(Amount(0, 0, 0), Amount(0, 0, 0)) == (0.0, 0.0)


@pytest.mark.parametrize("signal", NUMBERS)
def test_each_point_is_what_at_says_and_a_loop_counts(run: str, signal: str) -> None:
    rows, name = rows_of(run), full_name(signal)
    found = retention(run, name)
    assert found.documents == len(rows) == 276
    assert found.missing == sum(row[name] is None for row in rows)
    rules = [rule for rule in read_rules(Location.of(run)).rules if rule.signal == name]
    assert [curve.rule for curve in found.curves] == ([rule.name for rule in rules] or [None])
    for curve in found.curves:
        others = [row for row in rows if row["fate"] != "duplicate" and not set(row["failed"] or []) - {curve.rule}]
        assert curve.all == counted(rows, lambda row: True)
        assert curve.otherwise_kept == counted(others, lambda row: True)
        assert [point.at for point in curve.points] == sorted({point.at for point in curve.points})
        assert [point.at for point in curve.points if point.recipe] == ([] if curve.rule is None else [curve.threshold])
        for point in curve.points:
            effect = threshold_effect(run, name, point.at)
            assert (effect.rule, effect.threshold, effect.drops) == (curve.rule, curve.threshold, curve.drops)
            assert (point.all, point.otherwise_kept) == (effect.all.then, effect.otherwise_kept.then)

            def passes(row: dict[str, Any], at: float = point.at, side: str = curve.drops) -> bool:
                return row[name] is None or (row[name] >= at if side == "below" else row[name] <= at)

            assert (point.all, point.otherwise_kept) == (counted(rows, passes), counted(others, passes))
            assert point.share == point.all.documents / len(rows)
            assert point.otherwise_token_share == point.otherwise_kept.text_bytes / curve.otherwise_kept.text_bytes
    own = [point for curve in found.curves for point in curve.points if point.recipe]
    kept = sum(row["fate"] == "kept" for row in rows)
    assert all(point.otherwise_kept.documents == kept for point in own)


@meets(passes=1200, drops_below=3, drops_above=3)
@given(at=st.floats(-60, 60))
@settings(max_examples=15)
def test_any_threshold_is_counted_as_a_loop_does(run: str, at: float) -> None:
    rows, name = rows_of(run), "odd_signals.degrees"
    effect = threshold_effect(run, name, at)
    assert effect.rule == ("odd_signals.cold" if effect.drops == "below" else "odd_signals.hot")
    others = [row for row in rows if row["fate"] != "duplicate" and not set(row["failed"] or []) - {effect.rule}]

    def passes(row: dict[str, Any]) -> bool:
        return row[name] is None or (row[name] >= at if effect.drops == "below" else row[name] <= at)

    assert (effect.all.then, effect.otherwise_kept.then) == (counted(rows, passes), counted(others, passes))
    met["drops_below" if effect.drops == "below" else "drops_above"] += 1
    met["passes"] += effect.all.then.documents


def test_the_points_are_the_quantiles_and_the_recipe_s_own(run: str) -> None:
    values = {row["odd_signals.degrees"] for row in rows_of(run)} - {None}
    curves = retention(run, "degrees").curves
    points = [point for curve in curves for point in curve.points]
    assert {point.at for point in points} - {-12.5, 30.0} <= values
    assert {min(values), max(values)} <= {point.at for point in points}
    assert 40 < sum(len(curve.points) for curve in retention(run, "count").curves) < 64
    assert [point.at for curve in retention(run, "same").curves for point in curve.points] == [3.0, 7.0]
    assert [point.at for curve in retention(run, "nothing").curves for point in curve.points] == []


@pytest.mark.parametrize("signal", [*NUMBERS, "colour"])
def test_every_kind_of_signal_is_shown(run: str, signal: str) -> None:
    name = full_name(signal)
    assert name in curate("inspect", run, "--signal", name)
    assert json.loads(curate("inspect", run, "--signal", name, "--json"))["documents"] == 276
    if signal != "colour":
        assert name in curate("inspect", run, "--signal", name, "--at", "2")
        assert "otherwise" in curate("inspect", run, "--signal", name, "--at", "-0.5", "--json")


def test_the_curve_on_the_command_line(run: str) -> None:
    shown = " ".join(curate("inspect", run, "--signal", "degrees", "--curve").split())
    found = json.loads(curate("inspect", run, "--signal", "degrees", "--curve", "--json"))
    assert "Drop values below ..., instead of -12.5 (odd_signals.cold)" in shown
    (own,) = (point for point in found["curves"][0]["points"] if point["recipe"])
    kept = own["otherwise_kept"]
    assert f"-12.5 recipe {own['all']['documents']} {own['share']:.1%}" in shown
    assert kept["documents"] == json.loads(curate("inspect", run, "--json"))["web"]["kept"]["documents"]
    assert [curve["drops"] for curve in found["curves"]] == ["below", "above"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--curve"], "--curve needs --signal NAME"),
        (["--at", "3"], "--at needs --signal NAME"),
        (["--signal", "degrees", "--at", "3", "--curve"], "give only one of them"),
        (["--signal", "colour", "--curve"], "odd_signals.colour is not a number"),
        (["--signal", "degres", "--curve"], "did you mean 'degrees'"),
    ],
)
def test_what_cannot_be_drawn_is_told(run: str, options: list[str], said: str) -> None:
    assert said in " ".join(curate("inspect", run, *options, code=2).split())


def test_documents_of_one_value_are_sampled_once(run: str) -> None:
    where = [sample.where for sample in signal_summary(run, "same").samples]
    assert not signal_summary(run, "nothing").samples
    assert where == ["at 5% to 95%", "not below 3", "not below 3", "not below 3"]
    with pytest.raises(UsageError, match="not a number"):
        retention(run, "colour")


def test_each_whole_number_of_a_few_has_a_bin_of_its_own(run: str) -> None:
    rows = rows_of(run)
    flags = [(entry.low, entry.documents) for entry in signal_summary(run, "flag").bins]
    assert flags == [(value, sum(row["odd_signals.flag"] is bool(value) for row in rows)) for value in (0, 1)]
    assert [(entry.low, entry.documents) for entry in signal_summary(run, "same").bins] == [(7, 276)]

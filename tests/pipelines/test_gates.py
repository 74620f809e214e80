"""Gates: what they let pass is measured as without them, the order that is advised is the best there is, and the advice can be pasted."""

import dataclasses
import functools
import itertools
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.text.slicing import already_found, carry
from curation.text.text import Text
from filters.contract import FilterChoice, shipped_filters
from filters.measure import measure, signals_schema
from pipelines.plan.filter_costs import TEXT, CostLine, FilterCost, Trial, try_filters
from pipelines.plan.filter_plan import as_toml, plan_filters
from pipelines.plan.gates import OrderSearch, as_it_is
from pipelines.recipes.recipe import parse_recipe
from tests.filters.test_filter_contract import corpus, documents_of
from tests.meeting import meets, met
from tests.running import ROOT, curate

NAMES = sorted(shipped_filters())
PARTS = ("words", "words.folded", "lines", "unicode_lines", "paragraphs", "chunks", "sentences")

texts = st.lists(st.text(st.sampled_from("Aé1 .'\n-…你"), max_size=30), max_size=12)


@meets(carried=70, left_out=60, stays=50)
@given(texts=texts, data=st.data())
def test_what_was_found_is_carried_as_it_would_be_found(texts: list[str], data: st.DataObject) -> None:
    stays = np.array(data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts))), np.bool_)
    whole = Text.from_strings(["left out", *texts]).where(np.array([False] + [True] * len(texts)))
    asked = data.draw(st.sets(st.sampled_from(PARTS)))
    for part in asked:
        find(whole, part)
    chosen = whole.where(stays)
    carried = {name for name, _ in already_found(chosen)}
    assert {part.partition(".")[0] for part in asked} <= carried
    fresh = Text.from_strings([text for text, stay in zip(texts, stays, strict=True) if stay])
    assert [chosen.string(row) for row in range(len(chosen))] == [fresh.string(row) for row in range(len(fresh))]
    for part in PARTS:
        left, right = find(chosen, part), find(fresh, part)
        if part == "words.folded":
            np.testing.assert_array_equal(left, right)
            continue
        for field in dataclasses.fields(left):
            np.testing.assert_array_equal(getattr(left, field.name), getattr(right, field.name), err_msg=f"{part}.{field.name}")
            assert getattr(left, field.name).dtype == getattr(right, field.name).dtype
    met["carried"] += len(asked)
    met["left_out"] += len(texts) - len(chosen)
    met["stays"] += len(chosen)


def find(column: Text, part: str) -> Any:
    holder: Any = column
    for name in part.split("."):
        holder = getattr(holder, name)
    return holder


def test_a_field_that_cannot_be_carried_is_told() -> None:
    @dataclasses.dataclass(frozen=True)
    class Found:
        offsets: Any
        total: int

    column = Text.from_strings(["a", "b"])
    with pytest.raises(TypeError, match=r"Found\.total does not have one value per token"):
        carry(Found(np.array([0, 1, 2]), 2), np.array([True, False]), column)


@meets(hidden=800, whole=80)
@given(order=st.permutations(NAMES), gates=st.lists(st.booleans(), min_size=len(NAMES), max_size=len(NAMES)))
@settings(max_examples=25)
def test_a_gate_hides_what_it_drops_and_moves_nothing_else(order: list[str], gates: list[bool]) -> None:
    made = [shipped_filters()[name]() for name in order]
    batch, plain, dropped = without_gates()
    gated = measure(batch, list(zip(made, gates, strict=True)), signals_schema(made)).to_pylist()
    for row, (with_gates, without) in enumerate(zip(gated, plain, strict=True)):
        shut = False
        for each, gate in zip(made, gates, strict=True):
            for signal in each.signal_types:
                name = f"{each.name()}.{signal}"
                assert with_gates[name] == (None if shut else without[name]), (name, batch["text"][row])
            shut = shut or (gate and each.name() in dropped[row])
    met["hidden"] += sum(row != before for row, before in zip(gated, plain, strict=True))
    met["whole"] += sum(row == before for row, before in zip(gated, plain, strict=True))


@functools.cache
def without_gates() -> tuple[pa.RecordBatch, list[dict[str, Any]], list[set[str]]]:
    """Return the corpus without giant texts, the signals of each document in the filters' own order, and the filters that drop it."""
    made = [shipped_filters()[name]() for name in NAMES]
    batch = documents_of([text for text in corpus() if len(text) < 10_000])
    plain = measure(batch, [(each, False) for each in made], signals_schema(made)).to_pylist()
    dropped = [set[str]() for _ in plain]
    for each in made:
        for row, name in enumerate(rules_held(each, plain)):
            dropped[row] |= {each.name()} if name else set()
    return batch, plain, dropped


def rules_held(made: Any, rows: list[dict[str, Any]]) -> list[bool]:
    """Whether any rule of a filter holds for each row of signals, from the judge's own verdict of that filter alone."""
    from filters.judge import judge

    table = pa.Table.from_pylist(rows, signals_schema([made]))
    return [rule is not None for rule in judge(table, [made])["rule"].to_pylist()]


@st.composite
def trials(draw: st.DrawFn, most: int = 4) -> Trial:
    count, documents = draw(st.integers(1, most)), draw(st.integers(1, 12))
    cost = st.integers(0, 50).map(lambda thousandths: thousandths / 1000)
    line = st.builds(CostLine, cost, cost)
    return Trial(
        filters=[
            FilterCost(f"f{place}", draw(line), draw(line), frozenset(draw(st.sets(st.sampled_from(PARTS))))) for place in range(count)
        ],
        parts={part: draw(line) for part in PARTS},
        carrying={part: draw(cost) for part in (TEXT, *PARTS)},
        drops=np.array(draw(st.lists(st.lists(st.booleans(), min_size=count, max_size=count), min_size=documents, max_size=documents))),
        text_bytes=np.array(draw(st.lists(st.integers(0, 100), min_size=documents, max_size=documents)), np.int64),
    )


def seconds_of(trial: Trial, order: tuple[tuple[int, bool], ...]) -> float:
    """The plain twin: walk the documents through the filters and add up what each step takes."""
    left = list(range(len(trial.text_bytes)))
    found: set[str] = set()
    total = 0.0
    for place, (filter_, gate) in enumerate(order):
        cost = trial.filters[filter_]
        for line in (cost.signals, *(trial.parts[part] for part in cost.needs - found)):
            total += sum(line.per_document + line.per_byte * int(trial.text_bytes[document]) for document in left)
        found |= cost.needs
        if gate and place + 1 < len(order):
            total += sum(cost.rules.per_document + cost.rules.per_byte * int(trial.text_bytes[document]) for document in left)
            left = [document for document in left if not trial.drops[document, filter_]]
            total += sum(trial.carrying[part] * int(trial.text_bytes[document]) for part in (TEXT, *found) for document in left)
    return total


def orders(count: int) -> Any:
    for places in itertools.permutations(range(count)):
        for gates in itertools.product([False, True], repeat=count - 1):
            yield tuple(zip(places, (*gates, False), strict=True))


@meets(several=10, dropped=200)
@given(trials())
def test_an_order_takes_what_its_documents_take(trial: Trial) -> None:
    for order in itertools.islice(orders(len(trial.filters)), 50):
        assert OrderSearch(trial).nanoseconds(order) == pytest.approx(seconds_of(trial, order) * 1e9, abs=100)
    met["several"] += len(trial.filters) > 1
    met["dropped"] += int(trial.drops.sum())


def test_each_filter_is_reached_by_what_no_gate_before_it_drops() -> None:
    nothing = CostLine(0.0, 0.0)
    drops = np.array([[True, False, False], [False, True, False], [False, False, True], [False, False, False]])
    trial = Trial(
        filters=[FilterCost(f"f{place}", nothing, nothing, frozenset()) for place in range(3)],
        parts=dict.fromkeys(PARTS, nothing),
        carrying=dict.fromkeys((TEXT, *PARTS), 0.0),
        drops=drops,
        text_bytes=np.array([1, 10, 100, 1000], np.int64),
    )
    assert list(OrderSearch(trial).reaching(((0, True), (1, True), (2, False)))) == [(4, 1111), (3, 1110), (2, 1100)]
    assert list(OrderSearch(trial).reaching(((2, False), (1, True), (0, False)))) == [(4, 1111), (4, 1111), (3, 1101)]


@meets(gates=10, moved=8)
@given(trials())
def test_no_order_takes_less_than_the_best(trial: Trial) -> None:
    search = OrderSearch(trial)
    least = min(orders(len(trial.filters)), key=lambda order: (search.nanoseconds(order), sum(gate for _, gate in order), order))
    assert search.best() == least
    own = [order for order in orders(len(trial.filters)) if [place for place, _ in order] == list(range(len(trial.filters)))]
    assert search.nanoseconds(search.best(reorder=False)) == min(map(search.nanoseconds, own))
    assert search.nanoseconds(search.best()) <= search.nanoseconds(as_it_is([True] * len(trial.filters)))
    met["gates"] += sum(gate for _, gate in least)
    met["moved"] += [place for place, _ in least] != sorted(place for place, _ in least)


def test_many_filters_are_ordered_too() -> None:
    chance = np.random.default_rng(3)
    filters = [FilterCost(f"f{place}", CostLine(0, cost), CostLine(), frozenset()) for place, cost in enumerate(chance.uniform(1, 9, 11))]
    trial = Trial(filters, {}, {TEXT: 0.001}, chance.random((400, 11)) < chance.uniform(0.02, 0.6, 11), np.full(400, 1000))
    search = OrderSearch(trial)
    ratio = sorted(range(11), key=lambda place: filters[place].signals.per_byte / trial.drops[:, place].mean())
    assert sorted(place for place, _ in search.best()) == list(range(11))
    assert search.nanoseconds(search.best()) <= search.nanoseconds(tuple((place, True) for place in ratio))


def test_a_trial_knows_what_each_filter_asks_for_and_drops() -> None:
    names = ("language", "gopher_repetition", "gopher_quality", "educational_score")
    batch = documents_of(corpus())
    trial = try_filters([FilterChoice(name) for name in names], [batch.slice(0, 20), batch.slice(20)])
    assert [cost.name for cost in trial.filters] == list(names)
    assert [cost.needs for cost in trial.filters] == [
        frozenset(),
        frozenset({"words", "lines", "paragraphs"}),
        frozenset({"words", "lines", "unicode_lines"}),
        frozenset({"words"}),
    ]
    assert set(trial.parts) == {"words", "lines", "paragraphs", "unicode_lines"}
    assert set(trial.carrying) == {TEXT, *trial.parts}
    assert sorted(trial.text_bytes.tolist()) == sorted(batch["text_bytes"].to_pylist())
    for place, name in enumerate(names):
        made = shipped_filters()[name]()
        rows = measure(batch, [(made, False)], signals_schema([made])).to_pylist()
        assert trial.drops[:, place].sum() == sum(rules_held(made, rows))
    assert all(line.of(100, 10_000) >= 0 for cost in trial.filters for line in (cost.signals, cost.rules))


def test_nothing_is_planned_without_filters_or_documents() -> None:
    assert plan_filters([], [], 1.0) is None
    assert plan_filters([FilterChoice("gopher_quality")], [documents_of([])], 1.0) is None
    assert plan_filters([FilterChoice("gopher_quality")], [documents_of([""])], 1.0) is not None


values = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3),
    max_leaves=5,
)


@meets(parameters=100, nested=90)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])).filter(lambda key: key not in ("name", "gate", "file")), values))
def test_a_suggestion_is_the_same_filter_in_toml(parameters: dict[str, Any]) -> None:
    text = as_toml([FilterChoice("own", parameters, "a 'b'.py", True), FilterChoice("other")])
    assert tomllib.loads(text)["filter"] == [{"name": "own", "file": "a 'b'.py", **parameters, "gate": True}, {"name": "other"}]
    met["parameters"] += len(parameters)
    met["nested"] += sum(isinstance(value, list | dict) for value in parameters.values())


RECIPE = """
[[filter]]
name = "gopher_repetition"
max_top_2_gram = 0.19

[[filter]]
name = "language"
keep = ["en", "de"]
gate = true

[[filter]]
name = "gopher_quality"
min_words = 400
"""


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe, and texts of which most are too short for it."""
    folder = tmp_path_factory.mktemp("gates")
    (folder / "mine.toml").write_text(RECIPE)
    rows = [
        json.loads(line) for name in ("textbook", "web") for line in (ROOT / f"sample_data/texts/{name}.jsonl").read_text().splitlines()
    ]
    (folder / "texts.jsonl").write_text("\n".join(json.dumps({"id": str(n), "text": row["text"]}) for n, row in enumerate(rows)))
    return folder


def test_plan_tells_costs_and_a_recipe_that_keeps_the_same(asked: Path) -> None:
    plan = json.loads(curate("plan", "mine.toml", "texts.jsonl", "--json", cwd=asked))["filters"]
    assert [row["filter"] for row in plan["filters"]] == ["gopher_repetition", "language", "gopher_quality"]
    assert [row["gate"] for row in plan["filters"]] == [False, True, False]
    assert all(row["seconds_per_gb"] > 0 and row["drops_first"] <= row["drops"] <= 1 for row in plan["filters"])
    assert [(row["part"], row["asked_by"]) for row in plan["shared"]] == [
        ("lines", ["gopher_repetition", "gopher_quality"]),
        ("paragraphs", ["gopher_repetition"]),
        ("words", ["gopher_repetition", "gopher_quality"]),
        ("unicode_lines", ["gopher_quality"]),
    ]
    assert plan["as_it_is"]["saved_seconds"] == 0
    assert plan["order_and_gates"]["seconds"] <= plan["gates"]["seconds"] <= plan["as_it_is"]["seconds"]
    assert plan["order_and_gates"]["order"][0]["reached_by"] == 1
    assert "no later signals in inspect, why" in plan["note"]
    curate("run", "mine.toml", "texts.jsonl", "--out", "before", cwd=asked)
    better = parse_recipe(plan["suggestion"], "better")
    assert {(choice.name, json.dumps(choice.parameters)) for choice in better.filters} == {
        (choice.name, json.dumps(choice.parameters)) for choice in parse_recipe(RECIPE, "mine").filters
    }
    (asked / "better.toml").write_text(plan["suggestion"])
    curate("run", "better.toml", "texts.jsonl", "--out", "after", cwd=asked)
    difference = json.loads(curate("diff", "before", "after", "--json", cwd=asked))
    assert all(change["before"][0] == change["after"][0] for change in difference["changes"])
    judged = [json.loads(curate("inspect", out, "--json", cwd=asked))["web"]["kept"] for out in ("before", "after")]
    assert judged[0] == judged[1]
    first = json.loads(curate("inspect", "before", "--json", cwd=asked))["web"]
    repetition = sum(step["taken"]["documents"] for step in first["steps"] if step["rule"].startswith("gopher_repetition."))
    assert plan["filters"][0]["drops_first"] == pytest.approx(repetition / plan["documents"], abs=1e-4)


def test_plan_shows_costs_and_advice(asked: Path) -> None:
    shown = curate("plan", "mine.toml", "texts.jsonl", cwd=asked)
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    names = [line.split()[0] for line in lines if line.startswith(("words (shared)", "gopher_", "language (gate)"))]
    assert names[:4] == ["words", "gopher_repetition", "language", "gopher_quality"]
    assert "with gates, reordered" in shown
    assert "no later signals in inspect, why" in " ".join(lines)
    (asked / "none.toml").write_text("[export]\n")
    without = curate("plan", "none.toml", "texts.jsonl", cwd=asked)
    assert "Gates" not in without
    assert "filters" not in without

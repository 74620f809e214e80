"""What a plan says that teachers would cost, compared with what a run then cost on a loopback server; and where prices come from."""

import json
from pathlib import Path
from typing import Any

import pytest

from curation.errors import RecipeError
from synth.ask.prices import dates_of_prices, with_prices
from synth.ask.teacher import build_teacher
from synth.estimate import estimate
from synth.offered import build_task
from synth.router import Router
from tests.endpoint import Answer, completion, failure, models, serving
from tests.running import curate
from tests.synth.test_sheets import SHEETS, example_of

TASKS = ("grounded_question", "multiple_choice", "tutor_dialogue")


def tokens(said: Any) -> int:
    return len(json.dumps(said).encode()) // 4


def answering(body: dict[str, Any], number: int) -> Answer:
    """Answer as a sound teacher would, never the same question twice, and bill a token for four bytes."""
    if "solve exercises" in body["messages"][0]["content"]:
        said = {"steps": ["It leans towards the sun, so its days are long. " * 5], "answer": example_of("multiple_choice")["answer"]}
    else:
        said = example_of(body["response_format"]["json_schema"]["name"])
        said = {**said, **({"question": f"{said['question'][:-1]}, asks class {chr(97 + number % 26)}?"} if "options" in said else {})}
    return completion(json.dumps(said), prompt=tokens([body["messages"], body["response_format"]]), answer=tokens(said))


def test_a_plan_s_estimate_is_near_what_the_run_then_costs(tmp_path: Path) -> None:
    text = "\n\n".join(SHEETS[name].sections["passage"] for name in TASKS)
    (tmp_path / "texts.jsonl").write_text(json.dumps({"id": "all", "text": text}) + "\n")
    with serving(answering) as endpoint:
        endpoint.models = models("small")
        tasks = ", ".join(f'{{ name = "{name}", count = 12 }}' for name in TASKS)
        (tmp_path / "own.toml").write_text(
            f'[[input]]\npath = "texts.jsonl"\n[synthesize]\ntasks = [{tasks}]\nprices = "prices.toml"\nseeds = {{ min_bytes = 1 }}\n'
            f'[synthesize.teacher]\nname = "openai"\nmodel = "small"\nkey_variable = ""\nbase_url = "{endpoint.url}"\n'
        )
        (tmp_path / "prices.toml").write_text('date = 2026-11-01\n["127.0.0.1"]\nsmall = { input = 1.5, output = 6 }\n')
        printed = " ".join(curate("plan", tmp_path / "own.toml").split())
        plan = json.loads(curate("plan", tmp_path / "own.toml", "--json"))
        assert not endpoint.bodies, "a plan asks for nothing that costs"
        curate("run", tmp_path / "own.toml", "--out", tmp_path / "out", "--quiet")
        again = json.loads(curate("plan", tmp_path / "own.toml", "--out", tmp_path / "out", "--json"))
        assert sum(each["answered"] for each in again["teaching"]) == 3 * 12
        assert {each["high"] for each in again["teaching"]} == {0.0}, "what the log holds costs nothing"
    session = json.loads((tmp_path / "out" / "run.json").read_text())["sessions"][-1]
    spent = session["synthesis"]["usd"]
    low, expected, high = (sum(each[name] for each in plan["teaching"]) for name in ("low", "expected", "high"))
    assert low < spent < high
    assert expected == pytest.approx(spent, rel=0.25), (expected, spent)
    assert sum(each["calls"] for each in plan["teaching"]) == pytest.approx(len(endpoint.bodies), rel=0.1)
    assert "in USD at the prices of 2026-11-01" in printed
    assert f"expected {expected:.4f}" in printed


def recipe_of(folder: Path, url: str, tasks: str, more: str = "") -> Path:
    """Write a recipe of sheets, with what they are about."""
    text = "\n\n".join(SHEETS[name].sections["passage"] for name in TASKS)
    (folder / "texts.jsonl").write_text(json.dumps({"id": "all", "text": text}) + "\n")
    (folder / "own.toml").write_text(
        f'[[input]]\npath = "texts.jsonl"\n[synthesize]\ntasks = [{tasks}]\nseeds = {{ min_bytes = 1 }}\n{more}'
        f'[synthesize.teacher]\nname = "openai"\nmodel = "small"\nkey_variable = ""\n'
        f'base_url = "{url}"\nfirst_pause = 0.001\nconcurrency = 1\n'
    )
    return folder / "own.toml"


def calls_of(recipe: Path, out: Path) -> tuple[int, int]:
    """Return the calls that a plan expects, and the most."""
    told = json.loads(curate("plan", recipe, "--out", out, "--json"))["teaching"]
    return sum(each["calls"] for each in told), sum(each["most_calls"] for each in told)


@pytest.mark.parametrize("answered", [*(pytest.param(count, marks=pytest.mark.full) for count in (1, 9, 22)), 14, 36])
def test_a_plan_of_a_half_finished_run_counts_every_call_that_is_still_made(answered: int, tmp_path: Path) -> None:
    """Nine first replies, the second of which has to be repaired, and three blind solves after each."""
    failing = True

    def until_no_credit(body: dict[str, Any], number: int) -> Answer:
        if failing and number >= answered:
            return failure(402)
        if number == 1:
            return completion("I think that this is a good question.")
        return answering(body, number)

    with serving(until_no_credit) as endpoint:
        endpoint.models = models("small")
        recipe = recipe_of(tmp_path, endpoint.url, '{ name = "multiple_choice", count = 9 }')
        assert calls_of(recipe, tmp_path / "out") == (9 * 4, 9 * (4 + SHEETS["multiple_choice"].front.repairs))
        curate("run", recipe, "--out", tmp_path / "out", "--quiet", code=3)
        expected, most = calls_of(recipe, tmp_path / "out")
        failing, before = False, len(endpoint.bodies)
        curate("run", recipe, "--out", tmp_path / "out", "--quiet")
        made = len(endpoint.bodies) - before
        assert made == expected <= most
        assert calls_of(recipe, tmp_path / "out") == (0, 0)


def test_a_plan_counts_the_rungs_that_a_half_finished_run_may_climb(tmp_path: Path) -> None:
    answered = 0

    def only_the_large_one_knows(body: dict[str, Any], number: int) -> Answer:
        if number >= answered:
            return failure(402)
        return completion("{}") if body["model"] == "small" else answering(body, number)

    with serving(only_the_large_one_knows) as endpoint:
        endpoint.models = models("small", "large")
        above = (
            f'escalate = [{{ name = "openai", model = "large", key_variable = "", base_url = "{endpoint.url}", first_pause = 0.001 }}]\n'
        )
        recipe = recipe_of(tmp_path, endpoint.url, '{ name = "tutor_dialogue", count = 10 }', above)
        repairs = SHEETS["tutor_dialogue"].front.repairs
        each = 1 + SHEETS["tutor_dialogue"].front.solves + repairs
        assert calls_of(recipe, tmp_path / "out") == (10 + 3, 2 * 10 * each)
        answered = 10
        curate("run", recipe, "--out", tmp_path / "out", "--quiet", code=3)
        assert calls_of(recipe, tmp_path / "out") == ((10 + 3, 10 * repairs + 10 * each) if repairs else (10, 10 * each))
        answered = 10**6
        curate("run", recipe, "--out", tmp_path / "out", "--quiet")
        assert calls_of(recipe, tmp_path / "out") == (0, 0)


def test_unknown_prices_stay_unknown_and_the_recipe_s_own_come_first(tmp_path: Path) -> None:
    own = tmp_path / "prices.toml"
    own.write_text('date = 2026-01-01\n["api.openai.com"]\n"gpt-4o" = { input = 1, output = 2 }\n')
    known = with_prices({"name": "openai", "model": "gpt-4o-mini"})
    assert (known["input_price"], known["output_price"]) == (0.15, 0.6)
    assert with_prices({"name": "openai", "model": "gpt-4o"}, str(own))["input_price"] == 1
    assert with_prices({"name": "openai", "model": "gpt-4o-mini"}, str(own))["input_price"] == 0.15
    stated = {"name": "openai", "model": "gpt-4o", "input_price": 9.0, "output_price": 9.0}
    assert with_prices(stated, str(own)) == stated
    assert build_teacher({"name": "openai", "model": "gpt-4o"}).price(10**6, 0) == 2.5
    elsewhere = {"name": "openai", "model": "gpt-4o", "base_url": "http://127.0.0.1:1/v1"}
    (unknown,) = estimate(Router.of(elsewhere, [], []), [build_task({"name": "worked_problem", "count": 500})], [])
    assert (unknown.low, unknown.expected, unknown.high) == (None, None, None)
    assert unknown.calls == 500 * 4
    (free,) = estimate(Router.of({"name": "procedural"}, [], []), [build_task({"name": "worked_problem", "count": 500})], [])
    assert (free.calls, free.high) == (500, 0.0)
    named = [{"name": "openai", "model": "gpt-4o"}, {"name": "openai", "model": "gpt-4o-mini"}]
    assert dates_of_prices(named, str(own)) == ["2025-08-15", "2026-01-01"]
    assert dates_of_prices([stated, {"name": "procedural"}, elsewhere], str(own)) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('["api.openai.com"]\n', "of which day"),
        ("date = 2026-01-01\nx = 3\n", "USD per million"),
        ('date = 2026-01-01\n[x]\n"m" = 3\n', "x m: write"),
        ('date = 2026-01-01\n[x]\n"m" = { input = -1, output = 2 }\n', "x m: write"),
        ("date = ", "not TOML"),
    ],
)
def test_a_faulty_table_of_prices_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(text)
    with pytest.raises(RecipeError, match=message):
        with_prices({"name": "openai", "model": "m"}, str(tmp_path / "prices.toml"))

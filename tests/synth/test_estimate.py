"""What a plan says that teachers would cost, compared with what a run then cost on a loopback server; and where prices come from."""

import json
from pathlib import Path
from typing import Any

import pytest

from curation.errors import RecipeError
from synth.ask.prices import date_of_prices, with_prices
from synth.ask.teacher import build_teacher
from synth.estimate import estimate
from synth.offered import build_task
from synth.router import Router
from tests.endpoint import Answer, completion, models, serving
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
    assert (date_of_prices(str(own)), date_of_prices()) == ("2026-01-01", "2025-08-15")


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

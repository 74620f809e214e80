"""Ladders of teachers: a question climbs while checks fail, pays for each call once, and the report says what that cost and saved."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from curation.storage.shards import read_shard
from synth.diversity import MOST_ALIKE, Diversity, evenness, skeleton_of
from synth.synthesize import SynthesisSettings
from synth.task import Example, Rejected
from tests.endpoint import Answer, Endpoint, completion, failure, serving
from tests.running import curate
from tests.synth.test_sheets import SHEETS, example_of
from tests.synth.test_synthesize import generate, rows_of, seed_shard


def ladder(endpoint: Endpoint, count: int, **more: Any) -> SynthesisSettings:
    small, middle, large = (
        {"name": "openai", "model": model, "base_url": endpoint.url, "key_variable": "", "first_pause": 0.001, "max_attempts": 2}
        | {"input_price": price, "output_price": 4 * price}
        for model, price in (("small", 0.1), ("middle", 1.0), ("large", 10.0))
    )
    tasks = ({"name": "grounded_question", "count": count},)
    return SynthesisSettings(teacher=small, escalate=(middle, large), tasks=tasks, seeds={"min_bytes": 1}, **more)


def test_a_question_climbs_as_far_as_its_checks_fail(tmp_path: Path) -> None:
    good = example_of("grounded_question")
    seeds = [seed_shard(tmp_path, "a", [SHEETS["grounded_question"].sections["passage"]])]

    def answer(body: dict[str, Any], _: int) -> Answer:
        kind = body["messages"][1]["content"].split('"')[1]
        hard = {"cause and effect": 1, "comparison": 2, "how it works": 3}.get(kind, 0)
        able = ("small", "middle", "large").index(body["model"]) >= hard
        return completion(json.dumps(good if able else {**good, "answer": "It flew 777 miles."}), prompt=1000, answer=250)

    with serving(answer) as endpoint:
        settings = ladder(endpoint, 96)
        sealed, _ = generate(tmp_path / "out", settings, seeds)
        calls = len(endpoint.bodies)
        again, _ = generate(tmp_path / "out", settings, seeds)
        assert len(endpoint.bodies) == calls, "paid once"
    assert sealed.digest == again.digest
    accepted, rejected = rows_of(sealed)
    tries = [dict(row["metadata"]) for row in accepted]
    met = {(facts["kind"], facts["tries"], facts["teacher"]) for facts in tries}
    assert {("cause and effect", "2", "openai:middle"), ("comparison", "3", "openai:large"), ("why it matters", "1", "openai:small")} <= met
    assert {row["rule"] for row in rejected} <= {"ungrounded_number", "collapsed"}
    assert sum(row["rule"] == "ungrounded_number" for row in rejected) == 16, "the hardest kind"
    assert calls == 48 + 16 * 2 + 16 * 3 + 16 * 3
    spending = json.loads((tmp_path / "out" / "run.json").read_text())["sessions"][-1]["spending"]
    assert sum(line["rows"] for line in spending) == 96
    each = {"small": 0.0002, "middle": 0.002, "large": 0.02}
    paid = sum(each[body["model"]] for body in endpoint.bodies)
    assert sum(line["usd"] for line in spending) == pytest.approx(paid)
    assert sum(line["usd_of_largest"] for line in spending) == pytest.approx(96 * each["large"])
    assert sum(line["tries"] for line in spending) == calls
    shard = next(shard for shard in sealed.shards if not shard.name.endswith("rejected"))
    assert len(read_shard(shard)) == len(accepted)


def test_an_endpoint_that_is_down_sends_nobody_up(tmp_path: Path) -> None:
    seeds = [seed_shard(tmp_path, "a", [SHEETS["grounded_question"].sections["passage"]])]

    def answer(body: dict[str, Any], _: int) -> Answer:
        return failure(500) if body["model"] == "small" else completion("{}")

    with serving(answer) as endpoint:
        accepted, rejected = rows_of(generate(tmp_path / "out", ladder(endpoint, 4), seeds)[0])
    assert {body["model"] for body in endpoint.bodies} == {"small"}
    assert not accepted
    assert {row["rule"] for row in rejected} == {"teacher_failed"}


def test_the_report_tells_cost_per_accepted_row_saving_and_forms(tmp_path: Path) -> None:
    good = example_of("grounded_question")
    (tmp_path / "texts.jsonl").write_text(json.dumps({"text": SHEETS["grounded_question"].sections["passage"]}) + "\n")

    def answer(body: dict[str, Any], number: int) -> Answer:
        wrong = {"answer": "It flew 777 miles."} if number == 1 else {}
        return completion(json.dumps({**good, **wrong}), prompt=1000, answer=250)

    with serving(answer) as endpoint:
        teachers = ", ".join(
            f'{{ name = "openai", model = "{model}", base_url = "{endpoint.url}", key_variable = "", concurrency = 1, '
            f"input_price = {price}, output_price = {price} }}"
            for model, price in (("small", 1.0), ("large", 10.0))
        )
        small, large = teachers.replace("}, {", "}|{").split("|")
        (tmp_path / "own.toml").write_text(
            f'[[input]]\npath = "texts.jsonl"\n[synthesize]\ntasks = [{{ name = "grounded_question", count = 4 }}]\n'
            f"seeds = {{ min_bytes = 1 }}\nteacher = {small}\nescalate = [{large}]\n"
        )
        curate("run", tmp_path / "own.toml", "--out", tmp_path / "out", "--quiet")
    page = " ".join((tmp_path / "out" / "report.html").read_text().split())
    assert "grounded_question by openai:small: 3 of 3 rows accepted for 0.003750 USD, 0.001250 a row." in page
    assert "grounded_question by openai:large: 1 of 1 row accepted for 0.013750 USD, 0.013750 a row." in page
    assert "Teachers cost 0.017500 USD; the largest alone would have cost about 0.050000 USD: 65% saved." in page
    assert re.search(r"Generated by grounded_question: 4 rows of 1 skeleton, 1 different prompt; evenness of openings 0.00\.", page)


def row(text: str, asked: str = "?") -> Example:
    return Example(text, ({"role": "user", "content": asked}, {"role": "assistant", "content": text}), "", "", "necessary")


def test_a_model_s_rows_that_fall_into_one_form_are_rejected_and_those_of_rules_are_counted() -> None:
    form = "In the year {} Anna of Rome bought {} apples. Then she sold them, and nobody knows to whom."
    found = Diversity()
    for number in range(MOST_ALIKE):
        found.add("a", row(form.format(number, number + 1)), False)
    with pytest.raises(Rejected, match="collapsed"):
        found.add("a", row(form.format(3, 4).replace("Anna of Rome", "Berta of Bonn")), False)
    found.add("a", row(form.format(3, 4)), True)
    found.add("b", row(form.format(3, 4)), False)
    for number in range(400):
        found.add("a", row(f"word{chr(97 + number % 26)} {'x' * (1 + number // 26)} is new.", str(number)), False)
    found.add("a", row(form.format(5, 6)), False)  # one in twenty of many is no collapse
    counts = found.counts()["a"]
    assert (counts["rows"], counts["skeletons"], counts["prompts"]) == (MOST_ALIKE + 402, 401, 401)
    assert 0.9 < counts["openings"] < 1.0
    assert found.counts()["b"]["rows"] == 1


def test_skeletons_leave_out_what_varies_for_nothing() -> None:
    assert skeleton_of("Anna has 3,5 apples in 1999.") == skeleton_of("Berta has 7 apples in 2001!") == "N has 0 apples in 0"
    assert len(skeleton_of("word " * 500).split()) == 60
    assert evenness(Counter({"a": 1, "b": 1, "c": 1})) == pytest.approx(1.0)
    assert evenness(Counter({"a": 3})) == 0.0

"""Annotation against a loopback teacher: each label paid once, votes and people's labels merged, bad replies counted."""

import json
import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curation.errors import CurationError, RecipeError, Refused, UsageError
from curation.storage.resources import resolve
from curation.text.text import Text
from filters.support.models import load_model
from pipelines.annotate.agreement import agreements
from pipelines.annotate.annotate import Annotation, annotate
from pipelines.annotate.choosing import choose_excerpts
from pipelines.annotate.excerpts import Excerpt, _bytes_of, read_excerpts
from pipelines.train.labels import NOT_STATED, read_labels
from pipelines.train.training import train_model
from synth.judging import score_in
from synth.task import Rejected
from tests.endpoint import Answer, Endpoint, completion, failure, serving
from tests.running import CURATE
from tests.verbs import call

LESSON = (
    "For example, the force equals the mass times the acceleration, because a body that is pushed twice as hard gains speed twice as fast."
)
SALE = "Great shoes at half the price, free shipping today! Click here to order now, and tell your friends about the best deal of the year."


def _words(number: int) -> str:
    """Words that make each text another one."""
    return " ".join(f"w{digit}" for digit in random.Random(number).sample(range(1000), 40))


def write_texts(folder: Path, count: int = 60) -> Path:
    rows = [
        {
            "text": f"{LESSON if number % 3 else SALE} {_words(number)} Page {number}.",
            "url": f"https://www.site{number % 7}.example/{number}",
        }
        for number in range(count)
    ]
    (folder / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "texts.jsonl"


def teachers(folder: Path, *endpoints: Endpoint, **more: Any) -> str:
    settings = {
        "key_variable": "",
        "first_pause": 0.001,
        "longest_pause": 0.01,
        "timeout": 5.0,
        "input_price": 1.0,
        "output_price": 1.0,
        **more,
    }
    tables = [
        "\n".join([
            "[[teacher]]",
            'name = "openai"',
            f'model = "m{number}"',
            f'base_url = "{endpoint.url}"',
            *(f"{name} = {json.dumps(value)}" for name, value in settings.items()),
        ])
        for number, endpoint in enumerate(endpoints)
    ]  # fmt: skip
    (folder / "teachers.toml").write_text("\n\n".join(tables))
    return str(folder / "teachers.toml")


def excerpt_in(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"]).split("Excerpt:", 1)[1].strip()


def honest(body: dict[str, Any], _: int = 0) -> Answer:
    """Score by what the excerpt is; every fifth lesson gets a point less."""
    text = excerpt_in(body)
    number = int(re.findall(r"Page (\d+)", text)[-1])
    return completion(json.dumps({"reason": "so", "score": 4 - (number % 5 == 0) if "force" in text else 0}), prompt=1000)


def made(folder: Path, endpoint: Endpoint, texts: int = 60, **options: Any) -> Annotation:
    settings: dict[str, Any] = {"count": 1000, **options}
    return annotate(
        [str(write_texts(folder, texts))], str(folder / "labels.parquet"), teachers(folder, endpoint), tell=lambda _: None, **settings
    )


def test_a_sample_becomes_labels_that_train(tmp_path: Path) -> None:
    with serving(honest) as endpoint:
        done = made(tmp_path, endpoint, texts=240)
    frame = pl.read_parquet(tmp_path / "labels.parquet")
    assert done.rows == frame.height == done.asked == len(endpoint.bodies) == 240
    assert done.by_score == {"0": 80, "3": 32, "4": 128}
    assert frame["group"].n_unique() == 7
    assert set(frame["group"]) == {f"www.site{number}.example" for number in range(7)}
    assert (frame.filter(pl.col("text").str.contains("force"))["score"] >= 3).all()
    assert frame["source"].unique().to_list() == ["texts.jsonl"]
    assert endpoint.bodies[0]["response_format"]["json_schema"]["strict"] is True
    trained = train_model([str(tmp_path / "labels.parquet")], str(tmp_path / "mine.safetensors"), group="group")
    assert trained.held_out.auc == 1.0


def test_the_same_command_pays_for_nothing_twice_and_a_larger_one_for_the_rest(tmp_path: Path) -> None:
    with serving(honest) as endpoint:
        made(tmp_path, endpoint, count=20)
        first = (tmp_path / "labels.parquet").read_bytes()
        assert made(tmp_path, endpoint, count=20).asked == 0
        assert (tmp_path / "labels.parquet").read_bytes() == first
        assert made(tmp_path, endpoint, count=50).asked == 30
    assert max(Counter(map(excerpt_in, endpoint.bodies)).values()) == 1


def test_a_budget_stops_it_and_the_same_command_goes_on(tmp_path: Path) -> None:
    with serving(honest) as endpoint:
        with pytest.raises(
            Refused,
            match=r"0\.03 USD: the worst case of the next request, 0\.\d+ USD, does not fit beside 0\.\d+ spent and 0\.0+ reserved",
        ):
            made(tmp_path, endpoint, budget=0.03)
        assert 0 < len(endpoint.bodies) < 60
        assert not (tmp_path / "labels.parquet").exists()
        made(tmp_path, endpoint)
    assert len(endpoint.bodies) == 60


@pytest.mark.parametrize("count", [pytest.param(60, id="60"), pytest.param(500, id="500", marks=pytest.mark.full)])
def test_killed_and_resumed_every_label_is_paid_once(tmp_path: Path, count: int) -> None:
    slow = lambda body, number: Answer(body=honest(body).body, hang=0.02)  # noqa: E731
    with serving(slow) as endpoint:
        command = [str(CURATE), "annotate", str(write_texts(tmp_path, count)), "--teachers", teachers(tmp_path, endpoint, concurrency=4)]
        command += ["--out", str(tmp_path / "labels.parquet"), "--count", str(count)]
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while len(endpoint.bodies) < count // 2:
            assert running.poll() is None, running.stderr and running.stderr.read()
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
        running.wait()
        if running.stderr:
            running.stderr.close()
        sent = len(endpoint.bodies)
        assert sent < count
        assert not (tmp_path / "labels.parquet").exists()
        said = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True, env={**os.environ, "COLUMNS": "200"})
    assert f"{count} rows" in said.stdout
    times = Counter(map(excerpt_in, endpoint.bodies))
    assert len(times) == count
    assert sum(times.values()) - count <= 4  # what was under way when the process died was never received


def test_teachers_and_repeats_vote_and_their_agreement_is_told(tmp_path: Path) -> None:
    def harsh(body: dict[str, Any], number: int) -> Answer:
        found = json.loads(json.loads(honest(body).body)["choices"][0]["message"]["content"])
        return completion(json.dumps({**found, "score": max(0, found["score"] - 1)}))

    with serving(honest) as one, serving(harsh) as other:
        done = annotate(
            [str(write_texts(tmp_path))],
            str(tmp_path / "labels.parquet"),
            teachers(tmp_path, one, other),
            count=60,
            repeats=2,
            tell=lambda _: None,
        )
    assert [len(one.bodies), len(other.bodies)] == [120, 120]
    agreed = {(pair.first, pair.second): pair for pair in done.agreement}
    assert len(agreed) == 6
    assert agreed["openai:m0 #1", "openai:m0 #2"].quadratic_kappa == 1.0
    between = agreed["openai:m0 #1", "openai:m1 #1"]
    assert between.exact == pytest.approx(20 / 60, abs=1e-4)
    assert between.within_one == 1.0
    assert 0.7 < (between.quadratic_kappa or 0) < 0.95
    frame = pl.read_parquet(tmp_path / "labels.parquet")
    assert frame["votes"].unique().to_list() == [4]
    assert (frame["vote_max"] - frame["vote_min"] <= 1).all()
    assert set(frame["score"]) == {0.0, 2.5, 3.5}


def test_kappa_is_what_it_is_by_hand() -> None:
    votes = {"a": {"x": 0, "y": 2, "z": 4, "only a": 5}, "b": {"x": 0, "y": 3, "z": 4}}
    (found,) = agreements(votes)
    expected = sum((i - j) ** 2 for i in (0, 2, 4) for j in (0, 3, 4)) / 9
    assert found.excerpts == 3
    assert found.quadratic_kappa == pytest.approx(1 - (1 / 3) / expected, abs=1e-4)


def test_people_s_labels_win_and_are_compared(tmp_path: Path) -> None:
    own = [{"text": f"{LESSON} {_words(1)} Page 1.", "score": 2}, {"text": "Another text that only people have read. Page 3.", "score": 1}]
    (tmp_path / "people.jsonl").write_text("".join(json.dumps(row) + "\n" for row in own))
    with serving(honest) as endpoint:
        done = made(tmp_path, endpoint, people=[str(tmp_path / "people.jsonl")])
    frame = pl.read_parquet(tmp_path / "labels.parquet")
    assert frame.height == 61
    assert frame.filter(pl.col("by") == "people")["score"].to_list() == [2.0, 1.0]
    assert frame.filter(pl.col("text") == own[0]["text"])["vote_min"].item() == 4
    pair = next(pair for pair in done.agreement if "people" in (pair.first, pair.second))
    assert (pair.excerpts, pair.exact, pair.within_one) == (2, 0.0, 0.5)
    assert len(read_labels([str(tmp_path / "labels.parquet")], "text", "score", "group")) == 61


def test_replies_without_a_score_are_counted_and_give_no_label(tmp_path: Path) -> None:
    def odd(body: dict[str, Any], number: int) -> Answer:
        text = excerpt_in(body)
        if "Page 1." in text:
            return completion("I would give it 5 points.")
        if "Page 2." in text:
            return completion('{"score": 9}')
        if "Page 3." in text:
            return failure(400, "content management policy")
        return honest(body)

    with serving(odd) as endpoint:
        done = made(tmp_path, endpoint)
    assert done.refused == {"refused": 1, "unparsable": 2}
    assert (done.unanswered, done.rows) == (3, 57)


@pytest.mark.parametrize(
    "said", ['{"score": 3}', '{"reason": "a {brace}", "score": "3"}', '```json\n{"score": 3.0,}\n```', 'Well: {"score": 3}']
)
def test_scores_that_are_read(said: str) -> None:
    assert score_in(said) == 3


@pytest.mark.parametrize("said", ["3", '{"score": true}', '{"score": 6}', '{"score": -1}', '{"score": 2.5}', '{"score": null}', "[3]", ""])
def test_scores_that_are_not(said: str) -> None:
    with pytest.raises(Rejected):
        score_in(said)


def test_an_excerpt_is_the_text_of_its_window() -> None:
    texts = Text.from_strings(["One, two: three four.", "(alpha) beta", ""])
    assert texts.words.strings(0) == ["One", ",", "two", ":", "three", "four", "."]
    assert _bytes_of(texts, 0, [0, 4], is_last=False) == "One, two:"
    assert _bytes_of(texts, 0, [2, 5], is_last=False) == "two: three"
    assert _bytes_of(texts, 0, [4, 7], is_last=True) == "three four."
    assert _bytes_of(texts, 1, [7, 11], is_last=True) == "(alpha) beta"
    assert _bytes_of(texts, 2, [11, 11], is_last=True) == ""


def excerpt(text: str, source: str, score: float) -> Excerpt:
    return Excerpt(text, source, source, "", None, score, min(max(score / 6, 0), 1))


def test_a_sample_takes_from_every_score_in_turn_and_the_same_share_of_each_source() -> None:
    rows = [excerpt(f"common {number}", "web", 0.2) for number in range(500)]
    rows += [excerpt(f"rare {number}", "web", 3.6) for number in range(5)] + [
        excerpt(f"book {number}", "books", 3.9) for number in range(9)
    ]
    chosen = choose_excerpts(rows, 14, active=False)
    counted = Counter(one.text.split()[0] for one in chosen)
    assert counted["common"] == 7
    assert (counted["rare"], counted["book"]) in ((2, 5), (3, 4))  # 5 and 9 of them have this score
    assert choose_excerpts(rows, 9, active=False) == chosen[:9]
    assert choose_excerpts(rows[::-1], 14, active=False) == chosen
    assert len(choose_excerpts(rows, 10_000, active=False)) == len(rows)


def test_an_active_sample_takes_what_is_uncertain_first() -> None:
    rows = [excerpt(f"{number}", "web", number / 100 * 6) for number in range(100)]
    assert {int(one.text) for one in choose_excerpts(rows, 11, active=True)} == set(range(45, 56))


def test_a_run_folder_is_an_input(tmp_path: Path) -> None:
    texts = write_texts(tmp_path, 12)
    rows = [json.loads(line) | {"author": "Ann", "group": f"g{number}"} for number, line in enumerate(texts.read_text().splitlines())]
    texts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert call("run", "score", texts, "--out", tmp_path / "run").code == 0
    with serving(honest) as endpoint:
        said = call(
            "annotate", tmp_path / "run", "--teachers", teachers(tmp_path, endpoint), "--out", tmp_path / "labels.parquet", "--json"
        )
    assert said.code == 0, said
    assert json.loads(said.out)["rows"] == 12
    assert pl.read_parquet(tmp_path / "labels.parquet")["url"].str.starts_with("https://www.site").all()


def test_wrong_settings_are_told_before_anything_is_asked(tmp_path: Path) -> None:
    with serving(honest) as endpoint:
        table = teachers(tmp_path, endpoint)
        texts, out = [str(write_texts(tmp_path))], str(tmp_path / "labels.parquet")

        def run(out: str = out, table: str = table, **options: Any) -> None:
            annotate(texts, out, table, tell=lambda _: None, **{"count": 5, **options})

        (tmp_path / "mine.parquet").write_bytes(b"mine")
        (tmp_path / "bad.toml").write_text('[[teacher]]\nname = "procedural"\n')
        (tmp_path / "odd.toml").write_text('teacher = "openai"\n')
        (tmp_path / "twice.toml").write_text(f"{Path(table).read_text()}\n" * 2)
        faults: list[tuple[type[CurationError], str, dict[str, Any]]] = [
            (UsageError, "ends in .parquet", {"out": str(tmp_path / "labels.csv")}),
            (Refused, "not a label file that was made here", {"out": str(tmp_path / "mine.parquet")}),
            (RecipeError, "cannot judge texts", {"table": str(tmp_path / "bad.toml")}),
            (RecipeError, "one \\[\\[teacher\\]\\] table", {"table": str(tmp_path / "odd.toml")}),
            (RecipeError, "listed twice", {"table": str(tmp_path / "twice.toml")}),
            (CurationError, "no text 'body'", {"text": "body"}),
        ]
        for kind, message, options in faults:
            with pytest.raises(kind, match=message):
                run(**options)
    assert not endpoint.bodies


def test_an_excerpt_says_where_it_is_from(tmp_path: Path) -> None:
    """The group is the row's own, else its site, else its source; a license that nobody stated is said to be none."""
    told = [
        {"license": "cc-by-4.0", "url": "https://www.tides.org/a", "source": "crawl"},
        {"url": "https://www.tides.org/b", "group": "by hand"},
        {"license": "", "source": "crawl"},
    ]
    rows = [{"text": f"Part {place}: " + "the sea rises and falls with the moon. " * 8, **row} for place, row in enumerate(told)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    scorer, _ = load_model(resolve("filters:models/edu.safetensors"))
    found = sorted(read_excerpts([str(tmp_path / "rows.jsonl")], "text", scorer), key=lambda one: one.text)
    assert [(one.source, one.group, one.license, one.url) for one in found] == [
        ("crawl", "tides.org", "cc-by-4.0", "https://www.tides.org/a"),
        ("rows.jsonl", "by hand", NOT_STATED, "https://www.tides.org/b"),
        ("crawl", "crawl", NOT_STATED, None),
    ]

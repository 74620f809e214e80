"""Training: reproducible, evaluated on whole groups held out, and clear about bad labels."""

import gzip
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import CurationError, InputError, Refused, UsageError
from curation.text.text import Text
from filters.educational_score import EducationalScore
from filters.support.models import load_model
from pipelines.train.calibration import BANDS, curve, fit_curves
from pipelines.train.evaluation import pool_of, search_settings, text_scores, train, try_out
from pipelines.train.examples import examples_of, without_copies
from pipelines.train.fasttext_trainer import FastTextTrainer
from pipelines.train.held_out import HOLDOUTS, figures, holdouts_of, least_score
from pipelines.train.labels import LabelledText, read_labels
from pipelines.train.linear_trainer import LinearTrainer
from pipelines.train.linear_training import SparseRows, fit_logistic
from pipelines.train.model_card import CARD_BEGINS
from pipelines.train.settings import LINEAR, USUAL
from pipelines.train.ship_model import is_free, pool_to_ship, to_learn
from pipelines.train.trainers import Trainer, level_of, scorer_of
from pipelines.train.training import train_model
from tests.meeting import meets, met

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "filters" / "models" / "edu.safetensors"
FAST = FastTextTrainer(epochs=5, dimensions=8)
TEACHING = ["because", "example", "prove", "angle", "energy", "cell", "theorem", "measure", "explain", "therefore"]
SELLING = ["sale", "cheap", "click", "shipping", "offer", "deal", "buy", "subscribe", "bargain", "discount"]


def invented_rows(count: int = 240, groups: int = 6, seed: int = 7) -> list[dict[str, object]]:
    chooser = random.Random(seed)
    rows: list[dict[str, object]] = []
    for number in range(count):
        score = chooser.randrange(6)
        words = [chooser.choice(TEACHING if chooser.random() < score / 5 else SELLING) for _ in range(40)]
        rows.append({"text": " ".join(words), "score": score, "source": f"book {number % groups}"})
    return rows


def write_jsonl(path: Path, rows: list[dict[str, object]]) -> str:
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return str(path)


@pytest.fixture
def labels(tmp_path: Path) -> str:
    return write_jsonl(tmp_path / "labels.jsonl", invented_rows())


_FRAME = "Und dann ist es so, dass wir mit der {0} und auch ohne die {1} weiter gehen, denn das ist für alle hier eine {2} wert."
_LEHRE = ("Gleichung", "Energie", "Ableitung", "Zelle", "Beweisführung", "Messung", "Erklärung", "Aufgabe")
_LADEN = ("Lieferung", "Rabattaktion", "Bestellung", "Sonderpreise", "Gutscheine", "Werbung", "Anmeldung", "Ware")


def test_another_language_is_learnt_and_judged_with_the_same_kit(tmp_path: Path) -> None:
    chooser, rows = random.Random(3), []
    for number in range(240):
        score = number % 5
        lines = [_FRAME.format(*(chooser.choice(_LEHRE if chooser.random() < score / 4 else _LADEN) for _ in range(3))) for _ in range(4)]
        rows.append({"text": " ".join(lines), "score": score, "source": f"Buch {number % 6}"})
    model = tmp_path / "lehre.safetensors"
    train_model([write_jsonl(tmp_path / "labels.jsonl", rows)], str(model))
    lesson, shop = (" ".join(_FRAME.format(*words[begin : begin + 3]) for begin in range(4)) for words in (_LEHRE, _LADEN))
    english = EducationalScore.examples[0][0]
    texts = Text.from_strings([lesson, shop, english])
    german = pl.DataFrame(
        {name: pl.Series(column) for name, column in EducationalScore(str(model), language="de").signals(texts, None).items()}
    )
    assert german["unscored"].to_list() == [None, None, "other_language"]
    assert german["score"][0] > german["score"][1] + 1


def test_fasttext_itself_does_not_read_a_dirty_heap(tmp_path: Path) -> None:
    """The pinned package, without our clean environment: the child's own work, its heap filled with 165 first."""
    names = [f"{number:016x}" for number in range(50)]
    (tmp_path / "lines.txt").write_text("".join(f"__label__{i % 3} {' '.join(names[i % 40 : i % 40 + 10])}\n" for i in range(200)))
    (tmp_path / "settings.json").write_text('{"epochs": 3, "dimensions": 8}')
    contents = []
    for perturb in ("0", "165", "255"):
        environment = {**os.environ, "MALLOC_PERTURB_": perturb, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-P", "-m", "pipelines.train.fasttext_training", str(tmp_path)], env=environment, check=True)
        contents.append((tmp_path / "trained.npz").read_bytes())
    assert contents[0] == contents[1] == contents[2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: row.pop("text"), r"row 3 has no 'text'; it has 'score', 'source'; name its columns"),
        (lambda row: row.update(score=None), r"row 3 has no 'score'"),
        (lambda row: row.pop("source"), r"row 3 has no 'source'"),
        (lambda row: row.update(text=5), r"row 3: text is not text but 5"),
        (lambda row: row.update(score="4"), r"row 3: score must be a number from 0 to 5, not '4'"),
        (lambda row: row.update(score=True), r"row 3: score must be"),
        (lambda row: row.update(score=5.5), r"row 3: score must be"),
        (lambda row: row.update(score=-1), r"row 3: score must be"),
        (lambda row: row.update(score=float("nan")), r"row 3: score must be"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, change: Callable[[dict[str, object]], object], message: str) -> None:
    rows = invented_rows(5)
    change(rows[2])
    with pytest.raises(InputError, match=rf"labels\.jsonl, {message}"):
        read_labels([write_jsonl(tmp_path / "labels.jsonl", rows)], "text", "score", "source")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"text": "x", "score": 1, "source": "s"}\n{', "row 2 is not JSON"),
        ("a.jsonl", b"\n\n[]", "row 3 is not a JSON object"),
        ("a.jsonl", b'{"text": "\xff"}', "row 1 is not JSON"),
        ("a.jsonl", b"[" * 100_000, "row 1 is not JSON"),
        ("a.jsonl.gz", b"not gzip", "cannot be read"),
        ("a.jsonl.gz", gzip.compress(b"{}" * 100, mtime=0)[:-9], "cannot be read"),
        ("a.parquet", b"PAR1 and no more", "cannot be read"),
        ("a.csv", b"text,score", "ends in .jsonl, .jsonl.gz or .parquet"),
        ("a.jsonl", b"\n", "there is no labelled text"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_labels([str(tmp_path / name)], "text", "score", "source")
    assert name in str(caught.value)


def test_a_model_and_its_card_are_written(labels: str, tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    result = train_model([labels], str(out))
    model, digest = load_model(out)
    assert digest == result.sha256 == sha256(out.read_bytes()).hexdigest()
    assert (result.rows, result.groups, result.levels, result.trainer) == (240, 6, (1, 2, 3, 4, 5), "linear")
    assert result.held_out.rows == 240
    assert result.held_out.auc is not None
    assert result.held_out.auc > 0.9
    teaching, selling = text_scores(model, Text.from_strings([" ".join(TEACHING) * 4, " ".join(SELLING) * 4]))
    assert teaching > selling + 2
    card = json.loads(out.with_suffix(".json").read_text())
    assert card["sha256"] == digest
    assert card["sources"] == [{"source": f"book {number}", "license": "not stated", "rows": 40} for number in range(6)]
    assert card["versions"].keys() == {"fasttext-community", "numba", "numpy", "unicode"}
    assert [part["name"] for part in card["parts"]["kind"]] == ["text"]
    assert {word["token"] for word in card["telling"] if word["effect"] > 0.2} <= set(TEACHING)
    assert {word["token"] for word in card["telling"] if word["effect"] < -0.2} <= set(SELLING)
    assert sum(map(sum, card["held_out"]["confusion"])) == 240
    page = out.with_suffix(".md").read_text()
    assert digest in page
    assert "book 5 | not stated | 40 |" in page
    assert "{{" not in page
    assert "{%" not in page


def test_the_card_tells_what_fewer_labels_would_have_done(tmp_path: Path) -> None:
    rows, out = invented_rows(560, groups=40), tmp_path / "model.safetensors"
    steps = train_model([write_jsonl(tmp_path / "labels.jsonl", rows)], str(out)).learning
    assert [(step.share, step.rows) for step in steps] == [(0.125, 70), (0.25, 140), (0.5, 280), (1.0, 560)]
    assert steps[0].auc is None  # five groups of fourteen: in a holdout no level has twenty texts on either side
    first, last = (step.quadratic_kappa or 0 for step in (steps[1], steps[3]))
    assert last > first > 0.5
    page = out.with_suffix(".md").read_text()
    assert "| 12.5% | 70 | too few to learn from |  |" in page
    assert f"| 100.0% | 560 | {steps[3].auc:.3f} | {steps[3].quadratic_kappa:.3f} |" in page


def model_of(*inputs: str, trainer: Trainer = LINEAR[0]) -> bytes:
    pool = pool_of(without_copies(read_labels(inputs, "text", "score", "source")))
    return scorer_of(trainer.fit(pool.examples(trainer, np.arange(len(pool.rows)))), trainer).to_bytes()


@pytest.mark.parametrize("trainer", [LINEAR[0], FAST], ids=["linear", "fasttext"])
def test_training_again_gives_the_same_bytes_whatever_the_order_and_the_files(labels: str, tmp_path: Path, trainer: Trainer) -> None:
    rows = invented_rows()
    random.Random(1).shuffle(rows)
    write_jsonl(tmp_path / "part-1.jsonl.gz", rows[:50])
    pl.DataFrame(rows[50:]).write_parquet(tmp_path / "part-2.parquet")
    expected = model_of(labels, trainer=trainer)
    assert model_of(labels, labels, trainer=trainer) == expected
    assert model_of(str(tmp_path / "part-*"), trainer=trainer) == expected
    others = {"linear": LinearTrainer(cost=1.0), "fasttext": FastTextTrainer(epochs=5, dimensions=8, seed=2)}
    assert model_of(labels, trainer=others[trainer.name]) != expected


def test_copies_are_learnt_once(labels: str, tmp_path: Path) -> None:
    rows = [{**row, "text": str(row["text"]).upper()} for row in invented_rows()]
    twice = read_labels([labels, write_jsonl(tmp_path / "again.jsonl", rows)], "text", "score", "source")
    assert len(without_copies(twice)) == len(rows)
    assert without_copies(twice[::-1]) == without_copies(twice)


def test_a_dirty_heap_changes_nothing(labels: str, tmp_path: Path) -> None:
    program = (
        "import hashlib, sys\n"
        "from pipelines.train.fasttext_trainer import FastTextTrainer\n"
        "from pipelines.train.linear_trainer import LinearTrainer\n"
        "import tests.pipelines.test_training as here\n"
        "for trainer in (LinearTrainer(), FastTextTrainer(epochs=5, dimensions=8)):\n"
        "    print(hashlib.sha256(here.model_of(sys.argv[1], trainer=trainer)).hexdigest())"
    )
    environment = {**os.environ, "MALLOC_PERTURB_": "165", "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "99"}
    command = [sys.executable, "-c", program, labels]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [sha256(model_of(labels, trainer=trainer)).hexdigest() for trainer in (LINEAR[0], FAST)]


def test_the_best_of_both_trainers_is_one_of_them(labels: str) -> None:
    pool = pool_of(without_copies(read_labels([labels], "text", "score", "source")))
    weak = LinearTrainer(cost=1e-6)
    chosen = np.arange(len(pool.rows))
    assert train(pool, [weak, LinearTrainer()], chosen, 3).trainer == LinearTrainer()
    assert train(pool, [LinearTrainer(), weak], chosen, 3).trainer == LinearTrainer()
    assert {trainer.name for trainer in USUAL["best"]} == {"linear", "fasttext"}


def test_a_text_is_predicted_by_a_model_that_saw_nothing_of_its_group() -> None:
    """Each group's texts have a word that says their score, another one in each group: who sees the group knows, who does not, can not."""
    chooser = random.Random(4)
    rows = []
    for number in range(200):
        group, score = number % 5, chooser.randrange(6)
        rows.append(LabelledText(f"word{group}x{score} " + " ".join(chooser.choices(TEACHING, k=30)), score, f"group {group}", "s"))
    pool = pool_of(rows)
    held_out = try_out(pool, [LinearTrainer()], np.ones(len(rows), bool))
    known = train(pool, [LinearTrainer()], np.arange(len(rows)), 3)
    searched = search_settings(pool, [LinearTrainer()], np.ones(len(rows), bool))
    assert np.array_equal(searched.held_out, held_out)
    assert abs(np.corrcoef(pool.scores, held_out)[0, 1]) < 0.3
    assert np.corrcoef(pool.scores, pool.predicted(known.scorer, np.arange(len(rows))))[0, 1] > 0.9


def test_the_solver_finds_the_least_loss() -> None:
    """Against plain gradient descent on the same objective."""
    chance = np.random.default_rng(2)
    dense = chance.normal(size=(80, 6)) * (chance.random((80, 6)) < 0.5)
    positive = dense @ chance.normal(size=6) + chance.normal(size=80) > 0
    costs = chance.uniform(0.5, 2, 80)
    counts, (places, columns) = (dense != 0).sum(axis=1), np.nonzero(dense)
    rows = SparseRows(np.concatenate([[0], np.cumsum(counts)]), columns.astype(np.int32), dense[places, columns], 6)
    weights, intercept = fit_logistic(rows, positive, costs)
    signs, padded, plain = np.where(positive, 1.0, -1.0), np.c_[dense, np.ones(80)], np.zeros(7)
    for _ in range(20_000):
        slopes = -signs * costs / (1 + np.exp(signs * (padded @ plain)))
        plain -= 0.01 * (plain + padded.T @ slopes)
    assert np.abs(np.append(weights, intercept) - plain).max() < 0.02
    assert np.allclose(rows.times(weights[:, None])[:, 0], dense @ weights)


def test_a_child_that_dies_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "fasttext.py"
    examples = examples_of(Text.from_strings(["a b"] * 40), [1] * 20 + [0] * 20, pairs=True, once=False)
    broken.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(Refused, match="fastText could not train: the process ended with -11"):
        FAST.fit(examples)
    broken.write_text("raise ValueError('no room')\n")
    with pytest.raises(Refused, match="ValueError: no room"):
        FAST.fit(examples)


def test_what_cannot_be_trained_on_is_told(tmp_path: Path) -> None:
    def attempt(rows: list[dict[str, object]], out: str = "model.safetensors", trainer: str = "linear") -> None:
        train_model([write_jsonl(tmp_path / "labels.jsonl", rows)], str(tmp_path / out), trainer=trainer)

    cases: list[tuple[list[dict[str, object]], str, str, type[CurationError], str]] = [
        (invented_rows(groups=1), "model.safetensors", "linear", InputError, "all texts are of the group 'book 0'"),
        (invented_rows(groups=2), "model.safetensors", "linear", InputError, "three at least are needed"),
        ([{**row, "score": 0} for row in invented_rows()], "model.safetensors", "linear", InputError, "teach nothing"),
        (invented_rows(9, 3), "model.safetensors", "linear", InputError, "teach nothing"),
        (invented_rows(), "model.bin", "linear", UsageError, "ends in .safetensors"),
        (invented_rows(), "model.safetensors", "forest", UsageError, "there are linear, fasttext, best"),
    ]
    for rows, out, trainer, kind, message in cases:
        with pytest.raises(kind, match=message):
            attempt(rows, out, trainer)
    with pytest.raises(InputError, match="there is no such file"):
        train_model([str(tmp_path / "absent.jsonl")], str(tmp_path / "model.safetensors"))
    assert [path.name for path in tmp_path.iterdir()] == ["labels.jsonl"]


def test_a_score_no_better_than_chance_is_not_written(tmp_path: Path) -> None:
    """In every other book the words mean the opposite of what they mean in the others."""
    rows = invented_rows(groups=4)
    for row in rows:
        if str(row["source"]) in ("book 1", "book 3"):
            row["score"] = 5 - int(str(row["score"]))
    with pytest.raises(Refused, match="no better than chance"):
        train_model([write_jsonl(tmp_path / "labels.jsonl", rows)], str(tmp_path / "model.safetensors"))
    assert not (tmp_path / "model.safetensors").exists()


def test_whole_scores() -> None:
    assert level_of(np.array([0, 0.49, 0.5, 2.5, 4.4, 5])).tolist() == [0, 0, 1, 3, 4, 5]


def test_curves_rise_and_say_the_mean_label() -> None:
    chance = np.random.default_rng(1)
    expected = chance.uniform(0, 5, 4000)
    labels = np.clip(np.round(expected**2 / 5 + chance.normal(0, 0.5, 4000)), 0, 5)
    found = curve(expected, labels)
    assert (np.diff(found) > 0).all()
    assert abs(np.interp(2.5, np.linspace(0, 5, 21), found) - 1.25) < 0.15
    tokens = chance.choice([50, 120, 200], 4000)
    shifted = np.clip(labels - 2 * (tokens == 50), 0, 5)
    bands, curves = fit_curves(expected, tokens, shifted)
    assert bands.tolist() == list(BANDS)
    assert curves[0, 16] < curves[2, 16] - 1
    rising = np.linspace(0, 5, 40)
    halves = curve(rising, rising)  # a part has at least 20 texts, of which the mean alone counts; there is nothing below the first mean
    assert abs(halves[0] - rising[:20].mean()) < 0.1
    few = curve(np.array([1.0]), np.array([2.0]))
    assert (np.diff(few) >= 0).all()
    assert np.array_equal(curve(np.zeros(0), np.zeros(0)), np.linspace(0, 5, 21))


def test_the_least_threshold_of_a_precision() -> None:
    labels = [3.0] * 30 + [0.0] * 70
    predicted = [3.0] * 30 + [2.0] * 10 + [1.0] * 60
    assert least_score(labels, predicted, 0.9) == 2.05
    assert least_score(labels, predicted, 0.75) == 1.05
    assert least_score(labels, predicted, 0.2) == 0.0
    assert least_score([0.0] * 50, [4.0] * 50, 0.5) is None


@pytest.mark.full
def test_the_shipped_model_is_rebuilt_byte_for_byte(real_data: Path) -> None:
    pool, _ = pool_to_ship([str(real_data / "edu_scores" / f"{name}.parquet") for name in ("train", "web", "wide")])
    model = train(pool, LINEAR, np.flatnonzero(to_learn(pool)), HOLDOUTS).scorer
    assert model.to_bytes() == SHIPPED.read_bytes(), "run `python -m pipelines.train.ship_model` on the scores, and look at the new card"


@pytest.mark.parametrize(
    ("license_", "source", "free"),
    [
        ("MIT", "a/b", True),
        ("none stated for the page (repository: none stated)", "a/b", True),
        ("CC BY-SA 4.0; CC BY 4.0", "a/b", True),
        ("CC-BY-NC-SA-4.0", "a/b", False),
        ("MIT; CC BY-NC-ND 3.0", "a/b", False),
        ("CC-BY-ND-4.0", "a/b", False),
        ("none stated for the page (repository: GPL-3.0)", "a/b", False),
        ("README: GPL (README)", "a/b", False),
        ("CC-BY-4.0 (collection file; the LICENSE file says BY-NC-SA)", "a/b", False),
        ("Enron-Spam (public domain per its authors; repository states none)", "a/email_classification", False),
    ],
)
def test_what_may_be_learnt_from(license_: str, source: str, free: bool) -> None:
    assert is_free(LabelledText("t", 1, "g", source, license_)) is free


def test_the_shipped_model_is_made_of_free_texts_only() -> None:
    card = json.loads(SHIPPED.with_suffix(".json").read_text())
    assert all(is_free(LabelledText("t", 1, "g", source["source"], source["license"])) for source in card["sources"])
    assert card["bytes"] == SHIPPED.stat().st_size <= 5_000_000
    assert card["rows"] == sum(source["rows"] for source in card["sources"])


def test_only_a_model_of_ours_is_written_over(labels: str, tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    for name in ("model.safetensors", "model.json", "model.md"):
        (tmp_path / name).write_text("{}")
        with pytest.raises(Refused, match=f"{name}.*move it, or give another --out"):
            train_model([labels], str(out))
        assert (tmp_path / name).read_text() == "{}"
        (tmp_path / name).unlink()
    first = train_model([labels], str(out))
    assert (tmp_path / "model.md").read_text().startswith(CARD_BEGINS)
    assert train_model([labels], str(out)) == first


@meets(groups=100)
@given(groups=st.sets(st.text(max_size=5), max_size=30))
def test_holdouts_are_even_and_depend_on_names_only(groups: set[str]) -> None:
    holdouts = holdouts_of(groups)
    counts = np.bincount(list(holdouts.values()), minlength=HOLDOUTS)
    assert counts.max() - counts.min() <= 1
    assert holdouts == holdouts_of(sorted(groups, reverse=True))
    met["groups"] += len(groups)


scores = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20).map(lambda n: n / 4)), min_size=1, max_size=40)


@meets(pairs_won=300, hits=40, missed=50)
@given(pairs=scores)
def test_figures_are_their_definitions(pairs: list[tuple[int, float]]) -> None:
    truth, guess = [t for t, _ in pairs], [g for _, g in pairs]
    found = figures(truth, guess, 3)
    wins = [(a > b) + (a == b) / 2 for t, a in pairs for u, b in pairs if t >= 3 > u]
    assert found.auc == (pytest.approx(sum(wins) / len(wins), abs=1e-4) if wins else None)
    hits, good, kept = sum(t >= 3 and g >= 2.5 for t, g in pairs), sum(t >= 3 for t in truth), sum(g >= 2.5 for g in guess)
    assert found.f1 == (pytest.approx(2 * hits / (good + kept), abs=1e-4) if good + kept else None)
    whole = [int(g + 0.5) for g in guess]
    expected = sum((t - g) ** 2 for t in truth for g in whole) / len(pairs) ** 2
    observed = sum((t - g) ** 2 for t, g in zip(truth, whole, strict=True)) / len(pairs)
    assert found.quadratic_kappa == (pytest.approx(1 - observed / expected, abs=1e-4) if expected else None)
    assert found.mean_absolute_error == pytest.approx(sum(abs(t - g) for t, g in pairs) / len(pairs), abs=1e-4)
    if len(set(truth)) > 1 and len(set(guess)) > 1:
        frame = pl.DataFrame({"t": [float(t) for t in truth], "g": guess})
        assert found.spearman == pytest.approx(frame.select(pl.corr("t", "g", method="spearman")).item(), abs=1e-4)
    assert sum(part.rows for part in found.reliability) == len(pairs)
    assert found.bias == pytest.approx(sum(g - t for t, g in pairs) / len(pairs), abs=1e-4)
    precisions = [sum(u >= 3 for u, h in pairs if h >= g) / sum(h >= g for _, h in pairs) for t, g in pairs if t >= 3]
    assert found.average_precision == (pytest.approx(sum(precisions) / len(precisions), abs=1e-4) if precisions else None)
    assert [[sum(t == row and w == column for t, w in zip(truth, whole, strict=True)) for column in range(6)] for row in range(6)] == [
        list(counts) for counts in found.confusion
    ]
    assert [effect.min_score for effect in found.thresholds] == sorted(effect.min_score for effect in found.thresholds)
    for effect in found.thresholds:
        assert effect.kept == pytest.approx(sum(g >= effect.min_score for g in guess) / len(pairs), abs=1e-4)
        if share := re.fullmatch(r"keeps the best (\d+)%", effect.meaning):
            assert effect.kept >= int(share[1]) / 100 - 1e-4
    at = {effect.min_score: effect for effect in found.thresholds if effect.meaning.startswith("a fixed step")}
    assert at[2.5].meaning == "a fixed step: rounds to 3"
    assert len(found.thresholds) - len(at) == 8
    assert at[2.5].kept == pytest.approx(kept / len(pairs), abs=1e-4)
    assert at[2.5].precision == (pytest.approx(hits / kept, abs=1e-4) if kept else None)
    assert at[2.5].recall == (pytest.approx(hits / good, abs=1e-4) if good else None)
    met["pairs_won"] += len(wins)
    met["hits"] += hits
    met["missed"] += good - hits


def test_fasttext_ends_with_the_process_that_trains(tmp_path: Path) -> None:
    """The child of a killed trainer is gone, though it has an hour of work before it."""
    script = tmp_path / "train.py"
    script.write_text(
        "from pipelines.train.fasttext_training import TrainingSettings, train_apart\n"
        "lines = [f'__label__{i % 3} ' + ' '.join(f'word{(i * 7 + j) % 500}' for j in range(60)) for i in range(3000)]\n"
        "train_apart(lines, TrainingSettings(epochs=1_000_000, dimensions=64))\n"
    )
    trainer = subprocess.Popen([sys.executable, str(script)], env={**os.environ, "PYTHONPATH": str(ROOT), "MARK": str(tmp_path)})
    parent, deadline = psutil.Process(trainer.pid), time.monotonic() + 60
    while not (children := [child for child in parent.children() if "pipelines.train.fasttext_training" in child.cmdline()]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    while children[0].cpu_times().user < 0.5:  # it has begun: the library is imported, the parent is known
        assert time.monotonic() < deadline
        time.sleep(0.05)
    trainer.kill()
    trainer.wait()
    assert psutil.wait_procs(children, timeout=10)[1] == []


def test_packed_labels_are_unpacked_within_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "labels.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "a", "score": 1, "group": "g"}\n' * 1000))
    assert len(read_labels([str(path)], "text", "score", "group")) == 1000
    monkeypatch.setattr("pipelines.train.labels._LARGEST_BYTES", 10_000)
    with pytest.raises(InputError, match=r"labels\.jsonl\.gz unpacks to more than"):
        read_labels([str(path)], "text", "score", "group")

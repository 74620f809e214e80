"""The linear scorer: equal to its plain twin and to fastText, the same whatever the batch, and never loaded from a damaged file."""

import copy
import json
import math
import random
import resource
import shutil
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import InputError
from curation.storage.resources import resolve
from curation.text.text import Text
from filters.educational_score import EducationalScore
from filters.support.features import WINDOW, find_windows, list_features, pair, single
from filters.support.models import card_of, load_model
from filters.support.scorer import GRID, Scorer, pack, probe
from pipelines.train.evaluation import text_scores
from pipelines.train.examples import examples_of
from pipelines.train.fasttext_trainer import FastTextTrainer, lines_of
from pipelines.train.fasttext_training import TrainingSettings, matrices_of, train_here
from pipelines.train.linear_trainer import LinearTrainer
from pipelines.train.model_card import card_for_programs
from pipelines.train.trainers import Trainer, known_features, scorer_of
from tests.meeting import meets, met

VOCABULARY = [
    "angle",
    "prove",
    "Théorème",
    "example",
    "because",
    "cell",
    "energy",
    "sale",
    "cheap",
    "click",
    "shipping",
    "offer",
    "!",
    "of",
]
TRAINERS: list[Trainer] = [LinearTrainer(), LinearTrainer(pairs=False), FastTextTrainer(epochs=5, dimensions=4)]


def invented_texts(count: int, seed: int) -> list[tuple[str, int]]:
    """Texts of words of the first kind where the score is high, of the second where it is low, and some that are rare."""
    chooser = random.Random(seed)
    rows = []
    for _ in range(count):
        score = chooser.randrange(6)
        kinds = (VOCABULARY[:7], VOCABULARY[7:])
        words = [chooser.choice(kinds[chooser.random() >= score / 5]) for _ in range(chooser.randrange(5, 60))]
        rows.append((" ".join([*words, f"rare{chooser.randrange(10_000)}"]), score))
    return rows


@cache
def trained(place: int) -> Scorer:
    trainer, rows = TRAINERS[place], invented_texts(300, 1)
    texts = Text.from_strings([text for text, _ in rows])
    return scorer_of(trainer.fit(examples_of(texts, [score for _, score in rows], pairs=trainer.pairs, once=trainer.once)), trainer)


every_trainer = pytest.mark.parametrize("place", range(len(TRAINERS)))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return save(trained(0).to_bytes(), tmp_path / "model.safetensors")


def save(content: bytes, path: Path) -> Path:
    path.write_bytes(content)
    card_of(path).write_text(json.dumps({"sha256": sha256(content).hexdigest()}))
    return path


def plain_features(text: str, scorer: Scorer) -> list[int]:
    """The features of a text of one window, token by token."""
    pairs, once, _ = scorer.reading.tolist()
    hashes = Text.from_strings([text]).words.hashes
    found = [int(single(token)) for token in hashes]
    if pairs:
        found += [int(pair(first, second)) for first, second in pairwise(hashes)]
    if not once:
        return found
    kept, remembered = [], {}
    for feature in found:
        if remembered.get(feature >> 52) != feature:
            kept.append(feature)
        remembered[feature >> 52] = feature
    return kept


def plain_score(scorer: Scorer, text: str) -> float:
    """The kernel's twin, feature by feature."""
    weights, shares = scorer.look_up(np.array(plain_features(text, scorer), np.uint64))
    known, total = weights[weights > 0], sum(shares[weights > 0], np.zeros(len(scorer.levels)))
    if scorer.reading[2]:
        logits = total / max(1.0, math.sqrt(sum(weight**2 for weight in known.tolist()))) + scorer.intercepts
    else:
        logits = (total + scorer.intercepts) / (len(known) + 1)
    return float((1 / (1 + np.exp(-logits))).sum())


words = st.lists(st.one_of(st.sampled_from(VOCABULARY), st.text(max_size=6)), max_size=80).map(" ".join)


@every_trainer
@meets(high=10, low=40)
@given(texts=st.lists(words, max_size=4))
def test_the_kernel_is_its_plain_twin(place: int, texts: list[str]) -> None:
    scorer = trained(place)
    texts = [text for text in texts if len(text.encode()) < 1.4 * WINDOW]
    scores, seen = scorer.score_windows(Text.from_strings(texts))
    assert len(scores) == len(texts)
    for text, score, tokens in zip(texts, scores, seen.tokens, strict=True):
        assert abs(score - plain_score(scorer, text)) <= 1.001e-4
        assert tokens <= len(Text.from_strings([text]).words.hashes)
        met["high" if score > 2.5 else "low"] += 1


def test_repeated_features_count_once_and_only_there() -> None:
    once, often = "prove the angle", "prove the angle prove the angle prove the angle"
    assert len(plain_features(often, trained(0))) == len(plain_features(once, trained(0))) + 1  # the pair "angle prove" is new
    assert len(plain_features(often, trained(2))) == 17
    for place in (0, 2):
        column, scorer = Text.from_strings([often]), trained(place)
        found, offsets = np.empty(40, np.uint64), np.empty(2, np.int64)
        count = list_features(column.words.offsets, column.words.hashes, True, bool(scorer.reading[1]), found, offsets)
        assert found[:count].tolist() == plain_features(often, scorer)


@every_trainer
def test_good_texts_score_above_others(place: int) -> None:
    good, bad = text_scores(trained(place), Text.from_strings([" ".join(VOCABULARY[:7] * 3), " ".join(VOCABULARY[7:] * 3)]))
    assert good > bad + 1


@meets(apart=10, scores=90)
@given(texts=st.lists(words, min_size=1, max_size=8), cut=st.integers(0, 8))
def test_a_score_does_not_depend_on_the_batch(texts: list[str], cut: int) -> None:
    whole = trained(0).score_windows(Text.from_strings(texts))[0]
    column = pa.array(texts, pa.large_string())
    parts = [trained(0).score_windows(Text.from_arrow(part))[0] for part in (column[:cut], column[cut:])]
    assert np.array_equal(whole, np.concatenate(parts))
    met["apart"] += 0 < cut < len(texts)
    met["scores"] += len(set(whole.tolist()))


def test_windows_hold_each_token_once_in_equal_parts() -> None:
    texts = ["", "a b c", "word " * 290, "word " * 310, "word " * 2000, "x" * 5000 + " tail", " " * 3000]
    column = Text.from_strings(texts)
    windows = find_windows(column)
    counts = [max(1, (len(text) + WINDOW // 2) // WINDOW) for text in texts]
    assert np.diff(windows.offsets).tolist() == counts
    assert windows.tokens[windows.offsets].tolist() == column.words.offsets.tolist()
    assert (np.diff(windows.tokens) >= 0).all()
    of_long = np.diff(windows.tokens[windows.offsets[4] : windows.offsets[5] + 1])
    assert of_long.sum() == 2000
    assert of_long.max() - of_long.min() <= 1


def test_a_long_text_is_the_mean_of_its_parts() -> None:
    good, bad = "prove the angle because " * 42, "cheap offer! click, sale " * 42
    good, bad = good[:999], bad[:999]
    scores, _ = trained(0).score_windows(Text.from_strings([f"{good}\n{bad}\n", good, bad]))
    assert np.abs(scores[:2] - scores[2:]).max() < 0.02


def test_fasttext_folded_is_fasttext(tmp_path: Path) -> None:
    """fastText's own probabilities of the features' lines, up to its table of sigmoids and our small numbers."""
    trainer, rows = FastTextTrainer(epochs=5, dimensions=4), invented_texts(300, 1)
    texts = Text.from_strings([text for text, _ in rows])
    examples = examples_of(texts, [score for _, score in rows], pairs=True, once=False)
    features, _ = known_features(examples, trainer.least_texts)
    lines = lines_of(examples, features)
    (tmp_path / "lines.txt").write_text("".join(line + "\n" for line in lines))
    model = train_here(tmp_path / "lines.txt", TrainingSettings(4, 5, trainer.learning_rate, 1, 1))
    assert set(matrices_of(model).words) == {f"{feature:016x}" for feature in features.tolist()} | {"</s>"}
    scores, _ = trained(2).score_windows(texts)
    by_text = {}
    for text, line in zip(range(len(texts)), _unsorted(examples, features), strict=True):
        labels, values = model.predict([line], k=-1)
        by_text[text] = sum(float(value) for label, value in zip(labels[0], values[0], strict=True) if label != "__label__0")
    assert np.abs(scores - np.array([by_text[text] for text in range(len(texts))])).max() < 0.05


def _unsorted(examples: Any, features: Any) -> list[str]:
    known = set(features.tolist())
    cut = [examples.features[begin:end].tolist() for begin, end in zip(examples.offsets[:-1], examples.offsets[1:], strict=True)]
    return [" ".join(f"{feature:016x}" for feature in of_text if feature in known) for of_text in cut]


def test_packing_keeps_what_it_says() -> None:
    chance = np.random.default_rng(5)
    features = chance.integers(1, 1 << 64, 700, dtype=np.uint64)
    steps = chance.integers(-127, 128, (700, 5)).astype(np.int8)
    weights = chance.integers(1, 256, 700).astype(np.uint8)
    rows, lost = pack(features, weights, steps, 10)
    scorer = replace(trained(0), levels=np.arange(1, 6), rows=rows, scales=np.ones(5, np.float32), intercepts=np.zeros(5, np.float32))
    found, shares = scorer.look_up(features)
    held = np.flatnonzero(found)
    assert len(held) == 700 - lost
    assert 0 < lost < 150
    assert (found[held] == weights[held]).all()
    assert (shares[held] == (weights[:, None] * steps.astype(float))[held]).all()
    assert np.count_nonzero(scorer.look_up(chance.integers(1, 1 << 64, 10_000, dtype=np.uint64))[0]) < 5


def test_curves_give_each_band_its_own() -> None:
    scorer = replace(
        trained(0), bands=np.array([0, 10]), curves=np.stack([np.zeros(len(GRID)), np.full(len(GRID), 4.0)]).astype(np.float32)
    )
    assert text_scores(scorer, Text.from_strings(["prove " * 9, "prove " * 10])).tolist() == [0.0, 4.0]


def test_saved_and_loaded_is_the_same(saved: Path) -> None:
    model, digest = load_model(saved)
    assert digest == sha256(saved.read_bytes()).hexdigest()
    assert model.to_bytes() == trained(0).to_bytes()
    text = Text.from_strings([text for text, _ in invented_texts(20, 4)])
    assert np.array_equal(model.score_windows(text)[0], trained(0).score_windows(text)[0])


@pytest.mark.parametrize("part", range(30))
def test_a_truncated_file_never_loads(saved: Path, part: int) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: len(content) * part // 30])
    with pytest.raises(InputError, match="damaged"):
        load_model(saved)


@pytest.mark.parametrize("seed", range(60))
def test_a_flipped_bit_never_loads(saved: Path, seed: int) -> None:
    content = bytearray(saved.read_bytes())
    content[random.Random(seed).randrange(len(content))] ^= 1 << seed % 8
    saved.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        load_model(saved)


def test_damage_that_the_card_confirms_is_a_clear_error_or_harmless(tmp_path: Path) -> None:
    content, chooser, refused = trained(0).to_bytes(), random.Random(5), 0
    text, began = Text.from_strings(["prove the angle " * 500]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for trial in range(300):
        begun = time.process_time()
        damaged = bytearray(content)
        for _ in range(chooser.choice((1, 8))):
            damaged[chooser.randrange(600 if trial % 2 else len(damaged))] = chooser.randrange(256)
        if chooser.random() < 0.2:
            del damaged[chooser.randrange(len(damaged)) :]
        try:
            model, _ = load_model(save(bytes(damaged), tmp_path / "model.safetensors"))
        except InputError as error:
            assert "cannot be used" in str(error)
            refused += 1
        else:
            scores, _ = model.score_windows(text)
            assert ((scores >= 0) & (scores <= 5)).all()
        assert time.process_time() - begun < 5
    assert refused > 100
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - began < 300 << 10


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"\x80\x04]\x94.", b"not a model", struct.pack("<Q", 2) + b"{}"])
def test_what_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be used"):
        load_model(save(content, tmp_path / "model.safetensors"))


def test_arrays_that_make_no_model_are_refused() -> None:
    scorer = trained(0)
    wrong: dict[str, list[Any]] = {
        "levels": [scorer.levels[::-1].copy(), scorer.levels + 1, scorer.levels.astype(np.int32), scorer.levels[:0]],
        "rows": [scorer.rows[:-1], scorer.rows[:1], scorer.rows.astype(np.int64)],
        "scales": [np.full_like(scorer.scales, np.nan), scorer.scales + np.float32(1e6), scorer.scales[:-1]],
        "intercepts": [np.full_like(scorer.intercepts, np.inf)],
        "reading": [np.array([1, 1, 2]), np.array([1, 1])],
        "bands": [np.array([1]), np.array([], np.int64)],
        "curves": [scorer.curves[:, ::-1].copy(), scorer.curves + 1, np.full_like(scorer.curves, np.nan), scorer.curves[:, 1:]],
        "probe": [probe() + np.uint64(1), probe()[:-1]],
    }
    for name, arrays in wrong.items():
        for array in arrays:
            with pytest.raises(ValueError, match=r"it |its |a number|a curve|levels|rows|scales|intercepts|reading|bands|curves"):
                replace(scorer, **{name: array})


@pytest.mark.parametrize("card", ["", "{", "[]", "{}", '"text"', "[" * 100_000])
def test_a_card_that_is_none_is_a_clear_error(saved: Path, card: str) -> None:
    card_of(saved).write_text(card)
    with pytest.raises(InputError, match=r"model\.json is not a model's card"):
        load_model(saved)


def test_an_edited_card_is_refused(tmp_path: Path) -> None:
    """Its figures would be believed; a card of before, without a digest of its own, is read."""
    shipped = resolve(EducationalScore().model)
    model = Path(shutil.copy(shipped, tmp_path / "edu.safetensors"))
    content = json.loads(card_of(shipped).read_bytes())
    assert card_of(shipped).read_bytes() == card_for_programs({name: value for name, value in content.items() if name != "card"})

    def edited(change: Callable[[dict[str, Any]], object]) -> None:
        card = copy.deepcopy(content)
        change(card)
        card_of(model).write_text(json.dumps(card))

    edited(lambda card: None)
    assert load_model(model)[1] == content["sha256"]
    for change in (
        lambda card: card["held_out"].update(auc=0.999),
        lambda card: card.update(rows=1),
        lambda card: card.pop("notes"),
        lambda card: card.update(card="0" * 64),
        lambda card: card.update(card=1),
    ):
        edited(change)
        with pytest.raises(InputError, match=r"edu\.json is not what was written with its model"):
            load_model(model)
    edited(lambda card: (card.pop("card"), card.update(rows=1)))
    assert load_model(model)[1] == content["sha256"]


def test_missing_files_are_clear_errors(saved: Path) -> None:
    card_of(saved).rename(saved.with_name("elsewhere.json"))
    with pytest.raises(InputError, match=r"has no card model\.json"):
        load_model(saved)
    saved.with_name("elsewhere.json").rename(card_of(saved))
    saved.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        load_model(saved)

"""The folded scorer: equal to fastText, the same whatever the batch, and never loaded from a damaged file."""

import io
import json
import random
import time
import tracemalloc
import zipfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import InputError
from curation.text.text import Text
from curation.text.words import WORD
from filters.support.scorer import FastTextScorer, card_of, load_model, probe, spelled
from pipelines.train.fasttext_training import TrainingSettings, matrices_of, train_here
from pipelines.train.folding import fold, lines_of

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
    "the",
    "of",
]
SPAN = 40


class Trained(NamedTuple):
    model: Any
    scorer: FastTextScorer


def invented_texts(count: int, seed: int) -> list[tuple[str, int]]:
    """Texts of words of the first kind where the score is high, of the second where it is low, and some that are rare."""
    chooser = random.Random(seed)
    rows = []
    for _ in range(count):
        score = chooser.randrange(6)
        words = [
            chooser.choice(VOCABULARY[:7] if chooser.random() < score / 5 else VOCABULARY[7:]) for _ in range(chooser.randrange(5, 60))
        ]
        rows.append((" ".join([*words, f"rare{chooser.randrange(10_000)}"]), score))
    return rows


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    rows = invented_texts(300, 1)
    names = spelled(Text.from_strings([text for text, _ in rows]))
    lines = tmp_path_factory.mktemp("fasttext") / "lines.txt"
    lines.write_text("".join(line + "\n" for line in lines_of(names, [score for _, score in rows])))
    model = train_here(lines, TrainingSettings(epochs=10))
    return Trained(model, fold(matrices_of(model), SPAN))


@pytest.fixture
def saved(trained: Trained, tmp_path: Path) -> Path:
    return save(trained.scorer.to_bytes(), tmp_path / "model.npz")


def save(content: bytes, path: Path) -> Path:
    path.write_bytes(content)
    card_of(path).write_text(json.dumps({"sha256": sha256(content).hexdigest()}))
    return path


def short(texts: list[str]) -> Text:
    return Text.from_strings([" ".join(text.split()[:SPAN]) for text in texts])


def test_logits_are_fasttexts(trained: Trained) -> None:
    text = short([text for text, _ in invented_texts(200, 2)])
    logits, _ = trained.scorer.text_logits(text)
    labels = [int(label.removeprefix("__label__")) for label in trained.model.get_labels()]
    rows = [labels.index(level) for level in trained.scorer.levels]
    expected = [trained.model.get_output_matrix()[rows] @ trained.model.get_sentence_vector(line) for line in spelled(text)]
    assert np.abs(logits - np.array(expected)).max() < 1e-5


def test_probabilities_are_those_of_predict(trained: Trained) -> None:
    """fastText reads its sigmoid from a table of 512 steps and adds 0.00001; both are done here to what the scorer gives."""

    def through_table(x: Any) -> Any:
        inside = 1 / (1 + np.exp(8 - np.floor((x + 8) * 32) / 32))
        return (0 if x < -8 else 1 if x > 8 else inside) + 1e-5

    text = short([text for text, _ in invented_texts(200, 3)])
    ours = trained.scorer.text_logits(text)[0]
    labels, values = trained.model.predict(spelled(text), k=-1)
    for row in range(len(text)):
        theirs = dict(zip(labels[row], values[row], strict=True))
        for column, level in enumerate(trained.scorer.levels):
            value, x = theirs[f"__label__{level}"], ours[row, column]
            assert min(abs(value - through_table(x + step)) for step in (-1e-5, 0, 1e-5)) < 1e-5


def plain_score(scorer: FastTextScorer, text: str) -> tuple[float | None, int]:
    """The kernel's twin, word by word."""
    column = Text.from_strings([text])
    logits = dict(zip(scorer.words.tolist(), scorer.logits.astype(float), strict=True))
    names = [h for h, kind in zip(column.words.folded.tolist(), column.words.kinds.tolist(), strict=True) if kind & WORD]
    found = [logits[name] for name in names if name in logits]
    ends = max(1, len(found) / scorer.span[0])
    mean = (sum(found, np.zeros(len(scorer.levels))) + ends * scorer.end.astype(float)) / (len(found) + ends)
    return round(float((1 / (1 + np.exp(-mean))).sum()), 4), len(found)


words = st.lists(st.one_of(st.sampled_from(VOCABULARY), st.text(max_size=6)), max_size=120).map(" ".join)


@given(texts=st.lists(words, max_size=5))
def test_the_kernel_is_its_plain_twin(trained: Trained, texts: list[str]) -> None:
    scores, known = trained.scorer.score(Text.from_strings(texts))
    for text, score, count in zip(texts, scores, known, strict=True):
        expected, expected_count = plain_score(trained.scorer, text)
        assert count == expected_count
        assert abs(score - expected) <= 1.001e-4


@given(texts=st.lists(words, min_size=1, max_size=8), cut=st.integers(0, 8))
def test_a_score_does_not_depend_on_the_batch(trained: Trained, texts: list[str], cut: int) -> None:
    whole = trained.scorer.score(Text.from_strings(texts))[0]
    column = pa.array(texts, pa.large_string())
    parts = [trained.scorer.score(Text.from_arrow(part))[0] for part in (column[:cut], column[cut:])]
    assert np.array_equal(whole, np.concatenate(parts))


def test_length_alone_moves_nothing(trained: Trained) -> None:
    text = " ".join(VOCABULARY * 3)
    once, often = trained.scorer.score(Text.from_strings([text, f"{text} " * 50]))[0]
    assert once == often


def test_case_accents_and_symbols_do_not_count(trained: Trained) -> None:
    scores, known = trained.scorer.score(Text.from_strings(["prove the theoreme", "PROVE -- the, THÉORÈME!"]))
    assert scores[0] == scores[1]
    assert known.tolist() == [3, 3]


def test_unknown_words_are_not_known(trained: Trained) -> None:
    assert trained.scorer.score(Text.from_strings(["", "?!", "zyx wvu", "the zyx"]))[1].tolist() == [0, 0, 0, 1]


def test_spelled_keeps_words_of_each_text_apart() -> None:
    lines = spelled(Text.from_strings(["one, two", "", "Two!"]))
    assert [len(line.split()) for line in lines] == [2, 0, 1]
    assert lines[0].split()[1] == lines[2]


def test_saved_and_loaded_is_the_same(trained: Trained, saved: Path) -> None:
    model, digest = load_model(saved)
    assert digest == sha256(saved.read_bytes()).hexdigest()
    assert model.to_bytes() == trained.scorer.to_bytes()
    text = Text.from_strings([text for text, _ in invented_texts(20, 4)])
    assert np.array_equal(model.score(text)[0], trained.scorer.score(text)[0])


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


def test_damage_that_the_card_confirms_is_a_clear_error_or_harmless(trained: Trained, tmp_path: Path) -> None:
    content, chooser, refused = trained.scorer.to_bytes(), random.Random(5), 0
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(chooser.choice((1, 8))):
            damaged[chooser.randrange(len(damaged))] = chooser.randrange(256)
        if chooser.random() < 0.2:
            del damaged[chooser.randrange(len(damaged)) :]
        try:
            load_model(save(bytes(damaged), tmp_path / "model.npz"))
        except InputError as error:
            assert "cannot be used" in str(error)
            refused += 1
    assert refused > 200


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"\x80\x04]\x94.", b"not a model"])
def test_what_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be used"):
        load_model(save(content, tmp_path / "model.npz"))


def test_objects_are_never_unpickled(trained: Trained, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, levels=np.array([print], object))
    with pytest.raises(InputError, match="cannot be used"):
        load_model(save(buffer.getvalue(), tmp_path / "model.npz"))
    with pytest.raises(ValueError, match=r"not a \.npz"):
        FastTextScorer.from_bytes(_npy(np.arange(3)))


class _Writes:
    """An object whose unpickling writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.write_text, (self.path, "unpickled")


def test_a_pickle_that_writes_a_file_does_not(trained: Trained, tmp_path: Path) -> None:
    written = tmp_path / "written.txt"
    arrays = {name: getattr(trained.scorer, name) for name in ("levels", "words", "logits", "end", "span", "probe")}
    buffer = io.BytesIO()
    np.savez(buffer, **{**arrays, "span": np.array([_Writes(written)], object)})
    with pytest.raises(InputError, match=r"model\.npz cannot be used.*Python objects"):
        load_model(save(buffer.getvalue(), tmp_path / "model.npz"))
    assert not written.exists()
    with np.load(io.BytesIO(buffer.getvalue()), allow_pickle=True) as archive:
        archive["span"]
    assert written.read_text() == "unpickled", "the pickle is a live one"


def test_words_that_collide_are_found_or_refused_at_once(trained: Trained) -> None:
    count = 200_000
    scorer = trained.scorer
    collide = (np.arange(count, dtype=np.uint64) + np.uint64(1)) << np.uint64(40)
    begun = time.process_time()
    content = replace(scorer, words=collide, logits=np.ones((count, len(scorer.levels)), np.float32)).to_bytes()
    assert FastTextScorer.from_bytes(content).slots.max() == count - 1
    chosen = np.sort(np.array([_unmixed(number << 40) for number in range(1, 20_001)], np.uint64))
    content = replace(scorer, words=chosen, logits=np.ones((20_000, len(scorer.levels)), np.float32)).to_bytes()
    with pytest.raises(ValueError, match="collide"):
        FastTextScorer.from_bytes(content)
    assert time.process_time() - begun < 10


def _unmixed(value: int) -> int:
    """Undo the mixing of hashes: what someone would do who makes words that collide nevertheless."""
    value ^= value >> 31 ^ value >> 62
    value = value * pow(0x94D049BB133111EB, -1, 1 << 64) % (1 << 64)
    value ^= value >> 27 ^ value >> 54
    value = value * pow(0xBF58476D1CE4E5B9, -1, 1 << 64) % (1 << 64)
    return value ^ value >> 30 ^ value >> 60


def test_what_would_unpack_to_gigabytes_is_refused_before(trained: Trained, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("levels", "words", "end", "span", "probe"):
            archive.writestr(f"{name}.npy", _npy(getattr(trained.scorer, name)))
        with archive.open("logits.npy", "w", force_zip64=True) as stream:
            np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": (100_000_000, 4)})
            for _ in range(100):
                stream.write(bytes(16_000_000))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"model\.npz cannot be used.*larger than 1024 MiB"):
        load_model(save(buffer.getvalue(), tmp_path / "model.npz"))
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_a_head_that_declares_more_than_there_is_is_refused(trained: Trained) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("levels", "words", "end", "span", "probe"):
            archive.writestr(f"{name}.npy", _npy(getattr(trained.scorer, name)))
        with archive.open("logits.npy", "w") as stream:
            np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 4)})
    with pytest.raises(ValueError, match="not what its"):
        FastTextScorer.from_bytes(buffer.getvalue())


def _npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def test_arrays_that_make_no_model_are_refused(trained: Trained) -> None:
    scorer = trained.scorer
    wrong = {
        "levels": [scorer.levels[::-1].copy(), scorer.levels + 1, scorer.levels.astype(np.int32), scorer.levels[:0]],
        "words": [scorer.words[::-1].copy(), scorer.words[:-1], np.zeros_like(scorer.words)],
        "logits": [np.full_like(scorer.logits, np.nan), scorer.logits + np.float32(1e6), scorer.logits.T.copy()],
        "end": [np.full_like(scorer.end, np.inf), scorer.end[:-1]],
        "span": [np.zeros(1, np.int64), np.zeros(2, np.int64), np.array([-3])],
        "probe": [probe() + np.uint64(1), probe()[:-1]],
    }
    for name, arrays in wrong.items():
        for array in arrays:
            with pytest.raises(ValueError, match=r"it |its |a weight|levels|words|logits|end|span"):
                replace(scorer, **{name: array})


@pytest.mark.parametrize("card", ["", "{", "[]", "{}", '"text"', "[" * 100_000])
def test_a_card_that_is_none_is_a_clear_error(saved: Path, card: str) -> None:
    card_of(saved).write_text(card)
    with pytest.raises(InputError, match=r"model\.json is not a model's card"):
        load_model(saved)


def test_missing_files_are_clear_errors(saved: Path) -> None:
    card_of(saved).rename(saved.with_name("elsewhere.json"))
    with pytest.raises(InputError, match=r"has no card model\.json"):
        load_model(saved)
    saved.with_name("elsewhere.json").rename(card_of(saved))
    saved.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        load_model(saved)

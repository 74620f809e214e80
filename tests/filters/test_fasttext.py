"""Other people's fastText models: the scores of `fasttext.predict`, and a clear error for every damaged file."""

import random
from functools import cache
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pytest

from curation.errors import InputError
from curation.text.text import Text
from filters.fasttext import FastText
from filters.support.fasttext_file import read_fasttext
from filters.support.fasttext_scorer import fasttext_scorer

WORDS = [
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
    "of,",
    "数学",
    "naïve",
]
KINDS: dict[str, dict[str, Any]] = {
    "softmax pairs": {"loss": "softmax", "wordNgrams": 2, "bucket": 1000, "dim": 8},
    "softmax triples, subwords": {"loss": "softmax", "wordNgrams": 3, "bucket": 500, "minn": 2, "maxn": 4, "dim": 6},
    "one against all": {"loss": "ova", "dim": 5},
    "Huffman tree, more labels than dimensions": {"loss": "hs", "dim": 3, "minn": 1, "maxn": 3, "bucket": 300},
    "negative sampling": {"loss": "ns", "dim": 4, "neg": 2},
    "two dimensions, many labels": {"loss": "softmax", "dim": 2},
    "300 labels": {"loss": "softmax", "dim": 8, "minn": 2, "maxn": 3, "bucket": 400},
}
QUANTIZED: dict[str, dict[str, Any]] = {
    "plain": {},
    "norms": {"qnorm": True},
    "output": {"qout": True, "qnorm": True},
    "pruned": {"cutoff": 400, "qnorm": True},
}
ODD = [
    "", " ", "prove", "prove </s> the angle", "__label__0 prove", "__label__x prove", "unknownword angle", "a\tb\x0bc\x0cd\re\x00f", "</s>",
    "数学 naïve Théorème", "the " * 500, "x" * 3000, " prove  angle ", "\u00a0prove", "👩‍👩‍👧 prove",
]  # fmt: skip


def invented_lines(seed: int, count: int) -> list[str]:
    chooser = random.Random(seed)
    lines = []
    for _ in range(count):
        level = chooser.randrange(5)
        words = chooser.choices(WORDS, weights=[1 + 6 * (place % 5 == level) for place in range(len(WORDS))], k=chooser.randrange(3, 30))
        lines.append(f"__label__{level} {' '.join(words)} rare{chooser.randrange(900)}")
    return lines


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fasttext")


@cache
def trained(folder: Path, kind: str, quantized: str | None) -> tuple[Any, Path]:
    lines, path = folder / "lines.txt", folder / f"{kind} {quantized}.model"
    made = invented_lines(1, 700)
    if kind == "300 labels":
        made = [line.replace("__label__", f"__label__{place % 300}-", 1) for place, line in enumerate(made * 3)]
    lines.write_text("\n".join(made) + "\n", "utf-8")
    model = fasttext.train_supervised(str(lines), epoch=8, lr=0.5, thread=1, verbose=0, seed=2, **KINDS[kind])
    if quantized:
        options = {"retrain": False, "dsub": 2, **QUANTIZED[quantized]}
        model.quantize(input=str(lines), thread=1, verbose=0, **options)
    model.save_model(str(path))
    return fasttext.load_model(str(path)), path


def texts() -> list[str]:
    return [line.partition(" ")[2] for line in invented_lines(2, 120)] + ODD


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("quantized", [None, *QUANTIZED])
def test_scores_are_those_of_predict(folder: Path, kind: str, quantized: str | None) -> None:
    if quantized == "output" and kind != "300 labels":
        pytest.skip("fastText quantizes no output of fewer than 256 rows")
    model, path = trained(folder, kind, quantized)
    scorer = fasttext_scorer(read_fasttext(np.frombuffer(path.read_bytes(), np.uint8)))
    assert list(scorer.labels) == model.get_labels()
    found = scorer.probabilities(Text.from_strings(texts()))
    met = 0
    for text, ours in zip(texts(), found, strict=True):
        labels, values = model.predict(text, k=-1)
        if not labels:
            assert np.isnan(ours).all(), text
            continue
        theirs = dict(zip(labels, values, strict=True))
        # a tree is cut where less than 1e-5 is left
        expected = np.array([theirs.get(label, min(ours[place], 1e-5)) for place, label in enumerate(scorer.labels)])
        if KINDS[kind]["loss"] in ("ova", "ns"):  # a logit near the border of a step of their table may fall on either side
            assert (np.abs(expected - ours) < 1e-6).mean() > 0.7
            assert np.abs(expected - ours).max() < 0.01
        else:
            # fastText adds thousands of rows in 32 bits, and clips what its 1e-5 puts above 1
            assert np.abs(np.minimum(expected, 1) - np.minimum(ours, 1)).max() < (1e-6 if len(text) < 1000 else 3e-5), text
        met += 1
    assert met > 100


LONG = [
    *WORDS,
    "a",
    "the",
    "x" * 8,
    "y" * 9,
    "z" * 70,
    "seven77",
    "__label__1",
    "__label__new",
    "__label_",
    "__label_x",
    "__label__",
    "数" * 20,
    "ü",
    "\x01",
    "unknown",
    "\u00a0",
]


@pytest.mark.parametrize(("kind", "quantized"), [("softmax pairs", None), ("softmax triples, subwords", None), ("softmax pairs", "pruned")])
def test_tokens_and_pairs_go_on_from_block_to_block(folder: Path, kind: str, quantized: str | None) -> None:
    model, path = trained(folder, kind, quantized)
    scorer, chooser = fasttext_scorer(read_fasttext(np.frombuffer(path.read_bytes(), np.uint8))), random.Random(4)
    long = [" ".join(chooser.choices(LONG, k=chooser.randrange(1, 900))) for _ in range(60)]
    long += ["prove " * count + "angle" for count in (254, 255, 256, 257, 510, 511)] + ["p" * size for size in (63, 64, 65, 128, 20_000)]
    long += [" ".join(["__label__1"] * 300 + ["prove", "angle"] * 200), " ".join(WORDS * 30) + " </s> " + "cheap " * 400]
    met = 0
    for text, ours in zip(long, scorer.probabilities(Text.from_strings(long)), strict=True):
        theirs = dict(zip(*model.predict(text, k=-1), strict=True))
        expected = np.array([theirs[label] for label in scorer.labels])
        assert np.abs(np.minimum(expected, 1) - np.minimum(ours, 1)).max() < 1e-5, text[:80]
        met += len(text.split()) > 255
    assert met > 40


def test_the_filter_scores_by_label(folder: Path) -> None:
    model, path = trained(folder, "softmax pairs", None)
    made = FastText(str(path), label="__label__3")
    assert set(made.files()) == {"model"}
    assert FastText(str(path), sha256=made.files()["model"].upper()).files() == made.files()
    signals = made.signals(Text.from_strings(["prove\nangle", "prove angle", ""]), None)
    labels, values = model.predict("prove angle", k=-1)
    assert (
        signals["score"][0].as_py()
        == signals["score"][1].as_py()
        == pytest.approx(dict(zip(labels, values, strict=True))["__label__3"], abs=2e-6)
    )
    assert signals["best"][1].as_py() == labels[0]
    with pytest.raises(InputError, match=r"has no label 'x'; it has '__label__"):
        FastText(str(path), label="x").files()
    with pytest.raises(InputError, match="the recipe says 00"):
        FastText(str(path), sha256="00").files()


def test_without_a_model_nothing_is_measured() -> None:
    assert FastText().files() == {}
    assert FastText().signals(Text.from_strings(["a", "b"]), None)["score"].to_pylist() == [None, None]


def test_a_score_does_not_depend_on_the_batch(folder: Path) -> None:
    _, path = trained(folder, "softmax triples, subwords", None)
    scorer = fasttext_scorer(read_fasttext(np.frombuffer(path.read_bytes(), np.uint8)))
    whole = scorer.probabilities(Text.from_strings(texts()))
    alone = np.concatenate([scorer.probabilities(Text.from_strings([text])) for text in texts()])
    assert np.array_equal(whole, alone, equal_nan=True)


def test_unsupervised_models_and_other_files_are_refused(folder: Path) -> None:
    lines = folder / "lines.txt"
    trained(folder, "softmax pairs", None)
    path = folder / "vectors.bin"
    fasttext.train_unsupervised(str(lines), dim=4, epoch=1, thread=1, verbose=0, minCount=1).save_model(str(path))
    for content, message in ((path.read_bytes(), "not a supervised"), (b"", "ends before"), (b"\0" * 4000, "not a fastText model")):
        (folder / "other.bin").write_bytes(content)
        with pytest.raises(InputError, match=message):
            FastText(str(folder / "other.bin")).files()

"""Training a fastText model in a process of its own, and folding it (see `filters.fasttext_scorer`).

fastText is C++ that has trained from memory it never wrote: version 0.9.3 of the package gives NaN, or other weights each time, depending
on what the process did before. fasttext-community 0.11.9 does not. We keep three guards all the same: training runs in a fresh process
whose environment does not depend on ours, on one thread with a fixed seed; every weight is checked to be a number below 100; and lines are
sorted by their hash, so that the order of the input does not matter either.

Invariants
    - The same texts and scores, in whatever order, give the same model, bit for bit, on one kind of machine.
    - This is the only file that imports fasttext. A crash of it ends the child, not us, and is told.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.errors import InputError, Refused
from filters.fasttext_scorer import HIGHEST_SCORE, FastTextScorer, probe

_LABEL = "__label__"
_END = "</s>"
_LARGEST_WEIGHT = 100.0

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class TrainingSettings:
    """How fastText trains; measured on groups held out (the card of the shipped model tells the figures).

    dimensions     numbers in a word's vector
    epochs         times that each text is seen
    learning_rate  fastText's `lr`
    min_count      how often a word must occur to be known
    seed           of fastText's random start
    """

    dimensions: int = 16
    epochs: int = 25
    learning_rate: float = 0.3
    min_count: int = 3
    seed: int = 1


def level_of(score: float) -> int:
    """Return the whole score (0 to 5) that a score counts as; a half counts upwards."""
    return min(max(int(np.floor(score + 0.5)), 0), HIGHEST_SCORE)


def train(texts: Sequence[str], scores: Sequence[float], settings: TrainingSettings) -> FastTextScorer:
    """Train on texts as `filters.fasttext_scorer.spelled` gives them, each with its score.

    Raises InputError where there is too little to learn from, Refused where what fastText gave fails the checks.
    """
    counts = Counter(word for text in texts for word in text.split())
    known = sum(count for count in counts.values() if count >= settings.min_count)
    if not known or len(texts) < settings.min_count or not any(level_of(score) for score in scores):
        raise InputError(
            f"{len(texts)} texts teach nothing; at least {settings.min_count} are needed, a word that occurs as often, and a score above 0"
        )
    span = max(1, round(known / len(texts)))
    labels_of = [" ".join(f"{_LABEL}{level}" for level in range(level_of(score) + 1)) for score in scores]
    lines = [f"{labels} {text}" for labels, text in zip(labels_of, texts, strict=True)]
    lines.sort(key=lambda line: sha256(line.encode()).digest())
    with tempfile.TemporaryDirectory(prefix="training-") as folder:
        Path(folder, "lines.txt").write_text("".join(line + "\n" for line in lines), "utf-8")
        Path(folder, "settings.json").write_text(json.dumps(asdict(settings)), "utf-8")
        _run_child(folder)
        with np.load(Path(folder, "trained.npz"), allow_pickle=False) as trained:
            matrices = {name: trained[name] for name in trained.files}
    if not all((np.abs(matrices[name]) < _LARGEST_WEIGHT).all() for name in ("vectors", "output")):
        raise Refused("fastText trained weights that are not numbers below 100; is the package installed fasttext-community 0.11.9?")
    return folded(**matrices, span=span)


def folded(words: Array, vectors: Array, labels: Array, output: Array, span: int) -> FastTextScorer:
    """Multiply a model's matrices once. Level 0, which every text reaches, is left out."""
    levels = np.array([int(label.removeprefix(_LABEL)) for label in labels.tolist()], np.int64)
    wanted = np.flatnonzero(levels > 0)
    wanted = wanted[np.argsort(levels[wanted])]
    products = (vectors.astype(np.float64) @ output[wanted].astype(np.float64).T).astype(np.float32)
    is_end = words == _END
    hashes = np.array([int(word, 16) for word in words[~is_end].tolist()], np.uint64)
    order = np.argsort(hashes)
    return FastTextScorer(levels[wanted], hashes[order], products[~is_end][order], products[is_end][0], np.array([span], np.int64), probe())


def _run_child(folder: str) -> None:
    """Run this file's `_child` in a fresh process. Raises Refused with the child's last words where it fails."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "HOME")}
    environment = {**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pipelines.fasttext_training", folder], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"the process ended with {done.returncode}"]
        raise Refused(f"fastText could not train: {last[0]}")


def _child(folder: Path) -> None:
    """Train, and write the known words with their vectors, and the labels with their rows of the output matrix."""
    settings = TrainingSettings(**json.loads((folder / "settings.json").read_text("utf-8")))
    model = train_fasttext(folder / "lines.txt", settings)
    np.savez(folder / "trained.npz", **matrices_of(model))


def train_fasttext(lines: Path, settings: TrainingSettings) -> Any:
    """Return the fastText model trained on a file of lines, in this process."""
    import fasttext

    return fasttext.train_supervised(
        str(lines),
        dim=settings.dimensions,
        epoch=settings.epochs,
        lr=settings.learning_rate,
        minCount=settings.min_count,
        seed=settings.seed,
        wordNgrams=1,
        loss="ova",
        thread=1,
        verbose=0,
    )


def matrices_of(model: Any) -> dict[str, Array]:
    """Return a fastText model's known words with their vectors, and its labels with their rows of the output matrix."""
    words = model.get_words()
    return {
        "words": np.array(words),
        "vectors": model.get_input_matrix()[: len(words)],
        "labels": np.array(model.get_labels()),
        "output": model.get_output_matrix(),
    }


if __name__ == "__main__":
    _child(Path(sys.argv[1]))

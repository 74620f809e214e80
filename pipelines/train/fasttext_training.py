"""Running fastText's training in a process of its own.

fastText is C++ that has trained from memory it never wrote: version 0.9.3 of the package gives NaN, or other weights each time, depending
on what the process did before. fasttext-community 0.11.9 does not. We keep guards all the same: training runs in a fresh process whose
environment does not depend on ours, on one thread with a fixed seed, and the weights are checked by `pipelines.train.folding`.

Invariants
    - The same lines and settings give the same matrices, bit for bit, on one kind of machine.
    - This is the only file that imports fasttext. A crash of it ends the child, not us, and is told.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curation.engine.signals import die_with, workers_spared
from curation.errors import Refused

LABEL = "__label__"
"""What a label starts with in a line."""
END = "</s>"
"""The word that fastText puts at the end of every line."""
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "HOME")


@dataclass(frozen=True)
class TrainingSettings:
    """How fastText trains.

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


class Matrices(NamedTuple):
    """A trained model: w known words, l labels, d dimensions."""

    words: npt.NDArray[np.str_]
    """The words (w), END among them."""
    vectors: npt.NDArray[np.float32]
    """Their vectors (w by d)."""
    labels: npt.NDArray[np.str_]
    """The labels (l), each with LABEL before it."""
    output: npt.NDArray[np.float32]
    """Their rows of the output matrix (l by d)."""


def train_apart(lines: Sequence[str], settings: TrainingSettings) -> Matrices:
    """Train on lines of labels and words, in a fresh process. Raises Refused with its last words where it fails."""
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory(prefix="training-") as folder:
        Path(folder, "lines.txt").write_text("".join(line + "\n" for line in lines), "utf-8")
        Path(folder, "settings.json").write_text(json.dumps(asdict(settings)), "utf-8")
        command = [sys.executable, "-P", "-m", "pipelines.train.fasttext_training", folder, str(os.getpid())]
        with workers_spared():
            child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with child:
            try:
                _, told = child.communicate()
            except BaseException:
                child.kill()
                raise
        if child.returncode:
            last = told.strip().splitlines()[-1:] or [f"the process ended with {child.returncode}"]
            raise Refused(f"fastText could not train: {last[0]}")
        with np.load(Path(folder, "trained.npz"), allow_pickle=False) as trained:
            return Matrices(**{name: trained[name] for name in Matrices._fields})


def train_here(lines: Path, settings: TrainingSettings) -> Any:
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


def matrices_of(model: Any) -> Matrices:
    """Return what a fastText model has learnt."""
    words = model.get_words()
    return Matrices(np.array(words), model.get_input_matrix()[: len(words)], np.array(model.get_labels()), model.get_output_matrix())


def _main(folder: Path) -> None:
    """Do the child's work."""
    settings = TrainingSettings(**json.loads((folder / "settings.json").read_text("utf-8")))
    np.savez(folder / "trained.npz", allow_pickle=False, **matrices_of(train_here(folder / "lines.txt", settings))._asdict())


if __name__ == "__main__":
    for parent in sys.argv[2:]:
        die_with(int(parent))
    _main(Path(sys.argv[1]))

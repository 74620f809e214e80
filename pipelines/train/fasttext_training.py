"""Train fastText in a process of its own.

fastText is C++ code that once trained from uninitialised memory: version 0.9.3 of the package gives NaN, or different weights every time,
depending on what the process did before. fasttext-community 0.11.9 does not. The guards stay: training runs in a fresh process with a fixed
environment, on one thread with a fixed seed, and `pipelines.train.fasttext_trainer` checks the weights.

Invariants
    - The same lines and settings give the same matrices, bit for bit, on one kind of machine.
    - This is the only file that imports fasttext. A crash ends the child process, not this one, and is reported.
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
    """The settings of fastText.

    dimensions     length of a word's vector
    epochs         number of passes over the texts
    learning_rate  fastText's `lr`
    min_count      fewest occurrences of a known word
    seed           seed of fastText's random start
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
    """Train on lines of labels and words, in a fresh process. Raises Refused with the end of its output if it fails."""
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
    """Train fastText on a file of lines in this process and return the model."""
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
    """Return the matrices of a fastText model."""
    words = model.get_words()
    return Matrices(np.array(words), model.get_input_matrix()[: len(words)], np.array(model.get_labels()), model.get_output_matrix())


def _main(folder: Path) -> None:
    """Run the child process."""
    settings = TrainingSettings(**json.loads((folder / "settings.json").read_text("utf-8")))
    np.savez(folder / "trained.npz", allow_pickle=False, **matrices_of(train_here(folder / "lines.txt", settings))._asdict())


if __name__ == "__main__":
    for parent in sys.argv[2:]:
        die_with(int(parent))
    _main(Path(sys.argv[1]))

"""Scores texts with a fastText model that somebody else trained, named in the recipe: DCLM's, a FineWeb-Edu one, a language identifier.

Source: Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification"; Li et al. 2024, "DataComp-LM", keeps the best tenth by such
a model (`label = "__label__hq"`, `min_score = 0.018112`). `.bin` and `.ftz` are read; scores are those of `fasttext.predict`, its 1e-5
included (`filters.support.fasttext_scorer`). A line break counts as a space.

    score   the probability of `label`; null where a text has nothing that the model counts, or there is no model
    best    the likeliest label
"""

import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa

from curation.arrays import Table
from curation.errors import InputError
from curation.storage.resources import digest, resolve
from curation.text.text import Text
from filters.contract import Filter, Rule, Signals, below
from filters.support.fasttext_file import read_fasttext
from filters.support.fasttext_scorer import FastTextScorer, fasttext_scorer

_DECIMALS = 7


@dataclass(frozen=True)
class FastText(Filter):
    """Drops texts that a fastText model gives too little.

    model      the model's file, .bin or .ftz
    label      the label whose probability is the score, as the model has it; empty is the model's first
    sha256     what the file's SHA-256 must be; empty asks for none
    min_score  least probability
    """

    model: str = ""
    label: str = ""
    sha256: str = ""
    min_score: float = 0.5

    signal_types: ClassVar[Mapping[str, pa.DataType]] = {"score": pa.float64(), "best": pa.string()}
    threshold_fields: ClassVar[frozenset[str]] = frozenset({"min_score"})
    file_fields: ClassVar[frozenset[str]] = frozenset({"model"})
    examples: ClassVar[tuple[tuple[str, str | None], ...]] = (("Without a model nothing is measured, and nothing is dropped.", None),)

    def files(self) -> Mapping[str, str]:
        """Return the SHA-256 of the model. Raises InputError where it is missing, damaged or another one."""
        if not self.model:
            return {}
        found = digest(self.model)
        if self.sha256 and found != self.sha256.lower():
            raise InputError(f"model {self.model} has the sha256 {found}, the recipe says {self.sha256}; give the file it means")
        self._column(_model(self.model))
        return {"model": found}

    def signals(self, text: Text, documents: Table) -> Signals:  # noqa: ARG002  (text alone says it)
        """Score a batch with the model, which is mapped into memory once a process."""
        if not self.model:
            return {"score": pa.nulls(len(text), pa.float64()), "best": pa.nulls(len(text), pa.string())}
        scorer = _model(self.model)
        chances = scorer.probabilities(text)
        nothing = np.isnan(chances).any(axis=1)
        best = np.array(scorer.file.labels, object)[np.nan_to_num(chances, nan=-1.0).argmax(axis=1)]
        score = np.round(chances[:, self._column(scorer)], _DECIMALS)
        return {"score": pa.array(score, pa.float64(), mask=nothing), "best": pa.array(best, pa.string(), mask=nothing)}

    def _column(self, scorer: FastTextScorer) -> int:
        labels = scorer.file.labels
        if self.label and self.label not in labels:
            more = ", ..." if len(labels) > 10 else ""
            raise InputError(f"model {self.model} has no label {self.label!r}; it has {', '.join(map(repr, labels[:10]))}{more}")
        return labels.index(self.label) if self.label else 0

    def rules(self) -> Mapping[str, Rule]:
        """Return the one rule."""
        return {"low_score": below("score", self.min_score, ("best",))}


def _model(name: str) -> FastTextScorer:
    """Return the model; a file that has changed is read again."""
    state = resolve(name).stat()
    return _read(str(resolve(name)), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=4)
def _read(path: str, size: int, changed: int) -> FastTextScorer:  # noqa: ARG001  (part of the cache's key)
    try:
        with Path(path).open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        return fasttext_scorer(read_fasttext(np.frombuffer(content, np.uint8)))
    except OSError as error:
        raise InputError(f"model {path} cannot be read ({error.strerror}); name a file that can") from error
    except ValueError as error:
        raise InputError(
            f"model {path} cannot be used: {error}; give a supervised fastText model, .bin or .ftz, as it was saved"
        ) from error

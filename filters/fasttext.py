"""Scores texts with a published fastText model that the recipe names, such as DCLM's, FineWeb-Edu's or a language identifier.

Source: Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification"; Li et al. 2024, "DataComp-LM", keeps the best tenth by such
a model (`label = "__label__hq"`, `min_score = 0.018112`). Models are .bin or .ftz files. Scores equal those of `fasttext.predict`, with
its added 1e-5 (`filters.support.fasttext_scorer`). A line break counts as a space.

The format has no checksum. Without `sha256`, a file that looks damaged is refused (`filters.support.fasttext_damage`), and a run warns that
other damage goes unseen. With it, that file is used as it is.

    score   the probability of `label`; null without a model, or if the model knows no part of the text
    best    the most probable label
"""

import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa

from curation.arrays import Table
from curation.choices import Share
from curation.errors import InputError
from curation.storage.resources import digest, resolve
from curation.text.text import Text
from filters.contract import Filter, Rule, Signals, Threshold, below
from filters.support.fasttext_damage import LooksDamaged
from filters.support.fasttext_file import read_fasttext
from filters.support.fasttext_scorer import FastTextScorer, fasttext_scorer

_DECIMALS = 7


@dataclass(frozen=True)
class FastText(Filter):
    """Drops texts to which a fastText model gives a low probability.

    model      the model's file, .bin or .ftz
    label      the label whose probability is the score, as spelt in the model; empty means the model's first label
    sha256     the required SHA-256 of the file; empty means any, with a warning
    min_score  lowest probability that passes
    """

    model: str = ""
    label: str = ""
    sha256: str = ""
    min_score: Threshold[Share] = 0.5

    version: ClassVar[int] = 2
    signal_types: ClassVar[Mapping[str, pa.DataType]] = {"score": pa.float64(), "best": pa.string()}
    file_fields: ClassVar[frozenset[str]] = frozenset({"model"})
    needs_files: ClassVar[bool] = True
    examples: ClassVar[tuple[tuple[str, str | None], ...]] = (("Without a model nothing is measured, and nothing is dropped.", None),)

    def files(self) -> Mapping[str, str]:
        """Return the SHA-256 of the model. Raises InputError if it is missing, damaged, or not the required one."""
        if not self.model:
            return {}
        found = digest(self.model)
        if self.sha256 and found != self.sha256.lower():
            raise InputError(f"model {self.model} has the sha256 {found}, the recipe says {self.sha256}; give the file it means")
        self._column(self._scorer())
        return {"model": found}

    def signals(self, text: Text, documents: Table) -> Signals:  # noqa: ARG002  (text alone says it)
        """Score a batch with the model, which each process maps into memory once."""
        if not self.model:
            return {"score": pa.nulls(len(text), pa.float64()), "best": pa.nulls(len(text), pa.string())}
        scorer = self._scorer()
        chances = scorer.probabilities(text)
        nothing = np.isnan(chances).any(axis=1)
        best = np.array(scorer.labels, object)[np.nan_to_num(chances, nan=-1.0).argmax(axis=1)]
        score = np.round(chances[:, self._column(scorer)], _DECIMALS)
        return {"score": pa.array(score, pa.float64(), mask=nothing), "best": pa.array(best, pa.string(), mask=nothing)}

    def cautions(self) -> Sequence[str]:
        """Return a warning if there is no model, or if nothing vouches for its bytes."""
        if not self.model or self.sha256:
            return super().cautions()
        return (
            f"filter fasttext: the format of {Path(self.model).name} has no checksum, so damage may go unseen; if the file is right, "
            f'add sha256 = "{digest(self.model)}"',
        )

    def _scorer(self) -> FastTextScorer:
        """Return the model. A changed file is read again."""
        state = resolve(self.model).stat()
        return _read(self.model, state.st_size, state.st_mtime_ns, bool(self.sha256))

    def _column(self, scorer: FastTextScorer) -> int:
        labels = scorer.labels
        if self.label and self.label not in labels:
            more = ", ..." if len(labels) > 10 else ""
            raise InputError(f"model {self.model} has no label {self.label!r}; it has {', '.join(map(repr, labels[:10]))}{more}")
        return labels.index(self.label) if self.label else 0

    def rules(self) -> Mapping[str, Rule]:
        """Return the one rule."""
        return {"low_score": below("score", self.min_score, ("best",))}


@lru_cache(maxsize=4)
def _read(name: str, size: int, changed: int, trusted: bool) -> FastTextScorer:  # noqa: ARG001  (part of the cache's key)
    path = resolve(name)
    try:
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        return fasttext_scorer(read_fasttext(np.frombuffer(content, np.uint8), trusted))
    except OSError as error:
        raise InputError(f"model {path} cannot be read ({error.strerror}); name a file that can") from error
    except LooksDamaged as error:
        raise InputError(
            f"model {path} looks damaged: {error}; fetch it again, or if its makers publish this digest, add to the recipe "
            f'sha256 = "{digest(name)}"'
        ) from error
    except ValueError as error:
        raise InputError(
            f"model {path} cannot be used: {error}; give a supervised fastText model, .bin or .ftz, as it was saved"
        ) from error

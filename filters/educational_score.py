"""Educational score: the educational value of a text on FineWeb-Edu's scale from 0 to 5.

Source of the scale and of the method: Penedo et al. 2024, "The FineWeb Datasets" (FineWeb-Edu): a large language model scores a sample
under a rubric that adds up points, and a small classifier learns to score the rest. Their classifier is a transformer. This one is a
linear model with one look-up per word and per pair of words (`filters.support.scorer`), which is fast enough for a whole crawl.

    score        the mean score of the windows, 0 to 5; a window has about 1,000 characters, like the labelled excerpts
    score_max    the score of the best window
    score_share  the share of windows that score at least 3 (GOOD)
    unscored     the reason why a text has no score, or null: `short` (fewer than `min_words` words) or `other_language`

A text is in another language if the model knows less than KNOWN_SHARE of its words, and `filters.language` does not find `language`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.arrays import Integers, Table
from curation.choices import Count
from curation.storage.resources import resolve
from curation.text.text import Text
from curation.text.words import WORD
from filters.contract import Filter, Rule, Signals, Threshold, below
from filters.language import check_labels, identify
from filters.support.models import card_of, load_model
from filters.support.scorer import GOOD, Scorer, Seen

KNOWN_SHARE = 0.6
"""Of 8,504 English excerpts, one in 200 has a smaller share of known words; of 476 paragraphs in 79 other languages none has above 0.41."""
_SAMPLE_BYTES = 2048


@dataclass(frozen=True)
class EducationalScore(Filter):
    """Drops texts with a low educational score.

    model      the model's file, with its card beside it: a local path, or `<package>:<file>` for a shipped model
    min_words  shorter texts have no score, because they hold too little evidence
    min_score  the model's card says what each threshold keeps
    language   the language of the texts that the model learnt from, as `filters.language` names it; no other language has a score
    """

    model: str = "filters:models/edu.safetensors"
    min_words: Count = 20
    min_score: Threshold[float] = 2.5
    language: str = "en"

    version: ClassVar[int] = 3
    signal_types: ClassVar[Mapping[str, pa.DataType]] = {
        "score": pa.float64(),
        "score_max": pa.float64(),
        "score_share": pa.float64(),
        "unscored": pa.string(),
    }
    file_fields: ClassVar[frozenset[str]] = frozenset({"model"})
    packages: ClassVar[tuple[str, ...]] = ("py3langid",)
    examples: ClassVar[tuple[tuple[str, str | None], ...]] = (
        (
            "A function maps each value of its domain to exactly one value. To find the inverse of a linear function, exchange the two "
            "variables and solve the equation for the other one. For example, if y = 3x + 6, then x = (y - 6) / 3, so the slope of the "
            "inverse is the reciprocal of the slope.",
            None,
        ),
        (
            "Great shoes, free shipping, buy now! Order today and get a second pair for your friends at half price. Click here.",
            "low_educational_score",
        ),
        ("", None),
    )

    def __post_init__(self) -> None:
        """Refuse a language that `filters.language` does not find."""
        check_labels("educational_score: language", [self.language])

    @classmethod
    def read_with(cls, path: Path) -> tuple[Path, ...]:
        """Return the model's card."""
        return (card_of(path),)

    def files(self) -> Mapping[str, str]:
        """Return the SHA-256 of the model. Raises InputError if it is missing or damaged."""
        return {"model": _model(self.model)[1]}

    def signals(self, text: Text, documents: Table) -> Signals:  # noqa: ARG002
        """Score a batch with the model, which each process maps into memory once."""
        windows, seen = _model(self.model)[0].score_windows(text)
        reasons = self._reasons(text, seen)
        nothing = np.array([reason is not None for reason in reasons], bool)
        offsets = seen.windows.offsets
        counts = np.diff(offsets)
        columns = {"score": np.zeros(0), "score_max": np.zeros(0), "score_share": np.zeros(0)}
        if len(text):
            columns = {
                "score": np.round(np.add.reduceat(windows, offsets[:-1]) / counts, 4),
                "score_max": np.maximum.reduceat(windows, offsets[:-1]),
                "score_share": np.round(np.add.reduceat((windows >= GOOD).astype(np.float64), offsets[:-1]) / counts, 4),
            }
        return {
            **{name: pa.array(values, pa.float64(), mask=nothing) for name, values in columns.items()},
            "unscored": pa.array(reasons, pa.string()),
        }

    def _reasons(self, text: Text, seen: Seen) -> list[str | None]:
        """Return the reason why each text has no score; None if it has one."""
        words = text.words
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum((words.kinds & WORD) != 0, dtype=np.int64)])
        short = np.diff(before[words.offsets]) < self.min_words
        doubtful = ~short & (_sums(seen.known_tokens, seen) < KNOWN_SHARE * _sums(seen.tokens, seen))
        foreign = np.zeros(len(text), bool)
        if doubtful.any():
            languages, _ = identify(text.where(doubtful), _SAMPLE_BYTES)
            foreign[doubtful] = np.asarray(pc.fill_null(pc.not_equal(languages, self.language), True))
        return [
            ("short" if is_short else "other_language" if is_foreign else None) for is_short, is_foreign in zip(short, foreign, strict=True)
        ]

    def rules(self) -> Mapping[str, Rule]:
        """Return the one rule."""
        return {"low_educational_score": below("score", self.min_score)}


def _sums(values: Integers, seen: Seen) -> Integers:
    """Return the sum over the windows of each text."""
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(values)])
    return np.diff(before[seen.windows.offsets])


def _model(name: str) -> tuple[Scorer, str]:
    """Return the model and its SHA-256. A changed file is read again."""
    path = resolve(name)
    states = (path.stat(), card_of(path).stat() if card_of(path).exists() else None)
    return _read(name, tuple((state.st_size, state.st_mtime_ns) if state else None for state in states))


@lru_cache(maxsize=8)
def _read(name: str, states: tuple[tuple[int, int] | None, ...]) -> tuple[Scorer, str]:  # noqa: ARG001  (part of the cache's key)
    return load_model(resolve(name))

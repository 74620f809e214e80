"""Educational score: how much a reader could learn from a text, on FineWeb-Edu's scale from 0 to 5.

Source of the scale and of the method: Penedo et al. 2024, "The FineWeb Datasets" (FineWeb-Edu): a large language model scores a sample
under a rubric that adds up points, and a small classifier learns to score the rest. Theirs is a transformer; ours is a fastText model that
costs one look-up a word (`filters.support.scorer`), so that it can read a whole crawl.

    score   the expected score, 0 to 5; null where the text has no word that the model knows

The whole text is scored. Measured on 600 documents of 3 to 5 KB, from books and sites that the model had not seen, the whole tells
textbooks from web pages better (ROC AUC 0.879) than the first 2,000 bytes do (0.872) or the first 1,000 (0.849). A text much shorter than
those the model was trained on (1,000 characters) is marked down: it teaches little, and little can be said of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import pyarrow as pa

from curation.storage.resources import resolve
from curation.text.text import Text
from filters.contract import Filter, Rule, Signals, below
from filters.support.scorer import FastTextScorer, card_of, load_model


@dataclass(frozen=True)
class EducationalScore(Filter):
    """Drops texts that teach little.

    model      the model's file, with its card beside it: a local path, or `<package>:<file>` for one that we ship
    min_score  2.5, which rounds to 3, FineWeb-Edu's threshold; the model's card tells what other thresholds keep
    """

    model: str = "filters:models/edu.npz"
    min_score: float = 2.5

    signal_types: ClassVar[Mapping[str, pa.DataType]] = {"score": pa.float64()}
    threshold_fields: ClassVar[frozenset[str]] = frozenset({"min_score"})
    file_fields: ClassVar[frozenset[str]] = frozenset({"model"})
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

    def files(self) -> Mapping[str, str]:
        """Return the SHA-256 of the model. Raises InputError where it is missing or damaged."""
        return {"model": _model(self.model)[1]}

    def signals(self, text: Text, documents: Any) -> Signals:  # noqa: ARG002
        """Score a batch with the model, which is read once a process."""
        scores, known = _model(self.model)[0].score(text)
        return {"score": pa.array(scores, pa.float64(), mask=known == 0)}

    def rules(self) -> Mapping[str, Rule]:
        """Return the one rule."""
        return {"low_educational_score": below("score", self.min_score)}


def _model(name: str) -> tuple[FastTextScorer, str]:
    """Return the model and its SHA-256; a file that has changed is read again."""
    path = resolve(name)
    states = (path.stat(), card_of(path).stat() if card_of(path).exists() else None)
    return _read(name, tuple((state.st_size, state.st_mtime_ns) if state else None for state in states))


@lru_cache(maxsize=8)
def _read(name: str, states: tuple[tuple[int, int] | None, ...]) -> tuple[FastTextScorer, str]:  # noqa: ARG001  (part of the cache's key)
    return load_model(resolve(name))

"""The interface of trainers: a trainer turns examples into a model, and every model becomes a scorer in the same way.

A trainer is a frozen dataclass of settings with the method `fit`. Its model has, for each learnt feature, a weight and a share in the logit
of each level. `scorer_of` quantises them (a weight to 255 steps, a share to 127 steps of the level's largest) and packs the table.

A text with the score s reaches the levels 1 to s (Frank and Hall 2001); six separate classes would lose the few best texts. A level that
fewer than LEAST_REACHED texts reach is not learnt.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from curation.errors import InputError
from filters.support.scorer import GRID, HIGHEST_SCORE, Scorer, pack, probe
from pipelines.train.examples import Examples

LEAST_REACHED = 20
_WIDEST_TABLE, _NARROWEST_TABLE = 19, 8


@dataclass(frozen=True, eq=False)
class LearntModel:
    """A model of f features, the most frequent first, and k levels."""

    levels: npt.NDArray[np.int64]
    features: npt.NDArray[np.uint64]
    weights: npt.NDArray[np.float64]
    shares: npt.NDArray[np.float64]
    """Of each feature in each level's logit (f by k), before its weight."""
    intercepts: npt.NDArray[np.float64]


class Trainer(Protocol):
    """Learns from examples. `pairs`, `once` and `unit` say how the scorer must read texts (see `Scorer.reading`)."""

    name: ClassVar[str]
    once: ClassVar[bool]
    unit: ClassVar[bool]

    @property
    def pairs(self) -> bool:
        """Return whether pairs of neighbours are features."""

    def fit(self, examples: Examples) -> LearntModel:
        """Train. Raises InputError if there is too little to learn from."""


def settings_of(trainer: Trainer) -> Mapping[str, Any]:
    """Return the settings of a trainer by name."""
    return asdict(trainer)  # type: ignore[call-overload,no-any-return]


def level_of(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Round scores to whole ones (0 to 5); halves are rounded up."""
    return np.clip(np.floor(scores + 0.5), 0, HIGHEST_SCORE).astype(np.int64)


def levels_of(examples: Examples) -> npt.NDArray[np.int64]:
    """Return the levels that can be learnt. Raises InputError if there is none."""
    reached = np.array([(level_of(examples.scores) >= level).sum() for level in range(1, HIGHEST_SCORE + 1)])
    levels = np.flatnonzero((reached >= LEAST_REACHED) & (len(examples) - reached >= LEAST_REACHED)) + 1
    if not len(levels):
        raise InputError(
            f"{len(examples)} different texts teach nothing: no score from 1 to 5 is reached by {LEAST_REACHED} of them and not by "
            f"{LEAST_REACHED} others; label more texts, good and bad"
        )
    return levels


def known_features(examples: Examples, least_texts: int) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Return the features that occur in at least `least` texts, and the number of their texts: most frequent first, then by lowest bits.

    (Not by the hash itself: its highest bits are the place in the table, which would fill from one end.) Raises InputError for none.
    """
    text = np.repeat(np.arange(len(examples)), np.diff(examples.offsets))
    order = np.lexsort((text, examples.features))
    feature, text = examples.features[order], text[order]
    first = np.ones(len(feature), bool)
    first[1:] = (feature[1:] != feature[:-1]) | (text[1:] != text[:-1])
    names, counts = np.unique(feature[first], return_counts=True)
    names, counts = names[counts >= least_texts], counts[counts >= least_texts]
    if not len(names):
        raise InputError(f"{len(examples)} different texts teach nothing: no word occurs in {least_texts} of them")
    order = np.lexsort((names & np.uint64(0xFFFFFFFF), -counts))
    return names[order], counts[order]


def scorer_of(model: LearntModel, trainer: Trainer) -> Scorer:
    """Return the scorer of a model, its score not yet calibrated."""
    heaviest = max(model.weights.max(), 1e-9)
    weights = np.maximum(1, np.round(model.weights / heaviest * 255)).astype(np.uint8)
    largest = np.maximum(np.abs(model.shares).max(axis=0), 1e-9)
    steps = np.round(model.shares / largest * 127).astype(np.int8)
    bits = min(_WIDEST_TABLE, max(_NARROWEST_TABLE, int(np.ceil(np.log2(8 * len(model.features))))))
    rows, _ = pack(model.features, weights, steps, bits)
    scale = largest / 127 if trainer.unit else largest / 127 * heaviest / 255
    return Scorer(
        trainer=trainer.name,
        levels=model.levels,
        rows=rows,
        scales=scale.astype(np.float32),
        intercepts=model.intercepts.astype(np.float32),
        reading=np.array([trainer.pairs, trainer.once, trainer.unit], np.int64),
        bands=np.zeros(1, np.int64),
        curves=GRID[None].astype(np.float32),
        probe=probe(),
    )

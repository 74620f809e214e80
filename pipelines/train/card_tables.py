"""The tables of a model's card: figures by kind, source and length, the effect of fewer labels, and the words with the largest effect."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from curation.arrays import Floats
from curation.errors import InputError, Refused
from filters.support.features import single
from filters.support.scorer import GOOD, Scorer
from pipelines.train.calibration import BANDS
from pipelines.train.evaluation import EvaluationPool, try_out
from pipelines.train.held_out import figures
from pipelines.train.model_card import HeldOutPart, LearningStep, Telling
from pipelines.train.trainers import Trainer

LEAST_ROWS = 20
"""Texts below which a part's figures say nothing."""
_MOST_SOURCES = 40
_MOST_TELLING = 15
_LEAST_TEXTS = 0.01
"""Share of the texts that a word must be in to be told: what is rarer may be somebody's own."""
_SHARES = (0.125, 0.25, 0.5, 1.0)
_CURVE_HOLDOUTS = 3


def held_out_parts(pool: EvaluationPool, predicted: Floats) -> Mapping[str, tuple[HeldOutPart, ...]]:
    """Return the figures of the held-out texts by kind, by source and by length; the largest parts come first."""
    bands = np.searchsorted(np.array(BANDS), pool.tokens, side="right") - 1
    ends = [*(f"{begin} to {end - 1} tokens" for begin, end in pairwise(BANDS)), f"{BANDS[-1]} tokens and more"]
    names = {
        "kind": [row.kind for row in pool.rows],
        "source": [row.source for row in pool.rows],
        "length": [ends[band] for band in bands.tolist()],
    }
    return {title: tuple(_parts(pool, predicted, np.array(of_rows, str)))[:_MOST_SOURCES] for title, of_rows in names.items()}


def _parts(pool: EvaluationPool, predicted: Floats, names: npt.NDArray[np.str_]) -> Iterator[HeldOutPart]:
    tried = ~np.isnan(predicted)
    found, counts = np.unique(names[tried], return_counts=True)
    for name in found[np.lexsort((found, -counts))].tolist():
        inside = np.flatnonzero(tried & (names == name))
        if len(inside) < LEAST_ROWS:
            continue
        labels = pool.scores[inside]
        those = figures(labels.tolist(), predicted[inside].tolist(), 0)
        yield HeldOutPart(name, len(inside), int((labels >= GOOD).sum()), those.auc, those.quadratic_kappa, those.bias)


def learning_curve(pool: EvaluationPool, trainer: Trainer, learn: npt.NDArray[np.bool_]) -> tuple[LearningStep, ...]:
    """Return the figures of models that learn from a share of the groups; all are evaluated on the same texts.

    A share that is too small to learn from has no figures.
    """
    order = {group: sha256(b"curve" + group.encode()).digest() for group in sorted(set(pool.groups.tolist()))}
    ranked = {group: place / len(order) for place, group in enumerate(sorted(order, key=lambda group: order[group]))}
    ranks = np.array([ranked[group] for group in pool.groups.tolist()])
    steps = []
    for share in _SHARES:
        of_share = learn & (ranks < share)
        try:
            found = figures(pool.scores.tolist(), try_out(pool, [trainer], of_share, _CURVE_HOLDOUTS).tolist(), 0)
            steps.append(LearningStep(share, int(of_share.sum()), found.auc, found.quadratic_kappa))
        except (InputError, Refused):
            steps.append(LearningStep(share, int(of_share.sum()), None, None))
    return tuple(steps)


def telling_tokens(pool: EvaluationPool, scorer: Scorer, chosen: npt.NDArray[np.int64]) -> tuple[Telling, ...]:
    """Return the tokens with the largest effect on the logit of level 3, times the root of their number of texts: up first, then down."""
    words = pool.texts.words
    text = np.repeat(np.arange(len(pool.texts)), words.counts)
    inside = np.isin(text, chosen)
    pairs = np.unique(np.stack([words.hashes[inside], text[inside].astype(np.uint64)]), axis=1)
    tokens, counts = np.unique(pairs[0], return_counts=True)
    frequent = counts >= max(2, _LEAST_TEXTS * len(chosen))
    tokens, counts = tokens[frequent], counts[frequent]
    if not len(tokens):
        return ()
    features = np.array([single(token) for token in tokens], np.uint64)
    effects = scorer.look_up(features)[1][:, scorer.level_of_good]
    effects /= max(np.abs(effects).max(), 1e-9)
    order = np.argsort(effects * np.sqrt(counts), kind="stable")
    picked = [*order[::-1][:_MOST_TELLING].tolist(), *order[:_MOST_TELLING].tolist()]
    first = {token: place for place, token in zip(range(len(words.hashes) - 1, -1, -1), words.hashes[::-1].tolist(), strict=True)}
    return tuple(
        Telling(_spelled(pool, first[int(tokens[place])]), int(counts[place]), round(float(effects[place]), 3)) for place in picked
    )


def _spelled(pool: EvaluationPool, place: int) -> str:
    words = pool.texts.words
    text = int(np.searchsorted(words.offsets, place, side="right")) - 1
    begin = words.text_offsets[text]
    return bytes(words.data[begin + words.starts[place] : begin + words.ends[place]]).decode("utf-8", "replace")

"""Train an educational score on labelled texts, with an honest evaluation (`pipelines.train.evaluation`).

Copies among the labels are removed first. The figures are those of texts held out by group; the written model learns from all texts. Its
card names its training texts, its training and the held-out figures: `model.md` is for people, `model.json` for programs, with the SHA-256
that reading the model requires.

Invariants
    - The model is a function of the set of labelled texts and the candidates; the order of rows, files and the environment do not matter.
    - The model is written only if it separates good texts from others better than chance on held-out groups that have both.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import numpy as np

from curation.arrays import Floats
from curation.errors import Refused, UsageError
from curation.storage.location import Location
from curation.text.unicode_classes import UNICODE_VERSION
from filters.support.models import MODEL_ENDING, card_of
from filters.support.scorer import Scorer
from pipelines.train.card_tables import held_out_parts, learning_curve, telling_tokens
from pipelines.train.evaluation import EvaluationPool, NestedSearch, pool_of, search_settings
from pipelines.train.examples import without_copies
from pipelines.train.held_out import HeldOut, figures
from pipelines.train.intervals import group_intervals
from pipelines.train.labels import read_labels
from pipelines.train.model_card import CARD_BEGINS, SourceCount, TrainingResult, write_card
from pipelines.train.settings import to_try
from pipelines.train.trainers import settings_of

_PACKAGES = ("fasttext-community", "numba", "numpy")


def train_model(
    labels: Sequence[str],
    out: str,
    *,
    text: str = "text",
    score: str = "score",
    group: str = "source",
    trainer: str = "linear",
    trials: int | None = None,
    minutes: float | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> TrainingResult:
    """Train on label files, evaluate on groups held out, write the model `out` and its card.

    `trials` and `minutes` bound the search of settings (`pipelines.train.settings`).

    Raises InputError if the labels cannot be read or are too few, UsageError for a bad name, and Refused if a check fails, or if `out` or
    its card is a file that this program did not write.
    """
    candidates = to_try(trainer, trials, minutes)
    place = model_place(out)
    check_model_place(place)
    rows = read_labels(labels, text, score, group)
    pool = pool_of(without_copies(rows))
    learn = np.ones(len(pool.rows), bool)
    searched = search_settings(pool, candidates, learn, tell)
    return write_model(pool, learn, searched, place, among=trainer, copies=len(rows) - len(pool.rows))


def model_place(out: str) -> Path:
    """Return the local path of a model. Raises UsageError if its name does not end in ENDING, or if it is not local."""
    place = Location.of(out)
    if not place.is_local or not place.name.endswith(MODEL_ENDING):
        raise UsageError(f"--out {out}: name a local file that ends in {MODEL_ENDING}")
    return Path(place.path)


def check_model_place(model: Path) -> None:
    """Raise Refused if a file at the place of the model or of its card was not written by this program: it is never overwritten."""
    card = card_of(model)
    if model.exists() and not _is_model(model):
        raise Refused(f"{model} is not a model that was trained here; move it, or give another --out")
    if card.exists() and not _is_card(card):
        raise Refused(f"{card}, where the model's card goes, is not one; move it, or give another --out")
    told = model.with_suffix(".md")
    if told.exists() and not told.read_bytes().startswith(CARD_BEGINS.encode()):
        raise Refused(f"{told}, where the model's card for people goes, is not one; move it, or give another --out")


def _is_model(place: Path) -> bool:
    try:
        Scorer.from_bytes(place.read_bytes())
    except ValueError:
        return False
    return True


def _is_card(place: Path) -> bool:
    try:
        content = json.loads(place.read_bytes())
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and {"model", "sha256", "held_out"} <= content.keys()


def held_out_figures(pool: EvaluationPool, predicted: Floats) -> HeldOut:
    """Return the figures of all held-out texts, with their intervals."""
    tried = np.flatnonzero(~np.isnan(predicted))
    found = figures(pool.scores[tried].tolist(), predicted[tried].tolist(), len(set(pool.groups[tried].tolist())))
    return replace(found, intervals=group_intervals(pool.scores[tried], predicted[tried], pool.groups[tried]))


def write_model(
    pool: EvaluationPool,
    learn: np.ndarray[tuple[int], np.dtype[np.bool_]],
    searched: NestedSearch,
    place: Path,
    *,
    among: str,
    copies: int,
    compared: Mapping[str, HeldOut] | None = None,
    thresholds: Mapping[str, float | None] | None = None,
    notes: tuple[str, ...] = (),
) -> TrainingResult:
    """Train on the texts of `learn` and write model and card. Raises Refused if the held-out AUC is no better than chance."""
    found = held_out_figures(pool, searched.held_out)
    if found.auc is not None and found.auc <= 0.5:
        raise Refused(
            f"on groups held out the score tells good texts from others no better than chance (AUC {found.auc}); no model is written"
        )
    chosen = np.flatnonzero(learn)
    trial = searched.whole.train()
    content = trial.scorer.to_bytes()
    learnt = [pool.rows[row] for row in chosen.tolist()]
    counts = Counter((row.source, row.license) for row in learnt)
    result = TrainingResult(
        model=place.name,
        sha256=sha256(content).hexdigest(),
        bytes=len(content),
        trainer=trial.trainer.name,
        settings=settings_of(trial.trainer),
        rows=len(learnt),
        copies=copies,
        groups=len({row.group for row in learnt}),
        among=among,
        tried=searched.tried,
        features=int(np.count_nonzero(trial.scorer.rows)),
        levels=tuple(trial.scorer.levels.tolist()),
        held_out=found,
        parts=held_out_parts(pool, searched.held_out),
        learning=learning_curve(pool, trial.trainer, learn),
        telling=telling_tokens(pool, trial.scorer, chosen),
        sources=tuple(SourceCount(source, license_, count) for (source, license_), count in sorted(counts.items())),
        versions={**{package: version(package) for package in _PACKAGES}, "unicode": UNICODE_VERSION},
        compared=compared or {},
        thresholds=thresholds or {},
        notes=notes,
    )
    Location.of(place).write_bytes(content)
    write_card(result, place)
    return result

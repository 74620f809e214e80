"""Training an educational score on labelled texts, with an evaluation that cannot flatter it.

The texts' groups are dealt into five folds; for each fold a model is trained on the other four and scores this one
(`pipelines.train.held_out`). The model that is written is then trained on all texts. Its card, written beside it, says what it was made
of, how it was trained, and what the held-out figures were: `model.md` for people, `model.json` for programs, with the SHA-256 without
which the model is not read.

Invariants
    - The model is a function of the set of (text, score) and the settings; the order of rows and files, and the environment, do not matter.
    - A text with the same words and score as another is learnt once.
    - Nothing is written unless the model tells good texts from others better than chance on groups held out, where both kinds are there.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from curation.errors import InputError, Refused, UsageError
from curation.storage.location import Location
from curation.text.text import Text
from curation.text.unicode_classes import UNICODE_VERSION
from filters.support.scorer import FastTextScorer, card_of, spelled
from pipelines.train.fasttext_training import TrainingSettings
from pipelines.train.folding import train_scorer
from pipelines.train.held_out import FOLDS, HeldOut, figures, folds_of
from pipelines.train.labels import LabelledText, read_labels
from pipelines.train.model_card import CARD_BEGINS, SourceCount, TrainingResult, write_card

_PACKAGES = ("fasttext-community", "numpy")


def train_model(
    labels: Sequence[str],
    out: str,
    *,
    text: str = "text",
    score: str = "score",
    group: str = "source",
    settings: TrainingSettings = TrainingSettings(),  # noqa: B008  (frozen)
) -> TrainingResult:
    """Train on label files, evaluate on groups held out, write the model `out` (.npz) and its card.

    Raises InputError for labels that cannot be read or are too few, UsageError for a bad name, Refused where a check fails, or `out` or its
    card is a file that is not ours.
    """
    place = model_place(out)
    check_place(place)
    rows = read_labels(labels, text, score, group)
    return write_model(rows, place, evaluate(rows, rows, settings), settings)


def model_place(out: str) -> Path:
    """Return the local path of a model. Raises UsageError where its name does not end in .npz, or it is not local."""
    place = Location.of(out)
    if not place.is_local or not place.name.endswith(".npz"):
        raise UsageError(f"--out {out}: name a local file that ends in .npz")
    return Path(place.path)


def check_place(model: Path) -> None:
    """Raise Refused where what lies at a model's place, or at its cards', is not a model of ours: that is never written over."""
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
        FastTextScorer.from_bytes(place.read_bytes())
    except ValueError:
        return False
    return True


def _is_card(place: Path) -> bool:
    try:
        content = json.loads(place.read_bytes())
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and {"model", "sha256", "held_out"} <= content.keys()


def evaluate(rows: Sequence[LabelledText], tried: Sequence[LabelledText], settings: TrainingSettings) -> HeldOut:
    """Score each of `tried` with a model trained on the `rows` of other folds. Raises InputError where there is one group only."""
    folds = folds_of(row.group for row in (*rows, *tried))
    if len(folds) < 2:
        raise InputError(f"all texts are of the group {rows[0].group!r}; label texts of two groups at least, so that one can be held out")
    labels: list[float] = []
    predicted: list[float] = []
    for fold in range(min(FOLDS, len(folds))):
        held_out = [row for row in tried if folds[row.group] == fold]
        if held_out:
            model, _ = fit([row for row in rows if folds[row.group] != fold], settings)
            labels += [row.score for row in held_out]
            predicted += model.score(Text.from_strings([row.text for row in held_out]))[0].tolist()
    return figures(labels, predicted, len({row.group for row in tried}))


def fit(rows: Sequence[LabelledText], settings: TrainingSettings) -> tuple[FastTextScorer, int]:
    """Return the model trained on rows, and how many of them say what another one says."""
    examples = set(zip(spelled(Text.from_strings([row.text for row in rows])), [row.score for row in rows], strict=True))
    texts, scores = zip(*examples, strict=True) if examples else ((), ())
    return train_scorer(texts, scores, settings), len(rows) - len(examples)


def write_model(
    rows: Sequence[LabelledText],
    place: Path,
    held_out: HeldOut,
    settings: TrainingSettings,
    compared: Mapping[str, HeldOut] | None = None,
    notes: tuple[str, ...] = (),
) -> TrainingResult:
    """Train on all rows and write model and card. Raises Refused where the held-out AUC is no better than chance."""
    if held_out.auc is not None and held_out.auc <= 0.5:
        raise Refused(
            f"on groups held out the score tells good texts from others no better than chance (AUC {held_out.auc}); no model is written"
        )
    model, duplicates = fit(rows, settings)
    content = model.to_bytes()
    counts = Counter((row.source, row.license) for row in rows)
    result = TrainingResult(
        model=place.name,
        sha256=sha256(content).hexdigest(),
        bytes=len(content),
        rows=len(rows),
        duplicates=duplicates,
        groups=len({row.group for row in rows}),
        known_words=len(model.words),
        levels=tuple(model.levels.tolist()),
        settings=settings,
        held_out=held_out,
        sources=tuple(SourceCount(source, license_, count) for (source, license_), count in sorted(counts.items())),
        versions={**{package: version(package) for package in _PACKAGES}, "unicode": UNICODE_VERSION},
        compared=compared or {},
        notes=notes,
    )
    Location.of(place).write_bytes(content)
    write_card(result, place)
    return result

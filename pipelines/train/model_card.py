"""The card of an educational score: its training texts, its training, and its evaluation.

A card is two files beside the model: .json for programs, with the SHA-256 that reading the model requires and a digest of its own, and .md
for people, which no program reads.

Invariant: a card is a pure function of the training's result; it names no time and no machine.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from curation.arrays import JsonMapping
from curation.storage.location import Location
from filters.support.models import CARD_DIGEST, card_digest, card_of
from pipelines.terminal.wording import number, printable
from pipelines.train.held_out import HeldOut

CARD_BEGINS = "# Educational score: "
"""How the card for people begins, by which it is known again."""


@dataclass(frozen=True)
class SourceCount:
    """The number of training texts from one source under one licence."""

    source: str
    license: str
    rows: int


@dataclass(frozen=True)
class HeldOutPart:
    """The figures of a part of the held-out texts: those of one kind, one source or one length."""

    name: str
    rows: int
    good: int
    auc: float | None
    quadratic_kappa: float | None
    bias: float


@dataclass(frozen=True)
class LearningStep:
    """The figures of a model that learnt from a share of the groups, with its number of texts."""

    share: float
    rows: int
    auc: float | None
    quadratic_kappa: float | None


@dataclass(frozen=True)
class TriedSettings:
    """Settings that a search tried, with their figures on inner holdouts of the texts learnt from, or the reason why they failed."""

    trainer: str
    settings: Mapping[str, Any]
    auc: float | None
    quadratic_kappa: float | None
    failure: str
    outer_holdouts: int
    """The number of outer holdouts for which they are the best."""
    is_best: bool
    """Whether the written model has them."""


@dataclass(frozen=True)
class Telling:
    """A token with a large effect on the scores of many texts: it raises them if `effect` is positive; the largest effect is 1."""

    token: str
    texts: int
    effect: float


@dataclass(frozen=True)
class TrainingResult:
    """A trained model. `compared` has the figures of other trainers on the same texts; their models are not written."""

    model: str
    sha256: str
    bytes: int
    trainer: str
    settings: Mapping[str, Any]
    rows: int
    copies: int
    groups: int
    among: str
    """The settings among which the training chose: those of this trainer, or of "best"."""
    tried: tuple[TriedSettings, ...]
    features: int
    levels: tuple[int, ...]
    held_out: HeldOut
    parts: Mapping[str, tuple[HeldOutPart, ...]]
    """By kind, by source, by length."""
    learning: tuple[LearningStep, ...]
    telling: tuple[Telling, ...]
    sources: tuple[SourceCount, ...]
    versions: Mapping[str, str]
    compared: Mapping[str, HeldOut] = field(default_factory=dict)
    thresholds: Mapping[str, float | None] = field(default_factory=dict)
    """What for -> min_score."""
    notes: tuple[str, ...] = ()


def write_card(result: TrainingResult, model: Path) -> None:
    """Write both forms of the card beside the model."""
    Location.of(model.with_suffix(".md")).write_bytes(markdown(result).encode())
    Location.of(card_of(model)).write_bytes(card_for_programs(asdict(result)))


def card_for_programs(facts: JsonMapping) -> bytes:
    """Return the card for programs, with its own digest."""
    plain = json.loads(json.dumps(facts))
    return (json.dumps({**plain, CARD_DIGEST: card_digest(plain)}, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def markdown(result: TrainingResult) -> str:
    """Return the card for people."""
    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, trim_blocks=True)
    environment.filters.update(count=number, share=_share, figure=_figure, bounded=_bounded, cell=_cell)
    template = environment.from_string((files("pipelines") / "templates" / "model.md").read_text("utf-8"))
    return template.render(result=result, trials={"this model": result.held_out, **result.compared})


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _figure(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3f}"


def _bounded(of_trial: HeldOut, name: str) -> str:
    bounds = of_trial.intervals.get(name)
    return _figure(getattr(of_trial, name)) + (f" ({bounds[0]:.3f} to {bounds[1]:.3f})" if bounds else "")


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|").replace("`", "'")

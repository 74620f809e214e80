"""The card of an educational score: what it was made of, how, and how far it is to be trusted.

Two files beside the model: .json for programs, which holds the SHA-256 without which the model is not read, and .md for people.

Invariant: a card is a pure function of the training's result; it names no time and no machine.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from curation.storage.location import Location
from filters.support.models import card_of
from pipelines.terminal.wording import number, printable
from pipelines.train.held_out import HeldOut

CARD_BEGINS = "# Educational score: "
"""How the card for people begins, by which it is known again."""


@dataclass(frozen=True)
class SourceCount:
    """How many of the texts learnt from come from a source, under one licence."""

    source: str
    license: str
    rows: int


@dataclass(frozen=True)
class HeldOutPart:
    """The figures of some of the texts held out: those of one kind, of one source, of one length."""

    name: str
    rows: int
    good: int
    auc: float | None
    quadratic_kappa: float | None
    bias: float


@dataclass(frozen=True)
class LearningStep:
    """What a share of the groups, and so many texts, would have been enough for."""

    share: float
    rows: int
    auc: float | None
    quadratic_kappa: float | None


@dataclass(frozen=True)
class Telling:
    """A token that moves the score by much, over many texts: up where `effect` is above 0; the largest is 1."""

    token: str
    texts: int
    effect: float


@dataclass(frozen=True)
class TrainingResult:
    """A model that was trained. `compared` has the figures of other trainings, tried on the same texts; those models are not written."""

    model: str
    sha256: str
    bytes: int
    trainer: str
    settings: Mapping[str, Any]
    rows: int
    copies: int
    groups: int
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
    content = json.dumps(asdict(result), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    Location.of(model.with_suffix(".md")).write_bytes(markdown(result).encode())
    Location.of(card_of(model)).write_bytes(content.encode())


def markdown(result: TrainingResult) -> str:
    """Return the card for people."""
    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, trim_blocks=True)
    environment.filters.update(count=number, share=_share, figure=_figure, cell=_cell)
    template = environment.from_string((files("pipelines") / "templates" / "model.md").read_text("utf-8"))
    return template.render(result=result, trials={"this model": result.held_out, **result.compared})


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _figure(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3f}"


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|").replace("`", "'")

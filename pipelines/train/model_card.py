"""The card of an educational score: what it was made of, how, and how far it is to be trusted.

Two files beside the model: .json for programs, which holds the SHA-256 without which the model is not read, and .md for people.

Invariant: a card is a pure function of the training's result; it names no time and no machine.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from curation.storage.location import Location
from filters.support.scorer import card_of
from pipelines.terminal.wording import number, printable
from pipelines.train.fasttext_training import TrainingSettings
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
class TrainingResult:
    """A model that was trained. `compared` has the figures of other trainings, tried on the same texts; those models are not written."""

    model: str
    sha256: str
    bytes: int
    rows: int
    duplicates: int
    groups: int
    known_words: int
    levels: tuple[int, ...]
    settings: TrainingSettings
    held_out: HeldOut
    sources: tuple[SourceCount, ...]
    versions: Mapping[str, str]
    compared: Mapping[str, HeldOut] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def write_card(result: TrainingResult, model: Path) -> None:
    """Write both forms of the card beside the model."""
    content = json.dumps(asdict(result), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    Location.of(model.with_suffix(".md")).write_bytes(markdown(result).encode())
    Location.of(card_of(model)).write_bytes(content.encode())


def markdown(result: TrainingResult) -> str:
    """Return the card for people."""
    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, trim_blocks=True)
    environment.filters.update(count=number, share=_share, figure=_figure, cell=_cell)
    template = environment.from_string((files("pipelines") / "templates" / "model.md").read_text("utf-8"))
    return template.render(result=result, settings=asdict(result.settings), trials={"this model": result.held_out, **result.compared})


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _figure(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3f}"


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|")

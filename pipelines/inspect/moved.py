"""The words, sentences and windows that moved a document's educational score, according to the model of the run.

The run's `rules.json` names that model and its SHA-256. This module opens a shipped model by itself. For any other model the user names the
file; the run folder may not name it, since somebody else may have made the folder. A model with another SHA-256 is refused, because it
would explain another score.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curation.errors import InputError
from curation.storage.resources import resolve
from pipelines.inspect.rules import RunRules
from pipelines.inspect.samples import excerpt

_FILTER = "educational_score"  # its file is not imported for its name: that would load all that measuring needs
_SHIPPED = "filters:"


@dataclass(frozen=True)
class Word:
    """A word, a symbol or a pair of neighbours: the windows that contain it, and its effect on the logit of a score of 3 or more."""

    words: str
    windows: int
    effect: float


@dataclass(frozen=True)
class Span:
    """A span of the text in bytes, and its beginning; `value` is the score of a window, or the effect of a sentence on the logit."""

    start: int
    end: int
    value: float
    excerpt: str


@dataclass(frozen=True)
class ScoreTold:
    """The parts that moved a document's score, strongest first. If the model cannot be used, `fault` says why, and the rest is empty."""

    model: str
    fault: str | None = None
    windows: tuple[float, ...] = ()
    best: Span | None = None
    raised: tuple[Word, ...] = ()
    lowered: tuple[Word, ...] = ()
    raising: tuple[Span, ...] = ()
    lowering: tuple[Span, ...] = ()


def tell_score(rules: RunRules, signals: Mapping[str, Any], text: str | None, model: str | None) -> ScoreTold | None:
    """Explain the score of a document; None if it has none. `model` is the file that the caller gives."""
    score = signals.get(f"{_FILTER}.score")
    used = next((used for used in rules.models if used.filter == _FILTER), None)
    if score is None or text is None or used is None:
        return None
    name = model or used.model
    if model is None and not used.model.startswith(_SHIPPED):
        return ScoreTold(used.model, f"give its file with --model, SHA-256 {used.sha256}")
    from filters.support.models import load_model  # with telling, the kernels: a document without a score does without them
    from filters.support.telling import ScoredPassage, tell

    try:
        scorer, found = load_model(resolve(name))
    except InputError as error:
        return ScoreTold(used.model, str(error))
    if found != used.sha256:
        advice = "" if model is not None else ": another version of this program made the run; give its model with --model"
        return ScoreTold(used.model, f"{name} has the SHA-256 {found}, the run's has {used.sha256}{advice}")
    told = tell(scorer, text)
    encoded = text.encode()

    def span(passage: ScoredPassage) -> Span:
        words = encoded[passage.start : passage.end].decode("utf-8", "replace")
        return Span(passage.start, passage.end, passage.value, excerpt(words.strip()))

    return ScoreTold(
        model=used.model,
        windows=tuple(window.value for window in told.windows),
        best=span(told.best),
        raised=tuple(Word(moved.words, moved.windows, moved.effect) for moved in told.raised),
        lowered=tuple(Word(moved.words, moved.windows, moved.effect) for moved in told.lowered),
        raising=tuple(map(span, told.raising)),
        lowering=tuple(map(span, told.lowering)),
    )

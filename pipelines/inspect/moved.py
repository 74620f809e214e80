"""What moved a document's educational score: the words, sentences and windows, told by the model that the run used.

The run's `rules.json` says which model that was, by name and SHA-256. A model that the project ships is opened here; the file of any other
is named by whoever asks, never by the run folder, which may be a stranger's. A model with another SHA-256 is not asked: it would tell of
another score.
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
    """A word, a symbol or two neighbours: in how many windows it is, and what it does to the logit of a score of 3 or more."""

    words: str
    windows: int
    effect: float


@dataclass(frozen=True)
class Span:
    """Bytes of the text and how they begin; `value` is a window's score, or what a sentence does to the logit."""

    start: int
    end: int
    value: float
    excerpt: str


@dataclass(frozen=True)
class ScoreTold:
    """What moved a document's score, the strongest first; where the model cannot be asked, `fault` says why, and the rest is empty."""

    model: str
    fault: str | None = None
    windows: tuple[float, ...] = ()
    best: Span | None = None
    raised: tuple[Word, ...] = ()
    lowered: tuple[Word, ...] = ()
    raising: tuple[Span, ...] = ()
    lowering: tuple[Span, ...] = ()


def tell_score(rules: RunRules, signals: Mapping[str, Any], text: str | None, model: str | None) -> ScoreTold | None:
    """Tell what moved the score of a document; None where it has none. `model` is the file that the caller gives."""
    score = signals.get(f"{_FILTER}.score")
    used = next((used for used in rules.models if used.filter == _FILTER), None)
    if score is None or text is None or used is None:
        return None
    name = model or used.model
    if model is None and not used.model.startswith(_SHIPPED):
        return ScoreTold(used.model, f"give its file with --model, SHA-256 {used.sha256}")
    from filters.support.models import load_model  # with telling, the kernels: a document without a score does without them
    from filters.support.telling import Passage, tell

    try:
        scorer, found = load_model(resolve(name))
    except InputError as error:
        return ScoreTold(used.model, str(error))
    if found != used.sha256:
        advice = "" if model is not None else ": another version of this program made the run; give its model with --model"
        return ScoreTold(used.model, f"{name} has the SHA-256 {found}, the run's has {used.sha256}{advice}")
    told = tell(scorer, text)
    encoded = text.encode()

    def span(passage: Passage) -> Span:
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

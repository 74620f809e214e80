"""Flows: what a funnel is made of, as plain values. `pipelines.inspect.funnel` counts them; tables, card and report show them.

Tokens are an estimate, text bytes / BYTES_PER_TOKEN (English text in common tokenizers).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BYTES_PER_TOKEN = 4


@dataclass(frozen=True)
class Amount:
    """Some documents: how many, the bytes of their text (UTF-8), and the tokens that makes, estimated."""

    documents: int = 0
    text_bytes: int = 0
    tokens: int = 0


@dataclass(frozen=True)
class Step:
    """What one rule took out.

    share     of all documents of the flow
    remaining documents left after it
    failing   documents it holds for, whichever rule was first
    signal, threshold   what the recipe's rule compares, where it is a rule of the recipe
    """

    stage: str
    fate: str
    rule: str
    taken: Amount
    share: float
    remaining: int
    failing: int
    signal: str | None = None
    threshold: float | None = None


@dataclass(frozen=True)
class CutText:
    """What was left out of kept documents for being repeated: in how many documents, how many lines or paragraphs, bytes."""

    documents: int
    passages: int
    text_bytes: int


@dataclass(frozen=True)
class Flow:
    """Documents on their way through the rules: how many came, what each step took, what was kept."""

    came: Amount
    fates: Mapping[str, int]
    steps: Sequence[Step]
    kept: Amount
    kept_share: float


@dataclass(frozen=True)
class SourceFlow:
    """What came from one source."""

    source: str
    came: Amount
    fates: Mapping[str, int]
    kept: Amount
    kept_share: float
    rules: Mapping[str, int]


@dataclass(frozen=True)
class Comparisons:
    """What deduplication compared: documents that had a candidate, and pairs whose exact similarity was worked out.

    `skipped` are pairs of one bucket that were passed over, for enough kept documents of it had been compared with (the recipe's
    `compared`): what they might have shown is not known.
    """

    documents: int
    compared: int
    skipped: int


@dataclass(frozen=True)
class ComparedBy:
    """How the recipe's [deduplicate] was understood: the bands and rows are those in use, whichever way the recipe chose them."""

    shingles: str
    bands: int
    rows: int
    threshold: float


@dataclass(frozen=True)
class SourceLoss:
    """A source that lost more than the recipe's `alarm_share` of the documents that were compared."""

    source: str
    documents: int
    duplicates: int
    share: float
    alarm_share: float


@dataclass(frozen=True)
class DatasetSize:
    """What the dataset's manifest says it holds."""

    rows: int
    tokens: int
    bytes: int
    files: int


@dataclass(frozen=True)
class Funnel:
    """A run in numbers. `records` counts all that readers saw, `ignored` the kinds among them that are no documents.

    Text in `web` is that of whole documents; `cut` is what the dataset has less of it, None where the recipe has no [repeated_lines].
    `comparisons` are among documents from the web, `generated_comparisons` among generated rows and all that was kept before them.
    `unfinished` says how far a run came that has not ended: what is told is of what there is.
    `unknown_sources` are those that the recipe prefers and no record came from: misspelt, or missing from the input.
    """

    records: int
    ignored: Mapping[str, int]
    edits: Mapping[str, int]
    web: Flow
    sources: Sequence[SourceFlow]
    synthetic: Flow | None
    dataset: DatasetSize | None
    cut: CutText | None = None
    comparisons: Comparisons | None = None
    generated_comparisons: Comparisons | None = None
    alarms: Sequence[SourceLoss] = ()
    compared_by: ComparedBy | None = None
    unknown_sources: Sequence[str] = ()
    unfinished: str | None = None


@dataclass(frozen=True)
class Split:
    """Of some documents, those that pass the recipe's threshold now, and those that would pass another."""

    name: str
    of: Amount
    now: Amount
    then: Amount


def amount(documents: int, text_bytes: int) -> Amount:
    """Return an amount with its tokens estimated."""
    return Amount(documents, text_bytes, round(text_bytes / BYTES_PER_TOKEN))

"""The parts of a funnel, as plain values. `pipelines.inspect.funnel` counts them; tables, card and report show them.

The number of tokens is estimated as text bytes / BYTES_PER_TOKEN (English text in common tokenizers), rounded for each text and not for
sums, as the dataset's own `token_count` is: so the rows of a table add up to its total, and the total is the dataset's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
import polars as pl

from curation.arrays import Integers
from synth.task import AnswerVerdict

BYTES_PER_TOKEN = 4
_VERDICTS = get_args(AnswerVerdict)


@dataclass(frozen=True)
class Amount:
    """A number of documents, the bytes of their text (UTF-8), and their estimated number of tokens."""

    documents: int = 0
    text_bytes: int = 0
    tokens: int = 0


AMOUNT = ("documents", "text_bytes", "tokens")
"""The parts of an amount, and the columns of tables that hold them."""


@dataclass(frozen=True)
class Step:
    """The documents that one rule removed.

    share               their share of all documents of the flow
    remaining           documents left after this step
    failing             documents that fail the rule, including those that an earlier rule dropped
    signal, threshold   the two sides of the comparison, for a rule of the recipe
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
    """The repeated text that was cut from kept documents: the number of documents, of lines or paragraphs, and of bytes."""

    documents: int
    passages: int
    text_bytes: int


@dataclass(frozen=True)
class Flow:
    """The documents that came, the documents that each step removed, and the documents that were kept."""

    came: Amount
    fates: Mapping[str, int]
    steps: Sequence[Step]
    kept: Amount
    kept_share: float


@dataclass(frozen=True)
class SourceFlow:
    """The documents of one source."""

    source: str
    came: Amount
    fates: Mapping[str, int]
    kept: Amount
    kept_share: float
    rules: Mapping[str, int]


@dataclass(frozen=True)
class Comparisons:
    """The comparisons of deduplication: documents that had a candidate, and pairs whose exact similarity was computed.

    `skipped` counts pairs of one bucket that were not compared, because the document had already been compared with enough kept documents
    of that bucket (the recipe's `compared`). Their similarity is unknown.
    """

    documents: int
    compared: int
    skipped: int


@dataclass(frozen=True)
class ComparedBy:
    """The settings of [deduplicate] as the run used them: the bands and rows may have been derived from the recipe's threshold."""

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
    """The size of the dataset according to its manifest, and its generated rows by verdict."""

    rows: int
    tokens: int
    bytes: int
    files: int
    verdicts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Funnel:
    """A run in numbers. `records` counts all records that the readers read; `ignored` counts those that are not documents, by kind.

    The text in `web` is the text of whole documents; `cut` is the part of it that the dataset lacks (None without [repeated_lines]).
    `comparisons` are between documents from the web; `generated_comparisons` are between generated rows and everything kept before them.
    `spending` is what teachers cost, by task, teacher and outcome; `diversity` how different the rows of each task are.
    `sources` are those of the web's documents; of a run that read none, the tasks of its rows.
    `unfinished` says how far an unfinished run came: all other numbers then cover only the finished part.
    `unknown_sources` are sources that the recipe prefers although no record came from them: misspelt, or missing from the input.
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
    spending: Sequence[Mapping[str, Any]] = ()
    diversity: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def main(self) -> Flow:
        """The documents from the web, or the generated rows of a run that read no input."""
        return self.synthetic if self.is_generated and self.synthetic is not None else self.web

    @property
    def is_generated(self) -> bool:
        """Whether all rows of the run are generated: it read no input, and the web's flow is empty."""
        return self.synthetic is not None and not self.records


@dataclass(frozen=True)
class Split:
    """A group of documents (`of`): those that pass the recipe's threshold (`now`), and those that would pass another (`then`)."""

    name: str
    of: Amount
    now: Amount
    then: Amount


def verdicts_in(shards: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Add up the generated rows of a manifest's shards by verdict, the strongest first."""
    counts = [shard.get("verdicts", {}) for shard in shards]
    found = {verdict: sum(count.get(verdict, 0) for count in counts) for verdict in _VERDICTS}
    return {verdict: rows for verdict, rows in found.items() if rows}


def sum_of_amounts(amounts: Iterable[Amount]) -> Amount:
    """Add amounts up."""
    listed = list(amounts)
    return Amount(*(sum(getattr(each, part) for each in listed) for part in AMOUNT))


def estimated_tokens(text_bytes: pl.Expr) -> pl.Expr:
    """Return the estimated number of tokens of each text."""
    return (text_bytes / BYTES_PER_TOKEN).round().cast(pl.Int64)


def tokens_of_sizes(text_bytes: Integers) -> Integers:
    """Return the same for an array of sizes."""
    return np.rint(text_bytes / BYTES_PER_TOKEN).astype(np.int64)

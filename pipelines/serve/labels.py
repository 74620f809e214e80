"""Labels that a person gives on the page, in a Parquet file that `curate train score` reads.

The file is in the folder where the server was started, never in the run's folder, because the server never changes a run. It is rewritten
after every label, first under a temporary name. A new label of a document replaces the old one.

    text, score     the training data of a model; scores are 0 to 5
    source          the group that is held out together
    id, key, url    the document
    predicted       the run's educational score, if it has one

Invariant: a file of any other kind is refused, not overwritten.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import Refused, UsageError
from curation.storage.location import Location

LABELS = pa.schema(
    [
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("predicted", pa.float64()),
    ]
)
HIGHEST_LABEL = 5


@dataclass(frozen=True)
class ScoreAgreement:
    """Agreement of labels and the run's score: their number, the mean difference, the correlation, and how often both are 3 or more."""

    labels: int
    compared: int
    mean_difference: float | None
    correlation: float | None
    same_side: float | None


@dataclass
class LabelFile:
    """The labels given so far, by key."""

    place: Location
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def open(cls, place: Location) -> "LabelFile":
        """Read the existing labels. Raises Refused if the file has other content."""
        if place.facts() is None:
            return cls(place)
        try:
            table = pq.read_table(pa.BufferReader(place.read_bytes()))
        except pa.ArrowException as error:
            raise Refused(f"{place} is no file of labels ({error}); name another with --labels") from error
        if table.schema.names != LABELS.names:
            raise Refused(f"{place} has other columns than a file of labels; name another with --labels")
        return cls(place, {row["key"]: row for row in table.to_pylist()})

    def give(self, document: dict[str, Any], score: float) -> None:
        """Label a document. Raises UsageError for an impossible score."""
        if not 0 <= score <= HIGHEST_LABEL:
            raise UsageError(f"a score is from 0 to {HIGHEST_LABEL}")
        self.rows.pop(document["key"], None)
        self.rows[document["key"]] = {**{name: document.get(name) for name in LABELS.names}, "score": float(score)}
        self._write()

    def take_back(self) -> str | None:
        """Remove the latest label; return the key of its document."""
        if not self.rows:
            return None
        key, _ = self.rows.popitem()
        self._write()
        return key

    def agreement(self) -> ScoreAgreement:
        """Compare the labels with the run's score."""
        pairs = pl.DataFrame(
            [(row["score"], row["predicted"]) for row in self.rows.values() if row["predicted"] is not None],
            schema={"label": pl.Float64, "predicted": pl.Float64},
            orient="row",
        )
        if pairs.height == 0:
            return ScoreAgreement(len(self.rows), 0, None, None, None)
        label, predicted = pairs["label"].to_numpy(), pairs["predicted"].to_numpy()
        varied = len(label) > 2 and label.std() > 0 and predicted.std() > 0
        return ScoreAgreement(
            len(self.rows),
            pairs.height,
            float(np.abs(label - predicted).mean()),
            float(np.corrcoef(label, predicted)[0, 1]) if varied else None,
            float(((label >= 3) == (predicted >= 3)).mean()),
        )

    def _write(self) -> None:
        with self.place.writing() as path:
            pq.write_table(pa.Table.from_pylist(list(self.rows.values()), LABELS), path, compression="zstd")

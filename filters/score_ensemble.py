"""Combines several scores by their ranks: the bucket of each score in a corpus, and then the highest, mean or lowest bucket.

Source: Su et al. 2024, "Nemotron-CC": three scores are cut at every fifth percentile of the corpus, weighted by bytes, and a document
belongs to the highest of its three buckets; 18 and 19 are "high quality". `max` does the same (a document passes if any score is among the
best), `mean` is the mean of the ranks, and `min` requires all scores to be high.

The scores are signals that the recipe's earlier filters measured (`scores`, by their full names). The edges between buckets are measured
on a run over the same kind of texts: `curate buckets DIR --signal NAME --out edges.json`, for all documents or `--by-source`, so that
`min_bucket = 18` keeps the best tenth of the bytes of each source.

    bucket   0 to 19; null without any score or without edges
    buckets  the bucket of each score, in the order of `scores`, for the ledger
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa

from curation.arrays import JsonMapping, Table
from curation.choices import NonNegative
from curation.errors import InputError
from curation.storage.resources import digest
from curation.text.text import Text
from filters.contract import Filter, Rule, Signals, Threshold, below
from filters.support.buckets import ALL, bucket_of, read_edges


@dataclass(frozen=True)
class ScoreEnsemble(Filter):
    """Drops texts whose combined scores lie in a low bucket of the corpus.

    scores      signals of earlier filters, by their full names
    edges       the file that `curate buckets` wrote; without one nothing is measured
    combine     max (any score), mean (of the ranks) or min (all scores); a null score does not count
    min_bucket  lowest bucket that passes: with one score, 18 keeps about a tenth of the bytes
    """

    scores: tuple[str, ...] = ("educational_score.score",)
    edges: str = ""
    combine: Literal["max", "mean", "min"] = "max"
    min_bucket: Threshold[NonNegative] = 18.0

    signal_types: ClassVar[Mapping[str, pa.DataType]] = {"bucket": pa.float64(), "buckets": pa.string()}
    file_fields: ClassVar[frozenset[str]] = frozenset({"edges"})
    needs_files: ClassVar[bool] = True
    examples: ClassVar[tuple[tuple[str, str | None], ...]] = (("Without edges nothing is measured, and nothing is dropped.", None),)

    def reads(self) -> tuple[str, ...]:
        """Return the scores."""
        return self.scores

    def files(self) -> Mapping[str, str]:
        """Return the SHA-256 of the edges. Raises InputError if the file is missing or lacks a score."""
        if not self.edges:
            return {}
        edges = read_edges(self.edges)
        missing = [name for name in self.scores if name not in edges]
        if missing:
            raise InputError(f"{self.edges} has no edges of {missing[0]!r}; it has {', '.join(edges)}; measure them with `curate buckets`")
        return {"edges": digest(self.edges)}

    def signals(self, text: Text, documents: Table) -> Signals:
        """Find the bucket of each score."""
        count = len(text)
        if not self.edges or documents is None:
            return {"bucket": pa.nulls(count, pa.float64()), "buckets": pa.nulls(count, pa.string())}
        edges = read_edges(self.edges)
        sources = documents["source"].to_pylist()
        found = np.full((len(self.scores), count), np.nan)
        for place, name in enumerate(self.scores):
            if name in documents.column_names:
                values = documents[name].cast(pa.float64()).to_numpy()
                for source in set(sources):
                    inside = np.array([of == source for of in sources])
                    found[place, inside] = bucket_of(values[inside], edges[name].get(source, edges[name][ALL]))
        some = ~np.isnan(found).all(axis=0)
        combined = np.full(count, np.nan)
        ways: JsonMapping = {"max": np.nanmax, "mean": np.nanmean, "min": np.nanmin}
        combined[some] = ways[self.combine](found[:, some], axis=0)
        told = [" ".join("-" if np.isnan(bucket) else f"{bucket:.0f}" for bucket in column) for column in found.T]
        return {"bucket": pa.array(combined, mask=~some), "buckets": pa.array(told, pa.string(), mask=~some)}

    def rules(self) -> Mapping[str, Rule]:
        """Return the one rule."""
        return {"low_bucket": below("bucket", self.min_bucket, ("buckets",))}

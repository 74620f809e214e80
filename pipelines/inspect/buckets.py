"""Cut a corpus by its scores: the edges of twenty buckets with equal numbers of bytes, from the signals that a run measured.

A sample is enough. The documents' keys decide the sample, so the same run gives the same edges. Documents without the score do not count.
A source with fewer than LEAST documents in the sample gets no edges of its own; the edges of all documents apply to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from curation.errors import UsageError
from curation.storage.location import Location
from curation.storage.ownership import write_ours
from filters.support.buckets import ALL, SCORE_BUCKETS, bucket_edges, edges_to_json
from pipelines.inspect.looking import looks_at_runs
from pipelines.inspect.run_folder import checked_folder, places, scan_measured
from pipelines.inspect.views import full_name

LEAST = 200
"""Fewest documents for which a source gets its own edges."""
_DRAWN = 1 << 32


@dataclass(frozen=True)
class SignalEdges:
    """The edges of a signal for one source, or for all (`*`); `documents` of the sample that have it."""

    signal: str
    source: str
    documents: int
    edges: tuple[float, ...]


@looks_at_runs()
def find_edges(folder: str, signals: Sequence[str], *, by_source: bool, sample: float) -> list[SignalEdges]:
    """Return the edges of signals. Raises UsageError for a signal that the run has not, or that is measured nowhere in the sample."""
    if not 0 < sample <= 1:
        raise UsageError(f"--sample {sample:g}: give a share above 0, up to 1")
    found = places(checked_folder(folder))
    names = [full_name(signal, found)[0] for signal in signals]
    drawn = pl.col("key").bin.slice(0, 4).bin.reinterpret(dtype=pl.UInt32) < sample * _DRAWN
    rows = scan_measured(found, ["key", "source", "text_bytes"], names).filter(drawn).collect(engine="streaming").sort("key")
    told = []
    for name in names:
        scored = rows.filter(pl.col(name).cast(pl.Float64, strict=False).is_finite())  # what is no number becomes null
        if not scored.height:
            raise UsageError(f"{folder}: no document of the sample has {name}; take a larger --sample, or a signal that is a number")
        parts = {ALL: scored}
        if by_source:
            parts |= {str(source): part for (source,), part in sorted(scored.group_by("source")) if part.height >= LEAST}
        for source, part in parts.items():
            edges = bucket_edges(part[name].cast(pl.Float64).to_numpy(), np.maximum(part["text_bytes"].to_numpy(), 1).astype(np.float64))
            told.append(SignalEdges(name, source, part.height, tuple(edges.tolist())))
    return told


def write_bucket_edges(told: Sequence[SignalEdges], out: str) -> None:
    """Write the file that `score_ensemble` reads."""
    edges: dict[str, dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]] = {}
    for own in told:
        edges.setdefault(own.signal, {})[own.source] = np.array(own.edges)
    assert all(len(own.edges) == SCORE_BUCKETS - 1 for own in told)
    write_ours(Location.of(out), edges_to_json(edges))

"""Buckets of a score: twenty parts of a corpus with equal numbers of bytes each, from 0 (the lowest scores) to 19.

Scores of different models cannot be compared, but their ranks can. Su et al. 2024, "Nemotron-CC", cut every score at the
5th, 10th ... 95th percentile, weighted by the documents' bytes, and take the highest bucket that a document has.

A file of edges is JSON: for each signal the nineteen edges of all documents (under ALL) and of each source that has enough of its own.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from curation.arrays import Floats
from curation.errors import InputError
from curation.storage.ownership import MADE_BY
from curation.storage.resources import resolve_at_most

SCORE_BUCKETS = 20
ALL = "*"
"""The name under which a file has the edges of all sources together."""
EDGES_FORMAT = "buckets 1"
_LARGEST_BYTES = 1 << 24

Numbers = Floats
BucketEdges = Mapping[str, Mapping[str, Numbers]]
"""Signal -> source -> edges."""


def bucket_edges(values: Numbers, weights: Numbers) -> Numbers:
    """Return the edges that cut values into SCORE_BUCKETS parts of equal weight; a value at an edge belongs to the upper part."""
    order = np.argsort(values, kind="stable")
    before = np.cumsum(weights[order])
    places = np.searchsorted(before, before[-1] * np.arange(1, SCORE_BUCKETS) / SCORE_BUCKETS, side="right")
    edges: Numbers = values[order][np.minimum(places, len(values) - 1)]
    return edges


def bucket_of(values: Numbers, edges: Numbers) -> Numbers:
    """Return the bucket of each value; NaN stays NaN."""
    return np.where(np.isnan(values), np.nan, np.searchsorted(edges, values, side="right").astype(np.float64))


def edges_to_json(edges: BucketEdges) -> bytes:
    """Return the contents of a file of edges."""
    signals = {name: {source: own.tolist() for source, own in sorted(of.items())} for name, of in sorted(edges.items())}
    return (json.dumps({"format": EDGES_FORMAT, "made_by": MADE_BY, "signals": signals}, indent=1, ensure_ascii=False) + "\n").encode()


def read_edges(name: str) -> BucketEdges:
    """Read a file of edges. Raises InputError if it is not one."""
    path = resolve_at_most(name, _LARGEST_BYTES, "a file of edges")
    state = path.stat()
    return _read(name, path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=4)
def _read(name: str, path: Path, size: int, changed: int) -> BucketEdges:  # noqa: ARG001  (part of the cache's key)
    try:
        content = json.loads(path.read_bytes())
        edges = {signal: {source: np.array(own, np.float64) for source, own in of.items()} for signal, of in content["signals"].items()}
        known = content["format"] == EDGES_FORMAT and all(ALL in of for of in edges.values())
        whole = all(own.shape == (SCORE_BUCKETS - 1,) and (np.diff(own) >= 0).all() for of in edges.values() for own in of.values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{name} is not a file of edges ({error!r}); write one with `curate buckets`") from error
    if not known or not whole:
        raise InputError(
            f"{name} is not a file of edges: each signal has {SCORE_BUCKETS - 1} rising numbers under {ALL!r}; use `curate buckets`"
        )
    return edges

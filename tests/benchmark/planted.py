"""How well duplicates were removed, told by exact similarities: planted pairs that were left, and documents that nothing kept is like.

Similarity here is the Jaccard similarity of two documents' sets of word 5-grams, `\\w+` in lower case: plain Python, and nobody's kernel. A
document and the copies planted of it are a family (`corpus.py` says of what each is a copy); the pairs looked at are those of every family.

    left     both documents of a pair of similarity 0.8 or more were kept
    false    a document was removed though it has similarity 0.5 or more with no document, of the whole corpus, that was kept
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import xxhash
from signature_child import encoded_shingles_of

ALIKE, UNLIKE = 0.8, 0.5
_AT_ONCE = 500

Shingles = npt.NDArray[np.uint64]


class Quality(NamedTuple):
    """Documents kept and removed; planted pairs at ALIKE, and how many of them were left; documents removed falsely."""

    kept: int
    pairs: int
    left: int
    removed: int
    false: int


def families(truth: Path) -> dict[str, str]:
    """Return id -> id of the document it was copied of, for every planted copy."""
    return {copy["id"]: copy["of"] for copy in map(json.loads, truth.read_text("utf-8").splitlines())}


@dataclass(frozen=True, eq=False)
class Planted:
    """Documents, by id: the hashes of their distinct shingles, rising; and of what each is a copy."""

    shingles: dict[str, Shingles]
    copies: dict[str, str]

    @classmethod
    def of(cls, files: Iterable[Path], copies: dict[str, str]) -> "Planted":
        """Shingle the documents of Parquet files with columns `id` and `text`."""
        shingles = {}
        for path in files:
            for own_id, text in pl.read_parquet(path, columns=["id", "text"]).iter_rows():
                hashes = [xxhash.xxh3_64_intdigest(shingle) for shingle in encoded_shingles_of(text)]
                shingles[own_id] = np.sort(np.array(hashes, np.uint64))
        return cls(shingles, copies)

    @cached_property
    def pairs(self) -> dict[tuple[str, str], float]:
        """Every two documents of one family, and their similarity."""
        members: dict[str, list[str]] = {}
        for own_id in self.shingles:
            members.setdefault(self.copies.get(own_id, own_id), []).append(own_id)
        return {pair: self.similarity(*pair) for family in members.values() for pair in combinations(family, 2)}

    def similarity(self, one: str, other: str) -> float:
        """Return the exact Jaccard similarity of two documents."""
        left, right = self.shingles[one], self.shingles[other]
        both = len(np.intersect1d(left, right, assume_unique=True))
        return both / (len(left) + len(right) - both)

    def quality(self, kept: frozenset[str]) -> Quality:
        """Judge what was kept of these documents."""
        alike = [pair for pair, similarity in self.pairs.items() if similarity >= ALIKE]
        removed = [own_id for own_id in self.shingles if own_id not in kept]
        accounted = set()
        for one, other in (pair for pair, similarity in self.pairs.items() if similarity >= UNLIKE):
            accounted |= {one} if other in kept else set()
            accounted |= {other} if one in kept else set()
        others = [own_id for own_id in removed if own_id not in accounted]
        false = sum(similarity < UNLIKE for similarity in self._nearest(others, kept))
        return Quality(len(kept), len(alike), sum(one in kept and other in kept for one, other in alike), len(removed), false)

    def _nearest(self, wanted: Sequence[str], kept: frozenset[str]) -> list[float]:
        """Return the greatest similarity of each wanted document with any that was kept."""
        if not wanted:
            return []
        own = self._frame(wanted, "wanted")
        others = self._frame([own_id for own_id in self.shingles if own_id in kept], "kept").join(own, on="shingle", how="semi")
        nearest = [0.0] * len(wanted)
        for start in range(0, len(wanted), _AT_ONCE):
            some = own.filter(pl.col("wanted").is_between(start, start + _AT_ONCE - 1))
            both = some.join(others, on="shingle").group_by("wanted", "wanted_size", "kept", "kept_size").len("both")
            similarity = pl.col("both") / (pl.col("wanted_size") + pl.col("kept_size") - pl.col("both"))
            for row, found in both.group_by("wanted").agg(similarity.max()).iter_rows():
                nearest[row] = found
        return nearest

    def _frame(self, ids: Sequence[str], name: str) -> pl.DataFrame:
        """Return a row for every shingle of every document: its number, how many it has, and the shingle."""
        sizes = np.array([len(self.shingles[own_id]) for own_id in ids], np.int64)
        hashes = np.concatenate([self.shingles[own_id] for own_id in ids])
        return pl.DataFrame({name: np.repeat(np.arange(len(ids)), sizes), f"{name}_size": np.repeat(sizes, sizes), "shingle": hashes})

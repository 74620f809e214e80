"""MinHash signatures and their bands: find texts that may be near-duplicates without comparing all pairs.

For each of K permutations of the 32-bit numbers, a signature holds the least image of the text's shingles. Two signatures agree at a
position with a probability equal to the Jaccard similarity of the shingle sets (Broder 1997). A band is a group of consecutive rows of the
signature; texts that agree in a whole band share a bucket and become candidates (Indyk and Motwani 1998). At similarity s, with b bands of
r rows, the probability of that is 1 - (1 - s^r)^b: 0.77 at 0.75 and 0.988 at 0.85 for 14 bands of 8, FineWeb's setting.

The permutations are those of `datasketch.MinHash(scheme="affine32")`: MurmurHash3's finalizer, then a * h + b modulo 2^32 with odd a; a
and b come from the same generator and seed. So a signature equals datasketch's bit for bit for the same 32-bit shingle hashes, and
datasketch can query it, as `MinHash(hashvalues=signature, seed=seed, scheme="affine32")`. The kernel only adds speed: it applies each
permutation to eight shingles at a time.

Invariant: a signature depends only on the text's bytes and the settings.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from curation.arrays import Bytes, Hashes, Unsigned32
from curation.duplicates.shingles import (
    Alphabet,
    Working,
    alphabet,
    combine_units,
    hash_sequence,
    hash_units,
    shingle_units,
    spread,
    working_space,
)
from curation.text.column import Offsets
from curation.text.kernels import inline_kernel, kernel
from curation.text.text import Text

Signatures = Unsigned32
"""Shape (texts, bands * rows)."""

MOST_PERMUTATIONS = 1 << 14
"""The largest number of values in a signature; Lee et al. (2022) used 9,000."""

_LARGEST = np.uint32(0xFFFFFFFF)
_BAND_STEP = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class MinHashSettings:
    """How texts are shingled, hashed and banded. Raises ValueError for a setting that cannot work."""

    ngram: int = 5
    bands: int = 14
    rows: int = 8
    seed: int = 1
    unit: Literal["word", "character"] = "word"
    scheme: Literal["affine32"] = "affine32"

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        for name in ("ngram", "bands", "rows"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.permutations > MOST_PERMUTATIONS:
            raise ValueError(f"bands times rows must be at most {MOST_PERMUTATIONS:,}, not {self.permutations:,}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be from 0 to 2^32 - 1, not {self.seed}")
        if self.unit not in ("word", "character"):
            raise ValueError(f"unit must be word or character, not {self.unit!r}")
        if self.scheme != "affine32":
            raise ValueError(f"scheme must be affine32, not {self.scheme!r}")

    @property
    def characters(self) -> bool:
        """Whether shingles are n-grams of characters instead of words."""
        return self.unit == "character"

    @property
    def permutations(self) -> int:
        """Number of values in a signature."""
        return self.bands * self.rows

    def candidate_probability(self, similarity: float) -> float:
        """Return the probability that two texts with this Jaccard similarity share a bucket."""
        return float(1 - (1 - similarity**self.rows) ** self.bands)


PRESETS = {"14x8": MinHashSettings(), "20x13": MinHashSettings(bands=20, rows=13), "26x11": MinHashSettings(bands=26, rows=11)}
"""Bands and rows of FineWeb, NeMo Curator and Dolma 3: half of all pairs become candidates at similarity 0.68, 0.77 and 0.72."""


@lru_cache(maxsize=8)
def bands_for(threshold: float, permutations: int) -> tuple[int, int]:
    """Return the bands and rows, of at most `permutations` hashes, that datasketch considers best for a threshold.

    The best choice minimises the sum of false candidates below the threshold and missed pairs above it, for evenly spread similarities.
    """
    from datasketch.lsh import _optimal_param

    bands, rows = _optimal_param(threshold, permutations, 0.5, 0.5)
    return int(bands), int(rows)


@dataclass(frozen=True, eq=False)
class Signed:
    """Results of one pass over n texts: signatures (n, K) and text hashes (n, 2) as two 64-bit halves."""

    signatures: Signatures
    text_hashes: Hashes


@lru_cache(maxsize=8)
def _affine(settings: MinHashSettings) -> tuple[Unsigned32, Unsigned32]:
    """Return datasketch's multipliers (odd) and addends."""
    generator = np.random.RandomState(settings.seed)
    factors = generator.randint(0, 1 << 31, settings.permutations, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return factors, generator.randint(0, 1 << 32, settings.permutations, dtype=np.uint32)


def sign(text: Text, settings: MinHashSettings) -> Signed:
    """Return the signature and text hash of every text."""
    factors, terms = _affine(settings)
    signatures = np.empty((len(text), settings.permutations), np.uint32)
    text_hashes = np.empty((len(text), 2), np.uint64)
    units = shingle_units(text, settings.characters)
    working = working_space(), units, np.empty(len(units), np.uint64), np.empty(len(units) + 8, np.uint32)
    _sign_all(text.data, text.offsets, alphabet(), settings.ngram, settings.characters, factors, terms, *working, signatures, text_hashes)
    return Signed(signatures, text_hashes)


def signatures(text: Text, settings: MinHashSettings) -> Signatures:
    """Return the signature of every text."""
    return sign(text, settings).signatures


def bucket_hashes(signatures: Signatures, settings: MinHashSettings) -> Hashes:
    """Return the bucket of every text in every band, shape (bands, texts); buckets of different bands collide only by chance."""
    hashes = np.empty((settings.bands, len(signatures)), np.uint64)
    _hash_bands(np.ascontiguousarray(signatures), settings.rows, hashes)
    return hashes


@inline_kernel
def _premixed(value: np.uint32) -> np.uint32:
    """MurmurHash3's 32-bit finalizer."""
    value ^= value >> np.uint32(16)
    value = np.uint32(value * np.uint32(0x85EBCA6B))
    value ^= value >> np.uint32(13)
    value = np.uint32(value * np.uint32(0xC2B2AE35))
    return np.uint32(value ^ (value >> np.uint32(16)))


@kernel
def _sign_all(
    data: Bytes,
    bounds: Offsets,
    alphabet: Alphabet,
    ngram: int,
    characters: bool,
    factors: Unsigned32,
    terms: Unsigned32,
    space: Working,
    units: Hashes,
    shingles: Hashes,
    mixed: Unsigned32,
    signatures: Signatures,
    text_hashes: Hashes,
) -> None:
    for text in range(len(bounds) - 1):
        count = hash_units(data, bounds[text], bounds[text + 1], alphabet, characters, space, units)
        text_hashes[text, 0], text_hashes[text, 1] = hash_sequence(units, count)
        total = combine_units(units, count, ngram, shingles)
        for at in range(total):
            mixed[at] = _premixed(np.uint32(shingles[at] >> np.uint64(32)))
        while total % 8:  # repeating a hash changes no minimum
            mixed[total] = mixed[0]
            total += 1
        _take_minima(mixed, total, factors, terms, signatures[text])


@kernel
def _take_minima(mixed: Unsigned32, total: int, factors: Unsigned32, terms: Unsigned32, minima: Unsigned32) -> None:
    """Write the least image of the first `total` hashes under each permutation; `total` must be a multiple of 8."""
    for k in range(len(minima)):
        minima[k] = _LARGEST
    for at in range(0, total, 8):
        v0, v1, v2, v3 = mixed[at], mixed[at + 1], mixed[at + 2], mixed[at + 3]
        v4, v5, v6, v7 = mixed[at + 4], mixed[at + 5], mixed[at + 6], mixed[at + 7]
        for k in range(len(factors)):
            a, b = factors[k], terms[k]
            low = min(np.uint32(v0 * a + b), np.uint32(v1 * a + b), np.uint32(v2 * a + b), np.uint32(v3 * a + b))
            high = min(np.uint32(v4 * a + b), np.uint32(v5 * a + b), np.uint32(v6 * a + b), np.uint32(v7 * a + b))
            minima[k] = min(minima[k], low, high)


@kernel
def _hash_bands(signatures: Signatures, rows: int, hashes: Hashes) -> None:
    for text in range(len(signatures)):
        for band in range(len(hashes)):
            value = np.uint64(band + 1) * _BAND_STEP
            for row in range(band * rows, (band + 1) * rows):
                value = spread(value ^ np.uint64(signatures[text, row])) + _BAND_STEP
            hashes[band, text] = spread(value)

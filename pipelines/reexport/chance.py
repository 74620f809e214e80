"""Random numbers for whole columns: 64 bits that depend only on a document's key, a purpose and a seed.

Source: the finalizer of splitmix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014), applied to both halves
of the key, which is itself a hash.

`curation.duplicates.shingles.spread` is the same finalizer as a kernel; this one uses NumPy, so that an export need not compile it.

Invariant: the same key, purpose, seed and copy give the same number on any machine and in any version of this project.
"""

import hashlib

import numpy as np

from curation.arrays import Hashes

_STEPS = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))
_LAST = np.uint64(31)
_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def drawn(halves: Hashes, purpose: str, seed: int = 0, copy: int = 0) -> Hashes:
    """Return a number for each key; keys are pairs of 64-bit numbers (`curation.storage.record_keys.halves_of`)."""
    salt = int.from_bytes(hashlib.sha256(f"{purpose}\0{seed}".encode()).digest()[:8], "little")
    return _mixed(_mixed(halves[:, 0] ^ np.uint64(salt)) ^ halves[:, 1] ^ np.uint64((copy * _GOLDEN) & _MASK))


def _mixed(values: Hashes) -> Hashes:
    for shift, factor in _STEPS:
        values = (values ^ (values >> shift)) * factor
    return values ^ (values >> _LAST)

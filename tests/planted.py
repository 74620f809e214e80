"""Documents whose exact similarity is known, made from a seed: pairs at a wanted Jaccard similarity, and chains of neighbours.

A document of m words has m - 4 shingles of five words. One word replaced well inside it changes five of them, the last t words replaced
change t. So of n shingles any number D can be changed, and two documents that differ in D of them have the Jaccard similarity
(n - D) / (n + D). What the tests compare with is counted from the words all the same, in plain Python (`jaccard`).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

NGRAM = 5
_VOCABULARY = np.array([f"{first}{second}{place}" for first in "bdfgklmnprst" for second in "aeiou" for place in range(1000)])


class Pair(NamedTuple):
    """Two texts and the Jaccard similarity of the sets of their word 5-grams."""

    one: str
    other: str
    similarity: float


def shingle_set(text: str, ngram: int = NGRAM) -> set[tuple[str, ...]]:
    """Return the set of word n-grams of a text of ASCII words; of a shorter text, the one of all its words."""
    own = text.lower().split()
    return {tuple(own[place : place + ngram]) for place in range(max(1, len(own) - ngram + 1))}


def jaccard(one: str, other: str) -> float:
    """Return |A and B| / |A or B| of the shingle sets of two texts."""
    first, second = shingle_set(one), shingle_set(other)
    return len(first & second) / len(first | second)


def pairs(count: int, low: float, high: float, seed: int) -> Iterator[Pair]:
    """Yield so many pairs of 60 to 240 words whose similarity lies in [low, high]; pairs have nothing in common but by chance."""
    chance = np.random.default_rng([seed, round(1000 * low), round(1000 * high)])
    made = 0
    while made < count:
        shingles = int(chance.integers(56, 237))
        wanted = chance.uniform(low, high)
        changed = round(shingles * (1 - wanted) / (1 + wanted))
        own = chance.choice(_VOCABULARY, shingles + NGRAM - 1)
        pair = Pair(" ".join(own), (other := " ".join(_changed(own, changed, chance))), jaccard(" ".join(own), other))
        if low <= pair.similarity <= high:
            made += 1
            yield pair


def _changed(own: "np.ndarray", changed: int, chance: np.random.Generator) -> "np.ndarray":
    """Return the words with so many shingles changed: some by single words five apart, the rest by the words at the end."""
    singles = int(chance.integers(0, changed // NGRAM + 1))
    tail = changed - NGRAM * singles
    other = own.copy()
    inside = np.arange(NGRAM - 1, len(own) - tail - NGRAM + 1, NGRAM)
    places = [*chance.permutation(inside)[:singles], *range(len(own) - tail, len(own))]
    other[places] = chance.choice(_VOCABULARY, len(places))
    return other


def chain(count: int, similarity: float = 0.8, shingles: int = 144, salt: int = 0) -> list[str]:
    """Return texts each of which has `similarity` to the next and less to all others: windows that move over one row of words."""
    step = round(shingles * (1 - similarity) / (1 + similarity))
    words = [f"{salt:03d}v{number:07d}" for number in range(shingles + NGRAM - 1 + step * count)]
    return [" ".join(words[step * place :][: shingles + NGRAM - 1]) for place in range(count)]

"""Union-find: the connected components of a graph, independent of the order of its edges (Tarjan 1975).

Every document number points to a smaller number; a root points to itself. Joining two trees attaches the larger root to the smaller one, so
a component's root, its *label*, is its smallest number. Paths are halved as they are walked.

Invariants
    - Labels depend only on the set of edges: not on their order, direction or repetition, nor on how they are split into batches.
    - Memory: 8 bytes per number; `UnionFind.labels` works in place. `stars` takes 114 bytes per edge, however large the numbers are.
"""

from typing import NamedTuple

import numpy as np

from curation.arrays import Array, Flags, Hashes, Integers
from curation.text.kernels import inline_kernel, kernel


class Ties(NamedTuple):
    """Numbers that share a hash, connected to the first number with that hash."""

    order: Integers
    """Positions sorted by hash; equal hashes keep their given order."""
    starts: Integers
    """Where each hash begins in that order."""
    left: Integers
    """The first number of a hash, once for each other number."""
    right: Integers
    """The other numbers."""


def ties(hashes: Array, numbers: Integers) -> Ties:
    """Connect numbers of equal hashes to the first; m numbers of one hash give m - 1 edges. Numbers of equal hashes must ascend."""
    order = np.argsort(hashes, kind="stable")
    ordered, numbers = hashes[order], numbers[order]
    begins = np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)]
    starts = np.flatnonzero(begins)
    lengths = np.diff(np.append(starts, len(ordered)))
    return Ties(order, starts, np.repeat(numbers[starts], lengths - 1), numbers[~begins])


class Edges(NamedTuple):
    """Pairs of documents that may be duplicates, left < right, and whether both have the same text."""

    left: Integers
    right: Integers
    of_text: Flags

    def chosen(self, which: Flags) -> "Edges":
        """Return the selected edges."""
        return Edges(self.left[which], self.right[which], self.of_text[which])


class UnionFind:
    """Components over the numbers 0 to count - 1."""

    def __init__(self, count: int) -> None:
        """Begin with every member in a set of its own."""
        self.parents: Integers = np.arange(count, dtype=np.int64)

    def join(self, left: Integers, right: Integers) -> None:
        """Add the edges left[i] - right[i]. Raises IndexError for a number outside 0 to count - 1."""
        if len(left) != len(right):
            raise ValueError(f"{len(left)} left ends do not match {len(right)} right ends")
        if len(left):
            if min(left.min(), right.min()) < 0 or max(left.max(), right.max()) >= len(self.parents):
                raise IndexError(f"an edge names a document beyond the {len(self.parents)} that exist")
            _join(self.parents, left, right)

    def join_equal(self, hashes: Hashes, numbers: Integers) -> None:
        """Connect all numbers with equal hashes. Faster than `ties` if only the components are needed."""
        places = np.full(1 << (2 * max(1, len(hashes)) - 1).bit_length(), -1, np.int32 if len(hashes) < 1 << 31 else np.int64)
        _join_equal(self.parents, hashes, numbers, places)

    def labels(self) -> Integers:
        """Return the label of every number, in the structure's own memory; more edges may follow."""
        _flatten(self.parents)
        return self.parents

    def stars(self, follows: Flags) -> Edges:
        """Return an edge from each label to every other number of its component; it is `of_text` where the number `follows`."""
        labels = self.labels()
        others = np.flatnonzero(labels != np.arange(len(labels)))
        return Edges(labels[others], others, follows[others])


def stars(edges: Edges) -> Edges:
    """Return the fewest edges with the same components: from the first document of each component to every other, in ascending order.

    Such an edge is `of_text` if any edge to the same right end was, that is, if an earlier document has the same text.
    """
    numbers, places = np.unique(np.concatenate([edges.left, edges.right]), return_inverse=True)
    left, right = places[: len(edges.left)], places[len(edges.left) :]
    forest = UnionFind(len(numbers))
    forest.join(left, right)
    follows = np.zeros(len(numbers), np.bool_)
    follows[right[edges.of_text]] = True
    found = forest.stars(follows)
    return Edges(numbers[found.left], numbers[found.right], found.of_text)


@inline_kernel
def _root(parents: Integers, number: int) -> int:
    while parents[number] != number:
        parents[number] = parents[parents[number]]
        number = parents[number]
    return number


@kernel
def _join(parents: Integers, left: Integers, right: Integers) -> None:
    for edge in range(len(left)):
        one, other = _root(parents, left[edge]), _root(parents, right[edge])
        if one < other:
            parents[other] = one
        else:
            parents[one] = other


@kernel
def _join_equal(parents: Integers, hashes: Hashes, numbers: Integers, places: Array) -> None:
    """Connect each number to the first with its hash, by a table `places` whose size is a power of two, at least twice the hashes."""
    last = np.uint64(len(places) - 1)
    for place in range(len(hashes)):
        slot = hashes[place] & last
        while places[slot] >= 0 and hashes[places[slot]] != hashes[place]:
            slot = (slot + np.uint64(1)) & last
        if places[slot] < 0:
            places[slot] = place
            continue
        one, other = _root(parents, numbers[places[slot]]), _root(parents, numbers[place])
        parents[max(one, other)] = min(one, other)


@kernel
def _flatten(parents: Integers) -> None:
    for number in range(len(parents)):
        parents[number] = parents[parents[number]]

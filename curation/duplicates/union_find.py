"""Clusters: which documents hang together by edges, whatever the order in which the edges come (union-find; Tarjan 1975).

A forest over document numbers: every number points to a smaller one, a root to itself. Joining two trees hangs the larger root under the
smaller, so a component's root, its *label*, is its smallest number. Paths are halved as they are walked.

Invariants
    - Labels depend on the set of edges alone: not on their order, direction or repetition, nor on how they are cut into batches.
    - Memory: 8 bytes a number for the forest; `Forest.labels` makes them in place. `stars` takes 114 bytes an edge, whatever the numbers.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curation.text.kernels import inline_kernel, kernel

Numbers = npt.NDArray[np.int64]


class Ties(NamedTuple):
    """Numbers that share a hash, tied to the first that has it."""

    order: Numbers
    """Places sorted by hash, in the given order where hashes are equal."""
    starts: Numbers
    """Where in that order each hash begins."""
    left: Numbers
    """The first number of a hash, once for each of the others."""
    right: Numbers
    """The others."""


def ties(hashes: npt.NDArray[Any], numbers: Numbers) -> Ties:
    """Tie numbers of equal hashes to the first of them; m numbers of one hash give m - 1 edges. Of equal hashes, numbers must rise."""
    order = np.argsort(hashes, kind="stable")
    ordered, numbers = hashes[order], numbers[order]
    begins = np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)]
    starts = np.flatnonzero(begins)
    lengths = np.diff(np.append(starts, len(ordered)))
    return Ties(order, starts, np.repeat(numbers[starts], lengths - 1), numbers[~begins])


class Edges(NamedTuple):
    """Pairs of documents that may be duplicates, left < right, and whether the two have one text."""

    left: Numbers
    right: Numbers
    of_text: npt.NDArray[np.bool_]

    def chosen(self, which: npt.NDArray[np.bool_]) -> "Edges":
        """Return some of the edges."""
        return Edges(self.left[which], self.right[which], self.of_text[which])


class UnionFind:
    """Components over the numbers 0 to count - 1."""

    def __init__(self, count: int) -> None:
        """Begin with every member in a set of its own."""
        self.parents: Numbers = np.arange(count, dtype=np.int64)

    def join(self, left: Numbers, right: Numbers) -> None:
        """Add the edges left[i] - right[i]. Raises IndexError for a number that is none of the forest's."""
        if len(left) != len(right):
            raise ValueError(f"{len(left)} left ends, but {len(right)} right ends")
        if len(left):
            if min(left.min(), right.min()) < 0 or max(left.max(), right.max()) >= len(self.parents):
                raise IndexError(f"an edge names a document beyond the {len(self.parents)} there are")
            _join(self.parents, left, right)

    def join_equal(self, hashes: npt.NDArray[np.uint64], numbers: Numbers) -> None:
        """Add an edge between any two numbers of equal hashes. Where nothing but the components is wanted, it is quicker than `ties`."""
        places = np.full(1 << (2 * max(1, len(hashes)) - 1).bit_length(), -1, np.int32 if len(hashes) < 1 << 31 else np.int64)
        _join_equal(self.parents, hashes, numbers, places)

    def labels(self) -> Numbers:
        """Return the label of every number, in the forest's own memory; more edges may follow."""
        _flatten(self.parents)
        return self.parents

    def stars(self, follows: npt.NDArray[np.bool_]) -> Edges:
        """Return an edge from each label to every other number of its component; those are `of_text` where the number `follows`."""
        labels = self.labels()
        others = np.flatnonzero(labels != np.arange(len(labels)))
        return Edges(labels[others], others, follows[others])


def stars(edges: Edges) -> Edges:
    """Return the fewest edges by which the same documents hang together: from the first of each component to every other, which rise.

    Such an edge is `of_text` where any edge to the same right end was, that is, where a document before it has its text.
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
def _root(parents: Numbers, number: int) -> int:
    while parents[number] != number:
        parents[number] = parents[parents[number]]
        number = parents[number]
    return number


@kernel
def _join(parents: Numbers, left: Numbers, right: Numbers) -> None:
    for edge in range(len(left)):
        one, other = _root(parents, left[edge]), _root(parents, right[edge])
        if one < other:
            parents[other] = one
        else:
            parents[one] = other


@kernel
def _join_equal(parents: Numbers, hashes: npt.NDArray[np.uint64], numbers: Numbers, places: npt.NDArray[Any]) -> None:
    """Tie each number to the first of its hash, which is looked up in `places`: at least as many as twice the hashes, a power of two."""
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
def _flatten(parents: Numbers) -> None:
    for number in range(len(parents)):
        parents[number] = parents[parents[number]]

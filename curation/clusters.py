"""Components: which documents hang together by edges, whatever the order in which the edges come (union-find; Tarjan 1975).

A forest over document numbers: every number points to a smaller one, a root to itself. Joining two trees hangs the larger root under the
smaller, so a component's root, its *label*, is its smallest number. Paths are halved as they are walked.

Invariants
    - Labels depend on the set of edges alone: not on their order, direction or repetition, nor on how they are cut into batches.
    - Memory: 8 bytes a document for the forest; `Forest.labels` makes them in place.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curation.jit import inline_kernel, kernel

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


class Forest:
    """Components over the numbers 0 to count - 1."""

    def __init__(self, count: int) -> None:
        self.parents: Numbers = np.arange(count, dtype=np.int64)

    def join(self, left: Numbers, right: Numbers) -> None:
        """Add the edges left[i] - right[i]. Raises IndexError for a number that is none of the forest's."""
        if len(left) != len(right):
            raise ValueError(f"{len(left)} left ends, but {len(right)} right ends")
        if len(left):
            if min(left.min(), right.min()) < 0 or max(left.max(), right.max()) >= len(self.parents):
                raise IndexError(f"an edge names a document beyond the {len(self.parents)} there are")
            _join(self.parents, left, right)

    def labels(self) -> Numbers:
        """Return the label of every number, in the forest's own memory; more edges may follow."""
        _flatten(self.parents)
        return self.parents


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
def _flatten(parents: Numbers) -> None:
    for number in range(len(parents)):
        parents[number] = parents[parents[number]]

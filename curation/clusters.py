"""Components: which documents hang together by edges, whatever the order in which the edges come (union-find; Tarjan 1975).

A forest over document numbers: every number points to a smaller one, a root to itself. Joining two trees hangs the larger root under the
smaller, so a component's root, its *label*, is its smallest number. Paths are halved as they are walked.

Invariants
    - Labels depend on the set of edges alone: not on their order, direction or repetition, nor on how they are cut into batches.
    - Memory: 8 bytes a document for the forest; `Forest.labels` makes them in place.
"""

import numpy as np
import numpy.typing as npt

from curation.jit import inline_kernel, kernel

Numbers = npt.NDArray[np.int64]


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

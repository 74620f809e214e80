"""Boosted trees as a list of tests, and the kernel that scores blocks by it.

A walk down a tree waits for memory at each step. Here no tree is walked. Each inner node is a test "feature > threshold", and a test that
is true rules out the leaves at the left of its node. Bits say which leaves of a tree are left; after all tests, the lowest bit is the leaf
that a walk would have reached. The tests of a feature are in ascending order, so the first that no block passes ends them, and a test is
made for `LANES` blocks at once, which the processor does in a few instructions.

Source: Lucchese et al., "QuickScorer: A Fast Algorithm to Rank Documents with Additive Ensembles of Regression Trees" (SIGIR 2015), and
"Exploiting CPU SIMD Extensions to Speed-up Document Scoring with Tree Ensembles" (SIGIR 2016).

Invariants
    - A tree has at most `MOST_LEAVES` leaves.
    - `weights.npz` beside this file is data, read without pickle. Scoring needs only numba, and its sums are in a fixed order.
"""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from curation.text.kernels import kernel
from curation.text.simd import LANES, lowest_bit, mask_where_above

MOST_LEAVES = 32
_ALL = np.uint32(0xFFFFFFFF)
WEIGHTS = Path(__file__).with_name("weights.npz")


class Trees(NamedTuple):
    """A sum of trees: each test by its feature, threshold, tree, and the leaves that it leaves over (bits), in ascending order of feature
    and threshold; and the value of each leaf, a row a tree."""

    feature: Any
    threshold: Any
    tree: Any
    left: Any
    value: Any


@cache
def loaded(path: Path = WEIGHTS) -> dict[str, Trees]:
    """Return the models of a file of weights, by name."""
    with np.load(path, allow_pickle=False) as file:
        names = sorted({name.partition(".")[0] for name in file.files})
        return {name: Trees(*(file[f"{name}.{part}"] for part in Trees._fields)) for name in names}


def save(models: dict[str, Trees], path: Path) -> None:
    """Write a file of weights; the same models give the same bytes."""
    np.savez_compressed(path, **{f"{name}.{part}": array for name, trees in models.items() for part, array in trees._asdict().items()})


def probabilities(trees: Trees, rows: Any) -> Any:
    """Return the probability of each row."""
    return 1 / (1 + np.exp(-sums(trees, rows)))


def sums(trees: Trees, rows: Any) -> Any:
    """Return the sum of the trees for each row."""
    total = np.zeros(len(rows))
    width = rows.shape[1]
    places, columns = np.empty(len(trees.value) * LANES, np.uint32), np.empty(width * LANES, np.float32)
    _add_trees(rows, *trees, places, columns, np.empty(width, np.float32), total)
    return total


@kernel
def _add_trees(
    rows: Any, feature: Any, threshold: Any, tree: Any, left: Any, value: Any, places: Any, columns: Any, most: Any, total: Any
) -> None:
    """Add the values of all trees. `places` has room for leaves, `columns` for features, `most` for the maxima of features."""
    tests = len(feature)
    for first in range(0, len(rows), LANES):
        lanes = min(LANES, len(rows) - first)
        places[:] = _ALL
        for column in range(len(most)):
            most[column] = rows[first, column]
        for lane in range(LANES):
            row = rows[first + min(lane, lanes - 1)]
            for column in range(len(row)):
                most[column] = max(most[column], row[column])
                columns[column * LANES + lane] = row[column]
        k = 0
        while k < tests:
            own = feature[k]
            while k < tests and feature[k] == own and most[own] > threshold[k]:
                mask_where_above(places, tree[k] * LANES, columns, own * LANES, threshold[k], left[k])
                k += 1
            while k < tests and feature[k] == own:
                k += 1
        for t in range(len(value)):
            for lane in range(lanes):
                total[first + lane] += value[t, lowest_bit(np.uint64(places[t * LANES + lane]))]

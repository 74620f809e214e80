"""Boosted trees as flat arrays, and the kernel that walks them.

A node has a feature, a threshold and two children. A leaf is its own child, so every walk of a tree takes as many steps as the tree is
deep, and no step depends on data. Eight blocks walk a tree together, which hides the latency of memory.

Source: the layout is that of QuickScorer's predecessors, see Lucchese et al., "QuickScorer" (SIGIR 2015), section 2.

Invariant: `weights.npz` beside this file is data, read without pickle. Scoring needs only numba, and its sums are in a fixed order.
"""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from curation.text.kernels import kernel

_AT_ONCE = 64
WEIGHTS = Path(__file__).with_name("weights.npz")


class Trees(NamedTuple):
    """A sum of trees: all nodes in one array, and the first node and the depth of each tree."""

    feature: Any
    threshold: Any
    child: Any
    value: Any
    roots: Any
    depths: Any


@cache
def loaded(path: Path = WEIGHTS) -> dict[str, Trees]:
    """Return the models of a file of weights, by name."""
    with np.load(path, allow_pickle=False) as file:
        names = sorted({name.partition(".")[0] for name in file.files})
        return {name: Trees(*(_unpacked(file[f"{name}.{part}"]) for part in Trees._fields)) for name in names}


def save(models: dict[str, Trees], path: Path) -> None:
    """Write a file of weights; the same models give the same bytes."""
    packed = {}
    for name, trees in models.items():
        for part, array in trees._asdict().items():
            wide = array.dtype.kind == "i" and np.abs(array).max(initial=0) > np.iinfo(np.int16).max
            packed[f"{name}.{part}"] = array if wide else array.astype(np.int16) if array.dtype.kind == "i" else array.astype(np.float32)
    np.savez_compressed(path, **packed)


def _unpacked(array: Any) -> Any:
    return array.astype(np.int32) if array.dtype.kind == "i" else array.astype(np.float32)


def probabilities(trees: Trees, rows: Any) -> Any:
    """Return the probability of each row."""
    return 1 / (1 + np.exp(-sums(trees, rows)))


def sums(trees: Trees, rows: Any) -> Any:
    """Return the sum of the trees for each row."""
    total = np.zeros(len(rows))
    _add_trees(rows, *trees, total)
    return total


@kernel
def _add_trees(rows: Any, feature: Any, threshold: Any, child: Any, value: Any, roots: Any, depths: Any, total: Any) -> None:
    count = len(rows)
    for first in range(0, count, _AT_ONCE):  # so many rows stay near the processor while all trees walk them
        last = min(count, first + _AT_ONCE)
        for tree in range(len(roots)):
            root, depth = roots[tree], depths[tree]
            k = first
            while k + 8 <= last:
                a = b = c = d = e = f = g = h = root
                for _ in range(depth):
                    a = child[2 * a + np.int32(rows[k, feature[a]] > threshold[a])]
                    b = child[2 * b + np.int32(rows[k + 1, feature[b]] > threshold[b])]
                    c = child[2 * c + np.int32(rows[k + 2, feature[c]] > threshold[c])]
                    d = child[2 * d + np.int32(rows[k + 3, feature[d]] > threshold[d])]
                    e = child[2 * e + np.int32(rows[k + 4, feature[e]] > threshold[e])]
                    f = child[2 * f + np.int32(rows[k + 5, feature[f]] > threshold[f])]
                    g = child[2 * g + np.int32(rows[k + 6, feature[g]] > threshold[g])]
                    h = child[2 * h + np.int32(rows[k + 7, feature[h]] > threshold[h])]
                total[k] += value[a]
                total[k + 1] += value[b]
                total[k + 2] += value[c]
                total[k + 3] += value[d]
                total[k + 4] += value[e]
                total[k + 5] += value[f]
                total[k + 6] += value[g]
                total[k + 7] += value[h]
                k += 8
            while k < last:
                a = root
                for _ in range(depth):
                    a = child[2 * a + np.int32(rows[k, feature[a]] > threshold[a])]
                total[k] += value[a]
                k += 1

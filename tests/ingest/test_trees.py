"""Boosted trees as lists of tests, against a twin that walks each tree; and their file."""

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.ingest.extraction.page_blocks.trees import MOST_LEAVES, loaded, probabilities, save, sums
from pipelines.train.extractor.fitting import flattened
from tests.meeting import meets, met

WIDTH = 5
VALUES = [-1.5, 0.0, 0.25, 1.0, 7.0]


def made(chance: random.Random, leaves: int) -> dict[str, Any]:
    """Return a tree of so many leaves."""
    if leaves == 1:
        return {"leaf_value": chance.choice((-2.0, -0.5, 0.25, 1.0))}
    left = chance.randint(1, leaves - 1)
    below = {"left_child": made(chance, left), "right_child": made(chance, leaves - left)}
    return {"split_feature": chance.randrange(WIDTH), "threshold": chance.choice(VALUES), **below}


class Given:
    """A model, as LightGBM tells of it."""

    def __init__(self, trees: list[Any]) -> None:
        self.trees = trees

    def dump_model(self) -> dict[str, Any]:
        return {"tree_info": [{"tree_structure": tree} for tree in self.trees]}


def walked(tree: Any, row: Any) -> float:
    while "split_feature" in tree:
        tree = tree["right_child" if row[tree["split_feature"]] > tree["threshold"] else "left_child"]
    return float(tree["leaf_value"])


@meets(large=20, many_rows=15)
@given(st.integers(0, 1 << 30))
def test_a_score_is_the_sum_of_the_leaves_that_walks_reach(seed):
    chance = random.Random(seed)
    leaves = [chance.randint(1, MOST_LEAVES) for _ in range(chance.randint(1, 5))]
    trees = [made(chance, count) for count in leaves]
    rows = np.array([chance.choices(VALUES, k=WIDTH) for _ in range(chance.choice((0, 1, 31, 32, 33, 70)))], np.float32).reshape(-1, WIDTH)
    scored = sums(flattened(Given(trees)), rows)
    assert scored.tolist() == [sum(walked(tree, row) for tree in trees) for row in rows.astype(float)]
    met["large"] += max(leaves) > 20
    met["many_rows"] += len(rows) > 32


def test_a_tree_of_all_leaves_is_scored():
    tree: dict[str, Any] = {"leaf_value": float(MOST_LEAVES)}
    for k in range(MOST_LEAVES - 1, 0, -1):
        tree = {"split_feature": 0, "threshold": float(k), "left_child": {"leaf_value": float(k)}, "right_child": tree}
    rows = np.arange(1, MOST_LEAVES + 1, dtype=np.float32)[:, None]
    assert sums(flattened(Given([tree])), rows).tolist() == rows[:, 0].tolist()


def test_the_same_trees_are_the_same_file(tmp_path):
    trees = flattened(
        Given([{"split_feature": 1, "threshold": 0.5, "left_child": {"leaf_value": -1.0}, "right_child": {"leaf_value": 2.0}}])
    )
    rows = np.array([[9, 0.5], [9, 0.6], [9, 0.4], [0, 2], [0, 0]], np.float32)
    for path in (tmp_path / "a.npz", tmp_path / "b.npz"):
        save({"first": trees, "second": trees}, path)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    again = loaded(tmp_path / "a.npz")["second"]
    assert sums(again, rows).tolist() == [-1, 2, -1, 2, -1]
    assert probabilities(again, rows)[0] == pytest.approx(1 / (1 + np.e))

"""Components against a plain twin, whatever the order, direction and batches of the edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.duplicates.union_find import UnionFind
from tests.meeting import meets, met

EDGES = st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=60)


def plain_labels(count, edges):
    """Label every number with the smallest it can walk to."""
    neighbours = {number: {number} for number in range(count)}
    for left, right in edges:
        neighbours[left].add(right)
        neighbours[right].add(left)
    labels = [None] * count
    for number in range(count):
        if labels[number] is None:
            waiting = [number]
            while waiting:
                reached = waiting.pop()
                if labels[reached] is None:
                    labels[reached] = number
                    waiting += neighbours[reached]
    return labels


def join(forest, edges):
    ends = np.array(edges, np.int64).reshape(-1, 2)
    forest.join(ends[:, 0].copy(), ends[:, 1].copy())


@meets(joined=200)
@given(EDGES)
def test_labels_are_the_smallest_reachable_numbers(edges):
    forest = UnionFind(30)
    join(forest, edges)
    assert forest.labels().tolist() == plain_labels(30, edges)
    met["joined"] += int((forest.labels() != np.arange(30)).sum())


@meets(joined=200)
@given(EDGES, st.randoms(use_true_random=False), st.integers(0, 60))
def test_order_direction_repetition_and_batches_do_not_matter(edges, random, cut):
    forest = UnionFind(30)
    join(forest, edges)
    shuffled = [(right, left) if random.random() < 0.5 else (left, right) for left, right in edges + edges[:5]]
    random.shuffle(shuffled)
    other = UnionFind(30)
    join(other, shuffled[:cut])
    other.labels()
    join(other, shuffled[cut:])
    assert other.labels().tolist() == forest.labels().tolist()
    met["joined"] += int((forest.labels() != np.arange(30)).sum())


@meets(joined=40)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 29)), max_size=40), EDGES)
def test_numbers_of_equal_hashes_are_joined(named, edges):
    """Small hashes meet in the same slots, as 17 and 1 do among 16."""
    forest, other = UnionFind(30), UnionFind(30)
    join(forest, edges)
    hashes = np.array([16 * value + 1 for value, _ in named], np.uint64)
    before = forest.labels().copy()
    forest.join_equal(hashes, np.array([number for _, number in named], np.int64))
    join(other, edges + [(one, two) for place, (h, one) in enumerate(named) for g, two in named[place:] if h == g])
    assert forest.labels().tolist() == other.labels().tolist()
    met["joined"] += int((forest.labels() != before).sum())


def test_a_long_chain_is_one_component():
    count = 200_000
    numbers = np.arange(count - 1)
    forest = UnionFind(count)
    forest.join(numbers[::-1].copy(), numbers[::-1] + 1)
    assert not forest.labels().any()


def test_an_edge_beyond_the_forest_is_refused():
    with pytest.raises(IndexError, match="beyond the 3"):
        join(UnionFind(3), [(0, 3)])

"""The alignment that tells which words of a block are wanted: as good as the best that trying everything finds, and by real matches."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.train.extractor.alignment import matched
from tests.meeting import meets, met

TEXTS = st.lists(st.sampled_from("abcx"), max_size=8)
BEGINS = 0.15


def best_score(given: list[str], wanted: list[str], chosen: list[bool] | None = None) -> float:
    """The greatest sum over alignments: 0.15 for the first word of a run in both, 1 for a further one; with `chosen`, of just these."""

    @cache
    def best(i: int, j: int, in_run: bool) -> float:
        if i == len(given) or j == len(wanted):
            return float("-inf") if chosen is not None and any(chosen[i:]) else 0.0
        ways = [best(i, j + 1, False)]
        if chosen is None or not chosen[i]:
            ways.append(best(i + 1, j, False))
        if given[i] == wanted[j] and (chosen is None or chosen[i]):
            ways.append((1 if in_run else BEGINS) + best(i + 1, j + 1, True))
        return max(ways)

    return best(0, 0, False)


@meets(runs=10, gaps=15, foreign=13)
@given(TEXTS, st.lists(st.sampled_from("abc"), min_size=1, max_size=8))
def test_no_alignment_is_better(words: list[str], wanted: list[str]) -> None:
    found = matched(words, " ".join(wanted), 10_000)  # every word is a block, so each share is 0 or 1
    assert found is not None
    shares, counts, total = found
    assert (counts.tolist(), total) == ([1] * len(words), len(wanted))
    assert set(shares.tolist()) <= {0.0, 1.0}
    chosen = [bool(share) for share in shares]
    assert best_score(words, wanted, chosen) == pytest.approx(best_score(words, wanted), abs=1e-4)
    met["runs"] += any(one and two for one, two in pairwise(chosen))
    met["gaps"] += any(chosen) and not all(chosen)
    met["foreign"] += "x" in words


def test_shares_are_of_each_text_s_words() -> None:
    found = matched(["Home, News", "", "The tide RISES and falls", "tide"], "the tide rises and falls", 10_000)
    assert found is not None
    shares, counts, total = found
    assert shares.tolist() == [0, 0, 1, 0]
    assert (counts.tolist(), total) == ([2, 0, 5, 1], 5)


@pytest.mark.parametrize(("cells", "fits"), [(6, True), (5, False)])
def test_a_table_that_is_too_large_is_not_made(cells: int, fits: bool) -> None:
    found = matched(["a b", "c"], "a c", cells)
    assert (found is not None) == fits
    assert found is None or np.array_equal(found[0], [0.5, 1.0])
    assert matched(["a"], "", 10) is None

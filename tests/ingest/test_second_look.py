"""What the second model sees of a block's neighbours, against a twin that looks at every block anew for every block."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.ingest.extraction.page_blocks.block_text import OWNER, WORDS
from curation.ingest.extraction.page_blocks.elements import PARENT
from curation.ingest.extraction.page_blocks.reading import read_page
from curation.ingest.extraction.page_blocks.second_look import SECOND_LOOK_NAMES, context
from tests.meeting import meets, met

WORD = "tide "


def cut_of(lengths: list[int], boxed: int) -> Any:
    """A page of paragraphs; the first few stand in a box of their own."""
    parts = [f"<p>{WORD * length}" for length in lengths]
    reading = read_page(f"<body><div><div class=box>{''.join(parts[:boxed])}</div>{''.join(parts[boxed:])}</div>")
    assert reading is not None
    return reading.cut


def under(page: Any, block: int) -> set[int]:
    """All elements that a block lies in, its own too."""
    at, found = int(page.blocks[block, OWNER]), set()
    while at not in found:
        found.add(at)
        at = int(page.elements[at, PARENT])
    return found


def twin(page: Any, first: list[float]) -> list[dict[str, float]]:
    count = len(first)
    weights = [1.0 + page.blocks[k, WORDS] for k in range(count)]

    def mean(chosen: list[int]) -> float:
        return sum(first[k] * weights[k] for k in chosen) / sum(weights[k] for k in chosen)

    def at(k: int) -> float:
        return first[k] if 0 <= k < count else -1

    likely = [k for k in range(count) if first[k] > 0.7 and page.blocks[k, WORDS] > 8]
    whole = sum(p * w for p, w in zip(first, weights, strict=True))
    rows = []
    for k in range(count):
        parent = int(page.elements[page.blocks[k, OWNER], PARENT])
        rows.append(
            {
                "first": first[k],
                "before": at(k - 1),
                "after": at(k + 1),
                "second_before": at(k - 2),
                "second_after": at(k + 2),
                "near": mean([j for j in range(count) if abs(j - k) <= 3]),
                "wide": mean([j for j in range(count) if abs(j - k) <= 8]),
                "parent": mean([j for j in range(count) if parent in under(page, j)]),
                "since_likely": min([99, *(k - j for j in likely if j < k)]),
                "until_likely": min([99, *(j - k for j in likely if j > k)]),
                "page_share": whole / sum(weights),
                "share_behind": sum(first[j] * weights[j] for j in range(k + 1)) / whole,
                "likely_words": sum(first[j] * weights[j] for j in range(count) if page.blocks[j, WORDS] > 25),
                "short_share": sum(first[j] * weights[j] for j in range(count) if page.blocks[j, WORDS] <= 25) / whole,
                "likelier_share": sum(weights[j] for j in range(count) if (-first[j], j) < (-first[k], k)) / sum(weights),
                "highest": max(first),
            }
        )
    return rows


@meets(beyond_the_window=16, likely_neighbours=40, boxed=16, long_and_short=20)
@given(st.data(), st.lists(st.sampled_from([1, 8, 9, 25, 26, 40]), min_size=2, max_size=24))
def test_the_neighbours_are_those_of_the_twin(data: Any, lengths: list[int]) -> None:
    boxed = data.draw(st.integers(0, len(lengths)))
    page = cut_of(lengths, boxed)
    assert page.blocks[:, WORDS].tolist() == lengths
    first = [data.draw(st.integers(1, 99)) / 100 for _ in lengths]
    seen = context(page, np.array(first))
    expected = twin(page, first)
    for k, row in enumerate(expected):
        found = {name: float(seen[k, SECOND_LOOK_NAMES.index(name)]) for name in row}
        assert found == pytest.approx(row, rel=1e-4, abs=1e-4), k
    met["beyond_the_window"] += len(lengths) > 9
    met["likely_neighbours"] += sum(row["since_likely"] < 99 for row in expected)
    met["boxed"] += 0 < boxed < len(lengths)
    met["long_and_short"] += min(lengths) <= 25 < max(lengths)

"""What the second model sees in addition to the features: the first model's probabilities of the surrounding blocks.

A comment looks like a paragraph until all blocks around it turn out to be comments; a caption looks like a menu entry until it is between
two paragraphs. Probabilities are weighted by words.

Invariant: as for the features, time is linear in blocks and elements, except for two sorts.
"""

from typing import Any

import numpy as np

from curation.ingest.extraction.page_blocks.block_text import OWNER, WORDS
from curation.ingest.extraction.page_blocks.cutting import Cut
from curation.ingest.extraction.page_blocks.elements import PARENT, TABLE
from curation.ingest.extraction.page_blocks.features import way_between
from curation.ingest.extraction.page_blocks.vocabulary import words_of
from curation.text.kernels import kernel

SECOND_LOOK_NAMES = words_of(
    "first before after second_before second_after near wide parent grandparent fourth path table in_best since_likely "
    "until_likely page_share share_behind likely_words short_share parent_share grandparent_share likelier_share way_before "
    "way_after best best_share highest"
)
"""Names of the columns."""

N_CONTEXT = len(SECOND_LOOK_NAMES)


def context(page: Cut, first: Any) -> Any:
    """Return one row a block with the first model's probabilities of the surrounding blocks."""
    made = len(page.elements)
    seen = np.zeros((len(first), N_CONTEXT), np.float32)
    own_paths = page.paths[page.blocks[:, OWNER]]
    by_path, likeliest_first = np.argsort(own_paths, kind="stable"), np.argsort(-first, kind="stable")
    likely, weights, inside, sums = np.zeros(made), np.zeros(made), np.zeros(made, np.bool_), np.zeros((len(first) + 1, 2))
    _fill_context(first, page.blocks, page.elements, own_paths, by_path, likeliest_first, likely, weights, inside, sums, seen)
    return seen


@kernel
def _fill_context(
    first: Any, blocks: Any, elements: Any, own_paths: Any, by_path: Any, likeliest_first: Any, likely: Any, weights: Any, inside: Any,
    sums: Any, seen: Any
) -> None:  # fmt: skip
    """Fill `seen`; `likely`, `weights` and `inside` have a zero for each element, `sums` for each block and one more."""
    count = len(first)
    long, short, highest = 0.0, 0.0, 0.0
    for k in range(count):
        owner, weight = blocks[k, OWNER], 1.0 + blocks[k, WORDS]
        likely[owner] += first[k] * weight
        weights[owner] += weight
        sums[k + 1, 0] = sums[k, 0] + first[k] * weight
        sums[k + 1, 1] = sums[k, 1] + weight
        highest = max(highest, first[k])
        if blocks[k, WORDS] > 25:
            long += first[k] * weight
        else:
            short += first[k] * weight
    total = sums[count, 0] + 1e-6
    for e in range(len(elements) - 1, 0, -1):
        likely[elements[e, PARENT]] += likely[e]
        weights[elements[e, PARENT]] += weights[e]
    best, most = 0, -1.0
    for e in range(len(elements)):  # the element with the largest margin of likely words over the others
        margin = likely[e] - 0.6 * (weights[e] - likely[e])
        if margin > most:
            best, most = e, margin
    inside[best] = True
    for e in range(1, len(elements)):
        inside[e] = inside[e] or inside[elements[e, PARENT]]
    k = 0
    while k < count:
        behind, of_path, weight = k, 0.0, 0.0
        while behind < count and own_paths[by_path[behind]] == own_paths[by_path[k]]:
            of_path += first[by_path[behind]] * (1.0 + blocks[by_path[behind], WORDS])
            weight += 1.0 + blocks[by_path[behind], WORDS]
            behind += 1
        for place in range(k, behind):
            seen[by_path[place], 10] = of_path / weight
        k = behind
    likelier = 0.0
    for k in likeliest_first:
        seen[k, 21] = likelier / sums[count, 1]
        likelier += 1.0 + blocks[k, WORDS]
    last = -1
    for k in range(count):
        row, owner = seen[k], blocks[k, OWNER]
        row[0] = first[k]
        row[1], row[3] = first[k - 1] if k > 0 else -1, first[k - 2] if k > 1 else -1
        row[2], row[4] = first[k + 1] if k + 1 < count else -1, first[k + 2] if k + 2 < count else -1
        for z in range(2):
            low, high = max(0, k - (3, 8)[z]), min(count, k + (4, 9)[z])
            row[5 + z] = (sums[high, 0] - sums[low, 0]) / (sums[high, 1] - sums[low, 1])
        parent = elements[owner, PARENT]
        grandparent = elements[parent, PARENT]
        fourth = elements[elements[grandparent, PARENT], PARENT]
        row[7], row[8] = likely[parent] / (weights[parent] + 1e-6), likely[grandparent] / (weights[grandparent] + 1e-6)
        row[9] = likely[fourth] / (weights[fourth] + 1e-6)
        within = elements[owner, TABLE]
        row[11] = likely[within] / (weights[within] + 1e-6) if within else -1
        row[12] = inside[owner]
        row[13] = min(99, k - last) if last >= 0 else 99
        row[15] = total / sums[count, 1]
        row[17], row[18] = long, short / (long + short + 1e-6)
        row[19], row[20] = likely[parent] / total, likely[grandparent] / total
        row[22] = way_between(owner, blocks[last, OWNER], elements) if last >= 0 and k - last < 40 else 60
        row[24], row[25], row[26] = likely[best] / (weights[best] + 1e-6), likely[best] / total, highest
        if first[k] > 0.7 and blocks[k, WORDS] > 8:
            last = k
    following = count
    for k in range(count - 1, -1, -1):
        row = seen[k]
        row[14] = min(99, following - k) if following < count else 99
        row[23] = way_between(blocks[k, OWNER], blocks[following, OWNER], elements) if following < count and following - k < 40 else 60
        row[16] = sums[k + 1, 0] / total
        if first[k] > 0.7 and blocks[k, WORDS] > 8:
            following = k

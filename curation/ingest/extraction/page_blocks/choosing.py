"""From probabilities to the blocks that are kept: the set with the largest expected word F1, and a floor below it.

With probabilities p and words w, the expected F1 of the set of all blocks above a threshold is about 2 sum(p w) / (sum over the set of w +
sum over all of p w). The best threshold is half of the best F1, so a page with uncertain blocks keeps more of them than a clear page. Data
tables are kept or dropped as a whole. Code is kept down to the lowest probability, because a lesson without its program is useless. List
items and captions between kept blocks are kept down to BETWEEN, so that a list has no holes and a picture keeps its caption.

A hidden wrapper may be a tab or a part of the page that scripts open, so its blocks are scored like others. A paragraph that is hidden by
itself, beside shown ones, is not kept: a reader never sees it.

A text of many words that is already kept, and stands in quite another part of the page, is a copy for narrow screens, a preview or a
quotation, and is not kept again.

The floor: if the page contains much prose, and the kept text is tiny in comparison, or little prose was kept and the models were uncertain,
then the models were misled (for example by a class name on a wrapper), and all prose is kept; see `Choice.was_rescued`. Of 1,389 pages with
gold text, 30 keep little prose; keeping all of it improved those of low confidence (mean F1 .30 to .86) and damaged the others.

Invariant: at least one block of a page is kept, if the page has any.
"""

from typing import Any, NamedTuple

import numpy as np

from curation.ingest.extraction.page_blocks.block_text import IN_PRE, LETTERS_IN, OWNER, WORDS
from curation.ingest.extraction.page_blocks.cutting import Cut
from curation.ingest.extraction.page_blocks.elements import DEPTH, LAYOUT, PARENT, TABLE, TAG, UNSEEN, WIDTH
from curation.ingest.extraction.page_blocks.features import is_prose, prose_of
from curation.ingest.extraction.page_blocks.vocabulary import SEED, STEP, is_one_of, tag_number
from curation.text.kernels import inline_kernel, kernel

FAVOURS = {"precision": 1.25, "balanced": 1.0, "coverage": 0.7}
"""Factor of the threshold for what is wanted of a page: less that does not belong, the best of both, or more of what does."""

LEAST_PROBABILITY = 0.2
"""No block of less probability is kept, however little is sure; code of as much or more is kept."""

BETWEEN = 0.35
"""The least probability of list items and captions that stand between kept blocks. On held-out sites it changes F1 by .001 at most."""

HIGHEST = 0.9
SLIVER, LITTLE = 0.1, 0.25
"""Shares of a page's prose, in letters: below the first, all that was kept is a sliver; below the second, little prose was kept."""

UNSURE = 0.4
"""Confidence up to which little prose is taken for an error."""

MUCH_PROSE = 1500
"""Letters of prose from which a page is one of prose."""

MANY_WORDS, FAR_APART = 12, 6
"""Words of a copy, and steps through the tree between it and the text that it repeats, at least. Paragraphs of neighbouring sections are
four steps apart, and an author may repeat himself."""

_PARTS = np.array([tag_number(tag) for tag in ["li", "figcaption"]])
_FURNITURE = np.array([tag_number(tag) for tag in ["nav", "footer"]])


class Choice(NamedTuple):
    """Which blocks are kept, the expected F1 of that choice, and whether the floor added prose."""

    kept: Any
    confidence: float
    was_rescued: bool


def chosen(page: Cut, probability: Any, favour: str = "balanced") -> Choice:
    """Choose the blocks to keep. `probability` changes: a table's blocks get that of the table."""
    made = len(page.elements)
    _join_tables(probability, page.blocks, page.elements, np.zeros(made), np.zeros(made), np.zeros(made))
    threshold, confidence = _threshold(probability, np.argsort(-probability, kind="stable"), page.blocks, FAVOURS[favour])
    kept = (probability >= threshold) | ((page.blocks[:, IN_PRE] == 1) & (probability >= LEAST_PROBABILITY))
    _fill_holes(kept, probability, page.blocks, page.elements)
    _drop_hidden(kept, page.blocks, page.elements)
    rescued = _rescue(kept, confidence, page.blocks, page.elements, np.zeros(made, np.bool_))
    is_long = kept & (page.blocks[:, WORDS] >= MANY_WORDS) & (page.blocks[:, IN_PRE] == 0)
    hashes = np.full(len(kept), SEED, np.uint64)
    _hash_texts(page.page, page.runs, is_long, hashes)
    long = np.flatnonzero(is_long)
    _drop_copies(kept, long[np.argsort(hashes[long], kind="stable")], hashes, page.blocks, page.elements)
    return Choice(kept, float(confidence), bool(rescued))


@kernel
def _join_tables(probability: Any, blocks: Any, elements: Any, likely: Any, weights: Any, cells: Any) -> None:
    """Give all cells of a data table their mean probability, weighted by words, so that no table has holes.

    `likely`, `weights` and `cells` have a zero for each element.
    """
    for k in range(len(blocks)):
        table = elements[blocks[k, OWNER], TABLE]
        weight = blocks[k, WORDS] + 1
        likely[table] += probability[k] * weight
        weights[table] += weight
        cells[table] += 1
    for k in range(len(blocks)):
        table = elements[blocks[k, OWNER], TABLE]
        is_data = elements[table, LAYOUT] == 0 and elements[table, WIDTH] > 1
        if table and is_data and cells[table] >= 4 and weights[table] < 13 * cells[table]:
            probability[k] = likely[table] / weights[table]


@kernel
def _threshold(probability: Any, order: Any, blocks: Any, factor: float) -> tuple[float, float]:
    """Return the probability above which blocks are kept, and the expected F1 of the best set; `order` begins with the likeliest block."""
    count = len(probability)
    total = 0.0
    for k in range(count):
        total += probability[k] * (blocks[k, WORDS] + 0.5)
    likely, words, best = 0.0, 0.0, 0.0
    for k in order:
        weight = blocks[k, WORDS] + 0.5
        likely += probability[k] * weight
        words += weight
        best = max(best, 2 * likely / (words + total + 1e-9))
    threshold = max(LEAST_PROBABILITY, min(HIGHEST, factor * best / 2))
    if count:
        threshold = min(threshold, probability[order[0]])
    return threshold, best


@kernel
def _fill_holes(kept: Any, probability: Any, blocks: Any, elements: Any) -> None:
    """Keep every run of likely list items and captions that has a kept block before it and one after it."""
    last = -1
    for k in range(len(kept)):
        if kept[k]:
            if last >= 0:
                for hole in range(last + 1, k):
                    kept[hole] = True
            last = k
        elif probability[k] < BETWEEN or not is_one_of(elements[blocks[k, OWNER], TAG], _PARTS):
            last = -1


@kernel
def _drop_hidden(kept: Any, blocks: Any, elements: Any) -> None:
    """Drop blocks whose own element is hidden beside shown ones, unless nothing else is kept."""
    shown = 0
    for k in range(len(kept)):
        owner = blocks[k, OWNER]
        is_hidden = elements[owner, UNSEEN] and not elements[elements[owner, PARENT], UNSEEN]
        shown += kept[k] and not is_hidden
    for k in range(len(kept) if shown else 0):
        owner = blocks[k, OWNER]
        if elements[owner, UNSEEN] and not elements[elements[owner, PARENT], UNSEEN]:
            kept[k] = False


@kernel
def _rescue(kept: Any, confidence: float, blocks: Any, elements: Any, furniture: Any) -> bool:
    """Keep all prose outside of menus and footers if the models were misled; return whether they were.

    `furniture` has False for each element.
    """
    prose, of_it, letters_kept = 0, 0, 0
    for k in range(len(blocks)):
        letters = prose_of(blocks[k])
        prose += letters
        of_it += letters if kept[k] else 0
        letters_kept += blocks[k, LETTERS_IN] if kept[k] else 0
    is_sliver = letters_kept < SLIVER * prose or (of_it < LITTLE * prose and confidence <= UNSURE)
    if prose < MUCH_PROSE or not is_sliver:
        return False
    for e in range(1, len(elements)):
        furniture[e] = furniture[elements[e, PARENT]] or is_one_of(elements[e, TAG], _FURNITURE)
    for k in range(len(blocks)):
        if is_prose(blocks[k]) and not furniture[blocks[k, OWNER]]:
            kept[k] = True
    return True


@kernel
def _hash_texts(page: Any, runs: Any, wanted: Any, hashes: Any) -> None:
    """Add the text of the wanted blocks to their hashes, without blanks."""
    for k in range(len(runs)):
        begins, ends, block = runs[k]
        if wanted[block]:
            for i in range(max(0, begins), ends if begins >= 0 else 0):
                if page[i] > 0x20:
                    hashes[block] = (hashes[block] ^ np.uint64(page[i])) * STEP


@kernel
def _drop_copies(kept: Any, by_text: Any, hashes: Any, blocks: Any, elements: Any) -> None:
    """Drop blocks whose text a kept block before them has, far away, unless they are in tables. `by_text` puts the same texts next to each
    other."""
    first = 0
    for place in range(1, len(by_text)):
        one, other = by_text[first], by_text[place]
        if hashes[one] != hashes[other]:
            first = place
        elif elements[blocks[other, OWNER], TABLE] == 0 and _are_apart(blocks[one, OWNER], blocks[other, OWNER], elements):
            kept[other] = False


@inline_kernel
def _are_apart(one: int, other: int, elements: Any) -> bool:
    """Return whether there are `FAR_APART` steps or more through the tree between two elements."""
    for _ in range(FAR_APART - 1):
        if one == other:
            return False
        if elements[one, DEPTH] >= elements[other, DEPTH]:
            one = elements[one, PARENT]
        else:
            other = elements[other, PARENT]
    return one != other

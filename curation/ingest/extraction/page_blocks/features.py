"""What the models see of a block: its text, its place in the tree, its neighbours and its page. They see none of its words, so weights
carry no text.

Groups of columns, in the order of `FEATURE_NAMES`: the block itself; its path (blocks in elements of the same tags and classes); the sums
of the elements around it; the smallest elements with half, 70 % and 90 % of the prose, and the block's distance from them; the nearest
element above it for each group of words and of tags; notices; four neighbours and three windows; the page; and what the block shares with
the page's declarations.

Invariant: time is linear in blocks and elements. Values that depend on ancestors are passed from parent to child; the distance between
neighbouring blocks costs at most the number of tags between them.
"""

from typing import Any

import numpy as np

from curation.ingest.extraction.page_blocks.block_text import (
    BEYOND_ASCII,
    BREAKS,
    CAPITAL_WORDS,
    CAPITALS,
    CODED,
    COMMAS,
    DIGITS,
    IMAGES_BEFORE,
    IN_PRE,
    LETTERS_IN,
    LINKED,
    LINKED_WORDS,
    LINKS,
    LONG_WORDS,
    OWNER,
    SENTENCE_ENDS,
    SHORT_WORDS,
    SIGNS,
    TAGS_BEFORE,
    TEXT_HASH,
    WORDS,
)
from curation.ingest.extraction.page_blocks.cutting import Cut
from curation.ingest.extraction.page_blocks.echoes import ECHO_NAMES, N_ECHOES, Echoes, fill_echoes
from curation.ingest.extraction.page_blocks.elements import (
    DEPTH,
    FLAGS,
    HEADING,
    IS_NUMBERED,
    ITEM,
    LIST,
    LISTS,
    PARENT,
    QUOTES,
    TABLE,
    TAG,
    UNSEEN,
    WIDTH,
)
from curation.ingest.extraction.page_blocks.vocabulary import (
    GROUPS,
    N_GROUPS,
    N_NEAR,
    N_NOTICES,
    NEAR_TAGS,
    tag_number,
    vocabulary,
    words_of,
)
from curation.text.kernels import inline_kernel, kernel

_OWN = words_of(
    "letters words linked_share linked_words links letters_a_word digit_share capital_share sentence_ends commas "
    "beyond_ascii_share capital_word_share short_word_share long_word_share breaks in_pre unseen signs tags_before images_before "
    "heading numbered_item code_share tag depth lists quotes position letters_before_share blocks_behind ends_a_word repeats"
)
_PATH = words_of("path_blocks path_words path_linked_share path_letters_share")
_AROUND = words_of(
    "parent_letters parent_linked_share parent_blocks parent_share parent_prose second_linked_share second_share second_prose "
    "fourth_linked_share fourth_share fourth_prose column_prose table_letters table_blocks table_linked_share table_width"
)
_PROSE = words_of(
    "in_half in_70 in_90 from_half from_70 from_90 half_letters_share prose_blocks prose_before prose_behind since_prose until_prose"
)
_NEIGHBOUR = words_of("words linked_share sentence_ends heading way tags_before unseen")
_WINDOWS = (3, 7, 15)
_PAGE = words_of(
    "page_blocks page_words page_linked_share articles paragraphs headings items long_blocks_share og_article og_website "
    "og_product og_other ld_article ld_product ld_forum ld_list"
)

FEATURE_NAMES = [
    *_OWN, *_PATH, *_AROUND, *_PROSE,
    *(f"near_{words.split()[0]}" for words in GROUPS),
    *(f"in_{tags.split()[0]}" for tags in NEAR_TAGS), *(f"notices_{k}" for k in range(N_NOTICES)),
    *(f"{name}_{offset:+}" for offset in (-2, -1, 1, 2) for name in _NEIGHBOUR),
    *(f"{name}_{width}" for width in _WINDOWS for name in ("words", "linked_share")),
    *_PAGE, *ECHO_NAMES,
]  # fmt: skip
"""Names of the columns."""

AT_PATH = len(_OWN)
AT_AROUND = AT_PATH + len(_PATH)
AT_PROSE = AT_AROUND + len(_AROUND)
AT_GROUPS = AT_PROSE + len(_PROSE)
AT_NEIGHBOURS = AT_GROUPS + N_GROUPS + N_NEAR + N_NOTICES
AT_PAGE = AT_NEIGHBOURS + 4 * len(_NEIGHBOUR) + 2 * len(_WINDOWS)
AT_ECHOES = AT_PAGE + len(_PAGE)
N_FEATURES = AT_ECHOES + N_ECHOES
N_DECLARED = 8
"""The last columns of the page, which come from what its head declares."""

_FAR = 40
"""Distance of what stands nowhere above."""
_P, _ARTICLE, _BODY = tag_number("p"), tag_number("article"), tag_number("body")


def features(page: Cut, declared: Any, echoes: Echoes) -> Any:
    """Return one row a block; `declared` has the counts of the page's declarations (see `curation.ingest.extraction.declared`)."""
    count, made = len(page.blocks), len(page.elements)
    table = np.zeros((count, N_FEATURES), np.float32)
    sums = np.zeros((made, 4))
    own_paths = page.paths[page.blocks[:, OWNER]]
    _fill_own(page.blocks, page.elements, np.argsort(page.blocks[:, TEXT_HASH], kind="stable"), table)
    _fill_around(page.blocks, page.elements, own_paths, np.argsort(own_paths, kind="stable"), sums, table)
    _fill_prose(page.blocks, page.elements, sums, np.empty(made, np.int32), np.empty(made, np.bool_), table)
    distances = np.full((made, N_GROUPS + N_NEAR), _FAR, np.uint8)
    _fill_near(page.blocks, page.notices, page.elements, page.groups, vocabulary().near, distances, table)
    _fill_neighbours(page.blocks, page.elements, np.zeros((count + 1, 3)), table)
    _fill_page(page.blocks, page.elements, declared, np.zeros(AT_ECHOES - AT_PAGE, np.float32), table)
    fill_echoes(echoes.counts, echoes.declared_words, table, AT_ECHOES)
    return table


@inline_kernel
def is_prose(block: Any) -> bool:
    """Return whether a block reads like a sentence: at least eight words, a sentence end or a comma, and few linked words."""
    return bool(block[WORDS] >= 8 and 3 * block[LINKED] < block[LETTERS_IN] and (block[SENTENCE_ENDS] > 0 or block[COMMAS] > 1))


@inline_kernel
def prose_of(block: Any) -> int:
    """Return the letters of a block of prose outside of links; 0 for any other block."""
    return int(block[LETTERS_IN] - block[LINKED]) if is_prose(block) else 0


@kernel
def _fill_own(blocks: Any, elements: Any, order: Any, table: Any) -> None:
    """Fill the columns of the block's own text and element; `order` puts blocks of the same text next to each other."""
    count = len(blocks)
    total = 0.0
    for k in range(count):
        total += blocks[k, LETTERS_IN]
    before = 0.0
    for k in range(count):
        block, element, row = blocks[k], elements[blocks[k, OWNER]], table[k]
        letters, words = max(1, block[LETTERS_IN]), max(1, block[WORDS])
        row[0], row[1], row[2], row[3], row[4] = block[LETTERS_IN], block[WORDS], block[LINKED] / letters, block[LINKED_WORDS], block[LINKS]
        row[5], row[6], row[7] = letters / words, block[DIGITS] / letters, block[CAPITALS] / letters
        row[8], row[9], row[10] = block[SENTENCE_ENDS], block[COMMAS], block[BEYOND_ASCII] / letters
        row[11], row[12], row[13] = block[CAPITAL_WORDS] / words, block[SHORT_WORDS] / words, block[LONG_WORDS] / words
        row[14], row[15], row[16], row[17] = block[BREAKS], block[IN_PRE], element[UNSEEN], block[SIGNS]
        row[18], row[19], row[20] = min(50, block[TAGS_BEFORE]), block[IMAGES_BEFORE], element[HEADING]
        row[21] = element[ITEM] > 0 and elements[element[LIST], FLAGS] & IS_NUMBERED != 0
        row[22], row[23], row[24], row[25], row[26] = block[CODED] / letters, element[TAG], element[DEPTH], element[LISTS], element[QUOTES]
        row[27], row[28], row[29], row[30] = k / count, before / (total + 1), count - k, block[SENTENCE_ENDS] / words
        before += block[LETTERS_IN]
    k = 0
    while k < count:
        behind = k
        while behind < count and blocks[order[behind], TEXT_HASH] == blocks[order[k], TEXT_HASH]:
            behind += 1
        for place in range(k, behind):
            table[order[place], 31] = behind - k
        k = behind


@kernel
def _fill_around(blocks: Any, elements: Any, own_paths: Any, order: Any, sums: Any, table: Any) -> None:
    """Fill sums over the path and the surrounding elements, and the sums of elements: letters, linked letters, blocks, prose.

    `order` puts blocks of the same path next to each other.
    """
    count = len(blocks)
    for k in range(count):
        owner = blocks[k, OWNER]
        sums[owner, 0] += blocks[k, LETTERS_IN]
        sums[owner, 1] += blocks[k, LINKED]
        sums[owner, 2] += 1
        sums[owner, 3] += prose_of(blocks[k])
    for e in range(len(elements) - 1, 0, -1):
        for z in range(4):
            sums[elements[e, PARENT], z] += sums[e, z]
    total, prose = sums[0, 0] + 1, sums[0, 3] + 1
    k = 0
    while k < count:
        behind = k
        letters, linked, words = 0.0, 0.0, 0.0
        while behind < count and own_paths[order[behind]] == own_paths[order[k]]:
            block = blocks[order[behind]]
            letters += block[LETTERS_IN]
            linked += block[LINKED]
            words += block[WORDS]
            behind += 1
        for place in range(k, behind):
            row = table[order[place]]
            row[AT_PATH], row[AT_PATH + 1] = behind - k, words / (behind - k)
            row[AT_PATH + 2], row[AT_PATH + 3] = linked / (letters + 1), letters / total
        k = behind
    for k in range(count):
        owner, row = blocks[k, OWNER], table[k]
        parent = elements[owner, PARENT]
        second = elements[parent, PARENT]
        fourth = elements[elements[second, PARENT], PARENT]
        at = AT_AROUND
        row[at], row[at + 1], row[at + 2] = sums[parent, 0], sums[parent, 1] / (sums[parent, 0] + 1), sums[parent, 2]
        row[at + 3], row[at + 4] = sums[parent, 0] / total, sums[parent, 3] / prose
        row[at + 5], row[at + 6], row[at + 7] = sums[second, 1] / (sums[second, 0] + 1), sums[second, 0] / total, sums[second, 3] / prose
        row[at + 8], row[at + 9], row[at + 10] = sums[fourth, 1] / (sums[fourth, 0] + 1), sums[fourth, 0] / total, sums[fourth, 3] / prose
        column = owner  # the nearest element beside which stands other prose
        for _ in range(30):
            if column == 0 or sums[elements[column, PARENT], 3] > sums[column, 3] + 1:
                break
            column = elements[column, PARENT]
        row[at + 11] = sums[column, 3] / prose
        within = elements[owner, TABLE]
        if within:
            row[at + 12], row[at + 13], row[at + 14] = sums[within, 0], sums[within, 2], sums[within, 1] / (sums[within, 0] + 1)
            row[at + 15] = elements[within, WIDTH]


@kernel
def _fill_prose(blocks: Any, elements: Any, sums: Any, shared: Any, inside: Any, table: Any) -> None:
    """Fill the columns on the place of the prose: the smallest elements with each share of it, and the block's distance from them.

    `shared` has room for the depth of the last common ancestor of each element and the smallest one; `inside` says which are within it.
    """
    count, made = len(blocks), len(elements)
    prose, letters = sums[0, 3] + 1, sums[0, 0] + 1
    at = AT_PROSE
    for z in range(3):
        wanted = (0.5, 0.7, 0.9)[z] * sums[0, 3]
        smallest = 0
        for e in range(made):
            if sums[e, 3] >= wanted and elements[e, DEPTH] > elements[smallest, DEPTH]:
                smallest = e
        for e in range(made):
            shared[e] = -1
            inside[e] = False
        e = smallest
        while e != 0:
            shared[e] = elements[e, DEPTH]
            e = elements[e, PARENT]
        shared[0] = 0
        inside[smallest] = True
        for e in range(1, made):
            if shared[e] < 0:
                shared[e] = shared[elements[e, PARENT]]
            inside[e] = inside[e] or inside[elements[e, PARENT]]
        for k in range(count):
            owner = blocks[k, OWNER]
            table[k, at + z] = inside[owner]
            table[k, at + 3 + z] = elements[owner, DEPTH] + elements[smallest, DEPTH] - 2 * shared[owner]
            if z == 0:
                table[k, at + 6] = sums[smallest, 0] / letters
    of_prose = 0
    for k in range(count):
        of_prose += is_prose(blocks[k])
    before, last = 0.0, -1
    for k in range(count):
        row = table[k]
        row[at + 7], row[at + 8] = of_prose, before / prose
        before += prose_of(blocks[k])
        row[at + 9] = 1 - before / prose
        last = k if is_prose(blocks[k]) else last
        row[at + 10] = min(99, k - last) if last >= 0 else 99
    following = count + 99
    for k in range(count - 1, -1, -1):
        following = k if is_prose(blocks[k]) else following
        table[k, at + 11] = min(99, following - k)


@kernel
def _fill_near(blocks: Any, notices: Any, elements: Any, groups: Any, near: Any, distances: Any, table: Any) -> None:
    """Fill the distance up to the nearest element of each group of words and of tags, and the notices. `distances` start as `_FAR`."""
    for e in range(len(elements)):
        here, above = distances[e], distances[elements[e, PARENT]]
        if e:
            for group in range(N_GROUPS + N_NEAR):
                here[group] = min(_FAR, above[group] + 1)
        bits = groups[e] | near[elements[e, TAG]] << N_GROUPS
        if bits:
            for group in range(N_GROUPS + N_NEAR):
                if bits >> group & 1:
                    here[group] = 0
    for k in range(len(blocks)):
        row, here = table[k], distances[blocks[k, OWNER]]
        for group in range(N_GROUPS + N_NEAR):
            row[AT_GROUPS + group] = here[group]
        for notice in range(N_NOTICES):
            row[AT_GROUPS + N_GROUPS + N_NEAR + notice] = notices[k, notice]


@inline_kernel
def way_between(one: int, other: int, elements: Any) -> int:
    """Return the number of steps through the tree between two elements."""
    steps = 0
    while one != other:
        if elements[one, DEPTH] >= elements[other, DEPTH]:
            one = elements[one, PARENT]
        else:
            other = elements[other, PARENT]
        steps += 1
    return steps


@kernel
def _fill_neighbours(blocks: Any, elements: Any, totals: Any, table: Any) -> None:
    """Fill the columns of the two blocks before and after, and means over windows. `totals` has zeros, for running sums."""
    count = len(blocks)
    for k in range(count):
        totals[k + 1, 0] = totals[k, 0] + blocks[k, WORDS]
        totals[k + 1, 1] = totals[k, 1] + blocks[k, LETTERS_IN]
        totals[k + 1, 2] = totals[k, 2] + blocks[k, LINKED]
        for z in range(4):
            other = k + (-2, -1, 1, 2)[z]
            at = AT_NEIGHBOURS + 7 * z
            if not 0 <= other < count:
                for column in range(at, at + 7):
                    table[k, column] = -1
                continue
            row = table[other]
            table[k, at], table[k, at + 1], table[k, at + 2], table[k, at + 3] = row[1], row[2], row[8], row[20]
            table[k, at + 5], table[k, at + 6] = row[18], row[16]
            if z < 2:
                way = way_between(blocks[k, OWNER], blocks[other, OWNER], elements)
                table[k, at + 4] = way
                table[other, AT_NEIGHBOURS + 7 * (3 - z) + 4] = way
    for k in range(count):
        for z in range(3):
            width = (3, 7, 15)[z]
            low, high = max(0, k - width), min(count, k + width + 1)
            at = AT_NEIGHBOURS + 28 + 2 * z
            table[k, at] = (totals[high, 0] - totals[low, 0]) / (high - low)
            table[k, at + 1] = (totals[high, 2] - totals[low, 2]) / (totals[high, 1] - totals[low, 1] + 1)


@kernel
def _fill_page(blocks: Any, elements: Any, declared: Any, row: Any, table: Any) -> None:
    """Fill the columns that are the same for all blocks of the page. `row` has zeros."""
    count = len(blocks)
    letters, linked, long = 0.0, 0.0, 0.0
    row[0] = count
    for e in range(len(elements)):
        row[3] += elements[e, TAG] == _ARTICLE
    for k in range(count):
        block, element = blocks[k], elements[blocks[k, OWNER]]
        letters += block[LETTERS_IN]
        linked += block[LINKED]
        row[1] += block[WORDS]
        row[4] += element[TAG] == _P
        row[5] += element[HEADING] > 0
        row[6] += element[ITEM] > 0
        if block[LETTERS_IN] > 150 and 3 * block[LINKED] < block[LETTERS_IN]:
            long += block[LETTERS_IN]
    row[2] = linked / (letters + 1)
    for z in range(4, 7):
        row[z] /= max(1, count)
    row[7] = long / (letters + 1)
    for z in range(N_DECLARED):
        row[8 + z] = declared[z]
    for k in range(count):
        for z in range(len(row)):
            table[k, AT_PAGE + z] = row[z]

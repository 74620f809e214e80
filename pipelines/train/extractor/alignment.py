"""The words of a page that its gold text contains: a longest common subsequence that prefers consecutive words.

A plain subsequence scatters: it takes a "the" from a menu and the next word from the article. Here a word that continues a run counts 1 and
a word that begins a run counts 0.15, so gold text that is in one piece on the page is matched in one piece.

Source: Gotoh, "An improved algorithm for matching biological sequences" (1982), with a gain for continuing instead of a cost for opening.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from curation.text.kernels import kernel

WORD = re.compile(r"\w+")
_BEGINS = np.float32(0.15)
_UP, _LEFT, _MATCH, _CONTINUES = 0, 1, 2, 4


def matched(texts: Sequence[str], gold: str, most_cells: int) -> tuple[Any, Any, int] | None:
    """Return for each text the share of its words that match and their number, and the number of words of the gold text.

    Return None if the table would be too large.
    """
    numbers: dict[str, int] = {}
    wanted = np.array([numbers.setdefault(word, len(numbers)) for word in WORD.findall(gold.lower())], np.int32)
    words = [[numbers.get(word, -1) for word in WORD.findall(text.lower())] for text in texts]
    counts = np.array([len(own) for own in words], np.int64)
    given = np.array([number for own in words for number in own], np.int32)
    if not len(wanted) or len(given) * len(wanted) > most_cells:
        return None
    hits = np.concatenate(([0], np.cumsum(_align(given, wanted))))
    ends = np.cumsum(counts)
    return (hits[ends] - hits[ends - counts]) / np.maximum(counts, 1), counts, len(wanted)


@kernel
def _align(given: Any, wanted: Any) -> Any:
    """Return 1 for each given word that is matched."""
    rows, columns = len(given), len(wanted)
    choices = np.zeros((rows + 1, columns + 1), np.uint8)
    best_above, best = np.zeros(columns + 1, np.float32), np.zeros(columns + 1, np.float32)
    run_above, run = np.full(columns + 1, np.float32(-1e9)), np.full(columns + 1, np.float32(-1e9))
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            choice = 0
            ending_here = np.float32(-1e9)
            if given[i - 1] == wanted[j - 1]:
                continued, begun = run_above[j - 1] + np.float32(1), best_above[j - 1] + _BEGINS
                ending_here = max(continued, begun)
                choice = _CONTINUES if continued >= begun else 0
            run[j] = ending_here
            top, way = best_above[j], _UP
            if best[j - 1] > top:
                top, way = best[j - 1], _LEFT
            if ending_here > top:
                top, way = ending_here, _MATCH
            best[j] = top
            choices[i, j] = choice | way
        best_above, best = best, best_above
        run_above, run = run, run_above
    hits = np.zeros(rows, np.int64)
    i, j, in_run = rows, columns, False
    while i > 0 and j > 0:
        way = choices[i, j] & 3
        if in_run or way == _MATCH:
            hits[i - 1] = 1
            in_run = choices[i, j] & _CONTINUES != 0
            i -= 1
            j -= 1
        elif way == _UP:
            i -= 1
        else:
            j -= 1
    return hits

"""Calibration: curves that map expected scores to labels, one for each band of lengths.

Held-out texts are ordered by their scores and cut into parts of equal size. The height of the curve at a part's mean score is the part's
mean label; parts that fall are joined (pool adjacent violators, Ayer et al. 1955). Each band of lengths has its own curve. It is drawn
towards the curve of all texts, as if the band had PRIOR more texts.

Invariant: curves rise everywhere, at least by SLOPE, so that different scores stay different.
"""

import numpy as np
import numpy.typing as npt

from curation.arrays import Floats, Integers
from filters.support.scorer import GRID, HIGHEST_SCORE

BANDS = (0, 100, 170)
"""Tokens from which a band begins; a thousand characters of prose have some 190."""
LEAST_IN_BAND = 200
PRIOR = 300
SLOPE = 0.01
_PARTS = 24


def fit_curves(expected: Floats, tokens: Integers, labels: Floats) -> tuple[Integers, npt.NDArray[np.float32]]:
    """Return the bands with enough texts, and the curve of each band at GRID."""
    general = curve(expected, labels)
    bands, curves = [], []
    for place, begin in enumerate(BANDS):
        end = BANDS[place + 1] if place + 1 < len(BANDS) else np.inf
        inside = (tokens >= begin) & (tokens < end)
        count = int(inside.sum())
        own = curve(expected[inside], labels[inside]) if count >= LEAST_IN_BAND else general
        bands.append(begin)
        curves.append((count * own + PRIOR * general) / (count + PRIOR))
    return np.array(bands, np.int64), np.maximum.accumulate(np.clip(np.stack(curves), 0, HIGHEST_SCORE).astype(np.float32), axis=1)


def curve(expected: Floats, labels: Floats) -> Floats:
    """Return the mean label at each score of GRID, rising."""
    order = np.argsort(expected, kind="stable")
    parts = [part for part in np.array_split(order, min(_PARTS, max(1, len(order) // 20))) if len(part)]
    if not parts:
        return GRID.copy()
    blocks: list[tuple[float, float, int]] = []
    for part in parts:
        blocks.append((float(expected[part].mean()), float(labels[part].mean()), len(part)))
        while len(blocks) > 1 and blocks[-1][1] <= blocks[-2][1]:
            (x, y, n), (u, v, m) = blocks.pop(), blocks.pop()
            blocks.append(((x * n + u * m) / (n + m), (y * n + v * m) / (n + m), n + m))
    heights = np.interp(GRID, [x for x, _, _ in blocks], [y for _, y, _ in blocks])
    return np.clip(np.maximum.accumulate(heights * (1 - SLOPE) + SLOPE * GRID), 0, HIGHEST_SCORE)

"""A linear model of text: a kernel adds up one row of small numbers for each word, symbol and pair of neighbours.

Two trainers make such models (`pipelines.train`), and both kinds are applied here.

    linear     ordinal logistic regression on which features a window has: each counts once, weighs by its rarity (idf), and a window's
               weights are divided by their length (L2), so that frequent words do not hide a rare, telling one.
    fasttext   Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification": it averages the vectors of a text's features and
               multiplies the average by a matrix. Both steps are linear, so training multiplies them out: one number a feature and level.

The labels are levels, in the manner of ordinal regression (Frank and Hall 2001): level k says "the score is at least k". Each is a sigmoid
of its own, and the expected score is the sum of their probabilities. A curve for each band of lengths, fitted on texts held out, then maps
it to labels: texts with a score of 3 are labelled 3 on average.

A feature is found by its 64-bit hash in a table of 2^b rows of eight bytes: a tag of 16 bits of the hash, the feature's weight, and five
signed bytes, its share in each level's logit, in steps of the level's scale. The highest bits of the hash give the place of its row, or of
the row beside it: both are in one cache line, and both are read without a branch. A few of the rarest features find no place and are left
out. All sums are of whole numbers.

Invariants
    - A score depends on the text alone, not on its batch.
    - Scores are rounded to four decimals, so that a last bit of `exp` that differs between processors does not show.
    - The table may be a stranger's: whatever it contains, a feature reads two rows, and no sum overflows.
"""

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curation.arrays import Array, Bytes, Floats, Hashes, Integers
from curation.text.column import Offsets
from curation.text.kernels import inline_kernel, kernel, stored
from curation.text.text import Text
from filters.support.features import SEEN, Windows, features_of, find_windows, mark_of
from filters.support.tensors import from_tensors, to_tensors

HIGHEST_SCORE = 5
MOST_LEVELS = 5
GOOD = 3.0
"""The score from which a text counts as educational: FineWeb-Edu's threshold."""
GRID = np.linspace(0.0, HIGHEST_SCORE, 21)
"""The expected scores at which a band's curve is given; between them it is straight."""
LARGEST_WEIGHT = 10_000.0
"""The limit of every number of a model; a file with a larger one is refused."""

FORMAT = "educational score 1"
_DECIMALS = 4
_PROBE = "Déjà vu: the 3 words don't change, nor does ﬁre, in 1,024.5 years."
_TAG = np.uint64(0xFFFF)


def probe() -> Hashes:
    """Return the hashes of a fixed sentence's tokens: a model is of use only where these are what they were at its training."""
    return stored("probe", lambda: Text.from_strings([_PROBE]).words.hashes)


class Seen(NamedTuple):
    """The windows of some texts, how many different tokens each has, and how many of those the model knows."""

    windows: Windows
    known_tokens: Integers
    tokens: Integers


@dataclass(frozen=True, eq=False)
class Scorer:
    """A model of r rows and k levels."""

    trainer: str
    """What made it: "linear" or "fasttext"."""
    levels: Integers
    """The levels (k), rising, each from 1 to HIGHEST_SCORE."""
    rows: Hashes
    """The table: from the lowest bit of a row a tag (16 bits, odd but in a free row), the weight (8) and the steps (5 times 8)."""
    scales: npt.NDArray[np.float32]
    """A step of each level (k)."""
    intercepts: npt.NDArray[np.float32]
    """Each level's intercept (k); for fastText the share of its end-of-line token, one of the features that are averaged."""
    reading: Integers
    """Three times yes (1) or no (0): are pairs features; does a feature count once a window; are weights divided by their length."""
    bands: Integers
    """The least number of tokens in each band of lengths (b), rising from 0."""
    curves: npt.NDArray[np.float32]
    """The score of each band's windows at each expected score of GRID (b by 21), never falling."""
    probe: Hashes
    """What `probe` gave at training."""

    def __post_init__(self) -> None:
        """Refuse arrays that are no model. Raises ValueError."""
        k, b = len(self.levels), len(self.bands)
        shapes = {
            "levels": (np.int64, (k,)), "rows": (np.uint64, (len(self.rows),)),
            "scales": (np.float32, (k,)), "intercepts": (np.float32, (k,)), "reading": (np.int64, (3,)), "bands": (np.int64, (b,)),
            "curves": (np.float32, (b, len(GRID))), "probe": (np.uint64, self.probe.shape),
        }  # fmt: skip
        for name, (kind, shape) in shapes.items():
            array = getattr(self, name)
            if array.dtype != kind or array.shape != shape:
                raise ValueError(f"{name} is {array.dtype}{list(array.shape)}, not {np.dtype(kind)}{list(shape)}")
        if not 1 <= k <= MOST_LEVELS or not (np.diff(self.levels) > 0).all() or self.levels[0] < 1 or self.levels[-1] > HIGHEST_SCORE:
            raise ValueError(f"it has the levels {self.levels.tolist()[:10]}; it needs rising levels from 1 to {HIGHEST_SCORE}")
        if len(self.rows) < 2 or len(self.rows) & (len(self.rows) - 1) or not np.isin(self.reading, (0, 1)).all():
            raise ValueError("its table does not have 2^b rows, or its reading is not yes or no")
        if b < 1 or self.bands[0] != 0 or not (np.diff(self.bands) > 0).all():
            raise ValueError("its bands of lengths do not rise from 0")
        for name in ("scales", "intercepts", "curves"):
            if not (np.abs(getattr(self, name)) < LARGEST_WEIGHT).all():
                raise ValueError(f"a number of its {name} is not below {LARGEST_WEIGHT:g}")
        if (np.diff(self.curves) < 0).any() or self.curves.min() < 0 or self.curves.max() > HIGHEST_SCORE:
            raise ValueError("a curve falls, or leaves 0 to 5")
        if not np.array_equal(self.probe, probe()):
            raise ValueError("it was trained with another reading of words; train it again with this version")

    def score_windows(self, text: Text) -> tuple[Floats, Seen]:
        """Return the score of every window of every text, and what was seen of the windows."""
        logits, seen = self.logits(text)
        return np.round(self.scores_of(logits, np.diff(seen.windows.tokens)), _DECIMALS), seen

    def scores_of(self, logits: Floats, tokens: Integers) -> Floats:
        """Return the score of each window, from its logits and its number of tokens."""
        expected = (1.0 / (1.0 + np.exp(-np.clip(logits, -500, 500)))).sum(axis=1)  # past 500 nothing changes but exp overflows
        return calibrate(expected, tokens, self.bands, self.curves)

    def logits(self, text: Text) -> tuple[Floats, Seen]:
        """Return each window's logit of each level, and what was seen of the windows."""
        windows = find_windows(text)
        count = len(windows.tokens) - 1
        sums = np.empty((count, MOST_LEVELS), np.int64)
        squares, known, known_tokens, distinct = np.empty((4, count), np.int64)
        longest = int(np.diff(windows.tokens).max(initial=1))
        pairs, once, _ = (bool(yes) for yes in self.reading)
        _add_features(windows.tokens, text.words.hashes, self.rows, longest, pairs, once, sums, squares, known, known_tokens, distinct)
        shares: Floats = sums[:, : len(self.levels)].astype(np.float64) * self.scales.astype(np.float64)
        return self.logits_of(shares, squares, known), Seen(windows, known_tokens, distinct)

    def logits_of(self, shares: Floats, squares: Any, known: Array) -> Floats:
        """Return the logits of windows: of each the weighted shares that were added up, the squares of the weights, the features known."""
        found: Floats
        if self.reading[2]:
            found = shares / np.sqrt(np.maximum(squares, 1))[:, None] + self.intercepts
        else:
            found = (shares + self.intercepts) / (known[:, None] + 1)
        return found

    @property
    def level_of_good(self) -> int:
        """The place of the level that is nearest to GOOD."""
        return int(np.argmin(np.abs(self.levels - GOOD)))

    def to_bytes(self) -> bytes:
        """Return the model's file: the same model gives the same bytes."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "trainer"}
        return to_tensors(arrays, {"format": FORMAT, "trainer": self.trainer})

    @classmethod
    def from_bytes(cls, content: Bytes | bytes) -> "Scorer":
        """Read a model's file; its table stays where it is, so it may be mapped. Raises ValueError for what is none."""
        arrays, words = from_tensors(np.frombuffer(content, np.uint8) if isinstance(content, bytes) else content)
        names = {field.name for field in fields(cls)} - {"trainer"}
        if words.get("format") != FORMAT or set(arrays) != names:
            raise ValueError(f"it is not a model of {FORMAT!r}, with {', '.join(sorted(names))}")
        return cls(trainer=words.get("trainer", "unknown"), **arrays)

    def look_up(self, features: Hashes) -> tuple[Integers, Floats]:
        """Return the weight of each feature, 0 where the model does not know it, and the weighted share in each level's logit."""
        found = np.empty(len(features), np.uint64)
        _find(self.rows, features, found)
        weights = ((found >> np.uint64(16)) & np.uint64(0xFF)).astype(np.int64)
        steps = np.stack([(found >> np.uint64(24 + 8 * level)).astype(np.uint8).view(np.int8) for level in range(len(self.levels))], axis=1)
        shares: Floats = weights[:, None].astype(np.float64) * steps.astype(np.float64) * self.scales.astype(np.float64)
        return weights, shares


def calibrate(expected: Floats, tokens: Integers, bands: Integers, curves: npt.NDArray[np.float32]) -> Floats:
    """Return what the curve of each window's band of lengths says of its expected score."""
    band = np.searchsorted(bands, tokens, side="right") - 1
    return np.stack([np.interp(expected, GRID, curve) for curve in curves])[band, np.arange(len(expected))]


def pack(features: Hashes, weights: Bytes, steps: npt.NDArray[np.int8], bits: int) -> tuple[Hashes, int]:
    """Return a table of 2^bits rows, and how many features found no place in it; the first come are served first.

    `steps` is features by levels.
    """
    rows = np.zeros(1 << bits, np.uint64)
    contents = weights.astype(np.uint64) << np.uint64(16)
    for level in range(steps.shape[1]):
        contents |= steps[:, level].view(np.uint8).astype(np.uint64) << np.uint64(24 + 8 * level)
    return rows, int(_fill(features, contents, rows))


@inline_kernel
def _tag(feature: Any) -> Any:
    return (feature & _TAG) | np.uint64(1)


@inline_kernel
def _shift(rows: Any) -> Any:
    """Return by how much a hash is shifted to be a place among 2^b rows."""
    size, bits = len(rows), np.uint64(0)
    while size > 1:
        size >>= 1
        bits += np.uint64(1)
    return np.uint64(64) - bits


@inline_kernel
def _look_up(rows: Any, feature: Any, shift: Any) -> Any:
    """Return a feature's row, 0 where it has none: that at its place, or the neighbour of that."""
    place = np.int64(feature >> shift)
    tag = _tag(feature)
    here, beside = rows[place], rows[place ^ 1]
    found = here if here & _TAG == tag else np.uint64(0)
    return beside if beside & _TAG == tag else found


@kernel
def _find(rows: Hashes, features: Hashes, found: Hashes) -> None:
    shift = _shift(rows)
    for place in range(len(features)):
        found[place] = _look_up(rows, features[place], shift)


@kernel
def _fill(features: Hashes, contents: Hashes, rows: Any) -> int:
    lost = 0
    shift = _shift(rows)
    for feature in range(len(features)):
        place = np.int64(features[feature] >> shift)
        if rows[place] != np.uint64(0):
            place ^= 1
        if rows[place] != np.uint64(0) or _look_up(rows, features[feature], shift) != np.uint64(0):
            lost += 1
        else:
            rows[place] = contents[feature] | _tag(features[feature])
    return lost


@kernel
def _add_features(
    tokens: Offsets,
    hashes: Hashes,
    rows: Hashes,
    longest: int,
    pairs: bool,
    once: bool,
    sums: Integers,
    squares: Integers,
    known: Integers,
    known_tokens: Integers,
    distinct: Integers,
) -> None:
    """Fill what is known of each window: the weighted steps of each level, the squares of the weights, the features and tokens it knows."""
    seen = np.zeros(SEEN, np.uint64)
    found = np.empty(2 * longest + 2, np.uint64)
    shift = _shift(rows)
    byte = np.int64(56)
    for window in range(len(tokens) - 1):
        singles, count = features_of(hashes, tokens[window], tokens[window + 1], pairs, once, mark_of(window), seen, found)
        first, second, third, fourth, fifth = np.int64(0), np.int64(0), np.int64(0), np.int64(0), np.int64(0)
        square, knows, knows_tokens = np.int64(0), np.int64(0), np.int64(0)
        for feature in range(count):
            row = _look_up(rows, found[feature], shift)
            weight = np.int64((row >> np.uint64(16)) & np.uint64(0xFF))
            first += weight * (np.int64(row << np.uint64(32)) >> byte)
            second += weight * (np.int64(row << np.uint64(24)) >> byte)
            third += weight * (np.int64(row << np.uint64(16)) >> byte)
            fourth += weight * (np.int64(row << np.uint64(8)) >> byte)
            fifth += weight * (np.int64(row) >> byte)
            square += weight * weight
            knows += np.int64(row != np.uint64(0))
            knows_tokens += np.int64(row != np.uint64(0) and feature < singles)
        sums[window, 0], sums[window, 1], sums[window, 2], sums[window, 3], sums[window, 4] = first, second, third, fourth, fifth
        squares[window], known[window], known_tokens[window], distinct[window] = square, knows, knows_tokens, singles

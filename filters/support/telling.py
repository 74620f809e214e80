"""Which words, pairs, sentences and windows of a text moved its score, told by leaving each of them out.

What a feature does to a window is found exactly: its weights are taken out of the window's sums, and the logit of a score of 3 or more is
made again. The difference is the feature's effect, a factor of the odds: 0.1 means that with it the odds are exp(0.1) times as high as
without. (The score itself says less: near its ends, and where its curve is flat, no word moves it.) A text's score is the mean of its
windows', and so is the effect of a feature that several windows have. A sentence's effect is that of all features that the window has
nowhere else.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curation.arrays import Flags, Floats, Hashes, Integers
from curation.text.kernels import kernel
from curation.text.text import Text
from filters.support.features import find_windows, pair, single
from filters.support.scorer import Scorer

MOST_TOLD = 8
"""The number of words and pairs that are listed for each direction."""
MOST_SENTENCES = 2


@dataclass(frozen=True)
class Moved:
    """A word, a symbol or two neighbours as the text first has them; `windows` have it, and it moved the text's logit by `effect`."""

    words: str
    windows: int
    effect: float


@dataclass(frozen=True)
class ScoredPassage:
    """Bytes of the text from `start` up to `end`; `value` is a window's score, or a sentence's effect."""

    start: int
    end: int
    value: float


@dataclass(frozen=True)
class Told:
    """What moved a text's score; the strongest come first."""

    score: float
    windows: tuple[ScoredPassage, ...]
    best: ScoredPassage
    raised: tuple[Moved, ...]
    lowered: tuple[Moved, ...]
    raising: tuple[ScoredPassage, ...]
    lowering: tuple[ScoredPassage, ...]


@dataclass(frozen=True, eq=False)
class _Window:
    """The known features of a window: number, first and last token of each, and what it adds to the window's sums."""

    names: Hashes
    first: Integers
    last: Integers
    is_pair: Flags
    sums: Floats
    squares: Floats
    counts: Integers


def tell(scorer: Scorer, text: str) -> Told:
    """Tell what moved the score of one text."""
    column = Text.from_strings([text])
    words, cut = column.words, find_windows(column)
    scores, _ = scorer.score_windows(column)
    bounds = [0, *(int(words.starts[token]) if token < len(words.starts) else int(column.lengths[0]) for token in cut.tokens[1:-1])]
    ends = [*bounds[1:], int(column.lengths[0])]
    windows = tuple(ScoredPassage(start, end, float(score)) for start, end, score in zip(bounds, ends, scores.tolist(), strict=True))
    effects: dict[int, list[float]] = {}
    firsts: dict[int, tuple[int, bool]] = {}
    sentences = np.zeros(len(column.sentences.starts))
    for window in range(len(windows)):
        begin, end = int(cut.tokens[window]), int(cut.tokens[window + 1])
        found = _features(scorer, words.hashes[begin:end])
        without = _Leaving(scorer, found)
        for name, first, is_pair, effect in zip(
            found.names.tolist(), found.first.tolist(), found.is_pair.tolist(), without.each().tolist(), strict=True
        ):
            effects.setdefault(name, []).append(effect / len(windows))
            firsts.setdefault(name, (begin + first, is_pair))
        for sentence, inside in _in_sentences(column, words.starts[begin:end], found):
            sentences[sentence] += without.all_of(inside) / len(windows)
    order = sorted(effects, key=lambda name: (-sum(effects[name]), firsts[name]))

    def moved(name: int) -> Moved:
        token, is_pair = firsts[name]
        place = slice(int(words.starts[token]), int(words.ends[token + is_pair]))
        return Moved(bytes(column.data[place]).decode("utf-8", "replace"), len(effects[name]), round(sum(effects[name]), 4))

    raised = tuple(moved(name) for name in order[:MOST_TOLD] if sum(effects[name]) > 0)
    lowered = tuple(moved(name) for name in order[::-1][:MOST_TOLD] if sum(effects[name]) < 0)
    places = [
        ScoredPassage(int(start), int(end), round(float(effect), 4))
        for start, end, effect in zip(column.sentences.starts, column.sentences.ends, sentences, strict=True)
    ]
    ranked = sorted(places, key=lambda place: (-place.value, place.start))
    return Told(
        score=round(float(scores.mean()), 4),
        windows=windows,
        best=max(windows, key=lambda window: (window.value, -window.start)),
        raised=raised,
        lowered=lowered,
        raising=tuple(place for place in ranked[:MOST_SENTENCES] if place.value > 0),
        lowering=tuple(place for place in ranked[::-1][:MOST_SENTENCES] if place.value < 0),
    )


class _Leaving:
    """The logit of one window when features are left out of it."""

    def __init__(self, scorer: Scorer, window: _Window) -> None:
        self._scorer, self._window, self._level = scorer, window, scorer.level_of_good
        self._sums, self._squares, self._known = window.sums.sum(axis=0), window.squares.sum(), int(window.counts.sum())
        self._whole = float(self._logits(np.zeros((1, window.sums.shape[1])), np.zeros(1), np.zeros(1, np.int64))[0])

    def _logits(self, sums: Floats, squares: Floats, counts: Integers) -> Floats:
        return self._scorer.logits_of(self._sums - sums, self._squares - squares, self._known - counts)[:, self._level]

    def each(self) -> Floats:
        """Return each feature's effect."""
        return self._whole - self._logits(self._window.sums, self._window.squares, self._window.counts)

    def all_of(self, inside: Flags) -> float:
        """Return the effect of some features together."""
        of = self._window
        left = self._logits(of.sums[inside].sum(axis=0)[None], of.squares[inside].sum()[None], of.counts[inside].sum()[None])
        return self._whole - float(left[0])


def _features(scorer: Scorer, hashes: Hashes) -> _Window:
    """Return the features of a window's tokens that the model knows."""
    pairs, once, _ = (bool(yes) for yes in scorer.reading)
    located = np.empty((2, len(hashes)), np.uint64)
    _locate(hashes, located)
    both = located.ravel() if pairs else located[0]
    both = both[: max(0, 2 * len(hashes) - 1)]  # the last token has no neighbour
    names, first, counts = np.unique(both, return_index=True, return_counts=True)
    last = np.zeros(len(names), np.int64)
    np.maximum.at(last, np.searchsorted(names, both), np.arange(len(both)))
    weights, shares = scorer.look_up(names)
    known = weights > 0
    names, first, last, counts = names[known], first[known], last[known], counts[known]
    times = np.ones(len(names), np.int64) if once else counts
    is_pair = first >= len(hashes)
    first, last = (np.where(is_pair, place - len(hashes), place) for place in (first, last))
    return _Window(names, first, last, is_pair, shares[known] * times[:, None], weights[known].astype(np.float64) ** 2 * times, times)


def _in_sentences(column: Text, starts: npt.NDArray[np.uint32], window: _Window) -> Iterator[tuple[int, Flags]]:
    """Yield each sentence that has tokens in a window, and which of the window's features occur in it alone."""
    if not len(starts):
        return
    sentences = column.sentences
    first = int(np.searchsorted(sentences.ends, starts[0], side="right"))
    last = int(np.searchsorted(sentences.starts, starts[-1], side="right"))
    begins = np.searchsorted(starts, sentences.starts[first:last])
    ends = np.searchsorted(starts, sentences.ends[first:last])
    for sentence, begin, end in zip(range(first, last), begins.tolist(), ends.tolist(), strict=True):
        yield sentence, (window.first >= begin - window.is_pair) & (window.last < end)


@kernel
def _locate(hashes: Hashes, located: Hashes) -> None:
    """Fill the feature of each token, and that of each token with its neighbour."""
    for token in range(len(hashes)):
        located[0, token] = single(hashes[token])
        if token + 1 < len(hashes):
            located[1, token] = pair(hashes[token], hashes[token + 1])

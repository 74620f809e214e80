"""Chooses the excerpts to label.

By default the sample is stratified by score: excerpts are taken from each of a model's rounded scores in turn, so that rare ones (the good
pages of the web) are labelled as often as common ones, and agreement is measured on every level. Of the excerpts of one score, each source
gives the same share. The order within a source and a score is that of a hash of the text.

`active`: first come the excerpts about which the model is least certain: their probability of a label of 3 or more is closest to one half
(uncertainty sampling: Lewis and Gale 1994, "A sequential algorithm for training text classifiers").

In simulation on this project's labels (`tests/benchmark/active_labels.py`), 1,000 labels chosen by `active` teach as much as 2,000 random
ones by average precision; by AUC they teach no more than 1,000 do, and more from 2,000 on. They hold more good texts than the world does,
so the scale of the scores suffers: hence the default. Turns by source as well, as many from a source of ten texts as from one of a
thousand, cost most of the gain.

Invariant: a larger sample contains the smaller one, so raising --count pays only for the additional labels.
"""

from collections.abc import Sequence
from itertools import chain, groupby, zip_longest

from pipelines.annotate.excerpts import Excerpt


def choose_excerpts(excerpts: Sequence[Excerpt], count: int, *, active: bool) -> list[Excerpt]:
    """Return `count` excerpts, or all if there are fewer."""
    if active:
        return sorted(excerpts, key=lambda excerpt: (abs(excerpt.chance - 0.5), excerpt.order))[:count]
    by_score = sorted(excerpts, key=lambda excerpt: round(excerpt.score))
    levels = [_spread(list(level)) for _, level in groupby(by_score, key=lambda excerpt: round(excerpt.score))]
    return [excerpt for excerpt in chain.from_iterable(zip_longest(*levels)) if excerpt is not None][:count]


def _spread(excerpts: Sequence[Excerpt]) -> list[Excerpt]:
    """Order excerpts so that every beginning holds about the same share of each source."""
    sources: dict[str, list[Excerpt]] = {}
    for excerpt in sorted(excerpts, key=lambda excerpt: excerpt.order):
        sources.setdefault(excerpt.source, []).append(excerpt)
    placed = [((place + 0.5) / len(own), excerpt.order, excerpt) for own in sources.values() for place, excerpt in enumerate(own)]
    return [excerpt for *_, excerpt in sorted(placed, key=lambda of: of[:2])]

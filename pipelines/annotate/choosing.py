"""Choosing which excerpts to label.

By default the sample is stratified: excerpts are dealt into cells by source and by the whole score that a model gives them, and are taken
from all cells in turn. Rare kinds (the good pages of the web) are thus labelled as often as common ones, so that agreement between teachers
is measured on every kind. In a cell, chance decides, by a hash of the text.

`active`: cells are sources, and in each the excerpts come first of which the model knows least whether they are good, those whose chance
of a label of 3 or more is nearest to one half (uncertainty sampling: Lewis and Gale 1994, "A sequential algorithm for training text
classifiers"). In simulation neither way taught this project's judge more than a random sample of the same size (the figures stand in
`tests/benchmark/README.md`); another model may differ.

Invariant: a larger sample holds the smaller one, so that asking for more pays for the additional labels alone.
"""

from collections.abc import Sequence
from itertools import chain, zip_longest

from pipelines.annotate.excerpts import Excerpt


def choose(excerpts: Sequence[Excerpt], count: int, *, active: bool) -> list[Excerpt]:
    """Return so many excerpts, or all where there are fewer."""
    cells: dict[tuple[str, int], list[Excerpt]] = {}
    for excerpt in excerpts:
        cells.setdefault((excerpt.source, 0 if active else round(excerpt.score)), []).append(excerpt)
    ordered = [
        sorted(cells[cell], key=lambda excerpt: (abs(excerpt.chance - 0.5) if active else 0.0, excerpt.order)) for cell in sorted(cells)
    ]
    return [excerpt for excerpt in chain.from_iterable(zip_longest(*ordered)) if excerpt is not None][:count]

"""Chooses the excerpts to label.

By default the sample is stratified: excerpts are divided into cells by source and by a model's rounded score, and are taken from all cells
in turn. So rare kinds (the good pages of the web) are labelled as often as common ones, and agreement is measured on every kind. Within a
cell, the order is that of a hash of the text.

`active`: a cell is a source, and its first excerpts are those about which the model is least certain: their probability of a label of 3 or
more is closest to one half (uncertainty sampling: Lewis and Gale 1994, "A sequential algorithm for training text classifiers").

In simulation on this project's labels (`tests/benchmark/active_labels.py`), a judge of 1,000 labels chosen by `active` ranks texts at the
threshold as well as one of 2,000 random labels; but chosen labels hold more good texts than the world does, so the scale of its scores
suffers. A stratified sample gains half as much in ranking and keeps the scale, hence it is the default.

Invariant: a larger sample contains the smaller one, so raising --count pays only for the additional labels.
"""

from collections.abc import Sequence
from itertools import chain, zip_longest

from pipelines.annotate.excerpts import Excerpt


def choose_excerpts(excerpts: Sequence[Excerpt], count: int, *, active: bool) -> list[Excerpt]:
    """Return `count` excerpts, or all if there are fewer."""
    cells: dict[tuple[str, int], list[Excerpt]] = {}
    for excerpt in excerpts:
        cells.setdefault((excerpt.source, 0 if active else round(excerpt.score)), []).append(excerpt)
    ordered = [
        sorted(cells[cell], key=lambda excerpt: (abs(excerpt.chance - 0.5) if active else 0.0, excerpt.order)) for cell in sorted(cells)
    ]
    return [excerpt for excerpt in chain.from_iterable(zip_longest(*ordered)) if excerpt is not None][:count]

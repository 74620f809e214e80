"""A table by source has one row for each of the largest sources and one row for all others, so its length does not grow with the input.

Invariant: the sum of the rows is the sum of all sources.
"""

from collections.abc import Sequence

from curation.counting import counted
from curation.schema import FATES
from pipelines.inspect.flows import SourceFlow, Split, sum_of_amounts

SHOWN = 20
"""Sources that a table shows by name."""


def largest_flows(flows: Sequence[SourceFlow], most: int = SHOWN) -> list[SourceFlow]:
    """Return the sources with the most documents, largest first, and then all others as one source, named like "180 others"."""
    ordered = sorted(flows, key=lambda flow: (-flow.came.documents, flow.source))
    if len(ordered) <= most + 1:
        return ordered
    others = ordered[most:]
    came, kept = sum_of_amounts([flow.came for flow in others]), sum_of_amounts([flow.kept for flow in others])
    rules: dict[str, int] = {}
    for flow in others:
        for rule, count in flow.rules.items():
            rules[rule] = rules.get(rule, 0) + count
    by_count = dict(sorted(rules.items(), key=lambda rule: (-rule[1], rule[0])))
    fates = {fate: sum(flow.fates.get(fate, 0) for flow in others) for fate in FATES}
    share = kept.documents / came.documents if came.documents else 0.0
    return [*ordered[:most], SourceFlow(others_in_words(len(others)), came, fates, kept, share, by_count)]


def largest_splits(splits: Sequence[Split], most: int = SHOWN) -> list[Split]:
    """Return the splits with the most documents, largest first, and then all others as one split."""
    ordered = sorted(splits, key=lambda split: (-split.of.documents, split.name))
    if len(ordered) <= most + 1:
        return ordered
    others = ordered[most:]
    sums = (sum_of_amounts([getattr(split, part) for split in others]) for part in ("of", "now", "then"))
    return [*ordered[:most], Split(others_in_words(len(others)), *sums)]


def others_in_words(count: int) -> str:
    """Return the name of the row that stands for `count` others."""
    return counted(count, "other")

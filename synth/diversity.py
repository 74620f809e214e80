"""Diversity: how different the rows of a task are, counted while they are made; rows of a model that has fallen into one form are rejected.

    skeleton   a row's first WORDS words without what varies for nothing: numbers, names and case
    collapsed  a model's row whose skeleton MOST_ALIKE rows of its task and part have already, and more than MOST_SHARE of them
    prompts    different first messages of a reader
    openings   the entropy of the first three words, as a share of the most that this number of rows can have: 0 all alike, 1 all different

Rules collapse by nature, by their number of wordings, and are counted but not rejected. Near duplicates are found by the recipe's own
[deduplicate], which compares generated rows with each other too.

Invariant: what is counted and rejected depends on the rows of a part and their order alone.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from synth.task import Example, Rejected

MOST_ALIKE = 10
MOST_SHARE = 0.05
WORDS = 60
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
_HEAD = 4000
"""Characters in which the first words are looked for."""


class Diversity:
    """The rows of a part, by task."""

    def __init__(self) -> None:
        """Begin with none."""
        self._rows: Counter[str] = Counter()
        self._skeletons: dict[str, Counter[int]] = {}
        self._prompts: dict[str, set[int]] = {}
        self._openings: dict[str, Counter[str]] = {}

    def add(self, task: str, example: Example, by_rule: bool) -> None:
        """Count an example. Raises Rejected (`collapsed`) if a model has written too many like it."""
        skeletons = self._skeletons.setdefault(task, Counter())
        skeleton = skeleton_of(example.text)
        mark = _mark_of(skeleton)
        alike, rows = skeletons[mark], self._rows[task]
        if not by_rule and alike >= MOST_ALIKE and alike > MOST_SHARE * rows:
            raise Rejected("collapsed", {"alike": alike, "of": rows, "begins": skeleton[:80]})
        skeletons[mark] += 1
        self._rows[task] += 1
        self._prompts.setdefault(task, set()).add(_mark_of(example.messages[0]["content"]))
        self._openings.setdefault(task, Counter())[skeleton_of(example.messages[-1]["content"], 3)] += 1

    def counts(self) -> Mapping[str, Mapping[str, Any]]:
        """Return for each task its rows, different skeletons and prompts, and the entropy of openings."""
        return {
            task: {
                "rows": self._rows[task],
                "skeletons": len(skeletons),
                "prompts": len(self._prompts[task]),
                "openings": round(evenness(self._openings[task]), 4),
            }
            for task, skeletons in sorted(self._skeletons.items())
        }


def skeleton_of(text: str, most: int = WORDS) -> str:
    """Return the first words of a text, with marks for numbers and for words with a capital."""
    words = []
    for found in _TOKEN.finditer(text, 0, _HEAD):
        word = found[0]
        words.append("0" if word[0].isdigit() else "N" if word[0].isupper() else word)
        if len(words) == most:
            break
    return " ".join(words)


def evenness(counts: Counter[str]) -> float:
    """Return the entropy of counts as a share of the largest possible one."""
    total = counts.total()
    if total < 2:
        return 1.0
    return sum(count / total * math.log(total / count) for count in counts.values()) / math.log(total)


def _mark_of(text: str) -> int:
    """Return 64 bits of a text that are the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")

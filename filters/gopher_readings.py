"""The thresholds, examples and rules that the readings of Gopher's rules share.

Source: Rae et al. 2021 (Gopher), appendix A.1.1. Each reading adds the signals that it measures in its own way, and keeps the order in
which its project tries the rules. The classes here are abstract, so this file is a helper and no filter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from curation.arrays import Hashes
from curation.choices import Count, NonNegative, Share
from filters.contract import Filter, Rule, Threshold, above, below
from filters.support.gopher_rules import STOP_WORDS, hashes_of

QUALITY_EXAMPLES = (
    ("A river carries sand and stones to the sea, and it drops the heavy ones first. " * 5, None),
    ("Log in to see more.", "too_few_words"),
    ("It is up to us to do as we do, and so it is to be as it is. " * 5, "short_words"),
    ("- bread and butter from the baker\n" * 12, "mostly_bullets"),
    ("It went on with much more and much more of the very same …\n" * 8, "lines_end_in_ellipsis"),
    ("Wind water stone light river mountain forest meadow cloud rain " * 8, "few_stop_words"),
)
REPETITION_EXAMPLES = (
    (
        "Bees dance to tell the others where flowers are.\nA short run and a waggle give the way and the distance.\n"
        "The steeper the angle to the sun, the further to the side they fly. Karl von Frisch read this language first.",
        None,
    ),
    ("Menu\nMenu\nMenu\nThe harbour was built by Dutch engineers long ago.", "duplicate_line_share"),
    ("Red apples.\n\nRed apples.\n\nA basket\nof fresh fruit\nfrom the farm\ndown\nthe road.", "duplicate_paragraph_share"),
    ("to do and to be or to do, as to do is to do", "top_2_gram"),
)


@dataclass(frozen=True)
class GopherQualityReading(Filter):
    """The thresholds on which all readings of the quality rules agree."""

    stop_words: tuple[str, ...] = STOP_WORDS
    min_words: Threshold[Count] = 50
    max_words: Threshold[Count] = 100_000
    max_symbol_ratio: Threshold[NonNegative] = 0.1
    max_bullet_line_ratio: Threshold[Share] = 0.9
    max_ellipsis_line_ratio: Threshold[Share] = 0.3
    min_stop_words: Threshold[Count] = 2

    lowers_words: ClassVar[bool] = False
    """Whether stop words are compared with words in lower case."""

    def __post_init__(self) -> None:
        """Refuse stop words that are not single words; the paper's need no kernel to show that they are."""
        if self.stop_words != STOP_WORDS:
            _ = self.stop_hashes

    @property
    def stop_hashes(self) -> Hashes:
        """The distinct hashes of the stop words. Raises RecipeError for one that no word can be equal to."""
        return hashes_of(self.stop_words, self.lowers_words)

    def word_rules(self, length: str) -> dict[str, Rule]:
        """Return the rules on the number of words and on their length, a signal with two bounds."""
        return {
            "too_few_words": below("words", self.min_words),
            "too_many_words": above("words", self.max_words),
            "short_words": below(length, getattr(self, f"min_{length}")),
            "long_words": above(length, getattr(self, f"max_{length}")),
        }

    def line_rules(self) -> dict[str, Rule]:
        """Return the rules on how lines begin and end."""
        return {
            "mostly_bullets": above("bullet_line_ratio", self.max_bullet_line_ratio),
            "lines_end_in_ellipsis": above("ellipsis_line_ratio", self.max_ellipsis_line_ratio),
        }

    def stop_word_rule(self) -> dict[str, Rule]:
        """Return the rule on stop words."""
        return {"few_stop_words": below("stop_words", self.min_stop_words)}


@dataclass(frozen=True)
class GopherRepetitionReading(Filter):
    """The thresholds of the repetition rules, table A1 of the paper: one a signal."""

    max_duplicate_paragraph_share: Threshold[Share] = 0.30
    max_duplicate_paragraph_characters: Threshold[Share] = 0.20
    max_duplicate_line_share: Threshold[Share] = 0.30
    max_duplicate_line_characters: Threshold[Share] = 0.20
    max_top_2_gram: Threshold[NonNegative] = 0.20
    max_top_3_gram: Threshold[NonNegative] = 0.18
    max_top_4_gram: Threshold[NonNegative] = 0.16
    max_duplicate_5_gram: Threshold[NonNegative] = 0.15
    max_duplicate_6_gram: Threshold[NonNegative] = 0.14
    max_duplicate_7_gram: Threshold[NonNegative] = 0.13
    max_duplicate_8_gram: Threshold[NonNegative] = 0.12
    max_duplicate_9_gram: Threshold[NonNegative] = 0.11
    max_duplicate_10_gram: Threshold[NonNegative] = 0.10

    def rules(self) -> Mapping[str, Rule]:
        """Return one rule for each signal with a threshold, named like the signal and in the order of signals."""
        limits = self.parameters()
        return {signal: above(signal, limits[f"max_{signal}"]) for signal in self.signal_types if f"max_{signal}" in limits}

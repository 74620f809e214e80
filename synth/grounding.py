"""Grounding: check by text comparison, without another model, whether a model's output is supported by the passage it was given.

    evidence   every quotation is a substring of the passage, ignoring spaces, quotation marks and dashes (`ungrounded`)
    numbers    every number in the output occurs in the passage (`ungrounded_number`)
    copying    text in the model's own words is not copied: the share of its 8-grams that occur in the passage is limited (`near_copy`)

These are necessary conditions. They catch invented figures and quotations, which are the harmful mistakes; they do not prove an
argument.
"""

import re
from collections.abc import Sequence

from synth.arithmetic import numbers
from synth.task import Rejected

GROUNDING_VERSION = 1
_NGRAM = 8
_SAME = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "\u00a0": " ", "…": "..."})
_WORD = re.compile(r"[^\W_]+")


def require_quoted(evidence: Sequence[str], passage: str, min_words: int) -> None:
    """Raise Rejected unless every quotation has at least `min_words` words and occurs in the passage."""
    whole = _folded(passage)
    for quotation in evidence:
        if len(_WORD.findall(quotation)) < min_words:
            raise Rejected("ungrounded", {"too_short": quotation})
        if _folded(quotation) not in whole:
            raise Rejected("ungrounded", {"not_in_passage": quotation})


def require_known_numbers(texts: Sequence[str], passage: str) -> None:
    """Raise Rejected unless every number in the texts occurs in the passage."""
    known = set(numbers(passage))
    invented = sorted({number for text in texts for number in numbers(text)} - known)
    if invented:
        raise Rejected("ungrounded_number", {"numbers": invented})


def require_own_words(texts: Sequence[str], passage: str, max_share: float) -> None:
    """Raise Rejected if more than a share of the texts' 8-grams occur in the passage."""
    written = _ngrams(" ".join(texts))
    share = len(written & _ngrams(passage)) / len(written) if written else 0.0
    if share > max_share:
        raise Rejected("near_copy", {"share": round(share, 4), "at_most": max_share})


def _folded(text: str) -> str:
    return " ".join(text.translate(_SAME).split()).strip(" .\"'").casefold()


def _ngrams(text: str) -> set[tuple[str, ...]]:
    words = [word.casefold() for word in _WORD.findall(text)]
    return {tuple(words[n : n + _NGRAM]) for n in range(len(words) - _NGRAM + 1)}

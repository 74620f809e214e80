"""Grounding: check by text comparison, without another model, whether a model's output is supported by the passage it was given.

    evidence   every quotation is a substring of the passage, ignoring spaces, quotation marks and dashes (`ungrounded`)
    numbers    every number in the output occurs in the passage (`ungrounded_number`)
    names      every name in the output (a capitalised word inside a sentence, a word with inner capitals) occurs in the evidence, or at
               least twice in the passage (`ungrounded_name`)
    bearing    question and evidence speak of the same things, and so do explanation and passage, answer and all of these (`unsupported`)
    copying    text in the model's own words is not copied: the share of its 8-grams that occur in the passage is limited (`near_copy`)

These are necessary conditions. They catch invented figures and quotations, which are the harmful mistakes; they do not prove an
argument.
"""

import re
from collections import Counter
from collections.abc import Sequence

from synth.arithmetic import numbers
from synth.procedural.phrasebook import book
from synth.task import Rejected

GROUNDING_VERSION = 2
_NGRAM = 8
_STEM = 5
_NAME = re.compile(r"(?<=[^\W\d_][,;] |.[^\W_.!?:]\s)([A-Z][^\W\d_]+)|\b([^\W\d_]+[a-z][A-Z]\w*|[A-Z]{3,})\b")
_EMPTY = frozenset(book("words")["empty"].split())
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


def require_known_names(texts: Sequence[str], evidence: Sequence[str], passage: str) -> None:
    """Raise Rejected unless every name in the texts stands in the evidence, or more than once in the passage."""
    told = {word.casefold() for quotation in evidence for word in _WORD.findall(quotation)}
    counted = Counter(word.casefold() for word in _WORD.findall(passage))
    invented = sorted({name for text in texts for name in _names(text) if name.casefold() not in told and counted[name.casefold()] < 2})
    if invented:
        raise Rejected("ungrounded_name", {"names": invented})


def require_bearing(fields: Sequence[tuple[str, str]], evidence: str, passage: str) -> None:
    """Raise Rejected unless (name, text) pairs speak of the same things as the evidence, or the passage where there is none.

    The first and the last, question and answer, are compared with the evidence and what stands before them; others with the passage too.
    """
    known, whole = _stems(evidence or passage), _stems(passage)
    for place, (name, text) in enumerate(fields, 1):
        stems = _stems(text)
        if not stems & (known if place in (1, len(fields)) else known | whole):
            raise Rejected("unsupported", {"has nothing to do with the rest": name})
        known |= stems


def _names(text: str) -> set[str]:
    """Return words with a capital that does not begin a sentence, and words with inner capitals."""
    return {found[1] or found[2] for found in _NAME.finditer(text)}


def _stems(text: str) -> set[str]:
    """Return the beginnings of the words that carry meaning."""
    words = {word.casefold() for word in _WORD.findall(text)}
    return {word[:_STEM] for word in words if len(word) > 2 and word not in _EMPTY and not word.isdigit()}


def _folded(text: str) -> str:
    return " ".join(text.translate(_SAME).split()).strip(" .\"'").casefold()


def _ngrams(text: str) -> set[tuple[str, ...]]:
    words = [word.casefold() for word in _WORD.findall(text)]
    return {tuple(words[n : n + _NGRAM]) for n in range(len(words) - _NGRAM + 1)}

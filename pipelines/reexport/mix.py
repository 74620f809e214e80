"""A mix decides how often each kept document is written: never, once, or several times.

    web=0.5                         half of the documents of an origin or a source
    textbook=3                      each of its documents three times
    textbook=30%   textbook=2B      enough documents for a share of --tokens, or for a number of tokens
    score:3..5=2                    the documents in a range of a signal, with LOW but without HIGH; either may be left out
    cluster_size:5..=3              the same for the size of the cluster of duplicates (FineWeb2's rehydration, Penedo et al. 2025)
    score@19..20=2                  the documents in some vigintiles of a signal: 1 is its lowest twentieth, 20 its highest
    language.language:en=2          the documents with this value of a text signal

A document's weight is the product of the weight of its source (or else of its origin) and the weight of one range of each signal. A weight
of 2.3 writes every document twice, and three of ten documents once more.

Invariants
    - A source or signal that the run does not have is an error, and so are overlapping ranges.
    - A smaller weight draws a subset of what a larger one draws.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal

from curation.choices import nearest
from curation.errors import UsageError
from pipelines.inspect.sources import SHOWN, others_in_words

LARGEST = 1000.0
"""The largest weight; a larger one is a mistake."""
SMALLEST = 1e-6
"""The smallest weight above zero; a smaller one is a mistake."""

MOST_TOKENS = 10**18
"""The largest number of tokens that can be requested; it fits into 64 bits."""

CLUSTER_SIZE = "cluster_size"
VIGINTILES = 20

_UNITS = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_AMOUNT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(%|[KMBTkmbt]?)")
_RANGE = re.compile(r"(-?[\d.]+(?:e[+-]?\d+)?)?\.\.(-?[\d.]+(?:e[+-]?\d+)?)?")
_TWENTIETHS = re.compile(r"(\d{1,2})(?:\.\.(\d{1,2}))?")
_HOW = "write NAME=SHARE, such as synthetic=0.5, or one of the other forms of `curate export --help`"


@dataclass(frozen=True)
class Part:
    """The weight of a source or an origin: a `rate`, a `share` of the budget, or a number of `tokens`."""

    name: str
    kind: Literal["rate", "share", "tokens"]
    amount: float


@dataclass(frozen=True)
class Band:
    """The weight of a range of a signal (with `low`, without `high`), of some of its vigintiles (with both), or of one word."""

    signal: str
    rate: float
    low: float | None = None
    high: float | None = None
    word: str | None = None
    vigintiles: bool = False

    def in_words(self) -> str:
        """Describe the band."""
        if self.word is not None:
            return f"{self.signal} {self.word}"
        if self.vigintiles:
            return f"vigintiles {self.low:g} to {self.high:g} of {self.signal}"
        low, high = (f"{bound:g}" if bound is not None else "" for bound in (self.low, self.high))
        return f"{self.signal} {f'from {low}' if low else ''}{' ' if low and high else ''}{f'below {high}' if high else ''}"


@dataclass(frozen=True)
class Mix:
    """Weights of parts and bands, and the number of tokens to write (None: no limit)."""

    parts: tuple[Part, ...] = ()
    bands: tuple[Band, ...] = ()
    tokens: int | None = None

    def __bool__(self) -> bool:
        """Return whether there is anything to mix."""
        return bool(self.parts or self.bands or self.tokens is not None)

    @property
    def has_budget(self) -> bool:
        """Whether tokens must be counted before anything can be drawn."""
        return self.tokens is not None or any(part.kind != "rate" for part in self.parts)

    def in_words(self) -> str:
        """Describe the mix."""
        told = [_part_in_words(part) for part in self.parts] + [_rate_in_words(band.rate, band.in_words()) for band in self.bands]
        return ", ".join(told + ([f"{self.tokens:,} tokens in all"] if self.tokens is not None else []))


@dataclass(frozen=True)
class Known:
    """The names in a run: origins and sources of its kept rows, and its signals with whether they are numbers."""

    parts: Sequence[str]
    signals: dict[str, bool] = field(default_factory=dict)


def amount_of(text: str, option: str) -> int:
    """Parse a number of tokens written as 500M or 10B. Raises UsageError if it is not one."""
    match = _AMOUNT.fullmatch(text.strip())
    value = float(match[1]) * _UNITS.get(match[2].upper(), 1) if match is not None and match[2] != "%" else 0
    if not 1 <= value <= MOST_TOKENS:
        raise UsageError(f"{option} {text!r}: write a number of tokens, such as 500M or 10B")
    return round(value)


def parse_mix(entries: Sequence[str], tokens: str | None, known: Known) -> Mix:
    """Parse `--mix` and `--tokens`. Raises UsageError for names that the run does not have, and for impossible values."""
    parts: list[Part] = []
    bands: list[Band] = []
    for entry in entries:
        found = _entry(entry, known)
        (parts if isinstance(found, Part) else bands).append(found)  # type: ignore[arg-type]
    for name, first in {part.name: part for part in parts}.items():
        if sum(part.name == name for part in parts) > 1:
            raise UsageError(f"--mix names {first.name!r} twice")
    _refuse_overlaps(bands)
    budget = amount_of(tokens, "--tokens") if tokens is not None else None
    _check_budget(parts, budget)
    return Mix(tuple(sorted(parts, key=lambda part: part.name)), tuple(bands), budget)


def _entry(entry: str, known: Known) -> Part | Band:
    name, equals, text = entry.rpartition("=")
    match = _AMOUNT.fullmatch(text.strip())
    if not equals or not name or match is None:
        raise UsageError(f"--mix {entry!r}: {_HOW}")
    value, unit = float(match[1]), match[2].upper()
    if name in known.parts:
        if unit in _UNITS:
            return Part(name, "tokens", amount_of(text, f"--mix {entry!r}:"))
        return Part(name, "share", value / 100) if unit == "%" else Part(name, "rate", _rate(value, entry))
    signal, mark, place = _signal_and_place(name)
    if not mark:
        raise UsageError(_unknown_part(entry, name, known.parts))
    if signal not in known.signals:
        raise UsageError(f"--mix {entry!r}: the run has no source, origin or signal {signal!r}{nearest(signal, known.signals)}")
    if unit:
        raise UsageError(f"--mix {entry!r}: a range of a signal has a plain weight, such as {name}=2; shares and tokens are for sources")
    return _band(entry, signal, mark, place, _rate(value, entry), known.signals[signal])


def _signal_and_place(name: str) -> tuple[str, str, str]:
    """Split `score:3..5` or `score@19..20` at its mark."""
    mark = "@" if "@" in name else ":"
    return name.partition(mark)


def _band(entry: str, signal: str, mark: str, place: str, rate: float, is_number: bool) -> Band:
    if not is_number:
        if mark == "@" or not place:
            raise UsageError(f"--mix {entry!r}: {signal} is a word and has no vigintiles; write {signal}:WORD=WEIGHT")
        return Band(signal, rate, word=place)
    if mark == "@":
        match = _TWENTIETHS.fullmatch(place)
        low, high = (int(match[1]), int(match[2] or match[1])) if match is not None else (0, 0)
        if not 1 <= low <= high <= VIGINTILES:
            raise UsageError(f"--mix {entry!r}: vigintiles go from 1 to {VIGINTILES}, such as {signal}@19..20=2")
        return Band(signal, rate, low, high, vigintiles=True)
    match = _RANGE.fullmatch(place)
    try:
        lower, upper = (None if match is None or not bound else float(bound) for bound in (match.groups() if match else (None, None)))
    except ValueError:
        match = None
    if match is None or (lower is None and upper is None) or (lower is not None and upper is not None and lower >= upper):
        raise UsageError(f"--mix {entry!r}: write a range as LOW..HIGH, such as {signal}:3..5=2; one of the two may be left out")
    return Band(signal, rate, lower, upper)


def _rate(value: float, entry: str) -> float:
    if value > LARGEST or 0 < value < SMALLEST:
        raise UsageError(f"--mix {entry!r}: a weight is 0, or from {SMALLEST:g} to {LARGEST:g}")
    return value


def _unknown_part(entry: str, name: str, known: Sequence[str]) -> str:
    listed = [*known[:SHOWN], others_in_words(len(known) - SHOWN)] if len(known) > SHOWN else known
    close = nearest(name, known) if get_close_matches(name, known, n=1, cutoff=0.5) else ""
    return f"--mix {entry!r}: no kept row has the source or origin {name!r}{close}; the run has: {', '.join(listed)}"


def _refuse_overlaps(bands: Sequence[Band]) -> None:
    by_signal: dict[str, list[Band]] = {}
    for band in bands:
        by_signal.setdefault(band.signal, []).append(band)
    for signal, own in by_signal.items():
        if len({band.vigintiles for band in own}) > 1:
            raise UsageError(f"--mix gives {signal} both ranges and vigintiles; give one of the two")
        for place, band in enumerate(own):
            if any(_overlap(band, other) for other in own[:place]):
                raise UsageError(f"--mix: two ranges of {signal} overlap; a document must have one weight of it")


def _overlap(one: Band, other: Band) -> bool:
    if one.word is not None or other.word is not None:
        return one.word == other.word
    step = 1.0 if one.vigintiles else 0.0
    (low, high), (low2, high2) = (_bounds(band, step) for band in (one, other))
    return low < high2 and low2 < high


def _bounds(band: Band, step: float) -> tuple[float, float]:
    return (float("-inf") if band.low is None else band.low, float("inf") if band.high is None else band.high + step)


def _check_budget(parts: Iterable[Part], budget: int | None) -> None:
    shares = sum(part.amount for part in parts if part.kind == "share")
    if shares and budget is None:
        raise UsageError("--mix NAME=30% is a share of --tokens: give it, or write a weight such as NAME=0.3")
    if shares > 1 + 1e-9:
        raise UsageError(f"--mix: the shares of --tokens add up to {100 * shares:.4g} %, which is more than all of it")
    tokens = sum(part.amount for part in parts if part.kind == "tokens")
    if budget is not None and tokens + shares * budget > budget * (1 + 1e-9):
        raise UsageError(f"--mix: its parts need {tokens + shares * budget:,.0f} tokens, which is more than --tokens {budget:,}")


def _part_in_words(part: Part) -> str:
    if part.kind == "rate":
        return _rate_in_words(part.amount, part.name)
    if part.kind == "share":
        return f"{part.name} for {100 * part.amount:.3g} % of the tokens"
    return f"{part.name} for {part.amount:,.0f} tokens"


def _rate_in_words(rate: float, what: str) -> str:
    return f"{100 * rate:.3g} % of {what}" if rate <= 1 else f"{rate:g} times {what}"

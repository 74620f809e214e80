"""The wording of numbers and untrusted text, the same for the terminal, the report and the card.

Invariant: `printable` returns no character that could move a cursor, end a line or change the direction of writing.
"""

import unicodedata
from collections.abc import Mapping

from curation.counting import counted

_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Unicode's Bidi_Control characters."""


NO_LICENSE = "other"
"""The licence of a dataset whose recipe names none, in the vocabulary of the Hugging Face hub."""


def number(value: float | None) -> str:
    """Return a number with four significant digits, or with all digits when it is whole; empty for None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:,.4g}"


def dropped_side(drops: str | None, threshold: float | None) -> str:
    """Say which side of its threshold a rule drops."""
    if drops is None:
        return "is not a plain threshold"
    return f"drops values {drops} {number(threshold) if threshold is not None else 'a threshold that depends on the document'}"


def compact(value: float) -> str:
    """Return a number with three digits and a unit, for narrow places; small numbers have no unit."""
    for bound, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= max(bound, 1e4):
            return f"{value / bound:.3g}{unit}"
    return number(float(f"{value:.3g}")) if abs(value) < 1000 else number(value)


def size(count: float) -> str:
    """Return a number of bytes with a binary unit."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} TiB"


def cut_in_words(passages: int, documents: int, text_bytes: int) -> str:
    """Say how much repeated text was cut from the kept documents."""
    cut = counted(passages, "repeated line or paragraph", "repeated lines or paragraphs")
    return f"Cut from kept documents: {cut}, {size(text_bytes)}, in {counted(documents, 'document')}"


def lost_in_words(records: int) -> str:
    """Say that records could not be read which the ledger counts together with others, in one row (damage, a missing column, a limit)."""
    return f"{counted(records, 'further record')} could not be read; unreadable rows of the ledger account for them"


def verdicts_in_words(verdicts: Mapping[str, int]) -> str:
    """Return the number of generated rows of each verdict."""
    return ", ".join(f"{rows:,} {verdict}" for verdict, rows in verdicts.items())


def loss_in_words(source: str, duplicates: int, documents: int, alarm_share: float) -> str:
    """Say that a source lost more than the recipe's share of its documents; the caller makes the source's name printable."""
    lost = f"{duplicates:,} of {counted(documents, 'document')} ({duplicates / documents:.0%}) as duplicates"
    return f"source {source} lost {lost}, more than {alarm_share:.0%}"


def license_in_words(license: str) -> str:
    """Say what to do while no licence is chosen; empty when one is."""
    if license != NO_LICENSE:
        return ""
    return (
        'The dataset\'s licence is "other". The sources of the texts decide whether and how you may share this dataset: check them, then'
        ' set license = "..." in the recipe, or --set license=... for one run'
    )


def comparison_in_words(shingles: str, bands: int, rows: int, threshold: float) -> str:
    """Say how documents are compared."""
    return f"{shingles} per shingle, {bands} bands of {rows} rows, duplicates from {number(threshold)}"


def printable(text: str, most: int | None = None) -> str:
    """Return text on one line of at most `most` characters, with "⏎" for line ends and escapes for what does not print."""
    if most is not None and len(text) > most:
        text = f"{text[: most - 1]}…"
    shown = text.replace("\r\n", "\n").replace("\n", " ⏎ ").replace("\t", " ")
    return "".join(character if character.isprintable() else _escape(character) for character in shown)


def readable(text: str, most: int | None = None) -> str:
    """Return text for a page, with escapes for control and direction characters; joiners stay, since some scripts need them."""
    if most is not None and len(text) > most:
        text = f"{text[: most - 1]}…"
    return "".join(
        character
        if character in "\n\t" or (unicodedata.category(character) not in ("Cc", "Cs") and character not in _DIRECTIONS)
        else f"\\u{ord(character):04x}"
        for character in text
    )


def _escape(character: str) -> str:
    """Return a plain space for any other space, and the code point of any other character."""
    return " " if unicodedata.category(character) == "Zs" else f"\\u{ord(character):04x}"

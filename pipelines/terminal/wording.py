"""How numbers and foreign text are written for people: one way for the terminal, the report and the card.

Invariant: `printable` returns no character that could move a cursor, end a line or turn the direction of writing.
"""

import unicodedata

from curation.counting import counted

_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Unicode's Bidi_Control characters."""


NO_LICENSE = "other"
"""The licence of a dataset whose recipe chose none, as the Hugging Face hub calls it."""


def number(value: float | None) -> str:
    """Return a number with four significant digits, or all digits where it is whole; nothing for None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:,.4g}"


def dropped_side(drops: str | None, threshold: float | None) -> str:
    """Say what a rule drops: one side of its threshold, or of each document's own."""
    if drops is None:
        return "is not a plain threshold"
    return f"drops what is {drops} {number(threshold) if threshold is not None else 'a threshold of its own'}"


def compact(value: float) -> str:
    """Return a number in three digits and a unit, for places that have no room; small ones as they are."""
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
    """Say what repeated lines took out of the documents that were kept."""
    cut = counted(passages, "repeated line or paragraph", "repeated lines or paragraphs")
    return f"Cut from kept documents: {cut}, {size(text_bytes)}, in {counted(documents, 'document')}"


def lost_in_words(records: int) -> str:
    """Say that records were lost that no row of the ledger is alone for."""
    return f"{counted(records, 'record was', 'records were')} lost to damage in input files; unreadable rows of the ledger stand for them"


def loss_in_words(source: str, duplicates: int, documents: int, alarm_share: float) -> str:
    """Say that a source lost more of its documents than the recipe's share; the source's name is as printable as the caller makes it."""
    lost = f"{duplicates:,} of {counted(documents, 'document')} ({duplicates / documents:.0%}) as duplicates"
    return f"source {source} lost {lost}, more than {alarm_share:.0%}"


def license_in_words(license: str) -> str:
    """Say what is to be done about a licence that nobody chose; nothing where one was."""
    if license != NO_LICENSE:
        return ""
    return (
        "No licence was chosen for this dataset. Whether it may be passed on, and how, its texts decide: look at where they come from, then"
        ' set license = "..." in the recipe, or for one run --set license=...'
    )


def comparison_in_words(shingles: str, bands: int, rows: int, threshold: float) -> str:
    """Say how documents were, or would be, compared."""
    return f"{shingles} a shingle, {bands} bands of {rows}, duplicates from {number(threshold)}"


def printable(text: str, most: int | None = None) -> str:
    """Return text on one line, characters that do not print as escapes, line ends as "⏎", at most so many characters."""
    if most is not None and len(text) > most:
        text = f"{text[: most - 1]}…"
    shown = text.replace("\r\n", "\n").replace("\n", " ⏎ ").replace("\t", " ")
    return "".join(character if character.isprintable() else _escape(character) for character in shown)


def readable(text: str, most: int | None = None) -> str:
    """Return text for a page: controls and marks of direction as escapes; joiners, which some scripts need, stay."""
    if most is not None and len(text) > most:
        text = f"{text[: most - 1]}…"
    return "".join(
        character
        if character in "\n\t" or (unicodedata.category(character) not in ("Cc", "Cs") and character not in _DIRECTIONS)
        else f"\\u{ord(character):04x}"
        for character in text
    )


def _escape(character: str) -> str:
    """Return a space for an unusual space, and the code point of anything else."""
    return " " if unicodedata.category(character) == "Zs" else f"\\u{ord(character):04x}"

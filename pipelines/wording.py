"""How numbers and foreign text are written for people: one way for the terminal, the report and the card.

Invariant: `printable` returns no character that could move a cursor, end a line or turn the direction of writing.
"""

import unicodedata


def number(value: float | None) -> str:
    """Return a number with four significant digits, or all digits where it is whole; nothing for None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:,.4g}"


def size(count: float) -> str:
    """Return a number of bytes with a binary unit."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} TiB"


def printable(text: str, most: int | None = None) -> str:
    """Return text on one line, control and format characters as escapes, line ends as "⏎", at most so many characters."""
    if most is not None and len(text) > most:
        text = f"{text[: most - 1]}…"
    shown = text.replace("\r\n", "\n").replace("\n", " ⏎ ").replace("\t", " ")
    return "".join(
        character if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp") else f"\\u{ord(character):04x}"
        for character in shown
    )

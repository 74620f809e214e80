"""Dates as crawls write them: the variants of ISO 8601, and the digits of ARC. A date without a zone is UTC."""

from datetime import UTC, datetime

_DIGITS = 14


def parse_date(written: str) -> datetime | None:
    """Return the time in UTC, or None if the text is not a recognisable date."""
    text = written.strip()
    if text.isascii() and text.isdigit() and len(text) >= _DIGITS:
        text = f"{text[:8]}T{text[8:_DIGITS]}"
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None

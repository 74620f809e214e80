"""Counts for people: "1 file", "2 files", "1,000 files"."""


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun; `many` is the plural if it is not formed with "s"."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"

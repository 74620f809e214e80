"""How things are counted for people: "1 file", "2 files", "1,000 files"."""


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a number with what it counts, as a person would say it; `many` is for words that take more than an "s"."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"

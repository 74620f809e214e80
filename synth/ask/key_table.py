"""A table from the keys of requests to whole numbers in some 30 bytes a key, so that a log of millions of replies fits in memory.

Open addressing with linear probing over two arrays. A key (SHA-256 in hex) is known by its first 64 bits; its user reads the whole key
where a mistake would matter (`ReplyLog.get`).
"""

from array import array

_EMPTY = 0
_MOST_FILLED = 0.6


class KeyTable:
    """Key -> number (0 to 2^64 - 1)."""

    def __init__(self, size: int = 1024) -> None:
        """Begin empty; `size` is a power of two."""
        self._count = 0
        self._marks = array("Q", bytes(8 * size))
        self._values = array("Q", bytes(8 * size))

    def __len__(self) -> int:
        """Return the number of keys."""
        return self._count

    def get(self, key: str) -> int | None:
        """Return the number of a key, or None."""
        place = self._place(_mark(key))
        return self._values[place] if self._marks[place] != _EMPTY else None

    def put(self, key: str, value: int) -> None:
        """Set the number of a key."""
        mark = _mark(key)
        place = self._place(mark)
        if self._marks[place] == _EMPTY:
            if self._count >= _MOST_FILLED * len(self._marks):
                self._grow()
                place = self._place(mark)
            self._marks[place] = mark
            self._count += 1
        self._values[place] = value

    def _place(self, mark: int) -> int:
        """Return where a key is, or where it would go."""
        last = len(self._marks) - 1
        place = mark & last
        while self._marks[place] not in (mark, _EMPTY):
            place = (place + 1) & last
        return place

    def _grow(self) -> None:
        marks, values, size = self._marks, self._values, 2 * len(self._marks)
        self._marks, self._values = array("Q", bytes(8 * size)), array("Q", bytes(8 * size))
        for mark, value in zip(marks, values, strict=True):
            if mark != _EMPTY:
                place = self._place(mark)
                self._marks[place], self._values[place] = mark, value


def _mark(key: str) -> int:
    return int(key[:16], 16) or 1

"""A patient store is an object store that repeats failed requests.

Arrow's S3 client sends a request at most three times within about two seconds; an outage that lasts longer would fail a unit. Every request
of this project can be repeated without harm: it reads a range, lists, deletes, or writes a whole object.

Invariant: a file's bytes are those of the object, in order; a request that fails MOST_SENT times raises the store's last error.
"""

import io
import time
from collections.abc import Callable
from typing import Any, TypeVar

import pyarrow as pa
from pyarrow import fs

from curation.storage.outages import may_pass
from curation.storage.traffic import count

MOST_SENT = 6
"""How often a request is sent to Arrow's client."""

FIRST_WAIT = 0.1
"""Seconds before the second request; three times as long before each further one: twelve seconds of outage in all."""

SMALL = 1 << 20
"""An object of at most this many bytes is read by one request, whichever part is needed."""

_Answer = TypeVar("_Answer")


def patiently(ask: Callable[[], _Answer]) -> _Answer:
    """Return the result of a request; repeat it while its failure may pass."""
    for attempt in range(MOST_SENT - 1):
        try:
            return ask()
        except OSError as error:
            if not may_pass(error):
                raise
            time.sleep(FIRST_WAIT * 3**attempt)
    return ask()


class PatientFile(io.RawIOBase):
    """An object that is open for reading at any position."""

    def __init__(self, file: Any) -> None:
        """Read an opened object."""
        self._file = file
        self._size: int = self._file.size()
        self._at = 0
        self._whole: bytes | None = None

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position, counted from the start, from the current position or from the end."""
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes, fewer only at the end."""
        left = max(0, self._size - self._at)
        asked = left if size is None or size < 0 else min(size, left)
        block = self._range(self._at, asked) if asked else b""
        self._at += len(block)
        return block

    def _range(self, start: int, size: int) -> bytes:
        if self._size > SMALL:
            return bytes(patiently(lambda: self._read_at(size, start)))
        if self._whole is None:
            self._whole = bytes(patiently(lambda: self._read_at(self._size, 0)))
        return self._whole[start : start + size]

    def _read_at(self, size: int, start: int) -> Any:
        count(reads=1, bytes_read=size)
        return self._file.read_at(size, start)

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the next bytes, and return their number."""
        block = self.read(len(buffer))
        buffer[: len(block)] = block
        return len(block)

    def close(self) -> None:
        """Close the object."""
        if not self.closed:
            self._file.close()
        super().close()


class PatientStore(fs.FileSystemHandler):  # type: ignore[misc]
    """An Arrow file system that repeats requests; writers repeat writes themselves, because they have the bytes."""

    def __init__(self, store: Any) -> None:
        """Send the requests to a file system."""
        self._store = store

    def _ask(self, ask: Callable[[], _Answer]) -> _Answer:
        """Send a request patiently, and count each time that it is sent."""

        def asked() -> _Answer:
            count(others=1)
            return ask()

        return patiently(asked)

    def __eq__(self, other: object) -> bool:
        """Return whether both are the same store."""
        return isinstance(other, PatientStore) and bool(self._store == other._store)

    def __hash__(self) -> int:
        """Return a hash of the store's kind."""
        return hash(self.get_type_name())

    def get_type_name(self) -> str:
        """Return the store's name."""
        return str(self._store.type_name)

    def normalize_path(self, path: str) -> str:
        """Return a path in the store's own form."""
        return str(self._store.normalize_path(path))

    def get_file_info(self, paths: list[str]) -> Any:
        """Return what the store knows of each path."""
        return self._ask(lambda: self._store.get_file_info(paths))

    def get_file_info_selector(self, selector: Any) -> Any:
        """List a folder."""
        return self._ask(lambda: self._store.get_file_info(selector))

    def create_dir(self, path: str, recursive: bool) -> None:
        """Make a folder."""
        self._ask(lambda: self._store.create_dir(path, recursive=recursive))

    def delete_dir(self, path: str) -> None:
        """Delete a folder."""
        self._ask(lambda: self._store.delete_dir(path))

    def delete_dir_contents(self, path: str, missing_dir_ok: bool = False) -> None:
        """Empty a folder."""
        self._ask(lambda: self._store.delete_dir_contents(path, missing_dir_ok=missing_dir_ok))

    def delete_root_dir_contents(self) -> None:
        """Refuse to empty the store."""
        raise NotImplementedError("nothing empties a whole store")

    def delete_file(self, path: str) -> None:
        """Delete an object."""
        self._ask(lambda: self._store.delete_file(path))

    def move(self, src: str, dest: str) -> None:
        """Rename an object."""
        count(others=1)
        self._store.move(src, dest)

    def copy_file(self, src: str, dest: str) -> None:
        """Copy an object."""
        self._ask(lambda: self._store.copy_file(src, dest))

    def open_input_stream(self, path: str) -> Any:
        """Open an object for reading from its start."""
        return self.open_input_file(path)

    def open_input_file(self, path: str) -> Any:
        """Open an object for reading at any place."""
        return pa.PythonFile(PatientFile(self._ask(lambda: self._store.open_input_file(path))), mode="r")

    def open_output_stream(self, path: str, metadata: Any) -> Any:
        """Open an object for writing."""
        return self._store.open_output_stream(path, compression=None, metadata=metadata or None)

    def open_append_stream(self, path: str, metadata: Any) -> Any:
        """Refuse to append: an object is written whole."""
        raise NotImplementedError(f"{path}: an object cannot be appended to")

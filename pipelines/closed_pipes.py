"""Closed pipes: what happens when the reader of our output goes away.

A run survives the program that follows its progress: when stderr closes, the run discards further progress and notes and continues. When
stdout closes (`curate why ... | head`), nobody reads the rest of the result, so the command ends quietly with the exit code of a process
that SIGPIPE ended.
"""

import os
import sys
from collections.abc import Iterable
from typing import Any

STDOUT_CLOSED = 141
"""128 + SIGPIPE."""


class EnduringStream:
    """A text stream that discards writes once its reader is gone. It delegates everything else to the wrapped stream."""

    def __init__(self, stream: Any) -> None:
        """Stand in for a stream."""
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        """Return what the stream itself has."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write the text, or discard it when the reader is gone."""
        try:
            return int(self._stream.write(text))
        except BrokenPipeError:
            _to_nowhere(self._stream)
            return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write lines, or discard them when the reader is gone."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush, or do nothing when the reader is gone."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            _to_nowhere(self._stream)


def endure_closed_stderr() -> None:
    """Let this process continue when the reader of its stderr goes away."""
    sys.stderr = EnduringStream(sys.stderr)


def silence_stdout() -> None:
    """Discard all further output to stdout, whose reader is gone."""
    _to_nowhere(sys.stdout)


def _to_nowhere(stream: Any) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)

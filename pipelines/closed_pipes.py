"""Pipes that close: what happens when whoever reads our output goes away.

A run must not die because the program that followed its progress did: when stderr closes, progress and notes go nowhere from then on, and
the run goes on. Results are another matter: when stdout closes (`curate why ... | head`), nobody waits for the rest, and the command ends
quietly with the exit code of a process that SIGPIPE ended.
"""

import os
import sys
from collections.abc import Iterable
from typing import Any

STDOUT_CLOSED = 141
"""128 + SIGPIPE."""


class EnduringStream:
    """A text stream that swallows what is written once its reader is gone. All else is the stream's own."""

    def __init__(self, stream: Any) -> None:
        """Stand in for a stream."""
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        """Return what the stream itself has."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or let it go."""
        try:
            return int(self._stream.write(text))
        except BrokenPipeError:
            _to_nowhere(self._stream)
            return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write lines, or let them go."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush, or let it go."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            _to_nowhere(self._stream)


def endure_closed_stderr() -> None:
    """Let this process go on when the reader of its stderr goes away."""
    sys.stderr = EnduringStream(sys.stderr)


def silence_stdout() -> None:
    """Send what is still to be written to stdout nowhere: its reader is gone."""
    _to_nowhere(sys.stdout)


def _to_nowhere(stream: Any) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)

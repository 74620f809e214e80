"""Verbs of the command line in this process, for tests that call many: what a user would see, without starting Python each time."""

import atexit
import contextlib
import io
import os
import tempfile
from dataclasses import dataclass

from pipelines.cli import app
from pipelines.ending import run_command

_ERRORS = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
"""Stands for standard error, and stays open until the end: threads and consoles of an earlier call may hold on to it."""
atexit.register(_ERRORS.close)


@dataclass(frozen=True)
class Said:
    """What a verb printed, and the exit code it ended with."""

    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        """Everything that was printed."""
        return self.out + self.err


def call(*arguments: object) -> Said:
    """Run `curate` with these arguments; what libraries write to standard error themselves is part of what it said."""
    out, real = io.StringIO(), os.dup(2)
    code: object = 0
    _ERRORS.seek(0)
    _ERRORS.truncate()
    os.dup2(_ERRORS.fileno(), 2)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(_ERRORS):
            code = run_command(app, [str(argument) for argument in arguments])
    except SystemExit as ended:
        code = ended.code
    finally:
        _ERRORS.flush()
        os.dup2(real, 2)
        os.close(real)
    _ERRORS.seek(0)
    return Said(code if isinstance(code, int) else int(code is not None), out.getvalue(), _ERRORS.read())

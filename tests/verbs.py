"""Verbs of the command line in this process, for tests that call many: what a user would see, without starting Python each time."""

import contextlib
import io
import sys
from dataclasses import dataclass
from unittest.mock import patch

from pipelines.cli import main


@dataclass(frozen=True)
class Said:
    """What a verb printed, and the exit code it ended with."""

    code: int
    out: str
    err: str


def call(*arguments: object) -> Said:
    """Run `curate` with these arguments; an error that a user would see as a traceback is raised."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with (
        patch.object(sys, "argv", ["curate", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    return Said(code if isinstance(code, int) else int(code is not None), out.getvalue(), err.getvalue())

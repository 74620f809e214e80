"""How a command ends: with an exit code, and after a failure with one message on stderr or, with --json, one document on stdout.

    {"error": {"kind": "recipe_error", "message": "...", "exit_code": 2, "log": null}}

`--json` therefore always prints exactly one JSON document, also for usage errors. Tracebacks go to the run's log, which the message names;
an unexpected error outside a run writes its traceback to a file of its own. `-v` prints tracebacks on stderr.
"""

import gc
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import typer

from curation.engine.signals import Ended, ended_told, raise_on_signals
from curation.errors import CurationError, InternalError
from curation.system_errors import error_in_words
from pipelines.closed_pipes import STDOUT_CLOSED, endure_closed_stderr, silence_stdout
from pipelines.terminal.wording import printable

_NEW_OBJECTS = 10_000
"""How many new objects make Python look for garbage. Its default, 700, costs an eighth of the time in which kernels are compiled."""


@dataclass(frozen=True)
class Ending:
    """The report of a failed command; `kind` is the error's class in snake case, `log` the file with the details."""

    kind: str
    message: str
    exit_code: int
    log: str | None = None


@dataclass(frozen=True)
class _Telling:
    """How to report a failure: as a document on stdout, with tracebacks, or as an event on stderr."""

    as_json: bool
    verbose: bool
    as_event: bool


def run_command(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run a command line, report its failure if it fails, and return its exit code."""
    options = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    told = _Telling("--json" in options, bool({"-v", "--verbose"} & set(options)), _wants_events(options))
    try:
        with ended_told():
            code = app(list(arguments), prog_name="curate", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except typer.TyperException as error:
        return _tell(Ending("usage_error", _usage_told(error, arguments), error.exit_code), "", told)
    except CurationError as error:
        return _tell(Ending(_kind(error), str(error), error.exit_code, error.log), error.details, told)
    except Ended as end:
        kept = f"; finished work is kept in {end.kept}, and the same command resumes from there" if end.kept else ""
        return _tell(Ending("ended", f"{end}{kept}", end.exit_code), "", told)
    except BrokenPipeError:
        silence_stdout()
        return STDOUT_CLOSED
    except OSError as error:
        from curation.engine.failures import traceback_of

        message = "; ".join([error_in_words(error), *getattr(error, "__notes__", ())])
        return _tell(Ending("os_error", message, 1), traceback_of(error), told)
    except Exception as error:
        from curation.engine.failures import in_one_line, traceback_of

        details = traceback_of(error)
        log = None if told.verbose else _kept(details)
        return _tell(Ending(_kind(InternalError()), f"internal error {in_one_line(error)}", 1, log), details, told)


def _usage_told(error: typer.TyperException, arguments: Sequence[str]) -> str:
    """Say in one line what is wrong with a command line, and which command prints its help. A verb without arguments prints its help."""
    said = error.format_message().rstrip(".")
    if said.startswith("Usage:"):
        return said
    context = getattr(error, "ctx", None)
    command = context.command_path if context else f"curate {arguments[0]}"
    return f"{said[0].lower()}{said[1:]}{' See' if said.endswith('?') else '; see'} {command} --help"


def _wants_events(options: Sequence[str]) -> bool:
    """Return whether progress, and therefore also an error, goes to stderr as events."""
    return "--progress=json" in options or ("--progress", "json") in pairwise(options)


def _tell(ending: Ending, details: str, told: _Telling) -> int:
    """Report how a command ended and return its exit code."""
    if told.as_json:
        typer.echo(json.dumps({"error": asdict(ending)}, indent=2, ensure_ascii=False))
    if told.as_event:
        from pipelines.progress.events import write_event

        write_event("error", **asdict(ending))
        return ending.exit_code
    if told.verbose and details:
        typer.echo("\n".join(map(printable, details.splitlines())), err=True)
    if not told.as_json:
        more = f"; details in {ending.log}" if ending.log and details else ""
        first, *others = ending.message.splitlines() or [""]
        first = first if first.startswith("Usage:") else f"curate: {first}"
        typer.echo("\n".join(printable(line) for line in [f"{first}{more}", *others]), err=True)
    return ending.exit_code


def _kept(details: str) -> str:
    """Write a traceback to a file of its own and return the file's name."""
    with tempfile.NamedTemporaryFile("w", prefix="curate-error-", suffix=".log", delete=False, encoding="utf-8") as file:
        file.write(details)
    return str(Path(file.name))


def _kind(error: CurationError) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", type(error).__name__).lower()


def main_exit(app: typer.Typer) -> None:
    """Run this process's command line and exit, without a last search for garbage, which takes a third of a second."""
    gc.set_threshold(_NEW_OBJECTS)
    raise_on_signals()
    endure_closed_stderr()
    code = run_command(app, sys.argv[1:])
    gc.freeze()
    sys.exit(code)

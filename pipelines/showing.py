"""How a verb shows its result: as tables, or with --json as one JSON document on stdout."""

import json
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

Folder = Annotated[str, typer.Argument(metavar="DIR", help="The folder of a run.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]


def show(result: Any, as_json: bool, render: Callable[[Any], None]) -> None:
    """Print a result."""
    if as_json:
        from pipelines.report.tables import as_plain

        typer.echo(json.dumps(as_plain(result), indent=2, ensure_ascii=False))
    else:
        render(result)


def note(*folders: str) -> None:
    """Warn on stderr when a run has not ended or its records are damaged."""
    from pipelines.inspect.run_state import note_on

    for folder in folders:
        said = note_on(folder)
        if said is not None:
            warn(said)


def warn(line: str) -> None:
    """Print a message for the user to stderr."""
    from pipelines.terminal.wording import printable

    typer.echo(f"curate: {printable(line)}", err=True)


class _NoPandas:
    """Refuses to find pandas."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:  # noqa: ARG002
        """Raise what Python raises where there is no module of that name."""
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)


def without_pandas() -> None:
    """Keep pyarrow from importing pandas, where that is installed, when it makes its first array.

    It does so to recognise pandas' own columns. Looking at a run meets none of those, and the import would take longer than the look.
    """
    import pyarrow as pa

    sys.meta_path.insert(0, refusing := _NoPandas())
    pa.array([])
    sys.meta_path.remove(refusing)

"""How a verb shows its result: as tables, or with --json as one JSON document on stdout."""

import json
from collections.abc import Callable
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]


def show(result: Any, as_json: bool, render: Callable[[Any], None]) -> None:
    """Print a result."""
    if as_json:
        from pipelines.report.tables import as_plain

        typer.echo(json.dumps(as_plain(result), indent=2, ensure_ascii=False))
    else:
        render(result)

"""`curate serve`: the verb that shows runs in a browser."""

import json
from collections.abc import Sequence
from typing import Annotated

import typer

from curation.errors import UsageError


def serve(
    folders: Annotated[list[str], typer.Argument(metavar="DIR...", help="Folders of runs.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free port.")] = 8765,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Any address but loopback can be reached from the network.")
    ] = "127.0.0.1",
    labels: Annotated[str, typer.Option(metavar="FILE", help="Parquet file to write labels to.")] = "labels.parquet",
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as one JSON document, for a program that opens it.")] = False,
) -> None:
    """Show runs in a browser.

    It shows their funnel, signals with movable thresholds, documents and duplicates, and has a form to label texts.

    The page writes nothing to the run's folder. The printed address holds a token; without the token the page shows nothing.

    Example: curate serve out/demo
    """
    try:
        from pipelines.serve.serving import serve as serving
    except ModuleNotFoundError as error:
        raise UsageError(f'the page needs {error.name}: pip install "textbook-curation[serve]"') from error

    def tell(line: str) -> None:
        typer.echo(f"curate: {line}", err=True)

    def ready(address: str, runs: Sequence[str]) -> None:
        if as_json:
            typer.echo(json.dumps({"address": address, "runs": list(runs)}, ensure_ascii=False))
        else:
            tell(f"Serving {', '.join(runs)} at {address}")
            tell("Press Ctrl-C to stop.")

    serving(folders, host, port, labels, tell, ready)

"""`curate serve`: the verb that shows runs in a browser."""

from typing import Annotated

import typer

from curation.errors import UsageError


def serve(
    folders: Annotated[list[str], typer.Argument(metavar="DIR...", help="Folders of runs.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any that is free.")] = 8765,
    host: Annotated[str, typer.Option(help="Address to listen on; others than loopback are seen by the network.")] = "127.0.0.1",
    labels: Annotated[str, typer.Option(metavar="FILE", help="Parquet file that labels go to.")] = "labels.parquet",
) -> None:
    """Show runs in a browser: funnel, signals with movable thresholds, documents, duplicates, labelling.

    Nothing in the run's folder is written. The printed address holds a token; without it nothing is shown.

    Example: curate serve out/demo
    """
    try:
        from pipelines.serve.serving import serve as serving
    except ModuleNotFoundError as error:
        raise UsageError(f'the page needs {error.name}: pip install "textbook-curation[serve]"') from error
    serving(folders, host, port, labels, lambda line: typer.echo(f"curate: {line}", err=True))

"""The command line's verbs that make judges: `curate train`."""

from typing import Annotated

import typer

from pipelines.showing import Json, show

train = typer.Typer(no_args_is_help=True, help="Train a model of the project's own on your labels, and evaluate it on groups held out.")


@train.command("extractor")
def train_extractor_weights(
    pages: Annotated[list[str], typer.Argument(metavar="PAGES...", help="Parquet files with html, gold_text, and url or host.")],
    out: Annotated[str, typer.Option(help="Weights file to write; its card goes beside it.")] = "weights.npz",
    as_json: Json = False,
) -> None:
    """Train the block extractor on pages with gold text; evaluate it on held-out sites.

    Example: curate train extractor pages/*.parquet --out weights.npz
    """
    from pipelines.report.tables import show_training
    from pipelines.train.extractor.training import train_extractor

    show(train_extractor(pages, out, lambda step: typer.echo(f"curate: {step}", err=True)), as_json, show_training)


@train.command("score")
def train_score(
    labels: Annotated[list[str], typer.Argument(metavar="LABELS...", help="JSONL or Parquet files with texts and scores (0-5).")],
    out: Annotated[str, typer.Option(help="Model file to write; its card goes beside it.")] = "model.safetensors",
    text: Annotated[str, typer.Option(help="Column with the text.")] = "text",
    score: Annotated[str, typer.Option(help="Column with the score, 0 to 5.")] = "score",
    group: Annotated[str, typer.Option(help="Column with the group of each text; whole groups are held out.")] = "source",
    trainer: Annotated[str, typer.Option(help="linear, fasttext, or best, which trains both and keeps the better one.")] = "linear",
    as_json: Json = False,
) -> None:
    """Train the educational score on labelled text; evaluate it on held-out groups.

    Example: curate train score labels/*.jsonl --out edu.safetensors --group site
    """
    from pipelines.report.tables import show_training
    from pipelines.train.training import train_model

    show(train_model(labels, out, text=text, score=score, group=group, trainer=trainer), as_json, show_training)

"""The command line's verbs that make models that score texts: `curate annotate`, `curate train`, `curate buckets`."""

from typing import Annotated

import typer

from pipelines.showing import Folder, Json, show, warn

train = typer.Typer(no_args_is_help=True, help="Train one of the program's models on your labels.")


@train.command("extractor")
def train_extractor_weights(
    pages: Annotated[list[str], typer.Argument(metavar="PAGES...", help="Parquet files with html, gold_text, and url or host.")],
    out: Annotated[str, typer.Option(help="Weights file to write; its card goes beside it.")] = "weights.npz",
    as_json: Json = False,
) -> None:
    """Train the block extractor on pages with gold text. It is evaluated on held-out sites.

    Example: curate train extractor pages/*.parquet --out weights.npz
    """
    from pipelines.report.tables import show_extractor_training
    from pipelines.train.extractor.training import train_extractor

    show(train_extractor(pages, out, warn), as_json, show_extractor_training)


@train.command("score")
def train_score(
    labels: Annotated[list[str], typer.Argument(metavar="LABELS...", help="JSONL or Parquet files with texts and scores (0-5).")],
    out: Annotated[str, typer.Option(help="Model file to write; its card goes beside it.")] = "model.safetensors",
    text: Annotated[str, typer.Option(help="Column with the text.")] = "text",
    score: Annotated[str, typer.Option(help="Column with the score, 0 to 5.")] = "score",
    group: Annotated[str, typer.Option(help="Column with the group of each text; whole groups are held out.")] = "source",
    trainer: Annotated[str, typer.Option(help="linear, fasttext, or best, which trains both and keeps the better one.")] = "linear",
    trials: Annotated[
        int | None,
        typer.Option(
            min=1, help="Number of settings to try; the same number gives the same model. By default those that are usually best."
        ),
    ] = None,
    search_minutes: Annotated[
        float | None, typer.Option(min=0, help="Try settings for this many minutes; the card names them, and --trials repeats the search.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train the educational score on labelled text. It is evaluated on held-out groups.

    Example: curate train score labels/*.jsonl --out edu.safetensors --group site --search-minutes 30
    """
    from pipelines.report.tables import show_training
    from pipelines.train.training import train_model

    made = train_model(
        labels,
        out,
        text=text,
        score=score,
        group=group,
        trainer=trainer,
        trials=trials,
        minutes=search_minutes,
        tell=warn,
    )
    show(made, as_json, show_training)


def annotate(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="Run folders, or JSONL or Parquet files with texts.")],
    teachers: Annotated[
        str, typer.Option(metavar="FILE", help="TOML file with [[teacher]] tables, written like the teacher of a recipe's [synthesize].")
    ],
    out: Annotated[str, typer.Option(help="Label file to write.")] = "labels.parquet",
    count: Annotated[int, typer.Option(min=1, help="Number of excerpts to label.")] = 500,
    repeats: Annotated[int, typer.Option(min=1, help="How often each teacher scores an excerpt.")] = 1,
    active: Annotated[
        bool,
        typer.Option(
            "--active",
            help="Label first what the model is least sure about. The model then ranks better, but its scale suffers.",
        ),
    ] = False,
    model: Annotated[str | None, typer.Option(help="Model whose scores decide the sample; by default the shipped one.")] = None,
    people: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="File of labels by people, which replace those of the teachers; repeatable.")
    ] = None,
    text: Annotated[str, typer.Option(help="Column with the text.")] = "text",
    budget: Annotated[float | None, typer.Option(min=0, help="Maximum to spend on teachers, in US dollars.")] = None,
    replies: Annotated[str | None, typer.Option(help="Folder of teacher replies to read and extend; by default beside the labels.")] = None,
    as_json: Json = False,
) -> None:
    """Let language models label a sample of your texts. Labels are from 0 to 5, for `curate train score`. The same command resumes.

    Example: curate annotate out/web --teachers teachers.toml --count 500 --out labels.parquet
    """
    from pipelines.annotate import annotate as annotating
    from pipelines.annotate.label_tables import show_annotation

    made = annotating.annotate(
        inputs,
        out,
        teachers,
        count=count,
        repeats=repeats,
        text=text,
        model=model or annotating.MODEL,
        active=active,
        people=people or (),
        budget=budget,
        replies=replies,
        tell=warn,
    )
    show(made, as_json, show_annotation)


def buckets(
    folder: Folder,
    signal: Annotated[list[str], typer.Option(help="Signal to cut, such as educational_score.score; repeatable.")],
    out: Annotated[str, typer.Option(help="File of edges to write, for the filter score_ensemble.")] = "edges.json",
    by_source: Annotated[bool, typer.Option("--by-source", help="Also cut the scores of each source separately.")] = False,
    sample: Annotated[float, typer.Option(help="Share of the documents to read; their keys decide which.")] = 1.0,
    as_json: Json = False,
) -> None:
    """Cut a run's scores into twenty buckets of equal bytes. A recipe can then keep the best tenth.

    Example: curate buckets out/scored --signal educational_score.score --out edges.json
    """
    from pipelines.inspect.buckets import find_edges, write_bucket_edges
    from pipelines.report.score_tables import show_edges

    found = find_edges(folder, signal, by_source=by_source, sample=sample)
    write_bucket_edges(found, out)
    show(found, as_json, show_edges)

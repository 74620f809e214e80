"""`curate export` and `curate push`: the verbs that take shards away, with their options."""

from typing import Annotated

import typer

from pipelines.showing import Folder, Json, note, show


def export(
    folder: Folder,
    out: Annotated[str, typer.Option(help="Folder of the new dataset: its shards go to OUT/data, its card to OUT/README.md.")],
    shard_mib: Annotated[int, typer.Option(min=1, help="Amount of text in one file, in MiB.")] = 256,
    file_format: Annotated[str, typer.Option("--format", help="parquet, jsonl, jsonl.zst, megatron, ds, memmap or packed.")] = "parquet",
    order: Annotated[bool, typer.Option("--order", help="Keep the order of the run; without it rows are shuffled.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the order, the splits and the mix.")] = 0,
    split: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SHARE",
            help="Share of the rows to hold out, such as validation=0.5%; a hash draws them, so few rows give a rough share; repeatable.",
        ),
    ] = None,
    split_by: Annotated[str, typer.Option(help="What is never divided between splits: key (a document), source or site.")] = "key",
    mix: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=WEIGHT",
            help="Weight of a source or origin (synthetic=0.5, textbook=3), its share of --tokens (web=70%) or its number of tokens "
            "(web=7B). NAME may also be a range of a signal's values (cluster_size:2..5=3 takes 2, 3 and 4) or of its twentieths "
            "(educational_score.score@19..20=2). Repeatable.",
        ),
    ] = None,
    tokens: Annotated[str | None, typer.Option(metavar="COUNT", help="Number of tokens to write, such as 10B.")] = None,
    tokenizer: Annotated[str | None, typer.Option(help="The tokenizer.json that counts tokens.")] = None,
    bos: Annotated[str | None, typer.Option(metavar="TOKEN", help="Token before each document, or none.")] = None,
    eos: Annotated[str | None, typer.Option(metavar="TOKEN", help="Token after each document, or none.")] = None,
    sequence_length: Annotated[int, typer.Option(min=2, help="Number of tokens in a sequence of --format packed.")] = 2048,
    workers: Annotated[int, typer.Option(min=1, help="Number of worker processes; the bytes do not depend on it.")] = 1,
    as_json: Json = False,
) -> None:
    """Write a run's kept rows again: shuffled, split or mixed. Shards may have other sizes and formats, such as token ids.

    Example: curate export out/demo --out out/small --split validation=5% --mix synthetic=0.5
    """
    from pipelines.reexport.reexport import ExportRequest, reexport
    from pipelines.report.tables import show_export

    note(folder)
    asked = ExportRequest(
        out=out,
        shard_mib=shard_mib,
        tokenizer=tokenizer,
        format=file_format,  # type: ignore[arg-type]  # checked there, with the names of all formats
        mix=tuple(mix or ()),
        tokens=tokens,
        split=tuple(split or ()),
        split_by=split_by,
        seed=seed,
        order=order,
        bos=bos,
        eos=eos,
        sequence_length=sequence_length,
        workers=workers,
    )
    show(reexport(folder, asked), as_json, show_export)


def push(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="The --out of an export, or the folder of a run.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The dataset on the Hub: hf://datasets/ORG/NAME, or NAME@BRANCH.")],
    private: Annotated[bool, typer.Option("--private", help="Make a new dataset private.")] = False,
    message: Annotated[str, typer.Option(help="Message of the commit.")] = "",
    as_json: Json = False,
) -> None:
    """Push a dataset to the Hugging Face Hub, in one commit. The same command goes on where it was interrupted.

    It logs in as `hf auth login` did, or with HF_TOKEN.

    Example: curate push out/small hf://datasets/someone/small
    """
    from pipelines.reexport.push import push as pushing
    from pipelines.report.tables import as_plain, show_export

    note(folder)
    show(pushing(folder, target, private=private, message=message), as_json, lambda pushed: show_export(as_plain(pushed)))

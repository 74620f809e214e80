"""The command line: verbs only, no logic.

Results go to stdout (a table, or one document with --json); progress and notes go to stderr. Exit codes: 0 done; 1 something failed or
could not be read; 2 bad recipe, input or usage; 3 refused (frozen drift, budget, another live run, a folder that another program or another
recipe owns, a failed check); 129, 130, 143 ended by SIGHUP, SIGINT, SIGTERM; the same command resumes.
"""

import os
import sys
from typing import Annotated

import typer

from curation.errors import UsageError
from pipelines.cluster_cli import kuberay, slurm
from pipelines.export_cli import export, push
from pipelines.serve_cli import serve
from pipelines.showing import Folder, Json, note, show, warn, without_pandas
from pipelines.train_cli import annotate, buckets, train

if sys.platform == "linux":
    # Arrow reads this variable when it is first imported, here and in every worker. Its default allocator returns freed memory late.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")

# Pydantic looks through all installed packages for plug-ins of its own, and would run them; no part of this program needs one.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

app = typer.Typer(
    name="curate",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(train, name="train")
app.command()(annotate)
app.command()(buckets)

RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe file, or the name of a shipped recipe.")]
Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[INPUT]...",
        help="Files, folders, globs or URLs to read instead of the recipe's own inputs. Their fields are named by the recipe's [[input]] "
        "that has no path, or by its first [[input]].",
    ),
]
SetValues = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Change a value of the recipe, such as filter.gopher_quality.min_words=40; repeatable."
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print tracebacks; a run also logs every unit.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"curate {version('textbook-curation')}")
        raise typer.Exit


@app.callback()
def curate(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")] = False,
    verbose: Verbose = False,
) -> None:
    """Turn web crawls into textbook-quality pretraining data and account for every record."""


@app.command()
def plan(
    recipe: RecipeName,
    inputs: Inputs = None,
    out: Annotated[str | None, typer.Option(help="The folder of the run: shows which steps are already done.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Number of workers to plan for.")] = 1,
    sample_mib: Annotated[int, typer.Option(min=1, help="Size of the input sample, in MiB.")] = 8,
    documents: Annotated[
        float | None,
        typer.Option(min=1, max=1e13, help="Predict the cost of a corpus of this many documents like the sample's, such as 1e9."),
    ] = None,
    settings: SetValues = None,
    as_json: Json = False,
) -> None:
    """Show what would run, and what it would take. It predicts time, memory, disk and retention from a sample.

    Example: curate plan web crawl/*.warc.gz --workers 8 --documents 1e9
    """
    from pipelines.plan.plan import make_plan
    from pipelines.plan.plan_tables import show_plan

    made = make_plan(
        recipe,
        inputs or [],
        out=out,
        workers=workers,
        sample_mib=sample_mib,
        settings=settings or (),
        documents=round(documents) if documents is not None else None,
    )
    show(made, as_json, show_plan)


@app.command()
def run(
    recipe: RecipeName,
    inputs: Inputs = None,
    out: Annotated[
        str | None,
        typer.Option(help="Folder of the run: empty, or of an earlier run of this recipe; local, s3:// or gs://."),
    ] = None,
    runner: Annotated[str, typer.Option(help="local or ray.")] = "local",
    address: Annotated[str | None, typer.Option(help="Address of a Ray cluster; without it a local one starts.")] = None,
    runtime_env: Annotated[
        str | None,
        typer.Option(metavar="code|FILE", help="What nodes run in: `code` sends this code, a YAML file is Ray's runtime environment."),
    ] = None,
    max_wait: Annotated[
        float | None, typer.Option(min=0, help="Seconds to wait for a node that can run a task; without it the run waits for ever.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Number of worker processes; 1 runs everything in this process.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Read at most this many records of each input file.")] = None,
    frozen: Annotated[bool, typer.Option("--frozen", help="Refuse (exit 3) to redo work of an earlier run.")] = False,
    budget: Annotated[float | None, typer.Option(min=0, help="Maximum to spend on a teacher, in US dollars.")] = None,
    replies: Annotated[str | None, typer.Option(help="Folder of teacher replies to read and extend.")] = None,
    settings: SetValues = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace what another recipe, or a run over other inputs, left in --out.")
    ] = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Take over --out on an object store from a run that died; if that run is alive, it stops.")
    ] = False,
    progress: Annotated[str, typer.Option(help="auto, bar, plain, json (one JSON line per event) or none.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only warnings and errors to stderr.")] = False,
    log: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="File to append the log to; OUT/run.log by default. Like --out, it makes missing folders."),
    ] = None,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Run a recipe from input to dataset; the same command resumes.

    The stages are ingest, measure, judge, deduplicate, select, synthesize and export.

    Ctrl-C, SIGTERM and SIGHUP stop it cleanly (exit 130, 143, 129) and keep finished work; a second signal stops it at once.

    Example: curate run demo --out out/demo
    """
    from pipelines.pipeline import RunRequest, run_recipe
    from pipelines.report.tables import show_summary

    asked = RunRequest(
        recipe=recipe,
        inputs=tuple(inputs or ()),
        out=out,
        runner=runner,
        address=address,
        runtime_env=runtime_env,
        max_wait=max_wait,
        workers=workers,
        limit=limit,
        frozen=frozen,
        budget=budget,
        replies=replies,
        settings=tuple(settings or ()),
        replace=replace,
        take_over=take_over,
        log=log,
        verbose=verbose,
        quiet=quiet,
        progress=progress,
    )
    summary = run_recipe(asked)
    if as_json:
        summary.require_something()  # with --json the error is the one document on stdout
    show(summary, as_json, show_summary)
    summary.require_something()


@app.command()
def inspect(
    folder: Folder,
    signal: Annotated[str | None, typer.Option(help="Show the histogram, quantiles and samples of this signal.")] = None,
    at: Annotated[float | None, typer.Option(help="With --signal: show what this threshold would keep.")] = None,
    curve: Annotated[bool, typer.Option("--curve", help="With --signal: show what a range of thresholds would keep.")] = False,
    by: Annotated[str | None, typer.Option(help="With --signal: show it, with samples, for each source or origin.")] = None,
    as_json: Json = False,
) -> None:
    """Show the funnel of a run, or one of its signals.

    The funnel is by filter and rule; --signal shows one signal, --at and --curve what other thresholds would keep.

    Example: curate inspect out/demo --signal gopher_quality.words --at 100
    """
    without_pandas()
    from pipelines.inspect import thresholds
    from pipelines.inspect import views as looking
    from pipelines.report import signal_tables
    from pipelines.report.tables import show_funnel

    views = [name for name, given in (("--at", at is not None), ("--curve", curve), ("--by", by is not None)) if given]
    if signal is None and views:
        raise UsageError(f"{views[0]} needs --signal NAME: it shows one signal")
    if len(views) > 1:
        raise UsageError(f"{' and '.join(views)} are different views of a signal: give only one of them")
    note(folder)
    if signal is None:
        show(looking.funnel_of(folder), as_json, show_funnel)
    elif curve:
        show(thresholds.retention(folder, signal), as_json, signal_tables.show_retention)
    elif by is not None:
        from pipelines.inspect.signal_split import signal_by

        show(signal_by(folder, signal, by), as_json, signal_tables.show_signal_split)
    elif at is not None:
        show(thresholds.threshold_effect(folder, signal, at), as_json, signal_tables.show_threshold)
    else:
        show(looking.signal_summary(folder, signal), as_json, signal_tables.show_signal)


@app.command()
def why(
    folder: Folder,
    name: Annotated[str, typer.Argument(metavar="ID|URL", help="The id or the address of a document.")],
    model: Annotated[
        str | None, typer.Option(metavar="FILE", help="Model file of the run's educational score, unless it shipped with this program.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Explain one document's fate.

    It shows the document's signals, verdict and duplicates, and the words that moved its educational score.

    Example: curate why out/demo web-0001
    """
    without_pandas()
    from pipelines.inspect.why import why as explain
    from pipelines.report.tables import show_why

    note(folder)
    show(explain(folder, name, model), as_json, show_why)


@app.command()
def duplicates(
    folder: Folder, name: Annotated[str, typer.Argument(metavar="ID", help="The id of a document.")], as_json: Json = False
) -> None:
    """Show a document's duplicates: who stayed, who went. It shows how similar each one is to the copy that stayed.

    Example: curate duplicates out/demo tb-0001
    """
    without_pandas()
    from pipelines.inspect.why import duplicates as cluster
    from pipelines.report.tables import show_duplicates

    note(folder)
    show(cluster(folder, name), as_json, show_duplicates)


@app.command()
def diff(
    first: Annotated[str, typer.Argument(metavar="DIR_A", help="The folder of a run.")],
    second: Annotated[str, typer.Argument(metavar="DIR_B", help="The folder of another run of the same documents.")],
    as_json: Json = False,
) -> None:
    """List the documents whose fate differs between two runs. They are counted by the rules that decided.

    Example: curate diff out/before out/after
    """
    without_pandas()
    from pipelines.inspect.diff import diff as compare
    from pipelines.report.tables import show_diff

    note(first, second)
    show(compare(first, second), as_json, show_diff)


@app.command()
def report(folder: Folder, as_json: Json = False) -> None:
    """Write DIR/report.html: the funnel, histograms and samples.

    Example: curate report out/demo
    """
    without_pandas()
    from pipelines.report.report import write_report

    note(folder)
    show({"report": str(write_report(folder, warn))}, as_json, lambda result: typer.echo(result["report"]))


@app.command()
def extract(
    pages: Annotated[list[str], typer.Argument(metavar="PAGE...", help="HTML files or URLs.")],
    extractor: Annotated[str, typer.Option(help="Name of the extractor.")] = "blocks",
    compare: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Also show another extractor's text; repeatable.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show every block, whether it is kept, and its probability.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Setting of the extractor, such as format=markdown; repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the main text of pages, as ingest would extract it.

    Example: curate extract page.html --compare resiliparse --explain
    """
    from pipelines.inspect import extracting
    from pipelines.report.tables import show_pages

    show(extracting.extract_pages(pages, [extractor, *(compare or [])], settings or [], explain=explain), as_json, show_pages)


app.command()(export)
app.command()(push)
app.command()(serve)
app.command()(slurm)
app.command()(kuberay)


@app.command()
def verify(folder: Annotated[str, typer.Argument(metavar="DIR", help="The folder of a run or a dataset.")], as_json: Json = False) -> None:
    """Hash every shard again and check that the books balance.

    Example: curate verify out/demo
    """
    without_pandas()
    from curation.storage.location import Location
    from pipelines.inspect.verify import verify as check
    from pipelines.report.tables import show_verification

    result = check(Location.of(folder))
    show(result, as_json, show_verification)
    if result.faults:
        raise typer.Exit(3)


@app.command()
def filters(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="The filter to describe.")] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="Print the source, signals and rules of every filter as Markdown.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the filters, or describe one of them. A description has the parameters with their defaults, the signals and the rules.

    Example: curate filters gopher_quality
    """
    from pipelines.recipes.catalogue import describe, list_filters
    from pipelines.report.tables import show_filter, show_filters

    if reference:
        from pipelines.recipes.filter_reference import filter_reference, filter_references

        if name is not None:
            raise UsageError("--reference covers all filters: give either --reference or a name")
        show(filter_references() if as_json else filter_reference(), as_json, lambda text: typer.echo(text, nl=False))
    elif name is None:
        show(list_filters(), as_json, show_filters)
    else:
        show(describe(name), as_json, show_filter)


@app.command()
def recipes(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="The recipe to print.")] = None,
    reference: Annotated[bool, typer.Option("--reference", help="Print every table and key of a recipe as Markdown.")] = False,
    as_json: Json = False,
) -> None:
    """List the shipped recipes, or print one to copy and change.

    Example: curate recipes web > mine.toml
    """
    from pipelines.recipes.shipped import list_recipes, recipe_text
    from pipelines.report.recipe_tables import show_recipes

    if reference:
        from pipelines.recipes import reference as told

        if name is not None:
            raise UsageError("--reference covers all recipes: give either --reference or a name")
        show(told.tables() if as_json else told.reference(), as_json, lambda text: typer.echo(text, nl=False))
    elif name is None:
        show(list_recipes(), as_json, show_recipes)
    else:
        show(recipe_text(name), as_json, lambda recipe: typer.echo(recipe.text.encode(), nl=False))


def main() -> None:
    """Run this process's command line and exit."""
    from pipelines.ending import main_exit

    main_exit(app)


if __name__ == "__main__":
    main()

"""Scripts that run a recipe on somebody's cluster: a Slurm batch script and a KubeRay job, written to stdout from templates.

    curate slurm web s3://crawls/2026/*.warc.gz --out s3://data/web --nodes 8 > job.sbatch && sbatch job.sbatch
    curate kuberay web s3://crawls/2026/*.warc.gz --out s3://data/web --image me/curate:1 > job.yaml && kubectl apply -f job.yaml

Invariants: what users give stands in the scripts as one quoted word each, so no name is run as a command; a recipe that is here loads.
"""

import re
import shlex
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Annotated, Any

import typer

from pipelines.showing import Json, show
from pipelines.terminal.wording import printable

_Recipe = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe file, or the name of a shipped recipe.")]
_Inputs = Annotated[list[str] | None, typer.Argument(metavar="[INPUT]...", help="Inputs that all nodes see.")]
_Out = Annotated[str, typer.Option(help="Folder of the run, shared by all nodes, or s3:// or gs://.")]
_Nodes = Annotated[int, typer.Option(min=1, help="Number of nodes.")]
_Cpus = Annotated[int, typer.Option(min=1, help="CPUs of each node; a worker takes one.")]
_Memory = Annotated[int, typer.Option(min=1, help="Memory for each CPU, in GiB.")]
_Options = Annotated[list[str] | None, typer.Option("--option", metavar="OPTION", help="A further option of `curate run`; repeatable.")]


def slurm(
    recipe: _Recipe,
    out: _Out,
    inputs: _Inputs = None,
    nodes: _Nodes = 4,
    cpus: _Cpus = 16,
    gib_per_cpu: _Memory = 2,
    hours: Annotated[int, typer.Option(min=1, help="Time limit of the job.")] = 24,
    option: _Options = None,
    as_json: Json = False,
) -> None:
    """Print a Slurm batch script that runs a recipe. The job starts a Ray cluster of its own.

    Example: curate slurm web crawl/*.warc.gz --out /shared/web --nodes 8 > job.sbatch
    """
    facts = {"nodes": nodes, "cpus": cpus, "gib_per_cpu": gib_per_cpu, "hours": hours}
    _check(recipe, option or [])
    _print("slurm.sbatch", recipe, inputs or [], out, option or [], facts, as_json)


def kuberay(
    recipe: _Recipe,
    out: _Out,
    image: Annotated[str, typer.Option(help="Container image with this package and Ray.")],
    inputs: _Inputs = None,
    nodes: _Nodes = 4,
    cpus: _Cpus = 16,
    gib_per_cpu: _Memory = 2,
    option: _Options = None,
    as_json: Json = False,
) -> None:
    """Print a RayJob for Kubernetes that runs a recipe. The job starts a Ray cluster of its own.

    Example: curate kuberay web s3://crawls/*.warc.gz --out s3://data/web --image me/curate:1 > job.yaml
    """
    from importlib.metadata import version

    facts = {"nodes": nodes, "cpus": cpus, "gib_per_cpu": gib_per_cpu, "image": image, "ray": version("ray")}
    inside = [path for path in (*([recipe] if recipe.endswith(".toml") else []), *(inputs or []), out) if "://" not in path]
    if recipe not in inside or Path(recipe).exists():
        _check(recipe, option or [])
    if inside:
        more = f" and {len(inside) - 3} more" if len(inside) > 3 else ""
        told = f"{', '.join(map(printable, inside[:3]))}{more}: the job looks for this inside its pods, which share no folder"
        typer.echo(f"curate: {told}; name s3:// or gs://, put the recipe into the image, or add a volume to the job", err=True)
    _print("kuberay.yaml", recipe, inputs or [], out, option or [], facts, as_json)


def _check(recipe: str, options: list[str]) -> None:
    """Load the recipe with its `--set`, so that a mistake is reported here and not in the queue. Raises what `curate run` raises."""
    from pipelines.recipes.recipe import load

    pairs = pairwise([*options, ""])
    load(recipe, [after if word == "--set" else word.removeprefix("--set=") for word, after in pairs if re.match("--set(=|$)", word)])


def _print(template: str, recipe: str, inputs: list[str], out: str, options: list[str], facts: dict[str, Any], as_json: bool) -> None:
    """Print a template filled with the command and the facts; a job on an object store takes over the lock of one that died."""
    from importlib.resources import files

    from jinja2 import Environment, StrictUndefined

    take_over = ["--take-over"] if "://" in out else []
    command = shlex.join(["curate", "run", recipe, *inputs, "--out", out, "--progress", "plain", *take_over, *options])
    name = re.sub(r"[^a-z0-9]+", "-", PurePath(recipe).stem.lower()).strip("-") or "run"
    source = files("pipelines").joinpath("templates", template).read_text("utf-8")
    made = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    script = made.from_string(source).render(name=name, command=command, **facts)
    show({"script": script}, as_json, lambda told: typer.echo(told["script"], nl=False))

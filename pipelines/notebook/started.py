"""Start a run from Python: `curate run` as a function that returns the run."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from curation.errors import UsageError
from pipelines.notebook.opened import Run
from pipelines.pipeline import RunRequest, run_recipe
from pipelines.progress.progress import DisplayKind
from pipelines.recipes.toml_text import toml_value

Path = str | os.PathLike[str]


def run(
    recipe: Path,
    inputs: Path | Sequence[Path] | None = None,
    out: Path | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    workers: int = 1,
    limit: int | None = None,
    frozen: bool = False,
    replace: bool = False,
    budget: float | None = None,
    replies: Path | None = None,
    progress: DisplayKind = "auto",
) -> Run:
    """Run a recipe (a file, or the name of a shipped recipe) and return the run. A second call resumes an unfinished run.

    inputs    files, folders, globs or URLs to read instead of the recipe's own
    out       the folder of the run
    settings  values of the recipe to change for this run: {"filter.gopher_quality.min_words": 40}
    workers   number of processes; with more than one, a script needs `if __name__ == "__main__":`, as for `multiprocessing`

    Everything else is as in `curate run`. Raises UsageError (RecipeError, InputError) for a request that cannot run, Refused, ShardsFailed,
    BooksUnbalanced, and NothingRead if a finished run read nothing, or only a part, of some input file.
    """
    if workers < 1:
        raise UsageError(f"workers must be at least 1, not {workers}")
    if inputs is None:
        given: Sequence[Path] = ()
    else:
        given = [inputs] if isinstance(inputs, str | os.PathLike) else inputs
    summary = run_recipe(
        RunRequest(
            recipe=os.fspath(recipe),
            inputs=tuple(os.fspath(path) for path in given),
            out=None if out is None else os.fspath(out),
            workers=workers,
            limit=limit,
            frozen=frozen,
            budget=budget,
            replies=None if replies is None else os.fspath(replies),
            settings=tuple(f"{path}={toml_value(value)}" for path, value in (settings or {}).items()),
            replace=replace,
            progress=progress,
        )
    )
    summary.require_something()
    return Run(summary.out)

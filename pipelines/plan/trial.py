"""Trials: the recipe run on a sample without its teacher, and rows that rules make in place of a teacher's.

A plan asks no model, so the rows that a model would write are not there to be measured. Worked problems by rule stand in for them, which
are about as long. Where the recipe's own teachers work by rule and need no documents, its own tasks are tried, and the share of rows that
the later steps keep is known too. Two numbers of rows are tried, so that their costs are scaled like the input's.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from curation.engine.runner import LocalRunner
from curation.engine.session import Session
from curation.engine.watcher import Watcher
from curation.ingest.ingest import ingest_units
from curation.storage.location import Location
from curation.storage.source_file import SourceFile
from pipelines.inspect.funnel import funnel
from pipelines.pipeline import RunRequest, run_stages, write_recipe
from pipelines.plan.duplicates_plan import Expected, seen_in
from pipelines.plan.scaling import StageCost, costs_of
from pipelines.progress.progress import ProgressWatcher, display_for
from pipelines.recipes.recipe import Recipe
from pipelines.recipes.stage_words import steps_of
from synth.synthesize import SynthesisSettings

FEW, MANY = 24, 240
"""The numbers of rows on trial."""


@dataclass(frozen=True)
class RowsTried:
    """The costs of rows, what deduplication sees of one, and the share that is kept; None where other rows stood in for them."""

    costs: Sequence[StageCost] = ()
    peak_worker_mib: float = 0.0
    seen: Expected = field(default_factory=lambda: Expected(0))
    rows: int = 1
    kept_share: float | None = None


def try_recipe(recipe: Recipe, sample: Sequence[SourceFile], out: Path) -> list[dict[str, Any]]:
    """Run a recipe on a sample, and return the stages from run.json. A terminal shows progress."""
    sizes = {unit.name: sum(source.size for source in unit.sources) for unit in ingest_units(sample)}
    with ProgressWatcher(display_for("bar" if sys.stderr.isatty() else "none"), steps_of(recipe), sizes) as watcher:
        return _stages(recipe, sample, out, watcher)


def try_rows(recipe: Recipe, folder: Path) -> RowsTried:
    """Make rows by rule, and take them through the recipe's steps."""
    settings = recipe.synthesize or SynthesisSettings()
    teachers = settings.router().teachers_for(settings.built_tasks())
    own = not settings.needs_seeds and all(teacher.proves for teacher in teachers)
    told = []
    for many in (FEW, MANY):
        tasks = tuple({**task, "count": -(-many // len(settings.tasks))} for task in settings.tasks)
        tried = replace(settings, tasks=tasks) if own else SynthesisSettings(tasks=({"name": "worked_problem", "count": many},))
        out = folder / f"rows-{many}"
        stages = [stage for stage in _stages(replace(recipe, synthesize=tried), [], out) if stage["units"]]
        log = sum(file.stat().st_size for file in (out / "replies").iterdir())
        stages[0] = {**stages[0], "bytes": stages[0]["bytes"] + log}
        told.append((stages, sum(task.count for task in tried.built_tasks())))
    (first, few), (made, rows) = told
    flow, seen = funnel(str(out)).synthetic, seen_in(Location.of(out), "synthetic")
    kept = flow.kept_share if own and flow is not None else None
    return RowsTried(costs_of(first, few, made, rows), max(stage["peak_worker_mib"] for stage in made), seen, rows, kept)


def _stages(recipe: Recipe, sample: Sequence[SourceFile], out: Path, watcher: Watcher | None = None) -> list[dict[str, Any]]:
    with Session.open(Location.of(out), LocalRunner(), watcher=watcher) as session:
        write_recipe(session, recipe)
        run_stages(session, recipe, sample, RunRequest(recipe.name))
    stages: list[dict[str, Any]] = json.loads((out / "run.json").read_text("utf-8"))["sessions"][-1]["stages"]
    return stages

"""The tasks on offer: Python files and sheets in `synth/tasks`, and sheets of the user's own, found by name without a list to edit."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from curation.choices import build, nearest
from curation.errors import RecipeError
from curation.plugins import shipped
from curation.storage.resources import resolve
from synth.sheet import TaskSheet, read_sheet, read_sheet_file
from synth.sheet_task import SheetSettings, SheetTask
from synth.task import Task


def shipped_tasks() -> dict[str, type[Task] | TaskSheet]:
    """Return what is shipped, by name: classes and sheets."""
    offered: dict[str, type[Task] | TaskSheet] = {**shipped("synth.tasks", Task), **_sheets()}  # type: ignore[type-abstract]
    return dict(sorted(offered.items()))


def task_named(name: str) -> type[Task] | TaskSheet:
    """Return a shipped task. Raises RecipeError with the nearest name if it does not exist."""
    offered = shipped_tasks()
    if name not in offered:
        raise RecipeError(f"there is no task {name!r}{nearest(name, offered)}")
    return offered[name]


def build_task(choice: Mapping[str, Any]) -> Task:
    """Make a task from a recipe's table: its name, or the file of a sheet, and parameters. Raises RecipeError with the fault."""
    parameters = dict(choice)
    name, file = parameters.pop("name", None), parameters.pop("file", None)
    if isinstance(file, str) and name is None:
        return _of_sheet(read_sheet_file(resolve(file)), parameters)
    if not isinstance(name, str) or file is not None:
        raise RecipeError("synthesize: every task needs a name, or the file of a task of your own")
    offered = task_named(name)
    return _of_sheet(offered, parameters) if isinstance(offered, TaskSheet) else build(offered, parameters, f"task {name}")


def _of_sheet(sheet: TaskSheet, parameters: Mapping[str, Any]) -> Task:
    settings = build(SheetSettings, parameters, f"task {sheet.name}")
    try:
        return SheetTask(settings.count, sheet=sheet)
    except ValueError as error:
        raise RecipeError(f"task {sheet.name}: {error}") from error


@cache
def _sheets() -> Mapping[str, TaskSheet]:
    folder = Path(str(files("synth.tasks")))
    return {path.stem: read_sheet(path.stem, path.read_text("utf-8")) for path in sorted(folder.glob("*.md")) if path.stem != "README"}

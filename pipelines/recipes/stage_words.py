"""The steps of a run, with their words and costs: one table for progress, the log and the estimate of the time left.

A step is one or more stages that a user need not tell apart. A cost is the processor seconds per MB (million bytes) of text on one core,
measured on web pages. Only the proportions of the costs matter, because a run measures its own speed (`pipelines.progress.estimate`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipelines.recipes.recipe import Recipe

GENERATED_PREFIX = "6-synthesize/"
"""The prefix of the names of stages over generated rows."""


@dataclass(frozen=True)
class RunStep:
    """A step: its words, the prefixes of its stages' names, and its cost per MB of text; None when unknown (a teacher)."""

    words: str
    stages: tuple[str, ...]
    seconds_per_mb: float | None


READING_STEP = RunStep("reading the input", ("1-ingest",), 0.021)
_ALWAYS_FIRST = (READING_STEP, RunStep("assigning record ids", ("1a-", "1b-", "1-ids"), 0.001))
_JUDGING = (RunStep("measuring", ("2-measure",), 0.029), RunStep("judging", ("3-judge",), 0.001))
_DEDUPLICATING = (
    RunStep("signing documents", ("4a-",), 0.008),
    RunStep("finding near-duplicates", ("4b-", "4c-"), 0.003),
    RunStep("grouping near-duplicates", ("4d-",), 0.001),
    RunStep("comparing near-duplicates", ("4e-", "4f-"), 0.005),
    RunStep("recording duplicates", ("4-deduplicate",), 0.001),
)
_REPEATED_LINES = (RunStep("finding repeated lines", ("4g-", "4h-", "4i-"), 0.012),)
_SELECTING = (RunStep("deciding every record's fate", ("5-select",), 0.001),)
_GENERATING = RunStep("generating", ("6-replies", "6-synthesize"), 0.002)
_WRITING = (RunStep("writing the dataset", ("7-export",), 0.016),)
_ALL = (*_ALWAYS_FIRST, *_JUDGING, *_DEDUPLICATING, *_REPEATED_LINES, *_SELECTING, _GENERATING, *_WRITING)


def steps_of(recipe: Recipe) -> Sequence[RunStep]:
    """Return the steps of a run of this recipe, in order."""
    return (
        *_ALWAYS_FIRST,
        *(_JUDGING if recipe.filters else ()),
        *(_DEDUPLICATING if recipe.deduplicate is not None else ()),
        *(_REPEATED_LINES if recipe.repeated_lines is not None else ()),
        *_SELECTING,
        *_generating(recipe),
        *_WRITING,
    )


def _generating(recipe: Recipe) -> Sequence[RunStep]:
    """Return the step that generates rows; its cost is unknown when a model behind an endpoint answers."""
    if recipe.synthesize is None:
        return ()
    teachers = [recipe.synthesize.teacher, *(route["teacher"] for route in recipe.synthesize.routes)]
    at_hand = all(teacher["name"] == "procedural" for teacher in teachers)
    return (_GENERATING if at_hand else replace(_GENERATING, seconds_per_mb=None),)


def step_of(stage: str, steps: Sequence[RunStep] = _ALL) -> RunStep | None:
    """Return the step of a stage; stages over generated rows belong to the step that generates. None for a stage without words."""
    return next((step for step in steps if stage.startswith(step.stages)), None)


def in_words(stage: str) -> str:
    """Say what a stage does; a stage without words keeps its name."""
    if stage.startswith(GENERATED_PREFIX):
        inner = next((step.words for step in _ALL if stage.removeprefix(GENERATED_PREFIX).startswith(step.stages)), stage)
        return f"generated rows: {inner}"
    step = step_of(stage)
    return step.words if step is not None else stage

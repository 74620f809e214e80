"""Plan: what a run would do, what is done already, and the predicted costs, measured on a sample of the input itself.

The sample is the head of FILES input files, or of up to SMALL_FILES where files are small, still compressed: those of a few of the input's
units, evenly spaced by size. So a unit of the sample holds as many small files as one of the input, and scaling keeps the cost of a file
apart from the cost of a unit. The whole recipe runs on it in a temporary folder, in this process, after a morsel of it. Seconds and bytes
of every stage are then scaled to the parts and the bytes of the input (`pipelines.plan.scaling`), and seconds are divided by the number of
workers that the input's units can keep busy. Peak memory is not scaled, because stages work batch by batch. Every filter is also timed
separately on the sample's documents, to find its cost, its drops and useful gates (`pipelines.plan.filter_plan`).

What a teacher would be asked and would cost is counted on the documents that the sample kept (`synth.estimate`), before anything is asked.
The rows themselves are made on trial by rule, in two numbers, and scaled like the input (`pipelines.plan.trial`).

A sample cannot show duplicates between files outside the sample (so retention is an upper bound) or the speed of other machines. The plan
ignores the earlier runs that the recipe deduplicates `against`: both the documents they would drop and the cost of reading them.
"""

import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from curation.engine.index import units_done
from curation.engine.stage import Unit, Workspace, finished_units, keys_under
from curation.errors import InputError
from curation.ingest.ingest import Ingest, ingest_units
from curation.ledger.write import Select
from curation.schema import REJECTED
from curation.storage.location import Location
from curation.storage.shards import batches
from curation.storage.source_file import SourceFile
from curation.text.kernels import while_compiling
from filters.measure import Measure
from pipelines.inspect.funnel import funnel
from pipelines.pipeline import input_files, warm_up
from pipelines.plan.duplicates_plan import DuplicatesPlan, Expected, plan_duplicates, seen_in
from pipelines.plan.filter_plan import FilterPlan, plan_filters
from pipelines.plan.on_paper import Corpus, PaperStep, on_paper
from pipelines.plan.scaling import StageCost, costs_of
from pipelines.plan.trial import RowsTried, try_recipe, try_rows
from pipelines.recipes.recipe import Recipe, load
from synth.ask.reply_log import ReplyLog
from synth.ask.teacher import Teacher
from synth.asked import PART_REQUESTS
from synth.estimate import CostEstimate, estimate
from synth.seeds import SeedShard, choose, trusted

FILES, SMALL_FILES = 8, 1024
"""The number of input files in the sample, and the most that fill a sample of small ones: on a store, each costs a request."""

MORSEL_BYTES = 1 << 16
"""The most that the first of the two runs reads."""

START_SECONDS = 2.0
"""The time to import the libraries and load kernels from the cache; worker processes take WORKER_START_SECONDS more."""

WORKER_START_SECONDS = 3.0


@dataclass(frozen=True)
class StagePlan:
    """The predicted cost of one stage: processor seconds of all workers, and bytes on disk."""

    stage: str
    worker_seconds: float
    disk_bytes: int


@dataclass(frozen=True)
class Plan:
    """The prediction of a run; `filters` and `duplicates` are None when the recipe has no filters or no [deduplicate].

    `records` and `kept` scale the sample's numbers to the whole input; `checked` names the teachers that answered a check. `rows_asked` are
    asked of teachers, `rows_kept` are expected of those that work by rule (None: no model's replies are foreseen), and the wall time holds
    no waiting for the teachers in `waits_for`.
    """

    recipe: str
    files: int
    input_bytes: int
    units: int
    units_done: int
    workers: int
    sample_bytes: int
    sample_records: int
    sample_kept: int
    wall_seconds: float
    peak_worker_mib: float
    disk_bytes: int
    retention: float
    records: int
    kept: int
    checked: Sequence[str]
    rows_asked: int
    rows_kept: int | None
    waits_for: Sequence[str]
    stages: Sequence[StagePlan]
    teaching: Sequence[CostEstimate]
    prices_of: str
    filters: FilterPlan | None
    duplicates: DuplicatesPlan | None
    documents: int
    """The size of the corpus that `paper` is about."""
    paper: Sequence[PaperStep]


def make_plan(
    recipe_name: str,
    given: Sequence[str],
    *,
    out: str | None,
    workers: int,
    sample_mib: int,
    settings: Sequence[str] = (),
    documents: int | None = None,
) -> Plan:
    """Predict a run and, on paper, the run of a corpus of `documents` documents. Raises RecipeError and InputError as the run would."""
    recipe = load(recipe_name, settings)
    sources = input_files(recipe, given, Location.of(out) if out else None, settings)
    if not sources and recipe.synthesize is None:
        raise InputError("there is no input to plan for: name files, or give the recipe an [[input]] with a path")
    total = sum(source.size for source in sources)
    checked = _check_teachers(recipe, Location.of(out) if out else None)
    units, offline = ingest_units(sources), replace(recipe, synthesize=None)
    done = _done(recipe, units, Workspace(Location.of(out))) if out else 0
    with tempfile.TemporaryDirectory(prefix="curate-plan-") as folder:
        sample, taken = _take_sample(sources, Path(folder) / "sample", sample_mib << 20)
        morsel, little = _take_sample(sample[:1], Path(folder) / "morsel", min(MORSEL_BYTES, taken // 8))
        warm_up(recipe)
        compiled: list[bool] = []
        with while_compiling(compiled.append):
            first, made = try_recipe(offline, morsel, Path(folder) / "first"), try_recipe(offline, sample, Path(folder) / "out")
        if compiled:  # once on a machine, not once a byte
            made = try_recipe(offline, sample, Path(folder) / "again")
        costs = costs_of(first, little, made, taken)
        tried = try_rows(recipe, Path(folder)) if recipe.synthesize is not None else RowsTried()
        seen = funnel(str(Path(folder) / "out"))
        scale = total / taken if taken else 1.0
        expected = seen_in(Location.of(folder) / "out")
        filters = plan_filters(recipe.filters, _documents(Path(folder) / "out"), scale)
        teaching = _estimates(recipe, Location.of(folder) / "out", Location.of(out) if out else None)
    tasks = recipe.synthesize.built_tasks() if recipe.synthesize is not None else ()
    asked = sum(task.count for task in tasks if task.name() in {each.task for each in teaching})
    parts, compared = math.ceil(asked / PART_REQUESTS), expected.times(scale) + tried.seen.times(asked / tried.rows)
    web, rows = _scaled(costs, len(units), total), _scaled(tried.costs, parts, asked)
    seconds = sum(
        sum(stage.worker_seconds for stage in stages) / max(1, min(workers, many)) for stages, many in ((web, len(units)), (rows, parts))
    )
    start = START_SECONDS + (WORKER_START_SECONDS if workers > 1 else 0.0)
    return Plan(
        recipe=recipe.name,
        files=len(sources),
        input_bytes=total,
        units=len(units),
        units_done=done,
        workers=workers,
        sample_bytes=taken,
        sample_records=seen.records,
        sample_kept=seen.web.kept.documents,
        wall_seconds=round(start + seconds, 1),
        peak_worker_mib=max([tried.peak_worker_mib, *(stage["peak_worker_mib"] for stage in made)]),
        disk_bytes=sum(stage.disk_bytes for stage in (*web, *rows)),
        retention=round(seen.web.kept_share, 4),
        records=int(seen.records * scale),
        kept=int(seen.web.kept.documents * scale),
        checked=checked,
        rows_asked=asked,
        rows_kept=round(tried.kept_share * asked) if tried.kept_share is not None else None,
        waits_for=[teacher.label for teacher in _teachers(recipe) if not teacher.proves],
        stages=_together(web, rows),
        teaching=teaching,
        prices_of=" and ".join(recipe.synthesize.dates_of_prices()) if recipe.synthesize is not None else "",
        filters=filters,
        duplicates=plan_duplicates(recipe.deduplicate, compared) if recipe.deduplicate else None,
        documents=documents or 0,
        paper=_paper(recipe, costs, taken, expected, documents, workers) if documents else [],
    )


def _paper(recipe: Recipe, costs: Sequence[StageCost], taken: int, seen: Expected, documents: int, workers: int) -> list[PaperStep]:
    """Return the steps of a corpus of this many documents like the sample's. Raises InputError for a sample without documents."""
    if not seen.documents:
        raise InputError("the sample holds no document that --documents could be scaled from")
    scale = documents / seen.documents
    more = seen.times(scale)
    bands = recipe.deduplicate.minhash.bands if recipe.deduplicate else 0
    return on_paper(costs, int(taken * scale), Corpus(documents, more.text_bytes, bands, more.comparison_bytes), workers)


def _check_teachers(recipe: Recipe, out: Location | None) -> list[str]:
    """Check that every teacher of the run could answer, and return the teachers' names.

    A run that already has replies in OUT may need no teacher, so no check is made. Raises UsageError and Refused as the run would.
    """
    if recipe.synthesize is None or (out is not None and next(iter((out / "replies").files()), None) is not None):
        return []
    for teacher in _teachers(recipe):
        teacher.check()
    return [teacher.label for teacher in _teachers(recipe)]


def _teachers(recipe: Recipe) -> list[Teacher]:
    """Return every teacher that the run may ask."""
    return recipe.synthesize.router().teachers_for(recipe.synthesize.built_tasks()) if recipe.synthesize is not None else []


def _together(web: Sequence[StagePlan], rows: Sequence[StagePlan]) -> list[StagePlan]:
    """Return the stages of a run; what web text and rows share, such as the export, is one stage."""
    found = {stage.stage: stage for stage in web}
    for stage in rows:
        before = found.get(stage.stage, StagePlan(stage.stage, 0.0, 0))
        found[stage.stage] = StagePlan(
            stage.stage, round(before.worker_seconds + stage.worker_seconds, 2), before.disk_bytes + stage.disk_bytes
        )
    return list(found.values())


def _scaled(costs: Sequence[StageCost], parts: int, size: int) -> list[StagePlan]:
    return [StagePlan(cost.stage, round(cost.seconds.at(parts, size), 2), int(cost.disk.at(parts, size))) for cost in costs]


def _estimates(recipe: Recipe, sample: Location, planned: Location | None) -> list[CostEstimate]:
    """Return the cost of the questions that the run's log does not answer, about the documents that it kept, or else the sample."""
    settings = recipe.synthesize
    if settings is None:
        return []
    own = [] if planned is None else _seed_shards(planned)
    shards = own or _seed_shards(sample)
    chosen = trusted(choose(shards, settings.seed_policy())) if settings.needs_seeds else []
    if planned is None or not planned.is_local:
        return estimate(settings.router(), settings.built_tasks(), chosen)
    with ReplyLog.looked_at(Path((planned / "replies").path)) as log:
        return estimate(settings.router(), settings.built_tasks(), chosen, log.final if log is not None and len(log) else None)


def _seed_shards(run: Location) -> list[SeedShard]:
    """Return the documents of a run as those that seeds are chosen from."""
    made = [finished_units(Workspace(run), stage) for stage in (Ingest, Measure, Select)]
    documents, signals, ledgers = ({shard.name: shard for unit in units for shard in unit.shards} for units in made)
    return [SeedShard(documents[name], ledger, signals.get(name)) for name, ledger in ledgers.items() if name in documents]


def _done(recipe: Recipe, units: Sequence[Unit], space: Workspace) -> int:
    """Count the units of ingest whose sidecar has the current key."""
    stage = Ingest(recipe.extractor, recipe.edits)
    key_of, said = keys_under(stage.identity()), units_done(space, stage, [unit.name for unit in units])
    return sum(unit.name in said and said[unit.name].key == key_of(unit) for unit in units)


def _take_sample(sources: Sequence[SourceFile], folder: Path, most: int) -> tuple[list[SourceFile], int]:
    """Copy the heads of some files; return them as sources, with the number of input bytes that they represent."""
    folder.mkdir()
    chosen = _chosen(sources, most)
    share = max(1, most // max(1, len(chosen)))
    sample, taken = [], 0
    for number, source in enumerate(chosen):
        path = folder / f"{number}-{Path(source.relative).name}"
        taken += _copy_head(source, path, share)
        size = path.stat().st_size
        sample.append(replace(source, location=Location.of(path), size=size, changed=None))
    return sample, taken


def _chosen(sources: Sequence[SourceFile], most: int) -> list[SourceFile]:
    """Return files whose heads make a sample of `most` bytes: as many of a unit as it has, of as many units as that takes."""
    units = ingest_units(sources)
    mean = sum(source.size for source in sources) // max(1, len(sources))
    wanted = min(SMALL_FILES, max(FILES, most // max(1, mean)))
    of_units = _spread(units, wanted * len(units) // max(1, len(sources)))
    return _spread([source for unit in of_units for source in unit.sources], wanted)


def _spread(things: Sequence[Any], most: int) -> list[Any]:
    """Return at most `most` files or units, evenly spaced by size."""
    ordered = sorted(things, key=lambda thing: (_bytes(thing), thing.relative if isinstance(thing, SourceFile) else thing.name))
    step = max(1, math.ceil(len(ordered) / max(1, most)))
    return ordered[step // 2 :: step]


def _bytes(thing: SourceFile | Unit) -> int:
    return thing.size if isinstance(thing, SourceFile) else sum(source.size for source in thing.sources)


def _copy_head(source: SourceFile, path: Path, most: int) -> int:
    """Copy about `most` bytes of a file: a prefix, or the first rows of Parquet. Return the input bytes that the copy represents."""
    if source.size <= most or not source.relative.endswith(".parquet"):
        with source.location.open_stream() as stream:
            return path.write_bytes(stream.read(most))
    with pq.ParquetFile(source.location.open_random()) as file, pq.ParquetWriter(path, file.schema_arrow) as writer:
        rows = max(1, int(file.metadata.num_rows * most / source.size))
        copied = 0
        for batch in file.iter_batches(batch_size=min(rows, 4096)):
            writer.write_batch(batch)
            copied += batch.num_rows
            if copied >= rows:
                break
        return int(source.size * copied / max(1, file.metadata.num_rows))


def _documents(out: Path) -> Iterator[Any]:
    """Yield the documents of a run, batch by batch."""
    for unit in finished_units(Workspace(Location.of(out)), Ingest):
        for shard in unit.shards:
            if not shard.name.endswith(REJECTED):
                yield from batches(shard)

"""The pipeline: one plain function from inputs to dataset, in the order of the seven stages.

    crawl -> ingest -> measure -> judge -> deduplicate (and repeated lines) -> select (the ledger) -> synthesize -> export -> dataset

Generated rows pass the same filters as web text, and deduplication against the kept web text. Every arrow carries references to shards; the
text stays in files. Every run checks the books at its end, even a run that had nothing to do.
"""

import platform
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from itertools import repeat, zip_longest
from typing import Any

import pyarrow as pa

from curation.choices import build
from curation.duplicates.deduplicate import DeduplicateSettings, deduplicate
from curation.duplicates.minhash import sign
from curation.duplicates.parts import DuplicatesPart
from curation.duplicates.sign import sign_documents
from curation.engine.drift_told import require_known_input
from curation.engine.mending import mended
from curation.engine.runner import LocalRunner, Runner
from curation.engine.session import Sealed, Session
from curation.engine.stage import Unit
from curation.errors import UsageError
from curation.ingest.edits import edit_named
from curation.ingest.ingest import Ingest, ingest_units
from curation.ingest.inputs import expand
from curation.ingest.record_ids import resolve_ids
from curation.ingest.unread import Unread, find_unread
from curation.ledger import write as ledger
from curation.ledger.books import Books, add_up
from curation.ledger.write import Select, SelectSynthetic
from curation.repeats.cuts import spans_of, without
from curation.repeats.passages import find_passages
from curation.repeats.repeated_lines import LinesPart, Repeated, cut_repeated_lines
from curation.schema import DOCUMENTS, REJECTED
from curation.storage.digests import digest_of
from curation.storage.location import Location
from curation.storage.ownership import RULES_FILE, RUN, claim, keep_aside, write_ours
from curation.storage.shards import Shard
from curation.storage.source_file import SourceFile
from curation.text.text import Text
from filters.contract import told_as_user_s
from filters.judge import Judge
from filters.measure import DESCRIBING, Measure
from pipelines.export.export import Export, ExportConversations, ExportPairs, Source, export_units
from pipelines.export.manifest import write_manifest
from pipelines.inspect.earlier_runs import ledger_of, open_earlier
from pipelines.inspect.funnel import funnel
from pipelines.inspect.rules import encoded, recipe_written, rules_of
from pipelines.progress.logs import run_log
from pipelines.progress.progress import ProgressWatcher, display_for
from pipelines.recipes.recipe import InputChoice, Recipe, load
from pipelines.recipes.settings_on_line import describing, require_heard
from pipelines.recipes.stage_words import steps_of
from pipelines.report.card import card, card_facts
from pipelines.report.notes import nothing_kept
from pipelines.report.report import report_of
from pipelines.report.summary import Summary
from pipelines.terminal.wording import lost_in_words
from synth.ask.reply_log import require_log
from synth.seeds import SeedShard
from synth.synthesize import synthesize

RECIPE = "recipe.toml"

REPORTED_PACKAGES = ("datasketch", "fastwarc", "numba", "numpy", "polars", "pyarrow", "ray", "resiliparse", "textbook-curation")


BETTER = "educational_score.score"
"""The signal that decides which of several copies is the best."""


_LOOKED_AT = 16
"""The largest number of input folders in which every node of a cluster is asked for a file before work starts."""

MOST_INPUT_FOLDERS = 100
"""The largest number of input folders that run.json names, for those who look up a record in its input."""


@dataclass(frozen=True)
class RunRequest:
    """The arguments of `curate run`."""

    recipe: str
    inputs: tuple[str, ...] = ()
    out: str | None = None
    runner: str = "local"
    address: str | None = None
    workers: int | None = None
    limit: int | None = None
    frozen: bool = False
    budget: float | None = None
    replies: str | None = None
    settings: tuple[str, ...] = ()
    replace: bool = False
    log: str | None = None
    verbose: bool = False
    quiet: bool = False
    progress: str = "auto"
    runtime_env: str | None = None
    max_wait: float | None = None
    take_over: bool = False


@dataclass(frozen=True)
class JudgedDocuments:
    """Shards of documents with their signals and verdicts; the latter two are empty when the recipe has no filters."""

    documents: tuple[Shard, ...]
    signals: tuple[Shard, ...]
    verdicts: tuple[Shard, ...]


def run_recipe(request: RunRequest) -> Summary:
    """Run a recipe as the command line asks. Raises BooksUnbalanced when the books do not balance at the end."""
    began = time.perf_counter()
    display = display_for(request.progress, request.quiet)
    recipe = load(request.recipe, request.settings)
    if request.out is None:
        raise UsageError(f"say where the run goes: --out DIR, such as --out out/{recipe.name}")
    out = Location.of(request.out)
    claim(out, recipe.name, request.replace)
    sources = input_files(recipe, request.inputs, out, request.settings)
    if not request.replace:
        require_known_input(out, Ingest, sources)
    if recipe.synthesize is not None:
        require_log(_replies(request, out))
    earlier = open_earlier(recipe.deduplicate, out) if recipe.deduplicate is not None else ()
    sizes = {unit.name: sum(source.size for source in unit.sources) for unit in ingest_units(sources)}
    runner = _runner(request, out, looked_at([run.place for run in earlier], [source.location for source in sources]))
    versions = {name: version(name) for name in REPORTED_PACKAGES}
    facts: dict[str, Any] = {"recipe": recipe.name, "python": platform.python_version(), "versions": versions}
    facts["inputs"] = sorted({source.folder for source in sources if source.folder is not None})[:MOST_INPUT_FOLDERS]
    if request.settings:
        facts["set"] = list(request.settings)
    if cautions := recipe.cautions():
        facts["cautions"] = list(cautions)
    if earlier:
        facts["against"] = [run.told() for run in earlier]
    try:
        with (
            ProgressWatcher(display, steps_of(recipe), sizes) as watcher,
            Session.open(
                out,
                runner,
                frozen=request.frozen,
                watcher=watcher,
                facts=facts,
                recipe=recipe.name,
                replace=request.replace,
                take_over=request.take_over,
            ) as session,
            run_log(out, request.log, request.verbose),
        ):
            for line in cautions:
                watcher.tell(line)
            if runner.workers > 1:
                warm_up(recipe)
            if not (request.frozen and (out / RECIPE).exists()):
                write_recipe(session, recipe)
            earlier_parts = [part for run in earlier for part in run.parts]
            sent = recipe.carried(out)

            def work(check: Callable[[], None]) -> tuple[Books, Unread, str]:
                run_stages(session, sent, sources, request, earlier_parts)
                check()
                return conclude(session, recipe, watcher)

            books, unread, report = mended(session, work)
            session.close()
    finally:
        runner.close()
    return Summary(str(out), funnel(str(out)), books, str(out / "dataset"), report, recipe.license, time.perf_counter() - began, unread)


def conclude(session: Session, recipe: Recipe, watcher: ProgressWatcher) -> tuple[Books, Unread, str]:
    """Check the books of a run whose stages are done, record the result and write the report.

    Raises BooksUnbalanced.
    """
    out = session.out
    write_recipe(session, recipe)
    session.tell_strangers()
    with watcher.doing("adding up the books"):
        books = add_up(out, partial(ledger_of, out))
    told_books = {"records": books.records, "fates": dict(books.fates), "faults": list(books.faults)}
    session.note("books", {**told_books, "lost": books.lost} if books.lost else told_books)
    books.require_balance()
    if books.lost:
        watcher.warn(lost_in_words(books.lost))
    unread = find_unread(out)
    for note in filter(None, (unread.note(), unread.damage_note(out))):
        watcher.warn(note)
    if unread.names:
        session.note("unread", unread.names)
    elif not sum(books.dataset.values()):
        watcher.warn(nothing_kept(funnel(str(out)), str(out)))
    session.conclude()
    return books, unread, report_of(str(out), watcher.tell)


def write_recipe(session: Session, recipe: Recipe) -> None:
    """Write the recipe to OUT as given, and the rules that follow from it; move a recipe that somebody edited there aside."""
    place, written = session.out / RECIPE, recipe_written(session.out)
    if place.facts() is not None and place.read_bytes() not in (recipe.text.encode(), written):
        keep_aside(place, session.watcher.tell)
    session.put(RECIPE, recipe.text.encode())
    session.put(RULES_FILE, encoded(rules_of(recipe)))


def run_stages(
    session: Session, recipe: Recipe, sources: Sequence[SourceFile], request: RunRequest, earlier: Sequence[DuplicatesPart] = ()
) -> None:
    """Run every stage until it is sealed: this is the pipeline. Deduplication also compares with `earlier`, kept by earlier runs."""
    ingested = session.run(Ingest(recipe.extractor, recipe.edits, request.limit), ingest_units(sources))
    documents, rejects = parted(ingested)
    ids = resolve_ids(session, ingested.shards)
    web = measure_and_judge(session, recipe, documents)
    parts = parts_to_compare(session, recipe, web, ids)
    copies = deduplicate(session, [*parts, *earlier], comparing(recipe)) if recipe.deduplicate else ()
    repeated = find_repeated_lines(session, recipe, web, copies)
    units = ledger.ledger_units(documents, rejects, repeated.gone, ids=ids, verdicts=web.verdicts, duplicates=copies, cuts=repeated.cuts)
    kept_web = exportable(web, session.run(Select(), units), repeated.cuts)
    kept_synthetic: list[Source] = []
    if recipe.synthesize is not None:
        session.require_no_drift()
        replies = _replies(request, session.out)
        seeds = [SeedShard(source.documents, source.ledger, source.signals) for source in kept_web]
        generated = synthesize(session, seeds, recipe.synthesize, replies, request.budget)
        beside = [shards for shards in (copies, repeated.cuts) if shards]
        kept = [replace(part, judged=(*part.judged, *found)) for part, *found in zip(parts, *beside, strict=True)] if parts else []
        kept_synthetic = judge_generated(session, recipe, generated, [*kept, *earlier])
    write_dataset(session, recipe, kept_web, kept_synthetic)


def _replies(request: RunRequest, out: Location) -> Location:
    """Return the folder of the reply log."""
    return Location.of(request.replies) if request.replies else out / "replies"


def parted(sealed: Sealed) -> tuple[tuple[Shard, ...], tuple[Shard, ...]]:
    """Return the shards of documents and the shards of rejects."""
    shards = sealed.shards
    rejects = tuple(shard for shard in shards if shard.name.endswith(REJECTED))
    return tuple(shard for shard in shards if not shard.name.endswith(REJECTED)), rejects


def measure_and_judge(session: Session, recipe: Recipe, documents: Sequence[Shard]) -> JudgedDocuments:
    """Measure and judge documents with the recipe's filters."""
    if not recipe.filters:
        return JudgedDocuments(tuple(documents), (), ())
    signals = session.run(Measure(recipe.filters), [Unit(shard.name, {"documents": (shard,)}) for shard in documents])
    verdicts = session.run(Judge(recipe.filters), [Unit(shard.name, {"signals": (shard,)}) for shard in signals.shards])
    return JudgedDocuments(tuple(documents), signals.shards, verdicts.shards)


def parts_to_compare(
    session: Session, recipe: Recipe, judged: JudgedDocuments, ids: Sequence[Shard] = (), priority: int = 0
) -> list[DuplicatesPart]:
    """Sign documents and pair each shard with what deduplication needs; empty when the recipe has no [deduplicate]."""
    if recipe.deduplicate is None:
        return []
    final = {shard.name: shard for shard in ids}
    signed = sign_documents(session, judged.documents, recipe.deduplicate.minhash)
    documents = sorted(judged.documents, key=lambda shard: shard.name)
    beside = zip_longest(judged.verdicts, judged.signals)
    return [
        DuplicatesPart(shard, signature, () if verdict is None else (verdict,), signal, final.get(shard.name), priority)
        for shard, signature, (verdict, signal) in zip(documents, signed, beside if judged.verdicts else repeat((None, None)), strict=False)
    ]


def comparing(recipe: Recipe) -> DeduplicateSettings:
    """Return the recipe's deduplication settings. Without `prefer`, the educational score picks the best copy if it is measured."""
    settings = recipe.deduplicate or DeduplicateSettings()
    scored = any(choice.name == "educational_score" for choice in recipe.filters)
    return replace(settings, prefer=f'"{BETTER}"') if scored and settings.prefer is None else settings


def find_repeated_lines(session: Session, recipe: Recipe, judged: JudgedDocuments, copies: Sequence[Shard]) -> Repeated:
    """Find the passages to cut from documents that would otherwise be kept; none when the recipe has no [repeated_lines]."""
    if recipe.repeated_lines is None:
        return Repeated()
    verdicts, found = ({shard.name: shard for shard in shards} for shards in (judged.verdicts, copies))
    candidates = [
        LinesPart(shard, (verdicts[shard.name],) if shard.name in verdicts else (), found.get(shard.name)) for shard in judged.documents
    ]
    return cut_repeated_lines(session, candidates, recipe.repeated_lines)


def judge_generated(session: Session, recipe: Recipe, generated: Sealed, kept: Sequence[DuplicatesPart]) -> list[Source]:
    """Filter generated rows, deduplicate them against kept web text and earlier runs, and write their ledger."""
    with session.within("6-synthesize"):
        documents, rejects = parted(generated)
        rows = measure_and_judge(session, recipe, documents)
        parts = parts_to_compare(session, recipe, rows, priority=1)
        copies = deduplicate(session, [*kept, *parts], comparing(recipe)) if recipe.deduplicate else ()
        units = ledger.ledger_units(documents, rejects, verdicts=rows.verdicts, duplicates=copies)
        return [replace(source, generated=True) for source in exportable(rows, session.run(SelectSynthetic(), units))]


def exportable(judged: JudgedDocuments, ledger: Sealed, cuts: Sequence[Shard] = ()) -> list[Source]:
    """Return each shard of documents with its ledger, signals and cuts, and the amount of text that is kept."""
    fates = {unit.name: unit for unit in ledger.units}
    signals, cut = ({shard.name: shard for shard in shards} for shards in (judged.signals, cuts))
    return [
        Source(
            shard, fates[shard.name].shard(shard.name), signals.get(shard.name), fates[shard.name].counts["kept_bytes"], cut.get(shard.name)
        )
        for shard in sorted(judged.documents, key=lambda shard: shard.name)
    ]


def write_dataset(session: Session, recipe: Recipe, web: Sequence[Source], synthetic: Sequence[Source]) -> None:
    """Write the dataset's files (web text, then generated text), the conversations, the manifest and the card."""
    settings = recipe.export
    files = session.run(Export(settings.tokenizer, keep=settings.keep), export_units([*web, *synthetic], settings))
    wanted = {"sft": ExportConversations()} if settings.sft and synthetic else {}
    if settings.dpo and synthetic and recipe.synthesize is not None and any(task.makes_pairs for task in recipe.synthesize.built_tasks()):
        wanted["dpo"] = ExportPairs()
    talks = {kind: session.run(stage, export_units(synthetic, settings)) for kind, stage in wanted.items()}
    session.retire_others()
    write_manifest(session.out / "dataset", digest_of(recipe.text), files, talks, settings.keep)
    told, place = card(card_facts(session.out, rules_of(recipe))).encode(), session.out / "dataset" / "README.md"
    if place.facts() is None or place.read_bytes() != told:
        session.reopen()
        write_ours(place, told)


def input_files(recipe: Recipe, given: Sequence[str], out: Location | None = None, settings: Sequence[str] = ()) -> list[SourceFile]:
    """Return the input files: those given on the command line, else the recipe's. Files inside OUT are no input.

    Files given on the command line get the label and fields of the recipe's input without a path, or else of its first input.
    Raises InputError, UsageError, RecipeError for one of the `settings` that they replace.
    """
    paths = [choice.path for choice in recipe.inputs]
    if given:
        require_heard(settings, paths)
    described = recipe.inputs[describing(paths)] if paths else InputChoice()
    wanted = [replace(described, path=path) for path in given] or recipe.inputs
    usage = f"give one: curate run {recipe.name} INPUT... --out DIR"
    if not wanted and recipe.synthesize is None:
        raise UsageError(f"recipe {recipe.name} names no input; {usage}")
    if not all(choice.path for choice in wanted):
        raise UsageError(f"recipe {recipe.name} has an [[input]] without a path, which describes input on the command line; {usage}")
    found = expand(wanted, "" if given else recipe.folder)
    held = out.holds_which(source.location for source in found) if out is not None else [False] * len(found)
    sources = [source for source, is_held in zip(found, held, strict=True) if not is_held]
    if wanted and not sources:
        raise UsageError(f"all input files are inside the output folder {out}; choose another --out")
    return sources


def warm_up(recipe: Recipe) -> None:
    """Compile the recipe's kernels, or load them from the cache, once, before the workers would all do so at the same time."""
    text = Text.from_strings(["A first sentence to warm up with. It has an é in it.", "- a list\n- of two"])
    facts = pa.table({name: pa.nulls(len(text), DOCUMENTS.field(name).type) for name in DESCRIBING})
    for choice in recipe.edits:
        build(edit_named(choice.name), choice.parameters, f"edit {choice.name}").apply(text)
    for chosen in recipe.filters:
        with told_as_user_s(f"filter {chosen.name} fails on a text to warm up with") if chosen.file is not None else nullcontext():
            chosen.build().signals(text, facts)
    if recipe.deduplicate is not None:
        sign(text, recipe.deduplicate.minhash)
    if recipe.repeated_lines is not None:
        passages = find_passages(text, recipe.repeated_lines.unit, recipe.repeated_lines.fold)
        without(text, spans_of(text, passages, passages.comparable))


def looked_at(earlier: Iterable[Location], inputs: Iterable[Location]) -> list[Location]:
    """Return the files that every node of a cluster must see: run.json of each earlier run, and one file of each input folder."""
    one_each = {place.parent: place for place in inputs}
    return [*(run / RUN for run in earlier), *list(one_each.values())[:_LOOKED_AT]]


def _runner(request: RunRequest, out: Location, reads: Sequence[Location]) -> Runner:
    """Return the runner that the command line asks for; every node of a cluster must see what it `reads`."""
    if request.runner == "ray":
        from curation.engine.ray_runner import RayRunner

        return RayRunner(request.workers, request.address, out, reads, request.runtime_env, request.max_wait)
    if request.runner != "local" or any(given is not None for given in (request.address, request.runtime_env, request.max_wait)):
        raise UsageError("--runner must be local or ray; --address, --runtime-env and --max-wait need --runner ray")
    return LocalRunner(request.workers or 1)

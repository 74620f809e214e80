"""Recipes: a TOML file that says what to run and reads like a paper's table, and its typed form.

A recipe names its inputs and the parts that process them, in order: extractor, edits, filters, deduplication, synthesis, export. Every part
is a frozen dataclass whose fields are its parameters. Parsing is strict: an unknown key or a value of the wrong type raises a RecipeError
that names its path in the file and the nearest existing key.

    description = "..."
    [[input]]         path = "crawl/*.warc.gz"   source = "my-crawl"
    [extractor]       name = "blocks"
    [[edit]]          name = "whitespace"
    [[filter]]        name = "gopher_quality"    min_words = 50
    [deduplicate]     ngram = 5  bands = 14  rows = 8  threshold = 0.75
    [repeated_lines]  unit = "line"  keep_first = 1
    [synthesize]      ...
    [export]          shard_mib = 256  keep = ["license", "domain"]

The dataset's `metadata` column holds an input record's other fields as JSON text; [export] keep = [...] turns some of them into columns.
An [[input]] without a path names the fields of inputs that the command line gives (text = "body").

Paths in a recipe's file are relative to the folder of that file; paths on the command line are relative to the current folder.

An absent part does not run: without [[filter]] nothing is measured or judged, and without [deduplicate] no duplicate is dropped.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from curation.choices import build, nearest, read_toml
from curation.duplicates.deduplicate import DeduplicateSettings
from curation.duplicates.survivors import PREFERABLE, preference
from curation.errors import RecipeError
from curation.ingest.edits import edit_named
from curation.ingest.extraction import extractor_named
from curation.ingest.ingest import IngestPart
from curation.repeats.repeated_lines import RepeatedLinesSettings
from curation.schema import DOCUMENTS
from curation.storage.carried import take_along
from curation.storage.location import Location
from curation.storage.resources import beside, is_shipped, resolve
from curation.storage.source_file import Fields
from filters.contract import Filter, FilterChoice
from filters.measure import signals_schema
from pipelines.export.export import Export, ExportSettings
from pipelines.recipes.settings_on_line import with_settings
from pipelines.recipes.shipped import shipped_recipes
from pipelines.terminal.wording import NO_LICENSE
from synth.synthesize import SynthesisSettings

_Settings = TypeVar("_Settings")


@dataclass(frozen=True)
class InputChoice:
    """An input, and the names of the fields in its lines or rows.

    path    a file, folder, glob or URL (s3://, gs://, https://); without a path, the table describes the inputs on the command line
    source  a label for the input's records
    id      the field with a record's own id
    text    the field with the record's text
    url     the field with the record's URL
    date    the field with the time of the crawl, ISO 8601
    """

    path: str = ""
    source: str | None = None
    id: str = "id"
    text: str = "text"
    url: str = "url"
    date: str = "date"

    @property
    def fields(self) -> Fields:
        """The names of the fields that a reader reads."""
        return Fields(self.id, self.text, self.url, self.date)


@dataclass(frozen=True)
class Recipe:
    """The typed form of a recipe.

    `folder` is the folder of its file as the user wrote it, "" without a file. The paths of its parts are relative to the current folder,
    but the paths of its inputs stay as written, because they label records.
    """

    name: str
    text: str
    folder: str = ""
    description: str = ""
    license: str = NO_LICENSE
    inputs: tuple[InputChoice, ...] = ()
    extractor: IngestPart = field(default_factory=lambda: IngestPart("blocks"))
    edits: tuple[IngestPart, ...] = ()
    filters: tuple[FilterChoice, ...] = ()
    deduplicate: DeduplicateSettings | None = None
    repeated_lines: RepeatedLinesSettings | None = None
    synthesize: SynthesisSettings | None = None
    export: ExportSettings = field(default_factory=ExportSettings)

    def cautions(self) -> tuple[str, ...]:
        """Return what the filters warn of, each line once."""
        return tuple(dict.fromkeys(line for choice in self.filters for line in choice.build().cautions()))

    def carried(self, out: Location) -> "Recipe":
        """Put every file that the parts read into OUT, and return the recipe that names those copies: what workers are sent."""
        tokenizer = self.export.tokenizer
        if tokenizer is not None and not is_shipped(tokenizer):
            tokenizer = take_along(resolve(tokenizer), (), out)
        filters = tuple(choice.carried(out) for choice in self.filters)
        synthesis = self.synthesize.carried(out) if self.synthesize is not None else None
        return replace(self, filters=filters, synthesize=synthesis, export=replace(self.export, tokenizer=tokenizer))


_TOP = ("description", "license", "input", "extractor", "edit", "filter", "deduplicate", "repeated_lines", "synthesize", "export")


_MOST_BYTES = 4 << 20
"""The largest size of a recipe's file, in bytes."""


def load(name_or_path: str, settings: Sequence[str] = ()) -> Recipe:
    """Load a shipped recipe by name, or a recipe's file by path, and apply `--set` (`pipelines.recipes.settings_on_line`).

    Raises RecipeError, and InputError when a file that the recipe names is missing.
    """
    recipes = shipped_recipes()
    if name_or_path in recipes:
        name, text, folder = name_or_path, recipes[name_or_path], ""
    else:
        name, text, folder = _read(name_or_path, recipes)
    recipe = parse_recipe(with_settings(text, f"recipe {name}", settings), name, folder)
    _check_files(recipe)
    return recipe


def _read(path: str, shipped: Mapping[str, str]) -> tuple[str, str, str]:
    """Return the name, the text and the folder of a recipe's file; the folder is "" on an object store."""
    location = Location.of(path)
    if location.facts() is None:
        raise RecipeError(f"{path} is neither a file nor a shipped recipe{nearest(path, shipped)}")
    facts = location.facts()
    if facts is not None and facts.size > _MOST_BYTES:
        raise RecipeError(f"{path} has {facts.size:,} bytes, but a recipe has at most {_MOST_BYTES:,}; is it the right file?")
    try:
        text = location.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(f"recipe {path} is not UTF-8 text: {error}") from error
    return Path(location.path).stem, text, str(Path(path).parent) if location.is_local else ""


def parse_recipe(text: str, name: str, folder: str = "") -> Recipe:
    """Parse the text of a recipe whose file is in `folder`. Raises RecipeError for the first mistake."""
    _check_shown("recipe", [("the name of its file", name)])
    where = f"recipe {name}"
    table = read_toml(text, where)
    for key in table:
        if key not in _TOP:
            raise RecipeError(f"{where}: unknown key {key!r}{nearest(key, _TOP)}")
    recipe = Recipe(
        name=name,
        text=text,
        folder=folder,
        description=_of_type(table, "description", str, "", where),
        license=_of_type(table, "license", str, NO_LICENSE, where),
        inputs=tuple(build(InputChoice, entry, f"{where}: [[input]] {i}") for i, entry in enumerate(_tables(table, "input", where), 1)),
        extractor=_choice(_of_type(table, "extractor", dict, {"name": "blocks"}, where), f"{where}: extractor"),
        edits=tuple(_choice(entry, f"{where}: [[edit]] {i}") for i, entry in enumerate(_tables(table, "edit", where), 1)),
        filters=tuple(_filter(entry, f"{where}: [[filter]] {i}", folder) for i, entry in enumerate(_tables(table, "filter", where), 1)),
        deduplicate=_settings(DeduplicateSettings, table, "deduplicate", where),
        repeated_lines=_settings(RepeatedLinesSettings, table, "repeated_lines", where),
        synthesize=_settings(SynthesisSettings, _with_own_tasks(table, folder), "synthesize", where),
        export=_settings(ExportSettings, table, "export", where) or ExportSettings(),
    )
    recipe = _with_places(recipe)
    _check_parts(recipe)
    return recipe


def _with_own_tasks(table: Mapping[str, Any], folder: str) -> Mapping[str, Any]:
    """Return the table with the paths of the user's own tasks and prices relative to the current folder."""
    asked = table.get("synthesize")
    if not isinstance(asked, dict):
        return table
    placed = {**asked, "prices": _placed(folder, asked["prices"])} if "prices" in asked else asked
    if isinstance(tasks := asked.get("tasks"), list):
        own = [{**task, "file": _placed(folder, task["file"])} if isinstance(task, dict) and "file" in task else task for task in tasks]
        placed = {**placed, "tasks": own}
    return {**table, "synthesize": placed}


def _with_places(recipe: Recipe) -> Recipe:
    """Return the recipe with the paths of [deduplicate] and [export] relative to the current folder."""
    deduplicating, exporting = recipe.deduplicate, recipe.export
    if deduplicating is not None:
        deduplicating = replace(deduplicating, against=tuple(beside(recipe.folder, path) for path in deduplicating.against))
    if exporting.tokenizer is not None:
        exporting = replace(exporting, tokenizer=beside(recipe.folder, exporting.tokenizer))
    return replace(recipe, deduplicate=deduplicating, export=exporting)


def _check_parts(recipe: Recipe) -> None:
    """Build every part once, so that a mistake is reported before any work begins."""
    where = f"recipe {recipe.name}"
    if sum(not choice.path for choice in recipe.inputs) > 1:
        raise RecipeError(f"{where}: two inputs have no path; only one can describe the inputs on the command line")
    with _told_at(f"{where}: extractor"):
        build(extractor_named(recipe.extractor.name), recipe.extractor.parameters, f"extractor {recipe.extractor.name}")
    for i, edit in enumerate(recipe.edits, 1):
        with _told_at(f"{where}: [[edit]] {i}"):
            build(edit_named(edit.name), edit.parameters, f"edit {edit.name}")
    built: list[Filter] = []
    for i, choice in enumerate(recipe.filters, 1):
        with _told_at(f"{where}: [[filter]] {i}"):
            built.append(choice.build())
            missing = sorted(set(built[-1].edits) - {edit.name for edit in recipe.edits})
            if missing:
                raise RecipeError(f"filter {choice.name} needs the counts of the edit {missing[0]!r}; add that edit to the recipe")
            measured = signals_schema(built[:-1]).names[2:]
            unknown = [name for name in built[-1].reads() if name not in measured]
            if unknown:
                raise RecipeError(f"filter {choice.name}: no filter before it measures {unknown[0]!r}{nearest(unknown[0], measured)}")
    _check_shown(where, _shown_texts(recipe, built))
    names = [made.name() for made in built]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise RecipeError(f"{where}: filter {sorted(twice)[0]!r} is listed twice; the names of its signals would collide")
    policy = recipe.synthesize.seed_policy() if recipe.synthesize is not None and recipe.synthesize.needs_seeds else None
    signals = signals_schema(built).names[2:]
    if policy is not None and policy.order == "score" and policy.score_signal not in signals:
        raise RecipeError(
            f"{where}: synthesize: seeds: no filter measures score_signal {policy.score_signal!r}{nearest(policy.score_signal, signals)}"
        )
    if recipe.deduplicate is not None:
        columns = [*(DOCUMENTS.field(name) for name in PREFERABLE), *list(signals_schema(built))[2:]]
        with _told_at(where):
            preference(recipe.deduplicate.prefer, pa.schema(columns).empty_table())


def _shown_texts(recipe: Recipe, built: Sequence[Filter]) -> Iterator[tuple[str, str]]:
    """Yield the place and the text of all that a run's folder records as names (`pipelines.inspect.rules`)."""
    yield "license", recipe.license
    for choice, made in zip(recipe.filters, built, strict=True):
        yield "[[filter]] file", made.name()
        if isinstance(model := getattr(made, "model", None), str):
            yield f"filter {made.name()}: model", Path(model).name
        if choice.file is not None:
            for reason, rule in made.rules().items():
                yield f"filter {made.name()}: the rule", reason
                yield f"filter {made.name()}: the signal", rule.signal


def _check_shown(where: str, texts: Iterable[tuple[str, str]]) -> None:
    """Refuse what could not be shown later: a line break, or a character that steers a terminal or the direction of writing."""
    for place, text in texts:
        if not text.isprintable():
            raise RecipeError(f"{where}: {place} {text!r} holds a line break or another character that cannot be shown")


def _check_files(recipe: Recipe) -> None:
    """Find every extra file that the parts read, so that a missing file is reported before any work begins."""
    for choice in recipe.filters:
        choice.build().files()
    Export(recipe.export.tokenizer).files()


@contextmanager
def _told_at(where: str) -> Iterator[None]:
    """Prefix RecipeErrors with their place in the recipe."""
    try:
        yield
    except RecipeError as error:
        raise RecipeError(f"{where}: {error}", error.details) from error


def _settings(kind: type[_Settings], table: Mapping[str, Any], key: str, where: str) -> _Settings | None:
    if key not in table:
        return None
    with _told_at(where):
        return build(kind, _of_type(table, key, dict, {}, key), key)


def _of_type(table: Mapping[str, Any], key: str, kind: type, default: Any, where: str) -> Any:
    value = table.get(key, default)
    if not isinstance(value, kind):
        raise RecipeError(f"{where}: {key} must be a {'table' if kind is dict else kind.__name__}, not {value!r}")
    return value


def _tables(table: Mapping[str, Any], key: str, where: str) -> list[dict[str, Any]]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise RecipeError(f"{where}: {key} must be a list of tables, written [[{key}]]")
    return value


def _choice(entry: Mapping[str, Any], where: str) -> IngestPart:
    parameters = dict(entry)
    name = parameters.pop("name", None)
    if not isinstance(name, str):
        raise RecipeError(f"{where} needs a name")
    return IngestPart(name, parameters)


def _filter(entry: Mapping[str, Any], where: str, folder: str) -> FilterChoice:
    parameters = dict(entry)
    file, gate = parameters.pop("file", None), parameters.pop("gate", False)
    name = parameters.pop("name", Path(file).stem if isinstance(file, str) else None)
    if not isinstance(name, str) or not isinstance(file, (str, type(None))) or not isinstance(gate, bool):
        raise RecipeError(f"{where} needs a name (text) or a file (text); gate is true or false")
    with _told_at(where):
        choice = FilterChoice(name, parameters, None if file is None else beside(folder, file), gate)
        places = {key: _placed(folder, parameters[key]) for key in choice.filter_class().file_fields & parameters.keys()}
    return replace(choice, parameters={**parameters, **places})


def _placed(folder: str, value: Any) -> Any:
    """Resolve a path or a list of paths against the recipe's folder; building the filter reports any other value."""
    if isinstance(value, list):
        return [beside(folder, path) if isinstance(path, str) else path for path in value]
    return beside(folder, value) if isinstance(value, str) else value

"""Recipes: what to run, as a TOML file that reads like the paper's table, and its typed form.

A recipe names its inputs and the parts that work on them, in the order in which they work: extractor, edits, filters, deduplication,
synthesis, export. Every part is a frozen dataclass whose fields are its parameters. Parsing is strict: an unknown key or a value of the
wrong type is a RecipeError that names its path in the file and the nearest key that exists.

    description = "..."
    [[input]]         path = "crawl/*.warc.gz"   source = "my-crawl"
    [extractor]       name = "blocks"
    [[edit]]          name = "whitespace"
    [[filter]]        name = "gopher_quality"    min_words = 50
    [deduplicate]     ngram = 5  bands = 14  rows = 8  threshold = 0.75
    [repeated_lines]  unit = "line"  keep_first = 1
    [synthesize]      ...
    [export]          shard_mib = 256  keep = ["license", "domain"]

What an input record says beside its text is in the dataset's `metadata` column, as JSON text; [export] keep = [...] makes columns of it.
An [[input]] without a path says what the fields of inputs on the command line are called (text = "body").

Paths in a recipe's file are relative to the folder that the file lies in; those on the command line, to the current folder.

A part that is absent is not run: without [[filter]] nothing is measured or judged, without [deduplicate] everything kept stays.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from curation.choices import build, nearest
from curation.duplicates.deduplicate import DeduplicateSettings
from curation.duplicates.survivors import PREFERABLE, preference
from curation.errors import RecipeError
from curation.ingest.edits import edit_named
from curation.ingest.extraction import extractor_named
from curation.ingest.ingest import IngestPart
from curation.repeats.repeated_lines import RepeatedLinesSettings
from curation.schema import DOCUMENTS
from curation.storage.location import Location
from curation.storage.resources import beside
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
    """An input, and what the fields of its lines or rows are called.

    path    a file, folder, glob or URL (s3://, gs://, https://); without one, this says label and fields of what the command line gives
    source  a label for its records
    id      the field with a record's own id
    text    the field with its text
    url     the field with its address
    date    the field with the time it was crawled, ISO 8601
    """

    path: str = ""
    source: str | None = None
    id: str = "id"
    text: str = "text"
    url: str = "url"
    date: str = "date"

    @property
    def fields(self) -> Fields:
        """The fields a reader takes."""
        return Fields(self.id, self.text, self.url, self.date)


@dataclass(frozen=True)
class Recipe:
    """A recipe as it was understood.

    `folder` is that of its file as it was written, "" where there is none. The paths of its parts are seen from the current folder, but
    those of its inputs stay as written, for they label records.
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


_TOP = ("description", "license", "input", "extractor", "edit", "filter", "deduplicate", "repeated_lines", "synthesize", "export")


_MOST_BYTES = 4 << 20
"""Most bytes of a recipe's file."""


def load(name_or_path: str, settings: Sequence[str] = ()) -> Recipe:
    """Load a shipped recipe by name or a file by path, with the values that `--set` changes (`pipelines.recipes.settings_on_line`).

    Raises RecipeError; InputError where a file that it names is missing.
    """
    recipes = shipped_recipes()
    if name_or_path in recipes:
        name, text, folder = name_or_path, recipes[name_or_path], ""
    else:
        name, text, folder = _read(name_or_path, recipes)
    recipe = parse(with_settings(text, f"recipe {name}", settings), name, folder)
    _check_files(recipe)
    return recipe


def _read(path: str, shipped: Mapping[str, str]) -> tuple[str, str, str]:
    """Return the name and the text of a recipe's file, and its folder, which is "" on an object store."""
    location = Location.of(path)
    if location.facts() is None:
        raise RecipeError(f"{path} is neither a file nor a shipped recipe{nearest(path, shipped)}")
    facts = location.facts()
    if facts is not None and facts.size > _MOST_BYTES:
        raise RecipeError(f"{path} has {facts.size:,} bytes, and a recipe at most {_MOST_BYTES:,}; is it the right file?")
    try:
        text = location.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(f"recipe {path} is not UTF-8 text: {error}") from error
    return Path(location.path).stem, text, str(Path(path).parent) if location.is_local else ""


def parse(text: str, name: str, folder: str = "") -> Recipe:
    """Return the typed form of the text of a recipe that lies in a folder. Raises RecipeError naming the first thing that is wrong."""
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RecipeError(f"recipe {name} is not TOML: {error}") from error
    where = f"recipe {name}"
    for key in table:
        if key not in _TOP:
            raise RecipeError(f"{where}: unknown key {key!r}{nearest(key, _TOP)}")
    recipe = Recipe(
        name=name,
        text=text,
        folder=folder,
        description=_of_type(table, "description", str, "", where),
        license=_of_type(table, "license", str, NO_LICENSE, where),
        inputs=tuple(build(InputChoice, entry, f"{where}: input[{i}]") for i, entry in enumerate(_tables(table, "input", where))),
        extractor=_choice(_of_type(table, "extractor", dict, {"name": "blocks"}, where), f"{where}: extractor"),
        edits=tuple(_choice(entry, f"{where}: edit[{i}]") for i, entry in enumerate(_tables(table, "edit", where))),
        filters=tuple(_filter(entry, f"{where}: filter[{i}]", folder) for i, entry in enumerate(_tables(table, "filter", where))),
        deduplicate=_settings(DeduplicateSettings, table, "deduplicate", where),
        repeated_lines=_settings(RepeatedLinesSettings, table, "repeated_lines", where),
        synthesize=_settings(SynthesisSettings, table, "synthesize", where),
        export=_settings(ExportSettings, table, "export", where) or ExportSettings(),
    )
    recipe = _with_places(recipe)
    _check_parts(recipe)
    return recipe


def _with_places(recipe: Recipe) -> Recipe:
    """Return the recipe with the paths of [deduplicate] and [export] as seen from the current folder."""
    deduplicating, exporting = recipe.deduplicate, recipe.export
    if deduplicating is not None:
        deduplicating = replace(deduplicating, against=tuple(beside(recipe.folder, path) for path in deduplicating.against))
    if exporting.tokenizer is not None:
        exporting = replace(exporting, tokenizer=beside(recipe.folder, exporting.tokenizer))
    return replace(recipe, deduplicate=deduplicating, export=exporting)


def _check_parts(recipe: Recipe) -> None:
    """Build every part once, so that a mistake is told before any work is done."""
    where = f"recipe {recipe.name}"
    if sum(not choice.path for choice in recipe.inputs) > 1:
        raise RecipeError(f"{where}: two inputs have no path; one can describe what is given on the command line")
    with _told_at(f"{where}: extractor"):
        build(extractor_named(recipe.extractor.name), recipe.extractor.parameters, f"extractor {recipe.extractor.name}")
    for i, edit in enumerate(recipe.edits):
        with _told_at(f"{where}: edit[{i}]"):
            build(edit_named(edit.name), edit.parameters, f"edit {edit.name}")
    built: list[Filter] = []
    for i, choice in enumerate(recipe.filters):
        with _told_at(f"{where}: filter[{i}]"):
            built.append(choice.build())
            missing = sorted(set(built[-1].edits) - {edit.name for edit in recipe.edits})
            if missing:
                raise RecipeError(f"filter {choice.name} reads what the edit {missing[0]!r} counts, and the recipe does not list that edit")
    names = [made.name() for made in built]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise RecipeError(f"{where}: filter {sorted(twice)[0]!r} is listed twice; its signals would have one name")
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


def _check_files(recipe: Recipe) -> None:
    """Find every file that the parts read beside their input, so that a missing one is told before any work is done."""
    for choice in recipe.filters:
        choice.build().files()
    Export(recipe.export.tokenizer).files()


@contextmanager
def _told_at(where: str) -> Iterator[None]:
    """Add the place in the recipe to what is wrong there."""
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
    """Return the path, or the list of paths, that a filter is given; what is neither is told when the filter is built."""
    if isinstance(value, list):
        return [beside(folder, path) if isinstance(path, str) else path for path in value]
    return beside(folder, value) if isinstance(value, str) else value

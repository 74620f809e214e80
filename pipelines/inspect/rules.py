"""OUT/rules.json holds the parts of a recipe that the verbs that inspect a run need, as data.

A recipe can run code: it names filters, and a user's filter is a Python file. Inspecting somebody else's run must not run the code that its
folder names. So `curate run`, whose user trusts the recipe, writes the result of loading it: every rule with its signal and its bound, how
documents were compared, which edits were made, and the description of the dataset. Inspecting a run reads that file and not the recipe.

Some rules compare each document with its own bound. Such a rule is stored as a table if its filter has one (`filters.contract.Bounds`),
and otherwise as the text of its expression, which is shown but never evaluated. No rule is applied again: the ledger lists the rules that
each document fails.
"""

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from curation.errors import UsageError
from curation.storage.digests import plain
from curation.storage.location import Location
from curation.storage.ownership import RULES_FILE
from curation.storage.records import CorruptRecord, encode_record, find_record, typed
from curation.storage.resources import is_shipped
from filters.contract import Bounds, Rule, Side

if TYPE_CHECKING:
    from pipelines.recipes.recipe import Recipe


@dataclass(frozen=True)
class RecipeRule:
    """A rule of the recipe under its full name: its signal, its bound, and the side of the bound that it drops.

    `drops` is None for a rule that is not a plain comparison with a bound. `threshold` is None for such a rule, and for a rule that
    compares each document with its own bound: then `bounds` holds the bounds if they are a table, and `own` describes them in words.
    """

    name: str
    signal: str
    threshold: float | None
    drops: Side | None
    own: str | None = None
    bounds: Bounds | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Comparing:
    """How documents were compared: the settings of [deduplicate] as the run used them."""

    shingles: str
    bands: int
    rows: int
    threshold: float
    sources: tuple[str, ...]
    alarm_share: float
    alarm_documents: int
    against: tuple[str, ...]


@dataclass(frozen=True)
class ModelUsed:
    """The model of a filter: `package:file` for a shipped model, otherwise the name of its file without the folder."""

    filter: str
    model: str
    sha256: str


@dataclass(frozen=True)
class RunRules:
    """The result of loading a recipe; `text` is the recipe itself, for display."""

    name: str
    description: str
    license: str
    rules: tuple[RecipeRule, ...]
    comparing: Comparing | None
    edits: tuple[str, ...]
    languages: tuple[str, ...]
    tokenizer: str | None
    text: str
    models: tuple[ModelUsed, ...] = ()
    cautions: tuple[str, ...] = ()


def rules_of(recipe: "Recipe") -> RunRules:
    """Load a recipe and return the result; this builds its filters, including those from the user's own files."""
    return RunRules(
        name=recipe.name,
        description=recipe.description,
        license=recipe.license,
        rules=tuple(_rules(recipe)),
        comparing=_comparing(recipe),
        edits=tuple(edit.name for edit in recipe.edits),
        languages=tuple(label for choice in recipe.filters if choice.name == "language" for label in choice.parameters.get("keep", ())),
        tokenizer=recipe.export.tokenizer,
        text=recipe.text,
        models=tuple(_models(recipe)),
        cautions=recipe.cautions(),
    )


def encoded(rules: RunRules) -> bytes:
    """Return the bytes of OUT/rules.json."""
    return encode_record(plain(rules))


def read_rules(out: Location) -> RunRules:
    """Read OUT/rules.json. Raises CorruptRecord if it is damaged and UsageError if it is missing."""
    content = find_record(out / RULES_FILE)
    if content is None:
        raise UsageError(
            f"{out} has no {RULES_FILE}: it was lost, or an earlier version made this run; run its command again, which writes it"
        )
    rules = typed(RunRules, content, out / RULES_FILE)
    for name in _names(rules):
        if not name.isprintable():
            raise CorruptRecord(f"{out / RULES_FILE} holds a name that cannot be shown: {name!r}; do not trust this folder")
    return rules


def recipe_written(out: Location) -> bytes | None:
    """Return the text of the recipe that a run wrote to OUT; None where that is not known."""
    try:
        return read_rules(out).text.encode()
    except (CorruptRecord, UsageError):
        return None


def side_dropped(rule: Rule) -> Side | None:
    """Return the side of its threshold that a rule drops, as declared or by trying both sides; None if the rule is not a comparison."""
    threshold = rule.single_threshold
    if rule.side is not None or threshold is None:
        return rule.side
    step = max(abs(threshold), 1.0) * 1e-3
    probe = pl.DataFrame({rule.signal: [threshold - step, threshold + step]})
    try:
        below, above = probe.select(rule.drops.fill_null(False).alias("drops"))["drops"].to_list()
    except (pl.exceptions.PolarsError, ValueError):
        return None
    if below == above:
        return None
    return "below" if below else "above"


def _rules(recipe: "Recipe") -> Iterator[RecipeRule]:
    """Yield every rule in the order in which they are applied."""
    for choice in recipe.filters:
        made = choice.build()
        for reason, rule in made.rules().items():
            bounds = None if rule.bounds is None else dataclasses.replace(rule.bounds, signal=f"{made.name()}.{rule.bounds.signal}")
            yield RecipeRule(
                name=f"{made.name()}.{reason}",
                signal=f"{made.name()}.{rule.signal}",
                threshold=rule.single_threshold,
                drops=side_dropped(rule),
                own=_in_words(rule.threshold, bounds) if isinstance(rule.threshold, pl.Expr) else None,
                bounds=bounds,
            )


def _models(recipe: "Recipe") -> Iterator[ModelUsed]:
    for choice in recipe.filters:
        made = choice.build()
        model, found = getattr(made, "model", None), made.files().get("model")
        if isinstance(model, str) and found is not None:
            yield ModelUsed(made.name(), model if is_shipped(model) else re.split(r"[/\\]", model)[-1], found)


def _in_words(threshold: pl.Expr, bounds: Bounds | None) -> str:
    """Describe the bound of a document in words."""
    return f"by {bounds.signal}" if bounds is not None else str(threshold)


def _comparing(recipe: "Recipe") -> Comparing | None:
    settings = recipe.deduplicate
    if settings is None:
        return None
    chosen = settings.minhash
    return Comparing(
        shingles=f"{chosen.ngram} {chosen.unit}s",
        bands=chosen.bands,
        rows=chosen.rows,
        threshold=settings.threshold,
        sources=settings.sources,
        alarm_share=settings.alarm_share,
        alarm_documents=settings.alarm_documents,
        against=settings.against,
    )


def _names(rules: RunRules) -> Iterator[Any]:
    """Yield the names that terminals show unescaped."""
    yield from (rules.name, rules.license, *rules.edits, *rules.languages)
    for used in rules.models:
        yield from (used.filter, used.model, used.sha256)
    for rule in rules.rules:
        yield from (rule.name, rule.signal)

"""The catalogue of filters, read from their docstrings, so that `curate filters` always agrees with the code."""

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

import polars as pl

from curation.storage.digests import plain
from filters.contract import Filter, FilterChoice, Rule, shipped_filters


@dataclass(frozen=True)
class FilterSummary:
    """One line of the catalogue."""

    name: str
    summary: str


@dataclass(frozen=True)
class Parameter:
    """A parameter of a filter. `judges` is true when it changes only a rule, so that a new value needs no new measurement."""

    name: str
    type: str
    default: Any
    judges: bool


@dataclass(frozen=True)
class FilterDescription:
    """The full description of a filter."""

    name: str
    about: str
    details: str
    parameters: Sequence[Parameter]
    signals: Mapping[str, str]
    rules: Mapping[str, tuple[str, float | str | None]]


def list_filters() -> list[FilterSummary]:
    """Return every shipped filter with the first line of its file's docstring."""
    return [FilterSummary(name, _module_doc(kind).partition("\n")[0]) for name, kind in shipped_filters().items()]


def describe(name: str) -> FilterDescription:
    """Return the description of a filter. Raises RecipeError for an unknown name."""
    kind = FilterChoice(name).filter_class()
    fields = [field for field in dataclasses.fields(kind) if field.init]
    types, thresholds = get_type_hints(kind), kind.threshold_fields()
    parameters = [Parameter(f.name, _type_name(types[f.name]), _default(f), f.name in thresholds) for f in fields]
    try:
        rules = {reason: (rule.signal, _bound(rule)) for reason, rule in kind().rules().items()}
    except TypeError:
        rules = {}  # a parameter has no default, so the rules cannot be shown without a recipe
    return FilterDescription(
        name,
        _module_doc(kind),
        inspect.cleandoc(kind.__doc__ or ""),
        parameters,
        {signal: str(type_) for signal, type_ in kind.signal_types.items()},
        rules,
    )


def _module_doc(kind: type[Filter]) -> str:
    return inspect.cleandoc(inspect.getmodule(kind).__doc__ or "")


def _type_name(annotation: Any) -> str:
    return getattr(annotation, "__name__", str(annotation))


def _bound(rule: Rule) -> float | str | None:
    """Return a rule's threshold, or words when each document has its own."""
    return "each document's own" if isinstance(rule.threshold, pl.Expr) else rule.threshold


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.default is not dataclasses.MISSING:
        return plain(field.default)
    return plain(field.default_factory()) if field.default_factory is not dataclasses.MISSING else None

"""What a filter is: named signals measured from text and, apart from them, named rules over signals.

A filter is a frozen dataclass in a file of its own in this folder; the file's name is the filter's name, and no list needs an edit. Its
fields are its parameters: those that move a signal (a model, an n-gram length) and those that only move a rule (thresholds). `signals`
never looks at a threshold, so a new threshold re-judges stored signals in seconds and never reads text again.

    signals(text, documents)   a column for each name in `signal_types`, one value a document, the same whatever the batch
    rules()                    reason -> Rule; a document whose rule holds is dropped for that reason
    examples                   (text, reason or None) pairs, run by the contract tests and shown by `curate filters`
    files()                    digests of the files it reads (models, lists), part of measure's key
    threshold_fields           names of the fields that only rules read; all other fields are part of measure's key
    file_fields                names of the fields that say where files lie: their digests are in the key, and their places are not
    edits                      names of the edits whose counts it reads from the documents' metadata: a recipe lists them too

A filter chosen in a recipe is a FilterChoice: names and plain values, which travel to workers and build the filter there.

The file's docstring names the paper. A null signal never fails a rule: what could not be measured is not judged.
"""

import dataclasses
import importlib.util
import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from curation.choices import build
from curation.engine.failures import in_one_line, traceback_of
from curation.errors import CurationError, RecipeError
from curation.plugins import USERS, Named, class_in, shipped, shipped_as
from curation.storage.digests import digest_of_file
from curation.text.text import Text

Signals = Mapping[str, Any]
Side = Literal["below", "above"]


@dataclass(frozen=True)
class Bounds:
    """A bound for each document by the value that a (text) signal of it has, and one for all other values; None is no bound.

    It says in data what an expression would: whoever looks at a run reads it without running anything.
    """

    signal: str
    values: Mapping[str, float | None]
    default: float | None = None

    def of(self, value: str | None) -> float | None:
        """Return the bound of a document whose signal has a value."""
        return self.default if value is None else self.values.get(value, self.default)

    def expression(self) -> pl.Expr:
        """Return the same as an expression over the filter's signals."""
        if not self.values:
            return pl.lit(self.default, pl.Float64)
        bounds = pl.Series(list(self.values.values()), dtype=pl.Float64)
        return pl.col(self.signal).replace_strict(list(self.values), bounds, default=self.default, return_dtype=pl.Float64)


Bound = float | pl.Expr | Bounds


@dataclass(frozen=True)
class Rule:
    """One reason to drop: the expression that says so, the signal it looks at and the bound it compares with.

    A threshold that is an expression over the filter's signals gives each document its own (the one of its language, say), null where it
    has none; `bounds` says it as data, where it is a table. `evidence` names further signals whose values go to the ledger when this rule
    is the one that decides. `side` is the side of the threshold that is dropped, None for a rule that is no such comparison.
    """

    drops: pl.Expr
    signal: str
    threshold: float | pl.Expr | None = None
    evidence: tuple[str, ...] = ()
    side: Side | None = None
    bounds: Bounds | None = None

    @property
    def single_threshold(self) -> float | None:
        """The threshold, where it is one for all documents."""
        return None if isinstance(self.threshold, pl.Expr) else self.threshold

    def thresholds(self, own: pl.DataFrame) -> npt.NDArray[np.float64]:
        """Return what each row of the filter's signals is compared with (float64), NaN where that is nothing."""
        if isinstance(self.threshold, pl.Expr):
            bounds = own.select(self.threshold.cast(pl.Float64).alias("bound"))["bound"].fill_null(math.nan).to_numpy()
        else:
            bounds = np.array([math.nan if self.threshold is None else self.threshold])
        return np.broadcast_to(bounds, own.height)


def below(signal: str, bound: Bound, evidence: tuple[str, ...] = ()) -> Rule:
    """Drop documents whose signal is less than bound, or than each document's own bound; no bound, no drop."""
    threshold = _threshold(bound)
    return Rule(pl.col(signal) < threshold, signal, threshold, evidence, "below", _table(bound))


def above(signal: str, bound: Bound, evidence: tuple[str, ...] = ()) -> Rule:
    """Drop documents whose signal is greater than bound, or than each document's own bound; no bound, no drop."""
    threshold = _threshold(bound)
    return Rule(pl.col(signal) > threshold, signal, threshold, evidence, "above", _table(bound))


def _threshold(bound: Bound) -> float | pl.Expr:
    if isinstance(bound, Bounds):
        return bound.expression()
    return bound if isinstance(bound, pl.Expr) else float(bound)


def _table(bound: Bound) -> Bounds | None:
    return bound if isinstance(bound, Bounds) else None


def not_among(signal: str, allowed: Sequence[str], evidence: tuple[str, ...] = ()) -> Rule:
    """Drop documents whose (text) signal is none of those allowed."""
    return Rule(~pl.col(signal).is_in(list(allowed)), signal, None, evidence)


@dataclass(frozen=True)
class Filter(Named, ABC):
    """Base of all filters; see the module's docstring for the contract."""

    signal_types: ClassVar[Mapping[str, pa.DataType]]
    threshold_fields: ClassVar[frozenset[str]] = frozenset()
    file_fields: ClassVar[frozenset[str]] = frozenset()
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ()
    edits: ClassVar[tuple[str, ...]] = ()
    examples: ClassVar[Sequence[tuple[str, str | None]]] = ()

    @abstractmethod
    def signals(self, text: Text, documents: Any) -> Signals:
        """Measure a batch: numpy or Arrow columns, one value a text. `documents` is the Arrow table of the same rows without text."""

    @abstractmethod
    def rules(self) -> Mapping[str, Rule]:
        """Return the reasons to drop, in the order in which they are tried."""

    def files(self) -> Mapping[str, str]:
        """Return name -> SHA-256 of every file that signals depend on; a name holds no folder, for a moved file is the same file."""
        return {}

    def measuring(self) -> dict[str, Any]:
        """Return what the signals depend on: name, version, the fields that are neither thresholds nor places, and files."""
        fields = {name: value for name, value in self.parameters().items() if name not in self.threshold_fields}
        return {"filter": self.name(), "version": self.version, "fields": fields, "files": dict(self.files())}

    def parameters(self) -> dict[str, Any]:
        """Return the fields that change a signal or a verdict: all but the places of files."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in self.file_fields}


@dataclass(frozen=True)
class FilterChoice:
    """A filter as a recipe asks for it: a shipped one by name, or a user's own by file; `gate` lets later filters skip what it drops."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    file: str | None = None
    gate: bool = False

    def filter_class(self) -> type[Filter]:
        """Return the class. Raises RecipeError, with the nearest name, where there is none."""
        if self.file is not None:
            return filter_from_file(self.file)
        return shipped_as(self.name, "filters", Filter)  # type: ignore[type-abstract]

    def build(self) -> Filter:
        """Make the filter. Raises RecipeError for a parameter it does not have or cannot take."""
        if self.file is None:
            return build(self.filter_class(), self.parameters, f"filter {self.name}")
        with told_as_user_s(f"filter {self.name} of {self.file} cannot be made"):
            made = build(self.filter_class(), self.parameters, f"filter {self.name}")
            made.rules()
        return made

    def identity(self) -> dict[str, Any]:
        """Return what the filter's verdicts depend on."""
        own = {"source": source_digest(self.filter_class())} if self.file is not None else {}
        made = self.build()
        return {**made.measuring(), "fields": made.parameters(), "gate": self.gate, **own}

    def measuring(self) -> dict[str, Any]:
        """Return what the filter's signals depend on, for itself and, as a gate, for those after it."""
        if self.gate:
            return self.identity()
        own = {"source": source_digest(self.filter_class())} if self.file is not None else {}
        return {**self.build().measuring(), **own}


def shipped_filters() -> dict[str, type[Filter]]:
    """Return name -> class of every filter in this folder, by name."""
    return shipped("filters", Filter)  # type: ignore[type-abstract]


def filter_from_file(path: str | Path) -> type[Filter]:
    """Load a user's filter from a Python file. Raises RecipeError where the file is missing or holds no filter."""
    path = Path(path).resolve()
    if not path.is_file():
        raise RecipeError(f"filter file {path} does not exist")
    name = f"{USERS}.{path.stem}"
    if name not in sys.modules or getattr(sys.modules[name], "__file__", None) != str(path):
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise RecipeError(f"{path} is not a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[name]
            raise broken(f"filter file {path} cannot be loaded", error) from error
    filter_class = class_in(sys.modules[name], Filter)  # type: ignore[type-abstract]
    if filter_class is None:
        raise RecipeError(f"{path} defines no filter: a frozen dataclass that extends filters.contract.Filter")
    return filter_class


@contextmanager
def told_as_user_s(what: str) -> Iterator[None]:
    """Turn any error of a user's own file into a RecipeError that names the file and line."""
    try:
        yield
    except CurationError:
        raise
    except Exception as error:
        raise broken(what, error) from error


def broken(what: str, error: Exception) -> RecipeError:
    """Return what is told of a user's own file that fails."""
    return RecipeError(f"{what}: {in_one_line(error)}", traceback_of(error))


def source_digest(filter_class: type[Filter]) -> str:
    """Return the SHA-256 of the file that defines a filter (a user's own filter has no version to bump)."""
    source = sys.modules[filter_class.__module__].__file__
    if source is None:
        raise RecipeError(f"filter {filter_class.name()} has no source file")
    return digest_of_file(source)

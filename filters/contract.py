"""The contract of filters: a filter measures named signals of text and, separately, applies named rules to the signals.

A filter is a frozen dataclass in a file of its own in this folder. The file's name is the filter's name, and no list needs an edit. Its
fields are its parameters: some change a signal (a model, an n-gram length), the others change only a rule (thresholds). `signals` never
reads a threshold, so a new threshold judges the stored signals again in seconds and never reads text again.

    signals(text, documents)   a column for each name in `signal_types`, with one value per document that does not depend on the batch
    rules()                    reason -> Rule; a document that matches a rule is dropped for that reason
    examples                   (text, reason or None) pairs that the contract tests run
    files()                    digests of the files that the filter reads (models, lists); they are part of measure's key
    Threshold[...]             the type of a field that only rules read; all other fields are part of measure's key
    file_fields                names of the fields with paths of files: the key contains the files' digests, not their paths; on a
                               worker they name its own copies (`curation.storage.carried`)
    needs_files                whether no rule can drop a text while no field of `file_fields` names a file: a run then warns
    reads()                    full names of the earlier filters' signals that it finds among the documents' columns
    cautions()                 what people who run a recipe with the filter should know: told once, recorded, and on the dataset's card
    edits                      names of the edits whose counts the filter reads from the documents' metadata; the recipe must list them

A recipe chooses a filter by a FilterChoice: names and plain values, which travel to workers and build the filter there.

The file's docstring names the paper. A null signal never fails a rule: a document is not judged by what could not be measured.
"""

import dataclasses
import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, TypeVar, get_type_hints

import numpy as np
import polars as pl
import pyarrow as pa

from curation.arrays import Array, Column, Flags, Floats, JsonMapping, JsonObject, Table
from curation.choices import build
from curation.engine.failures import in_one_line, traceback_of
from curation.errors import CurationError, RecipeError
from curation.plugins import USERS, Named, class_in, shipped, shipped_as
from curation.storage.carried import at_hand, own_name, take_along
from curation.storage.digests import digest_of_file
from curation.storage.location import Location
from curation.storage.resources import is_shipped, resolve
from curation.text.text import Text

Signals = Mapping[str, Column | Array]
Side = Literal["below", "above"]

_THRESHOLD = "threshold"
_Value = TypeVar("_Value")
Threshold: TypeAlias = Annotated[_Value, _THRESHOLD]
"""The type of a filter's field that only rules read, such as `Threshold[int]`."""


@dataclass(frozen=True)
class Bounds:
    """A table of bounds: value of a text signal -> bound, and a default for all other values; None is no bound.

    The table states as data what an expression would compute, so that reading a run's rules executes nothing.
    """

    signal: str
    values: Mapping[str, float | None]
    default: float | None = None

    def of(self, value: str | None) -> float | None:
        """Return the bound for a value of the signal."""
        return self.default if value is None else self.values.get(value, self.default)

    def expression(self) -> pl.Expr:
        """Return the table as an expression over the filter's signals."""
        if not self.values:
            return pl.lit(self.default, pl.Float64)
        bounds = pl.Series(list(self.values.values()), dtype=pl.Float64)
        return pl.col(self.signal).replace_strict(list(self.values), bounds, default=self.default, return_dtype=pl.Float64)


Bound = float | pl.Expr | Bounds


@dataclass(frozen=True)
class Rule:
    """A reason to drop a document: the expression that decides, the signal it reads and the threshold it compares with.

    A threshold that is an expression over the filter's signals gives each document its own threshold (for example that of its language), or
    null for none; `bounds` states it as data if it is a table. `evidence` names further signals whose values go to the ledger when this
    rule decides. `side` is the side of the threshold that is dropped, None for a rule that does not compare with a threshold.
    """

    drops: pl.Expr
    signal: str
    threshold: float | pl.Expr | None = None
    evidence: tuple[str, ...] = ()
    side: Side | None = None
    bounds: Bounds | None = None

    @property
    def single_threshold(self) -> float | None:
        """The threshold if it is the same for all documents, else None."""
        return None if isinstance(self.threshold, pl.Expr) else self.threshold

    def thresholds(self, own: pl.DataFrame) -> Floats:
        """Return the threshold for each row of the filter's signals (float64); NaN if it has none."""
        if isinstance(self.threshold, pl.Expr):
            bounds = own.select(self.threshold.cast(pl.Float64).alias("bound"))["bound"].fill_null(math.nan).to_numpy()
        else:
            bounds = np.array([math.nan if self.threshold is None else self.threshold])
        return np.broadcast_to(bounds, own.height)


def below(signal: str, bound: Bound, evidence: tuple[str, ...] = ()) -> Rule:
    """Drop documents whose signal is less than the bound; a document without a bound passes."""
    threshold = _threshold(bound)
    return Rule(pl.col(signal) < threshold, signal, threshold, evidence, "below", _table(bound))


def above(signal: str, bound: Bound, evidence: tuple[str, ...] = ()) -> Rule:
    """Drop documents whose signal is greater than the bound; a document without a bound passes."""
    threshold = _threshold(bound)
    return Rule(pl.col(signal) > threshold, signal, threshold, evidence, "above", _table(bound))


def _threshold(bound: Bound) -> float | pl.Expr:
    if isinstance(bound, Bounds):
        return bound.expression()
    return bound if isinstance(bound, pl.Expr) else float(bound)


def _table(bound: Bound) -> Bounds | None:
    return bound if isinstance(bound, Bounds) else None


def not_among(signal: str, allowed: Sequence[str], evidence: tuple[str, ...] = ()) -> Rule:
    """Drop documents whose text signal is not one of the allowed values."""
    return Rule(~pl.col(signal).is_in(list(allowed)), signal, None, evidence)


@dataclass(frozen=True)
class Filter(Named, ABC):
    """Base of all filters; see the module's docstring for the contract."""

    signal_types: ClassVar[Mapping[str, pa.DataType]]
    file_fields: ClassVar[frozenset[str]] = frozenset()
    needs_files: ClassVar[bool] = False
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ()
    edits: ClassVar[tuple[str, ...]] = ()
    examples: ClassVar[Sequence[tuple[str, str | None]]] = ()

    @abstractmethod
    def signals(self, text: Text, documents: Table) -> Signals:
        """Measure a batch: numpy or Arrow columns, one value per text. `documents` is the Arrow table of the same rows without text."""

    @abstractmethod
    def rules(self) -> Mapping[str, Rule]:
        """Return reason -> rule, in the order in which rules are tried."""

    def files(self) -> Mapping[str, str]:
        """Return name -> SHA-256 of every file that signals depend on; names contain no folder, so that a file may move."""
        return {}

    def cautions(self) -> Sequence[str]:
        """Return warnings for people who run a recipe with this filter, a line each, without a folder's name."""
        if not self.needs_files or any(getattr(self, name) for name in self.file_fields):
            return ()
        first = min(self.file_fields)
        value = '["FILE"]' if isinstance(getattr(self, first), tuple) else "FILE"
        told = f"no file is named ({', '.join(sorted(self.file_fields))}), so it drops nothing"
        return (f"filter {self.name()}: {told}; name one, such as --set 'filter.{self.name()}.{first}={value}', or leave the filter out",)

    @classmethod
    def read_with(cls, path: Path) -> tuple[Path, ...]:  # noqa: ARG003
        """Return the files that are read with a file of `file_fields` and lie beside it, such as a model's card."""
        return ()

    def reads(self) -> tuple[str, ...]:
        """Return the full names of earlier filters' signals that a run adds to `documents`; they are missing where it stands alone."""
        return ()

    @classmethod
    def threshold_fields(cls) -> frozenset[str]:
        """Return the names of the fields that only rules read."""
        hints = get_type_hints(cls, include_extras=True)
        return frozenset(name for name, hint in hints.items() if _THRESHOLD in getattr(hint, "__metadata__", ()))

    def measuring(self) -> JsonObject:
        """Return what the signals depend on: name, version, files, and the fields that are neither thresholds nor paths."""
        thresholds = self.threshold_fields()
        fields = {name: value for name, value in self.parameters().items() if name not in thresholds}
        return {"filter": self.name(), "version": self.version, "fields": fields, "files": dict(self.files())}

    def parameters(self) -> JsonObject:
        """Return the fields that change a signal or a verdict: all except paths of files."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in self.file_fields}


@dataclass(frozen=True)
class FilterChoice:
    """A filter as a recipe chooses it: a shipped one by name, or a user's own by file. Later filters skip documents that a `gate` drops."""

    name: str
    parameters: JsonMapping = field(default_factory=dict)
    file: str | None = None
    gate: bool = False

    def filter_class(self) -> type[Filter]:
        """Return the class. Raises RecipeError with the nearest name for an unknown name."""
        if self.file is not None:
            return filter_from_file(at_hand(self.file))
        return shipped_as(self.name, "filters", Filter)  # type: ignore[type-abstract]

    def build(self) -> Filter:
        """Make the filter. Raises RecipeError for a parameter it does not have or cannot take."""
        kind = self.filter_class()
        parameters = {name: _local(value) if name in kind.file_fields else value for name, value in self.parameters.items()}
        if self.file is None:
            return build(kind, parameters, f"filter {self.name}")
        with told_as_user_s(f"filter {self.name} of {own_name(self.file)} cannot be made"):
            made = build(kind, parameters, f"filter {self.name}")
            made.rules()
        return made

    def carried(self, out: Location) -> "FilterChoice":
        """Copy every file that the filter reads into OUT, and return a choice that names the copies, for workers."""
        kind, made = self.filter_class(), self.build()

        def copy(value: Any) -> Any:
            if isinstance(value, (list, tuple)):
                return [copy(path) for path in value]
            if not value or is_shipped(str(value)):
                return value
            place = resolve(str(value))
            return take_along(place, kind.read_with(place), out)

        copies = {name: copy(getattr(made, name)) for name in sorted(kind.file_fields)}
        file = None if self.file is None else take_along(Path(self.file).resolve(), (), out)
        return dataclasses.replace(self, parameters={**self.parameters, **copies}, file=file)

    def file_bytes(self) -> int:
        """Return the size of the files that the filter reads."""
        made = self.build()
        values = [getattr(made, name) for name in made.file_fields]
        paths = [path for value in values for path in (value if isinstance(value, (list, tuple)) else [value]) if path]
        return sum(resolve(str(path)).stat().st_size for path in paths)

    def identity(self) -> JsonObject:
        """Return what the filter's verdicts depend on."""
        own = {"source": source_digest(self.filter_class())} if self.file is not None else {}
        made = self.build()
        return {**made.measuring(), "fields": made.parameters(), "gate": self.gate, **own}

    def measuring(self) -> JsonObject:
        """Return what the filter's signals depend on and, for a gate, also what the signals of later filters depend on."""
        if self.gate:
            return self.identity()
        own = {"source": source_digest(self.filter_class())} if self.file is not None else {}
        return {**self.build().measuring(), **own}


def _local(value: Any) -> Any:
    """Return a path, or a list of paths, with this machine's copies of carried files."""
    if isinstance(value, list):
        return [_local(path) for path in value]
    return at_hand(value) if isinstance(value, str) else value


def shipped_filters() -> dict[str, type[Filter]]:
    """Return name -> class of every filter in this folder, sorted by name."""
    return shipped("filters", Filter)  # type: ignore[type-abstract]


def filter_from_file(path: str | Path) -> type[Filter]:
    """Load a user's filter from a Python file. Raises RecipeError when the file is missing or defines no filter."""
    path = Path(path).resolve()
    if not path.is_file():
        raise RecipeError(f"filter file {path} does not exist")
    name = f"{USERS}.{path.stem}"
    if name not in sys.modules or getattr(sys.modules[name], "__file__", None) != str(path):
        module = ModuleType(name)
        module.__file__ = str(path)
        sys.modules[name] = module
        try:  # compiled here: Python's own import would run a `__pycache__` beside the file, which in a run folder no digest covers
            exec(compile(path.read_bytes(), str(path), "exec"), vars(module))
        except Exception as error:
            del sys.modules[name]
            raise broken(f"filter file {path} cannot be loaded", error) from error
    filter_class = class_in(sys.modules[name], Filter)  # type: ignore[type-abstract]
    if filter_class is None:
        raise RecipeError(f"{path} defines no filter: a frozen dataclass that extends filters.contract.Filter, with signals and rules")
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
    """Return the error for a failure in a user's own file."""
    return RecipeError(f"{what}: {in_one_line(error)}", traceback_of(error))


def source_digest(filter_class: type[Filter]) -> str:
    """Return the SHA-256 of the file that defines a filter (a user's own filter has no version to bump)."""
    source = sys.modules[filter_class.__module__].__file__
    if source is None:
        raise RecipeError(f"filter {filter_class.name()} has no source file")
    return digest_of_file(source)


def failing(made: Filter, own: Table) -> Iterator[tuple[tuple[str, Rule], Flags]]:
    """Yield each rule of a filter with the rows it drops. `own` holds the filter's signals under their bare names."""
    rules = made.rules()
    held = pl.DataFrame(own).select(**{reason: rule.drops.fill_null(False) for reason, rule in rules.items()})
    for reason, rule in rules.items():
        yield (reason, rule), np.broadcast_to(held[reason].to_numpy(), own.num_rows)


def passing(made: Filter, own: Table) -> Flags:
    """Return the rows that no rule of a filter drops. `own` is as for `failing`."""
    stays = np.ones(own.num_rows, np.bool_)
    for _, fails in failing(made, own):
        stays &= ~fails
    return stays

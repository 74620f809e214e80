"""The stage Measure alone scans text. It writes a narrow table with every signal of every filter beside each documents shard.

The table is public: it has the columns `key`, `id` and `<filter>.<signal>` for every signal. Text is read in batches of one row group.
Words and lines are found once for a batch, and all filters share them.

The filters after a `gate` skip the documents that the gate drops. The later signals of those documents are null, and a null never fails a
rule. Words and lines of the documents that pass are carried over, so no text is scanned twice (`Text.where`).

Invariant: signals depend on the filters' measuring parameters and on the document's own text. They do not depend on thresholds (except a
gate's), on the batch, or on the other documents in it.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import pyarrow as pa

from curation.arrays import Array, Column, JsonMapping, JsonObject, JsonValue, Schema, Table
from curation.engine.stage import Output, Stage, Unit
from curation.schema import DOCUMENTS, KEY
from curation.storage.digests import version_of
from curation.storage.shards import batches
from curation.text.text import Text
from filters.contract import Filter, FilterChoice, Signals, passing

DESCRIBING = [name for name in DOCUMENTS.names if name != "text"]


@dataclass(frozen=True)
class Measure(Stage):
    """Measures documents shards with a recipe's filters, in recipe order."""

    filters: tuple[FilterChoice, ...]
    name: ClassVar[str] = "2-measure"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "numpy", "numba")

    def fields(self) -> JsonValue:
        """Return the fields that signals depend on, which are all but the thresholds."""
        return {"filters": [choice.measuring() for choice in self.filters]}

    def identity(self) -> JsonObject:
        """Add the versions of the packages that the filters use."""
        own = super().identity()
        names = sorted({package for choice in self.filters for package in choice.filter_class().packages})
        return {**own, "packages": {**own["packages"], **{package: version_of(package) for package in names}}}

    def memory(self, unit: Unit) -> int:
        """Add the models and lists, which each worker holds."""
        return super().memory(unit) + self._file_bytes

    @cached_property
    def _file_bytes(self) -> int:
        return sum(choice.file_bytes() for choice in self.filters)

    def make(self, unit: Unit, output: Output) -> JsonMapping:
        """Measure one documents shard."""
        filters = [(choice.build(), choice.gate) for choice in self.filters]
        schema = signals_schema([made for made, _ in filters])
        documents = unit.shard("documents")
        text_bytes = 0
        with output.shard(documents.name, schema) as writer:
            for batch in batches(documents):
                text_bytes += batch["text"].nbytes
                writer.write(measure(batch, filters, schema))
        return {"documents": documents.rows, "text_bytes": text_bytes}


def signals_schema(filters: list[Filter]) -> Schema:
    """Return the schema of the signals table."""
    columns = [pa.field(f"{made.name()}.{signal}", kind) for made in filters for signal, kind in made.signal_types.items()]
    return pa.schema([pa.field("key", KEY, nullable=False), pa.field("id", pa.string(), nullable=False), *columns])


def measure(batch: Table, filters: list[tuple[Filter, bool]], schema: Schema) -> Table:
    """Return the signals of a batch of DOCUMENTS rows."""
    columns: dict[str, Column] = {"key": batch["key"], "id": batch["id"]}
    text = Text.from_arrow(batch["text"])
    narrow = batch.select(DESCRIBING)
    read = {name for made, _ in filters for name in made.reads()}
    places = None
    for place, (made, gate) in enumerate(filters, 1):
        found = signals_of(made, text, narrow)
        missing = made.signal_types.keys() ^ found.keys()
        if missing:
            raise ValueError(f"filter {made.name()} declares and measures different signals: {sorted(missing)}")
        own = {name: as_array(found[name], kind) for name, kind in made.signal_types.items()}
        for name, column in own.items():
            columns[f"{made.name()}.{name}"] = column if places is None else column.take(places)
            if f"{made.name()}.{name}" in read:
                narrow = narrow.append_column(f"{made.name()}.{name}", column)
        if gate and place < len(filters):
            stays = passing(made, pa.table(own))
            text = text.where(stays)
            narrow = narrow.filter(pa.array(stays))
            places = _places(stays) if places is None else _places(stays).take(places)
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def signals_of(made: Filter, text: Text, narrow: Table) -> Signals:
    """Return a filter's signals for a batch; an error names the filter."""
    try:
        return made.signals(text, narrow)
    except Exception as error:
        error.add_note(f"filter {made.name()}")
        raise


def as_array(values: Column | Array, kind: pa.DataType) -> Column:
    """Return a signal as an Arrow array of its declared type."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind)


def _places(stays: Column) -> Column:
    """Return the place of each row among the rows that stay, and null for all others."""
    return pa.array(np.cumsum(stays) - 1, pa.int64(), mask=~stays)

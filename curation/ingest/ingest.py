"""Ingest turns input files into documents shards: here text is decoded, extracted, edited and written, once.

A unit is one input file, or a group of small ones. Its records become rows of DOCUMENTS, in parts of at most PART_BYTES of text, or rows of
REJECTS with a reason: never both, never neither. The unit's counts give, for every file, how many records the reader *counted* before
anything parsed them; at the end the books compare that number with the ledger.

Pages (HTML, XHTML) are extracted; plain text becomes a document unchanged. The rules of this stage are `http_status` (not 200), `not_html`
(neither a page nor plain text) and `empty_text` (nothing left after extraction and edits); the readers add their reasons for unreadable
records. `crashed` and `timed_out` mean that the record killed or blocked its process twice (see `curation.ingest.quarantine`).

Invariants
    - Rows are in file order, and files in the order of their relative paths; the ends of parts depend only on the number of text bytes.
    - A record's result is a function of its own bytes, so it does not matter which worker reads which file.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.arrays import Integers, JsonMapping, JsonObject, Table
from curation.choices import build
from curation.engine.heartbeat import beat
from curation.engine.stage import Job, Output, Stage, Unit
from curation.ingest.edits import Edit, edit_named
from curation.ingest.extraction import Extractor, extractor_named
from curation.ingest.page_text import NoPage, text_of_page
from curation.ingest.quarantine import BATCH, RecordPlace, make_isolated
from curation.ingest.readers import BOMB, DAMAGE, MAX_RECORD_BYTES, Broken, Ignored, Outcome, Record, Tally, read_records
from curation.ingest.side_fields import json_text
from curation.schema import DOCUMENTS, REJECTED, REJECTS
from curation.storage.digests import version_of
from curation.storage.record_keys import record_key
from curation.storage.shards import PART_BYTES, ROW_GROUP_BYTES, ShardWriter
from curation.storage.source_file import SourceFile
from curation.text.text import Text

SMALL_FILE = 8 << 20
"""Files below this many bytes are grouped."""

FILE_GROUPS = 64
"""Units that small files are divided into."""

READER_REPAIRS = "reading"
"""Name among the edits under which the readers' repairs are counted."""

_ROWS_PER_BATCH = 8192
_GATHERED = ("key", "id", "url", "source", "file_path", "offset", "crawled_at", "text_bytes", "metadata")
_NAMED = ("key", "id", "url", "source", "file_path", "offset")


@dataclass(frozen=True)
class IngestPart:
    """A part of ingest (extractor or edit) that a recipe requests: its name and parameters."""

    name: str
    parameters: JsonMapping = field(default_factory=dict)


FATAL = {
    "crashed": "the record took down the process that read it, twice",
    "timed_out": "the record held the process that read it for longer than any record takes, twice",
}
"""Reasons for leaving out a record that no process survives; see `curation.ingest.quarantine`."""


@dataclass(frozen=True)
class Ingest(Stage):
    """Reads, extracts and edits. `limit` is the largest number of records read from each file (None: all)."""

    extractor: IngestPart = field(default_factory=lambda: IngestPart("blocks"))
    edits: tuple[IngestPart, ...] = ()
    limit: int | None = None
    name: ClassVar[str] = "1-ingest"
    version: ClassVar[int] = 6
    packages: ClassVar[tuple[str, ...]] = (
        "pyarrow",
        "fastwarc",
        "resiliparse",
        "charset-normalizer",
        "backports-zstd",
        "xxhash",
        "numpy",
        "numba",
    )
    survives_crashes: ClassVar[bool] = True

    def identity(self) -> JsonObject:
        """Add the versions of the extractor and the edits, and of the packages they use."""
        parts: list[type[Extractor] | type[Edit]] = [extractor_named(self.extractor.name)]
        parts += [edit_named(choice.name) for choice in self.edits]
        own = super().identity()
        packages = {package: version_of(package) for part in parts for package in part.packages}
        return {**own, "parts": [part.version for part in parts], "packages": {**own["packages"], **packages}}

    def make(self, unit: Unit, output: Output) -> JsonMapping:
        """Read the unit's files and write documents and rejects."""
        return self.make_without(unit, output, {}, lambda _: None, alone=False)

    def make_isolated(self, job: Job, output: Output) -> JsonMapping:
        """Make the unit in child processes, leaving out the records that kill or block them."""
        return make_isolated(job, output)

    def make_without(
        self, unit: Unit, output: Output, fatal: Mapping[RecordPlace, str], note: Callable[[RecordPlace], None], *, alone: bool = True
    ) -> JsonMapping:
        """Make the unit, but call `note(place)` before each record is read, and reject the records in `fatal` as unreadable, with that
        reason.

        `alone`: each document goes through the edits by itself before it joins a batch, and the result is discarded. So if the process
        dies, the last noted place identifies the record. `note(BATCH)` announces that edits start on many records at once.
        """
        extractor = build(extractor_named(self.extractor.name), self.extractor.parameters, "extractor")
        edits = [(choice.name, build(edit_named(choice.name), choice.parameters, f"edit {choice.name}")) for choice in self.edits]
        files = {}
        with _Writer(unit.name, output, edits, note, alone=alone) as writer:
            for source in unit.sources:
                tally = Tally()
                place = (source.relative, 0)
                note(place)
                beat(MAX_RECORD_BYTES)
                for number, outcome in enumerate(islice(read_records(source, tally), self.limit), start=1):
                    beat(_size(outcome))
                    _take(_left_out(outcome, fatal[place]) if place in fatal else outcome, source, extractor, writer)
                    place = (source.relative, number)
                    note(place)
                    beat(MAX_RECORD_BYTES)
                beat(0)
                files[source.relative] = {
                    "records": tally.frames,
                    "lost": tally.lost,
                    "unreadable": writer.unreadable.get(source.relative),
                    "limited": writer.limited.get(source.relative),
                    "damaged": writer.damaged.get(source.relative),
                    "ignored": dict(sorted(tally.ignored.items())),
                    "sha256": _digest(source),
                }
        return {"files": files, **writer.counts()}


def ingest_units(sources: Sequence[SourceFile]) -> list[Unit]:
    """Group input files into units: large files alone, small files in FILE_GROUPS groups; a hash of the relative path names the unit."""
    members: dict[str, list[SourceFile]] = {}
    for source in sources:
        digest = hashlib.sha256(source.relative.encode("utf-8", "surrogateescape")).hexdigest()
        name = digest[:16] if source.size >= SMALL_FILE else f"small-{int(digest[:8], 16) % FILE_GROUPS:02d}"
        members.setdefault(name, []).append(source)
    return [Unit(name, sources=tuple(sorted(files, key=lambda file: file.relative))) for name, files in sorted(members.items())]


def _left_out(outcome: Outcome, reason: str) -> Broken:
    return Broken(outcome.offset, reason, FATAL[reason])


def _size(outcome: Outcome) -> int:
    """Return the approximate size of a record in bytes, at least 1."""
    if isinstance(outcome, Record) and not isinstance(outcome.payload, str):
        return len(outcome.payload) + 1
    return 1 if isinstance(outcome, Ignored) else len(outcome.raw) + 1


def _take(outcome: Outcome, source: SourceFile, extractor: Extractor, writer: "_Writer") -> None:
    """Turn one outcome into a row of DOCUMENTS or of REJECTS; Ignored outcomes are already counted."""
    if isinstance(outcome, Ignored):
        return
    if isinstance(outcome, Broken):
        key = record_key(outcome.own_id or f"{source.relative}:{outcome.offset}", outcome.url, outcome.raw)
        writer.reject(source, outcome, key, f"{source.relative}:{outcome.offset}", "unreadable", outcome.reason, detail=outcome.detail)
        return
    key = record_key(outcome.own_id, outcome.url, outcome.raw)
    own_id = outcome.own_id or key.hex()
    if outcome.status is not None and outcome.status != 200:
        writer.reject(source, outcome, key, own_id, "dropped", "http_status", value=float(outcome.status), threshold=200.0)
        return
    metadata, repairs = {name: json_text(value) for name, value in outcome.metadata.items()}, dict(outcome.repairs)
    if isinstance(outcome.payload, str):
        text = outcome.payload
        encoded = text.encode() if repairs else outcome.raw
    else:
        try:
            text = text_of_page(outcome, outcome.payload, extractor, metadata, repairs)
        except NoPage as error:
            own_id = own_id if error.fate == "dropped" else f"{source.relative}:{outcome.offset}"
            writer.reject(source, outcome, key, own_id, error.fate, error.rule, detail=str(error))
            return
        encoded = text.encode()
    if not text or text.isspace():
        writer.reject(source, outcome, key, own_id, "dropped", "empty_text")
        return
    if repairs:
        metadata |= writer.repaired(repairs)
    writer.document(source, outcome, key, own_id, encoded, len(text), metadata)


def _empty_batch() -> dict[str, list[Any]]:
    """Return a list for each gathered column; the garbage collector would visit a tuple or dict per row again and again."""
    return {name: [] for name in _GATHERED}


class _Writer:
    """Collects rows into batches, edits a batch at once, and starts a new shard at PART_BYTES. Use it as a context manager.

    `unreadable` gives, for each file with unreadable records, their number and the reason for the first; `limited` names, for each file of
    which a limit left a part unread, that limit; `damaged` gives, for each damaged file, the reason and the id of the first row for the
    damage.
    """

    def __init__(
        self, unit: str, output: Output, edits: Sequence[tuple[str, Edit]], note: Callable[[RecordPlace], None], *, alone: bool
    ) -> None:
        self._note = note
        self._alone = alone
        self._unit = unit
        self._output = output
        self._edits = edits
        self._batch = _empty_batch()
        self._text = bytearray()
        self._rejects: list[JsonObject] = []
        self._characters = 0
        self._part: ShardWriter | None = None
        self._part_bytes = 0
        self._parts = 0
        self._written = {"documents": 0, "text_bytes": 0}
        self._edited: dict[str, int] = {}
        self.unreadable: dict[str, JsonObject] = {}
        self.limited: dict[str, str] = {}
        self.damaged: dict[str, JsonObject] = {}

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._flush()
        if self._part is not None:
            self._part.__exit__(kind, error, trace)
        if kind is None:
            self._output.write(f"{self._unit}{REJECTED}", pa.Table.from_pylist(self._rejects, REJECTS))

    def counts(self) -> JsonObject:
        """Return the counts for the unit's sidecar."""
        return {**self._written, "rejects": len(self._rejects), "edits": dict(sorted(self._edited.items()))}

    def repaired(self, repairs: Mapping[str, int]) -> dict[str, str]:
        """Count the reader's repairs as edits, and return them as metadata of the document."""
        for name, count in repairs.items():
            self._edited[f"{READER_REPAIRS}.{name}"] = self._edited.get(f"{READER_REPAIRS}.{name}", 0) + count
        return {f"edits.{READER_REPAIRS}.{name}": str(count) for name, count in repairs.items()}

    def document(
        self, source: SourceFile, record: Record, key: bytes, own_id: str, text: bytes, characters: int, metadata: Mapping[str, str]
    ) -> None:
        """Add a document with its UTF-8 text and its number of characters."""
        if self._alone:
            self._edited_by_all(Text.from_utf8(bytearray(text), [len(text)]))
        row = (key, own_id, record.url, source.source, source.relative, record.offset, record.crawled_at, len(text), metadata)
        for column, value in zip(self._batch.values(), row, strict=True):
            column.append(value)
        self._text += text
        self._characters += characters
        if self._characters >= ROW_GROUP_BYTES or len(self._batch["key"]) >= _ROWS_PER_BATCH:
            self._flush()

    def reject(
        self,
        source: SourceFile,
        record: Record | Broken,
        key: bytes,
        own_id: str,
        fate: str,
        rule: str,
        *,
        value: float | None = None,
        threshold: float | None = None,
        detail: str | None = None,
    ) -> None:
        """Add a record that has no text to judge, with the reason."""
        if fate == "unreadable":
            self.unreadable.setdefault(source.relative, {"records": 0, "reason": rule, "detail": detail or ""})["records"] += 1
        if isinstance(record, Broken) and rule in DAMAGE:
            self.damaged.setdefault(source.relative, {"reason": rule, "id": own_id})
        if rule == BOMB:
            self.limited.setdefault(source.relative, detail or "")
        self._rejects.append(
            {
                "key": key,
                "id": own_id,
                "url": record.url,
                "source": source.source,
                "file_path": source.relative,
                "offset": record.offset,
                "fate": fate,
                "rule": rule,
                "value": value,
                "threshold": threshold,
                "evidence": _evidence(record, detail) if detail else None,
            }
        )

    def _flush(self) -> None:
        batch = self._batch
        if not batch["key"]:
            return
        self._note(BATCH)
        beat(len(self._text))
        text = Text.from_utf8(self._text, batch["text_bytes"])
        self._batch, self._text, self._characters = _empty_batch(), bytearray(), 0
        text, counts = self._edited_by_all(text)
        for name, per_document in counts:
            self._note_edits(batch["metadata"], name, per_document)
        table = pa.table({**batch, "text": text.to_arrow(), "text_bytes": text.lengths}, DOCUMENTS)
        self._write(self._without_empty(table) if self._edits else table)

    def _edited_by_all(self, text: Text) -> tuple[Text, list[tuple[str, Integers]]]:
        """Return the edited texts, and what each edit counted, by name."""
        counts = []
        for name, edit in self._edits:
            edited = edit.apply(text)
            text = edited.text
            counts += [(count if count == name else f"{name}.{count}", values) for count, values in edited.counts.items()]
        return text, counts

    def _note_edits(self, metadata: list[Any], name: str, per_document: Integers) -> None:
        for row in np.flatnonzero(per_document):
            metadata[row] = {**metadata[row], f"edits.{name}": str(int(per_document[row]))}
        self._edited[name] = self._edited.get(name, 0) + int(np.sum(per_document))

    def _without_empty(self, table: Table) -> Table:
        """Return the documents that still have text after the edits; reject the others."""
        empty = pc.equal(pc.binary_length(pc.utf8_trim_whitespace(table["text"])), 0)
        for row in table.filter(empty).select(list(_NAMED)).to_pylist():
            self._rejects.append({**row, "fate": "dropped", "rule": "empty_text"})
        return table.filter(pc.invert(empty))

    def _write(self, table: Table) -> None:
        """Write a batch of documents as one row group; start the next part if this one would exceed PART_BYTES."""
        size = int(pc.sum(table["text_bytes"]).as_py() or 0)
        if self._part is not None and self._part_bytes + size > PART_BYTES:
            self._part.__exit__(None, None, None)
            self._part = None
        if self._part is None:
            self._part = self._output.shard(f"{self._unit}-{self._parts:05d}", DOCUMENTS)
            self._part.__enter__()
            self._parts, self._part_bytes = self._parts + 1, 0
        self._part.write(table)
        self._part_bytes += size
        self._written["documents"] += table.num_rows
        self._written["text_bytes"] += size


def _evidence(record: Record | Broken, detail: str) -> str:
    """Return as JSON why a record has no text and, if the row represents several records (`records`), how many."""
    several = {"records": record.records} if isinstance(record, Broken) and record.records != 1 else {}
    return json.dumps({"detail": detail, **several}, ensure_ascii=False)


def _digest(source: SourceFile) -> str:
    with source.location.open_stream() as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]

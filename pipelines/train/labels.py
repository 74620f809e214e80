"""Labelled texts, for training and evaluation.

A label file is JSONL (also .gz) or Parquet. Each row has a text, its score from 0 to 5, and a group. A group (a book, a site) is held out
as a whole. The optional columns `license` and `kind` go to the model's card.

Invariant: every row becomes a labelled text, or reading fails and names the file and the row; no row is skipped.
"""

import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import InputError
from curation.ingest.inputs import expand
from curation.storage.location import Location
from curation.storage.source_file import Fields
from curation.system_errors import unreadable
from filters.support.scorer import HIGHEST_SCORE

NOT_STATED = "not stated"
"""The licence of a row that names none."""
NO_KIND = "text"
"""The kind of a row that names none."""
_LARGEST_BYTES = 1 << 30


@dataclass(frozen=True)
class LabelledText:
    """A text and its score; `group` is held out as a whole, `source` is its origin, `kind` its kind (an article, a forum, ...)."""

    text: str
    score: float
    group: str
    source: str
    license: str = NOT_STATED
    kind: str = NO_KIND


@dataclass(frozen=True)
class LabelInput:
    """The request to `curation.ingest.inputs`: files by path, folder or glob."""

    path: str
    source: str | None = None
    fields: Fields = field(default_factory=Fields)


def read_labels(inputs: Sequence[str], text: str, score: str, group: str) -> list[LabelledText]:
    """Read label files: paths, folders or globs. `text`, `score` and `group` name their columns.

    A row's source is its column `source`, or else the file's name.

    Raises InputError, with the file and the row, for a value that is missing, broken or out of range.
    """
    places = {file.location: None for given in inputs for file in expand([LabelInput(given)])}
    found = [row for place in places for row in _read_file(place, text, score, group)]
    if not found:
        raise InputError(f"{', '.join(inputs)}: there is no labelled text")
    return found


def _read_file(place: Location, text: str, score: str, group: str) -> Iterator[LabelledText]:
    for number, row in label_rows(place):
        where = f"{place}, row {number}"
        for column in (text, score, group):
            if row.get(column) is None:
                there = ", ".join(map(repr, row)) or "nothing"
                raise InputError(f"{where} has no {column!r}; it has {there}; name its columns with --text, --score, --group")
        if not isinstance(row[text], str):
            raise InputError(f"{where}: {text} is not text but {row[text]!r}")
        value = row[score]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= HIGHEST_SCORE:
            raise InputError(f"{where}: {score} must be a number from 0 to {HIGHEST_SCORE}, not {value!r}")
        source, license_, kind = (
            str(row.get(name) or missing) for name, missing in (("source", place.name), ("license", NOT_STATED), ("kind", NO_KIND))
        )
        yield LabelledText(row[text], float(value), str(row[group]), source, license_, kind)


def label_rows(place: Location) -> Iterable[tuple[int, Mapping[str, Any]]]:
    """Yield each row with its number, counted from 1 (in JSONL, the number of its line)."""
    name = place.name.lower()
    try:
        if name.endswith(".parquet"):
            return enumerate(pq.read_table(pa.BufferReader(place.read_bytes())).to_pylist(), start=1)
        if name.endswith((".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")):
            content = _unpacked(place) if name.endswith(".gz") else place.read_bytes()
            return _json_rows(place, content)
    except (OSError, EOFError, pa.ArrowException, zlib.error) as error:
        raise InputError(unreadable(place, error)) from error
    raise InputError(f"{place}: a label file ends in .jsonl, .jsonl.gz or .parquet")


def _unpacked(place: Location) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(place.read_bytes())) as stream:
        content = stream.read(_LARGEST_BYTES + 1)
    if len(content) > _LARGEST_BYTES:
        raise InputError(f"{place} unpacks to more than {_LARGEST_BYTES >> 20} MiB; give the labels as Parquet, or fewer of them")
    return content


def _json_rows(place: Location, content: bytes) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{place}, row {number} is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise InputError(f"{place}, row {number} is not a JSON object")
        yield number, row

"""Benchmark files as items: the questions and answers that training text must not contain.

A file is JSONL, CSV or Parquet, by its name, plain or (JSONL and CSV) with `.gz`. Each row is a benchmark example; each of its text fields
is a separate item, and so is each text in a list. The case of field names does not matter ("Question"). A row is named by its `id` or
`task_id` if it has one, and otherwise by its number, counted from 1.

Invariant: items come in the order of the files, rows and fields, so the first item that holds an n-gram is always the same.
"""

import csv
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import pyarrow.parquet as pq

from curation.arrays import JsonMapping
from curation.errors import InputError
from curation.system_errors import unreadable

_NAMES_OF_ROWS = ("id", "task_id")


class BenchmarkItem(NamedTuple):
    """One text of a benchmark."""

    benchmark: str
    """The file's name without its endings."""
    name: str
    """Row and field: "HumanEval/3 prompt", "17 question"."""
    text: str


def read_items(path: Path, fields: Sequence[str]) -> Iterator[BenchmarkItem]:
    """Read the items of a benchmark file. Raises InputError if it is broken, of an unknown format, or without any of the fields."""
    benchmark = path.name.split(".")[0]
    wanted = [field.casefold() for field in fields]
    used = False
    columns: set[str] = set()
    for number, row in enumerate(_rows(path), start=1):
        by_name = {str(name).casefold(): value for name, value in row.items()}
        columns |= by_name.keys()
        label = next((str(by_name[name]) for name in _NAMES_OF_ROWS if by_name.get(name) not in (None, "")), str(number))
        for field in wanted:
            for text in _texts(by_name.get(field)):
                used = True
                yield BenchmarkItem(benchmark, f"{label} {field}", text)
    if not used:
        raise InputError(
            f"benchmark {path} has no text in {', '.join(fields)}; it has {', '.join(sorted(columns)) or 'no rows'}; name its fields"
        )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _texts(part)


def _rows(path: Path) -> Iterator[JsonMapping]:
    endings = [ending.lower() for ending in path.suffixes[-2:]]
    packed = endings[-1:] == [".gz"]
    kind = endings[-2] if packed and len(endings) > 1 else "" if packed else (endings or [""])[-1]
    try:
        if kind == ".parquet" and not packed:
            yield from pq.read_table(path).to_pylist()
        elif kind in (".jsonl", ".ndjson", ".csv"):
            with (
                gzip.open(path, "rt", encoding="utf-8-sig", newline="") if packed else path.open(encoding="utf-8-sig", newline="") as stream
            ):
                yield from csv.DictReader(stream) if kind == ".csv" else _json_rows(stream)
        else:
            raise InputError(f"benchmark {path}: a benchmark file ends in .jsonl, .csv or .parquet (or .jsonl.gz, .csv.gz)")
    except (OSError, EOFError, ValueError, csv.Error) as error:
        raise InputError(f"benchmark {unreadable(path, error)}") from error


def _json_rows(stream: IO[str]) -> Iterator[JsonMapping]:
    for number, line in enumerate(stream, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"line {number}: {error}") from error
        if not isinstance(row, dict):
            raise ValueError(f"line {number} is no JSON object")
        yield row

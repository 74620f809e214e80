"""Benchmark overlap: keeps test questions, and their answers, out of the training data.

Source of the method: Brown et al. 2020 (GPT-3), appendix C: a text that shares a 13-gram with a benchmark is contaminated. Words are
compared folded and without punctuation, so case, accents, line breaks, quotation marks and dashes do not hide a copy (see
`curation.ngram_index`).

    overlap     words in the longest passage that the text shares with the benchmarks; 0 where it shares none
    benchmark   name of the benchmark file that holds it, without its endings
    item        row and field in that file
    span        the passage as the text has it, cut to 200 characters

Every run of `ngram` words of an item is looked for. A shorter item is looked for as a whole, if it has at least `min_ngram` words; an item
shorter than that cannot be told from ordinary language and is not looked for.

Where no benchmark is named, nothing is measured: overlap is null, and no document is dropped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from curation.benchmark_items import Item, read_items
from curation.errors import RecipeError
from curation.hashing import digest_of_file
from curation.ngram_index import NgramIndex
from curation.resources import resolve
from curation.text import TextColumn
from filters.contract import Filter, Rule, Signals, above

_SPAN_CHARACTERS = 200


@dataclass(frozen=True)
class BenchmarkOverlap(Filter):
    """Drops texts that hold a passage of a benchmark.

    benchmarks   benchmark files, JSONL, CSV (each also .gz) or Parquet: local paths, or `<package>:<file>` for one that we ship
    fields       names of the fields that hold an item's texts, whatever their case
    ngram        words of a passage that cannot be chance: 13 (GPT-3)
    min_ngram    words that a shorter item must have to be looked for: 8, the least n of GPT-3's study
    max_overlap  words of the longest shared passage that are allowed: 0, so any match drops
    """

    benchmarks: tuple[str, ...] = ()
    fields: tuple[str, ...] = ("question", "prompt", "problem", "text", "answer", "solution")
    ngram: int = 13
    min_ngram: int = 8
    max_overlap: int = 0

    signal_types: ClassVar[Mapping[str, pa.DataType]] = {
        "overlap": pa.int32(),
        "benchmark": pa.string(),
        "item": pa.string(),
        "span": pa.string(),
    }
    threshold_fields: ClassVar[frozenset[str]] = frozenset({"max_overlap"})
    file_fields: ClassVar[frozenset[str]] = frozenset({"benchmarks"})
    examples: ClassVar[tuple[tuple[str, str | None], ...]] = (("A text is not judged where no benchmark is named.", None),)

    def __post_init__(self) -> None:
        """Refuse lengths that cannot be looked for."""
        if not 1 <= self.min_ngram <= self.ngram:
            raise RecipeError(f"benchmark_overlap: 1 <= min_ngram <= ngram does not hold for {self.min_ngram} and {self.ngram}")

    def files(self) -> Mapping[str, str]:
        """Return the digest of each benchmark file under its number and name: signals tell the name, and the first item wins."""
        return {f"{number} {resolve(path).name}": digest for number, (path, digest) in enumerate(self._digests())}

    def _digests(self) -> tuple[tuple[str, str], ...]:
        states = ((path, resolve(path).stat()) for path in self.benchmarks)
        return tuple((path, _digest(path, state.st_size, state.st_mtime_ns)) for path, state in states)

    def signals(self, text: TextColumn, documents: Any) -> Signals:  # noqa: ARG002
        """Measure a batch against the index of all benchmarks, which is made once a process."""
        if not self.benchmarks:
            return {name: pa.nulls(len(text), kind) for name, kind in self.signal_types.items()}
        index, items = _index(self._digests(), self.fields, self.ngram, self.min_ngram)
        found = index.longest_passages(text.words)
        owners = [items[item] if item >= 0 else None for item in found.items]
        spans: list[str | None] = [None] * len(text)
        for row in np.flatnonzero(found.words):
            start = text.offsets[row]
            passage = text.data[start + found.starts[row] : start + found.ends[row]]
            spans[row] = passage.tobytes().decode("utf-8", "replace")[:_SPAN_CHARACTERS]
        return {
            "overlap": found.words,
            "benchmark": pa.array([owner and owner[0] for owner in owners], pa.string()),
            "item": pa.array([owner and owner[1] for owner in owners], pa.string()),
            "span": pa.array(spans, pa.string()),
        }

    def rules(self) -> Mapping[str, Rule]:
        """Return the one rule, with where the passage is from and what it says."""
        return {"holds_benchmark_item": above("overlap", self.max_overlap, ("benchmark", "item", "span"))}


@lru_cache(maxsize=256)
def _digest(path: str, size: int, modified: int) -> str:  # noqa: ARG001  (a file that changes is read again)
    return digest_of_file(resolve(path))


@lru_cache(maxsize=4)
def _index(
    files: tuple[tuple[str, str], ...], fields: tuple[str, ...], ngram: int, min_ngram: int
) -> tuple[NgramIndex, list[tuple[str, str]]]:
    """Return the index of the files (path, digest), and each item's benchmark and name."""
    items: list[Item] = [item for path, _ in files for item in read_items(resolve(path), fields)]
    index = NgramIndex.of([item.text for item in items], ngram, min_ngram)
    return index, [(item.benchmark, item.name) for item in items]

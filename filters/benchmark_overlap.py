"""Benchmark overlap: keeps test questions and their answers out of the training data.

Source of the method: Brown et al. 2020 (GPT-3), appendix C: a text that shares a 13-gram with a benchmark is contaminated. Words are
compared folded and without punctuation, so that case, accents, line breaks, quotation marks and dashes do not hide a copy (see
`curation.text.ngram_index`).

    overlap     number of words in the longest passage that the text shares with the benchmarks; 0 if it shares none
    benchmark   name of the benchmark file that contains the passage, without its endings
    item        row and field in that file
    span        the passage as it appears in the text, truncated to 200 characters

The filter searches for every run of n words of an item. For an item of 21 or more words n is 13 (GPT-3). For a shorter item n is
`min_percent` (60) of its words but at least 8, because six or seven words in a row are common language ("how much does it cost to"). The
filter searches for an item of 5 to 7 words as a whole, and ignores a shorter one ("what do you do"), which looks like ordinary language.

`tests/benchmark/decontamination.py` measures recall and false alarms. A word changed in the middle of an item of fewer than 20 words hides
the item: looser rules that find such copies flag clean text.

Without a benchmark nothing is measured: overlap is null, and no document is dropped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import pyarrow as pa

from curation.arrays import Table
from curation.choices import Count
from curation.errors import RecipeError
from curation.storage.digests import digest_of_file
from curation.storage.resources import resolve
from curation.text.ngram_index import Lengths, NgramIndex
from curation.text.text import Text
from filters.contract import Filter, Rule, Signals, Threshold, above
from filters.support.benchmark_items import BenchmarkItem, read_items

_SPAN_CHARACTERS = 200


@dataclass(frozen=True)
class BenchmarkOverlap(Filter):
    """Drops texts that contain a passage of a benchmark.

    benchmarks   benchmark files in JSONL, CSV (both also .gz) or Parquet: local paths, or `<package>:<file>` for a shipped one
    fields       names of the fields that hold an item's texts, in any case
    ngram        length in words of a passage that cannot be a coincidence: 13 (GPT-3)
    min_percent  for a short item, the length of a passage as a percentage of the item's words
    min_ngram    the least length in words of such a passage: 8, the smallest n of GPT-3's study
    min_words    the least length in words of an item that is matched as a whole; shorter items are ignored
    max_overlap  the allowed length in words of the longest shared passage: 0, so any match drops the text
    """

    benchmarks: tuple[str, ...] = ()
    fields: tuple[str, ...] = ("question", "prompt", "problem", "text", "answer", "solution")
    ngram: int = 13
    min_percent: int = 60
    min_ngram: int = 8
    min_words: Count = 5
    max_overlap: Threshold[Count] = 0

    signal_types: ClassVar[Mapping[str, pa.DataType]] = {
        "overlap": pa.int32(),
        "benchmark": pa.string(),
        "item": pa.string(),
        "span": pa.string(),
    }
    file_fields: ClassVar[frozenset[str]] = frozenset({"benchmarks"})
    needs_files: ClassVar[bool] = True
    version: ClassVar[int] = 2
    examples: ClassVar[tuple[tuple[str, str | None], ...]] = (("A text is not judged where no benchmark is named.", None),)

    def __post_init__(self) -> None:
        """Reject inconsistent lengths."""
        if not 1 <= self.min_words <= self.min_ngram <= self.ngram:
            given = f"{self.min_words}, {self.min_ngram} and {self.ngram}"
            raise RecipeError(f"benchmark_overlap: set 1 <= min_words <= min_ngram <= ngram; they are {given}")
        if not 1 <= self.min_percent <= 100:
            raise RecipeError(f"benchmark_overlap: min_percent is a percentage, 1 to 100, not {self.min_percent}")

    def files(self) -> Mapping[str, str]:
        """Return the digest of each benchmark file under its number and name: signals contain the name, and the first match wins."""
        return {f"{number} {resolve(path).name}": digest for number, (path, digest) in enumerate(self._digests())}

    def _digests(self) -> tuple[tuple[str, str], ...]:
        states = ((path, resolve(path).stat()) for path in self.benchmarks)
        return tuple((path, _digest(path, state.st_size, state.st_mtime_ns)) for path, state in states)

    def signals(self, text: Text, documents: Table) -> Signals:  # noqa: ARG002
        """Measure a batch with the index of all benchmarks, which each process builds once."""
        if not self.benchmarks:
            return {name: pa.nulls(len(text), kind) for name, kind in self.signal_types.items()}
        index, items = _index(self._digests(), self.fields, Lengths(self.ngram, self.min_ngram, self.min_percent, self.min_words))
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
        """Return the only rule, with the benchmark, item and text of the passage as evidence."""
        return {"holds_benchmark_item": above("overlap", self.max_overlap, ("benchmark", "item", "span"))}


@lru_cache(maxsize=256)
def _digest(path: str, size: int, modified: int) -> str:  # noqa: ARG001  (a file that changes is read again)
    return digest_of_file(resolve(path))


@lru_cache(maxsize=4)
def _index(files: tuple[tuple[str, str], ...], fields: tuple[str, ...], rule: Lengths) -> tuple[NgramIndex, list[tuple[str, str]]]:
    """Return the index of the files (path, digest), and each item's benchmark and name."""
    items: list[BenchmarkItem] = [item for path, _ in files for item in read_items(resolve(path), fields)]
    index = NgramIndex.of([item.text for item in items], rule)
    return index, [(item.benchmark, item.name) for item in items]

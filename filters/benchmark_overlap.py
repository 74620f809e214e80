"""Benchmark overlap: keeps test questions, and their answers, out of the training data.

Source of the method: Brown et al. 2020 (GPT-3), appendix C: a text that shares a 13-gram with a benchmark is contaminated. Words are
compared folded and without punctuation, so case, accents, line breaks, quotation marks and dashes do not hide a copy (see
`curation.text.ngram_index`).

    overlap     words in the longest passage that the text shares with the benchmarks; 0 where it shares none
    benchmark   name of the benchmark file that holds it, without its endings
    item        row and field in that file
    span        the passage as the text has it, cut to 200 characters

Every run of n words of an item is looked for: n = 13 (GPT-3) for an item of 21 words or more; a shorter one is recognised by `min_percent`
(60) of its words, but by no fewer than 8, for six or seven words in a row are common language ("how much does it cost to"). An item of 5
to 7 words is looked for as a whole; a shorter one ("what do you do") cannot be told from ordinary language, and is not looked for.

Measured with 2,727 questions of GSM8K, HumanEval, MBPP and TruthfulQA planted in clean text (`tests/benchmark/decontamination.py`): found
as they are, in any case, spacing or typography, or over bulleted lines, .991 of them (all but those below 5 words; 13-grams alone .735,
with whole items of 8 words and more .918); cut to their first 60 %, .751 (13-grams .581; of those with 13 words and more .98 and up); with
a word in 15 changed .672, in 20 dropped .922. Of 7,680 textbook and web texts none is flagged, and of 1,231 whole web pages one. A word
changed in the middle of an item below 20 words hides it: looser rules that find such copies flag clean text.

Where no benchmark is named, nothing is measured: overlap is null, and no document is dropped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from curation.errors import RecipeError
from curation.storage.digests import digest_of_file
from curation.storage.resources import resolve
from curation.text.ngram_index import Lengths, NgramIndex
from curation.text.text import Text
from filters.contract import Filter, Rule, Signals, above
from filters.support.benchmark_items import BenchmarkItem, read_items

_SPAN_CHARACTERS = 200


@dataclass(frozen=True)
class BenchmarkOverlap(Filter):
    """Drops texts that hold a passage of a benchmark.

    benchmarks   benchmark files, JSONL, CSV (each also .gz) or Parquet: local paths, or `<package>:<file>` for one that we ship
    fields       names of the fields that hold an item's texts, whatever their case
    ngram        words of a passage that cannot be chance: 13 (GPT-3)
    min_percent  percent of an item's words that make a passage where these are fewer than `ngram`
    min_ngram    words that it must have nevertheless: 8, the least n of GPT-3's study
    min_words    words of an item that is looked for as a whole where it has fewer than `min_ngram`; items of fewer words are ignored
    max_overlap  words of the longest shared passage that are allowed: 0, so any match drops
    """

    benchmarks: tuple[str, ...] = ()
    fields: tuple[str, ...] = ("question", "prompt", "problem", "text", "answer", "solution")
    ngram: int = 13
    min_percent: int = 60
    min_ngram: int = 8
    min_words: int = 5
    max_overlap: int = 0

    signal_types: ClassVar[Mapping[str, pa.DataType]] = {
        "overlap": pa.int32(),
        "benchmark": pa.string(),
        "item": pa.string(),
        "span": pa.string(),
    }
    threshold_fields: ClassVar[frozenset[str]] = frozenset({"max_overlap"})
    file_fields: ClassVar[frozenset[str]] = frozenset({"benchmarks"})
    version: ClassVar[int] = 2
    examples: ClassVar[tuple[tuple[str, str | None], ...]] = (("A text is not judged where no benchmark is named.", None),)

    def __post_init__(self) -> None:
        """Refuse lengths that cannot be looked for."""
        if not 1 <= self.min_words <= self.min_ngram <= self.ngram:
            given = f"{self.min_words}, {self.min_ngram} and {self.ngram}"
            raise RecipeError(f"benchmark_overlap: 1 <= min_words <= min_ngram <= ngram does not hold for {given}")
        if not 1 <= self.min_percent <= 100:
            raise RecipeError(f"benchmark_overlap: min_percent is a percentage, 1 to 100, not {self.min_percent}")

    def files(self) -> Mapping[str, str]:
        """Return the digest of each benchmark file under its number and name: signals tell the name, and the first item wins."""
        return {f"{number} {resolve(path).name}": digest for number, (path, digest) in enumerate(self._digests())}

    def _digests(self) -> tuple[tuple[str, str], ...]:
        states = ((path, resolve(path).stat()) for path in self.benchmarks)
        return tuple((path, _digest(path, state.st_size, state.st_mtime_ns)) for path, state in states)

    def signals(self, text: Text, documents: Any) -> Signals:  # noqa: ARG002
        """Measure a batch against the index of all benchmarks, which is made once a process."""
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
        """Return the one rule, with where the passage is from and what it says."""
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

"""Our filters on some texts, batch by batch; a child of `filter_speed.py`.

The last line printed is a JSON object: MB of text a second of processor time for each filter, and peak memory.
"""

import argparse
import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import child
import psutil
import pyarrow.parquet as pq

from curation.ingest.edits.c4_lines import C4Lines
from curation.text.lines import find_lines
from curation.text.text import Text
from curation.text.words import find_words
from filters.c4_quality import C4Quality
from filters.contract import Filter
from filters.educational_score import EducationalScore
from filters.fineweb_quality import FinewebQuality
from filters.gopher_quality import GopherQuality
from filters.gopher_quality_dclm import GopherQualityDclm
from filters.gopher_quality_dolma import GopherQualityDolma
from filters.gopher_repetition import GopherRepetition
from filters.gopher_repetition_dclm import GopherRepetitionDclm
from filters.language import Language
from filters.readability import Readability

FOUR: tuple[Filter, ...] = (GopherQuality(), GopherRepetition(), FinewebQuality())
OTHERS: tuple[Filter, ...] = (
    GopherQualityDclm(),
    GopherQualityDolma(),
    GopherRepetitionDclm(),
    Readability(),
    Language(),
    EducationalScore(),
)
ROWS = 512


def batches(paths: list[Path], share: float) -> Iterator[Text]:
    """Yield the texts of files, ROWS at a time; of a share, the first of each."""
    for path in paths:
        file = pq.ParquetFile(path)
        column = "text" if "text" in file.schema_arrow.names else "gold_text"
        left = int(file.metadata.num_rows * share)
        for batch in file.iter_batches(ROWS, columns=[column]):
            if left <= 0:
                break
            texts = batch.column(0).slice(0, min(left, batch.num_rows))
            left -= len(texts)
            yield Text.from_arrow(texts)


def c4(text: Text) -> None:
    """C4's rules: lines, then pages of what is left."""
    C4Quality().signals(C4Lines().apply(text).text, None)


def steps() -> dict[str, Callable[[Text], Any]]:
    """Return what is measured, by name; each starts from texts in which nothing was found yet."""

    def together(text: Text) -> None:
        for made in FOUR:
            made.signals(text, None)
        c4(text)

    alone = {made.name(): (lambda text, made=made: made.signals(text, None)) for made in (*FOUR, *OTHERS)}
    return {
        **alone,
        "c4": c4,
        "together": together,
        "finding words": find_words,
        "finding lines": find_lines,
        "lower case (Unicode) of all words": lambda text: text.words.lowered,
        "folded forms of all words": lambda text: text.words.folded,
    }


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("texts", type=Path, nargs="+")
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--core", type=int)
    asked = parser.parse_args()
    os.sched_setaffinity(0, [asked.core])
    spent: defaultdict[str, float] = defaultdict(float)
    megabytes = texts = 0.0
    measuring = steps()
    for number, batch in enumerate(batches(asked.texts, asked.share)):
        if number == 0:
            for step in measuring.values():
                step(Text(batch.data, batch.offsets))
        for name, step in measuring.items():
            fresh = Text(batch.data, batch.offsets)
            began = time.process_time()
            step(fresh)
            spent[name] += time.process_time() - began
        megabytes += int(batch.offsets[-1] - batch.offsets[0]) / 1e6
        texts += len(batch)
    peak = child.peak_mib(psutil.Process())
    print(
        json.dumps({"megabytes": megabytes, "texts": texts, "peak_mib": peak, **{name: megabytes / took for name, took in spent.items()}})
    )


if __name__ == "__main__":
    main()

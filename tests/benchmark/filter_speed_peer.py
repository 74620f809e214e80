"""datatrove's four filters on a share of some texts; a child of `filter_speed.py`, run by the peer's Python.

The last line printed is a JSON object: MB of text a second of processor time, for each filter alone and for all four on each text.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator

import pyarrow.parquet as pq
from datatrove.data import Document
from datatrove.pipeline.filters import C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
from datatrove.utils import text as splitting

FILTERS = (GopherQualityFilter, GopherRepetitionFilter, C4QualityFilter, FineWebQualityFilter)


def texts_of(paths: list[str], megabytes: float) -> list[str]:
    """Return an even share of the texts, of about so many megabytes."""
    texts = [text for path in paths for text in column_of(path) if text]
    whole = sum(len(text.encode()) for text in texts) / 1e6
    return texts[:: max(1, round(whole / megabytes))]


def column_of(path: str) -> Iterator[str]:
    """Yield the texts of a file."""
    names = pq.read_schema(path).names
    yield from pq.read_table(path, columns=["text" if "text" in names else "gold_text"]).column(0).to_pylist()


def seconds(filters: list[object], texts: list[str]) -> float:
    """Return the processor seconds that the filters take on the texts, each text through all."""
    splitting.split_into_parts.cache_clear()  # five texts are remembered, within one pass
    began = time.process_time()
    for text in texts:
        for made in filters:
            made.filter(Document(text=text, id=""))
    return time.process_time() - began


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("texts", nargs="+")
    parser.add_argument("--mb", type=float)
    parser.add_argument("--core", type=int)
    asked = parser.parse_args()
    os.sched_setaffinity(0, [asked.core])
    texts = texts_of(asked.texts, asked.mb)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    made = [kind() for kind in FILTERS]
    seconds(made, texts[:5])
    told = {type(one).__name__: megabytes / seconds([one], texts) for one in made}
    print(json.dumps({"megabytes": megabytes, **told, "together": megabytes / seconds(made, texts)}))


if __name__ == "__main__":
    main()

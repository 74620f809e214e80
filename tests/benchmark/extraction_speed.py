"""Extracting pages: our extractor, which mends the DOM first, beside resiliparse alone, on the same pages and core, page by page in turn.

    python tests/benchmark/extraction_speed.py PAGES.parquet... [--column html] [--pages 500] [--repeat 3]

PAGES are Parquet files with a column of pages, text or bytes (UTF-8). Prints Markdown: MB of HTML a second of processor time of both, and
the ratio, from the median of each page's repetitions; then the share of pages on which ours is slower than half of resiliparse's speed.

Both parse the page and write its main content, as the recipes ask for it. They take turns page by page, so that a busy machine slows both.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq
from resiliparse.extract.html2text import extract_plain_text

from curation.ingest.extraction import extractor_named


def pages_of(paths: Sequence[Path], column: str) -> Iterator[str]:
    """Yield the pages of all files."""
    for path in paths:
        for batch in pq.ParquetFile(path).iter_batches(64, columns=[column]):
            for page in batch.column(0).to_pylist():
                if page:
                    yield page if isinstance(page, str) else page.decode("utf-8", "replace")


def seconds(extract: Callable[[str], object], page: str) -> float:
    """Return the processor seconds that one page takes."""
    began = time.process_time()
    extract(page)
    return time.process_time() - began


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", type=Path, nargs="+", metavar="PAGES")
    parser.add_argument("--column", default="html")
    parser.add_argument("--pages", type=int, default=500, help="pages read at most")
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    ours = extractor_named("resiliparse")().extract

    def theirs(page: str) -> str:
        return str(extract_plain_text(page, main_content=True, alt_texts=False))

    pages = list(islice(pages_of(asked.texts, asked.column), asked.pages))
    megabytes = sum(len(page.encode("utf-8", "surrogatepass")) for page in pages) / 1e6
    own, alone = [], []
    for page in pages:
        turns = [(seconds(ours, page), seconds(theirs, page)) for _ in range(asked.repeat)]
        for spent, taken in zip((own, alone), zip(*turns, strict=True), strict=True):
            spent.append(statistics.median(taken))
    print(f"{len(pages)} pages, {megabytes:.1f} MB of HTML\n")
    print("| | MB/s |\n|---|---:|")
    print(f"| curate | {megabytes / sum(own):.1f} |\n| resiliparse alone | {megabytes / sum(alone):.1f} |\n")
    slow = sum(mine > 2 * other for mine, other in zip(own, alone, strict=True))
    print(f"{sum(alone) / sum(own):.2f} of resiliparse's speed; below half of it on {slow / len(pages):.0%} of the pages.")


if __name__ == "__main__":
    main()

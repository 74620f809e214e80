"""Main text: how well it matches gold text, by kind of page, and how fast it is made, beside trafilatura and resiliparse.

    python tests/benchmark/extraction.py PAGES.parquet... [--holdouts] [--pages N] [--no-peer | --peer-python PYTHON] [--work DIR]

PAGES have the columns html, gold_text, url or host, and perhaps page_type (see `curate train extractor`). Prints Markdown: word F1 by kind
with an interval from resampled pages; then processor time. Extractors take turns page by page on one core; trafilatura runs in a child with
an environment of its own, and its time is that of its calls alone. Ours includes what ingest does besides: the limits, the facts;
trafilatura is also asked for the facts.

The shipped weights were fitted to two sets of pages; on those, their figures say nothing. `--holdouts` fits the models anew five times
(LightGBM is needed), each without the sites of the pages that it then judges.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from curation.ingest.extraction import extractor_named
from pipelines.train.extractor.examples import LabelledPage, page_examples_of, pages_of
from pipelines.train.extractor.figures import Match, by_kind, match
from pipelines.train.extractor.fitting import fit
from pipelines.train.extractor.training import texts

sys.path.insert(0, str(Path(__file__).parent))
from environments import of_peer

OURS = ("blocks", "blocks-fast", "resiliparse")


def measured(pages: Sequence[LabelledPage], peer: Path | None) -> tuple[dict[str, list[str]], dict[str, list[float]]]:
    """Return each extractor's texts and processor seconds, page by page, all extractors in turn."""
    ours = {name: extractor_named(name)() for name in OURS}
    for extractor in ours.values():
        for page in pages:  # kernels are compiled and loaded once, some of them for pages of one block alone
            extractor.extract(page.html)
    written: dict[str, list[str]] = {}
    seconds: dict[str, list[float]] = {}
    command = [str(peer), str(Path(__file__).with_name("extraction_peer.py"))]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) if peer else None
    for page in pages:
        for name, extractor in ours.items():
            began = time.process_time()
            written.setdefault(name, []).append(extractor.extract(page.html).text)
            seconds.setdefault(name, []).append(time.process_time() - began)
        if child is not None and child.stdin and child.stdout:
            child.stdin.write(json.dumps(page.html) + "\n")
            child.stdin.flush()
            for name, (text, taken) in json.loads(child.stdout.readline()).items():
                written.setdefault(name, []).append(text)
                seconds.setdefault(name, []).append(taken)
    if child is not None and child.stdin:
        child.stdin.close()
        child.wait()
    return written, seconds


def print_quality(title: str, pages: Sequence[LabelledPage], written: Mapping[str, Sequence[str]]) -> None:
    """Print word F1 by kind of page, an extractor a column."""
    columns = {}
    for name, own in written.items():
        matches: dict[str, list[Match]] = {}
        for page, text in zip(pages, own, strict=True):
            for kind in (page.kind, "all"):
                matches.setdefault(kind, []).append(match(text, page.gold))
        columns[name] = {row.kind: row for row in by_kind(matches)}
    print(f"## {title}\n\n| pages | number | {' | '.join(columns)} |\n|---|--:|{'---|' * len(columns)}")
    for kind, first in next(iter(columns.values())).items():
        cells = (f"{rows[kind].f1:.3f} ({rows[kind].low:.3f} to {rows[kind].high:.3f})" for rows in columns.values())
        print(f"| {kind} | {first.pages} | {' | '.join(cells)} |")
    print()


def print_speed(pages: Sequence[LabelledPage], seconds: Mapping[str, Sequence[float]]) -> None:
    """Print pages a second of processor time; and ratios to trafilatura where it ran, to resiliparse otherwise."""
    bases = [name for name in ("trafilatura", "trafilatura with facts") if name in seconds] or ["resiliparse"]
    kilobytes = sum(len(page.html) for page in pages) / len(pages) / 1e3
    print(f"## Processor time, {len(pages)} pages of {kilobytes:.0f} kB\n")
    ratios = "".join(f" {base}'s total time / its | by median page |" for base in bases)
    print(f"| extractor | pages/s | median ms |{ratios}\n|---|--:|--:|{'--:|--:|' * len(bases)}")
    for name, own in seconds.items():
        cells = ""
        for base in bases:
            ratio = statistics.median(theirs / max(mine, 1e-6) for mine, theirs in zip(own, seconds[base], strict=True))
            cells += f" {sum(seconds[base]) / sum(own):.1f} | {ratio:.1f} |"
        print(f"| {name} | {len(own) / sum(own):.0f} | {1e3 * statistics.median(own):.2f} |{cells}")


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="+", metavar="PAGES")
    parser.add_argument("--pages", type=int, help="every n-th page, so that about so many are left")
    parser.add_argument("--holdouts", action="store_true", help="fit the models anew, without the sites of the pages that are judged")
    parser.add_argument("--no-peer", action="store_true", help="do not run trafilatura")
    parser.add_argument("--peer-python", type=Path, action="append", default=[], help="a Python that has trafilatura")
    parser.add_argument("--work", type=Path, default=Path("work"), help="where its environment is made otherwise")
    asked = parser.parse_args()
    pages = list(pages_of(asked.paths))
    pages = pages[:: max(1, len(pages) // asked.pages)] if asked.pages else pages
    peer = None if asked.no_peer else of_peer("trafilatura", asked.peer_python, asked.work)
    written, seconds = measured(pages, peer)
    print_quality("Word F1, shipped weights", pages, written)
    if asked.holdouts:
        examples = page_examples_of(pages)
        fitted = fit(examples, lambda step: print(step, file=sys.stderr))
        judged = {"blocks": texts(examples, fitted.second), "blocks-fast": texts(examples, fitted.first)}
        print_quality("Word F1, models that have not seen the page's site", examples.pages, judged)
    print_speed(pages, seconds)


if __name__ == "__main__":
    main()

"""What a recipe keeps of real pages: by type of page, by label, and the titles of some that it keeps and drops, to be read by a person.

    python tests/benchmark/kept_pages.py PAGES.parquet [--labels LABELS.parquet] [--recipe web] [--titles 20] [--work WORK]

PAGES have id, html (bytes) and page_type. LABELS have doc_id (`...:ID:number`, ID as in PAGES) and score: a page's label is that of its
best excerpt. The whole recipe runs, extraction and all, on a folder of the pages; the run stays in WORK. Printed, as Markdown: pages kept,
and what the others fell to: the educational score (they passed every filter before it), another filter, a copy, or no text. Titles are
drawn by chance, the same each time.
"""

import argparse
import html
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from curation.storage.location import Location
from pipelines.inspect.run_folder import scan_ledger

WENT = ("kept", "low score", "other filters", "duplicate", "no text")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)


def title_of(content: bytes) -> str:
    """Return a page's title in one line, its control characters left out."""
    found = _TITLE.search(content[: 1 << 18].decode("utf-8", "replace"))
    words = html.unescape(found.group(1)).split() if found else ["(no title)"]
    return "".join(letter for letter in " ".join(words) if letter.isprintable())[:100].replace("|", "/")


def fates(pages: pl.DataFrame, recipe: str, work: Path) -> pl.DataFrame:
    """Run the recipe; return the pages, each with what became of it."""
    (folder := work / "pages").mkdir(parents=True, exist_ok=True)
    for page, content in pages.select("id", "html").iter_rows():
        (folder / f"{page}.html").write_bytes(content)
    subprocess.run([sys.executable, "-m", "pipelines.cli", "run", recipe, str(folder), "--out", str(work / "run")], check=True)
    rule, fate = pl.col("rule"), pl.col("fate")
    went = (
        pl.when(fate == "kept").then(pl.lit("kept"))
        .when(fate == "duplicate").then(pl.lit("duplicate"))
        .when(rule == "educational_score.low_educational_score").then(pl.lit("low score"))
        .when(pl.col("stage") == "judge").then(pl.lit("other filters"))
        .otherwise(pl.lit("no text"))
    )  # fmt: skip
    ledger = scan_ledger(Location.of(work / "run")).select(
        pl.col("file_path").str.extract(r"([^/]+)\.html$").alias("id"), went.alias("went")
    )
    return pages.join(ledger.collect(), on="id", how="left", validate="1:1")


def tell(title: str, pages: pl.DataFrame, by: str) -> None:
    """Print how many pages of each kind went where."""
    print(f"\n| {title} | pages | {' | '.join(WENT)} |\n|---|{'---:|' * (len(WENT) + 1)}")
    for (kind,), own in sorted(pages.group_by(by), key=lambda part: str(part[0])):
        counts = [(own["went"] == went).sum() for went in WENT]
        print(f"| {kind} | {own.height} | {' | '.join(map(str, counts))} |")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--recipe", default="web")
    parser.add_argument("--titles", type=int, default=20)
    parser.add_argument("--work", type=Path, default=Path("benchmark-work/kept-pages"))
    given = parser.parse_args(arguments)
    pages = pl.read_parquet(given.pages, columns=["id", "html", "page_type"]).with_columns(pl.col("html").cast(pl.Binary))
    pages = fates(pages, given.recipe, given.work)
    tell("type of page", pages, "page_type")
    if given.labels:
        labels = pl.read_parquet(given.labels).select(pl.col("doc_id").str.extract(r":([^:]+):\d+$").alias("id"), "score")
        tell("best label", pages.join(labels.drop_nulls().group_by("id").agg(pl.col("score").max()), on="id"), "score")
    for went in ("kept", "low score"):
        chosen = pages.filter(pl.col("went") == went).sort("id").sample(fraction=1, shuffle=True, seed=1).head(given.titles)
        print(f"\n| {went} | title |\n|---|---|")
        for kind, content in chosen.select("page_type", "html").iter_rows():
            print(f"| {kind} | {title_of(content)} |")


if __name__ == "__main__":
    main()

"""The command `curate train extractor PAGES`: from pages with gold text to the weights of the block extractor, and their card.

The figures on the card are of text, not of blocks: each page is extracted by models that have not seen its holdout, by the same
choice and the same writer that extract pages in a run, and its words are compared with the gold text's.

Invariant: the same pages and the same LightGBM give the same bytes of weights.
"""

import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from curation.errors import InputError, Refused, UsageError
from curation.ingest.extraction.page_blocks.choosing import chosen
from curation.ingest.extraction.page_blocks.trees import loaded, save
from curation.ingest.extraction.page_blocks.writing import write
from curation.storage.location import Location
from pipelines.train.extractor.examples import PageExamples, page_examples_of, pages_of
from pipelines.train.extractor.figures import KindFigures, Match, by_kind, match
from pipelines.train.extractor.fitting import PAGE_HOLDOUTS, fit

EXTRACTOR_CARD_BEGINS = "# Weights of the block extractor"
_FEWEST_PAGES = 20


@dataclass(frozen=True)
class ExtractorTraining:
    """What was made: the weights, of how many pages, sites and blocks; and figures of pages whose site the models had not seen."""

    weights: str
    sha256: str
    bytes: int
    pages: int
    left_out: int
    sites: int
    blocks: int
    held_out: tuple[KindFigures, ...]
    held_out_first_model: tuple[KindFigures, ...]


def train_extractor(pages: Sequence[str], place: str, tell: Callable[[str], None], notes: Sequence[str] = ()) -> ExtractorTraining:
    """Fit the models to files of pages and write the weights at `place` (.npz) and their card beside them.

    Raises RecipeError for a file without the columns that are needed, InputError where pages or sites are too few, Refused where what lies
    at the card's place is none.
    """
    if not place.endswith(".npz"):
        raise UsageError(f"--out {place}: name a local file that ends in .npz")
    out = Path(place)
    card = out.with_name("MODEL_CARD.md")
    if card.exists() and not card.read_text("utf-8", "replace").startswith(EXTRACTOR_CARD_BEGINS):
        raise Refused(f"{card}, where the weights' card goes, is not one; move it, or give another --out")
    if out.exists() and not _is_weights(out):
        raise Refused(f"{out} does not hold weights that were made here; move it, or give another --out")
    tell("cutting and labelling pages")
    given = list(pages_of([Path(path) for path in pages]))
    if len({page.site for page in given}) < PAGE_HOLDOUTS or len(given) < _FEWEST_PAGES:
        raise InputError(
            f"{len(given)} pages of {len({page.site for page in given})} sites are too few: {_FEWEST_PAGES} of {PAGE_HOLDOUTS} at least"
        )
    examples = page_examples_of(given)
    fitted = fit(examples, tell)
    with Location.of(out).writing() as path:
        save(fitted.models, path)
    content = out.read_bytes()
    result = ExtractorTraining(
        weights=str(out),
        sha256=sha256(content).hexdigest(),
        bytes=len(content),
        pages=len(examples.pages),
        left_out=len(given) - len(examples.pages),
        sites=len({page.site for page in examples.pages}),
        blocks=len(examples.rows),
        held_out=by_kind(matches(examples, fitted.second)),
        held_out_first_model=by_kind(matches(examples, fitted.first)),
    )
    Location.of(card).write_bytes(_card(result, examples, notes).encode())
    return result


def _is_weights(path: Path) -> bool:
    try:
        return bool(loaded(path))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return False


def texts(examples: PageExamples, probability: object, favour: str = "balanced") -> list[str]:
    """Return the text that each page gives with these probabilities of its blocks."""
    written = []
    for k, page in enumerate(examples.cuts):
        own = probability[examples.begins[k] : examples.begins[k + 1]].copy()  # type: ignore[index]
        written.append(write(page, chosen(page, own, favour).kept))
    return written


def matches(examples: PageExamples, probability: object) -> dict[str, list[Match]]:
    """Return how each page's text matches, by kind, and those of all pages of a source under its name."""
    found: dict[str, list[Match]] = {}
    for page, text in zip(examples.pages, texts(examples, probability), strict=True):
        one = match(text, page.gold)
        found.setdefault(page.kind, []).append(one)
        found.setdefault(f"all of {Path(page.source).parent.name}/{Path(page.source).name}", []).append(one)
    return found


def _card(result: ExtractorTraining, examples: PageExamples, notes: Sequence[str]) -> str:
    """Return the card, Markdown for people."""
    sources: dict[str, list[str]] = {}
    for page in examples.pages:
        sources.setdefault(f"{Path(page.source).parent.name}/{Path(page.source).name}", []).append(page.site)
    lines = [
        EXTRACTOR_CARD_BEGINS,
        "",
        f"Two ensembles of boosted trees over structural features of a page's blocks, fitted with LightGBM {version('lightgbm')}. They "
        "hold no word and no text of any page: a feature is a count, a share, a distance in the tree.",
        "",
        f"- {result.bytes:,} bytes, SHA-256 {result.sha256}",
        f"- {result.pages:,} pages of {result.sites:,} sites, {result.blocks:,} blocks; {result.left_out} pages were left out",
        *(f"- {name}: {len(sites):,} pages of {len(set(sites)):,} sites" for name, sites in sorted(sources.items())),
        *(f"- {note}" for note in notes),
        "",
        f"Word F1 against gold text, each page extracted by models of the {PAGE_HOLDOUTS - 1} other holdouts; a holdout has whole sites. "
        "Intervals hold the mean in 95 % of resamples of pages. Features and settings were chosen on such figures: expect about .01 less.",
        "",
        *_table("Both models (`blocks`)", result.held_out),
        *_table("The first model alone (`blocks-fast`)", result.held_out_first_model),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _table(title: str, rows: Sequence[KindFigures]) -> list[str]:
    return [
        f"## {title}",
        "",
        "| pages | number | precision | recall | F1 | interval |",
        "|---|--:|--:|--:|--:|---|",
        *(
            f"| {row.kind} | {row.pages} | {row.precision:.3f} | {row.recall:.3f} | {row.f1:.3f} | {row.low:.3f} to {row.high:.3f} |"
            for row in rows
        ),
        "",
    ]

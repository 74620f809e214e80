"""The text that an extractor takes from a page, beside the text of other extractors, and every block with its fate.

Invariant: pages are read, decoded and extracted as in ingest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from curation.choices import build
from curation.errors import InputError, UsageError
from curation.ingest.encoding import Undecodable, decode_text
from curation.ingest.extraction import Extractor, extractor_named
from curation.ingest.extraction.page_blocks.block_text import LINKED, OWNER, WORDS
from curation.ingest.extraction.page_blocks.elements import TAG, UNSEEN
from curation.ingest.extraction.page_blocks.extract import choose_blocks
from curation.ingest.extraction.page_blocks.reading import block_texts, read_page
from curation.ingest.extraction.page_blocks.vocabulary import TAGS
from curation.storage.location import Location
from curation.system_errors import unreadable

_BY_BLOCKS = ("blocks", "blocks-fast", "blocks_fast")


@dataclass(frozen=True)
class ExtractedPage:
    """The text that one extractor took from a page."""

    extractor: str
    words: int
    shared_words: int
    title: str
    facts: Mapping[str, str | float]
    text: str


@dataclass(frozen=True)
class BlockFate:
    """A block of a page: whether it is kept, its probability of being content, its words, its linked words, and its beginning."""

    kept: bool
    probability: float
    words: int
    linked_share: float
    tag: str
    hidden: bool
    text: str


@dataclass(frozen=True)
class PageStory:
    """The texts of a page; `blocks` is empty unless they were requested."""

    page: str
    extracted: tuple[ExtractedPage, ...]
    blocks: tuple[BlockFate, ...]


def extract_pages(
    pages: Sequence[str], extractors: Sequence[str], settings: Sequence[str], *, explain: bool = False
) -> tuple[PageStory, ...]:
    """Extract each page (a local file or an address) with each extractor; the settings (NAME=VALUE) apply to the first extractor.

    Raises InputError for a page that cannot be read or decoded, UsageError for a setting without a value, and where the first
    extractor cannot explain itself, RecipeError for an extractor that does not exist or knows no such setting.
    """
    given = dict(_setting(setting) for setting in settings)
    built: dict[str, Extractor] = {}
    for place, name in enumerate(dict.fromkeys(extractors)):
        built[name] = build(extractor_named(name), given if place == 0 else {}, f"extractor {name}")
    first = next(iter(built))
    if explain and first not in _BY_BLOCKS:
        raise UsageError(f"--explain shows blocks and their probabilities, which {first} does not have; use --extractor blocks")
    return tuple(_story(page, built, given, explain) for page in pages)


def _setting(written: str) -> tuple[str, str]:
    name, equals, value = written.partition("=")
    if not equals:
        raise UsageError(f"--set {written}: write NAME=VALUE, as in --set format=markdown")
    return name, value


def _story(page: str, extractors: Mapping[str, Extractor], settings: Mapping[str, str], explain: bool) -> PageStory:
    html = _html(page)
    made = {name: extractor.extract(html) for name, extractor in extractors.items()}
    first = set(next(iter(made.values())).text.split())
    extracted = tuple(
        ExtractedPage(name, len(one.text.split()), sum(word in first for word in one.text.split()), one.title, dict(one.facts), one.text)
        for name, one in made.items()
    )
    return PageStory(page, extracted, _fates(html, next(iter(made)), settings) if explain else ())


def _html(page: str) -> str:
    try:
        content = Location.of(page).read_bytes()
    except OSError as error:
        raise InputError(unreadable(page, error)) from error
    try:
        return decode_text(content, "text/html").text
    except Undecodable as error:
        raise InputError(f"{page} cannot be read as a page: {error}") from error


def _fates(html: str, name: str, settings: Mapping[str, str]) -> tuple[BlockFate, ...]:
    """Return the fate of each block; empty for a page that exceeds the limits of parsing."""
    reading = read_page(html)
    if reading is None:
        return ()
    chosen = choose_blocks(reading, favour=settings.get("favour", "balanced"), fast=name != "blocks")  # type: ignore[arg-type]
    page = reading.cut
    return tuple(
        BlockFate(
            kept=bool(chosen.choice.kept[k]),
            probability=round(float(chosen.probability[k]), 3),
            words=int(page.blocks[k, WORDS]),
            linked_share=round(float(page.blocks[k, LINKED]) / max(1, sum(not character.isspace() for character in text)), 2),
            tag=TAGS[page.elements[page.blocks[k, OWNER], TAG]],
            hidden=bool(page.elements[page.blocks[k, OWNER], UNSEEN]),
            text=" ".join(text.split()),
        )
        for k, text in enumerate(block_texts(page))
    )

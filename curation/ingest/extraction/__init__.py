"""Main-text extraction: from a page's HTML to the text a reader came for.

An extractor is a frozen dataclass in a file of its own in this folder; the file's name is the extractor's name, and no list needs an edit.
Its fields are its parameters. Standard scores barely depend on the extractor, but tables and code do ("Beyond a single extractor",
arXiv 2602.19548), so all of them keep one shape of text:

    - one blank line separates paragraphs, headings, lists, tables and code
    - list items are lines that begin with "- " or "1. ", nested ones indented
    - a data table has one line for each row, and " | " between its cells
    - code (`<pre>`) is verbatim, with its indentation and blank lines
    - TeX stands between dollars, `$x^2$`; a formula is not printed twice

Invariants
    - `extract` is a pure function of the HTML. It never raises and never hangs, whatever the page contains: size and nesting are limited.
    - A page without text gives an empty text, not None.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from curation.plugins import Named, shipped, shipped_as


@dataclass(frozen=True)
class Extracted:
    """What a page says: its main text, its title ("" where it has none), the language it declares (`<html lang>`, as written), and further
    facts by name, which become the document's metadata: what the page declares of itself, and how sure the extractor is."""

    text: str
    title: str = ""
    language_hint: str | None = None
    facts: Mapping[str, str | float] = field(default_factory=dict)


@dataclass(frozen=True)
class Extractor(Named, ABC):
    """Base of all extractors; see the module's docstring for the contract. `packages` are those whose version changes the text."""

    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def extract(self, html: str) -> Extracted:
        """Return the text of one page."""


def shipped_extractors() -> dict[str, type[Extractor]]:
    """Return name -> class of every extractor in this folder, by name."""
    return shipped("curation.ingest.extraction", Extractor)  # type: ignore[type-abstract]


def extractor_named(name: str) -> type[Extractor]:
    """Return the extractor's class; "blocks-fast" is in `blocks_fast.py`. Raises RecipeError that lists what exists."""
    return shipped_as(name.replace("-", "_"), "curation.ingest.extraction", Extractor)  # type: ignore[type-abstract]

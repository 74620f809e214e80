"""Main content by trafilatura's rules and fallbacks, for comparison: `pip install 'textbook-curation[trafilatura]'`.

Source: Barbaresi, "Trafilatura: A Web Scraping Library and Command-Line Tool for Text Discovery and Extraction" (ACL 2021). Comments are
left out and tables kept; the block extractor was 8.3 times as quick (`tests/benchmark/README.md`).
"""

from dataclasses import dataclass
from importlib import import_module
from typing import ClassVar, Literal

from curation.errors import RecipeError
from curation.ingest.extraction import Extracted, Extractor
from curation.ingest.extraction.dom import PageLimits, parse, without_tags


@dataclass(frozen=True)
class Trafilatura(Extractor):
    """The page's main content.

    favour   precision leaves out more of the page, coverage keeps more; balanced is between the two
    fast     leave out trafilatura's fallbacks
    """

    favour: Literal["precision", "balanced", "coverage"] = "balanced"
    fast: bool = False
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("trafilatura",)

    def __post_init__(self) -> None:
        """Raise RecipeError if the package, or one that it needs, is not installed."""
        try:
            import_module("trafilatura")
        except ImportError as error:
            needed = "the extractor trafilatura needs its package: pip install 'textbook-curation[trafilatura]'"
            raise RecipeError(f"{needed} ({' '.join(str(error).split())})") from error

    def extract(self, html: str) -> Extracted:
        """Return the main content; for a page beyond the limits of parsing, the text between its tags."""
        import trafilatura

        tree = parse(html, PageLimits())
        if tree is None:
            return without_tags(html)
        text = trafilatura.extract(
            html,
            favor_precision=self.favour == "precision",
            favor_recall=self.favour == "coverage",
            include_comments=False,
            fast=self.fast,
        )
        return Extracted(text or "", " ".join((tree.title or "").split()))

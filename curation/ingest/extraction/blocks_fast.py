"""Main content by blocks, judged by the first of the two models alone: a tenth quicker, and more of what does not belong is let through."""

from dataclasses import dataclass
from typing import ClassVar

from curation.ingest.extraction import Extracted, Extractor
from curation.ingest.extraction.page_blocks.extract import Favour, extracted_by_blocks
from curation.ingest.extraction.page_blocks.writing import Format


@dataclass(frozen=True)
class BlocksFast(Extractor):
    """The first model. `favour`: precision, balanced or coverage; `format`: text or markdown."""

    favour: Favour = "balanced"
    """Whether less that does not belong, or more of what does, is wanted of a page."""

    format: Format = "text"
    """Markdown also marks headings, quotations and code."""

    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("resiliparse", "numba")

    def extract(self, html: str) -> Extracted:
        """Return the main content; past the limits of parsing, the text between the tags."""
        return extracted_by_blocks(html, favour=self.favour, form=self.format, fast=True)

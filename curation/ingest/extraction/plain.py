"""The whole body's text, including navigation: for sources whose pages consist of main content (manuals, exported notes).

The block extractor's code (`curation.ingest.extraction.page_blocks`) cuts and writes the pages, but no model scores a block.
"""

from dataclasses import dataclass
from typing import ClassVar

from curation.ingest.extraction import Extracted, Extractor
from curation.ingest.extraction.page_blocks.extract import whole_text
from curation.ingest.extraction.page_blocks.writing import Format


@dataclass(frozen=True)
class Plain(Extractor):
    """All text of the body, except hidden text.

    format   markdown also marks headings, quotations and code
    """

    format: Format = "text"
    version: ClassVar[int] = 3
    packages: ClassVar[tuple[str, ...]] = ("resiliparse", "numba")

    def extract(self, html: str) -> Extracted:
        """Return the body's text; past the limits, the text between the tags."""
        return whole_text(html, form=self.format)

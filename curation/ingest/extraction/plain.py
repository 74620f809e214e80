"""The whole body's text, navigation and all: for sources whose pages are main content already (manuals, exported notes).

Pages are cut and written as the block extractor does it (`curation.ingest.extraction.page_blocks`), but no block is judged.
"""

from dataclasses import dataclass
from typing import ClassVar

from curation.ingest.extraction import Extracted, Extractor
from curation.ingest.extraction.page_blocks.extract import whole_text
from curation.ingest.extraction.page_blocks.writing import Format


@dataclass(frozen=True)
class Plain(Extractor):
    """Everything the body says, but what it hides.

    format   markdown also marks headings, quotations and code
    """

    format: Format = "text"
    version: ClassVar[int] = 3
    packages: ClassVar[tuple[str, ...]] = ("resiliparse", "numba")

    def extract(self, html: str) -> Extracted:
        """Return the body's text; past the limits, the text between the tags."""
        return whole_text(html, form=self.format)

"""Main content by blocks, the default: two small tree models score each block, and the set with the largest expected word F1 is written.

`curation.ingest.extraction.page_blocks` describes the method; `page_blocks/MODEL_CARD.md` has the models' training data and quality.

Facts of a page besides its text: `confidence` (the word F1 that the models expect, 0 to 1), `kept_share` (letters of the text divided by
all letters that the page shows), `link_share` (share of linked letters in the text), `page_type` (see `page_blocks.page_types`), and
`rescued` if the models kept only a tiny part of a page full of prose, so that all of its prose was kept instead. The filter `page_kind`
judges these facts.
"""

from dataclasses import dataclass
from typing import ClassVar

from curation.ingest.extraction import Extracted, Extractor
from curation.ingest.extraction.page_blocks.extract import Favour, extracted_by_blocks
from curation.ingest.extraction.page_blocks.writing import Format


@dataclass(frozen=True)
class Blocks(Extractor):
    """Blocks scored by both models.

    favour   precision leaves out more that does not belong, coverage keeps more that does; balanced is between
    format   markdown also marks headings, quotations and code
    """

    favour: Favour = "balanced"
    format: Format = "text"
    version: ClassVar[int] = 6
    packages: ClassVar[tuple[str, ...]] = ("resiliparse", "numba")

    def extract(self, html: str) -> Extracted:
        """Return the main content; past the limits of parsing, the text between the tags."""
        return extracted_by_blocks(html, favour=self.favour, form=self.format)

"""Main content by blocks: each is judged by two small tree models, and the set with the largest expected word F1 is written; the default.

See `curation.ingest.extraction.page_blocks` for how, and `page_blocks/MODEL_CARD.md` for what the models were fitted to and how
well they do.

Facts of a page beside its text: `confidence` (the word F1 that the models expect, 0 to 1), `kept_share` (letters of the text among all
letters that the page shows), `link_share` (linked letters among those of the text), `page_type` (see `page_blocks.page_types`);
`rescued` where the models kept a sliver of a page full of prose, so that all of its prose was kept in their place. The filter
`page_kind` judges them.
"""

from dataclasses import dataclass
from typing import ClassVar

from curation.ingest.extraction import Extracted, Extractor
from curation.ingest.extraction.page_blocks.extract import Favour, extracted_by_blocks
from curation.ingest.extraction.page_blocks.writing import Format


@dataclass(frozen=True)
class Blocks(Extractor):
    """Blocks judged by both models.

    favour   precision leaves out more that does not belong, coverage keeps more that does; balanced is between
    format   markdown also marks headings, quotations and code
    """

    favour: Favour = "balanced"
    format: Format = "text"
    version: ClassVar[int] = 4
    packages: ClassVar[tuple[str, ...]] = ("resiliparse", "numba")

    def extract(self, html: str) -> Extracted:
        """Return the main content; past the limits of parsing, the text between the tags."""
        return extracted_by_blocks(html, favour=self.favour, form=self.format)

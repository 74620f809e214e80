"""The whole body's text, navigation and all: for sources whose pages are main content already (manuals, exported notes)."""

from dataclasses import dataclass
from typing import ClassVar

from curation.ingest.extraction import Extracted, Extractor
from curation.ingest.extraction.dom import extracted


@dataclass(frozen=True)
class Plain(Extractor):
    """Everything the body says."""

    version: ClassVar[int] = 2
    packages: ClassVar[tuple[str, ...]] = ("resiliparse",)

    def extract(self, html: str) -> Extracted:
        """Return the body's text; past the limits, the text between the tags."""
        return extracted(html, main_content=False)

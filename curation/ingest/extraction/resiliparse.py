"""Main content by resiliparse's rules, with code, tables and formulas kept legible.

Source: Bevendorff, Stein, Hagen and Potthast, "Elastic ChatNoir: Search Engine for the ClueWeb and the Common Crawl" (ECIR 2018); the
rules drop navigation, asides, comments and the like by element, class and link density. Recall is high, and so is leakage: repeated lines
and page furniture are for the edits and filters that follow.

Measured on one core that others shared. Word F1 against human article bodies .923 (96 pages), against readability's output .952 (81
pages), documentation pages .861; resiliparse alone gives .923, .952 and .857. About 390 pages/s of 187 KB (70 MB/s),
where resiliparse alone does 600. On 137 pages with code or data tables: code verbatim .966 (.931), table rows on one line .969 (.389),
mostly because tables and code are taken out of `<figure>`, which the rules drop.
"""

from dataclasses import dataclass
from typing import ClassVar

from curation.ingest.extraction import Extracted, Extractor
from curation.ingest.extraction.tree_text import extracted


@dataclass(frozen=True)
class Resiliparse(Extractor):
    """The page's main content."""

    version: ClassVar[int] = 3
    packages: ClassVar[tuple[str, ...]] = ("resiliparse",)

    def extract(self, html: str) -> Extracted:
        """Return the main content; past the limits, the text between the tags."""
        return extracted(html)

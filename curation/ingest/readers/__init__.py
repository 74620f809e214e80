"""Reading crawl files: WARC, WET, ARC, JSONL, Parquet and HTML, compressed or not, from any place, each record exactly once.

`read` is the way in; `contract` says what a record is, what a broken one is, and what every reader promises.
"""

from curation.ingest.readers.contract import (
    BOMB,
    MAX_EXPANSION,
    MAX_RECORD_BYTES,
    Broken,
    Fields,
    Ignored,
    Outcome,
    Reader,
    Record,
    SourceFile,
    Tally,
)
from curation.ingest.readers.opening import read

__all__ = [
    "BOMB",
    "MAX_EXPANSION",
    "MAX_RECORD_BYTES",
    "Broken",
    "Fields",
    "Ignored",
    "Outcome",
    "Reader",
    "Record",
    "SourceFile",
    "Tally",
    "read",
]

"""Reading crawl files: WARC, WET, ARC, JSONL, Parquet and HTML, compressed or not, from any place, each record exactly once.

`read_records` is the way in; `contract` says what a record is, what a broken one is, and what every reader promises.
"""

from curation.ingest.readers.contract import Reader
from curation.ingest.readers.opening import read_records
from curation.ingest.readers.outcomes import BOMB, MAX_EXPANSION, MAX_RECORD_BYTES, Broken, Ignored, Outcome, Record, Tally

__all__ = [
    "BOMB",
    "MAX_EXPANSION",
    "MAX_RECORD_BYTES",
    "Broken",
    "Ignored",
    "Outcome",
    "Reader",
    "Record",
    "Tally",
    "read_records",
]

"""Readers for crawl files: WARC, WET, ARC, JSONL, Parquet and HTML, compressed or not, from any location; each record is read exactly once.

`read_records` is the entry point; `contract` defines records and broken records, and what every reader promises.
"""

from curation.ingest.readers.contract import Reader
from curation.ingest.readers.opening import read_records
from curation.ingest.readers.outcomes import BOMB, DAMAGE, MAX_EXPANSION, MAX_RECORD_BYTES, Broken, Ignored, Outcome, Record, Tally

__all__ = [
    "BOMB",
    "DAMAGE",
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

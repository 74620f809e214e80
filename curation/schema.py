"""The tables that travel between stages, and what each column means.

Every input record becomes either one row of DOCUMENTS (it has text, which later stages judge) or one row of REJECTS (ingest dropped it or
could not read it). *select* turns both into one row of LEDGER: the fate of every record, exactly once.

Invariants
    - `key` is 16 bytes, never null in DOCUMENTS; see `curation.storage.record_keys`.
    - `text` is valid UTF-8 without NUL and never empty in DOCUMENTS; `text_bytes` is its length, so that narrow stages need not read it.
    - `offset` counts bytes from the start of the (decompressed) file for WARC, ARC, JSONL; rows for Parquet; 0 for an HTML file.
    - A duplicate's `duplicate_of` is the id of a kept document: in this run if `duplicate_run` is null, otherwise in the earlier run of
      that name. A run's name is 16 hex digits of its ledger's digest, so it does not depend on the run's location; `run.json` records that
      location under `against`.
    - Side shards (signals, verdicts, signatures, ...) have the rows of their documents shard in the same order.
"""

import pyarrow as pa

KEY = pa.binary(16)
TIMESTAMP = pa.timestamp("s", tz="UTC")

DOCUMENTS = pa.schema(
    [
        pa.field("key", KEY, nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("file_path", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("crawled_at", TIMESTAMP),
        pa.field("text_bytes", pa.int64(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("metadata", pa.map_(pa.string(), pa.string())),
    ]
)

FATES = ("kept", "dropped", "duplicate", "unreadable")

CUT_STAGE = "repeated_lines"
"""The ledger's name for the stage that drops documents because the cuts left too little of them."""

REJECTED = "-rejected"
"""The end of the name of a shard of rejected records, or of rejected generated rows."""

REJECTS = pa.schema(
    [
        pa.field("key", KEY, nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("file_path", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("fate", pa.string(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("evidence", pa.string()),
    ]
)

LEDGER = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("key", KEY, nullable=False),
        pa.field("url", pa.string()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("file_path", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("text_bytes", pa.int64(), nullable=False),
        pa.field("fate", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("rule", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("failed", pa.list_(pa.string())),
        pa.field("evidence", pa.string()),
        pa.field("duplicate_of", pa.string()),
        pa.field("duplicate_run", pa.string()),
        pa.field("similarity", pa.float64()),
        pa.field("cluster_size", pa.int64(), nullable=False),
    ]
)

VERDICTS = pa.schema(
    [
        pa.field("key", KEY, nullable=False),
        pa.field("rule", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("failed", pa.list_(pa.string())),
        pa.field("evidence", pa.string()),
    ]
)
"""The verdict of *judge* on a document: the first rule that drops it (null: it may stay), and all of them."""

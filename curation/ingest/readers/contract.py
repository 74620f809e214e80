"""The contract of readers: every format yields frames, and every frame becomes exactly one outcome.

A reader cuts a file into *frames*, each the raw bytes of one input record, and then parses a frame into a Record, a Broken or an Ignored.
The two steps are separate so that `read_records` can count frames before anything parses them: whatever parsing does, the file's count
stands, and the books compare it with the ledger at the end of a run.

Invariants
    - Constant memory: one frame at a time, none larger than MAX_RECORD_BYTES; a larger one is a Broken "too_large" and is skipped.
    - No input raises from `frames` or `parse`: damage is a Broken frame with reason and offset. Data that is unreadable after the damage (a
      truncated gzip member) is one Broken frame, and it is the file's last. Readers continue after damage that can be skipped.
    - Outcomes come in file order and do not depend on the machine, the folder or the file system.
"""

from collections.abc import Iterator
from typing import Any, Protocol

from curation.ingest.readers.decompression import Content
from curation.ingest.readers.outcomes import Outcome
from curation.storage.source_file import SourceFile


class Reader(Protocol):
    """One format: `frames` finds records without parsing them, `parse` turns a frame into its outcome."""

    def frames(self, content: Content, source: SourceFile) -> Iterator[Any]:
        """Yield the file's frames in order. Never raises because of the file's content."""
        ...

    def parse(self, frame: Any, source: SourceFile) -> Outcome:
        """Return the outcome of one frame. Never raises because of the frame's content."""
        ...

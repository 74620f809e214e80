"""What readers take and give: every format yields frames, and every frame becomes exactly one outcome.

A reader cuts a file into *frames*, the raw bytes of one input record each, and then parses a frame into a Record, a Broken or an Ignored.
The two are apart so that `read` can count frames before anything looks into them: whatever parsing does, the file's count stands, and the
books at the end of a run compare it with the ledger.

Invariants
    - Constant memory: one frame at a time, none larger than MAX_RECORD_BYTES; a larger one is a Broken "too_large" and is skipped over.
    - No input raises out of `frames` or `parse`: damage is a Broken frame with reason and offset. What cannot be read past the damage
      (a truncated gzip member) is one Broken frame, and it is the file's last. Readers go on after what can be passed over.
    - Outcomes come in file order and do not depend on the machine, the folder or the file system.
"""

from collections.abc import Iterator
from typing import Any, Protocol

from curation.ingest.readers.decompression import Content
from curation.ingest.readers.outcomes import Outcome
from curation.storage.source_file import SourceFile


class Reader(Protocol):
    """One format: `frames` finds records without looking into them, `parse` turns a frame into its outcome."""

    def frames(self, content: Content, source: SourceFile) -> Iterator[Any]:
        """Yield the file's frames in order. Never raises for what the file holds."""
        ...

    def parse(self, frame: Any, source: SourceFile) -> Outcome:
        """Return the outcome of one frame. Never raises for what the frame holds."""
        ...

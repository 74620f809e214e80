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

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from curation.storage.location import Location

if TYPE_CHECKING:
    from curation.ingest.readers.decompression import Content

MAX_RECORD_BYTES = 32 << 20
"""Most bytes of one record after decompression."""

MAX_UNPACKED_BYTES = 4 << 30
"""So many bytes may come out of any compressed file, however small it is; what repeats itself compresses a thousand times."""

MAX_EXPANSION = 200
"""Most bytes that one byte of compressed input may become, once MAX_UNPACKED_BYTES have come out: past it the file is a bomb."""

BOMB = "bomb"
"""Why a limit of ours left the rest of a file, or a piece of it, unread: a Broken with this reason stands for all of that."""


@dataclass(frozen=True)
class Fields:
    """Which fields of a JSONL line or a Parquet row hold what; the rest goes to metadata."""

    id: str = "id"
    text: str = "text"
    url: str = "url"
    date: str = "date"


@dataclass(frozen=True)
class SourceFile:
    """One input file.

    `relative` is its path below the glob's fixed prefix: its identity in ledger and keys. `source` is the recipe's label, else the
    input as it was written (`curation.ingest.inputs`). `size` and `changed` are what the listing said, for the resume key.
    """

    location: Location
    relative: str
    source: str
    size: int
    changed: int | None
    fields: Fields = Fields()


class Record(NamedTuple):
    """A record with content: `payload` is HTML bytes, or text (str) where the format holds text already.

    `raw` is what the key hashes: the payload before decoding, as it stands in the file; of a text, its UTF-8. `status` is the HTTP status
    (None where the format has none); `content_type` the HTTP header. `repairs` counts what a reader mended so that the text is kept.
    """

    offset: int
    own_id: str | None
    url: str | None
    crawled_at: datetime | None
    payload: bytes | str
    raw: bytes
    status: int | None = None
    content_type: str | None = None
    metadata: Mapping[str, str] = MappingProxyType({})
    repairs: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True)
class Broken:
    """A record that cannot be read: `reason` is a rule's name (snake_case), `detail` says it in words for the ledger's evidence.

    It may stand for a run of lost records: `records` is how many, as far as the file says.
    """

    offset: int
    reason: str
    detail: str
    own_id: str | None = None
    url: str | None = None
    raw: bytes = b""
    records: int = 1


@dataclass(frozen=True)
class Ignored:
    """A record that is no document by its kind (warcinfo, request, metadata, revisit): counted, not judged."""

    offset: int
    kind: str


Outcome = Record | Broken | Ignored


@dataclass
class Tally:
    """What a file held, counted as it is read: `frames` before anything parses them, and the Ignored among them by kind.

    `lost`: how many more records the file says it has than there are frames, for one Broken may stand for many.
    """

    frames: int = 0
    lost: int = 0
    ignored: dict[str, int] = field(default_factory=dict)


class Reader(Protocol):
    """One format: `frames` finds records without looking into them, `parse` turns a frame into its outcome."""

    def frames(self, content: "Content", source: SourceFile) -> Iterator[Any]:
        """Yield the file's frames in order. Never raises for what the file holds."""
        ...

    def parse(self, frame: Any, source: SourceFile) -> Outcome:
        """Return the outcome of one frame. Never raises for what the frame holds."""
        ...

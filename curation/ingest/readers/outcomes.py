"""Outcomes: a frame becomes a record, a broken record or an ignored record; and the limits on records and files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

MAX_RECORD_BYTES = 32 << 20
"""Largest size of one record in bytes after decompression."""

MAX_UNPACKED_BYTES = 4 << 30
"""Bytes that any compressed file may expand to, however small it is; repetitive data compresses a thousand times."""

MAX_EXPANSION = 200
"""Largest ratio of expansion after MAX_UNPACKED_BYTES: a file beyond it is a bomb."""

BOMB = "bomb"
"""The reason if a limit of ours left the rest of a file, or a piece of it, unread; one Broken with this reason represents all of that."""

DAMAGE = frozenset({"truncated", "corrupt", "garbage"})
"""The reasons that tell of damage to a file, which a whole copy of it would mend."""


class Record(NamedTuple):
    """A record with content: `payload` is HTML bytes, or text (str) if the format already contains text.

    The key hashes `raw`: the payload before decoding, as it is in the file; for a text, its UTF-8. `status` is the HTTP status (None if the
    format has none); `content_type` is the HTTP header. `repairs` counts the reader's repairs.
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
    """A record that cannot be read: `reason` is the name of a rule (snake_case), `detail` describes it for the ledger's evidence.

    It may represent a run of lost records: `records` is their number, as far as the file gives it.
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
    """A record whose kind is not a document (warcinfo, request, metadata, revisit): counted, not judged."""

    offset: int
    kind: str


Outcome = Record | Broken | Ignored


@dataclass
class Tally:
    """Counts of a file's records, made while it is read: `frames` before any is parsed, and the Ignored ones by kind.

    `lost` is how many more records the file claims than it has frames, because one Broken may represent many.
    """

    frames: int = 0
    lost: int = 0
    ignored: dict[str, int] = field(default_factory=dict)

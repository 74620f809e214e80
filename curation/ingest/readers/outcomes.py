"""What a frame becomes, exactly one of three: a record, a broken one, or one that is no document; and the limits on records and files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

MAX_RECORD_BYTES = 32 << 20
"""Most bytes of one record after decompression."""

MAX_UNPACKED_BYTES = 4 << 30
"""So many bytes may come out of any compressed file, however small it is; what repeats itself compresses a thousand times."""

MAX_EXPANSION = 200
"""Most bytes that one byte of compressed input may become, once MAX_UNPACKED_BYTES have come out: past it the file is a bomb."""

BOMB = "bomb"
"""Why a limit of ours left the rest of a file, or a piece of it, unread: a Broken with this reason stands for all of that."""


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

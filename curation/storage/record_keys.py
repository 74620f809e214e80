"""A record's key is the 128-bit hash that identifies it, drives every random choice, and breaks every tie.

The key hashes what the source said (own id, URL) and the raw payload before decoding or edits, so it does not depend on the recipe, the
extractor, the folder, or the order of input. Hash: XXH3-128 (Collet), over length-framed parts, so that ("ab", "c") and ("a", "bc")
differ and a missing part differs from an empty one.

Invariant: `record_key` and `unit_interval` are pure; the same arguments give the same answer on any machine and in any version of this
project.
"""

import numpy as np
import pyarrow as pa
import xxhash

from curation.arrays import Column, Hashes

_ABSENT = (2**64 - 1).to_bytes(8, "little")


def record_key(own_id: str | None, url: str | None, payload: bytes) -> bytes:
    """Return the 16-byte key of a record from its own id, its URL and its raw payload."""
    digest = xxhash.xxh3_128()
    for part in (own_id, url):
        if part is None:
            digest.update(_ABSENT)
        else:
            encoded = part.encode("utf-8", "surrogatepass")
            digest.update(len(encoded).to_bytes(8, "little"))
            digest.update(encoded)
    digest.update(payload)
    return digest.digest()


def unit_interval(key: bytes, purpose: str) -> float:
    """Return a number in [0, 1) that depends only on the key and on the purpose of the draw."""
    return float(xxhash.xxh3_64_intdigest(purpose.encode() + b"\0" + key) >> 11) / 2.0**53


def halves_of(column: Column) -> Hashes:
    """Return 16-byte values (keys, text hashes) as pairs of 64-bit numbers, shape (rows, 2)."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    values = np.frombuffer(array.buffers()[1], np.dtype("<u8"), 2 * len(array), 16 * array.offset)
    return values.reshape(len(array), 2)

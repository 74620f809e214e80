"""Sign, the first step of deduplication, writes the text hash and MinHash signature of every document beside its documents shard.

Signatures depend only on the text and the settings, never on a verdict: a new filter threshold, or more input, does not sign anything
again. Each shard's metadata contains the settings, so that signatures of an earlier run can be checked before they are used.

Memory: one row group of text and its signatures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from curation.arrays import Column, Hashes, JsonMapping, Schema, Table
from curation.duplicates.minhash import MinHashSettings, Signatures, sign
from curation.engine.session import Session
from curation.engine.stage import Output, Stage, Unit
from curation.errors import InputError
from curation.schema import KEY
from curation.storage.digests import canonical
from curation.storage.shards import Shard, batches, metadata_of
from curation.text.text import Text

SETTINGS = "curation.minhash"
"""The key of the settings in a shard's metadata."""


def signatures_schema(settings: MinHashSettings) -> Schema:
    """Return the schema of a signatures shard: `text_hash` is the hash of the normalised text."""
    return pa.schema(
        [
            pa.field("key", KEY, nullable=False),
            pa.field("text_hash", pa.binary(16), nullable=False),
            pa.field("signature", pa.list_(pa.uint32(), settings.permutations), nullable=False),
        ]
    )


@dataclass(frozen=True)
class Sign(Stage):
    """Signs documents shards."""

    settings: MinHashSettings
    name: ClassVar[str] = "4a-sign"
    version: ClassVar[int] = 2
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "numpy", "numba")

    def make(self, unit: Unit, output: Output) -> JsonMapping:
        """Sign one documents shard."""
        documents = unit.shard("documents")
        schema = signatures_schema(self.settings)
        with output.shard(documents.name, schema, {SETTINGS: canonical(self.settings)}) as writer:
            for batch in batches(documents, ["key", "text"]):
                signed = sign(Text.from_arrow(batch["text"]), self.settings)
                writer.write(
                    pa.table(
                        {
                            "key": batch["key"],
                            "text_hash": _as_binary(signed.text_hashes),
                            "signature": pa.FixedSizeListArray.from_arrays(signed.signatures.ravel(), self.settings.permutations),
                        },
                        schema=schema,
                    )
                )
        return {"documents": documents.rows}


def sign_documents(session: Session, documents: Sequence[Shard], settings: MinHashSettings) -> tuple[Shard, ...]:
    """Sign documents shards; return shards with the same names, in the order of names."""
    return session.run(Sign(settings), [Unit(shard.name, {"documents": (shard,)}) for shard in documents]).shards


def check_settings(shard: Shard, settings: MinHashSettings) -> None:
    """Raise InputError unless a signatures shard was made with these settings."""
    stored = metadata_of(shard).get(SETTINGS)
    if stored != canonical(settings):
        raise InputError(f"{shard.location} was signed with {stored}, not with {canonical(settings)}; sign its documents again")


def signatures_of(table: Table) -> Signatures:
    """Return the signatures of a table, shape (rows, K)."""
    column = table["signature"].combine_chunks()
    return np.asarray(column.flatten()).reshape(len(column), -1)


def _as_binary(halves: Hashes) -> Column:
    values = np.ascontiguousarray(halves, np.dtype("<u8"))
    return pa.Array.from_buffers(pa.binary(16), len(values), [None, pa.py_buffer(values)])

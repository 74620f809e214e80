"""Tokenising: converts texts to token ids with a tokenizer.json, and adds the tokens that begin and end a document.

`bos` and `eos` name tokens of the vocabulary, or are "none". If neither is given, the tokenizer's own template adds tokens; otherwise the
template is not used.

Invariant: ids depend only on the text, the file's bytes and the two names; all formats of an export count them in the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from curation.arrays import Integers
from curation.errors import UsageError
from curation.text.tokens import load_tokenizer
from pipelines.export.export import Source, kept_rows

NONE = "none"

_AT_ONCE = 1 << 20
"""Characters that are encoded at a time: the library needs more than a hundred bytes for each token of a batch."""


@dataclass(frozen=True)
class Tokenising:
    """A tokenizer.json, and the tokens that begin and end a document."""

    path: str
    bos: str | None = None
    eos: str | None = None

    def check(self) -> None:
        """Raise UsageError if a token is not in the vocabulary, RecipeError or InputError if the file is not a tokenizer."""
        for option, name in (("--bos", self.bos), ("--eos", self.eos)):
            if name not in (None, NONE) and load_tokenizer(self.path).token_to_id(name) is None:
                raise UsageError(f"{option} {name!r}: {self.path} has no such token")

    @property
    def vocabulary(self) -> int:
        """The number of ids, added tokens included."""
        return int(load_tokenizer(self.path).get_vocab_size(with_added_tokens=True))

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def padding(self) -> int:
        """The id that pads a sequence: that of the end of a document, else 0; a mask tells padding from text."""
        return int(load_tokenizer(self.path).token_to_id(self.eos)) if self.eos not in (None, NONE) else 0

    def encode(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.uint32], Integers]:
        """Return the concatenated ids of all texts, and their offsets (one more than there are texts)."""
        tokenizer = load_tokenizer(self.path)
        before, after = ([tokenizer.token_to_id(name)] if name not in (None, NONE) else [] for name in (self.bos, self.eos))
        by_template = self.bos is None and self.eos is None
        ids, counts = [np.empty(0, np.uint32)], [0]
        for some in _batches(texts):
            batch = tokenizer.encode_batch_fast(some, add_special_tokens=by_template)
            counts += [len(before) + len(encoded) + len(after) for encoded in batch]
            parts = (part for encoded in batch for part in (before, encoded.ids, after))
            ids.append(np.fromiter(chain.from_iterable(parts), np.uint32))
        return np.concatenate(ids), np.cumsum(counts, dtype=np.int64)

    def counts_of(self, source: Source) -> Integers:
        """Return the number of tokens of each kept row of a shard of documents."""
        tables = kept_rows(source.documents, source.ledger, None, source.cuts, None)
        counts = [np.diff(self.encode(table["text"].to_pylist())[1]) for table, _ in tables]
        return np.concatenate(counts) if counts else np.empty(0, np.int64)


def _batches(texts: Sequence[str]) -> list[list[str]]:
    batches: list[list[str]] = [[]]
    held = 0
    for text in texts:
        if batches[-1] and held + len(text) > _AT_ONCE:
            batches.append([])
            held = 0
        batches[-1].append(text)
        held += len(text)
    return batches

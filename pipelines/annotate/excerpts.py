"""Excerpts to label: one window of each text, with a model's score.

A label describes a window of about 1,000 characters, because that is what a model scores (`filters.support.features`). A hash of the text
chooses one window of each text, so that long texts are not labelled several times and beginnings are not preferred.

Invariant: the choice of the window depends on the text alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import polars as pl

from curation.errors import InputError
from curation.ingest.inputs import expand
from curation.storage.location import Location
from curation.text.text import Text
from filters.support.hosts import hosts_of, site_of
from filters.support.scorer import Scorer
from pipelines.inspect.run_folder import checked_folder, places, scan
from pipelines.train.labels import NOT_STATED, LabelInput, label_rows

LEAST_CHARACTERS = 100
"""Shorter excerpts are too short to judge."""
_BATCH = 1000
_DOCUMENT = ("text", "url", "source", "metadata")


@dataclass(frozen=True)
class Excerpt:
    """A window of a text: the text's origin, the model's score, and the probability of a label of 3 or more that the score implies."""

    text: str
    source: str
    group: str
    license: str
    url: str | None
    score: float
    chance: float

    @property
    def order(self) -> bytes:
        """A hash that orders excerpts at random, but the same way every time."""
        return sha256(self.text.encode()).digest()


def read_excerpts(inputs: Sequence[str], text: str, scorer: Scorer) -> list[Excerpt]:
    """Return an excerpt of every text that is long enough, each once: of run folders, and of JSONL and Parquet files.

    `text` names the column. Raises InputError where nothing is left.
    """
    found: dict[str, Excerpt] = {}
    for batch in _batches(row for given in inputs for row in _rows(given, text)):
        for excerpt in _cut(batch, scorer):
            if len(excerpt.text) >= LEAST_CHARACTERS:
                found.setdefault(excerpt.text, excerpt)
    if not found:
        raise InputError(f"{', '.join(inputs)}: there is no text of {LEAST_CHARACTERS} characters or more")
    return list(found.values())


def _rows(given: str, column: str) -> Iterator[Mapping[str, Any]]:
    """Yield the text, url, source, group and license of each text."""
    place = Location.of(given)
    if place.is_local and (place / "ledger").is_folder():
        for shard in places(checked_folder(given)):
            if shard.documents is not None:
                for document in scan([shard.documents]).select(_DOCUMENT).collect(engine="streaming").iter_rows(named=True):
                    yield {**(document["metadata"] or {}), **document}
        return
    for file in expand([LabelInput(given)]):
        for number, row in label_rows(file.location):
            if column not in row:
                there = ", ".join(map(repr, row)) or "nothing"
                raise InputError(f"{file.location}, row {number} has no text {column!r}; it has {there}; name its column with --text")
            if not isinstance(row[column], str):
                raise InputError(
                    f"{file.location}, row {number}: {column!r} holds no text but {type(row[column]).__name__}; "
                    "take the row out, or annotate a run over the file, which sets such records aside"
                )
            yield {"source": file.location.name, **row, "text": row[column]}


def _batches(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _cut(rows: Sequence[Mapping[str, Any]], scorer: Scorer) -> Iterator[Excerpt]:
    texts = Text.from_strings([row["text"].encode("utf-8", "replace").decode() for row in rows])
    scores, seen = scorer.score_windows(texts)
    logits, _ = scorer.logits(texts)
    chances = 1 / (1 + np.exp(-np.clip(logits[:, scorer.level_of_good], -500, 500)))
    sites = hosts_of(pl.Series([row.get("url") for row in rows], dtype=pl.String)).to_list()
    for place, row in enumerate(rows):
        first, last = int(seen.windows.offsets[place]), int(seen.windows.offsets[place + 1])
        window = first + int.from_bytes(sha256(row["text"].encode("utf-8", "replace")).digest()[:8]) % (last - first)
        host = sites[place]
        site = site_of(host).domain or host if host else None
        yield Excerpt(
            text=_bytes_of(texts, place, seen.windows.tokens[window : window + 2], is_last=window + 1 == last),
            source=str(row["source"]),
            group=str(row.get("group") or site or row["source"]),
            license=str(row.get("license") or NOT_STATED),
            url=row.get("url"),
            score=float(scores[window]),
            chance=float(chances[window]),
        )


def _bytes_of(texts: Text, place: int, tokens: Any, *, is_last: bool) -> str:
    """Return the text of one window: from its first token up to the next window's."""
    words, begin = texts.words, int(texts.offsets[place])
    start = int(words.starts[tokens[0]]) if tokens[0] < len(words.starts) else 0
    end = int(texts.lengths[place]) if is_last else int(words.starts[tokens[1]])
    return bytes(texts.data[begin + start : begin + end]).decode("utf-8", "replace").strip()

"""Seeds are the kept documents that examples are made from, chosen at random or by score.

The choice reads only narrow columns of the ledgers (fate, key, size) and, for `order = "score"`, one column of the signals; text is read
only for chosen documents. Randomness comes from each document's key, so the choice does not depend on the order of shards, and a larger
limit keeps the earlier seeds and adds some.
"""

import heapq
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from curation.choices import Count
from curation.storage.record_keys import unit_interval
from curation.storage.shards import Shard, batches, check_aligned, read_shard
from synth.instructions import sells, speaks_to_models
from synth.task import Seed

EASY_LIX, HARD_LIX = 30.0, 50.0
"""Below the one a text reads like a book for children, above the other like an official one."""

_LONG_WORD = 6


@dataclass(frozen=True)
class SeedShard:
    """A documents shard, and the ledger (and signals) of the same rows."""

    documents: Shard
    ledger: Shard
    signals: Shard | None = None


@dataclass(frozen=True)
class SeedPolicy:
    """Which kept documents may be seeds.

    limit      largest number of seeds
    min_bytes  shorter texts say too little to ask about
    max_bytes  longer texts are not used: a cut text loses its thread
    order      "chance", or "score": the highest score first, ties at random
    score_signal  the signal that is the score
    """

    limit: Count = 1000
    min_bytes: Count = 600
    max_bytes: Count = 24_000
    order: Literal["chance", "score"] = "chance"
    score_signal: str = "educational_score.score"


def lix(text: str) -> float:
    """Return the LIX of a text: words in a sentence, and how many in a hundred are long (Björnsson 1968)."""
    words = re.findall(r"[^\W\d_]+", text)
    sentences = len(re.findall(r"[.!?:](?=\s|$)", text)) or 1
    return len(words) / sentences + 100 * sum(len(word) > _LONG_WORD for word in words) / len(words) if words else 0.0


def shift_for(passage: str) -> int:
    """Return a first guess of how much harder than usual a passage is to work with: -1, 0 or 1."""
    found = lix(passage)
    return (found > HARD_LIX) - (found < EASY_LIX)


def choose(sources: Sequence[SeedShard], policy: SeedPolicy) -> list[Seed]:
    """Return the seeds, best first. Raises CorruptShard if a ledger does not match its documents."""
    places = heapq.nsmallest(policy.limit, _candidates(sources, policy))
    rows: dict[int, list[tuple[int, int]]] = {}
    for rank, (*_, source, row) in enumerate(places):
        rows.setdefault(source, []).append((row, rank))
    found: dict[int, Seed] = {}
    for source, wanted in rows.items():
        found.update(_read(sources[source], dict(wanted)))
    return [found[rank] for rank in sorted(found)]


def trusted(seeds: Sequence[Seed]) -> list[Seed]:
    """Return the seeds that neither speak to models nor sell things."""
    return [seed for seed in seeds if speaks_to_models(seed.text) is None and sells(seed.text) is None]


def _candidates(sources: Sequence[SeedShard], policy: SeedPolicy) -> Iterator[tuple[float, float, bytes, int, int]]:
    """Yield (minus score, chance, key, source, row) of every document that may be a seed."""
    for number, source in enumerate(sources):
        check_aligned([shard for shard in (source.documents, source.ledger, source.signals) if shard is not None])
        ledger = read_shard(source.ledger, ["key", "fate", "text_bytes"])
        scores = _scores(source, policy, ledger.num_rows)
        columns = zip(ledger["key"].to_pylist(), ledger["fate"].to_pylist(), ledger["text_bytes"].to_pylist(), scores, strict=True)
        for row, (key, fate, size, score) in enumerate(columns):
            if fate == "kept" and policy.min_bytes <= size <= policy.max_bytes:
                yield -(score or 0.0), unit_interval(key, "seed"), key, number, row


def _scores(source: SeedShard, policy: SeedPolicy, rows: int) -> Sequence[float | None]:
    if policy.order == "chance" or source.signals is None:
        return [None] * rows
    scores: list[float | None] = read_shard(source.signals, [policy.score_signal])[policy.score_signal].to_pylist()
    return scores


def _read(source: SeedShard, wanted: dict[int, int]) -> Iterator[tuple[int, Seed]]:
    """Yield (rank, seed) of the wanted rows (row -> rank) of one shard; ids are the ledger's."""
    ids = read_shard(source.ledger, ["id"])["id"]
    begin = 0
    for batch in batches(source.documents, ["key", "text"]):
        here = [row for row in wanted if begin <= row < begin + batch.num_rows]
        table = batch.take(pa.array([row - begin for row in here], pa.int64()))
        for row, key, text in zip(here, table["key"].to_pylist(), table["text"].to_pylist(), strict=True):
            yield wanted[row], Seed(key, ids[row].as_py(), text)
        begin += batch.num_rows

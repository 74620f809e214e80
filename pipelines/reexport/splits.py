"""Splits decide which rows are held out of training, by a hash of their group.

    key      each document is its own group (the default)
    source   all documents of a source are a group
    site     all documents of a registered domain are a group; a document without a URL is its own group

A kept document is the only one of its cluster of duplicates, so no cluster is in two splits; further copies of it (a weight above 1) are
written to `train` only. A generated row goes into the split of the documents that it was made from, and is left out if they are in several
splits: otherwise training would reveal what is held out.

Invariant: the split of a document depends on its group, the seed and the shares, not on other documents.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.errors import UsageError
from curation.storage.record_keys import record_key
from filters.support.hosts import hosts_of, site_of
from pipelines.reexport.chance import drawn

TRAIN = "train"
LEFT_OUT = -1
"""The side of a generated row whose seeds are in several splits."""

By = Literal["key", "source", "site"]

_SPLIT = re.compile(r"([a-z][a-z0-9_]*)=(\d+(?:\.\d*)?|\.\d+)(%?)")


@dataclass(frozen=True)
class Splits:
    """The held-out splits with their shares, and the kind of group that stays together."""

    held_out: tuple[tuple[str, float], ...] = ()
    by: By = "key"
    seed: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all splits, `train` first."""
        return (TRAIN, *(name for name, _ in self.held_out))

    def in_words(self) -> str:
        """Describe the held-out splits; empty if there are none."""
        if not self.held_out:
            return ""
        together = {"key": "each document by itself", "source": "whole sources", "site": "whole sites"}[self.by]
        return ", ".join(f"{100 * share:.4g} % for {name}" for name, share in self.held_out) + f", {together}, by a hash"


def parse_splits(entries: Sequence[str], by: str, seed: int) -> Splits:
    """Parse `--split NAME=SHARE`. Raises UsageError if one is wrong."""
    kinds: Mapping[str, By] = {"key": "key", "source": "source", "site": "site"}
    if by not in kinds:
        raise UsageError(f"--split-by must be key, source or site, not {by!r}")
    found: dict[str, float] = {}
    for entry in entries:
        match = _SPLIT.fullmatch(entry)
        share = float(match[2]) / (100 if match[3] else 1) if match is not None else 0.0
        if match is None or not 0 < share < 1:
            raise UsageError(f"--split {entry!r}: write NAME=SHARE with a share between 0 and 1, such as validation=0.5%")
        if match[1] in found or match[1] == TRAIN:
            raise UsageError(f"--split {entry!r}: {'train is what is not held out' if match[1] == TRAIN else 'this split is named twice'}")
        found[match[1]] = share
    if sum(found.values()) >= 1:
        raise UsageError("--split: the shares that are held out leave nothing to train on")
    return Splits(tuple(found.items()), kinds[by], seed)


def sides_of(rows: pl.DataFrame, splits: Splits) -> npt.NDArray[np.int8]:
    """Return the index of each row's split; rows have `id`, `source` and `url`."""
    return _sides_of_groups(groups_of(rows, splits.by), splits)


def groups_of(rows: pl.DataFrame, by: By) -> pl.Series:
    """Return the name of each row's group."""
    if by == "source":
        return rows["source"]
    if by == "key":
        return rows["id"]
    hosts = hosts_of(rows["url"])
    sites = {host: site_of(host).domain or host for host in hosts.unique().to_list() if host is not None}
    return hosts.replace_strict(sites, return_dtype=pl.String, default=None).fill_null(rows["id"])


def _sides_of_groups(groups: pl.Series, splits: Splits) -> npt.NDArray[np.int8]:
    names = groups.unique()
    keys = b"".join(record_key(None, None, name.encode()) for name in names.to_list())
    halves = np.frombuffer(keys, np.dtype("<u8")).reshape(-1, 2)
    chances = drawn(halves, "split", splits.seed).astype(np.float64) / 2.0**64
    bounds = np.cumsum([share for _, share in splits.held_out])
    place = np.searchsorted(bounds, chances, side="right")
    sides = np.where(place < len(bounds), place + 1, 0).astype(np.int8)
    own = groups.replace_strict(names, pl.Series(sides), return_dtype=pl.Int8)
    return own.to_numpy()


def sides_of_generated(seeds: Sequence[Sequence[str]], own: npt.NDArray[np.int8], known: Mapping[str, int]) -> npt.NDArray[np.int8]:
    """Return the side of each generated row: that of its seeds (`known` by id), its own if it has none, LEFT_OUT if they differ."""
    sides = own.copy()
    for row, ids in enumerate(seeds):
        found = {known[name] for name in ids if name in known}
        if found:
            sides[row] = found.pop() if len(found) == 1 else LEFT_OUT
    return sides


def seeds_in(metadata: Sequence[Any]) -> list[list[str]]:
    """Return the ids of the seeds that each generated row's metadata names."""
    facts = [dict(pairs or ()) for pairs in metadata]
    return [[str(name) for name in json.loads(fact["seed_ids"])] if "seed_ids" in fact else [] for fact in facts]

"""Document numbers count the documents of a corpus, so that narrow steps can refer to each one in 8 bytes.

Shards are sorted by name; a document's number is the count of rows in all earlier shards, plus its row. Consecutive shards form *groups*,
the work units of the narrow steps: large enough to keep exchange files few, small enough that a narrow row per document fits in memory.

Invariant: numbers and groups depend on the shards' names, rows and bytes; the order in which shards are given does not matter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Generic, Protocol, TypeVar

from curation.errors import InputError
from curation.storage.shards import Shard

GROUP_ROWS = 1 << 18
"""Documents in a group (a single large shard may hold more)."""

GROUP_BYTES = 1 << 30
"""Compressed bytes of the shards of a group."""


class Holder(Protocol):
    """An object that represents one documents shard."""

    @property
    def counted(self) -> Shard:
        """The shard whose rows are counted."""
        ...


Member = TypeVar("Member", bound=Holder)


@dataclass(frozen=True)
class Group(Generic[Member]):
    """Consecutive members; their documents have the numbers from `base` up to, but not including, `base + rows`."""

    name: str
    base: int
    rows: int
    members: tuple[Member, ...]


def numbered_groups(members: Sequence[Member], most_rows: int = GROUP_ROWS, most_bytes: int = GROUP_BYTES) -> list[Group[Member]]:
    """Sort members by name and split them into groups. Raises InputError where two have the same name."""
    ordered = sorted(members, key=lambda member: member.counted.name)
    for before, after in pairwise(ordered):
        if before.counted.name == after.counted.name:
            raise InputError(f"two shards are named {after.counted.name}: {before.counted.location} and {after.counted.location}")
    groups: list[Group[Member]] = []
    gathered: list[Member] = []
    base = rows = size = 0
    for member in ordered:
        shard = member.counted
        if gathered and (rows + shard.rows > most_rows or size + shard.bytes > most_bytes):
            groups.append(Group(f"{len(groups):06d}", base, rows, tuple(gathered)))
            gathered, base, rows, size = [], base + rows, 0, 0
        gathered.append(member)
        rows, size = rows + shard.rows, size + shard.bytes
    if gathered:
        groups.append(Group(f"{len(groups):06d}", base, rows, tuple(gathered)))
    return groups


def groups_in_turn(sets: Iterable[Sequence[Member]]) -> list[Group[Member]]:
    """Group each set separately and continue the numbers from one set to the next, so that later sets never change earlier numbers."""
    groups: list[Group[Member]] = []
    for members in sets:
        base = groups[-1].base + groups[-1].rows if groups else 0
        for group in numbered_groups(members):
            groups.append(replace(group, name=f"{len(groups):06d}", base=base + group.base))
    return groups

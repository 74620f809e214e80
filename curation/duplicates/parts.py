"""A part is what deduplication reads of one documents shard: the shard itself and its side shards.

A stage that works on a group of parts names their shards by position and role ("3.judged"), so that they are part of the unit's key; it
recovers the parts with `parts_of`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from curation.arrays import Flags, JsonMapping
from curation.engine.stage import Unit
from curation.shuffle.numbering import Group
from curation.storage.shards import Shard, check_aligned, read_shard


@dataclass(frozen=True)
class DuplicatesPart:
    """One documents shard and its side shards.

    `judged` are shards with a column `rule` (verdicts, an earlier deduplication): a document takes part if it is null in all of them. The
    recipe's preference may use `signals`; `ids` are the final ids (None: the documents' own). Documents with a lower `priority` number
    survive those with a higher one, whatever else holds (web: 0, synthetic: 1, earlier runs: below 0). `run` names the earlier run that
    kept the documents; None: they belong to this run.
    """

    documents: Shard
    signatures: Shard
    judged: tuple[Shard, ...] = ()
    signals: Shard | None = None
    ids: Shard | None = None
    priority: int = 0
    run: str | None = None

    @property
    def counted(self) -> Shard:
        """The shard whose rows are counted."""
        return self.documents

    def taking_part(self) -> Flags:
        """Return, for each document, whether it takes part. Raises CorruptShard where side shards do not have the same rows."""
        check_aligned([self.documents, self.signatures, *self.judged])
        part = np.ones(self.documents.rows, np.bool_)
        for shard in self.judged:
            part &= read_shard(shard, ["rule"])["rule"].is_null().to_numpy()
        return part


def unit_inputs(group: Group[DuplicatesPart], roles: Iterable[str]) -> dict[str, tuple[Shard, ...]]:
    """Return a unit's inputs: the shards that a group's parts have in the given roles."""
    inputs: dict[str, tuple[Shard, ...]] = {}
    for place, part in enumerate(group.members):
        for role in roles:
            held = getattr(part, role)
            inputs[f"{place}.{role}"] = held if isinstance(held, tuple) else () if held is None else (held,)
    return inputs


def extra_of(group: Group[DuplicatesPart]) -> JsonMapping:
    """Return the unit values of a group's parts that are not shards."""
    return {"priorities": [part.priority for part in group.members], "runs": [part.run for part in group.members]}


def first_earlier(groups: Sequence[Group[DuplicatesPart]]) -> int:
    """Return the first number of earlier runs' documents, which come after all documents of this run."""
    return sum(group.rows for group in groups if group.members[0].run is None)


def parts_of(unit: Unit) -> list[DuplicatesPart]:
    """Return the parts of a unit, with the shards of the roles that it received."""

    def one(place: int, role: str) -> Shard | None:
        return next(iter(unit.inputs.get(f"{place}.{role}", ())), None)

    parts = []
    for place, (priority, run) in enumerate(zip(unit.extra["priorities"], unit.extra["runs"], strict=True)):
        documents, signatures = unit.shard(f"{place}.documents"), unit.shard(f"{place}.signatures")
        judged = unit.inputs.get(f"{place}.judged", ())
        parts.append(DuplicatesPart(documents, signatures, judged, one(place, "signals"), one(place, "ids"), priority, run))
    return parts

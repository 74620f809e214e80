"""The units of the ledger: each shard with the side shards of its name."""

from curation.ledger.write import ledger_units
from curation.storage.location import Location
from curation.storage.shards import Shard


def shard(name: str) -> Shard:
    return Shard(name, Location.of("/nowhere") / name, 1, 1, "")


def test_a_shard_goes_with_the_side_shards_of_its_name() -> None:
    verdicts, duplicates, gone = (shard("a"), shard("b")), (shard("b"),), (shard("gone"),)
    units = ledger_units([shard("a"), shard("b")], [shard("c")], gone, verdicts=verdicts, duplicates=duplicates, cuts=())
    assert [(unit.name, {role: [each.name for each in shards] for role, shards in unit.inputs.items()}) for unit in units] == [
        ("a", {"documents": ["a"], "verdicts": ["a"]}),
        ("b", {"documents": ["b"], "verdicts": ["b"], "duplicates": ["b"], "gone": ["gone"]}),
        ("c", {"rejects": ["c"]}),
    ]


def test_without_documents_that_the_cuts_dropped_no_unit_reads_them() -> None:
    (unit,) = ledger_units([shard("a")], [], (), duplicates=[shard("a")])
    assert sorted(unit.inputs) == ["documents", "duplicates"]

"""How shards of documents become files of the dataset, and how their tokens are counted."""

from typing import Any

import pyarrow as pa
import pytest

from curation.storage.location import Location
from curation.storage.shards import Shard
from pipelines.export.export import ExportSettings, Source, _tokens, export_units
from tests.running import ROOT

MIB = 1 << 20


def source(name: str, kept_bytes: int) -> Source:
    documents, ledger = (Shard(name, Location.of("/nowhere") / f"{kind}-{name}", 1, kept_bytes, "") for kind in ("documents", "ledger"))
    return Source(documents, ledger, None, kept_bytes)


@pytest.mark.parametrize(
    ("kept", "files"),
    [
        ([], [[]]),
        ([0, 0], [[]]),
        ([4 * MIB, 6 * MIB], [["0", "1"]]),
        ([4 * MIB, 6 * MIB + 1], [["0"], ["1"]]),
        ([20 * MIB, 1, 0, 9 * MIB, MIB], [["0"], ["1", "3"], ["4"]]),
    ],
)
def test_a_file_takes_shards_up_to_its_size(kept: list[int], files: list[list[str]]) -> None:
    units = export_units([source(str(place), size) for place, size in enumerate(kept)], ExportSettings(shard_mib=10))
    assert [[shard.name for shard in unit.inputs["documents"]] for unit in units] == files
    assert [[shard.name for shard in unit.inputs["ledger"]] for unit in units] == files
    assert len({unit.name for unit in units}) == len(units)


@pytest.mark.parametrize("wrong", [{"shard_mib": 0}, {"shard_mib": -1}, {"keep": ("id",)}, {"keep": ("a", "a")}, {"keep": ("",)}])
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ExportSettings(**wrong)


def test_tokens_are_estimated_from_bytes_or_counted_by_a_tokenizer() -> None:
    texts = pa.array(["", "a" * 12, "é" * 7, "one two three"], pa.large_string())
    assert _tokens(texts, None).to_pylist() == [0, 3, 4, 3]
    counted = _tokens(texts, str(ROOT / "tests/lists/tokenizer.json")).to_pylist()
    assert len(counted) == 4
    assert counted[0] == 0
    assert counted[3] >= 3

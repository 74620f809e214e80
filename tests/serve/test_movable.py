"""A movable threshold gives the figures of `curate inspect --at`, also where blocks are small, values repeat and some are missing."""

from pathlib import Path

import pytest

from curation.storage.location import Location
from pipelines.inspect.thresholds import threshold_effect
from pipelines.serve import movable as module
from pipelines.serve.movable import movable
from tests.reexport.corpus import write_corpus

WORDS, LENGTH = "gopher_quality.words", "gopher_quality.mean_word_length"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("movable"))


@pytest.mark.parametrize(("signal", "thresholds"), [(WORDS, (-1, 1, 90, 120, 120.5, 4000, 1e9)), (LENGTH, (0, 4.5, 5.25, 99))])
@pytest.mark.parametrize("block", [1, 7, 1 << 16])
def test_a_threshold_keeps_what_inspect_says(
    run: Path, signal: str, thresholds: tuple[float, ...], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BLOCK", block)
    held = movable(Location.of(run), signal, block)
    for at in thresholds:
        assert held.effect(at) == threshold_effect(str(run), signal, at)


def test_the_nearest_documents_are_those_beside_the_threshold(run: Path) -> None:
    held = movable(Location.of(run), WORDS, "nearest")
    values = sorted(held.values.tolist())
    below, above = held.nearest(120)
    assert [one.value for one in below] == [value for value in reversed(values) if value < 120][:10]
    assert [one.value for one in above] == [value for value in values if value >= 120][:10]
    assert all(len(one.excerpt.split()) > 1 for one in [*below, *above])


def test_only_as_many_signals_are_held_as_the_memory_allows(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_held", {})
    out = Location.of(run)
    size = movable(out, WORDS, "first").bytes
    assert 12 * 3000 < size < 20 * 3500
    monkeypatch.setattr(module, "SIGNALS_BYTES", 3 * size)
    for stamp in range(6):
        movable(out, LENGTH, stamp)
        assert sum(one.bytes for one in module._held.values()) <= 3 * size
    assert (out, LENGTH, 5) in module._held
    monkeypatch.setattr(module, "SIGNALS_BYTES", 0)
    assert movable(out, LENGTH, 6).effect(5).all.of.documents > 3000
    assert len(module._held) == 1

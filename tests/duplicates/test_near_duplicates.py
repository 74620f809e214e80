"""Near-duplicates against the truth: pairs planted at a known similarity, real texts whose similarities are known, and a long chain.

The whole plants 10,000 pairs in each of ten bins of similarity: there the share that meets has a standard deviation of half a point at
most, and must be within two points of theory. The part that runs by default plants 500, and allows three standard deviations.
"""

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from curation.duplicates.deduplicate import DeduplicateSettings
from curation.duplicates.minhash import PRESETS, MinHashSettings, bucket_hashes, sign
from curation.text.text import Text
from tests.deduplicating import cut, document, run
from tests.planted import Pair, chain, jaccard, pairs

BINS = [place / 100 for place in range(50, 100, 5)]
SEED = 20261124


def meetings(planted: list[Pair], settings: MinHashSettings) -> list[bool]:
    """Whether each pair shares a bucket."""
    one, other = (
        bucket_hashes(sign(Text.from_strings(texts), settings).signatures, settings)
        for texts in ([pair.one for pair in planted], [pair.other for pair in planted])
    )
    return (one == other).any(axis=0).tolist()


def check_bin(folder: Path, low: float, count: int) -> None:
    """Plant pairs in one bin; check how many meet, and that just those that met and are like enough lose one of the two."""
    planted = list(pairs(count, low, low + 0.05, SEED))
    rows = [document(f"{place}.{side}", pair[side]) for place, pair in enumerate(planted) for side in (0, 1)]
    for name, bands in PRESETS.items():
        met = meetings(planted, bands)
        theory = [bands.candidate_probability(pair.similarity) for pair in planted]
        share, expected = sum(met) / count, math.fsum(theory) / count
        found = run(folder / name, cut(rows, 3), DeduplicateSettings(bands=bands.bands, rows=bands.rows))
        dropped = missed = 0
        for place, (pair, candidates) in enumerate(zip(planted, met, strict=True)):
            fates = [found[f"{place}.{side}"] for side in (0, 1)]
            gone = [fate for fate in fates if fate["rule"] is not None]
            assert len(gone) == (candidates and pair.similarity >= 0.75), f"{name}: pair {place} of similarity {pair.similarity}: {fates}"
            for fate in gone:
                (other,) = [row["id"] for row in fates if row["rule"] is None]
                assert (fate["duplicate_of"], fate["similarity"]) == (other, pair.similarity)
            dropped += len(gone)
            missed += not gone and pair.similarity >= 0.75
        print(f"{low:.2f} {name}: met {share:.4f}, in theory {expected:.4f}; dropped {dropped}, alike but missed {missed}")
        deviation = math.sqrt(math.fsum(chance * (1 - chance) for chance in theory)) / count
        assert abs(share - expected) <= max(0.02, 3 * deviation), f"{name} at {low}: {share:.4f} met, theory says {expected:.4f}"


@pytest.mark.parametrize("low", BINS)
def test_pairs_meet_as_theory_says_and_only_real_duplicates_go(tmp_path, low):
    check_bin(tmp_path, low, 500)


@pytest.mark.full
@pytest.mark.parametrize("low", BINS)
def test_ten_thousand_pairs_meet_within_two_points_of_theory(tmp_path, low):
    check_bin(tmp_path, low, 10_000)


def test_real_near_copies_are_found_and_others_are_not(tmp_path, real_data):
    texts = pl.read_parquet(real_data / "neardup" / "docs.parquet", columns=["doc_id", "text"])
    listed = pl.read_parquet(real_data / "neardup" / "pairs.parquet", columns=["id_a", "id_b", "jaccard_w5"])
    rows = [document(name, text) for name, text in texts.iter_rows()]
    found = run(tmp_path, cut(rows, 4))
    kept = {name for name, row in found.items() if row["rule"] is None}
    alike = listed.filter(pl.col("jaccard_w5") >= 0.8)
    both_kept = sum(one in kept and other in kept for one, other, _ in alike.iter_rows())
    truth = {frozenset((one, other)): similarity for one, other, similarity in listed.iter_rows()}
    dropped = [(name, row) for name, row in found.items() if row["rule"] is not None]
    least = min(truth.get(frozenset((name, row["duplicate_of"])), 0) for name, row in dropped)
    print(f"{both_kept} of {alike.height} pairs at 0.8 or more are both kept; {len(dropped)} dropped, the least alike at {least:.3f}")
    assert alike.height > 1200
    assert both_kept <= 0.02 * alike.height
    assert least >= 0.5
    assert all(abs(truth[frozenset((name, row["duplicate_of"]))] - row["similarity"]) < 0.1 for name, row in dropped)


ALWAYS_MEET = DeduplicateSettings(bands=64, rows=2)
"""Bands by which two neighbours of a chain miss each other once in 10^28: the whole chain is one component."""


def kept_of_chain(folder: Path, rows: list[dict], settings: DeduplicateSettings) -> int:
    """Deduplicate a chain; check every dropped document against the one that stayed for it, and return how many stayed."""
    found = run(folder, cut(rows, 3), settings)
    texts = {row["id"]: row["text"] for row in rows}
    for name, row in found.items():
        if row["rule"] is not None:
            assert found[row["duplicate_of"]]["rule"] is None
            assert row["similarity"] == jaccard(texts[name], texts[row["duplicate_of"]]) >= settings.threshold
    return sum(row["rule"] is None for row in found.values())


@pytest.mark.parametrize("links", [1000, pytest.param(10_000, marks=pytest.mark.full)])
def test_of_a_long_chain_every_second_or_third_stays(tmp_path, links):
    """Neighbours are 0.8 alike, others less than 0.75. Merging all that hangs together would keep one of them all.

    Taken in the order of a chain, every second stays. Taken in an order by chance, what stays is what is left when places on a line are
    filled at random and neighbours are shut out: (1 - e^-2) / 2 of them (Flory 1939).
    """
    texts = chain(links)
    assert {jaccard(one, other) for one, other in pairwise(texts[:100])} == {0.8}
    by_chance = [document(f"d{place}", text) for place, text in enumerate(texts)]
    began = datetime(2020, 1, 1, tzinfo=UTC)
    in_order = [document(f"d{place}", text, date=began + timedelta(hours=place)) for place, text in enumerate(texts)]
    assert kept_of_chain(tmp_path / "order", in_order, ALWAYS_MEET) == links // 2
    kept, expected = kept_of_chain(tmp_path / "chance", by_chance, ALWAYS_MEET), (1 - math.exp(-2)) / 2 * links
    more = kept_of_chain(tmp_path / "default", by_chance, DeduplicateSettings())
    print(f"of {links}: {kept} stay, {expected:.0f} expected; {more} with 14 bands of 8, by which a neighbour may be missed")
    assert kept == pytest.approx(expected, rel=0.03)
    assert kept < more < 0.48 * links

"""Drawing decides how many copies of each kept row are written, and to which split, without reading text.

The first pass over a run counts the tokens of its kept rows by part, weight and random number (`pipelines.reexport.budget`), which fixes
the scales. Then every shard of documents is drawn separately: the draw depends only on a row, the mix, the scales and the splits.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.arrays import Array, Flags, Floats, Integers
from curation.storage.location import Location
from pipelines.export.export import Source
from pipelines.inspect.flows import tokens_of_sizes
from pipelines.inspect.run_folder import scan_ledger
from pipelines.reexport.budget import BITS, REST, Pools, copies_of
from pipelines.reexport.chance import drawn
from pipelines.reexport.kept import KeptRows, kept_rows_of, metadata_of_kept
from pipelines.reexport.mix import VIGINTILES, Band, Mix
from pipelines.reexport.splits import LEFT_OUT, Splits, seeds_in, sides_of, sides_of_generated

_SAMPLE = 1_000_000
"""The number of values from which a signal's vigintiles are computed; a larger run is sampled down to about this many."""


@dataclass(frozen=True)
class Draw:
    """Everything that decides about rows: the mix with its scales and vigintiles, the splits, and the splits of seeds."""

    mix: Mix
    splits: Splits
    seed: int
    edges: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    scales: Mapping[int, float] = field(default_factory=dict)
    seed_sides: Mapping[str, int] = field(default_factory=dict)

    @property
    def signals(self) -> list[str]:
        """The signals that the mix uses."""
        return sorted({band.signal for band in self.mix.bands})


@dataclass(frozen=True)
class Drawn:
    """The copies, split, part, and unscaled weight of each kept row of a shard of documents."""

    copies: Integers
    sides: npt.NDArray[np.int8]
    parts: Integers
    weights: Floats


def draw(source: Source, kept: KeptRows, how: Draw) -> Drawn:
    """Draw the kept rows of a shard of documents."""
    parts, weights = _parts(kept, how.mix), _weights(kept, how)
    sides = _sides(source, kept, how)
    scaled = weights * np.array([how.scales.get(part, 1.0) for part in range(REST, len(how.mix.parts))])[parts - REST]
    copies = copies_of(scaled, drawn(kept.halves, "mix", how.seed))
    copies[sides > 0] = np.minimum(copies[sides > 0], 1)
    copies[sides == LEFT_OUT] = 0
    return Drawn(copies, sides, parts, weights)


def pools_of(source: Source, how: Draw, tokens_of: Callable[[Source], Integers] | None) -> Pools:
    """Count the training rows of one shard of documents; `tokens_of` counts with a tokenizer, and without it tokens are estimated."""
    kept = kept_rows_of(source, how.signals)
    found = draw(source, kept, how)
    tokens = tokens_of(source) if tokens_of is not None else tokens_of_sizes(kept.text_bytes)
    steps = (drawn(kept.halves, "mix", how.seed) >> np.uint64(64 - BITS)).astype(np.int64)
    pools = Pools()
    training = found.sides == 0
    for part in np.unique(found.parts[training]):
        for weight in np.unique(found.weights[training & (found.parts == part)]):
            here = training & (found.parts == part) & (found.weights == weight)
            counted = steps[here] if how.mix.has_budget else steps[:0]
            pools.at(int(part), float(weight)).add(int(here.sum()), int(kept.text_bytes[here].sum()), counted, tokens[here])
    return pools


def merged(pools: Sequence[Pools]) -> Pools:
    """Add up the pools of several shards."""
    total = Pools()
    for one in pools:
        for (part, weight), pool in one.held.items():
            mine = total.at(part, weight)
            mine.rows, mine.tokens, mine.text_bytes = mine.rows + pool.rows, mine.tokens + pool.tokens, mine.text_bytes + pool.text_bytes
            if pool.by_chance is not None:
                mine.by_chance = pool.by_chance if mine.by_chance is None else mine.by_chance + pool.by_chance
    return total


def with_edges(how: Draw, sources: Sequence[Source]) -> Draw:
    """Compute the vigintiles of the signals for which the mix names some."""
    names = sorted({band.signal for band in how.mix.bands if band.vigintiles})
    if not names:
        return how
    rows = sum(source.ledger.rows for source in sources)
    found: dict[str, list[Array]] = {name: [] for name in names}
    for source in sources:
        kept = kept_rows_of(source, names)
        some = drawn(kept.halves, "vigintiles") <= np.uint64(min(1.0, _SAMPLE / max(1, rows)) * (2**64 - 2**11))
        for name in names:
            found[name].append(kept.rows[name].cast(pl.Float64).to_numpy()[some])
    edges = {}
    for name, pieces in found.items():
        values = np.concatenate(pieces)
        values = values[~np.isnan(values)]
        shares = np.arange(1, VIGINTILES) / VIGINTILES
        edges[name] = tuple(np.quantile(values, shares).tolist()) if len(values) else (0.0,) * (VIGINTILES - 1)
    return replace(how, edges=edges)


def with_seed_sides(how: Draw, run: Location, sources: Sequence[Source]) -> Draw:
    """Find the splits of the documents that generated rows were made from."""
    if not how.splits.held_out:
        return how
    ids = {name for source in sources if source.generated for seeds in seeds_in(metadata_of_kept(source)) for name in seeds}
    if not ids:
        return how
    rows = scan_ledger(run).filter(pl.col("id").is_in(list(ids))).select("id", "source", "url").collect(engine="streaming")
    return replace(how, seed_sides=dict(zip(rows["id"].to_list(), sides_of(rows, how.splits).tolist(), strict=True)))


def _parts(kept: KeptRows, mix: Mix) -> Integers:
    """Return the index of each row's part: its source's, else its origin's, else REST's."""
    numbers = {part.name: number for number, part in enumerate(mix.parts)}
    own = (
        kept.rows["source"].replace_strict(
            list(numbers), list(numbers.values()), default=numbers.get(kept.origin, REST), return_dtype=pl.Int64
        )
        if numbers
        else pl.repeat(REST, len(kept), eager=True, dtype=pl.Int64)
    )
    return own.to_numpy()


def _weights(kept: KeptRows, how: Draw) -> Floats:
    weights = np.ones(len(kept))
    for band in how.mix.bands:
        weights[_holds(kept.rows[band.signal], band, how.edges)] *= band.rate
    return weights


def _holds(values: pl.Series, band: Band, edges: Mapping[str, tuple[float, ...]]) -> Flags:
    """Return which values are in a band; a missing value is in none."""
    if band.word is not None:
        return (values.cast(pl.String) == band.word).fill_null(False).to_numpy()
    numbers = values.cast(pl.Float64).to_numpy()
    known = ~np.isnan(numbers)
    if band.vigintiles:
        place = np.searchsorted(np.array(edges[band.signal]), numbers, side="right") + 1
        return np.asarray(known & (place >= (band.low or 1)) & (place <= (band.high or VIGINTILES)))
    low = -np.inf if band.low is None else band.low
    high = np.inf if band.high is None else band.high
    return np.asarray(known & (numbers >= low) & (numbers < high))


def _sides(source: Source, kept: KeptRows, how: Draw) -> npt.NDArray[np.int8]:
    if not how.splits.held_out:
        return np.zeros(len(kept), np.int8)
    own = sides_of(kept.rows, how.splits)
    if not source.generated:
        return own
    return sides_of_generated(seeds_in(metadata_of_kept(source)), own, how.seed_sides)

"""The folder of a run, as those who look at it see it: where its tables lie, which belong together, and which rules the recipe has.

A shard of documents, its signals and its ledger have one name and the same rows in the same order, so looking at a document means reading
row *i* of three files. Tables are scanned lazily: what is collected is counts and a few samples, whatever the size of the run.

Invariants
    - Nothing here writes.
    - Two tables are zipped by row only after their digests of keys were found equal.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl
import pyarrow.dataset as ds

from curation import exchange
from curation.deduplicate import DeduplicateSettings
from curation.errors import UsageError
from curation.location import Location
from curation.repeated_lines import Cutting
from curation.schema import LEDGER
from curation.shards import Shard, check_aligned, open_parquet
from filters.contract import Rule
from pipelines.recipe import parse

Side = Literal["below", "above"]

GENERATED = "stages/6-synthesize"
"""Where the stages over generated rows lie."""


@dataclass(frozen=True)
class Place:
    """Where the rows of one ledger shard lie: what lies beside it is None where it was deleted, or never was (rejects)."""

    name: str
    origin: Literal["web", "synthetic"]
    ledger: Location
    documents: Location | None
    signals: Location | None
    cuts: Location | None = None


@dataclass(frozen=True)
class RecipeRule:
    """A rule of the recipe under its full name: the signal it looks at, its bound, and the side of the bound that it drops.

    `drops` is None for a rule that is not a plain comparison with a bound. `threshold` is None for such a rule, and for one that compares
    each document with a bound of its own. `rule` is what evaluates it.
    """

    name: str
    signal: str
    threshold: float | None
    drops: Side | None
    rule: Rule = field(repr=False, compare=False)


def open_run(folder: str) -> Location:
    """Return the place of a run. Raises UsageError where there is none."""
    out = Location.of(folder)
    if not (out / "ledger").is_folder():
        raise UsageError(f"{folder} is not the folder of a run: it has no ledger/; give the --out of a `curate run` that ended")
    return out


def places(out: Location) -> list[Place]:
    """Return every ledger shard with the shards of the same rows, web before synthetic, by name."""
    generated: dict[str, Location] = {}
    for name, location in _parquet(out / GENERATED, recursive=True).items():
        if location.parent.name not in ("2-measure", "3-judge") and _has_text(location):
            generated[name] = location
    layout: list[tuple[Literal["web", "synthetic"], dict[str, Location], dict[str, Location], dict[str, Location]]] = [
        ("web", _parquet(out / "ledger"), _parquet(out / "stages" / "1-ingest"), _parquet(out / "stages" / "2-measure")),
        (
            "synthetic",
            _parquet(out / "ledger" / "synthetic"),
            generated,
            _parquet(out / GENERATED / "2-measure"),
        ),
    ]
    cuts = _parquet(out / "stages" / Cutting.name)
    found = []
    for origin, ledger, documents, signals in layout:
        for name, location in sorted(ledger.items()):
            rejected = name.endswith("-rejected")
            cut = cuts.get(name) if origin == "web" else None
            found.append(Place(name, origin, location, None if rejected else documents.get(name), signals.get(name), cut))
    return found


def scan(locations: Iterable[Location]) -> pl.LazyFrame:
    """Scan Parquet files as one table, in the order given."""
    files = list(locations)
    if files and not files[0].is_local:
        return pl.scan_pyarrow_dataset(ds.dataset([file.path for file in files], filesystem=files[0].filesystem, format="parquet"))
    return pl.scan_parquet([file.path for file in files], glob=False)


def scan_ledger(out: Location, origin: Literal["web", "synthetic"] = "web") -> pl.LazyFrame:
    """Scan the ledger of a run; that of a run without synthetic rows has none."""
    folder = out / "ledger" if origin == "web" else out / "ledger" / "synthetic"
    files = list(_parquet(folder).values())
    return scan(files) if files else empty_ledger()


def empty_ledger() -> pl.LazyFrame:
    """Return a ledger without rows."""
    return pl.DataFrame(LEDGER.empty_table()).lazy()


def scan_rows(found: Iterable[Place]) -> pl.LazyFrame:
    """Scan the ledgers of some places, with `origin`, `shard` (the place's name) and `row` (in the shard)."""
    return pl.concat([_numbered(place, scan([place.ledger])) for place in found])


def scan_measured(found: Iterable[Place], ledger: list[str], signals: list[str]) -> pl.LazyFrame:
    """Zip columns of the ledger and of the signals, with `origin`, `shard` and `row` as `scan_rows` has them, for all that was measured.

    Raises CorruptShard where a signals shard does not hold the rows of its ledger.
    """
    frames = []
    for place in found:
        if place.signals is None:
            continue
        check_aligned([_as_shard(place.name, place.ledger), _as_shard(place.name, place.signals)])
        zipped = pl.concat([scan([place.ledger]).select(ledger), scan([place.signals]).select(signals)], how="horizontal")
        frames.append(_numbered(place, zipped))
    if not frames:
        raise UsageError("this run has no signals: its recipe has no filters, or stages/2-measure was deleted")
    return pl.concat(frames)


def _numbered(place: Place, table: pl.LazyFrame) -> pl.LazyFrame:
    return table.with_row_index("row").with_columns(pl.lit(place.name).alias("shard"), pl.lit(place.origin).alias("origin"))


def iter_rows(location: Location, rows: Iterable[int], columns: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (number, values) for some rows of a shard, rising; one row group at a time is in memory, and those without any are not read."""
    wanted = np.array(sorted(set(rows)), np.int64)
    for numbers, table in exchange.read_rows(_as_shard(location.name, location), columns, wanted):
        yield from zip(numbers.tolist(), table.to_pylist(), strict=True)


def read_rows(location: Location, rows: Iterable[int], columns: list[str]) -> dict[int, dict[str, Any]]:
    """Return some rows of a shard by number; row groups without any are not read."""
    return dict(iter_rows(location, rows, columns))


def recipe_rules(out: Location) -> list[RecipeRule]:
    """Return every rule of the run's recipe, in the order in which they are tried. Raises RecipeError where the recipe cannot be read."""
    text = (out / "recipe.toml").read_bytes().decode()
    rules = []
    for choice in parse(text, "recipe").filters:
        made = choice.build()
        for reason, rule in made.rules().items():
            name = f"{made.name()}.{reason}"
            rules.append(RecipeRule(name, f"{made.name()}.{rule.signal}", rule.single_threshold, side_dropped(rule), rule))
    return rules


def recipe_deduplication(out: Location) -> DeduplicateSettings | None:
    """Return the [deduplicate] of the run's recipe, None where it has none. Raises RecipeError where the recipe cannot be read."""
    return parse((out / "recipe.toml").read_bytes().decode(), "recipe").deduplicate


def side_dropped(rule: Rule) -> Side | None:
    """Return the side of its threshold that a rule drops, told or found by trying both; None for a rule that is not so simple."""
    threshold = rule.single_threshold
    if rule.side is not None or threshold is None:
        return rule.side
    step = max(abs(threshold), 1.0) * 1e-3
    probe = pl.DataFrame({rule.signal: [threshold - step, threshold + step]})
    try:
        below, above = probe.select(rule.drops.fill_null(False).alias("drops"))["drops"].to_list()
    except (pl.exceptions.PolarsError, ValueError):
        return None
    if below == above:
        return None
    return "below" if below else "above"


def manifest(out: Location) -> Mapping[str, Any] | None:
    """Return the dataset's manifest, or None where the run has not written one."""
    location = out / "dataset" / "manifest.json"
    return dict(json.loads(location.read_bytes())) if location.facts() is not None else None


def _as_shard(name: str, location: Location) -> Shard:
    """Return a shard to read; what its sidecar says of it is not needed for looking."""
    return Shard(name, location, 0, 0, "")


def _parquet(folder: Location, recursive: bool = False) -> dict[str, Location]:
    """Return name -> place of the Parquet files in a folder."""
    return dict(_named(folder, recursive))


def _named(folder: Location, recursive: bool) -> Iterator[tuple[str, Location]]:
    for facts in folder.files(recursive=recursive):
        name = facts.location.name
        if name.endswith(".parquet") and not name.startswith("."):
            yield name.removesuffix(".parquet"), facts.location


def _has_text(location: Location) -> bool:
    with open_parquet(location) as file:
        return {"text", "metadata", "key"} <= set(file.schema_arrow.names)

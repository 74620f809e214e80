"""Deduplicate keeps the best one of the documents that say the same; every other document names the survivor.

    Sign                            curation.duplicates.sign        text hash and signature of every document; independent of verdicts
    FillBuckets, FindCandidates     curation.duplicates.candidates  buckets and edges: which documents may be duplicates of each other
    ShareEdges to WriteComponents   curation.duplicates.components  the connected components of those edges
    GatherShingles                  curation.duplicates.gather      the shingles of candidates
    Compare                         curation.duplicates.compare     decisions in survivor order (curation.duplicates.survivors), by exact
                                                                    similarity
    WriteDuplicates                 this module                     one row for each document, beside its documents shard

Only rows travel between units, sorted by hash, through the shuffle (curation.shuffle.exchange). Documents have numbers
(curation.shuffle.numbering).

A new dump can be compared with the documents that earlier runs kept, by their stored signatures. Those documents are numbered last, come
first in the survivor order, are never dropped, and do not appear in the output. Their text is read only if it shares a bucket with a
document of this run and differs from that document's text.

Invariants
    - The survivor of a duplicate is kept: following `duplicate_of` once leads to a document that stays, in this run or an earlier one.
    - Results do not depend on the number of workers, on how shards are grouped, or on the order in which shards are given.
    - A document without candidates costs 16 narrow rows; its text is read once, by Sign.

Results depend on the shards' names in one case only: of records with equal keys, which are the same record, the lowest number stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curation.arrays import Column, Integers, JsonMapping, Schema
from curation.choices import Count, nearest
from curation.duplicates.candidates import find_candidates
from curation.duplicates.compare import RESOLVED, compare
from curation.duplicates.gather import GatherShingles, gather_documents
from curation.duplicates.minhash import MOST_PERMUTATIONS, PRESETS, MinHashSettings, bands_for
from curation.duplicates.parts import DuplicatesPart, extra_of, first_earlier, parts_of, unit_inputs
from curation.duplicates.sign import check_settings
from curation.duplicates.survivors import PREFERABLE, preference
from curation.engine.session import Session
from curation.engine.stage import Output, Stage, Unit
from curation.errors import InputError
from curation.schema import KEY
from curation.shuffle.exchange import Range, read_range
from curation.shuffle.merging import Merged
from curation.shuffle.numbering import Group, groups_in_turn
from curation.storage.shards import Shard, open_parquet, read_shard

DUPLICATES = pa.schema(
    [
        pa.field("key", KEY, nullable=False),
        *(field for field in RESOLVED if field.name != "number"),
        pa.field("duplicate_run", pa.string()),
    ]
)
"""The result for a document. `rule` is null for a document that is kept or did not take part.

`duplicate_of` and `duplicate_of_key` name the survivor; `duplicate_run` names the earlier run that kept it (null: this run). `cluster` is
the survivor's number in this run; `cluster_size` counts the survivor and all its duplicates in this run (1 for a document without any).
"""


@dataclass(frozen=True)
class DeduplicateSettings:
    """The recipe's [deduplicate]: how candidates are found, what counts as a duplicate, and which document stays.

    ngram            words or characters of a shingle
    unit             what shingles are made of
    bands, rows      number of buckets, and hashes in each; 14 and 8 by default
    preset           bands and rows by name: "14x8", "20x13", "26x11"
    permutations     number of hashes, from which bands and rows are chosen for `threshold`
    seed             seed of the hash functions
    threshold        exact Jaccard similarity from which a document is a duplicate
    containment      also drop a document if at least this share of its shingles is in a kept one
    compared         kept documents of each bucket that a document is compared with
    sources          of copies, those from an earlier named source stay
    prefer           SQL expression over columns and signals: of copies, the one with the greater value stays
    by_url           also drop all but the best document of each URL
    alarm_share      report a source that loses more than this share
    alarm_documents  do not report a source of fewer documents
    against          folders of earlier runs whose kept documents win

    Shingles are n-grams of `ngram` words or, by `unit`, characters. Bands and rows are given directly, by a `preset` ("14x8", "20x13",
    "26x11"), or by a number of `permutations` from which they are chosen for `threshold` (`curation.duplicates.minhash.bands_for`); the
    default is 14 and 8. That choice gives false candidates and missed pairs the same weight, so it misses more pairs at the threshold than
    the default does (`curate plan` shows the curve).
    Of copies from several `sources`, those from an earlier named source stay; sources that are not named rank last.
    `prefer` is an SQL expression over documents' columns, `text_bytes` and signals: the greatest value stays (see
    `curation.duplicates.survivors`). `containment`, if given, also drops a document if at least that share of its shingles is in a kept
    one. `compared` limits how many kept documents of each bucket a document is compared with. `by_url` also drops all but the best document
    of each URL (see `curation.duplicates.urls`). A source of at least `alarm_documents` that loses more than `alarm_share` of them is
    reported at the end of the run and by `curate inspect`; the run does not fail, because a mirror may well consist of copies only.
    `against` are the folders of earlier runs whose kept documents win against any document of this run; a run is identified by its content,
    not its location, so these folders are part of no stage's key. Raises ValueError for a setting that cannot work.
    """

    ngram: int = 5
    unit: Literal["word", "character"] = "word"
    bands: int | None = None
    rows: int | None = None
    preset: str | None = None
    permutations: int | None = None
    seed: int = 1
    threshold: float = 0.75
    containment: float | None = None
    compared: int = 8
    sources: tuple[str, ...] = ()
    prefer: str | None = None
    by_url: bool = False
    alarm_share: float = 0.5
    alarm_documents: Count = 100
    against: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        for name in ("threshold", "containment", "alarm_share"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= 1:
                raise ValueError(f"{name} must be above 0 and at most 1, not {value}")
        if self.compared < 1:
            raise ValueError(f"compared must be at least 1, not {self.compared}")
        if self.prefer is not None:
            try:
                pl.sql_expr(self.prefer)
            except pl.exceptions.PolarsError as error:
                raise ValueError(f"prefer = {self.prefer!r} is not an SQL expression: {error}") from None
        _ = self.minhash

    @property
    def minhash(self) -> MinHashSettings:
        """The part that signatures depend on."""
        bands, rows = self._bands_and_rows()
        return MinHashSettings(self.ngram, bands, rows, self.seed, self.unit)

    def _bands_and_rows(self) -> tuple[int, int]:
        named = [name for name in ("bands", "preset", "permutations") if getattr(self, name) is not None]
        if len(named) > 1:
            raise ValueError(f"{named[0]} and {named[1]} both set the number of bands; leave one out")
        if (self.bands is None) != (self.rows is None):
            raise ValueError("bands and rows go together; give both or neither")
        if self.preset is not None:
            if self.preset not in PRESETS:
                raise ValueError(f"there is no preset {self.preset!r}{nearest(self.preset, PRESETS)}")
            return PRESETS[self.preset].bands, PRESETS[self.preset].rows
        if self.permutations is not None:
            if not 1 <= self.permutations <= MOST_PERMUTATIONS:
                raise ValueError(f"permutations must be from 1 to {MOST_PERMUTATIONS:,}, not {self.permutations:,}")
            return bands_for(self.threshold, self.permutations)
        return (14, 8) if self.bands is None or self.rows is None else (self.bands, self.rows)


@dataclass(frozen=True)
class WriteDuplicates(Stage):
    """Writes the results of Compare beside the documents shards of a group."""

    name: ClassVar[str] = "4-deduplicate"
    version: ClassVar[int] = 2
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "numpy")

    def make(self, unit: Unit, output: Output) -> JsonMapping:
        """Write a side shard for each documents shard of the group."""
        base, rows = unit.extra["base"], unit.extra["rows"]
        resolved = read_range(unit.inputs["resolved"], "number", Range(base, base + rows), RESOLVED).sort_by("number")
        numbers = resolved["number"].to_numpy()
        duplicates = 0
        for part in parts_of(unit):
            mine = np.arange(base, base + part.documents.rows)
            place = np.searchsorted(numbers, mine)
            found = place < len(numbers)
            found[found] = numbers[place[found]] == mine[found]
            rows_of = resolved.take(pa.array(place, mask=~found))
            duplicates += len(mine) - rows_of["rule"].null_count
            clusters = pc.coalesce(rows_of["cluster"], pa.array(mine))
            output.write(
                part.documents.name,
                pa.table(
                    {
                        "key": read_shard(part.signatures, ["key"])["key"],
                        **{name: rows_of[name] for name in ("duplicate_of", "duplicate_of_key", "rule", "similarity")},
                        "cluster": clusters,
                        "cluster_size": rows_of["cluster_size"].fill_null(1),
                        "duplicate_run": _runs_of(clusters.to_numpy(), unit.extra["earlier"]),
                    },
                    schema=DUPLICATES,
                ),
            )
            base += part.documents.rows
        return {"documents": rows, "duplicates": duplicates}


def _runs_of(survivors: Integers, earlier: Sequence[tuple[int, str]]) -> Column:
    """Return the earlier run of each survivor (null: this run); `earlier` has the first number and the run of each earlier group."""
    places = np.searchsorted([base for base, _ in earlier], survivors, side="right") - 1
    return pa.array([run for _, run in earlier], pa.string()).take(pa.array(places, mask=places < 0))


def deduplicate(session: Session, parts: Sequence[DuplicatesPart], settings: DeduplicateSettings) -> tuple[Shard, ...]:
    """Find duplicates, and their survivors, among all participating documents.

    Returns shards of DUPLICATES, named like the documents shards of this run and in the order of names. Raises InputError for signatures
    made with other settings or from other rows, RecipeError for a preference that cannot be evaluated, and ValueError where an earlier
    run's priority is not below this run's.
    """
    new, earlier = [part for part in parts if part.run is None], [part for part in parts if part.run is not None]
    if not new:
        return ()
    if earlier and max(part.priority for part in earlier) >= min(part.priority for part in new):
        raise ValueError("documents of an earlier run must have a lower priority number than this run's documents")
    for part in parts:
        check_settings(part.signatures, settings.minhash)
    _check_preference(parts, settings)
    priorities = sorted({part.priority for part in earlier})
    groups = groups_in_turn([new, *([part for part in earlier if part.priority == each] for each in priorities)])
    components = find_candidates(session, groups, settings.minhash, settings.by_url)
    how = GatherShingles(settings.minhash, settings.prefer, settings.by_url, settings.sources)
    gathered = gather_documents(session, groups, components, how)
    documents = sum(group.rows for group in groups)
    resolved = compare(session, gathered, settings.threshold, settings.containment, settings.compared, documents, first_earlier(groups))
    bases = [(group.base, group.members[0].run) for group in groups if group.members[0].run is not None]
    units = [_report_unit(group, resolved, bases) for group in groups if group.members[0].run is None]
    return session.run(WriteDuplicates(), units).shards


def _report_unit(group: Group[DuplicatesPart], resolved: Merged, earlier: Sequence[tuple[int, str]]) -> Unit:
    found = resolved.meeting(Range(group.base, group.base + group.rows))
    inputs = {**unit_inputs(group, ("documents", "signatures")), "resolved": found}
    return Unit(group.name, inputs, extra={**extra_of(group), "base": group.base, "rows": group.rows, "earlier": earlier})


def _check_preference(parts: Sequence[DuplicatesPart], settings: DeduplicateSettings) -> None:
    """Evaluate the preference on zero rows, so that a misspelt column is reported before any work is done."""
    for part in parts:
        if part.documents.rows != part.signatures.rows:
            raise InputError(f"{part.signatures.location} does not hold the rows of {part.documents.location}; sign its documents again")
        if settings.prefer is not None and part.run is None:
            preference(settings.prefer, _schema_of(part).empty_table())


def _schema_of(part: DuplicatesPart) -> Schema:
    with open_parquet(part.documents.location) as file:
        fields = [file.schema_arrow.field(name) for name in PREFERABLE]
    if part.signals is not None:
        with open_parquet(part.signals.location) as file:
            fields += [field for field in file.schema_arrow if field.name not in ("key", "id")]
    return pa.schema(fields)

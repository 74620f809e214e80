"""Deduplicate: of documents that say the same, the best one stays, and every other names the one that stayed.

    sign         curation.duplicates.sign         every document's text hash and signature; runs before, and whatever the verdicts
    candidates   curation.duplicates.candidates   buckets and edges: who might be a duplicate of whom
    components   curation.duplicates.components   what hangs together by them
    compare      curation.duplicates.gather   the shingles of those who might
    verify       curation.duplicates.compare       in survivor order (curation.duplicates.survivors), with exact similarities
    report       this module           what became of each document, row by row beside its documents shard

Only rows travel between units, sorted by hash, through the exchange (curation.shuffle.exchange). Documents are numbered
(curation.shuffle.numbering).

A new dump may be held against what earlier runs kept, by their stored signatures: such documents are numbered after all others, come first
in the survivor order and are never dropped, and nothing is reported of them. Text of theirs is read only where one shares a bucket with a
document of this run, and not for one of the same text.

Invariants
    - A duplicate's survivor is kept: following `duplicate_of` once ends at a document that stays, in this run or an earlier one.
    - Results do not depend on the number of workers, on how shards are grouped, or on the order in which shards are given.
    - A document that is alone costs 16 narrow rows; its text is read once, by sign.

Results depend on the shards' names in one case only: of records with equal keys, which are the same record, the first in number stays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curation.choices import nearest
from curation.duplicates.candidates import find_candidates
from curation.duplicates.compare import VERIFIED, compare
from curation.duplicates.gather import GatherShingles, gather
from curation.duplicates.minhash import PRESETS, MinHashSettings, bands_for
from curation.duplicates.parts import Part, extra_of, first_earlier, inputs_of, parts_of
from curation.duplicates.sign import check_settings
from curation.duplicates.survivors import PREFERABLE, preference
from curation.duplicates.union_find import Numbers
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
        *(field for field in VERIFIED if field.name != "number"),
        pa.field("duplicate_run", pa.string()),
    ]
)
"""What became of a document. It is kept, or was none of deduplication's business, where `rule` is null.

`duplicate_of` and `duplicate_of_key` name the document that was kept, `duplicate_run` the earlier run that kept it (null: this one).
`cluster` is the kept document's number in this run; `cluster_size` counts it and all its duplicates in this run, 1 for a document that has
none.
"""


@dataclass(frozen=True)
class DeduplicateSettings:
    """The recipe's [deduplicate]: how candidates are found, what makes a duplicate, and which one stays.

    ngram            words or characters of a shingle
    unit             what shingles are made of
    bands, rows      buckets and hashes in each; 14 and 8 where nothing else is said
    preset           bands and rows by name: "14x8", "20x13", "26x11"
    permutations     so many hashes, from which bands and rows are chosen for `threshold`
    seed             another seed, other hashes
    threshold        exact Jaccard similarity from which a document is a duplicate
    containment      also drop documents of whose shingles at least this part is in a kept one
    compared         kept documents of each bucket that a document is compared with
    sources          of copies, those from an earlier named source stay
    prefer           SQL expression over columns and signals: of copies, the one where it is greater stays
    by_url           also drop all but the best document of one URL
    alarm_share      a source that loses more than this share is told
    alarm_documents  a source of fewer documents is not told
    against          folders of earlier runs whose kept documents win

    Shingles are n-grams of `ngram` words or, by `unit`, characters. Bands and rows are given as such, or as a `preset` ("14x8", "20x13",
    "26x11"), or chosen for `threshold` from a number of `permutations` (`curation.duplicates.minhash.bands_for`); by default they are 14
    and 8. What is chosen weighs pairs that meet in vain like pairs that are missed: 128 for 0.75 give 11 bands of 11, in which 38 % of
    pairs at
    0.75 meet, and 77 % in 14 of 8 (`curate plan` shows the curve).
    Of copies from several `sources`, those of an earlier named one stay, and of one that is not named last.
    `prefer` is an SQL expression over documents' columns, `text_bytes` and signals: the greater stays (see
    `curation.duplicates.survivors`). `containment`, where given, also drops documents of whose shingles at least that part is in a kept
    one. `compared` is how many kept documents of each bucket a document is compared with. `by_url` also drops all but the best document of
    one URL (see `curation.duplicates.urls`). A source of at least `alarm_documents` that loses more than `alarm_share` of them is told at
    the end of the run and by `curate inspect`; the run does not fail, for a mirror may well be all copies, and its reader is the one to
    know. `against` are the folders of earlier runs whose kept documents win against any of this run; a run is what it holds, not where it
    lies, so they enter no stage's key. Raises ValueError for a setting that cannot work.
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
    alarm_documents: int = 100
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
            raise ValueError(f"{named[0]} and {named[1]} both say how many bands there are; leave one out")
        if (self.bands is None) != (self.rows is None):
            raise ValueError("bands and rows go together; give both or neither")
        if self.preset is not None:
            if self.preset not in PRESETS:
                raise ValueError(f"there is no preset {self.preset!r}{nearest(self.preset, PRESETS)}")
            return PRESETS[self.preset].bands, PRESETS[self.preset].rows
        if self.permutations is not None:
            if self.permutations < 1:
                raise ValueError(f"permutations must be at least 1, not {self.permutations}")
            return bands_for(self.threshold, self.permutations)
        return (14, 8) if self.bands is None or self.rows is None else (self.bands, self.rows)


@dataclass(frozen=True)
class WriteDuplicates(Stage):
    """Lays what was verified beside the documents shards of a group."""

    name: ClassVar[str] = "4-deduplicate"
    version: ClassVar[int] = 2
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "numpy")

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        """Write a side shard for each documents shard of the group."""
        base, rows = unit.extra["base"], unit.extra["rows"]
        verified = read_range(unit.inputs["verified"], "number", Range(base, base + rows), VERIFIED).sort_by("number")
        numbers = verified["number"].to_numpy()
        duplicates = 0
        for part in parts_of(unit):
            mine = np.arange(base, base + part.documents.rows)
            place = np.searchsorted(numbers, mine)
            found = place < len(numbers)
            found[found] = numbers[place[found]] == mine[found]
            rows_of = verified.take(pa.array(place, mask=~found))
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


def _runs_of(survivors: Numbers, earlier: Sequence[tuple[int, str]]) -> Any:
    """Return the earlier run that each survivor is from (null: this one); `earlier` has the first number and the run of each such group."""
    places = np.searchsorted([base for base, _ in earlier], survivors, side="right") - 1
    return pa.array([run for _, run in earlier], pa.string()).take(pa.array(places, mask=places < 0))


def deduplicate(session: Session, parts: Sequence[Part], settings: DeduplicateSettings) -> tuple[Shard, ...]:
    """Find and judge duplicates among all documents that take part.

    Returns shards of DUPLICATES named like the documents shards of this run, in the order of names. Raises InputError for signatures that
    were made with other settings or of other rows, RecipeError for a preference that cannot be worked out, and ValueError where an earlier
    run's priority is not below this run's.
    """
    new, earlier = [part for part in parts if part.run is None], [part for part in parts if part.run is not None]
    if not new:
        return ()
    if earlier and max(part.priority for part in earlier) >= min(part.priority for part in new):
        raise ValueError("documents of an earlier run must go before this run's: their priority must be below")
    for part in parts:
        check_settings(part.signatures, settings.minhash)
    _check_preference(parts, settings)
    priorities = sorted({part.priority for part in earlier})
    groups = groups_in_turn([new, *([part for part in earlier if part.priority == each] for each in priorities)])
    components = find_candidates(session, groups, settings.minhash, settings.by_url)
    how = GatherShingles(settings.minhash, settings.prefer, settings.by_url, settings.sources)
    gathered = gather(session, groups, components, how)
    documents = sum(group.rows for group in groups)
    verified = compare(session, gathered, settings.threshold, settings.containment, settings.compared, documents, first_earlier(groups))
    bases = [(group.base, group.members[0].run) for group in groups if group.members[0].run is not None]
    units = [_report_unit(group, verified, bases) for group in groups if group.members[0].run is None]
    return session.run(WriteDuplicates(), units).shards


def _report_unit(group: Group[Part], verified: Merged, earlier: Sequence[tuple[int, str]]) -> Unit:
    found = verified.meeting(Range(group.base, group.base + group.rows))
    inputs = {**inputs_of(group, ("documents", "signatures")), "verified": found}
    return Unit(group.name, inputs, extra={**extra_of(group), "base": group.base, "rows": group.rows, "earlier": earlier})


def _check_preference(parts: Sequence[Part], settings: DeduplicateSettings) -> None:
    """Work out the preference over no rows, so that a misspelt column is told before any work is done."""
    for part in parts:
        if part.documents.rows != part.signatures.rows:
            raise InputError(f"{part.signatures.location} does not hold the rows of {part.documents.location}; sign its documents again")
        if settings.prefer is not None and part.run is None:
            preference(settings.prefer, _schema_of(part).empty_table())


def _schema_of(part: Part) -> Any:
    with open_parquet(part.documents.location) as file:
        fields = [file.schema_arrow.field(name) for name in PREFERABLE]
    if part.signals is not None:
        with open_parquet(part.signals.location) as file:
            fields += [field for field in file.schema_arrow if field.name not in ("key", "id")]
    return pa.schema(fields)

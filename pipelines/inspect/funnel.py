"""The funnel counts what became of every record between the crawl and the dataset. It reads the ledger on disk.

    records read  ->  ignored (request, warcinfo, ...)  ->  rejected at ingest  ->  dropped by a rule  ->  duplicate  ->  kept

A document counts under the first rule that dropped it, in recipe order, so the steps add up. `failing` counts all documents that fail a
rule, whichever rule dropped them. The number of tokens is estimated as text bytes / 4 (English text in common tokenizers); the dataset's
own count is exact if the recipe names a tokenizer.

Invariant: documents = kept + the documents of all steps, for the web, for each source and for synthetic rows.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal

import polars as pl

from curation.duplicates.compare import Compare
from curation.engine.stage import Workspace, finished_units
from curation.ingest.ingest import Ingest
from curation.repeats.repeated_lines import FindCuts
from curation.schema import CUT_STAGE, FATES
from curation.storage.location import Location
from curation.storage.ownership import RUN
from curation.storage.records import CorruptRecord, find_record
from pipelines.inspect.flows import (
    AMOUNT,
    Amount,
    ComparedBy,
    Comparisons,
    CutText,
    DatasetSize,
    Flow,
    Funnel,
    SourceFlow,
    SourceLoss,
    Step,
    estimated_tokens,
    sum_of_amounts,
    verdicts_in,
)
from pipelines.inspect.rules import Comparing, RecipeRule, read_rules
from pipelines.inspect.run_folder import GENERATED_FOLDER, checked_folder, manifest, scan_ledger
from pipelines.inspect.run_state import state_of
from synth.synthesize import Synthesize

_STAGES = ("ingest", "synthesize", "judge", "deduplicate", CUT_STAGE)
_COPIES = ("same_record", "exact", "same_url", "near_duplicate", "contained")


def funnel(out: str) -> Funnel:
    """Count the funnel of a run. Raises UsageError if the folder is not the folder of a run."""
    place = checked_folder(out)
    told, state = read_rules(place), state_of(place)
    rules, settings = told.rules, told.comparing
    records, ignored, edits = _read_counts(place)
    web = _counts(place, "web")
    synthetic = _counts(place, "synthetic")
    seen = {*web["source"], *synthetic["source"]}
    return Funnel(
        records=max(records, int(web["documents"].sum()) + sum(ignored.values())),
        ignored=ignored,
        edits=edits,
        web=_flow(web, _failing(place, "web"), rules),
        sources=_sources(web if web.height else synthetic),
        synthetic=_flow(synthetic, _failing(place, "synthetic"), rules) if synthetic.height else None,
        dataset=_dataset(place),
        cut=_cut(place),
        comparisons=_comparisons(Workspace(place)),
        generated_comparisons=_comparisons(Workspace(place, GENERATED_FOLDER)),
        alarms=_alarms(web, settings),
        compared_by=_compared_by(settings),
        unknown_sources=[name for name in settings.sources if name not in seen] if settings is not None else [],
        unfinished=state.told if not (state.ended or state.concluded) else None,
        spending=_spending(place),
        diversity=_diversity(Workspace(place)),
    )


def _read_counts(out: Location) -> tuple[int, dict[str, int], dict[str, int]]:
    """Return the counts in the sidecars of ingest: records, ignored records by kind, and edits."""
    records = 0
    ignored: dict[str, int] = {}
    edits: dict[str, int] = {}
    for unit in finished_units(Workspace(out), Ingest):
        for facts in unit.counts["files"].values():
            records += facts["records"]
            for kind, count in facts["ignored"].items():
                ignored[kind] = ignored.get(kind, 0) + count
        for name, count in unit.counts.get("edits", {}).items():
            edits[name] = edits.get(name, 0) + count
    return records, dict(sorted(ignored.items())), dict(sorted(edits.items()))


def _cut(out: Location) -> CutText | None:
    """Return the counts in the sidecars of the cuts; None if the run has no cuts."""
    counts = [unit.counts for unit in finished_units(Workspace(out), FindCuts)]
    if not counts:
        return None
    return CutText(*(sum(count[name] for count in counts) for name in ("documents", "passages", "cut_bytes")))


def _comparisons(space: Workspace) -> Comparisons | None:
    """Return the counts in the sidecars of the comparisons; None if nothing was compared."""
    counts = [unit.counts for unit in finished_units(space, Compare)]
    if not counts:
        return None
    return Comparisons(*(sum(count[name] for count in counts) for name in ("documents", "compared", "skipped")))


def _compared_by(settings: Comparing | None) -> ComparedBy | None:
    if settings is None:
        return None
    return ComparedBy(settings.shingles, settings.bands, settings.rows, settings.threshold)


def _spending(out: Location) -> list[dict[str, Any]]:
    """Return what the last session that asked teachers noted of their cost; nothing from a damaged record."""
    try:
        sessions = (find_record(out / RUN) or {}).get("sessions", [])
    except CorruptRecord:
        return []
    noted = [session["spending"] for session in sessions if isinstance(session, dict) and isinstance(session.get("spending"), list)]
    return noted[-1] if noted else []


def _diversity(space: Workspace) -> dict[str, dict[str, Any]]:
    """Return the counts in the sidecars of generated rows, by task: sums, and the mean of what is a share."""
    found: dict[str, dict[str, Any]] = {}
    for unit in finished_units(space, Synthesize):
        for task, counts in unit.counts.get("diversity", {}).items():
            kept = found.setdefault(task, {"rows": 0, "skeletons": 0, "prompts": 0, "openings": 0.0})
            rows = kept["rows"] + counts["rows"]
            kept["openings"] = (kept["openings"] * kept["rows"] + counts["openings"] * counts["rows"]) / max(1, rows)
            kept.update(rows=rows, skeletons=kept["skeletons"] + counts["skeletons"], prompts=kept["prompts"] + counts["prompts"])
    return dict(sorted(found.items()))


def _alarms(counts: pl.DataFrame, settings: Comparing | None) -> list[SourceLoss]:
    """Return the sources that lost too many documents as duplicates, largest loss first.

    Documents that were dropped later for their repeated lines count as compared documents, but not as lost ones.
    """
    if settings is None:
        return []
    duplicate = pl.col("documents").filter(pl.col("fate") == "duplicate").sum()
    was_compared = pl.col("fate").is_in(["kept", "duplicate"]) | (pl.col("stage") == CUT_STAGE)
    compared = counts.filter(was_compared).group_by("source").agg(pl.col("documents").sum(), lost=duplicate)
    share = pl.col("lost") / pl.col("documents")
    found = compared.filter((pl.col("documents") >= settings.alarm_documents) & (share > settings.alarm_share))
    ordered = found.sort(share, "source", descending=[True, False])
    return [SourceLoss(name, documents, lost, lost / documents, settings.alarm_share) for name, documents, lost in ordered.iter_rows()]


def _counts(out: Location, origin: Literal["web", "synthetic"]) -> pl.DataFrame:
    """Count documents, text bytes and tokens by source, stage, fate and rule. The table is small for a run of any size."""
    by = ["source", "stage", "fate", "rule"]
    size = pl.col("text_bytes")
    sums = pl.len().cast(pl.Int64).alias("documents"), size.sum(), estimated_tokens(size).sum().alias("tokens")
    counted = scan_ledger(out, origin).group_by(by).agg(sums)
    return counted.sort(by, nulls_last=True).collect(engine="streaming")


def _failing(out: Location, origin: Literal["web", "synthetic"]) -> dict[str, int]:
    """Return the number of documents that fail each rule."""
    lists = scan_ledger(out, origin).select(pl.col("failed")).filter(pl.col("failed").list.len() > 0)
    counted = lists.explode("failed").group_by("failed").agg(pl.len()).collect(engine="streaming")
    return dict(counted.sort("failed").iter_rows())


def _flow(counts: pl.DataFrame, failing: Mapping[str, int], rules: Sequence[RecipeRule]) -> Flow:
    came = _total(counts)
    known = {rule.name: rule for rule in rules}
    taken: dict[tuple[str, str, str], Amount] = {("judge", "dropped", rule.name): Amount() for rule in rules}
    gone = counts.filter(pl.col("fate") != "kept")
    for (stage, fate, rule), group in gone.group_by(["stage", "fate", "rule"], maintain_order=True):
        taken[str(stage), str(fate), str(rule)] = _total(group)
    steps = []
    remaining = came.documents
    for stage, fate, rule in sorted(taken, key=lambda step: _order(step, taken[step], list(known))):
        here = taken[stage, fate, rule]
        remaining -= here.documents
        of_recipe = known.get(rule)
        steps.append(
            Step(
                stage=stage,
                fate=fate,
                rule=rule,
                taken=here,
                share=_share(here.documents, came.documents),
                remaining=remaining,
                failing=max(failing.get(rule, 0), here.documents),
                signal=of_recipe.signal if of_recipe else None,
                threshold=of_recipe.threshold if of_recipe else None,
            )
        )
    kept = _total(counts.filter(pl.col("fate") == "kept"))
    return Flow(came, _fates(counts), steps, kept, _share(kept.documents, came.documents))


def _order(step: tuple[str, str, str], taken: Amount, recipe: Sequence[str]) -> tuple[int, int, int, str]:
    """Order steps by stage; rules of judge as in the recipe, kinds of duplicates from certain to likely, all others largest first."""
    stage, _, rule = step
    known: Sequence[str] = recipe if stage == "judge" else _COPIES
    return (
        _STAGES.index(stage) if stage in _STAGES else len(_STAGES),
        known.index(rule) if rule in known else len(known),
        -taken.documents,
        rule,
    )


def _sources(counts: pl.DataFrame) -> list[SourceFlow]:
    """Return the flow of each source, ordered by name. It takes one pass over the counts, since there may be as many sources as files."""
    flows = []
    rows = counts.sort("source").select("source", "fate", "rule", *AMOUNT).iter_rows()
    for name, own in groupby(rows, key=itemgetter(0)):
        amounts, rules = dict.fromkeys(FATES, Amount()), Counter[str]()
        for _, fate, rule, *size in own:
            amounts[fate] = sum_of_amounts([amounts[fate], Amount(*size)])
            if rule is not None:
                rules[rule] += size[0]
        came, kept = sum_of_amounts(amounts.values()), amounts["kept"]
        documents = {fate: found.documents for fate, found in amounts.items()}
        ordered = dict(sorted(rules.items(), key=lambda entry: (-entry[1], entry[0])))
        flows.append(SourceFlow(name, came, documents, kept, _share(kept.documents, came.documents), ordered))
    return flows


def _fates(counts: pl.DataFrame) -> dict[str, int]:
    return {fate: int(counts.filter(pl.col("fate") == fate)["documents"].sum()) for fate in FATES}


def _total(counts: pl.DataFrame) -> Amount:
    return Amount(*(int(counts[name].sum()) for name in AMOUNT))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _dataset(out: Location) -> DatasetSize | None:
    content = manifest(out)
    if content is None:
        return None
    shards = content["shards"]
    size = sum(shard["bytes"] for shard in shards)
    return DatasetSize(content["rows"], content["tokens"], size, len(shards), verdicts_in(shards))

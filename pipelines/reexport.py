"""Export again: the kept rows of a finished run in other sizes, formats or mixes, without touching the run.

A mix keeps a share of the rows of a source, or of an origin (`web`, `synthetic`), by chance of the key: the same rows every time, and a
smaller share is a part of a larger one.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from curation.errors import InputError, UsageError
from curation.hashing import digest_of
from curation.ingest import REJECTED, Ingest
from curation.location import Location
from curation.ownership import write_ours
from curation.repeated_lines import Cutting
from curation.runner import LocalRunner
from curation.select import Select, SelectSynthetic
from curation.session import Session
from curation.shards import Shard
from curation.stage import Finished, Workspace, finished_units
from filters.measure import Measure
from pipelines.card import card, card_facts
from pipelines.export import Export, ExportSettings, Source, units_of
from pipelines.manifest import write_manifest
from pipelines.rules import read_rules
from pipelines.run_folder import GENERATED, manifest, refuse_links_out
from synth.synthesize import Synthesize

_FORMATS = ("parquet", "jsonl")


def reexport(folder: str, out: str, shard_mib: int, tokenizer: str | None, file_format: str, mix: Sequence[str]) -> dict[str, Any]:
    """Write the dataset of a run again to another folder; returns what was written. Raises InputError and UsageError."""
    run, target = Location.of(folder), Location.of(out)
    if file_format not in _FORMATS:
        raise UsageError(f"--format is {' or '.join(_FORMATS)}, not {file_format!r}")
    if run.path == target.path:
        raise UsageError(f"--out is the run itself ({run}); name another folder")
    refuse_links_out(run)
    sources = kept_sources(run)
    rules = replace(read_rules(run), name=run.name, tokenizer=tokenizer)
    settings = ExportSettings(shard_mib, tokenizer)
    keep = tuple((manifest(run) or {}).get("keep", ()))
    stage = Export(tokenizer, "jsonl" if file_format == "jsonl" else "parquet", parse_mix(mix), keep)
    with Session.open(target, LocalRunner(), recipe=f"export of {run.name}") as session:
        files = session.run(stage, units_of(sources, settings))
        session.retire_others()
    write_manifest(target, digest_of([rules.text, stage.identity()]), files, None, keep)
    write_ours(target / "dataset" / "README.md", card(card_facts(run, rules, exported=target)).encode())
    return {"dataset": str(target / "dataset"), "files": len(files.units), "rows": files.total("rows"), "tokens": files.total("tokens")}


def parse_mix(mix: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Return (source or origin, share) pairs from `NAME=SHARE`. Raises UsageError."""
    pairs = []
    for entry in mix:
        name, _, share = entry.rpartition("=")
        try:
            value = float(share)
        except ValueError:
            value = -1.0
        if not name or not 0 <= value <= 1:
            raise UsageError(f"--mix {entry!r}: write NAME=SHARE with a share from 0 to 1, such as synthetic=0.5")
        pairs.append((name, value))
    return tuple(sorted(pairs))


def kept_sources(run: Location) -> list[Source]:
    """Return the documents shards of a finished run, with ledger and signals. Raises InputError where they are gone."""
    web = Workspace(run)
    generated = Workspace(run, GENERATED)
    cuts = finished_units(web, Cutting)
    sources = _sources(finished_units(web, Ingest), finished_units(web, Select), finished_units(web, Measure), cuts)
    sources += _sources(finished_units(web, Synthesize), finished_units(generated, SelectSynthetic), finished_units(generated, Measure))
    if not sources:
        raise InputError(f"{run} holds no finished run with its stages; export needs the documents below {run}/stages")
    return sources


def _sources(
    documents: Sequence[Finished], ledger: Sequence[Finished], signals: Sequence[Finished], cuts: Sequence[Finished] = ()
) -> list[Source]:
    fates = {unit.name: unit for unit in ledger}
    measured = {shard.name: shard for unit in signals for shard in unit.shards}
    cut = {shard.name: shard for unit in cuts for shard in unit.shards}
    shards: list[Shard] = [shard for unit in documents for shard in unit.shards if not shard.name.endswith(REJECTED)]
    missing = [shard.name for shard in shards if shard.name not in fates]
    if missing:
        raise InputError(f"{missing[0]} has no fates yet: the run has not ended; run its command again, then export")
    return [
        Source(
            shard,
            fates[shard.name].shard(shard.name),
            measured.get(shard.name),
            fates[shard.name].counts["kept_bytes"],
            cut.get(shard.name),
        )
        for shard in sorted(shards, key=lambda shard: shard.name)
    ]

"""Export again: write the kept rows of a finished run in another file size, format or mix, without touching the run.

The folder holds a dataset and nothing else: README.md, manifest.json, data/, and contents.json, which lists and hashes these files. There
are no stages to resume: an interrupted export starts again from the beginning.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from curation.engine.session import Sealed
from curation.engine.stage import SHARD_ENDINGS, Finished, Output, Unit, Workspace, finished_units
from curation.errors import InputError, Refused, UsageError
from curation.ingest.ingest import REJECTED, Ingest
from curation.ledger.write import Select, SelectSynthetic
from curation.repeats.repeated_lines import FindCuts
from curation.storage.contents import CONTENTS, write_contents
from curation.storage.digests import digest_of, plain
from curation.storage.location import TEMPORARY, Location
from curation.storage.ownership import MADE_BY, locked, write_ours
from curation.storage.records import encode_record
from curation.storage.shards import Shard
from curation.text.tokens import load_tokenizer
from filters.measure import Measure
from pipelines.export.export import Export, ExportSettings, Source, units_of
from pipelines.export.manifest import write_manifest
from pipelines.inspect.looking import looks_at_runs
from pipelines.inspect.mixing import parse_mix, sum_of
from pipelines.inspect.rules import read_rules
from pipelines.inspect.run_folder import GENERATED, manifest, refuse_links_out
from pipelines.report.card import card, card_facts
from synth.synthesize import Synthesize

_FORMATS = ("parquet", "jsonl")


@looks_at_runs()
def reexport(folder: str, out: str, shard_mib: int, tokenizer: str | None, file_format: str, mix: Sequence[str]) -> dict[str, Any]:
    """Write the dataset of a run again to a folder of its own; return a summary of the new dataset.

    Raises InputError and UsageError, and Refused when the folder holds files that no export of this run wrote.
    """
    run, target = Location.of(folder), Location.of(out)
    if file_format not in _FORMATS:
        raise UsageError(f"--format must be {' or '.join(_FORMATS)}, not {file_format!r}")
    _check_place(run, target)
    refuse_links_out(run)
    sources = kept_sources(run)
    rules = replace(read_rules(run), name=run.name, tokenizer=tokenizer)
    keep = tuple((manifest(run) or {}).get("keep", ()))
    stage = Export(tokenizer, "jsonl" if file_format == "jsonl" else "parquet", parse_mix(mix, run), keep)
    units = units_of(sources, ExportSettings(shard_mib, tokenizer))
    if tokenizer is not None:
        load_tokenizer(tokenizer)  # a bad tokenizer fails before anything is written
    with locked(target, f"export of {run.name}", replace=False):
        files = _write(target, stage, units)
        write_manifest(target, digest_of([rules.text, stage.identity()]), files, None, keep)
        left = sum_of(unit.counts.get("left_out", {}) for unit in files.units)
        write_ours(target / "README.md", card(card_facts(run, rules, target, stage.mix, left)).encode())
        write_contents(target, {f"data/{shard.location.name}": (shard.bytes, shard.sha256) for shard in files.shards}, ())
    return {"dataset": str(target), "files": len(files.units), "rows": files.total("rows"), "tokens": files.total("tokens")}


def _check_place(run: Location, target: Location) -> None:
    """Raise UsageError when the target lies inside a run or inside another dataset."""
    if run.path == target.path:
        raise UsageError(f"--out is the run itself ({run}); name another folder")
    if run.holds(target) or target.holds(run):
        raise UsageError(f"--out {target} and the run {run} overlap; choose a folder outside the run")
    above = target.parent
    while above.path not in ("", "/", "."):
        if (above / "manifest.json").facts() is not None and (above / "data").is_folder():
            raise UsageError(f"--out {target} is inside the dataset {above}; choose a folder outside it")
        above = above.parent


def _write(target: Location, stage: Export, units: Sequence[Unit]) -> Sealed:
    """Write the files of an export; overwrite or remove the files of an earlier, possibly interrupted, export to this folder.

    Until all files are written, a provisional manifest names them as ours and unfinished. Raises Refused when a file is in the way that no
    manifest of this folder names.
    """
    ending = ".jsonl.gz" if stage.format == "jsonl" else ".parquet"
    data = target / "data"
    planned = {f"{unit.name}{ending}" for unit in units}
    before = _named_before(target)
    there = {facts.location.name for facts in data.files()}
    shards = {name for name in there if name.endswith(SHARD_ENDINGS) and not name.startswith(TEMPORARY)}
    strangers = sorted(((there & planned) | shards) - before)
    if strangers:
        raise Refused(
            f"{data / strangers[0]} was not written by an export to this folder, but readers of the folder would take it for part of the "
            "dataset; move it, then run the same command again"
        )
    unfinished = {
        "made_by": MADE_BY,
        "unfinished": "the export did not end; run the same command again",
        "shards": [{"file": f"data/{name}"} for name in sorted(planned | before)],
        "sft": [],
    }
    if (target / CONTENTS).facts() is not None:
        (target / CONTENTS).delete()
    write_ours(target / "manifest.json", encode_record(unfinished))
    for name in there:
        if name.startswith(TEMPORARY) and name.removeprefix(TEMPORARY).partition("-")[2] in planned | before:
            (data / name).delete()
    finished = []
    for unit in units:
        output = Output(data)
        counts = stage.make(unit, output)
        finished.append(Finished(unit.name, "", tuple(output.shards), plain(counts)))
    for name in before - planned:
        (data / name).delete()
    return Sealed(stage.name, tuple(finished))


def _named_before(target: Location) -> set[str]:
    """Return the files in data/ that an earlier export's manifest lists; empty when there is no readable manifest."""
    try:
        content = json.loads((target / "manifest.json").read_bytes())
        files = [str(entry["file"]) for entry in content["shards"]]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return set()
    names = [file.removeprefix("data/") for file in files if file.startswith("data/")]
    return {name for name in names if "/" not in name and name.endswith(SHARD_ENDINGS)}


def kept_sources(run: Location) -> list[Source]:
    """Return the shards of documents of a finished run with their ledger and signals. Raises InputError when they are gone."""
    web = Workspace(run)
    generated = Workspace(run, GENERATED)
    cuts = finished_units(web, FindCuts)
    sources = _sources(finished_units(web, Ingest), finished_units(web, Select), finished_units(web, Measure), cuts)
    made = _sources(finished_units(web, Synthesize), finished_units(generated, SelectSynthetic), finished_units(generated, Measure))
    sources += [replace(source, generated=True) for source in made]
    if not sources:
        raise InputError(f"{run} holds no finished run with its stages; export needs the documents in {run}/stages")
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
        raise InputError(f"{missing[0]} has no ledger yet: the run has not ended; run its command again, then export")
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

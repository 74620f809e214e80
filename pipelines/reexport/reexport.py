"""Export again: write the kept rows of a finished run as shards to train on, without changing the run.

The folder holds a dataset and nothing else: README.md, manifest.json, croissant.json, data/ (and sft/ and dpo/ if rows have them), and
contents.json, which lists and hashes these files. There are no stages to resume: an interrupted export starts again from the beginning.

    draw      reads the ledger and the signals, and decides on copies and splits    `drawing`, `budget`
    scatter   reads the text, and writes each row to its range of the order         `scatter`
    gather    reads the ranges one after the other, and writes the shards           `gather`, `formats/`
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar, get_args

import pyarrow as pa

from curation.engine.failures import Failure, told_of
from curation.engine.runner import LocalRunner
from curation.errors import Refused, ShardsFailed, UsageError
from curation.storage.contents import write_contents
from curation.storage.digests import digest_of, digest_of_file, plain
from curation.storage.location import Location
from curation.storage.ownership import locked, refuse_links_out, write_ours
from curation.storage.resources import resolve
from pipelines.export.export import Source, schema_with
from pipelines.export.manifest import manifest_of_files
from pipelines.inspect.looking import looks_at_runs
from pipelines.inspect.mixing import sum_of
from pipelines.inspect.rules import RunRules, read_rules
from pipelines.inspect.run_folder import manifest
from pipelines.inspect.run_state import state_of
from pipelines.inspect.unchanged import require_written
from pipelines.reexport.budget import REST, Pools, scales_for
from pipelines.reexport.conversations import KINDS
from pipelines.reexport.croissant import croissant
from pipelines.reexport.drawing import Draw, merged, pools_of, with_edges, with_seed_sides
from pipelines.reexport.folder import SCRATCH, announce, check_place, clear, clear_unfinished, drop_scratch, take_over
from pipelines.reexport.formats.packed import PACKED, PackedSequences
from pipelines.reexport.formats.text import JsonLines, ParquetShards
from pipelines.reexport.formats.tokens import TokenShards, type_of
from pipelines.reexport.formats.writing import ShardFormat, Written, WrittenFile
from pipelines.reexport.gather import Gather, gather
from pipelines.reexport.gather import gather_units as shards_of
from pipelines.reexport.kept import kept_sources, known_in
from pipelines.reexport.mix import parse_mix
from pipelines.reexport.scatter import RANGE_BYTES, Scattered, Spill, scatter
from pipelines.reexport.scatter import scatter_units as parts_of
from pipelines.reexport.splits import parse_splits
from pipelines.reexport.tokenising import Tokenising
from pipelines.report.card import Exported, card, card_facts

Item = TypeVar("Item")
Result = TypeVar("Result")

TokenFormat = Literal["parquet", "jsonl", "jsonl.zst", "megatron", "ds", "memmap", "packed"]
FORMATS = get_args(TokenFormat)

_RAW = ("megatron", "ds", "memmap")
"""Formats whose files do not say how wide an id is."""


@dataclass(frozen=True)
class ExportRequest:
    """The arguments of `curate export`."""

    out: str
    shard_mib: int = 256
    tokenizer: str | None = None
    format: TokenFormat = "parquet"
    mix: tuple[str, ...] = ()
    tokens: str | None = None
    split: tuple[str, ...] = ()
    split_by: str = "key"
    seed: int = 0
    order: bool = False
    bos: str | None = None
    eos: str | None = None
    sequence_length: int = 2048
    workers: int = 1


@looks_at_runs()
def reexport(folder: str, request: ExportRequest) -> dict[str, Any]:
    """Write the dataset of a run to a folder of its own; return a summary.

    Raises InputError and UsageError, and Refused when the run has not ended, or the folder holds files that no export of this run wrote.
    """
    run, target = Location.of(folder), Location.of(request.out)
    check_place(run, target)
    refuse_links_out(run)
    state = state_of(run)
    if not (state.ended or state.concluded):
        raise Refused(f"{run} can be exported when it has ended: {state.told}")
    rules = replace(read_rules(run), name=run.name, tokenizer=request.tokenizer)
    sources = kept_sources(run)
    keep = tuple((manifest(run) or {}).get("keep", ()))
    tokenising = _tokenising(request)
    how = Draw(
        parse_mix(request.mix, request.tokens, known_in(run, sources)),
        parse_splits(request.split, request.split_by, request.seed),
        request.seed,
    )
    written_as, spill = _format(request, tokenising, keep)
    runner = LocalRunner(request.workers)
    try:
        list(_each(runner, _require_sound, sources, "the run's shards"))
        how, pools = _scaled(with_seed_sides(with_edges(how, sources), run, sources), sources, tokenising, runner)
        with locked(target, f"export of {run.name}", replace=False):
            before = take_over(target)
            clear_unfinished(target, before)
            announce(target, before, runner.tell)
            scratch = target / SCRATCH
            scratch.make_folder()
            ranges = _ranges(how, pools, request.order)
            scattered = list(_each(runner, scatter, parts_of(sources, how, ranges, spill, scratch), "the rows"))
            pieces = [piece for one in scattered for piece in one.pieces]
            shards = shards_of(pieces, how.splits.names, request.shard_mib << 20, written_as, scratch, target, tuple(KINDS))
            planned = {f"data/{unit.name}{ending}" for unit in shards for ending in written_as.endings}
            planned |= {f"{kind}/{unit.name}.parquet" for unit in shards for kind in unit.conversations}
            announce(target, planned | before, runner.tell)
            written = list(_each(runner, gather, shards, "the shards"))
            clear(target, before - planned)
            drop_scratch(target)
            if not any(one.rows for one in written):
                runner.tell(f"{target} has no row: {run} keeps none that --mix leaves in")
            return _conclude(run, target, request, rules, _identity(request, how, tokenising), how, keep, scattered, shards, written)
    finally:
        runner.close()


def _require_sound(source: Source) -> bool:
    """Hash the shards of one source: a flipped bit must not become a row."""
    require_written((source.documents, source.ledger, source.signals, source.cuts))
    return True


def _tokenising(request: ExportRequest) -> Tokenising | None:
    """Return the tokenizer of the export; a bad one fails before anything is written."""
    if request.tokenizer is None:
        if request.bos is not None or request.eos is not None:
            raise UsageError("--bos and --eos need --tokenizer: they are tokens of its vocabulary")
        return None
    tokenising = Tokenising(request.tokenizer, request.bos, request.eos)
    tokenising.check()
    return tokenising


def _format(request: ExportRequest, tokenising: Tokenising | None, keep: tuple[str, ...]) -> tuple[ShardFormat, Spill]:
    """Return the format of the shards, and the columns that scattered rows need for it."""
    if request.format not in FORMATS:
        raise UsageError(f"--format must be one of {', '.join(FORMATS)}, not {request.format!r}")
    if request.format == "parquet":
        return ParquetShards(keep), Spill(tokenising=tokenising, keep=keep)
    if request.format == "jsonl" or request.format == "jsonl.zst":  # noqa: PLR1714  (so that the type is narrowed)
        return JsonLines("gzip" if request.format == "jsonl" else "zstd", keep), Spill(tokenising=tokenising, keep=keep)
    if tokenising is None:
        raise UsageError(f"--format {request.format} holds tokens: name a --tokenizer, a file such as tokenizer.json")
    spill = Spill(with_text=False, with_ids=True, tokenising=tokenising)
    if request.format == "packed":
        return PackedSequences(request.sequence_length, tokenising.padding), spill
    return TokenShards(request.format, tokenising.vocabulary, tokenising.name), spill


def _scaled(how: Draw, sources: Sequence[Source], tokenising: Tokenising | None, runner: LocalRunner) -> tuple[Draw, Pools]:
    """Count the rows that may be drawn, and compute the scales of the mix."""
    count = _Count(how, tokenising if how.mix.has_budget else None)
    pools = merged(list(_each(runner, count, sources, "the counts")))
    for number, part in enumerate(how.mix.parts):
        if part.kind != "rate" and not any(pool.tokens for pool in pools.of(number).values()):
            raise UsageError(f"--mix {part.name}: its kept rows hold no tokens to fill a budget with")
    return replace(how, scales=scales_for(how.mix, pools)), pools


@dataclass(frozen=True)
class _Count:
    """The task that counts one shard of documents."""

    how: Draw
    tokenising: Tokenising | None

    def __call__(self, source: Source) -> Pools:
        tokens_of = None if self.tokenising is None else self.tokenising.counts_of
        return pools_of(source, self.how, tokens_of)


def _ranges(how: Draw, pools: Pools, in_order: bool) -> tuple[int, ...]:
    """Return the number of ranges of each split's order; zeros keep the order of the run."""
    if in_order:
        return (0,) * len(how.splits.names)
    scale = {number: how.scales.get(number, 1.0) for number in range(REST, len(how.mix.parts))}
    text = sum(pool.text_bytes * weight * scale[part] for (part, weight), pool in pools.held.items())
    held_out = sum(share for _, share in how.splits.held_out)
    whole = text / (1 - held_out)
    return tuple(1 + int(part // RANGE_BYTES) for part in (text, *(whole * share for _, share in how.splits.held_out)))


def _each(runner: LocalRunner, task: Callable[[Item], Result], items: Sequence[Item], what: str) -> Iterator[Result]:
    """Run a task over items and yield the results in the items' order; the first failure of this process keeps its own error."""
    if runner.workers == 1:
        yield from map(task, items)
        return
    outcomes = list(runner.map(_Numbered(task), list(enumerate(items))))
    failed = [outcome for outcome in outcomes if outcome.result is None]
    if failed:
        failures = [Failure(one.line or "no reason was given", one.error or "", f"{what} {one.item[0]}", ()) for one in failed]
        raise ShardsFailed(*told_of("export", len(items), failures))
    yield from (outcome.result for outcome in sorted(outcomes, key=lambda outcome: outcome.item[0]) if outcome.result is not None)


@dataclass(frozen=True)
class _Numbered:
    """A task over numbered items."""

    task: Callable[[Any], Any]

    def __call__(self, item: tuple[int, Any]) -> Any:
        return self.task(item[1])


def _conclude(
    run: Location,
    target: Location,
    request: ExportRequest,
    rules: RunRules,
    asked: Mapping[str, Any],
    how: Draw,
    keep: tuple[str, ...],
    scattered: Sequence[Scattered],
    shards: Sequence[Gather],
    written: Sequence[Written],
) -> dict[str, Any]:
    """Write the manifest, the card and the list of contents; return the summary."""
    copies = sum((one.copies for one in scattered), Counter[str]())
    entries = [_entry(unit, one) for unit, one in zip(shards, written, strict=True)]
    talks: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for one, unit in zip(written, shards, strict=True):
        for kind, file, rows in one.conversations:
            talks[kind].append({"file": file.path, "split": unit.split, "rows": rows, "bytes": file.bytes, "sha256": file.sha256})
    facts = {"export": {**asked, "documents": copies["documents"], "repeated": copies["repeated"], "mixed_seeds": copies["mixed_seeds"]}}
    key = digest_of([rules.text, asked])
    conversations = {kind: found for kind, found in talks.items() if found or kind == "sft"}
    write_ours(target / "manifest.json", manifest_of_files(key, entries, conversations, keep, **facts))
    left = sum_of(one.left_out for one in scattered)
    exported = Exported(target, how.mix.in_words(), how.splits.in_words(), left, copies["repeated"], not request.order, request.format)
    files = [file for one in written for file in _files_of(one)]
    facts_of_card = card_facts(run, rules, exported)
    write_ours(target / "README.md", card(facts_of_card).encode())
    told = croissant(facts_of_card.name, facts_of_card.description, facts_of_card.license, files, _columns(request, shards, keep, talks))
    write_ours(target / "croissant.json", told)
    write_contents(target, {file.path: (file.bytes, file.sha256) for file in files}, ())
    return {
        "dataset": str(target),
        "files": len(written),
        "rows": sum(one.rows for one in written),
        "tokens": sum(one.tokens for one in written),
        **({name: sum(one.rows for one, unit in zip(written, shards, strict=True) if unit.split == name) for name in how.splits.names[1:]}),
    }


def _columns(
    request: ExportRequest, shards: Sequence[Gather], keep: tuple[str, ...], talks: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, dict[str, str]]:
    """Return the columns of each set of files that hold rows."""
    if request.format in _RAW:
        return {}
    schema = PACKED if request.format == "packed" else schema_with(keep)
    (ending,) = shards[0].format.endings
    splits = dict.fromkeys(unit.split for unit in shards)
    found = {f"data/{split}-*{ending}": {field.name: str(field.type) for field in schema} for split in splits}
    for kind, entries in talks.items():
        plain_columns = {field.name: str(field.type) for field in KINDS[kind] if field.type in (pa.string(), pa.list_(pa.string()))}
        found |= {f"{kind}/{split}-*.parquet": plain_columns for split in dict.fromkeys(str(entry["split"]) for entry in entries)}
    return found


def _identity(request: ExportRequest, how: Draw, tokenising: Tokenising | None) -> dict[str, Any]:
    """Return everything except the run that the bytes of an export depend on; a tokenizer by its digest, since paths differ by machine."""
    tokenizer = None if request.tokenizer is None else digest_of_file(resolve(request.tokenizer))
    named = {number: part.name for number, part in enumerate(how.mix.parts)} | {REST: "others"}
    asked: dict[str, Any] = plain(
        {
            "format": request.format,
            "shard_mib": request.shard_mib,
            "order": "run" if request.order else "shuffled",
            "seed": request.seed,
            "split": list(request.split),
            "split_by": request.split_by,
            "mix": list(request.mix),
            "tokens": request.tokens,
            "weights": {named[number]: round(scale, 9) for number, scale in sorted(how.scales.items())},
            "tokenizer": tokenizer,
            "bos": request.bos,
            "eos": request.eos,
            **({"sequence_length": request.sequence_length} if request.format == "packed" else {}),
            **({"token_type": type_of(request.format, tokenising.vocabulary)} if tokenising and request.format in _RAW else {}),
        }
    )
    return asked


def _entry(unit: Gather, one: Written) -> dict[str, Any]:
    first, *beside = one.files
    entry: dict[str, Any] = {"file": first.path, "split": unit.split, "rows": one.rows, "bytes": first.bytes, "sha256": first.sha256}
    entry |= {"tokens": one.tokens, "text_bytes": one.text_bytes}
    if beside:
        entry["beside"] = [{"file": file.path, "bytes": file.bytes, "sha256": file.sha256} for file in beside]
    return entry


def _files_of(one: Written) -> Iterable[WrittenFile]:
    yield from one.files
    yield from (file for _, file, _ in one.conversations)

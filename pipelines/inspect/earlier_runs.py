"""Earlier runs: a new dump is compared with the documents that earlier runs kept, by their stored signatures (`[deduplicate] against`).

A corpus grows by dumps. One run over all dumps would sign, judge and compare the old ones every time. Instead, deduplication reads the
documents, signatures and ledger from the folder of an earlier run, and compares only the documents that its ledger keeps. An earlier run
may itself have been compared with others; it stands only for its own kept rows, so list all of them.

Invariants
    - This module writes nothing, neither in an earlier run nor elsewhere.
    - A run's name is a digest of its ledger, so results do not depend on where its folder lies; places go to run.json only.
    - An earlier run that is listed first comes before the next one; within a run, text from the web comes before generated text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from curation.duplicates.deduplicate import DeduplicateSettings
from curation.duplicates.minhash import MinHashSettings
from curation.duplicates.parts import DuplicatesPart
from curation.duplicates.sign import Sign
from curation.engine.drift import differences
from curation.engine.stage import SEAL, Finished, Stage, Workspace, finished_units, is_whole
from curation.errors import CurationError, InputError
from curation.ingest.ingest import Ingest
from curation.ledger.write import Select, SelectSynthetic
from curation.schema import REJECTED
from curation.storage.digests import digest_of, plain
from curation.storage.location import Location
from curation.storage.records import CorruptRecord, find_record, typed
from curation.storage.shards import Shard
from curation.system_errors import error_in_words
from pipelines.inspect.rules import read_rules
from pipelines.inspect.run_folder import GENERATED_FOLDER
from synth.synthesize import Synthesize

_LISTED = ("", "s3", "gs")
"""The schemes of the addresses that a run may have."""


@dataclass(frozen=True)
class EarlierRun:
    """A run that another run is compared with: its name, its place, its parts for deduplication, and the number of documents it kept."""

    name: str
    place: Location
    parts: tuple[DuplicatesPart, ...]
    kept: int

    def told(self) -> dict[str, Any]:
        """Return the entry of this run in run.json."""
        return {"run": self.name, "place": str(self.place), "kept": self.kept}


@dataclass(frozen=True)
class _Held:
    """An earlier run as recorded in run.json."""

    run: str
    place: str


@dataclass(frozen=True)
class _HeldSession:
    """The part of a session in run.json that names earlier runs."""

    against: tuple[_Held, ...] = ()


@dataclass(frozen=True)
class _History:
    """The sessions of a run."""

    sessions: tuple[_HeldSession, ...] = ()


def open_earlier(settings: DeduplicateSettings, out: Location) -> tuple[EarlierRun, ...]:
    """Open the runs that a recipe lists in `against`, in that order, for a run on `out`.

    Raises InputError for a run that is missing, unfinished, incomplete, signed with other settings, listed twice, or `out` itself.
    """
    runs: list[EarlierRun] = []
    for turn, given in enumerate(settings.against):
        run = _open(given, settings.minhash, out, 2 * (turn - len(settings.against)))
        twin = next((known for known in runs if known.name == run.name), None)
        if twin is not None:
            raise InputError(f"against: {given} is the same run as {twin.place}; list it once")
        runs.append(run)
    return tuple(runs)


def run_name(place: Location) -> str:
    """Return the name of the run in a folder: the first 16 hexadecimal digits of the digest of its ledger."""
    web, generated = finished_units(Workspace(place), Select), finished_units(Workspace(place, GENERATED_FOLDER), SelectSynthetic)
    return digest_of([[[shard.name, shard.sha256] for unit in units for shard in unit.shards] for units in (web, generated)])[:16]


def find_earlier(out: Location, name: str) -> tuple[Location | None, str]:
    """Find an earlier run that a run on `out` was compared with, in the places that run.json and the recipe name.

    Returns its place and "", or None and why it cannot be looked at.
    """
    fault = f"nothing in {out} tells where the earlier run {name} lies"
    for place in dict.fromkeys(_places_told(out, name)):
        if place.scheme not in _LISTED:  # no run was ever held against one: a run folder does not make us ask a server
            fault = f"the earlier run {name} is said to lie at {place}, where no run can"
            continue
        try:
            if not (place / "ledger").is_folder():
                fault = f"the earlier run {name} is not at {place} any more"
            elif run_name(place) != name:
                fault = f"what lies at {place} is not the earlier run {name} any more: it was run again, lost its stages, or is another run"
            else:
                return place, ""
        except OSError as error:
            fault = f"the earlier run {name} cannot be reached at {place}: {error_in_words(error)}"
    return None, fault


def ledger_of(out: Location, name: str) -> tuple[list[Location], str]:
    """Return the files of the ledger of an earlier run that a run on `out` was compared with, and "".

    Returns none, and why, where the run cannot be looked at or has lost some of them.
    """
    place, fault = find_earlier(out, name)
    if place is None:
        return [], fault
    shards = []
    for space, stage in ((Workspace(place), Select), (Workspace(place, GENERATED_FOLDER), SelectSynthetic)):
        sizes = {facts.location.name: facts.size for facts in space.shards(stage).files()}
        units = finished_units(space, stage)
        if not all(is_whole(unit, sizes) for unit in units):
            return [], f"the earlier run {name} at {place} has lost files of its ledger"
        shards += [shard.location for unit in units for shard in unit.shards]
    return shards, ""


def _places_told(out: Location, name: str) -> Iterator[Location]:
    """Yield the places to look for a run: its place when it was last read, or else the places of earlier runs in the recipe."""
    try:
        content = find_record(out / "run.json") or {}
        history = typed(_History, content, out / "run.json")
    except CorruptRecord:
        history = _History()
    told = [entry for session in reversed(history.sessions) for entry in session.against if entry.run == name]
    yield from (Location.of(entry.place) for entry in told)
    try:
        comparing = read_rules(out).comparing
    except CurationError:
        return
    if comparing is not None and not told:
        yield from (Location.of(given) for given in comparing.against)


def _open(given: str, settings: MinHashSettings, out: Location, priority: int) -> EarlierRun:
    place = Location.of(given)
    if place.scheme not in _LISTED:
        raise InputError(f"against: {given} cannot be listed; give a local folder, s3:// or gs://")
    if place.holds(out / SEAL):
        raise InputError(f"against: {given} is where this run goes; a run cannot be earlier than itself")
    for needed in ("ledger", f"stages/{Sign.name}"):
        if not (place / needed).is_folder():
            missing = "is not there" if not place.exists() else f"has no {needed}/"
            raise InputError(f"against: {given} {missing}; give the --out of a `curate run` with [deduplicate] that ended")
    web = _units(given, Workspace(place), Ingest, Sign, Select)
    parts = [*_parts(given, web, priority)]
    generated: list[list[Finished]] = []
    if (place / "ledger" / "synthetic").files():
        made = _units(given, Workspace(place), Synthesize)
        generated = [*made, *_units(given, Workspace(place, GENERATED_FOLDER), Sign, SelectSynthetic)]
        parts += _parts(given, generated, priority + 1)
    for space in [Workspace(place), *([Workspace(place, GENERATED_FOLDER)] if generated else [])]:
        _check_signed(given, space, settings)
    name = run_name(place)
    kept = sum(int(unit.counts.get("kept", 0)) for units in (web, generated) if units for unit in units[-1])
    return EarlierRun(name, place, tuple(replace(part, run=name) for part in parts), kept)


def _units(given: str, space: Workspace, *stages: type[Stage]) -> list[list[Finished]]:
    """Return the units of some stages. Raises InputError if a stage is not sealed, or if it lacks a unit or a shard."""
    found = []
    for stage in stages:
        units = finished_units(space, stage)
        sizes = {facts.location.name: facts.size for facts in space.shards(stage).files()}
        if _seal(space, stage).get("units") != len(units) or not all(is_whole(unit, sizes) for unit in units):
            raise InputError(f"against: {given} is not whole: {stage.name} did not end, or its files are gone; run its command again")
        found.append(list(units))
    return found


def _seal(space: Workspace, stage: type[Stage]) -> dict[str, Any]:
    try:
        return find_record(space.sidecars(stage) / SEAL) or {}
    except CorruptRecord:
        return {}


def _parts(given: str, units: Sequence[Sequence[Finished]], priority: int) -> Iterator[DuplicatesPart]:
    """Yield documents with their signatures and their ledger, which has the fates and the final ids."""
    documents, signed, fates = ({shard.name: shard for unit in each for shard in unit.shards} for each in units)
    for name, shard in sorted(documents.items()):
        if name.endswith(REJECTED):
            continue
        beside: list[Shard | None] = [signed.get(name), fates.get(name)]
        if any(side is None or side.rows != shard.rows for side in beside):
            raise InputError(f"against: {given} is not whole: {name} has no signatures or no ledger of its rows; run its command again")
        yield DuplicatesPart(shard, signed[name], (fates[name],), ids=fates[name], priority=priority)


def _check_signed(given: str, space: Workspace, settings: MinHashSettings) -> None:
    """Raise InputError unless the signatures of a run are comparable with those that this version makes with these settings."""
    identity = _seal(space, Sign).get("identity", {})
    stored = {"version": identity.get("version"), **identity.get("fields", {}).get("settings", {})}
    lines = differences("", stored, {"version": Sign.version, **plain(settings)})
    if lines:
        told = "; ".join(lines)
        raise InputError(f"against: {given} was signed with other settings than this recipe's ({told}); run one of the two again")

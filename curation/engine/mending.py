"""Mending rebuilds damaged shards with the run's own command; the user need not delete anything first.

Shards carry checksums of their pages, so reading a damaged shard fails. Then the shards that the failed unit reads are hashed (all known
shards if the driver failed), damaged ones are reported and deleted, and the stages run again. A unit without output is rebuilt with the
same bytes, so nothing that depends on it is redone. A session that finds all its units done reads no shard. It hashes the dataset and the
ledger, and every other shard that something wrote to since the run closed: what nothing wrote to costs a look at its size and its time. A
byte that a disk lost without a write is found by `curate verify`, and where the shard is read again.

Invariants
    - Only shards that this run's sidecars record are deleted; an earlier run's are reported and left to that run's own command.
    - A shard that is damaged again right after it was rebuilt ends the run: the disk, or its content, cannot be trusted.
    - Replies are not shards: paid replies are never deleted here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from curation.engine.drift import LINES
from curation.engine.leftovers import path_below
from curation.engine.session import Session
from curation.errors import BooksUnbalanced, CorruptShard, CurationError, InputError, Refused, ShardsFailed
from curation.storage.contents import digest_at
from curation.storage.location import Location
from curation.storage.outages import is_outage
from curation.storage.shards import Shard

_Result = TypeVar("_Result")


class Damaged(CurationError):
    """Shards of this run that are not what was written, as paths below OUT."""

    def __init__(self, paths: Sequence[str]) -> None:
        """Name the files that are not what was written."""
        super().__init__(f"{', '.join(paths)}: not what was written")
        self.paths = paths


def mended(session: Session, work: Callable[[Callable[[], None]], _Result]) -> _Result:
    """Do all the work of a run; start over while a shard turns out to be damaged and can be rebuilt.

    `work` calls its argument once its stages are done. The call hashes all shards if the session mended some; if the session made nothing,
    it hashes only the shards that may have changed. Raises Refused (frozen, and something is damaged), CorruptShard where mending does not
    help, and any error of the work itself.
    """
    known: set[str] = set()

    def check() -> None:
        if known or not session.made:
            asked = {path: facts for path, facts in session.shards.items() if known or not _is_untouched(session, path)}
            found = damaged(session.out, asked, session.runner.workers)
            if found:
                raise Damaged(found)

    while True:
        try:
            return work(check)
        except Damaged as error:
            found = list(error.paths)
        except ShardsFailed as error:
            found = _damaged_inputs(session, error)
            if not found:
                raise
        except (CorruptShard, BooksUnbalanced):
            found = damaged(session.out, session.shards, session.runner.workers)
            if not found:
                raise
        _delete(session, found, known)
        known.update(found)


def damaged(out: Location, shards: Mapping[str, tuple[int, str]], workers: int = 1) -> list[str]:
    """Return the shards that are missing or not what was written, from a mapping of path below OUT to size and SHA-256."""

    def differs(path: str) -> bool:
        return _read_of(out / path) != shards[path]

    paths = sorted(shards)
    with ThreadPoolExecutor(max(workers, 2)) as pool:  # reading and hashing release the interpreter lock
        return [path for path, is_damaged in zip(paths, pool.map(differs, paths), strict=True) if is_damaged]


def _damaged_inputs(session: Session, failure: ShardsFailed) -> list[str]:
    """Return the damaged shards of this run that failed units read.

    For one of an earlier run, raises InputError where it is gone, else CorruptShard.
    """
    mine = _facts(session.out, (shard for shard in session.suspects if session.out.holds(shard.location)))
    found = damaged(session.out, mine, session.runner.workers)
    if found:
        return found
    for shard in {shard.location: shard for shard in session.suspects if not session.out.holds(shard.location)}.values():
        found_there = _read_of(shard.location)
        told = f"{shard.location}, of an earlier run that `against` names"
        cure = "run that run's own command again, then this one"
        if found_there is None:
            raise InputError(f"{told}, is gone: {cure}", failure.details) from failure
        if found_there != (shard.bytes, shard.sha256):
            raise CorruptShard(f"{told}, is not what was written: {cure}", failure.details) from failure
    return []


def _is_untouched(session: Session, path: str) -> bool:
    """Return whether a shard need not be hashed: the session has hashed it, or nothing wrote to it since the run closed."""
    facts = (session.out / path).facts() if session.closed_at is not None else None
    is_older = facts is not None and facts.changed is not None and session.closed_at is not None and facts.changed < session.closed_at
    return path in session.hashed or is_older


def _read_of(place: Location) -> tuple[int, str] | None:
    """Return a file's size and digest, None where it is missing, and what no shard has where it cannot be read to its end."""
    try:
        return digest_at(place)
    except FileNotFoundError:
        return None  # deleted while it was looked at
    except OSError as error:
        if is_outage(error):
            raise
        return -1, ""  # a sector that can no longer be read


def _facts(out: Location, shards: Iterable[Shard]) -> dict[str, tuple[int, str]]:
    return {path_below(out, shard.location): (shard.bytes, shard.sha256) for shard in shards}


def _delete(session: Session, found: Sequence[str], known: set[str]) -> None:
    again = sorted(known.intersection(found))
    if again:
        raise CorruptShard(f"{session.out / again[0]} was rebuilt and is damaged again: its disk cannot be trusted")
    if session.frozen:
        if len(found) == 1:
            raise Refused(f"--frozen: {session.out / found[0]} is not what was written; without --frozen it is rebuilt")
        named = [str(session.out / path) for path in found[:LINES]]
        shown = named if len(named) < LINES else [*named[: LINES - 2], f"and {len(found) - LINES + 2:,} more"]
        raise Refused("\n  ".join([f"--frozen: {len(found):,} files are not what was written; without --frozen they are rebuilt:", *shown]))
    session.reopen()
    for path in found:
        session.watcher.tell(f"{session.out / path} is damaged (not what was written): it is rebuilt")
        if (session.out / path).facts() is not None:
            (session.out / path).delete()

"""Mending: a shard that is damaged is made again by the run's own command, and nobody has to delete anything first.

Shards carry checksums of their pages, so whoever reads a damaged one fails. The shards that a failed unit reads are hashed then (all that
are known, where the driver failed), what is not as it was written is named and deleted, and the stages are gone through again: a unit whose
output is gone is made anew, with the bytes it had, so that nothing that depends on it is redone. A session that found all its units done
reads no shard; it hashes them all, so that "done" means what `curate verify` means by it.

Invariants
    - Only shards that this run's sidecars record are deleted; an earlier run's are named, and left to its own command.
    - A shard that is damaged again right after it was made again ends the run: the disk, or what lies on it, is not to be trusted.
    - Replies are no shards: what was paid for is never deleted here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from curation.engine.leftovers import path_below
from curation.engine.session import Session
from curation.errors import BooksUnbalanced, CorruptShard, CurationError, Refused, ShardsFailed
from curation.storage.contents import digest_at
from curation.storage.location import Location
from curation.storage.shards import Shard

_Result = TypeVar("_Result")


class Damaged(CurationError):
    """Shards of this run are not what was written: their paths below OUT."""

    def __init__(self, paths: Sequence[str]) -> None:
        """Name the files that are not what was written."""
        super().__init__(f"{', '.join(paths)}: not what was written")
        self.paths = paths


def mended(session: Session, work: Callable[[Callable[[], None]], _Result]) -> _Result:
    """Do all the work of a run, and again from the start while a shard turns out damaged and can be made again.

    `work` calls what it is given once its stages are done: there the shards of a session that made nothing, or mended some, are hashed.
    Raises Refused (frozen, and something is damaged), CorruptShard where mending does not help, and what the work raises.
    """
    known: set[str] = set()

    def check() -> None:
        if known or not session.made:
            found = damaged(session.out, session.shards, session.runner.workers)
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
    """Return which of some shards, given as path below OUT -> size and SHA-256, are missing or not what was written."""

    def differs(path: str) -> bool:
        try:
            return digest_at(out / path) != shards[path]
        except OSError:
            return True  # a sector that cannot be read any more

    paths = sorted(shards)
    with ThreadPoolExecutor(max(workers, 2)) as pool:  # reading and hashing hold no interpreter lock
        return [path for path, is_damaged in zip(paths, pool.map(differs, paths), strict=True) if is_damaged]


def _damaged_inputs(session: Session, failure: ShardsFailed) -> list[str]:
    """Return which shards of this run that failed units read are damaged. Raises CorruptShard for one of an earlier run."""
    mine = _facts(session.out, (shard for shard in session.suspects if session.out.holds(shard.location)))
    found = damaged(session.out, mine, session.runner.workers)
    if found:
        return found
    for shard in {shard.location: shard for shard in session.suspects if not session.out.holds(shard.location)}.values():
        if digest_at(shard.location) != (shard.bytes, shard.sha256):
            told = f"{shard.location}, of an earlier run, is not what was written: give that run's own command again, then this one"
            raise CorruptShard(told, failure.details) from failure
    return []


def _facts(out: Location, shards: Iterable[Shard]) -> dict[str, tuple[int, str]]:
    return {path_below(out, shard.location): (shard.bytes, shard.sha256) for shard in shards}


def _delete(session: Session, found: Sequence[str], known: set[str]) -> None:
    again = sorted(known.intersection(found))
    if again:
        raise CorruptShard(f"{session.out / again[0]} was made again and is damaged again: the disk it lies on cannot be trusted")
    if session.frozen:
        raise Refused(f"--frozen: {session.out / found[0]} is not what was written; without --frozen it is made again")
    session.reopen()
    for path in found:
        session.watcher.tell(f"{session.out / path} is damaged (not what was written): it is made again")
        if (session.out / path).facts() is not None:
            (session.out / path).delete()

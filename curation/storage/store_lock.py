"""The lock of a run on an object store: one object that the store makes only where there is none (a put with If-None-Match).

    OUT/.lock    {"owner": "host ann-7, process 4711, user ann", "began": "2026-11-28T21:00:00+00:00", ...}

Its owner writes it again every BEAT seconds, on the condition that it is still what the owner wrote last. So its age shows whether the
owner is alive, and an owner whose lock was taken over notices that and stops. A dead process of this machine does not count as an owner;
any other lock is taken over only on demand.

Invariant: of two runs that begin at the same time, only one gets the lock.
"""

import getpass
import json
import os
import platform
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotSupportedError, PreconditionError, UnauthenticatedError
from obstore.store import GCSStore, S3Store

from curation.arrays import JsonObject
from curation.errors import CannotWrite, Refused
from curation.storage.location import Location, s3_endpoint

BEAT = 30.0
"""Seconds between two writes of the lock."""

STALE = 4 * BEAT
"""Seconds without a write after which the owner is probably dead."""

_CANNOT_LOCK = re.compile(r"NotImplemented|501 |169\.254\.169\.254|credential", re.IGNORECASE)
"""Matches the errors of a store without conditional puts, and of credentials that this client cannot use."""


_HERE: set[str] = set()
"""Tokens of the locks that this process holds."""


@dataclass
class _Held:
    """A lock that this process holds: its place, its content, and the mark of what was written last."""

    store: Any
    key: str
    content: bytes
    mark: Any
    lost: str = ""


@contextmanager
def store_lock(out: Location, take_over: bool, tell: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """Hold the lock of OUT; yield a function that raises Refused once another run has taken it over.

    Raises Refused where another run holds the lock and `take_over` is false. A store without conditional puts has no lock; `tell` says so.
    """
    lock = (out.path + "/.lock").partition("/")
    store, key = _store(out.scheme, lock[0]), lock[2]
    content = _said_of_us()
    try:
        held = _Held(store, key, content, _acquired(store, key, content, take_over, out))
    except (NotSupportedError, UnauthenticatedError):
        held = None
    except BaseError as error:
        if not _CANNOT_LOCK.search(str(error)):
            raise CannotWrite(f"the lock {out}/.lock cannot be written: {' '.join(str(error).split())[:300]}") from error
        held = None
    if held is None:
        tell(f"{out} has no lock against a second run: its store has no conditional put, or it knows these credentials otherwise")
        yield lambda: None
        return
    token = _parsed(content)["token"]
    _HERE.add(token)
    done = threading.Event()
    beating = threading.Thread(target=_beat, args=(held, done), name="lock", daemon=True)
    beating.start()

    def require() -> None:
        if held.lost:
            raise Refused(f"{out} was taken over by another run ({held.lost}): this one stops; its finished work is kept")

    try:
        yield require
    finally:
        done.set()
        beating.join()
        _HERE.discard(token)
        if not held.lost:
            with suppress(BaseError):
                obstore.delete(store, key)


def is_live_on_store(out: Location) -> bool | None:
    """Return whether the owner of OUT's lock gives signs of life; None where there is no lock, as on a store that has none."""
    lock = (out.path + "/.lock").partition("/")
    try:
        there = obstore.get(_store(out.scheme, lock[0]), lock[2])
        owner = _parsed(bytes(there.bytes()))
    except (BaseError, FileNotFoundError):
        return None
    return not _is_dead_process_here(owner) and _age(there.meta) < STALE


def _age(written: Any) -> float:
    return max(0.0, float((datetime.now(UTC) - written["last_modified"]).total_seconds()))


def _acquired(store: Any, key: str, content: bytes, take_over: bool, out: Location) -> Any:
    """Write the lock if there is none, or if its owner is gone; return its mark. Raises Refused."""
    try:
        return obstore.put(store, key, content, mode="create")
    except AlreadyExistsError:
        pass
    try:
        there = obstore.get(store, key)
        said, age, mark = bytes(there.bytes()), _age(there.meta), there.meta["e_tag"]
    except FileNotFoundError:
        return obstore.put(store, key, content, mode="create")  # released meanwhile
    owner = _parsed(said)
    if not take_over and not _is_dead_process_here(owner):
        who = f"{owner.get('owner', 'its owner is unreadable')}, since {owner.get('began', '?')}"
        if age < STALE:
            raise Refused(f"another run is live on {out} ({who}; last sign of it {age:.0f} s ago); wait for it or choose another --out")
        raise Refused(f"{out} is locked by a run that is probably dead ({who}; no sign of it for {_told(age)}); if so, add --take-over")
    try:
        return obstore.put(store, key, content, mode={"e_tag": mark})
    except PreconditionError:
        raise Refused(f"another run has just taken over {out}; wait for it or choose another --out") from None


def _beat(held: _Held, done: threading.Event) -> None:
    """Write the lock again and again, until it is done with or somebody else's."""
    while not done.wait(BEAT):
        try:
            held.mark = obstore.put(held.store, held.key, held.content, mode={"e_tag": held.mark["e_tag"]})
        except (PreconditionError, FileNotFoundError):
            with suppress(BaseError, FileNotFoundError):
                said = bytes(obstore.get(held.store, held.key).bytes())
                if said == held.content:  # the write before arrived, though its answer did not
                    held.mark = {"e_tag": obstore.head(held.store, held.key)["e_tag"]}
                    continue
                held.lost = str(_parsed(said).get("owner", "unknown"))
            held.lost = held.lost or "its lock is gone"
            return
        except BaseError:
            continue  # the store does not answer now; the lock grows older


def _store(scheme: str, bucket: str) -> Any:
    if scheme == "gs":
        return GCSStore(bucket)
    endpoint = s3_endpoint()
    if endpoint:
        return S3Store(bucket, endpoint=endpoint, region=_region() or "us-east-1", client_options={"allow_http": True})
    from pyarrow.fs import resolve_s3_region

    return S3Store(bucket, region=_region() or resolve_s3_region(bucket))


def _region() -> str | None:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")


def _said_of_us() -> bytes:
    host, process = platform.node(), os.getpid()
    owner = f"host {host}, process {process}, user {getpass.getuser()}"
    began = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"owner": owner, "began": began, "host": host, "process": process, "token": os.urandom(8).hex()}).encode()


def _parsed(said: bytes) -> JsonObject:
    try:
        content = json.loads(said)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_dead_process_here(owner: JsonObject) -> bool:
    if owner.get("host") != platform.node() or not isinstance(owner.get("process"), int):
        return False
    try:
        os.kill(owner["process"], 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return owner["process"] == os.getpid() and owner.get("token") not in _HERE  # a container began again, with the same number


def _told(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.0f} minutes"

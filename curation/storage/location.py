"""A location is a place for files, named by a URI: a local path, `s3://`, `gs://`, or, for reading only, `https://` and `hf://`.

All code that opens, lists, writes or deletes a file uses this module, so a run behaves the same on a laptop and on an object store.
pyarrow.fs serves local files, S3 and GCS; fsspec serves HTTP and the Hugging Face Hub. Credentials and endpoints come from the environment
(AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, HF_TOKEN, ...), never from a recipe.

Invariants
    - `write_bytes` and `upload` are atomic: a reader sees the whole file or none. Local: temporary name, fsync, rename, fsync of the
      folder. Object store: one put or one multipart upload, which exists only once it is complete.
    - A temporary file's name starts with TEMPORARY, so that a sweep finds the files that a dead process left.
"""

import errno
import hashlib
import io
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from curation.errors import CannotWrite, InputError, Refused
from curation.storage.local_listing import NO_TEXT, is_text, list_local
from curation.storage.patient_store import PatientStore, patiently
from curation.storage.scratch import scratch
from curation.storage.traffic import count

TEMPORARY = ".tmp-"
_HTTP = ("http", "https")
READ_ONLY = (*_HTTP, "hf")
"""Schemes of places that can only be read."""

_ROOM = dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room there, then give the same command again")
_LEAVE = dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG), "choose a place that can be written to")
_FOLDER = dict.fromkeys((errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EINVAL), "no folder can be made there; choose another place")

_SECONDS = 20.0
"""How long S3 may take to accept a connection, and between two parts of an answer."""


@lru_cache(maxsize=16)
def _filesystem(scheme: str, endpoint: str) -> Any:
    if scheme == "":
        return fs.LocalFileSystem()
    if scheme == "s3":
        parts = urlsplit(endpoint)
        options = {"endpoint_override": parts.netloc, "scheme": parts.scheme} if endpoint else {}
        # `allow_delayed_open`: a small file is one request instead of three.
        store = fs.S3FileSystem(allow_delayed_open=True, connect_timeout=_SECONDS, request_timeout=_SECONDS, **options)
        return fs.PyFileSystem(PatientStore(store))
    if scheme == "gs":
        return fs.PyFileSystem(PatientStore(fs.GcsFileSystem()))
    if scheme in _HTTP:
        import fsspec

        return fs.PyFileSystem(fs.FSSpecHandler(fsspec.filesystem(scheme)))
    if scheme == "hf":
        from curation.storage.hub import hub_files

        return hub_files(endpoint)
    raise InputError(f"{scheme}:// cannot be read: use a local path, s3://, gs://, hf:// or https://")


def s3_endpoint() -> str:
    """Return where S3 is served; empty where it is Amazon's own."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a listing says about a file: its location, size in bytes, and modification time in nanoseconds (None if unknown)."""

    location: "Location"
    size: int
    changed: int | None


@dataclass(frozen=True, slots=True)
class Location:
    """A file or folder: a URI scheme ("" for local) and the path within it."""

    scheme: str
    path: str

    @classmethod
    def of(cls, uri: "str | os.PathLike[str] | Location") -> "Location":
        """Parse a path or URI; a local path becomes absolute. Raises InputError for a name that is no text (Arrow has no other paths)."""
        if isinstance(uri, Location):
            return uri
        text = os.fspath(uri)
        if "\0" in text or not is_text(text):
            raise InputError(f"{text!a} cannot be opened: {NO_TEXT}")
        scheme, separator, rest = text.partition("://")
        if not separator:
            return cls("", str(Path(text).absolute()))
        if scheme == "file":
            return cls("", str(Path(rest).absolute()))
        if scheme in _HTTP:
            return cls(scheme, text)
        return cls(scheme, rest.rstrip("/"))

    def __str__(self) -> str:
        """Return the place as a user writes it."""
        return self.path if self.scheme == "" or self.scheme in _HTTP else f"{self.scheme}://{self.path}"

    def __truediv__(self, name: str) -> "Location":
        """Return the place of that name below this one."""
        return Location(self.scheme, f"{self.path.rstrip('/')}/{name}")

    def within(self, path: str) -> "Location":
        """Return the file at a relative path below this folder. Raises ValueError if the path leads out of the folder."""
        parts = path.split("/")
        if any(part in ("", ".", "..") for part in parts) or not path.isprintable() or "\\" in path:
            raise ValueError(f"{path!r} is not the path of a file below {self}")
        return self / path

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rstrip("/").rsplit("/", 1)[-1]

    @property
    def parent(self) -> "Location":
        """The folder that contains this location."""
        return Location(self.scheme, self.path.rstrip("/").rsplit("/", 1)[0] or "/")

    @property
    def is_local(self) -> bool:
        """Whether the location is on this machine's file system."""
        return self.scheme == ""

    def holds(self, other: "Location") -> bool:
        """Return whether `other` is below this folder; links and `..` in local paths are resolved."""
        return self.holds_which([other])[0]

    def holds_which(self, others: Iterable["Location"]) -> list[bool]:
        """Return for each location whether it is below this folder; links in folder paths are resolved once per folder."""
        mine = (os.path.realpath(self.path) if self.is_local else self.path).rstrip("/") + "/"
        real = lru_cache(maxsize=None)(os.path.realpath)

        def path_of(other: "Location") -> str:
            folder, _, name = other.path.rpartition("/")
            path = f"{real(folder or '/').rstrip('/')}/{name}"
            return os.path.realpath(path) if name in ("", ".", "..") or os.path.islink(path) else path  # noqa: PTH114  (a Path for each file takes longer)

        return [other.scheme == self.scheme and (path_of(other) if other.is_local else other.path).startswith(mine) for other in others]

    @property
    def filesystem(self) -> Any:
        """The pyarrow file system for this location, at the endpoint that the environment names now."""
        return _filesystem(self.scheme, s3_endpoint() if self.scheme == "s3" else os.environ.get("HF_ENDPOINT", ""))

    def facts(self) -> FileFacts | None:
        """Return the file's size and modification time, or None where it does not exist."""
        info = self.filesystem.get_file_info(self.path)
        if info.type != fs.FileType.File:
            return None
        return _http_facts(self, info) if self.scheme in _HTTP else _facts(self.scheme, info)

    def exists(self) -> bool:
        """Return whether a file or folder exists here."""
        return bool(self.filesystem.get_file_info(self.path).type != fs.FileType.NotFound)

    def is_folder(self) -> bool:
        """Return whether a folder exists here."""
        return bool(self.filesystem.get_file_info(self.path).type == fs.FileType.Directory)

    def files(self, recursive: bool = False, lost: list[str] | None = None) -> list[FileFacts]:
        """List the files in this folder by path; an absent folder is empty. Paths that lead to no file go to `lost` (`why_lost`)."""
        if self.is_local:
            listed = list(list_local(self.path, recursive))
            found = [FileFacts(Location("", path), facts.st_size, facts.st_mtime_ns) for path, facts in listed if facts is not None]
            if lost is not None:
                lost += sorted(path for path, facts in listed if facts is None)
        else:
            selector = fs.FileSelector(self.path, allow_not_found=True, recursive=recursive)
            found = [_facts(self.scheme, info) for info in self.filesystem.get_file_info(selector) if info.type == fs.FileType.File]
        return sorted(found, key=lambda facts: facts.location.path)

    def open_random(self) -> Any:
        """Open the file for random access (Parquet): a pyarrow file."""
        return self.filesystem.open_input_file(self.path)

    def open_stream(self) -> BinaryIO:
        """Open the file for sequential reading, without decompression."""
        stream = self.filesystem.open_input_stream(self.path, compression=None, buffer_size=1 << 20)
        return cast(BinaryIO, stream)

    def read_bytes(self) -> bytes:
        """Return the whole file. Raises FileNotFoundError for a folder or a pipe: reading a pipe never ends."""
        if self.is_local and (Path(self.path).is_fifo() or Path(self.path).is_dir()):
            raise FileNotFoundError(errno.ENOENT, "is a pipe or a folder, not a file", self.path)
        with self.open_stream() as stream:
            return stream.read()

    def make_folder(self) -> None:
        """Make the folder and its parents; an object store needs no folders."""
        if self.is_local:
            with telling_what_is_written(self, {**_ROOM, **_LEAVE, **_FOLDER}):
                Path(self.path).mkdir(parents=True, exist_ok=True)

    def require_writable(self) -> None:
        """Raise Refused where something other than a file lies here: opening a pipe to append to it would wait for a reader, for ever."""
        if self.is_local and os.path.lexists(self.path) and not Path(self.path).is_file():
            if Path(self.path).is_dir():
                raise Refused(f"{self} is a folder, but a file is to be written there; in a run's folder, remove it; else name a file")
            what = "no file (a device, a pipe, or a link to nothing)"
            raise Refused(f"{self} is {what}, but a file is to be written there; in a run's folder, remove it; else name a file")

    def write_bytes(self, content: bytes) -> None:
        """Write the whole file at once, atomically."""
        if self.is_local:
            with self.writing() as temporary, temporary.open("wb") as stream:
                stream.write(content)
            return
        with telling_what_is_written(self):
            patiently(lambda: self._put(io.BytesIO(content)))

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """Yield a local temporary file to fill; it becomes this file on success and is deleted after an error.

        Raises Refused where something other than a file lies there: a rename would put a file in the place of a device.
        """
        if self.is_local:
            self.require_writable()
            self.parent.make_folder()
            temporary = Path((self.parent / f"{TEMPORARY}{uuid.uuid4().hex}-{self.name}").path)
        else:
            temporary = scratch() / f"{TEMPORARY}{uuid.uuid4().hex}-{self.name}"
        with telling_what_is_written(self):
            temporary.touch()
        try:
            with telling_what_is_written(self, _ROOM):
                yield temporary
                if self.is_local:
                    with temporary.open("rb") as stream:
                        os.fsync(stream.fileno())
                    self._rename_from(Location.of(temporary))
                else:
                    with temporary.open("rb") as source:
                        patiently(lambda: self._put(source))
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()

    def delete(self) -> None:
        """Delete the file if it exists."""
        with suppress(FileNotFoundError, pa.ArrowKeyError):
            self.filesystem.delete_file(self.path)

    def _put(self, source: BinaryIO) -> None:
        """Write what a file holds into this object."""
        count(writes=1, bytes_written=source.seek(0, io.SEEK_END))
        source.seek(0)
        with self.filesystem.open_output_stream(self.path, compression=None) as target:
            shutil.copyfileobj(source, target, 1 << 22)

    def _rename_from(self, temporary: "Location") -> None:
        Path(temporary.path).replace(self.path)
        folder = os.open(self.parent.path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def telling_what_is_written(place: Location, advice: Mapping[int, str] = MappingProxyType({**_ROOM, **_LEAVE})) -> Iterator[None]:
    """Turn an error for lack of space or permission into CannotWrite, which names the place and the remedy.

    A block that also reads passes `_ROOM`: a read never fails for lack of space, but it may fail for lack of permission.
    """
    try:
        yield
    except OSError as error:
        remedy = advice.get(error.errno or 0)
        if remedy is None:
            raise
        raise CannotWrite(f"{place} cannot be written: {os.strerror(error.errno or 0).lower()}; {remedy}") from error


def _http_facts(location: Location, info: Any) -> FileFacts:
    """Return the facts of a file behind a URL; an ETag replaces the time where the server sends none."""
    import fsspec

    told = fsspec.filesystem(location.scheme).info(location.path)
    mark = told.get("ETag") or told.get("Last-Modified")
    changed = int.from_bytes(hashlib.sha256(mark.encode()).digest()[:7]) if mark else None
    return FileFacts(location, info.size or 0, changed)


def why_unreachable(location: Location) -> str:
    """Say why a URL cannot be reached (refused, unknown host, 404, ...); "" if it can be reached."""
    import fsspec

    try:
        fsspec.filesystem(location.scheme).info(location.path)
    except FileNotFoundError as error:
        return _told_by(error.__cause__ or error)
    except OSError as error:
        return _told_by(error)
    return ""


def _told_by(error: BaseException) -> str:
    """Describe an HTTP client's error in words, without naming its classes: fsspec chooses the client."""
    import socket
    import ssl

    status = getattr(error, "status", None)
    if status is not None:
        answer = f"{status} {getattr(error, 'message', '')}".strip()
        known = {401: "it requires credentials", 403: "it may not be read without permission", 404: "nothing is there", 410: "it is gone"}
        return f"the server answers {answer}" + (f": {known[status]}" if status in known else "")
    reason = getattr(error, "os_error", None) or error
    if isinstance(reason, socket.gaierror):
        return "this host name cannot be resolved; check the spelling and the network"
    if isinstance(reason, ssl.SSLError):
        return f"no secure connection can be made ({reason.reason or reason}); is it http:// rather than https://?"
    if isinstance(reason, ConnectionRefusedError):
        return "the connection is refused: the host is there, but no server listens on that port"
    if isinstance(reason, TimeoutError):
        return "the server did not answer in time"
    return str(reason) or type(reason).__name__


def _facts(scheme: str, info: Any) -> FileFacts:
    return FileFacts(Location(scheme, info.path), info.size or 0, info.mtime_ns)

"""Inputs: expand what a user names as input to a list of files, the same on every machine.

An input is a file, a folder (all files below it), a glob (`*`, `?`, `[...]` within a folder's name, `**` across folders), a URI (`s3://`,
`gs://`, and `https://` for single files), or `<package>:<path or glob>` for data that a package carries (`sample_data:texts/*.jsonl`).

In the folder of a dataset, ours or one for the Hugging Face Hub, the texts are the files of `data/`; beside them lie the card, by which
such a folder is known (`README.md` that begins with `---`), a manifest, conversations, pairs. Without a `data/`, only the card is left out.
The folder of a run is refused: most of its files are no texts, and its dataset is in a folder below.

A file's `relative` path identifies it in the ledger. It is the path below the input's fixed prefix: the folder part before the first
wildcard, the folder itself, or the parent folder of a single file. So the same data gives the same ledger wherever it is stored.

An input without a label takes its label from what the user wrote: the glob or the folder, or the name of a single file.

Invariants
    - The list is sorted by relative path; it does not depend on the order of inputs or of the file system.
    - Two different files with the same relative path are refused: the ledger could not tell them apart. A file named twice is read once.
    - Files and folders whose names start with a dot (including temporaries) are skipped, unless the user names them explicitly.
"""

import errno
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Protocol

from curation.errors import InputError
from curation.storage.local_listing import why_lost
from curation.storage.location import TEMPORARY, FileFacts, Location, why_unreachable
from curation.storage.ownership import RUN
from curation.storage.resources import OWN_PACKAGES, beside
from curation.storage.source_file import Fields, SourceFile
from curation.system_errors import error_in_words

_WILDCARD = re.compile(r"[*?\[]")
_BRACKET = re.compile(r"\[(!?)(\]?[^\]]*)\]")
_ALL = re.compile(".*", re.DOTALL)
_HTTP = ("http", "https")
_CARD = "README.md"

MOST_NAMED = 20
"""Number of files of one folder that may be named one by one and still have labels of their own."""


class Input(Protocol):
    """What a recipe says about an input: its path, the label of its records (None: see `_written`), and its field names."""

    @property
    def path(self) -> str: ...  # noqa: D102

    @property
    def source(self) -> str | None: ...  # noqa: D102

    @property
    def fields(self) -> Fields: ...  # noqa: D102


@dataclass(frozen=True)
class _Found:
    facts: FileFacts
    relative: str


def expand(inputs: Iterable[Input], folder: str = "") -> list[SourceFile]:
    """Return the files that the inputs name, sorted by relative path; relative inputs start at `folder`, or at the current folder.

    Raises InputError for an input that names nothing or cannot be reached, for two files with the same relative path, and for one file that
    two inputs describe differently.
    """
    inputs = list(inputs)
    neighbours = Counter(_folder(given.path) for given in inputs)
    sources: dict[str, SourceFile] = {}
    unlabelled: set[str] = set()
    for given in inputs:
        pattern = beside(folder, given.path)
        files = _find(pattern)
        label = given.source or _written(given.path, _locate(pattern), files, neighbours)
        for found in files:
            place, relative = found.facts.location, found.relative
            source = SourceFile(place, relative, label, found.facts.size, found.facts.changed, given.fields)
            other = sources.setdefault(relative, source)
            if other.location != place:
                raise InputError(
                    f"{other.location} and {place} would both be called {relative!r} in the ledger; "
                    "give their common folder as one input, or rename one"
                )
            if other is source and given.source is None:
                unlabelled.add(relative)
            elif relative in unlabelled and given.source is None:  # named twice without a label: the first label stays
                source = replace(source, source=min(other.source, label))
                other = sources[relative] = replace(other, source=source.source)
            if other != source:
                raise InputError(f"{place} is named by two inputs that differ in source or fields; name it once")
    return [sources[relative] for relative in sorted(sources)]


def _written(pattern: str, place: Location, files: Sequence[_Found], neighbours: Mapping[str, int]) -> str:
    """Return the label of an input that has none: a folder or glob as the user wrote it, or a file's name.

    If more than MOST_NAMED files of a folder are named one by one, as a shell expands a glob, they share the folder's label. URLs lose
    user, password and query: those are secrets, and a label is published.
    """
    if files[0].facts.location != place:
        return _public(pattern).rstrip("/") or pattern
    folder = _folder(pattern)
    return _public(folder) if neighbours[folder] > MOST_NAMED else files[0].facts.location.name.partition("?")[0]


def _folder(pattern: str) -> str:
    """Return the folder part of a path as the user wrote it."""
    return pattern.partition("?")[0].rpartition("/")[0] or "."


def _public(pattern: str) -> str:
    scheme, mark, rest = pattern.partition("://")
    if not mark:
        return pattern
    host, slash, path = rest.partition("/")
    told = f"{host.rpartition('@')[2]}{slash}{path}"
    return f"{scheme}://{told.partition('?')[0] if scheme in _HTTP else told}"


def _find(pattern: str) -> list[_Found]:
    location = _locate(pattern)
    try:
        found = _named(location)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise InputError(f"{pattern}: a name in this path is longer than the file system allows; check the path") from error
        raise InputError(f"{pattern}: cannot be reached: {error_in_words(error)}; check the name and the network") from error
    if found is None and location.scheme in _HTTP:
        raise InputError(f"{pattern}: cannot be read: {why_unreachable(location) or 'the server does not report a file'}")
    if found is None and location.is_local and os.path.lexists(location.path):
        raise InputError(f"{pattern}: is neither a file nor a folder (a pipe, a device, or a link to nothing); write its content to a file")
    if found is None:
        raise InputError(f"{pattern}: there is no such file or folder")
    if not found:
        raise InputError(f"{pattern}: it holds no files, or only files whose names start with a dot")
    return found


def _locate(pattern: str) -> Location:
    """Return the location of an input, keeping wildcards."""
    package, colon, path = pattern.partition(":")
    if colon and package in OWN_PACKAGES:
        return Location.of(Path(str(files(package))).resolve() / path)
    return Location.of(Path(pattern).expanduser() if pattern.startswith("~") else pattern)


def _named(location: Location) -> list[_Found] | None:
    """Return the files that a place or glob names; None if it does not exist."""
    if location.scheme not in _HTTP and location.is_folder():
        return _texts_of_dataset(location, _below(location))
    facts = location.facts()
    if facts is not None:
        return [_Found(facts, location.name.partition("?")[0])]
    return _matches(location) if location.scheme not in _HTTP and _WILDCARD.search(location.path) else None


def _below(folder: Location, wanted: re.Pattern[str] = _ALL) -> list[_Found]:
    """Return the files below a folder whose relative paths are wanted. Raises InputError where one of them is no file that can be read."""
    prefix, lost = folder.path.rstrip("/") + "/", list[str]()
    found = [_Found(facts, facts.location.path.removeprefix(prefix)) for facts in folder.files(recursive=True, lost=lost)]
    for path in lost:
        relative = path.removeprefix(prefix)
        if not _is_hidden(relative) and wanted.fullmatch(relative):
            raise InputError(why_lost(path))
    return [file for file in found if not _is_hidden(file.relative) and wanted.fullmatch(file.relative)]


def _texts_of_dataset(folder: Location, found: list[_Found]) -> list[_Found]:
    """Return the files of a folder without those that accompany a dataset's texts. Raises InputError for the folder of a run."""
    names = {file.relative for file in found}
    if RUN in names and any(name.startswith(("stages/", "ledger/")) for name in names):
        raise InputError(f"{folder} is the folder of a run, not of texts; give its dataset: {folder / 'dataset'}")
    if _CARD not in names or not _begins_with(folder / _CARD, b"---\n", b"---\r\n"):
        return found
    return [file for file in found if file.relative.startswith("data/")] or [file for file in found if file.relative != _CARD]


def _begins_with(place: Location, *beginnings: bytes) -> bool:
    with place.open_stream() as stream:
        return stream.read(max(map(len, beginnings))).startswith(beginnings)


def _is_hidden(relative: str) -> bool:
    return any(part.startswith((".", TEMPORARY)) for part in relative.split("/"))


def _matches(pattern: Location) -> list[_Found]:
    """Return the files that match a glob, below the folder part before its first wildcard."""
    parts = pattern.path.split("/")
    first = next(index for index, part in enumerate(parts) if _WILDCARD.search(part))
    return _below(Location(pattern.scheme, "/".join(parts[:first]) or "/"), _expression(parts[first:]))


def _expression(parts: list[str]) -> re.Pattern[str]:
    """Return the regular expression for a glob's parts; `**` matches any number of folders, and at the end all files below."""
    written = ""
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            written += ".*" if last else "(?:[^/]+/)*"
        else:
            written += _part_expression(part) + ("" if last else "/")
    return re.compile(written, re.DOTALL)


def _part_expression(part: str) -> str:
    """Return the regular expression for one name with `*`, `?` and `[...]` (`[!...]` negates)."""
    written = ""
    at = 0
    while at < len(part):
        bracket = _BRACKET.match(part, at)
        if bracket:
            inner = re.sub(r"([\\\[\]^&~|])", r"\\\1", bracket[2])
            written += f"[{'^/' if bracket[1] else ''}{inner}]"
            at = bracket.end()
            continue
        written += {"*": "[^/]*", "?": "[^/]"}.get(part[at]) or re.escape(part[at])
        at += 1
    return written

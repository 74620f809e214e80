"""Lists of domains, URLs and words to keep out, as their owners give them; none comes with the project.

A list is a plain text file in UTF-8, one entry a line; blank lines and lines that begin with "#" are ignored. A name that ends in .gz is
decompressed. A category of the UT1 lists (Université Toulouse Capitole) is a folder that holds two such files, `domains` and `urls`: name
the files.

    domains   `bad.example` stands for this host and all under it; an IP address for itself
    URLs      `bad.example/path`, with or without a scheme; see `url_keys` for when two are the same
    words     letters and digits of ASCII; whatever else an entry holds is left out, and case does not count, as in datatrove

Domains and URLs are kept as sorted 64-bit hashes, 8 bytes an entry: UT1's 4.6 million domains take 37 MB instead of half a gigabyte as
Python strings, and a URL is taken for another with a probability of 3 * 10^-13.

Invariant: the order and repetition of entries do not matter. A line that is not an entry raises an InputError with the file and the line.
"""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from curation.arrays import Flags, Hashes
from curation.errors import InputError
from curation.storage.resources import resolve
from curation.system_errors import unreadable
from filters.support.hosts import SCHEME, ascii_host

_BLOCK_BYTES = 16 << 20
MAX_LINE_BYTES = 16 << 20
_MOST_BYTES = 16 << 30
"""Most bytes of a list once decompressed: a hundred times UT1's largest."""

_DOMAIN = r"^(?:[^\s/:@?#\[\]%*,]+|\[[0-9a-f:.]+\])$"
_URL = r"^[^\s/?#]+[/?#]\S*$|^[^\s/?#]+$"
_NO_WORD = "[^a-zA-Z0-9]+"


def domain_hashes(paths: Sequence[str]) -> Hashes:
    """Return the hashes of all domains of the files, rising. Raises InputError."""
    return _sorted([_domains(lines, resolve(path)) for path in paths for lines in entries(resolve(path))])


def url_hashes(paths: Sequence[str]) -> Hashes:
    """Return the hashes of all URLs of the files, rising. Raises InputError."""
    return _sorted([_urls(lines, resolve(path)) for path in paths for lines in entries(resolve(path))])


def words(paths: Sequence[str]) -> tuple[str, ...]:
    """Return all words of the files, in order, each once. Raises InputError."""
    found: set[str] = set()
    for path in paths:
        for lines in entries(resolve(path)):
            bare = bare_words(lines["entry"], "")
            _refuse(lines, bare == "", resolve(path), "holds no letter or digit of ASCII, so no URL can have it")
            found.update(bare.to_list())
    return tuple(sorted(found))


def hashed(names: pl.Series) -> Hashes:
    """Return the hash of each name (uint64), the same in every process that has this version of polars."""
    hashes: Hashes = names.hash(0).to_numpy()
    return hashes


def among(hashes: Hashes, known: Hashes) -> Flags:
    """Return which hashes are in a rising array of hashes."""
    if not len(known):
        return np.zeros(len(hashes), np.bool_)
    places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    found: Flags = known[places] == hashes
    return found


def bare_words(texts: pl.Series, between: str) -> pl.Series:
    """Return each text in lower case with `between` for every run of characters that are no ASCII letter or digit."""
    return texts.str.replace_all(_NO_WORD, between).str.to_lowercase()


def url_keys(urls: pl.Series) -> pl.Series:
    """Return what two URLs share that are the same page to a list.

    Left out: the scheme, user and password, `www.` (also `www2.`), port 80 and 443, the fragment, a slash at the end; the host is in lower
    case. Path and query are as they are written.
    """
    bare = urls.str.strip_chars().str.replace(SCHEME, "").str.replace(r"(?s)#.*$", "")
    authority = bare.str.extract(r"^([^/?]*)").str.replace(r"(?s)^.*@", "").str.to_lowercase()
    host = authority.str.replace(r":(?:80|443)?$", "").str.replace(r"^www\d*\.", "").str.strip_chars_end(".")
    return host + bare.str.replace(r"^[^/?]*", "").str.replace(r"/$", "")


def entries(path: Path) -> Iterator[pl.DataFrame]:
    """Yield the columns `line` (from 1) and `entry`, without blanks at its ends, of a list, block by block.

    Raises InputError where the file is no UTF-8 text or cannot be decompressed.
    """
    line = 1
    for block in _blocks(path):
        try:
            text = block.decode()
        except UnicodeDecodeError as error:
            line += block.count(10, 0, error.start)
            raise InputError(f"list {path}, line {line}: it is not UTF-8 text ({error.reason})") from error
        lines = pl.Series("entry", [text.removeprefix("\ufeff") if line == 1 else text]).str.split("\n").explode()
        frame = lines.str.strip_chars().to_frame().with_row_index("line", offset=line)
        yield frame.filter((pl.col("entry") != "") & ~pl.col("entry").str.starts_with("#"))
        line += block.count(10)


def _blocks(path: Path) -> Iterator[bytes]:
    """Yield a list's bytes in pieces that end with a line."""
    rest, unpacked = b"", 0
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                unpacked += len(block)
                if unpacked > _MOST_BYTES:
                    raise InputError(f"list {path} holds more than {_MOST_BYTES:,} bytes; is it the right file?")
                whole, newline, begun = block.rpartition(b"\n")
                if newline:
                    yield rest + whole + newline
                    rest = begun
                else:
                    rest += block
                    if len(rest) > MAX_LINE_BYTES:
                        raise InputError(f"list {path} has a line of more than {MAX_LINE_BYTES:,} bytes; is it the right file?")
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"list {unreadable(path, error)}") from error
    if rest:
        yield rest


def _domains(lines: pl.DataFrame, path: Path) -> Hashes:
    lines = lines.with_columns(pl.col("entry").str.to_lowercase().str.strip_chars("."))
    _refuse(lines, ~lines["entry"].str.contains(_DOMAIN), path, "is not a domain: write `bad.example`, without scheme, path or pattern")
    foreign = lines["entry"].str.contains(r"[^\x00-\x7f]")
    in_ascii = pl.Series("entry", [ascii_host(entry) for entry in lines["entry"].filter(foreign)], pl.String)
    return hashed(pl.concat([lines["entry"].filter(~foreign), in_ascii]))


def _urls(lines: pl.DataFrame, path: Path) -> Hashes:
    keys = url_keys(lines["entry"])
    _refuse(lines, ~keys.str.contains(_URL), path, "is not a URL: write `bad.example/path`, without blanks")
    return hashed(keys)


def _refuse(lines: pl.DataFrame, wrong: pl.Series, path: Path, why: str) -> None:
    if wrong.any():
        line, entry = lines.filter(wrong).row(0)
        raise InputError(f"list {path}, line {line}: {entry[:80]!r} {why}")


def _sorted(parts: Sequence[Hashes]) -> Hashes:
    hashes: Hashes = np.sort(np.concatenate([np.empty(0, np.uint64), *parts]))
    return hashes

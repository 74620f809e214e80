"""Bad words: drops pages that contain a word or phrase from your own list.

Source: Raffel et al. 2020 (C4), section 2.2, and Xue et al. 2021 (mC4), as datatrove implements them (`C4BadWordsFilter`): text and list
are compared in lower case, and an entry counts only if no letter, number or underscore touches it. C4 used the lists of LDNOOBW ("List of
Dirty, Naughty, Obscene, and Otherwise Bad Words"), one per language; this project ships no list.

    hits    number of occurrences of entries; overlapping and nested occurrences count too
    first   the entry that occurs first in the text; the longest one if several begin there

A list is a UTF-8 text file with one word or phrase per line, like LDNOOBW's; blank lines and the spaces around an entry are ignored.
Without a list nothing is measured: hits is null, and no document is dropped.

Differences from datatrove: entries are also converted to lower case (datatrove never finds an entry with a capital letter); lists do not
depend on a document's language; datatrove can keep a random share of the matching pages.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import pyarrow as pa

from curation.arrays import Table
from curation.choices import Count
from curation.errors import InputError
from curation.storage.digests import digest_of_file
from curation.storage.resources import resolve, resolve_at_most
from curation.text.phrases import Phrases, lower_cased
from curation.text.text import Text
from filters.contract import Filter, Rule, Signals, Threshold, above

_MOST_BYTES = 16 << 20
"""The largest size of a list in bytes: published lists have a few kB, and the automaton takes a hundred times a list's size."""


@dataclass(frozen=True)
class BadWords(Filter):
    """Drops texts that contain an entry of a list.

    lists         files with the entries: local paths, or `<package>:<file>`
    within_words  also count entries inside words: for lists in Japanese, Thai or Chinese, which have no spaces between words
    max_hits      0: a single entry drops the text
    """

    lists: tuple[str, ...] = ()
    within_words: bool = False
    max_hits: Threshold[Count] = 0

    signal_types: ClassVar[Mapping[str, pa.DataType]] = {"hits": pa.int32(), "first": pa.string()}
    file_fields: ClassVar[frozenset[str]] = frozenset({"lists"})
    needs_files: ClassVar[bool] = True
    examples: ClassVar[tuple[tuple[str, str | None], ...]] = (("A text is not judged where no list is named.", None),)

    def files(self) -> Mapping[str, str]:
        """Return the digest of each list under its number and name."""
        return {f"{number} {resolve(path).name}": digest for number, (path, digest) in enumerate(self._digests())}

    def _digests(self) -> tuple[tuple[str, str], ...]:
        states = ((path, resolve(path).stat()) for path in self.lists)
        return tuple((path, _digest(path, state.st_size, state.st_mtime_ns)) for path, state in states)

    def signals(self, text: Text, documents: Table) -> Signals:  # noqa: ARG002
        """Find all entries at once with an automaton that each process builds once."""
        if not self.lists:
            return {name: pa.nulls(len(text), kind) for name, kind in self.signal_types.items()}
        entries, phrases = _automaton(self._digests())
        found = phrases.find(lower_cased(text), flanked=not self.within_words)
        return {"hits": found.hits, "first": pa.array(np.array(entries, object)[found.first], pa.string(), mask=found.first < 0)}

    def rules(self) -> Mapping[str, Rule]:
        """Return the only rule, with the first entry found as evidence."""
        return {"holds_bad_word": above("hits", self.max_hits, ("first",))}


@lru_cache(maxsize=256)
def _digest(path: str, size: int, modified: int) -> str:  # noqa: ARG001  (a file that changes is read again)
    return digest_of_file(resolve(path))


@lru_cache(maxsize=4)
def _automaton(lists: tuple[tuple[str, str], ...]) -> tuple[list[str], Phrases]:
    """Return the distinct entries of the lists (path, digest) and their automaton. Raises InputError for a file that is not a list."""
    entries: dict[str, None] = {}
    for path, _ in lists:
        try:
            lines = resolve_at_most(path, _MOST_BYTES, "a list of bad words").read_text("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise InputError(f"bad_words: {path} is not UTF-8 text: {error}") from error
        held = dict.fromkeys(line.strip().lower() for line in lines if line.strip())
        if not held:
            raise InputError(f"bad_words: {path} holds no entry; write one word or phrase per line")
        entries |= held
    return list(entries), Phrases.of(list(entries))

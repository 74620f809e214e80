"""Bad words: drops pages that hold a word or phrase of a list of your own.

Source: Raffel et al. 2020 (C4), section 2.2, and Xue et al. 2021 (mC4), in datatrove's reading (`C4BadWordsFilter`): text and list are
compared in lower case, and an entry counts only where no letter, number or underscore touches it. C4 took the lists of LDNOOBW ("List of
Dirty, Naughty, Obscene, and Otherwise Bad Words"), one a language; no list comes with this project.

    hits    how often entries occur; one inside or across another counts too
    first   the entry that begins first in the text, and of several the longest

A list is a UTF-8 text file with one word or phrase a line, as LDNOOBW's are; blank lines and the space around an entry are none. Where no
list is named, nothing is measured: hits is null, and no document is dropped.

Where we differ from datatrove: entries are brought to lower case too (there, one that holds a capital is never found); lists do not depend
on a document's language; datatrove may keep a share of the pages by chance.

Measured on one core that others shared, with a list of 400 entries: 150 MB/s of English web text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from curation.errors import InputError
from curation.storage.digests import digest_of_file
from curation.storage.resources import resolve, resolve_at_most
from curation.text.phrases import Phrases, lower_cased
from curation.text.text import Text
from filters.contract import Filter, Rule, Signals, above

_MOST_BYTES = 16 << 20
"""Most bytes of a list: the published ones have some kB, and the automaton takes a hundred times a list's bytes."""


@dataclass(frozen=True)
class BadWords(Filter):
    """Drops texts that hold an entry of a list.

    lists         files of entries, all looked for: local paths, or `<package>:<file>`
    within_words  count an entry wherever it stands: for lists in Japanese, Thai or Chinese, which put no space between words
    max_hits      0, so any entry drops
    """

    lists: tuple[str, ...] = ()
    within_words: bool = False
    max_hits: int = 0

    signal_types: ClassVar[Mapping[str, pa.DataType]] = {"hits": pa.int32(), "first": pa.string()}
    threshold_fields: ClassVar[frozenset[str]] = frozenset({"max_hits"})
    file_fields: ClassVar[frozenset[str]] = frozenset({"lists"})
    examples: ClassVar[tuple[tuple[str, str | None], ...]] = (("A text is not judged where no list is named.", None),)

    def files(self) -> Mapping[str, str]:
        """Return the digest of each list under its number and name."""
        return {f"{number} {resolve(path).name}": digest for number, (path, digest) in enumerate(self._digests())}

    def _digests(self) -> tuple[tuple[str, str], ...]:
        states = ((path, resolve(path).stat()) for path in self.lists)
        return tuple((path, _digest(path, state.st_size, state.st_mtime_ns)) for path, state in states)

    def signals(self, text: Text, documents: Any) -> Signals:  # noqa: ARG002
        """Look for all entries at once, with an automaton that is made once a process."""
        if not self.lists:
            return {name: pa.nulls(len(text), kind) for name, kind in self.signal_types.items()}
        entries, phrases = _automaton(self._digests())
        found = phrases.find(lower_cased(text), flanked=not self.within_words)
        return {"hits": found.hits, "first": pa.array(np.array(entries, object)[found.first], pa.string(), mask=found.first < 0)}

    def rules(self) -> Mapping[str, Rule]:
        """Return the one rule, with the entry that it found first."""
        return {"holds_bad_word": above("hits", self.max_hits, ("first",))}


@lru_cache(maxsize=256)
def _digest(path: str, size: int, modified: int) -> str:  # noqa: ARG001  (a file that changes is read again)
    return digest_of_file(resolve(path))


@lru_cache(maxsize=4)
def _automaton(lists: tuple[tuple[str, str], ...]) -> tuple[list[str], Phrases]:
    """Return the entries of the lists (path, digest), each once, and their automaton. Raises InputError for a file that is no list."""
    entries: dict[str, None] = {}
    for path, _ in lists:
        try:
            lines = resolve_at_most(path, _MOST_BYTES, "a list of bad words").read_text("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise InputError(f"bad_words: {path} is not UTF-8 text: {error}") from error
        held = dict.fromkeys(line.strip().lower() for line in lines if line.strip())
        if not held:
            raise InputError(f"bad_words: {path} holds no entry; write one word or phrase a line")
        entries |= held
    return list(entries), Phrases.of(list(entries))

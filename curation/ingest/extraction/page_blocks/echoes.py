"""Echoes: how much of a block repeats what its page says about itself. Text that a description or JSON-LD repeats is the page's subject.

The words and pairs of words of a page's names, descriptions and JSON-LD bodies go into a hash table; the words and pairs of each block are
looked up in it. Only counts leave this module, so weights carry no text.

Words are runs of ASCII letters (in lower case), digits and non-ASCII bytes. A character reference separates words.

Invariant: time is linear in the page and its declarations, whatever the hashes of its words are: a chain longer than `LONGEST_CHAIN` is not
followed further, which can lose an echo but has no other effect.
"""

from typing import Any, NamedTuple

import numpy as np

from curation.ingest.extraction.declared import DeclaredTexts
from curation.ingest.extraction.page_blocks.cutting import Cut
from curation.ingest.extraction.page_blocks.vocabulary import SEED, STEP, words_of
from curation.text.kernels import inline_kernel, kernel

ECHO_NAMES = words_of(
    "pairs_in_descriptions pairs_in_bodies words_in_names words_in_any pairs_in_any description_words body_words from_loudest has_loudest "
    "from_title has_title share_of_echo"
)
"""Names of the columns: shares of the block's own words and pairs; counts; how many blocks it stands behind the one with most pairs, and
behind the first that reads like a name of the page; its share of all pairs that the page repeats."""

N_ECHOES = len(ECHO_NAMES)
LONGEST_CHAIN = 64
FEWEST_PAIRS = 3
"""Pairs that the loudest block shares at least."""

NAMED = 0.7
"""Share of words from which a block reads like a name of the page."""

FAR = 99
"""Blocks from which all distances are alike; twice as many from the name."""

_WORDS, _PAIRS, _IN_NAMES, _WORDS_IN_ANY, _IN_DESCRIPTIONS, _IN_BODIES, _PAIRS_IN_ANY = range(7)
_COUNTS = 7
_NAME, _DESCRIPTION, _BODY = 1, 2, 4
PAIR_STEP = np.uint64(0x9E3779B97F4A7C15)


class Echoes(NamedTuple):
    """Counts of words and pairs, one row a block, and the numbers of words in the page's names, descriptions and bodies."""

    counts: Any
    declared_words: tuple[int, int, int]

    def joined(self, places: Any, blocks: int) -> "Echoes":
        """Return the counts of blocks that are scored together: block k is scored as block `places[k]` of `blocks`."""
        if isinstance(places, slice):
            return self
        counts = np.zeros((blocks, _COUNTS), np.int32)
        np.add.at(counts, places, self.counts)
        return self._replace(counts=counts)


def echoes_of(page: Cut, texts: DeclaredTexts) -> Echoes:
    """Count what the blocks of a page share with its declarations."""
    declared = [np.frombuffer(text.encode("utf-8", "replace"), np.uint8) for text in texts]
    size = 1 << (4 * sum(map(len, declared)) // 3 + 16).bit_length()
    keys, bits = np.zeros(size, np.uint64), np.zeros(size, np.uint8)
    names, descriptions, bodies = (_note(text, kind, keys, bits) for text, kind in zip(declared, (_NAME, _DESCRIPTION, _BODY), strict=True))
    counts = np.zeros((len(page.blocks), _COUNTS), np.int32)
    _count(page.page, page.runs, keys, bits, counts)
    return Echoes(counts, (names, descriptions, bodies))


@inline_kernel
def _is_in_word(byte: int) -> bool:
    return byte >= 0x80 or 0x61 <= byte <= 0x7A or 0x41 <= byte <= 0x5A or 0x30 <= byte <= 0x39


@inline_kernel
def _place_of(key: Any, keys: Any) -> int:
    """Return the position where a key is or may be inserted; -1 if the chain is too long."""
    mask = np.uint64(len(keys) - 1)
    mixed = key ^ (key >> np.uint64(32))
    for step in range(LONGEST_CHAIN):
        place = (mixed + np.uint64(step)) & mask
        if keys[place] == 0 or keys[place] == key:
            return np.int64(place)  # type: ignore[return-value]
    return np.int64(-1)  # type: ignore[return-value]


@inline_kernel
def _put(key: Any, bit: int, keys: Any, bits: Any) -> None:
    place = _place_of(key, keys)
    if place >= 0:
        keys[place] = key
        bits[place] |= bit


@inline_kernel
def _got(key: Any, keys: Any, bits: Any) -> int:
    place = _place_of(key, keys)
    return bits[place] if place >= 0 else 0


@kernel
def _note(text: Any, kind: int, keys: Any, bits: Any) -> int:
    """Insert a text's words and pairs into the table; return its number of words."""
    words, before, word = 0, SEED, SEED
    for i in range(len(text) + 1):
        byte = text[i] if i < len(text) else 0x20
        if _is_in_word(byte):
            word = (word ^ np.uint64(byte | 0x20)) * STEP
        elif word != SEED:
            _put(word, kind, keys, bits)
            if words:
                _put((before * PAIR_STEP) ^ word, kind, keys, bits)
            words += 1
            before, word = word, SEED
    return words


@kernel
def _count(page: Any, runs: Any, keys: Any, bits: Any, counts: Any) -> None:
    """Count for each block its words and pairs, and those that are in the table."""
    block, before, word = -1, SEED, SEED
    for k in range(len(runs) + 1):
        begins, ends, own = (runs[k, 0], runs[k, 1], runs[k, 2]) if k < len(runs) else (0, 0, -1)
        if own != block or begins < 0:
            if word != SEED:
                _look_up(before, word, counts[block], keys, bits)
            before, word = (word if word != SEED else before) if own == block else SEED, SEED
            block = own
        i = begins
        while 0 <= i < ends:
            byte = page[i]
            if _is_in_word(byte):
                word = (word ^ np.uint64(byte | 0x20)) * STEP
                i += 1
                continue
            if word != SEED:
                _look_up(before, word, counts[block], keys, bits)
                before, word = word, SEED
            i += 1
            if byte == 0x26:  # a character reference: &amp; &lt; &gt; &nbsp;
                ahead = i
                while ahead < min(ends, i + 5) and page[ahead] != 0x3B:
                    ahead += 1
                i = ahead if ahead < ends and page[ahead] == 0x3B else i


@inline_kernel
def _look_up(before: Any, word: Any, counts: Any, keys: Any, bits: Any) -> None:
    """Count a word, and the pair of it and the word before, if there is one."""
    found = _got(word, keys, bits)
    counts[_WORDS] += 1
    counts[_IN_NAMES] += found & _NAME != 0
    counts[_WORDS_IN_ANY] += found & (_DESCRIPTION | _BODY) != 0
    if before != SEED:
        counts[_PAIRS] += 1
        if found & (_DESCRIPTION | _BODY) == 0:  # nor is any pair with it
            return
        found = _got((before * PAIR_STEP) ^ word, keys, bits)
        counts[_IN_DESCRIPTIONS] += found & _DESCRIPTION != 0
        counts[_IN_BODIES] += found & _BODY != 0
        counts[_PAIRS_IN_ANY] += found & (_DESCRIPTION | _BODY) != 0


@kernel
def fill_echoes(counts: Any, declared_words: Any, table: Any, at: int) -> None:
    """Fill the columns `ECHO_NAMES` of each block, from column `at` of `table` on."""
    count, loudest, title, total = len(counts), -1, -1, 0
    for k in range(count):
        own = counts[k]
        total += own[_PAIRS_IN_ANY]
        if own[_PAIRS_IN_ANY] > (counts[loudest, _PAIRS_IN_ANY] if loudest >= 0 else FEWEST_PAIRS - 1):
            loudest = k
        if title < 0 and own[_WORDS] >= 2 and own[_IN_NAMES] >= NAMED * own[_WORDS]:
            title = k
    for k in range(count):
        own, row = counts[k], table[k]
        words, pairs = max(1, own[_WORDS]), max(1, own[_PAIRS])
        row[at], row[at + 1] = own[_IN_DESCRIPTIONS] / pairs, own[_IN_BODIES] / pairs
        row[at + 2], row[at + 3], row[at + 4] = own[_IN_NAMES] / words, own[_WORDS_IN_ANY] / words, own[_PAIRS_IN_ANY]
        row[at + 5], row[at + 6] = declared_words[1], declared_words[2]
        row[at + 7] = min(FAR, max(-FAR, k - loudest)) if loudest >= 0 else 0
        row[at + 8] = loudest >= 0
        row[at + 9] = min(2 * FAR, max(-2 * FAR, k - title)) if title >= 0 else 0
        row[at + 10] = title >= 0
        row[at + 11] = own[_PAIRS_IN_ANY] / max(1, total)

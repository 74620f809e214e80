"""Sums the rows of a fastText model that a text selects by its words, subwords and word n-grams, without the GIL.

The rules are fastText's: a token ends at a space, tab, line break, vertical tab, form feed, carriage return or zero byte; a text ends with
`</s>`; tokens that start with `__label__` are not words; hashes have 32 bits (FNV-1a over signed bytes); n-grams share buckets.

Tokens are processed in blocks of up to 256. Each step is a loop of its own, without branches where possible: token bounds from bit masks,
the first eight bytes of each token, its two hashes (vectorized where the processor allows it), its row, then the rows of each order of
n-grams. So no step waits for the memory accesses or the mispredicted branches of another.

Invariants
    - A sum depends on the text and the model alone and takes time linear in the text's bytes, whatever the model's settings are.
    - A word is recognised by its hash, not by its letters: by 32 bits and by its position in the table.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from curation.arrays import Bytes, Floats, Hashes, Integers
from curation.text.column import Offsets
from curation.text.kernels import inline_kernel, kernel
from curation.text.simd import BLOCK, copy_block, load_part, lower_bound, lowest_bit, mask_between, mask_of
from curation.text.words import hash_bytes
from filters.support.fasttext_file import Weights, short_name

_TOKENS = 256
"""Tokens in a block."""
_HELD, _MOST_AT_ONCE = 1024, 64
"""Rows of subwords that are collected before they are added, and the maximum number of subwords that start at one letter."""
_WIDE = 16
"""From this many columns on, rows are added one at a time."""
_SEED, _PRIME = np.uint32(2166136261), np.uint32(16777619)
_JOIN = np.uint64(116049371)
_TAG, _ROW = np.uint64(0xFFFFFFFF00000000), np.uint64(0xFFFFFFFF)
_NONE, _ONE, _ALL, _LAST = np.uint64(0), np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(BLOCK - 1)
_LABEL, _LABEL_END = np.uint64(int.from_bytes(b"__label_", "little")), ord("_")
_END = np.frombuffer(b"</s>", np.uint8)


def table_of(names: Hashes) -> Hashes:
    """Return an open-addressing hash table of words. A slot holds the upper half of a word's hash and its row plus 1; a free slot holds 0.

    Raises ValueError for hashes that collide far more often than chance allows.
    """
    size = 64
    while size < 2 * len(names):
        size *= 2
    slots = np.zeros(size, np.uint64)
    if not _fill(names, slots, 8 * len(names) + 64):
        raise ValueError("its words collide more often than the words of a trained model do")
    return slots


def sum_rows(
    data: Bytes,
    offsets: Offsets,
    slots: Hashes,
    words: int,
    left: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]] | None,
    reading: tuple[int, int, int, int],
    rows: Weights,
) -> tuple[Floats, Integers]:
    """Return the sum of the rows of each text's features, and their number.

    `left`: the remaining buckets of a pruned model, in ascending order, and the position of each. `reading`: the words of the longest
    n-gram, the number of buckets, and the letters of the shortest and of the longest subword.
    """
    sums, counts = np.zeros((len(offsets) - 1, rows.shape[1])), np.zeros(len(offsets) - 1, np.int64)
    nothing = np.empty(0, np.int32)
    buckets, places = left or (nothing, nothing)
    _sum_rows(data, offsets, _END, slots, words, buckets, places, left is not None, *reading, rows, sums, counts)
    return sums, counts


@inline_kernel
def _place(name: Any, size: Any) -> Any:
    return np.int64((name * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & (size - 1)


@inline_kernel
def _find(slots: Hashes, name: Any) -> Any:
    """Return the row of a word, or -1 if it is unknown."""
    place = _place(name, len(slots))
    entry = slots[place]
    while entry != _NONE and (entry ^ name) & _TAG != _NONE:
        place = (place + 1) & (len(slots) - 1)
        entry = slots[place]
    return np.int64(entry & _ROW) - 1


@kernel
def _fill(names: Hashes, slots: Hashes, most_collisions: int) -> bool:
    """Fill the table; return whether it took no more collisions than allowed (chance makes at most one for every two words)."""
    for word in range(len(names)):
        place = _place(names[word], len(slots))
        while slots[place] != _NONE:
            most_collisions -= 1
            if most_collisions < 0:
                return False
            place = (place + 1) & (len(slots) - 1)
        slots[place] = (names[word] & _TAG) | np.uint64(word + 1)
    return True


@inline_kernel
def _bucket_row(value: Any, buckets: int, words: int) -> Any:
    """Return the row of an n-gram with this hash in a model that is not pruned."""
    return words + np.int64(value % np.uint64(buckets))


@kernel
def _find_left(found: Integers, held: Any, words: int, left: Any, left_places: Any) -> Any:
    """Translate rows of n-grams into those of a pruned model, and remove those that it lacks; return how many remain."""
    kept = np.int64(0)
    for place in range(held):
        bucket = found[place] - words
        at = lower_bound(left, bucket)
        if at < len(left) and left[at] == bucket:
            found[kept] = words + np.int64(left_places[at])
            kept += 1
    return kept


@kernel
def _add(rows: Weights, found: Integers, held: Any, sums: Floats) -> None:
    """Add the collected rows to a text's sums: narrow rows column by column, so that a sum stays in a register, wide ones row by row."""
    if rows.shape[1] < _WIDE:
        for column in range(rows.shape[1]):
            total = 0.0
            for place in range(held):
                total += rows[found[place], column]
            sums[column] += total
        return
    for place in range(held):
        row = found[place]
        for column in range(rows.shape[1]):
            sums[column] += rows[row, column]


@inline_kernel
def _next_hash(value: Any, byte: Any) -> Any:
    """Return fastText's hash of a token extended by one signed byte."""
    return np.uint32((value ^ np.uint32(byte)) * _PRIME)


@inline_kernel
def _find_edges(data: Bytes, place: Any, stop: Any, outside: Any, edges: Integers, count: Any, spare: Bytes) -> tuple[Any, Any, Any]:
    """Write the starts and ends of tokens, alternately, from `place` on, as many as fit.

    Returns the number of edges, the place to continue from, and a mask. Its highest bit says whether the byte before that place is outside.
    """
    while place < stop and count <= len(edges) - BLOCK - 2:
        if place + BLOCK <= len(data):
            space = mask_of(data, place, 32) | mask_between(data, place, 9, 13) | mask_of(data, place, 0)
        else:
            copy_block(data, place, stop, spare)
            space = mask_of(spare, 0, 32) | mask_between(spare, 0, 9, 13) | mask_of(spare, 0, 0)
        if stop - place < BLOCK:
            space |= _ALL << np.uint64(stop - place)
        changes = space ^ (space << _ONE | outside >> _LAST)
        while changes != _NONE:
            edges[count] = place + lowest_bit(changes)
            changes &= changes - _ONE
            count += 1
        outside = space
        place += BLOCK
    return count, place, outside


@inline_kernel
def _hash_tokens(data: Bytes, edges: Integers, tokens: Any, heads: Hashes, names: Hashes, firsts: Any) -> None:
    """Fill each token's first eight bytes, the 64-bit hash that looks up its word, and fastText's hash."""
    for token in range(tokens):
        begin, end = edges[2 * token], edges[2 * token + 1]
        heads[token] = load_part(data, begin, min(begin + 8, end))
    for token in range(tokens):  # the compiler vectorizes this loop
        head, size = heads[token], edges[2 * token + 1] - edges[2 * token]
        value = _SEED
        for at in range(8):
            longer = _next_hash(value, np.int64(head << np.uint64(56 - 8 * at)) >> np.int64(56))
            value = longer if at < size else value
        firsts[token] = value
        names[token] = short_name(head, size)
    for token in range(tokens):
        begin, end = edges[2 * token], edges[2 * token + 1]
        if end - begin > 8:
            value = firsts[token]
            for place in range(begin + 8, end):
                value = _next_hash(value, np.int8(data[place]))
            firsts[token] = value
            names[token] = hash_bytes(data, begin, end)[0]


@kernel
def _add_subwords(
    data: Bytes, begin: int, end: int, shortest: int, longest: int, buckets: int, words: int, left: Any, left_places: Any,
    is_pruned: bool, rows: Weights, found: Integers, sums: Floats,
) -> Any:  # fmt: skip
    """Add the rows of a token's subwords; return their number."""
    length = end - begin
    count, held = np.int64(0), np.int64(0)
    for start in range(-1, length + 1):  # "<" stands at -1, ">" at length
        if 0 <= start < length and data[begin + start] & 0xC0 == 0x80:
            continue
        if held > len(found) - _MOST_AT_ONCE:
            if is_pruned:
                held = _find_left(found, held, words, left, left_places)
            _add(rows, found, held, sums)
            count, held = count + held, np.int64(0)
        value = _SEED
        letter, size = start, 1
        while letter <= length and size <= longest:
            byte = np.uint8(60) if letter == -1 else (np.uint8(62) if letter == length else data[begin + letter])
            value = _next_hash(value, np.int8(byte))
            letter += 1
            while 0 <= letter < length and data[begin + letter] & 0xC0 == 0x80:
                value = _next_hash(value, np.int8(data[begin + letter]))
                letter += 1
            if size >= shortest and not (size == 1 and (start == -1 or letter == length + 1)):
                found[held] = _bucket_row(np.uint64(value), buckets, words)
                held += 1
            size += 1
    if is_pruned:
        held = _find_left(found, held, words, left, left_places)
    _add(rows, found, held, sums)
    return count + held


@kernel
def _add_ngrams(
    own: Hashes, tokens: Any, before: Any, last: Hashes, joined: Hashes, word_ngrams: int, buckets: int, words: int, left: Any,
    left_places: Any, is_pruned: bool, rows: Weights, found: Integers, sums: Floats,
) -> Any:  # fmt: skip
    """Add the rows of the n-grams that end in a block of tokens, given the tokens' hashes; return their number.

    `before` is the number of tokens in earlier blocks. `last` holds, for each order, the hash of the n-gram that ends the previous block;
    this call replaces it by that of this block.
    """
    count = np.int64(0)
    for token in range(tokens):
        joined[token] = own[token]
    for order in range(1, word_ngrams):  # n-grams of `order` words grow by one word
        carried, last[order - 1] = last[order - 1], joined[tokens - 1]
        for token in range(tokens - 1, 0, -1):
            joined[token] = joined[token - 1] * _JOIN + own[token]
        joined[0] = carried * _JOIN + own[0]
        held = np.int64(0)
        for token in range(max(0, order - before), tokens):
            found[held] = _bucket_row(joined[token], buckets, words)
            held += 1
        if is_pruned:
            held = _find_left(found, held, words, left, left_places)
        _add(rows, found, held, sums)
        count += held
    return count


@kernel
def _sum_rows(
    data: Bytes,
    offsets: Offsets,
    end_token: Bytes,
    slots: Hashes,
    words: int,
    left: npt.NDArray[np.int32],
    left_places: npt.NDArray[np.int32],
    is_pruned: bool,
    word_ngrams: int,
    buckets: int,
    shortest: int,
    longest: int,
    rows: Weights,
    sums: Floats,
    counts: Integers,
) -> None:
    """Fill the sum of the rows of each text's features, and their number."""
    edges, spare = np.empty(2 * _TOKENS, np.int64), np.zeros(BLOCK, np.uint8)
    heads, names, joined = np.empty((3, _TOKENS + 1), np.uint64)
    own, firsts = np.empty(_TOKENS + 1, np.uint64), np.empty(_TOKENS + 1, np.uint32)
    known, found, of_subwords = np.empty((3, _HELD), np.int64)
    last = np.zeros(word_ngrams, np.uint64)
    end_name = short_name(load_part(end_token, 0, 4), 4)
    end_first = _SEED
    for byte in end_token:
        end_first = _next_hash(end_first, byte)
    for text in range(len(offsets) - 1):
        place, stop, outside = offsets[text], offsets[text + 1], _ALL
        seen, edge = np.int64(0), np.int64(0)
        is_open = True
        while is_open:
            edge, place, outside = _find_edges(data, place, stop, outside, edges, edge, spare)
            if place >= stop:
                edges[edge] = stop  # where the last token ends, if it is open
                edge += edge & 1
                is_open = False
            tokens = edge >> 1
            _hash_tokens(data, edges, tokens, heads, names, firsts)
            for token in range(tokens):
                known[token] = _find(slots, names[token])
            kept, held = np.int64(0), np.int64(0)
            for token in range(tokens):
                row, begin, end = known[token], edges[2 * token], edges[2 * token + 1]
                if row < 0 and heads[token] == _LABEL and end - begin > 8 and data[begin + 8] == _LABEL_END:
                    continue
                if names[token] == end_name:
                    is_open = False
                    break
                own[kept] = np.uint64(np.int64(np.int32(firsts[token])))
                kept += 1
                found[held] = row
                held += np.int64(row >= 0)
                if longest > 0:
                    counts[text] += _add_subwords(
                        data, begin, end, shortest, longest, buckets, words, left, left_places, is_pruned, rows, of_subwords, sums[text]
                    )  # fmt: skip
            if not is_open:
                own[kept] = np.uint64(np.int64(np.int32(end_first)))
                kept += 1
                row = _find(slots, end_name)
                found[held] = row
                held += np.int64(row >= 0)
            _add(rows, found, held, sums[text])
            counts[text] += held
            if kept > 0:
                counts[text] += _add_ngrams(
                    own, kept, seen, last, joined, word_ngrams, buckets, words, left, left_places, is_pruned, rows, found, sums[text]
                )
            seen = min(seen + kept, np.int64(word_ngrams))
            edges[0] = edges[edge - 1]
            edge &= 1

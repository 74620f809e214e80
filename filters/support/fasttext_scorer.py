"""Scoring with other people's fastText models, equal to `fasttext.predict`, on many texts at a time and without the GIL.

fastText averages the vectors of a text's words, subwords and word n-grams, and multiplies the average by the output matrix. Where a model
has fewer labels than dimensions, that product is made once for every row of the input ("folded"), so that a text is a sum of few numbers;
otherwise the rows are added first.

What fastText does, and so do we: a token ends at a space, tab, line break, vertical tab, form feed or zero; the text ends with `</s>`;
tokens that begin with `__label__` are no words; hashes are 32 bits, of bytes with their sign; n-grams share buckets; every probability
gets 1e-5 more (for a Huffman tree, at every node); one-vs-all reads its sigmoid from a table of 512 steps. A line break within a text is
a space, as whoever calls `predict` has to make it.

Invariants
    - A score depends on the text alone; texts cost time linear in their bytes, whatever the model says.
    - A word is known by its hash, not by its letters: by 32 bits and by its place in the table.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.arrays import Bytes, Floats, Hashes, Integers
from curation.text.column import Offsets, TextColumn
from curation.text.kernels import inline_kernel, kernel
from filters.support.fasttext_file import HIERARCHICAL, MOST_COUNTED, SOFTMAX, FastTextFile, Quantized, Weights, joined_hash, next_hashes

LITTLE = 1e-5
"""What fastText adds to a probability before it takes its logarithm."""
_PREFIX = np.frombuffer(b"__label__", np.uint8)
_END = np.frombuffer(b"</s>", np.uint8)
_CHUNK = 1 << 18
_HELD, _MOST_AT_ONCE = 4096, 64
"""Rows that are found before they are added up, and how many a token or a place in it adds at most."""
_BLOCK = 256
"""Tokens that are read before they are looked up."""
_TAG, _ROW = np.uint64(0xFFFFFFFF00000000), np.uint64(0xFFFFFFFF)
_LARGEST = 1e9
"""No weight is larger, nor a product of two."""
_SIGMOID_STEPS, _SIGMOID_END = 512, 8


@dataclass(frozen=True, eq=False)
class FastTextScorer:
    """A model made ready: where its words are found, and the rows that are added up."""

    file: FastTextFile
    rows: Weights
    is_folded: bool
    slots: Hashes
    """A table in which a word is found by its name: the upper half of that, and 1 more than its row; 0 in a free place."""
    left: npt.NDArray[np.int32]
    """The buckets that a pruned model has left, rising, ..."""
    left_places: npt.NDArray[np.int32]
    """... and the place of each."""

    def probabilities(self, text: TextColumn) -> Floats:
        """Return the probability of each label for each text, as `fasttext.predict` tells it; NaN where a text has nothing that counts."""
        settings = self.file.settings
        sums, counts = np.zeros((len(text), self.rows.shape[1])), np.zeros(len(text), np.int64)
        is_pruned = self.file.pruned is not None
        _add_rows(
            text.data, text.offsets, _PREFIX, _END, self.slots, len(self.file.names), self.left, self.left_places, is_pruned,
            settings.buckets, settings.word_ngrams, settings.shortest, settings.longest, self.rows, sums, counts,
        )  # fmt: skip
        with np.errstate(invalid="ignore"):
            means = sums / np.where(counts > 0, counts, np.nan)[:, None]
        outputs = means if self.is_folded else means @ self.file.output.astype(np.float64).T
        if settings.loss == SOFTMAX:
            powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
            found: Floats = powers / powers.sum(axis=1, keepdims=True) + LITTLE
            return found
        if settings.loss == HIERARCHICAL:
            return _down_the_tree(outputs, self.file.label_counts)
        return _through_table(outputs) + LITTLE


def fasttext_scorer(file: FastTextFile) -> FastTextScorer:
    """Make a model ready. Raises ValueError where a weight is no number."""
    folds = len(file.output) < file.settings.dimensions
    with np.errstate(all="ignore"):  # what overflows is looked for below
        if isinstance(file.input, Quantized):
            rows = file.input.times(file.output if folds else None)
        elif folds:
            pieces = [file.input[place : place + _CHUNK] @ file.output.T for place in range(0, max(1, len(file.input)), _CHUNK)]
            rows = np.concatenate(pieces)
        else:
            rows = file.input
    if not (np.abs(rows) < _LARGEST).all() or not (np.abs(file.output) < _LARGEST).all():
        raise ValueError("a weight is not a number")
    size = 64
    while size < 4 * len(file.names):
        size *= 2
    slots = np.zeros(size, np.uint64)
    if not _fill(file.names, slots, 8 * len(file.names) + 64):
        raise ValueError("its words collide as those of no training do")
    pruned = np.empty((0, 2), np.int32) if file.pruned is None else file.pruned.reshape(-1, 2)
    of_left = np.argsort(pruned[:, 0], kind="stable")
    return FastTextScorer(
        file,
        np.ascontiguousarray(rows),
        folds,
        slots,
        np.ascontiguousarray(pruned[of_left, 0]),
        np.ascontiguousarray(pruned[of_left, 1]),
    )


def _through_table(outputs: Floats) -> Floats:
    """Return fastText's sigmoid: a table of 512 steps from -8 to 8, 0 below and 1 above."""
    steps = (np.clip(np.nan_to_num(outputs), -_SIGMOID_END, _SIGMOID_END) + _SIGMOID_END) * _SIGMOID_STEPS / _SIGMOID_END / 2
    inside = 1 / (1 + np.exp(-(np.floor(steps) * 2 * _SIGMOID_END / _SIGMOID_STEPS - _SIGMOID_END)))
    found = np.where(outputs < -_SIGMOID_END, 0.0, np.where(outputs > _SIGMOID_END, 1.0, inside))
    return np.where(np.isnan(outputs), np.nan, found)


def _down_the_tree(outputs: Floats, counts: Integers) -> Floats:
    """Return the probabilities of a Huffman tree's leaves (fastText's `HierarchicalSoftmaxLoss.buildTree`)."""
    leaves = len(counts)
    weights = np.concatenate([counts, np.full(max(leaves - 1, 0), MOST_COUNTED)])
    parents, is_right = np.full(2 * leaves - 1, -1), np.zeros(2 * leaves - 1, bool)
    leaf, node = leaves - 1, leaves
    for made in range(leaves, 2 * leaves - 1):
        chosen = []
        for side in range(2):
            if leaf >= 0 and weights[leaf] < weights[node]:
                child, leaf = leaf, leaf - 1
            else:
                child, node = node, node + 1
            parents[child], is_right[child] = made, bool(side)
            chosen.append(child)
        weights[made] = weights[chosen].sum()
    logs = np.zeros((len(outputs), 2 * leaves - 1))
    chances = 1 / (1 + np.exp(-np.clip(outputs, -500, 500)))
    for child in range(2 * leaves - 3, -1, -1):
        chance = chances[:, parents[child] - leaves]
        logs[:, child] = logs[:, parents[child]] + np.log((chance if is_right[child] else 1 - chance) + LITTLE)
    return np.exp(logs[:, :leaves])


@inline_kernel
def _place(name: Any, size: Any) -> Any:
    return np.int64((name * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & (size - 1)


@inline_kernel
def _find(slots: Hashes, name: Any) -> Any:
    """Return the row of a word, -1 where it is not known."""
    place = _place(name, len(slots))
    entry = slots[place]
    while entry != np.uint64(0) and (entry ^ name) & _TAG != np.uint64(0):
        place = (place + 1) & (len(slots) - 1)
        entry = slots[place]
    return np.int64(entry & _ROW) - 1


@kernel
def _fill(names: Hashes, slots: Hashes, most_collisions: int) -> bool:
    """Fill the table; say whether that took no more collisions than allowed (by chance, one for six words)."""
    for word in range(len(names)):
        place = _place(names[word], len(slots))
        while slots[place] != np.uint64(0):
            most_collisions -= 1
            if most_collisions < 0:
                return False
            place = (place + 1) & (len(slots) - 1)
        slots[place] = (names[word] & _TAG) | np.uint64(word + 1)
    return True


@inline_kernel
def _find_sorted(values: Any, wanted: Any) -> Any:
    """Return the place of a value among rising ones, -1 where it is not there."""
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) >> 1
        if values[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low if low < len(values) and values[low] == wanted else -1


@inline_kernel
def _bucket_row(value: Any, buckets: int, words: int, left: Any, left_places: Any, is_pruned: bool) -> Any:
    """Return the row of an n-gram by its hash, -1 where a pruned model has none."""
    bucket = np.int64(value % np.uint64(buckets))
    if not is_pruned:
        return words + bucket
    place = _find_sorted(left, np.int32(bucket))
    return words + np.int64(left_places[place]) if place >= 0 else np.int64(-1)


@inline_kernel
def _sum_up(rows: Weights, found: Any, held: Any, sums: Any, text: int) -> None:
    """Add the rows that were found to a text's sums."""
    width = rows.shape[1]
    if width == 2:  # the usual case, good or not: both columns in one go
        first, second = 0.0, 0.0
        for place in range(held):
            first += rows[found[place], 0]
            second += rows[found[place], 1]
        sums[text, 0] += first
        sums[text, 1] += second
        return
    for column in range(width):
        total = 0.0
        for place in range(held):
            total += rows[found[place], column]
        sums[text, column] += total


@inline_kernel
def _read_tokens(data: Bytes, place: Any, stop: Any, spaces: Any, firsts: Any, named: Any, begins: Any, ends: Any) -> tuple[Any, Any]:
    """Read tokens of a text from `place` on, as many as there is room for; return how many, and where to go on (past `stop`: no more)."""
    count = np.int64(0)
    while place <= stop and count < len(firsts):
        first, second = np.uint32(2166136261), np.uint64(0xCBF29CE484222325)
        at = place
        while at < stop:
            byte = data[at]
            if byte <= 32 and spaces[byte]:
                break
            first, second = next_hashes(first, second, byte)
            at += 1
        firsts[count], named[count], begins[count], ends[count] = first, joined_hash(first, second), place, at
        count += np.int64(at > place)
        place = at + 1
    return count, place


@inline_kernel
def _is_label(data: Bytes, begin: int, end: int, prefix: Bytes) -> bool:
    same = end - begin >= len(prefix)
    for letter in range(len(prefix) if same else 0):
        same = same and data[begin + letter] == prefix[letter]
    return same


@inline_kernel
def _add_subwords(
    data: Bytes, begin: int, end: int, shortest: int, longest: int, buckets: int, words: int, left: Any, left_places: Any,
    is_pruned: bool, rows: Weights, found: Any, held: Any, count: Any, sums: Any, text: int,
) -> tuple[Any, Any]:  # fmt: skip
    """Find the rows of a token's subwords; return how many rows are held now, and how many were added up before."""
    length = end - begin
    for start in range(-1, length + 1):  # "<" stands at -1, ">" at length
        if 0 <= start < length and data[begin + start] & 0xC0 == 0x80:
            continue
        if held > _HELD - _MOST_AT_ONCE:
            _sum_up(rows, found, held, sums, text)
            count, held = count + held, np.int64(0)
        value = np.uint32(2166136261)
        other = np.uint64(0)
        letter, size = start, 1
        while letter <= length and size <= longest:
            byte = np.uint8(60) if letter == -1 else (np.uint8(62) if letter == length else data[begin + letter])
            value, other = next_hashes(value, other, byte)
            letter += 1
            while 0 <= letter < length and data[begin + letter] & 0xC0 == 0x80:
                value, other = next_hashes(value, other, data[begin + letter])
                letter += 1
            if size >= shortest and not (size == 1 and (start == -1 or letter == length + 1)):
                row = _bucket_row(np.uint64(value), buckets, words, left, left_places, is_pruned)
                found[held] = row
                held += np.int64(row >= 0)
            size += 1
    return held, count


@kernel
def _add_rows(
    data: Bytes,
    offsets: Offsets,
    prefix: Bytes,
    end_token: Bytes,
    slots: Hashes,
    words: int,
    left: npt.NDArray[np.int32],
    left_places: npt.NDArray[np.int32],
    is_pruned: bool,
    buckets: int,
    word_ngrams: int,
    shortest: int,
    longest: int,
    rows: Weights,
    sums: Any,
    counts: Integers,
) -> None:
    """Fill `sums` with the sum of the rows of each text's features, and `counts` with their number.

    Tokens are read block by block, then looked up, then their rows are found, then added: so that each step's memory accesses do not wait
    for one another.
    """
    found = np.empty(_HELD, np.int64)
    last = np.zeros(word_ngrams, np.uint64)
    spaces = np.zeros(33, np.bool_)
    for space in (0, 9, 10, 11, 12, 13, 32):
        spaces[space] = True
    firsts, named = np.empty(_BLOCK, np.uint32), np.empty(_BLOCK, np.uint64)
    begins, ends, known = np.empty((3, _BLOCK), np.int64)
    _read_tokens(end_token, np.int64(0), np.int64(len(end_token)), spaces, firsts, named, begins, ends)
    end_first, end_name = firsts[0], named[0]
    end_row = _find(slots, end_name)
    for text in range(len(offsets) - 1):
        stop = offsets[text + 1]
        place = offsets[text]
        seen, count, held = np.int64(0), np.int64(0), np.int64(0)
        is_open = True
        while is_open:
            tokens, place = _read_tokens(data, place, stop, spaces, firsts, named, begins, ends)
            for token in range(tokens):
                known[token] = _find(slots, named[token])
            if tokens < _BLOCK:  # the text is at its end: the end token follows
                firsts[tokens], named[tokens], known[tokens] = end_first, end_name, end_row
                tokens += 1
            for token in range(tokens):
                if held > _HELD - _MOST_AT_ONCE:
                    _sum_up(rows, found, held, sums, text)
                    count, held = count + held, np.int64(0)
                ends_text = named[token] == end_name
                row = known[token]
                if row < 0 and not ends_text and _is_label(data, begins[token], ends[token], prefix):
                    continue
                found[held] = row
                held += np.int64(row >= 0)
                if longest > 0 and not ends_text:
                    held, count = _add_subwords(
                        data, begins[token], ends[token], shortest, longest, buckets, words, left, left_places, is_pruned, rows, found,
                        held, count, sums, text,
                    )  # fmt: skip
                if word_ngrams > 1:
                    own = np.uint64(np.int64(np.int32(firsts[token])))
                    for back in range(seen - 1, -1, -1):
                        joined = last[back] * np.uint64(116049371) + own
                        last[back + 1] = joined
                        row = _bucket_row(joined, buckets, words, left, left_places, is_pruned)
                        found[held] = row
                        held += np.int64(row >= 0)
                    last[0] = own
                    seen += np.int64(seen < word_ngrams - 1)
                if ends_text:
                    is_open = False
                    break
        _sum_up(rows, found, held, sums, text)
        counts[text] = count + held

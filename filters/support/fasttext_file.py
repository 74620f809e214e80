"""Reads fastText models that other people trained, .bin and .ftz, without fastText: from mapped memory, with every size checked first.

Source: fastText 0.9 (`Args`, `Dictionary`, `DenseMatrix`, `QuantMatrix`, `ProductQuantizer`), file version 12, and 11 without subwords.

    settings     magic, version, twelve 32-bit numbers, one double
    dictionary   words, then labels, each with its count; a pruned model also lists its remaining buckets
    input        a vector for each word, then for each bucket: floats, or bytes that index centroids (Joulin et al. 2016, "FastText.zip")
    output       a row for each label (for a Huffman tree, for each inner node)

Only supervised models are read. Every declared size is checked before anything is allocated, so a damaged file raises ValueError at once.
What can be read but looks damaged is refused too (`filters.support.fasttext_damage`), unless somebody vouches for the file.

Invariant: reading takes time and memory linear in the file's size; a dense input matrix stays in the file.
"""

import struct
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curation.arrays import Bytes, Hashes, Integers
from curation.text.kernels import inline_kernel, kernel
from curation.text.simd import load_part
from curation.text.words import hash_bytes, mix_bits
from filters.support.fasttext_damage import check_dictionary, check_norms, check_remaining, check_unused_settings, check_weights

MOST_COUNTED = 10**15
"""More than the occurrences of all labels together."""
HIERARCHICAL, NEGATIVE, SOFTMAX, ONE_VS_ALL = 1, 2, 3, 4
_MAGIC, _VERSIONS, _SUPERVISED = 793712314, (11, 12), 3
_SETTINGS = struct.Struct("<14id")
_SIZES = struct.Struct("<3i2q")
_LONGEST_SUBWORD, _MOST_WORDS_TOGETHER, _WIDEST, _MOST_LABELS, _MOST_ENTRIES = 32, 16, 4096, 100_000, 100_000_000
_CENTROIDS = 256

Weights = npt.NDArray[np.float32]


class FasttextSettings(NamedTuple):
    """The settings of a model that scoring depends on."""

    dimensions: int
    word_ngrams: int
    loss: int
    buckets: int
    shortest: int
    longest: int


@dataclass(frozen=True, eq=False)
class Quantized:
    """n rows as bytes: byte q of a row is the index of a centroid of part q. Rows may have norms, which are quantized to a byte too."""

    codes: Bytes
    centroids: tuple[Weights, ...]
    """For each part, 256 rows as wide as the part."""
    norm_codes: Bytes | None
    norms: Weights | None

    def times(self, matrix: Weights | None) -> Weights:
        """Return the rows, or their products with the rows of a matrix."""
        found: Any = 0.0
        place, pieces = 0, []
        for part, centroids in enumerate(self.centroids):
            width = centroids.shape[1]
            if matrix is None:
                pieces.append(centroids[self.codes[:, part]])
            else:
                found = found + (centroids @ matrix[:, place : place + width].T)[self.codes[:, part]]
            place += width
        if matrix is None:
            found = np.concatenate(pieces, axis=1)
        if self.norms is not None and self.norm_codes is not None:
            found = found * self.norms[self.norm_codes][:, None]
        return np.ascontiguousarray(found, np.float32)


@dataclass(frozen=True, eq=False)
class FastTextFile:
    """A supervised model: w words, l labels."""

    settings: FasttextSettings
    names: Hashes
    """A hash of each word's bytes (`short_name`), in the order of the rows (w)."""
    labels: tuple[str, ...]
    label_counts: Integers
    pruned: npt.NDArray[np.int32] | None
    """For a pruned model, pairs of a bucket and its position among the remaining ones."""
    input: Weights | Quantized
    output: Weights


class _Reader:
    """A position in a file; every read first checks that enough bytes are left."""

    def __init__(self, data: Bytes) -> None:
        self.data, self.place = data, 0

    def take(self, count: int) -> Bytes:
        if count < 0 or self.place + count > len(self.data):
            raise ValueError(f"it ends before the {count} bytes that should follow at {self.place}")
        self.place += count
        return self.data[self.place - count : self.place]

    def numbers(self, form: struct.Struct) -> tuple[Any, ...]:
        return form.unpack(self.take(form.size).tobytes())

    def yes(self) -> bool:
        (value,) = self.take(1).tolist()
        if value > 1:
            raise ValueError(f"byte {self.place - 1} is {value}, neither 0 nor 1")
        return bool(value)

    def floats(self, rows: int, columns: int) -> Weights:
        content = self.take(rows * columns * 4)
        array = content.view(np.float32) if self.place % 4 == 0 else np.frombuffer(content.tobytes(), np.float32)
        return array.reshape(rows, columns)


def read_fasttext(data: Bytes, trusted: bool = False) -> FastTextFile:
    """Read a model's bytes.

    Raises ValueError if they are not a model that can score, and LooksDamaged if they look damaged and are not trusted.
    """
    reader = _Reader(data)
    magic, version, *numbers, threshold = reader.numbers(_SETTINGS)
    dimensions, window, epochs, least_count, negatives, word_ngrams, loss, kind, buckets, shortest, longest, rate = numbers
    if magic != _MAGIC or version not in _VERSIONS:
        raise ValueError(f"it is not a fastText model of version {' or '.join(map(str, _VERSIONS))}")
    if kind != _SUPERVISED or loss not in (HIERARCHICAL, NEGATIVE, SOFTMAX, ONE_VS_ALL):
        raise ValueError("it is not a supervised fastText model, with labels")
    if version == _VERSIONS[0]:
        longest = 0
    limits = (
        (dimensions, 1, _WIDEST),
        (word_ngrams, 1, _MOST_WORDS_TOGETHER),
        (longest, 0, _LONGEST_SUBWORD),
        (shortest, 0, _LONGEST_SUBWORD),
        (buckets, int(word_ngrams > 1 or longest > 0), 1 << 31),
    )
    if not all(low <= value <= high for value, low, high in limits):
        told = f"{dimensions} dimensions, {word_ngrams} words together, {buckets} buckets, subwords of {shortest} to {longest}"
        raise ValueError(f"no model has such settings: {told}")
    if not trusted:
        check_unused_settings((window, epochs, least_count, negatives, rate), threshold)
    names, labels, counts, pruned = _read_dictionary(reader, trusted)
    words = len(names)
    inputs: Weights | Quantized
    quantized = reader.yes()
    if pruned is not None and not quantized:
        raise ValueError("it is pruned but not quantized")
    rows = words + (buckets if pruned is None else len(pruned) // 2)
    if pruned is not None and not trusted:
        check_remaining(pruned[::2], pruned[1::2], buckets)
    inputs = _read_quantized(reader, rows, dimensions) if quantized else _read_dense(reader, rows, dimensions)
    quantized_output = reader.yes() and quantized
    shape = len(labels), dimensions
    outputs = _read_quantized(reader, *shape) if quantized_output else _read_dense(reader, *shape)
    if reader.place != len(data):
        raise ValueError(f"{len(data) - reader.place} bytes follow its end")
    output = outputs.times(None) if isinstance(outputs, Quantized) else outputs
    if not np.isfinite(output).all() or (isinstance(inputs, Quantized) and not all(np.isfinite(part).all() for part in inputs.centroids)):
        raise ValueError("a weight is not a number")
    if not trusted:
        _check_matrices(inputs, outputs)
    return FastTextFile(
        FasttextSettings(dimensions, word_ngrams, loss, buckets, shortest, longest), names, labels, counts, pruned, inputs, output
    )


def _check_matrices(*matrices: Weights | Quantized) -> None:
    for matrix in matrices:
        if not isinstance(matrix, Quantized):
            check_weights(matrix)
            continue
        for part in matrix.centroids:
            check_weights(part)
        if matrix.norms is not None:
            check_weights(matrix.norms)
            check_norms(matrix.centroids, matrix.norms)


def _read_dictionary(reader: _Reader, trusted: bool) -> tuple[Any, tuple[str, ...], Any, Any]:
    size, words, labels, tokens, pruned_size = reader.numbers(_SIZES)
    if size != words + labels or words < 0 or not 1 <= labels <= _MOST_LABELS or not -1 <= pruned_size <= size + (1 << 31):
        raise ValueError(f"its dictionary declares {size} entries, {words} words and {labels} labels")
    if size * 10 > len(reader.data) - reader.place or size > _MOST_ENTRIES:
        raise ValueError(f"it is too short for {size} words and labels")
    names, starts = np.empty(size, np.uint64), np.empty(size + 1, np.int64)
    if _entries(reader.data, reader.place, words, names, starts) != size:
        raise ValueError("its dictionary does not list all words before the labels")
    reader.place = int(starts[size])
    told, counts = [], []
    for entry in range(words, size):
        content = reader.data[starts[entry] : starts[entry + 1]].tobytes()
        told.append(content[:-10].decode("utf-8", "replace"))
        counts.append(int.from_bytes(content[-9:-1], "little", signed=True))
    if min(counts) < 0 or sum(counts) >= MOST_COUNTED:
        raise ValueError("its labels have impossible counts")
    if not trusted:
        check_dictionary(reader.data, starts, words, tokens, names, told)
    if pruned_size < 0:
        pruned = None
    else:
        pruned = np.frombuffer(reader.take(pruned_size * 8).tobytes(), np.int32)
        if pruned_size and not ((pruned[1::2] >= 0) & (pruned[1::2] < pruned_size)).all():
            raise ValueError("a remaining bucket has no position")
    return names[:words], tuple(told), np.array(counts, np.int64), pruned


def _read_dense(reader: _Reader, rows: int, columns: int) -> Weights:
    there = reader.numbers(struct.Struct("<2q"))
    if there != (rows, columns):
        raise ValueError(f"a matrix is {there[0]} by {there[1]}, not {rows} by {columns}")
    return reader.floats(rows, columns)


def _read_quantized(reader: _Reader, rows: int, columns: int) -> Quantized:
    with_norms = reader.yes()
    *there, size = reader.numbers(struct.Struct("<2qi"))
    if there != [rows, columns] or size < 0 or rows == 0 or size % rows:
        raise ValueError(f"a matrix of bytes is {there[0]} by {there[1]}, not {rows} by {columns}")
    codes = reader.take(size).reshape(rows, size // rows)
    centroids = _read_centroids(reader, columns, size // rows)
    if not with_norms:
        return Quantized(codes, centroids, None, None)
    norm_codes = reader.take(rows)
    return Quantized(codes, centroids, norm_codes, _read_centroids(reader, 1, 1)[0][:, 0])


def _read_centroids(reader: _Reader, columns: int, parts: int) -> tuple[Weights, ...]:
    dimensions, count, width, last = reader.numbers(struct.Struct("<4i"))
    if (dimensions, count) != (columns, parts) or width < 1 or not 1 <= last <= width or (count - 1) * width + last != columns:
        raise ValueError(f"its centroids are {count} parts of {dimensions} numbers, not {parts} of {columns}")
    table = reader.floats(_CENTROIDS, columns).reshape(-1)
    ends = [_CENTROIDS * width * part for part in range(count)] + [_CENTROIDS * columns]
    return tuple(table[ends[part] : ends[part + 1]].reshape(_CENTROIDS, -1) for part in range(count))


@inline_kernel
def short_name(word: Any, size: Any) -> Any:
    """Return the hash of a word of at most eight bytes, given as one number (`load_part`); for longer words it is `hash_bytes`."""
    return mix_bits(word ^ np.uint64(size) * np.uint64(0x9E3779B97F4A7C15))


@kernel
def _entries(data: Bytes, place: int, words: int, names: Hashes, starts: Integers) -> int:
    """Fill the hash and the start of each entry; return the number of valid entries: words, then labels."""
    for entry in range(len(names)):
        starts[entry] = place
        while place < len(data) and data[place] != 0:
            place += 1
        begin = starts[entry]
        short = place - begin <= 8
        names[entry] = short_name(load_part(data, begin, place), place - begin) if short else hash_bytes(data, begin, place)[0]
        place += 10  # the zero, eight bytes of count, one of kind
        if place > len(data) or data[place - 1] != (0 if entry < words else 1):
            return entry
    starts[len(names)] = place
    return len(names)

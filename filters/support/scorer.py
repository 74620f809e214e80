"""A fastText classifier, folded: one small row of numbers a word, summed by a kernel over the words that all filters share.

fastText (Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification") averages the vectors of a text's words and multiplies the
average by a matrix. Both steps are linear, so the product is made once: a word keeps one number a label, its logit, and a text's logit is
the mean of its words'. Nothing is lost but the size: dimensions times less to store and to add.

The labels are levels, in the manner of ordinal regression (Frank and Hall 2001): label k says "the score is at least k". Each is a
sigmoid of its own (fastText's one-vs-all loss), and the expected score is the sum of their probabilities.

The words are those of `curation.text.words`: symbols are left out, and a word is known by the hash of its folded form, so neither case nor
accents count. fastText is trained on the same hashes (`spelled` writes one as a word of 16 hex digits): what is scored can not differ from
what was trained. Like fastText we leave out words that the model does not know.

fastText ends every text with an end-of-line token. One of some 150 words in a training text, it becomes the model's intercept; as a text
grows it fades, and fastText's scores rise with length alone (measured: of web pages by 0.6 from 1,000 to 5,000 bytes, against 0.2 here). We
count it once for each `span` words, the mean length of the training texts: a text up to that length has fastText's own logits, a longer one
those of lines of that length, averaged.

The file is a NumPy .npz of plain arrays, read with pickling off. It may be a stranger's: the sizes that its directory and each array's head
declare are looked at before anything is unpacked; words are found by their hash, mixed, and a model whose words collide far more often than
by chance is refused, for it would take time quadratic in their number. Beside it lies a card, the same name with .json, that holds the
file's SHA-256; bytes that differ from it are never parsed.

Invariants
    - A score depends on the text alone, not on its batch: words are added in the order of the text, in float64.
    - Scores are rounded to four decimals, so that a last bit of `exp` that differs between processors does not show.
"""

import io
import json
import math
import zipfile
from dataclasses import dataclass, fields
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.errors import InputError
from curation.text.column import Offsets
from curation.text.kernels import inline_kernel, kernel, stored
from curation.text.text import Text
from curation.text.words import WORD

HIGHEST_SCORE = 5
LARGEST_LOGIT = 10_000.0
"""A word's logits are of the order of 100, for a text has many words and the mean of all counts; past this the file is not a model."""
LARGEST_MODEL_BYTES = 1 << 30
"""All arrays of a model, unpacked: 40 million words of five levels."""
LONGEST_CARD_BYTES = 1 << 20

_DECIMALS = 4
_PROBE = "Déjà vu: the 3 words don't change, nor does ﬁre, in 1,024.5 years."


def probe() -> npt.NDArray[np.uint64]:
    """Return the hashes of a fixed sentence's words: a model is of use only where these are what they were at its training."""
    return stored("probe", lambda: Text.from_strings([_PROBE]).words.folded)


def spelled(text: Text) -> list[str]:
    """Return each text as fastText is given it: its words, symbols left out, each as the 16 hex digits of its folded hash."""
    words = text.words
    kept = np.flatnonzero(words.kinds & WORD)
    names = [f"{value:016x}" for value in words.folded[kept].tolist()]
    ends = np.searchsorted(kept, words.offsets)
    return [" ".join(names[start:stop]) for start, stop in pairwise(ends)]


@dataclass(frozen=True, eq=False)
class FastTextScorer:
    """A folded model of w words and k levels."""

    levels: npt.NDArray[np.int64]
    """The levels (k), rising, each from 1 to HIGHEST_SCORE."""
    words: npt.NDArray[np.uint64]
    """Folded hash of each known word (w), rising."""
    logits: npt.NDArray[np.float32]
    """Each word's share in each level's logit (w by k)."""
    end: npt.NDArray[np.float32]
    """The share (k) of fastText's end-of-line token."""
    span: npt.NDArray[np.int64]
    """One number: known words to one end-of-line token, at least 1."""
    probe: npt.NDArray[np.uint64]
    """What `probe` gave at training."""

    def __post_init__(self) -> None:
        """Refuse arrays that are no model. Raises ValueError."""
        w, k = len(self.words), len(self.levels)
        shapes = {"levels": (k,), "words": (w,), "logits": (w, k), "end": (k,), "span": (1,), "probe": self.probe.shape}
        kinds = {"levels": np.int64, "words": np.uint64, "logits": np.float32, "end": np.float32, "span": np.int64, "probe": np.uint64}
        for name, kind in kinds.items():
            array = getattr(self, name)
            if array.dtype != kind or array.shape != shapes[name]:
                raise ValueError(f"{name} is {array.dtype}{list(array.shape)}, not {np.dtype(kind)}{list(shapes[name])}")
        if not w or not k or not (np.diff(self.levels) > 0).all() or self.levels[0] < 1 or self.levels[-1] > HIGHEST_SCORE:
            raise ValueError(f"it has {w} words and the levels {self.levels.tolist()}; it needs words, and rising levels from 1 to 5")
        if self.span[0] < 1:
            raise ValueError(f"its span is {self.span[0]} words")
        if not (self.words[1:] > self.words[:-1]).all():
            raise ValueError("its words are not in order")
        if not (np.abs(self.logits) < LARGEST_LOGIT).all() or not (np.abs(self.end) < LARGEST_LOGIT).all():
            raise ValueError(f"a weight is not a number, or not below {LARGEST_LOGIT:g}")
        if not np.array_equal(self.probe, probe()):
            raise ValueError("it was trained with another reading of words; train it again with this version")

    @cached_property
    def slots(self) -> npt.NDArray[np.int32]:
        """The table in which a word is found by its hash."""
        return _slots(self.words)

    def score(self, text: Text) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Return each text's expected score, from 0 to HIGHEST_SCORE, and how many of its words the model knows."""
        probabilities, known = self.probabilities(text)
        return np.round(probabilities.sum(axis=1), _DECIMALS), known

    def probabilities(self, text: Text) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Return the probability that each text reaches each level (n by k), and how many of its words the model knows (n)."""
        logits, known = self.text_logits(text)
        return 1.0 / (1.0 + np.exp(-np.clip(logits, -500, 500))), known  # past 500 nothing changes but exp overflows

    def text_logits(self, text: Text) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Return each text's logit of each level (n by k), and how many of its words the model knows (n)."""
        words = text.words
        logits = np.empty((len(text), len(self.levels)))
        known = np.empty(len(text), np.int64)
        _add_words(words.offsets, words.kinds, words.folded, self.slots, self.words, self.logits, self.end, self.span[0], logits, known)
        return logits, known

    def to_bytes(self) -> bytes:
        """Return the model's file: the same arrays give the same bytes."""
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **{field.name: getattr(self, field.name) for field in fields(self)})
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "FastTextScorer":
        """Read a model's file. Raises ValueError for what is none."""
        names = {field.name for field in fields(cls)}
        try:
            arrays = _arrays(content, names)
        except Exception as error:  # what zipfile and NumPy raise for bytes that are none of theirs has no common class
            raise ValueError(f"it is not a .npz of plain arrays: {error}") from error
        scorer = cls(**arrays)
        len(scorer.slots)  # words that collide are refused now, not at the first text
        return scorer


def _arrays(content: bytes, names: set[str]) -> dict[str, Any]:
    """Return the arrays of a .npz. Raises whatever zipfile and NumPy raise, and ValueError for one that is too large to be a model's."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if set(members) != names or len(members) != len(archive.infolist()):
            raise ValueError(f"it holds {sorted(members)[:20]}, not {sorted(names)}")
        if sum(info.file_size for info in members.values()) > LARGEST_MODEL_BYTES:
            raise ValueError(f"its arrays are larger than {LARGEST_MODEL_BYTES >> 20} MiB")
        return {name: _array(archive, info) for name, info in members.items()}


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Any:
    """Return one array, whose head is held against the size that the directory gives before the rest is unpacked."""
    with archive.open(info) as stream:
        major, _ = np.lib.format.read_magic(stream)
        read_head = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        shape, _, kind = read_head(stream)
        if kind.hasobject:
            raise ValueError(f"{info.filename} holds Python objects, which are never read")
        declared = math.prod(shape) * kind.itemsize
        if declared != info.file_size - stream.tell() or len(shape) > 2:
            raise ValueError(f"{info.filename} is said to be {kind}{list(shape)}, which is not what its {info.file_size} bytes can hold")
    with archive.open(info) as stream:
        return np.ascontiguousarray(np.lib.format.read_array(stream, allow_pickle=False))


def card_of(path: Path) -> Path:
    """Return the place of the card that holds a model's SHA-256 and says what it was made of."""
    return path.with_suffix(".json")


def load_model(path: Path) -> tuple[FastTextScorer, str]:
    """Return a model and its SHA-256. Raises InputError where the file is missing, damaged, or not what its card says."""
    advice = "copy the model and its card again, or train it again with `curate train`"
    try:
        with card_of(path).open("rb") as stream:
            expected = json.loads(stream.read(LONGEST_CARD_BYTES))["sha256"]
    except OSError as error:
        raise InputError(f"model {path} has no card {card_of(path).name} that can be read ({error.strerror}); {advice}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{card_of(path)} is not a model's card: it has no sha256 that can be read; {advice}") from error
    try:
        if path.stat().st_size > LARGEST_MODEL_BYTES:
            raise InputError(f"model {path} is larger than {LARGEST_MODEL_BYTES >> 20} MiB, as no model of ours is; {advice}")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"model {path} cannot be read ({error.strerror}); {advice}") from error
    found = sha256(content).hexdigest()
    if found != expected:
        raise InputError(
            f"model {path} is damaged, or not the one its card tells of: its sha256 is {found}, the card's {expected}; {advice}"
        )
    try:
        return FastTextScorer.from_bytes(content), found
    except ValueError as error:
        raise InputError(f"model {path} cannot be used: {error}; {advice}") from error


def _slots(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.int32]:
    """Return an open-addressed table of 2^k slots, at most a quarter of them used: index of the word in each, -1 in a free one.

    Raises ValueError for words that collide.
    """
    size = 64
    while size < 4 * len(words):
        size *= 2
    slots = np.full(size, -1, np.int32)
    if not _fill(words, slots, 8 * len(words) + 64):
        raise ValueError("its words collide as those of no training do")
    return slots


@inline_kernel
def _mixed(value: Any) -> Any:
    """Return 64 bits, each of which depends on all of the value's (the finalizer of SplitMix64, Steele et al. 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@kernel
def _fill(words: npt.NDArray[np.uint64], slots: npt.NDArray[np.int32], most_collisions: int) -> bool:
    """Fill the table; say whether that took no more collisions than allowed (by chance, one for six words)."""
    mask = np.uint64(len(slots) - 1)
    for word in range(len(words)):
        slot = _mixed(words[word]) & mask
        while slots[slot] >= 0:
            most_collisions -= 1
            if most_collisions < 0:
                return False
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = word
    return True


@kernel
def _add_words(
    offsets: Offsets,
    kinds: npt.NDArray[np.uint8],
    hashes: npt.NDArray[np.uint64],
    slots: npt.NDArray[np.int32],
    words: npt.NDArray[np.uint64],
    weights: npt.NDArray[np.float32],
    end: npt.NDArray[np.float32],
    span: int,
    logits: Any,
    known: npt.NDArray[np.int64],
) -> None:
    """Fill `logits` with the mean over each text's known words and its ends, and `known` with the number of those words."""
    mask = np.uint64(len(slots) - 1)
    levels = len(end)
    for text in range(len(offsets) - 1):
        count = 0
        for level in range(levels):
            logits[text, level] = 0.0
        for token in range(offsets[text], offsets[text + 1]):
            if not kinds[token] & WORD:
                continue
            slot = _mixed(hashes[token]) & mask
            while slots[slot] >= 0 and words[slots[slot]] != hashes[token]:
                slot = (slot + np.uint64(1)) & mask
            word = slots[slot]
            if word >= 0:
                count += 1
                for level in range(levels):
                    logits[text, level] += weights[word, level]
        ends = max(1.0, count / span)
        for level in range(levels):
            logits[text, level] = (logits[text, level] + ends * end[level]) / (count + ends)
        known[text] = count

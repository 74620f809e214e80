"""The language of a text, and the probability that it is right.

Source: langid.py (Lui and Baldwin, "langid.py: An Off-the-shelf Language Identification Tool", ACL 2012) with the model of py3langid, which
knows 140 labels. One automaton finds byte n-grams, and a naive Bayes model weighs how often each occurs. The score is the model's
probability at a temperature of the square root of the number of bytes; without it, all long texts would score 1. FineWeb's rule is the
default: the language, and a score of at least 0.65.

    language  the label: the language's code in ISO 639-1, or in 639-3 if it has none there; "zxx" is no language, such as numbers or base64
    score     the probability of that label, 0 to 1

A kernel walks the automaton and adds up the weights, over the model's own tables. Labels equal those of py3langid's classifier; scores
equal them up to rounding. The kernel reads only the first `sample_bytes` of a text. The model saw few texts in capitals and takes English
in capitals for Nigerian Pidgin; therefore a text with more capitals than small letters is first converted to lower case.

`tests/benchmark/README.md` has this model's accuracy and speed. A blend with resiliparse's `detect_fast`, used where the score is below
0.5, decides no text differently, so there is none.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from curation.arrays import Array, Bytes, Column, Floats, Integers, Integers32, Table, Unsigned32
from curation.choices import Positive, Share, nearest
from curation.errors import RecipeError
from curation.text.column import Offsets
from curation.text.kernels import kernel, stored
from curation.text.text import Text
from filters.contract import Filter, Rule, Signals, Threshold, below, not_among

_A, _Z, _SMALL_A, _SMALL_Z = map(ord, "AZaz")
_FIRST_OF_SEVERAL = 0xC0
"""A byte from here up begins a character of two bytes or more."""
_SCORE_DIGITS = 6
"""Scores are rounded, because the last bits of an exponential differ between machines."""


class _Model(NamedTuple):
    """py3langid's tables as arrays."""

    moves: Unsigned32
    """The next state, at 256 times the row of a state, plus the byte."""
    rows: Integers
    """256 times the row of each state."""
    features: Integers32
    """The n-gram that ends in each state, or -1."""
    weights: npt.NDArray[np.float32]
    """Log probabilities of each n-gram (row) in each language (column)."""
    priors: npt.NDArray[np.float32]
    """Log probability of each column."""
    merged: Integers
    """For each column, the first column with the same label."""


@cache
def _identifier() -> Any:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _table(name: str, kind: type[np.generic]) -> Array:
    """Return one of py3langid's tables, from the cache folder: unpacking py3langid's own file takes half a second."""
    return stored(f"py3langid-{version('py3langid')}-{name}", lambda: np.asarray(getattr(_identifier(), name), kind))


@cache
def _labels() -> tuple[str, ...]:
    """Return the label of each column; a label may occur twice."""
    return tuple(_table("nb_classes", np.str_).tolist())


@cache
def _model() -> tuple[_Model, Array]:
    """Return the tables, and the label of each column."""
    labels = _labels()
    model = _Model(
        _table("tk_nextmove", np.uint32),
        _table("tk_row", np.int64) << 8,
        _table("tk_output", np.int32),
        _table("nb_ptc", np.float32),
        _table("nb_pc", np.float32),
        np.array([labels.index(label) for label in labels], np.int64),
    )
    return model, np.array(labels, object)


def check_labels(what: str, labels: Iterable[str]) -> None:
    """Raise RecipeError, beginning with `what`, for a label that no text can get."""
    for label in labels:
        if label not in _labels():
            raise RecipeError(f"{what}: no text is found to be in {label!r}{nearest(label.lower(), sorted(set(_labels())))}")


@kernel
def _identify(data: Bytes, offsets: Offsets, model: _Model, counts: Integers32, seen: Integers32, best: Integers, scores: Floats) -> None:
    """Write the best column of each text and its probability; texts without any n-gram of the model get column -1.

    `counts` (zeros) and `seen` are working space for each n-gram.
    """
    moves, rows, features, weights, priors, merged = model
    columns = len(priors)
    logs = np.empty(columns, np.float32)
    likelihoods = np.empty(columns, np.float64)
    for text in range(len(offsets) - 1):
        state, distinct = 0, 0
        for i in range(offsets[text], offsets[text + 1]):
            state = moves[rows[state] + data[i]]
            feature = features[state]
            if feature >= 0:
                if counts[feature] == 0:
                    seen[distinct] = feature
                    distinct += 1
                counts[feature] += 1
        best[text] = -1
        if distinct == 0:
            continue
        for column in range(columns):
            logs[column], likelihoods[column] = priors[column], 0.0
        for k in range(distinct):
            feature = seen[k]
            weight = np.float32(np.log1p(counts[feature]))
            counts[feature] = 0
            for column in range(columns):
                logs[column] += weight * weights[feature, column]
        temperature = np.sqrt(offsets[text + 1] - offsets[text])
        highest = logs[0]
        for column in range(columns):
            highest = max(highest, logs[column])
        for column in range(columns):
            likelihoods[merged[column]] += np.exp((logs[column] - highest) / temperature)
        likeliest, whole = 0, 0.0
        for column in range(columns):
            whole += likelihoods[column]
            if likelihoods[column] > likelihoods[likeliest]:
                likeliest = column
        best[text] = likeliest
        scores[text] = likelihoods[likeliest] / whole


_CASES_UP_TO = 0x2000
"""All Latin, Greek, Cyrillic, Armenian and Georgian letters are below; the model knows no language with other cased letters."""


@cache
def _cases() -> npt.NDArray[np.int8]:
    """Return 1 for each capital, -1 for each small letter and 0 for every other character, up to `_CASES_UP_TO`."""
    characters = [*map(chr, range(_CASES_UP_TO)), ""]
    return np.array([character.isupper() - character.islower() for character in characters], np.int8)


def _is_in_capitals(string: str) -> bool:
    """Return whether a text has more capitals than small letters."""
    points = np.frombuffer(string.encode("utf-32-le"), np.uint32)
    return int(_cases()[np.minimum(points, _CASES_UP_TO)].sum(dtype=np.int64)) > 0


@kernel
def _count_capitals(data: Bytes, offsets: Offsets, most: int, excess: Integers, others: Integers) -> None:
    """Write, for the first bytes of each text, ASCII capitals minus small ASCII letters, and the number of other characters."""
    for text in range(len(offsets) - 1):
        begin = offsets[text]
        balance, beyond_ascii = 0, 0
        for i in range(begin, min(offsets[text + 1], begin + most)):
            byte = data[i]
            balance += int(_A <= byte <= _Z) - int(_SMALL_A <= byte <= _SMALL_Z)
            beyond_ascii += int(byte >= _FIRST_OF_SEVERAL)
        excess[text], others[text] = balance, beyond_ascii


def _prepared(text: Text, most: int) -> Text:
    """Return the first bytes of each text in the form of the training texts: whole characters, normal form C, no text in capitals."""
    excess, others = np.empty((2, len(text)), np.int64)
    _count_capitals(text.data, text.offsets, most, excess, others)
    pieces = []
    for begin, end, more, beyond_ascii in zip(
        text.offsets[:-1].tolist(), text.offsets[1:].tolist(), excess.tolist(), others.tolist(), strict=True
    ):
        piece = text.data[begin : min(end, begin + most)].tobytes()
        if piece.isascii():
            pieces.append(piece.lower() if more > 0 else piece)
            continue
        string = piece.decode("utf-8", "ignore")
        if more + beyond_ascii > 0 and _is_in_capitals(string):  # for most texts, ASCII alone decides
            string = string.lower()
        pieces.append(unicodedata.normalize("NFC", string).encode())
    return Text.from_utf8(b"".join(pieces), [len(piece) for piece in pieces])


def identify(text: Text, sample_bytes: int) -> tuple[Column, Column]:
    """Return the label (Arrow string) and probability (float64) of each text's language, read from its first `sample_bytes`.

    Both are null if the model knows nothing in the text.
    """
    model, labels = _model()
    sample = _prepared(text, sample_bytes)
    best = np.empty(len(text), np.int64)
    scores = np.zeros(len(text), np.float64)
    counts, seen = np.zeros(len(model.weights), np.int32), np.empty(len(model.weights), np.int32)
    _identify(sample.data, sample.offsets, model, counts, seen, best, scores)
    unknown = best < 0
    return (
        pa.array(labels[best], pa.string(), mask=unknown),
        pa.array(np.round(scores, _SCORE_DIGITS), pa.float64(), mask=unknown),
    )


@dataclass(frozen=True)
class Language(Filter):
    """Keeps texts in the languages that the recipe names.

    sample_bytes: number of bytes that are read from the beginning of a text.
    keep: labels to keep, codes of ISO 639-1 or 639-3 (see above); "zxx" is no language, such as code; an empty list keeps all.
    min_score: the lowest probability that a text may have.

    Signals: `language` and `score`; both are null if the model knows nothing in the text (it is empty, or only symbols).
    """

    signal_types: ClassVar[Mapping[str, pa.DataType]] = {"language": pa.string(), "score": pa.float64()}
    version: ClassVar[int] = 2
    packages: ClassVar[tuple[str, ...]] = ("py3langid",)
    examples = (
        ("Rain falls when the air can no longer hold the water it carries, and the drops grow too heavy to float.", None),
        ("Der Regen fällt, wenn die Luft das Wasser nicht mehr halten kann und die Tropfen zu schwer werden.", "wrong_language"),
        ("雨は、空気が水を保てなくなったときに降ります。", "wrong_language"),
        ("1 2 3 kk oo", "wrong_language"),
    )

    sample_bytes: Positive = 2048
    keep: Threshold[tuple[str, ...]] = ("en",)
    min_score: Threshold[Share] = 0.65

    def __post_init__(self) -> None:
        """Refuse a label that the model does not know: the rule would drop every text."""
        check_labels("language: keep", self.keep)

    def signals(self, text: Text, documents: Table) -> Signals:  # noqa: ARG002
        """Identify the language of each text."""
        languages, scores = identify(text, self.sample_bytes)
        return {"language": languages, "score": scores}

    def rules(self) -> Mapping[str, Rule]:
        """Return the rules: drop other languages, then texts whose language is uncertain."""
        wrong = {"wrong_language": not_among("language", self.keep, ("score",))} if self.keep else {}
        return {**wrong, "low_language_score": below("score", self.min_score, ("language",))}

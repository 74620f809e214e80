"""Which language a text is in, and how sure that is.

Source: langid.py (Lui and Baldwin, "langid.py: An Off-the-shelf Language Identification Tool", ACL 2012) with the model of py3langid:
140 labels; byte n-grams are found by one automaton, and a naive Bayes model weighs how often each occurs. Score: the model's probability,
its temperature the root of the number of bytes, so that long texts do not all score 1. FineWeb's rule, language and a least score of 0.65,
is the default here too.

    language  the label: ISO 639-1, and 639-3 where there is none; "zxx" is no language, such as numbers or base64
    score     the probability of that label, 0 to 1

The automaton is walked and the weights are added up by a kernel over the model's own tables; labels are those of py3langid's classifier,
scores too up to rounding. Only a text's first `sample_bytes` are read. The model was trained on few texts in capitals, and takes English in
capitals for Nigerian Pidgin; so a text with more capitals than small letters is read in lower case, whole.

Measured on 429 paragraphs in 79 languages that both know (Universal Declaration of Human Rights), accuracy of this model, and of
resiliparse's `detect_fast`: whole text 1.000 and .988; 500 characters .998 and .965; 200 characters .995 and .918; 50 characters .977 and
.606. A blend (`detect_fast` where the score is below 0.5) decides no text otherwise, so there is none. Speed on one core that others
shared: 6,600 web texts a second at 2,048 bytes each, where py3langid's own loop does 1,360. More bytes change little: of 1,214 web texts,
1,208 are English by 512 bytes and 1,209 by 8,192; a hundredth of these score below .48 at 512 bytes, .65 at 2,048 and .73 at 4,096.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from curation.arrays import Array, Bytes, Column, Floats, Integers, Integers32, Table, Unsigned32
from curation.text.column import Offsets
from curation.text.kernels import kernel, stored
from curation.text.text import Text
from filters.contract import Filter, Rule, Signals, Threshold, below, not_among

_A, _Z, _SMALL_A, _SMALL_Z = map(ord, "AZaz")
_FIRST_OF_SEVERAL = 0xC0
"""A byte from here up begins a character of two bytes or more."""
_SCORE_DIGITS = 6
"""Scores are rounded, for the last bits of an exponential differ between machines."""


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
def _model() -> tuple[_Model, Array]:
    """Return the tables, and the label of each column.

    They are kept in the cache folder, because unpacking py3langid's own file takes half a second.
    """

    @cache
    def identifier() -> Any:
        return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

    def table(name: str, kind: type[np.generic]) -> Array:
        return stored(f"py3langid-{release}-{name}", lambda: np.asarray(getattr(identifier(), name), kind))

    release = version("py3langid")
    labels = table("nb_classes", np.str_).tolist()
    model = _Model(
        table("tk_nextmove", np.uint32),
        table("tk_row", np.int64) << 8,
        table("tk_output", np.int32),
        table("nb_ptc", np.float32),
        table("nb_pc", np.float32),
        np.array([labels.index(label) for label in labels], np.int64),
    )
    return model, np.array(labels, object)


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
"""All letters of Latin, Greek, Cyrillic, Armenian and Georgian lie below; others with case are in no language of the model."""


@cache
def _cases() -> npt.NDArray[np.int8]:
    """Return for each character up to `_CASES_UP_TO` 1 for a capital, -1 for a small letter, else 0."""
    characters = [*map(chr, range(_CASES_UP_TO)), ""]
    return np.array([character.isupper() - character.islower() for character in characters], np.int8)


def _is_in_capitals(string: str) -> bool:
    """Say whether a text has more capitals than small letters."""
    points = np.frombuffer(string.encode("utf-32-le"), np.uint32)
    return int(_cases()[np.minimum(points, _CASES_UP_TO)].sum(dtype=np.int64)) > 0


@kernel
def _count_capitals(data: Bytes, offsets: Offsets, most: int, excess: Integers, others: Integers) -> None:
    """Write how many more capitals than small letters of ASCII the first bytes of each text have, and how many other characters."""
    for text in range(len(offsets) - 1):
        begin = offsets[text]
        balance, beyond_ascii = 0, 0
        for i in range(begin, min(offsets[text + 1], begin + most)):
            byte = data[i]
            balance += int(_A <= byte <= _Z) - int(_SMALL_A <= byte <= _SMALL_Z)
            beyond_ascii += int(byte >= _FIRST_OF_SEVERAL)
        excess[text], others[text] = balance, beyond_ascii


def _prepared(text: Text, most: int) -> Text:
    """Return each text's first bytes as the model was trained on them: whole characters, normal form C, no text in capitals."""
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
        if more + beyond_ascii > 0 and _is_in_capitals(string):  # most texts need no second look
            string = string.lower()
        pieces.append(unicodedata.normalize("NFC", string).encode())
    return Text.from_utf8(b"".join(pieces), [len(piece) for piece in pieces])


def identify(text: Text, sample_bytes: int) -> tuple[Column, Column]:
    """Return the label (Arrow string) and probability (float64) of each text's language, read from its first `sample_bytes`.

    Both are null where a text holds nothing the model knows.
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
    """Keeps texts in the languages asked for.

    sample_bytes: how much of a text's beginning is read.
    keep: labels to keep, ISO 639-1 codes and 639-3 where there is none ("zxx": no language, such as code); empty keeps all.
    min_score: least probability.

    Signals: `language`, null where a text holds nothing the model knows (empty, only symbols), and `score`, 0 to 1.
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

    sample_bytes: int = 2048
    keep: Threshold[tuple[str, ...]] = ("en",)
    min_score: Threshold[float] = 0.65

    def signals(self, text: Text, documents: Table) -> Signals:  # noqa: ARG002  (text alone says it)
        """Identify the language of each text."""
        languages, scores = identify(text, self.sample_bytes)
        return {"language": languages, "score": scores}

    def rules(self) -> Mapping[str, Rule]:
        """Drop other languages, then texts whose language is in doubt."""
        wrong = {"wrong_language": not_among("language", self.keep, ("score",))} if self.keep else {}
        return {**wrong, "low_language_score": below("score", self.min_score, ("language",))}

"""Readability: the kernel against the rules as patterns, and both formulas against texts counted by hand."""

import re
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.text.text import Text
from curation.text.unicode_classes import fold
from curation.text.words import WORD
from filters.readability import Readability
from tests.meeting import meets, met

SILENT = (
    re.compile(r"[^aeiouy]e$"),
    re.compile(r"[^aeiouysxzcgh]es$"),
    re.compile(r"[^aeiouytd]ed$"),
)
SOUNDED = re.compile(r"[^aeiouylr]le[sd]?$")


def plain_syllables(word: str) -> int:
    letters = ""
    for character in word:
        folded = fold(character)
        if unicodedata.category(character)[0] in "MC" and letters.endswith("e"):
            letters = letters[:-1] + "a"  # an accent of its own: the "e" before it is sounded
        letters += folded if character.isascii() else folded.replace("e", "a")
    figures = sum(unicodedata.category(character)[0] == "N" and character != "〇" for character in word)
    silent = any(pattern.search(letters) for pattern in SILENT) and not SOUNDED.search(letters)
    return max(len(re.findall("[aeiouy]+", letters)) - silent + figures, 1)


def measured(*texts: str) -> list[dict[str, float | None]]:
    found = Readability().signals(Text.from_strings(texts), None)
    columns = {name: pa.array(found[name], kind).to_pylist() for name, kind in Readability.signal_types.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def plain(text: str) -> dict[str, float | None]:
    column = Text.from_strings([text])
    words = [word for word, kind in zip(column.words.strings(0), column.words.kinds, strict=True) if kind & WORD]
    sentences = int(column.sentences.counts[0])
    if not sentences:
        return {**dict.fromkeys(Readability.signal_types), "sentences": 0}
    per_sentence = len(words) / sentences
    per_word = sum(map(plain_syllables, words)) / len(words)
    return {
        "sentences": sentences,
        "words_per_sentence": per_sentence,
        "syllables_per_word": per_word,
        "flesch_reading_ease": 206.835 - 1.015 * per_sentence - 84.6 * per_word,
        "mcalpine_eflaw": (len(words) + sum(len(word) <= 3 for word in words)) / sentences,
    }


SPELT = st.text(st.sampled_from("aeiyblrstdxzé'1ﬁ中ж\u0301"), max_size=6)
ENDINGS = st.sampled_from(["", "e", "le", "les", "led", "es", "ed", ". ", " ", "?\n", "-"])
TEXTS = st.lists(st.tuples(SPELT, ENDINGS).map("".join), max_size=12).map("".join)


@meets(sentences=50, none=30)
@given(st.lists(st.one_of(TEXTS, st.text(st.characters(exclude_categories=["Cs"]), max_size=20)), max_size=4))
def test_signals_equal_a_plain_twin(texts: list[str]) -> None:
    assert measured(*texts) == [plain(text) for text in texts]
    told = [plain(text) for text in texts]
    met["sentences"] += sum(int(row["sentences"] or 0) for row in told)
    met["none"] += sum(not row["sentences"] for row in told)


@pytest.mark.parametrize(
    ("syllables", "words"),
    [
        (1, "made makes jumped called rules tree the don't me ed e Mr"),
        (2, "table tables handled boxes wanted water café cafe\u0301s houses naïve"),
        (3, "banana animal computer 365"),
        (4, "education literature"),
    ],
)
def test_syllables(syllables: int, words: str) -> None:
    for word in words.split():
        wanted = {"naïve": 1}.get(word, syllables)  # "aï" is one run of vowels; ours is a rule, not a dictionary
        assert measured(f"{word} x")[0]["syllables_per_word"] == (wanted + 1) / 2, word


def test_both_formulas() -> None:
    (row,) = measured("The cat sat on the mat. It slept.")
    assert row["sentences"] == 2
    assert row["words_per_sentence"] == 4
    assert row["syllables_per_word"] == 1
    assert row["flesch_reading_ease"] == pytest.approx(206.835 - 4 * 1.015 - 84.6)
    assert row["mcalpine_eflaw"] == (8 + 7) / 2


def test_only_bounds_that_are_given_judge() -> None:
    assert Readability().rules() == {}
    made = Readability(min_flesch_reading_ease=30, max_flesch_reading_ease=100, max_mcalpine_eflaw=70)
    assert {reason: rule.threshold for reason, rule in made.rules().items()} == {
        "hard_to_read": 30,
        "too_easy_to_read": 100,
        "hard_for_foreign_readers": 70,
    }

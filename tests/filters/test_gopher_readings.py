"""DCLM's and Dolma's readings of Gopher's rules: kernels against plain twins written from their sources, with our words."""

import re
from collections import Counter
from statistics import median
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import RecipeError
from curation.text.text import Text
from filters.contract import Filter
from filters.gopher_quality_dclm import GopherQualityDclm
from filters.gopher_quality_dolma import GopherQualityDolma
from filters.gopher_repetition_dclm import GopherRepetitionDclm
from filters.support.gopher_rules import STOP_WORDS
from tests.filters.test_heuristic_filters import measured, ratio
from tests.meeting import meets, met

PIECES = ["the ", "The ", "THAT\n", "of", " ", "\n", "\n\n", "\n\n\n", "...", ". . .", ". ", "…", "#", "● ", "• ", "* ", "- ", "-", "12"]
PIECES += ["a", "bees ", "dance ", "é", "漢", "\u00a0", "\x1c", "\0", "\t", "(", "→ ", "don’t ", "a longer line that stands here twice\n"]
texts = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=60).map("".join), st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
)


def words_of(text: str) -> list[str]:
    return [token for token in Text.from_strings([text]).words.strings(0) if token[0].isalnum()]


def plain_quality_dclm(text: str) -> dict[str, Any]:
    chunks = text.split()
    lines = [line for part in text.split("\n") if (line := part.strip())]
    return {
        "words": sum(word[0].isalnum() for word in re.split("[ \t\n\v\f\r\0]", text) if word),
        "mean_word_length": ratio(sum(map(len, chunks)), len(chunks)),
        "symbol_ratio": ratio(sum(map(text.count, ("#", "...", ". . .", "…"))), len(chunks)),
        "bullet_line_ratio": ratio(sum(line.startswith(("●", "•", "*", "-")) for line in lines), len(lines)),
        "ellipsis_line_ratio": ratio(sum(line.endswith(("...", ". . .", "…")) for line in lines), len(lines)),
        "non_alphabetic_ratio": ratio(sum(not any(map(str.isalpha, chunk)) for chunk in chunks), len(chunks)),
        "stop_words": sum(chunk.lower() in STOP_WORDS for chunk in chunks),
    }


def plain_quality_dolma(text: str) -> dict[str, Any]:
    chunks, lines = text.split(), text.split("\n")
    return {
        "words": len(chunks),
        "median_word_length": float(median(map(len, chunks))) if chunks else 0.0,
        "symbol_ratio": ratio(sum("#" in chunk or "…" in chunk for chunk in chunks), len(chunks)),
        "alphabetic_ratio": ratio(sum(any(map(str.isalpha, chunk)) for chunk in chunks), len(chunks)),
        "stop_words": sum(chunk in STOP_WORDS for chunk in chunks),
        "bullet_line_ratio": sum(line.startswith(("*", "-")) for line in lines) / len(lines),
        "ellipsis_line_ratio": sum(line.endswith("…") for line in lines) / len(lines),
    }


def plain_repetition_dclm(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    pieces = {name: [piece for part in text.split(cut) if (piece := part.strip())] for name, cut in (("line", "\n"), ("paragraph", "\n\n"))}
    found["lines"] = len(pieces["line"])
    more = {name: {piece: times for piece, times in Counter(own).items() if times > 1} for name, own in pieces.items()}
    for name, own in pieces.items():
        found[f"duplicate_{name}_share"] = ratio(sum(more[name].values()), len(own))
    for name, own in pieces.items():
        found[f"duplicate_{name}_characters"] = ratio(sum(len(p) * times for p, times in more[name].items()), sum(map(len, own)))
    words = words_of(text)
    characters = sum(map(len, words))
    for n in range(2, 11):
        grams = [tuple(words[place : place + n]) for place in range(len(words) - n + 1)]
        times = Counter(grams)
        most = max(times.values(), default=0)
        if most < 2:
            share = 0.0
        elif n <= 4:
            share = max(sum(map(len, gram)) for gram, often in times.items() if often == most) * most / characters
        else:
            covered = {at for place, gram in enumerate(grams) if times[gram] > 1 for at in range(place, place + n)}
            share = sum(len(words[at]) for at in covered) / characters
        found[f"{'top' if n <= 4 else 'duplicate'}_{n}_gram"] = share
    return found


TWINS: list[tuple[Filter, Any]] = [
    (GopherQualityDclm(), plain_quality_dclm),
    (GopherQualityDolma(), plain_quality_dolma),
    (GopherRepetitionDclm(), plain_repetition_dclm),
]
readings = pytest.mark.parametrize(("made", "twin"), TWINS, ids=lambda value: value.name() if isinstance(value, Filter) else "")


@readings
@meets(signals=50)
@given(batch=st.lists(texts, max_size=4))
def test_signals_equal_plain_twins(made: Filter, twin: Any, batch: list[str]) -> None:
    assert measured(made, batch).to_dicts() == [twin(text) for text in batch]
    met["signals"] += sum(bool(value) for text in batch for value in twin(text).values())


@meets(repeated=50)
@given(st.lists(st.sampled_from(["a", "bb", ".", "a bb a bb", "\n"]), max_size=60).map(" ".join))
def test_repetition_of_few_words_equals_plain_twin(text: str) -> None:
    assert measured(GopherRepetitionDclm(), [text]).to_dicts() == [plain_repetition_dclm(text)]
    met["repeated"] += sum(value > 0 for name, value in plain_repetition_dclm(text).items() if name.endswith("gram"))


@readings
@pytest.mark.parametrize(("file", "column", "every"), [("edu_labels/train.parquet", "text", 8), ("langid/udhr.parquet", "text", 6)])
def test_signals_of_real_texts_equal_plain_twins(made: Filter, twin: Any, file: str, column: str, every: int, real_data: Any) -> None:
    strings = [text for text in pq.read_table(real_data / file, columns=[column])[column].to_pylist()[::every] if text]
    assert measured(made, strings).to_dicts() == [twin(text) for text in strings]


def test_stop_words_in_lower_case_are_in_lower_case() -> None:
    with pytest.raises(RecipeError, match="lower case"):
        GopherQualityDclm(stop_words=("The",))
    text = "ÉTÉ été ÇA Σ"
    assert measured(GopherQualityDclm(stop_words=("été", "ça", "σ")), [text])["stop_words"].to_list() == [4]

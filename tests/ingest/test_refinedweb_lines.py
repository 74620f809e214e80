"""RefinedWeb's line-wise corrections: against a plain twin, against the whole of DCLM's steps, and what each rule takes.

DCLM's own code is not run here: it needs a tokenizer, parsers and lists that the project does not use. `dclm_steps` tells its steps in our
words, one after the other on the whole text, as `dclm_baseline_refinedweb.yaml` orders them.
"""

import re
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.ingest.edits.refinedweb_lines import RefinedwebLines, _needles
from curation.text.text import Text
from curation.text.words import WORD
from tests.ingest.test_edits import edited, one
from tests.meeting import meets, met

COUNTED = "likes|shares|comments|retweets|reposts|quotes|bookmarks|upvotes|downvotes|downloads|views|followers"
COUNTER = re.compile(rf"^\W*\d(?:,|\.|\d)*(?:K|k|M|m|B|b)?\s+(?:{COUNTED})\W*$")
PHRASES = [re.compile(pattern, re.IGNORECASE) for pattern in (r"\s?items in cart", r"\s?read more...$", r"^sign-in\s?")]


def falls(line: str) -> str | None:
    """Return the name of the rule that drops a line that is not empty."""
    if sum(character.isupper() for character in line) / len(line) > 0.5:
        return "uppercase"
    if sum(character.isdigit() for character in line) / len(line) > 0.999999:
        return "numeric"
    if COUNTER.search(line.lower()):
        return "counters"
    return "short" if len(line.split()) < 2 else None


def dclm_steps(text: str) -> str:
    """Return what DCLM's steps leave of a text."""
    text = re.sub(r"\n{3,}", "\n\n", text)
    for rule in ("uppercase", "numeric", "counters", "short"):
        text = "\n".join(line for line in text.split("\n") if not line or not falls_by(rule, line))
        text = text if rule == "short" else text.strip()
    for pattern in PHRASES:
        lines = []
        for line in text.split("\n"):
            shorter = pattern.sub("", line) if len(line.split()) <= 10 else line
            if not line or shorter.strip():
                lines.append(shorter)
        text = "\n".join(lines).strip()
    return text


def falls_by(rule: str, line: str) -> bool:
    """Tell whether this rule alone drops a line."""
    if rule == "uppercase":
        return sum(character.isupper() for character in line) / len(line) > 0.5
    if rule == "numeric":
        return sum(character.isdigit() for character in line) / len(line) > 0.999999
    return COUNTER.search(line.lower()) is not None if rule == "counters" else len(line.split()) < 2


def words_of(text: str) -> int:
    return int((Text.from_strings([text]).words.kinds & WORD).sum())


def twin(text: str) -> tuple[str, dict[str, int]]:
    """Return the edited text and the counts, by strings and regular expressions alone."""
    counts = dict.fromkeys(("uppercase", "numeric", "counters", "short", "phrases", "blank_lines", "words"), 0)
    kept: list[str] = []
    for line in text.split("\n") if text else []:
        if not line.strip():
            kept.append(line)
            continue
        left, rule = line, falls(line)
        while rule is None and left.strip():
            shorter = left
            for pattern in PHRASES:
                if len(shorter.split()) <= 10:
                    shorter, times = pattern.subn("", shorter)
                    counts["phrases"] += times
            if shorter == left:
                break
            left = shorter
            rule = falls(left) if left.strip() else None
        if rule:
            counts[rule] += 1
        if rule or not left.strip():
            counts["words"] += words_of(line)
        else:
            counts["words"] += words_of(line) - words_of(left)
            kept.append(left)
    final: list[str] = []
    for place, line in enumerate(kept):
        seen = any(before.strip() for before in kept[:place])
        follows = any(after.strip() for after in kept[place + 1 :])
        blank_before = bool(final) and not final[-1].strip()
        if line.strip() or (seen and follows and not blank_before):
            final.append(line)
        else:
            counts["blank_lines"] += 1
    return "\n".join(final), counts


_PIECES = st.sampled_from(
    [
        *("items in cart", "Read more...", "READ MORE !!!", "read more", "Sign-in", "sIGN-iN ", "ſıgn-in", "ITEMS IN CART", "Kart"),
        *("3", "1,024", "12.5k", "٣", "²", "42 ", " 7"),
        *(" likes", " Followers", " views!", " comments »", "» ", "1 like", "1.2K followers", "5 LIKES"),
        *("\n", "\n\n", "\n\n\n\n", "\n \n", " ", "  ", "\t", "\u3000", "\u2028"),
        *("ABC", "Straße", "ÄÖÜ", "Ж", "ǅ", "中文", "🙂", "a fine day", "The tide comes in with the moon and goes out", "'s"),
    ]
)
_LINES = st.sampled_from(
    [
        *("3 likes", "1.2K followers", "» 5 comments »", "12 views today", "12", "2024", "1,024", "ABC DEF", "A fine DAY IS", "Menu", ""),
        *(
            "The tide comes in with the moon.",
            "See it, read more...",
            "Read more...",
            "12 items in cart",
            "Sign-in or go home",
            "sign-in 5 likes",
        ),
        "one two three four five six seven eight nine ten items in cart",
    ]
)
TEXTS = st.one_of(
    st.lists(_LINES, max_size=8).map("\n".join),
    st.lists(st.one_of(_PIECES, st.text(max_size=2)), max_size=24).map(lambda pieces: "".join(pieces).encode("utf-8", "replace").decode()),
)


@meets(left=10, uppercase=4, numeric=5, counters=4, short=8, phrases=8, blank_lines=2)
@given(TEXTS)
def test_the_kernel_does_what_the_plain_twin_does(text):
    (result,), counts = edited(RefinedwebLines(), text)
    assert (result, {name: count[0] for name, count in counts.items()}) == twin(text)
    met.update({name: bool(count[0]) for name, count in counts.items()})
    met["left"] += bool(result)


@meets(fall=20, stay=20)
@given(TEXTS)
def test_without_phrases_and_blank_lines_dclm_s_steps_leave_the_same_lines(text):
    lines = [line for line in text.split("\n") if line.strip() and not any(pattern.search(line) for pattern in PHRASES)]
    plain = "\n".join(["So it begins.", *lines, "So it ends."])
    assert one(RefinedwebLines(), plain) == dclm_steps(plain)
    met["fall"] += sum(falls(line) is not None for line in lines)
    met["stay"] += sum(falls(line) is None for line in lines)


@pytest.mark.parametrize(
    ("line", "left", "count"),
    [
        ("HOME ABOUT US", None, "uppercase"),
        ("NEWS in 24 h", "NEWS in 24 h", None),
        ("NEWS all day", "NEWS all day", None),
        ("ABcd", None, "short"),
        ("20240131", None, "numeric"),
        ("2024 01 31", "2024 01 31", None),
        ("٢٠٢٤", None, "numeric"),
        ("3 likes", None, "counters"),
        ("» 1.2K Followers !", None, "counters"),
        ("1 like", "1 like", None),
        ("3 likes and more", "3 likes and more", None),
        ("Contents", None, "short"),
        ("Two words", "Two words", None),
        ("You have items in cart today", "You have today", "phrases"),
        ("3 items in cart", None, "numeric"),
        ("The story of the whale Read more...", "The story of the whale", "phrases"),
        ("The story of the whale read more now", "The story of the whale read more now", None),
        ("The story of the whale read more >>", "The story of the whale", "phrases"),
        ("Sign-in to read it", "to read it", "phrases"),
        ("Please sign-in to read", "Please sign-in to read", None),
        ("one two three four five six seven items in cart", "one two three four five six seven", "phrases"),
        ("one two three four five six seven eight items in cart", "one two three four five six seven eight items in cart", None),
        ("a items items in cart in cart b", "a b", "phrases"),
        ("Sign-in Read more...", None, "phrases"),
    ],
)
def test_what_each_rule_takes(line, left, count):
    (result,), counts = edited(RefinedwebLines(), f"The first line stays.\n{line}\nSo does the last.")
    assert result == "\n".join(filter(None, ["The first line stays.", left, "So does the last."]))
    named = {name for name, values in counts.items() if values[0]} - {"words"}
    assert (count in named) if count else not named


def test_what_is_counted():
    text = "Menu\nA line of text.\n\nHOME PAGE\n\n12\n\nSee the rest Read more...\n"
    (result,), counts = edited(RefinedwebLines(), text)
    assert result == "A line of text.\n\nSee the rest"
    assert {name: count[0] for name, count in counts.items()} == {
        "uppercase": 1,
        "numeric": 1,
        "counters": 0,
        "short": 1,
        "phrases": 1,
        "blank_lines": 3,
        "words": 6,
    }


def test_indentation_and_order_stay():
    text = "  def f(x):\n\treturn x + 1  \n\n  and so on"
    column = Text.from_strings([text])
    assert RefinedwebLines().apply(column).text is column


def test_parameters():
    assert one(RefinedwebLines(min_words=0), "Contents") == "Contents"
    assert one(RefinedwebLines(max_newlines=1), "a b\n\n\nc d") == "a b\nc d"
    assert one(RefinedwebLines(max_newlines=3), "a b\n\n\n\nc d") == "a b\n\n\nc d"
    assert one(RefinedwebLines(max_uppercase_ratio=1.0), "ALL OF IT") == "ALL OF IT"
    assert one(RefinedwebLines(max_digit_ratio=0.5), "12345 a") == ""
    assert one(RefinedwebLines(counted=("stars", "thumbs up")), "3 likes\n5 stars\n7 thumbs up!") == "3 likes"
    assert one(RefinedwebLines(anywhere=(), at_end=(), at_start=("log in", "¿skis?")), "Log in to the site\n¿SKıS? in the Alps") == (
        "to the site\nin the Alps"
    )
    assert one(RefinedwebLines(phrase_max_words=4), "You have items in cart today") == "You have items in cart today"
    with pytest.raises(ValueError, match="max_newlines must be at least 1"):
        RefinedwebLines(max_newlines=0)
    with pytest.raises(ValueError, match="at_end contains a text of only space"):
        RefinedwebLines(at_end=(" ",))


def test_a_needle_stands_in_every_spelling_that_the_pattern_finds():
    """Which characters beyond ASCII a letter stands for is Python's to say; the kernel must not miss a line over it."""
    beyond_ascii = "".join(map(chr, range(0x80, sys.maxunicode + 1)))
    for letter in "abcdefghijklmnopqrstuvwxyz":
        others = re.findall(letter, beyond_ascii, re.IGNORECASE)
        assert not others or _needles((letter,)) == ("",), (letter, others)
    assert _needles(("items in cart", "Read more...", "Sign-in", "sk", "Ünd so weiter")) == ("n cart", "read more", "gn-", "", "o we")


def test_no_letter_is_outside_the_table():
    beyond = "".join(map(chr, (*range(0x34000, 0xE0000), *range(0xE1000, sys.maxunicode + 1))))
    assert not any(any(map(is_one, beyond)) for is_one in (str.isupper, str.isdigit, str.isspace, str.isalnum))


def test_real_pages(real_data):
    import pyarrow.parquet as pq

    texts = pq.read_table(real_data / "html_gold" / "pages.parquet", columns=["gold_text"])["gold_text"].to_pylist()
    results, counts = edited(RefinedwebLines(), *texts)
    expected = [twin(text) for text in texts]
    assert results == [text for text, _ in expected]
    assert {name: np.array(count).tolist() for name, count in counts.items()} == {
        name: [each[name] for _, each in expected] for name in counts
    }

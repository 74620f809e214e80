"""Words and lines: the kernels against plain twins, on all of Unicode, however texts are cut into batches."""

import dataclasses
import re
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.text import unicode_classes
from curation.text.lines import PieceBounds, repeated_pieces
from curation.text.text import Text
from curation.text.words import ALPHABETIC, WORD
from tests.meeting import meets, met

SPACE, SYMBOL, LETTER, NUMBER, MARK, SOLITARY = "space", "symbol", "letter", "number", "mark", "solitary"
WITHOUT_SPACES = ("CJK ", "HIRAGANA", "KATAKANA", "HENTAIGANA", "HALFWIDTH KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")


def kind_of(character: str) -> str:
    if character.isspace():
        return SPACE
    category = unicodedata.category(character)
    if category.startswith("L") or character == "〇":
        solitary = unicodedata.name(character, "").startswith(WITHOUT_SPACES) or character in "々〇〻"
        return SOLITARY if solitary else LETTER
    if category.startswith("N"):
        return NUMBER
    return MARK if category.startswith("M") or category == "Cf" else SYMBOL


def joins(inside: str, character: str, after: str) -> bool:
    """Tell whether a symbol belongs to the open token: between letters, between numbers, or in a run of its like."""
    apostrophe = character in "'’" and inside in (LETTER, NUMBER) and after in (LETTER, NUMBER)
    in_number = character in ".," and inside == after == NUMBER
    return apostrophe or in_number or (character in ".-" and inside == character)


def tokens_of(text: str) -> list[str]:
    """Split a text into words and symbols."""
    kinds = [kind_of(character) for character in text]
    tokens: list[str] = []
    inside = ""  # the kind of the last character that is no mark in an open token: LETTER, NUMBER, SOLITARY, or a symbol itself
    for place, (character, kind) in enumerate(zip(text, kinds, strict=True)):
        after = kinds[place + 1] if place + 1 < len(text) else SPACE
        if kind == SPACE:
            inside = ""
        elif kind in (LETTER, NUMBER):
            if inside in (LETTER, NUMBER):
                tokens[-1] += character
            else:
                tokens.append(character)
            inside = kind
        elif inside and (kind == MARK or joins(inside, character, after)):
            tokens[-1] += character
            if kind == MARK and inside not in (LETTER, NUMBER):
                inside = MARK  # a mark ends a run of points or hyphens
        else:
            tokens.append(character)
            inside = SOLITARY if kind == SOLITARY else character
    return tokens


def is_word(token: str) -> bool:
    return kind_of(token[0]) in (LETTER, NUMBER, SOLITARY)


def has_letter(token: str) -> bool:
    return is_word(token) and any(kind_of(character) in (LETTER, SOLITARY) for character in token)


PIECES = [
    "a",
    "Zoë",
    "don't",
    "’",
    "'",
    ".",
    ",",
    "-",
    "...",
    "1",
    "2,5",
    "٣",
    " ",
    "\n",
    "\n\n",
    "\u00a0",
    "\u2028",
    "\t",
    "\0",
    "\u0301",
    "\ufe0f",
]
PIECES += [
    "\r",
    "\r\n",
    "\x0b",
    "\x1d",
    "\x85",
    "\n\n\n",
    " \n ",
    "a line of some length, for a block of bytes is long",
    "\u200d",
    "\u200b",
    "\u00ad",
    "漢",
    "かな",
    "ｶﾞ",
    "ไทย",
    "ខ្មែរ",
    "မြန်",
    "한국",
    "שלום",
    "عَرَبِيّ",
    "👩‍🚀",
    "#️⃣",
    "ﬁ",
    "İ",
    "ẞ",
    "…",
    "#",
    "•",
    "\U0010ffff",
]
texts = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=30).map("".join), st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
)


def column(*strings: str) -> Text:
    return Text.from_strings(strings)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't stop, it’s 3.14 or 1,024.", ["Don't", "stop", ",", "it’s", "3.14", "or", "1,024", "."]),
        ("'quoted' rock 'n' roll'", ["'", "quoted", "'", "rock", "'", "n", "'", "roll", "'"]),
        ("Wait... or ---- go!!", ["Wait", "...", "or", "----", "go", "!", "!"]),
        ("well-known snake_case", ["well", "-", "known", "snake", "_", "case"]),
        ("漢字かなไทย ok", ["漢", "字", "か", "な", "ไ", "ท", "ย", "ok"]),
        ("e\u0301te\u0301 नमस्ते", ["e\u0301te\u0301", "नमस्ते"]),
        ("a\u00adb می‌خواهم", ["a\u00adb", "می‌خواهم"]),
        ("\u0301x", ["\u0301", "x"]),
        ("", []),
    ],
)
def test_what_a_word_is(text: str, tokens: list[str]) -> None:
    assert column(text).words.strings(0) == tokens


@meets(words=200, symbols=200, joined=120)
@given(st.lists(texts, max_size=5))
def test_words_equal_plain_twin(batch: list[str]) -> None:
    words = column(*batch).words
    expected = [tokens_of(text) for text in batch]
    flat = [token for tokens in expected for token in tokens]
    assert [words.strings(index) for index in range(len(batch))] == expected
    assert words.characters.tolist() == [len(token) for token in flat]
    assert [bool(kind & WORD) for kind in words.kinds] == [is_word(token) for token in flat]
    assert [bool(kind & ALPHABETIC) for kind in words.kinds] == [has_letter(token) for token in flat]
    assert len(set(words.hashes.tolist())) == len(set(flat)) == len(set(zip(flat, words.hashes.tolist(), strict=True)))
    met["words"] += sum(map(is_word, flat))
    met["symbols"] += sum(not is_word(token) for token in flat)
    met["joined"] += sum(len(token) > 1 for token in flat)


@meets(apart=4)
@given(st.lists(texts, max_size=6), st.data())
def test_words_and_lines_do_not_depend_on_batches(batch: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(batch)))
    stop = data.draw(st.integers(start, len(batch)))
    whole, part = column(*batch), Text.from_arrow(pa.array(batch, pa.string()).slice(start, stop - start))
    chosen = slice(whole.words.offsets[start], whole.words.offsets[stop])
    for name in ("starts", "ends", "characters", "hashes", "kinds", "folded"):
        assert np.array_equal(getattr(whole.words, name)[chosen], getattr(part.words, name))
    for find in ("lines", "paragraphs", "unicode_lines"):
        mine, others = getattr(whole, find), getattr(part, find)
        chosen = slice(mine.offsets[start], mine.offsets[stop])
        for name in (field.name for field in dataclasses.fields(mine) if field.name != "offsets"):
            assert np.array_equal(getattr(mine, name)[chosen], getattr(others, name))
    met["apart"] += 0 < stop - start < len(batch)


def test_every_code_point_has_its_class() -> None:
    names = {getattr(unicode_classes, name.upper()): name for name in ("space", "symbol", "letter", "number", "mark", "solitary")}
    classes = unicode_classes.character_classes()
    assert len(classes) == 0x110000
    differing = [hex(point) for point in range(0x110000) if names[int(classes[point])] != kind_of(chr(point))]
    assert differing == []


@meets(bytes_1=5, bytes_2=6, bytes_3=6, bytes_4=5)
@given(
    st.one_of(
        st.characters(min_codepoint=low, max_codepoint=high, exclude_categories=["Cs"])
        for low, high in ((0, 0x7F), (0x80, 0x7FF), (0x800, 0xFFFF), (0x10000, 0x10FFFF))
    )
)
def test_decoding_is_utf8(character: str) -> None:
    encoded = np.frombuffer(character.encode() + b"x", np.uint8)
    assert unicode_classes.decode_character(encoded, 0, len(encoded)) == (ord(character), len(encoded) - 1)
    met[f"bytes_{len(encoded) - 1}"] += 1


@meets(malformed=20, lines=10)
@given(st.one_of(st.binary(max_size=30), st.lists(st.sampled_from([b"\n", b"\xff", b"a", b"\xe6\xbc", b"\xa2", b" "])).map(b"".join)))
def test_malformed_bytes_are_neither_lost_nor_fatal(noise: bytes) -> None:
    data = np.frombuffer(b"ab " + noise + b" cd", np.uint8)
    text = Text(data, np.array([0, 3, 3 + len(noise), len(data)], np.int64))
    words = text.words
    covered = sum(int(end) - int(start) for start, end in zip(words.starts, words.ends, strict=True))
    assert covered <= len(data)
    assert words.strings(0) == ["ab"]
    assert words.strings(2) == ["cd"]
    assert len(words.folded) == len(words.hashes)
    assert text.lines.counts.tolist() == [1, 1 + noise.count(b"\n"), 1]
    assert text.paragraphs.counts[1] >= 1
    met["malformed"] += "\ufffd" in noise.decode("utf-8", "replace")
    met["lines"] += noise.count(b"\n")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Straße", "STRASSE"),
        ("café", "CAFE\u0301"),
        ("ﬁnd", "find"),
        ("Ｆｕｌｌ", "full"),
        ("don't", "DON’T"),
        ("co\u00adoperate", "cooperate"),
        ("שָׁלוֹם", "שלום"),
        ("한국", unicodedata.normalize("NFD", "한국")),
        ("ǅ", "dž"),
    ],
)
def test_folding_hides_how_a_word_is_written(one: str, other: str) -> None:
    words = column(one, other).words
    assert len(words.hashes) == 2
    assert words.folded[0] == words.folded[1]
    assert words.hashes[0] != words.hashes[1]


@pytest.mark.parametrize(("one", "other"), [("resume", "resumes"), ("か", "が"), ("कि", "की"), ("1.5", "15"), ("ab", "ba"), ("a", "aa")])
def test_folding_keeps_what_a_word_means(one: str, other: str) -> None:
    words = column(one, other).words
    assert words.folded[0] != words.folded[1]


@meets(folded=30, plain=30)
@given(texts)
def test_folded_hash_equals_plain_twin(text: str) -> None:
    words = column(text).words
    for token, value in zip(words.strings(0), words.folded.tolist(), strict=True):
        folded = "".join(unicode_classes.fold(character) if ord(character) < 0x34000 else character for character in token)
        expected = 0
        for character in folded:
            expected = (expected + ord(character) + 1) * 0x9E6C63D0876A9A47 % 2**64
        expected = (expected ^ expected >> 32) * 0xD6E8FEB86659FD93 % 2**64
        assert value == expected ^ expected >> 32
        met["folded" if folded != token else "plain"] += 1


@meets(tokens=900)
@given(st.lists(st.sampled_from(["a", "é", "’", "1", ".", ",", " ", "漢", "\u0301", "-", "xyz"]), min_size=55, max_size=75).map("".join))
def test_blocks_leave_no_trace(text: str) -> None:
    """Whatever stands at the end of a block of 64 bytes, at every distance from the beginning of the text."""
    for shift in range(4):
        shifted = "." * 61 + " " + "b" * shift + text
        assert column(shifted).words.strings(0) == tokens_of(shifted)
    met["tokens"] += len(tokens_of(text))


@pytest.mark.parametrize("mark", ["'", ".", ","])
def test_a_mark_at_the_end_of_a_block_is_joined_to_what_follows_in_its_text_alone(mark: str) -> None:
    text = "1" * 63 + mark
    assert column(text, "2").words.strings(0) == tokens_of(text) == ["1" * 63, mark]
    longer = "-" + "1" * 126 + mark + "2"
    assert column(longer).words.strings(0) == tokens_of(longer) == ["-", longer[1:]]


def pieces_of(text: Text, pieces: PieceBounds, index: int) -> list[str]:
    begin = text.offsets[index]
    bounds = range(pieces.offsets[index], pieces.offsets[index + 1])
    return [text.data[begin + pieces.starts[i] : begin + pieces.ends[i]].tobytes().decode() for i in bounds]


@meets(lines=80, paragraphs=70, blank=20)
@given(st.lists(texts, max_size=4))
def test_lines_and_paragraphs_equal_plain_twin(batch: list[str]) -> None:
    text = column(*batch)
    lines, paragraphs, unicode_lines = text.lines, text.paragraphs, text.unicode_lines
    for index, string in enumerate(batch):
        assert pieces_of(text, lines, index) == string.split("\n")
        assert pieces_of(text, paragraphs, index) == re.split("\n{2,}", string.strip())
        assert pieces_of(text, unicode_lines, index) == string.splitlines()
    flat = [line for string in batch for line in string.split("\n")]
    assert lines.characters.tolist() == [len(line) for line in flat]
    assert lines.blank.tolist() == [not line.strip() for line in flat]
    assert lines.text_characters.tolist() == [len(string) for string in batch]
    assert len(set(lines.hashes.tolist())) == len(set(flat))
    blocks = [block for string in batch for block in re.split("\n{2,}", string.strip())]
    assert paragraphs.characters.tolist() == [len(block) for block in blocks]
    assert len(set(paragraphs.hashes.tolist())) == len(set(blocks)) == len(set(zip(blocks, paragraphs.hashes.tolist(), strict=True)))
    visible = [line.encode().strip() for line in flat if line.isascii()]
    mine = zip(lines.visible_starts, lines.visible_ends, flat, strict=True)
    assert [int(end - start) for start, end, line in mine if line.isascii()] == [len(part.decode().strip()) for part in visible]
    met["lines"] += len(flat)
    met["paragraphs"] += len(blocks)
    met["blank"] += sum(not line.strip() for line in flat)


@meets(repeated=60, first=90)
@given(st.lists(st.lists(st.sampled_from(["a", "b", "", "longer"]), min_size=1, max_size=8), max_size=4), st.booleans())
def test_duplicates_equal_plain_twin(batch: list[list[str]], skip_empty: bool) -> None:
    lines = column(*("\n".join(parts) for parts in batch)).lines
    found = repeated_pieces(lines, lines.characters > 0 if skip_empty else np.ones(len(lines.hashes), np.bool_))
    for index, parts in enumerate(batch):
        taking_part = [part for part in parts if part or not skip_empty]
        repeated = [part for place, part in enumerate(taking_part) if part in taking_part[:place]]
        assert found.among[index] == len(taking_part)
        assert found.repeated[index] == len(repeated)
        assert found.characters[index] == sum(map(len, repeated))
        met["repeated"] += len(repeated)
        met["first"] += len(taking_part) - len(repeated)


def test_words_without_symbols_are_the_words_of_each_text() -> None:
    words = Text.from_strings(["Rain, and rain!", "", "... --", "(a)"]).words
    offsets, hashes, characters = words.without_symbols
    assert offsets.tolist() == [0, 3, 3, 3, 4]
    assert characters.tolist() == [4, 3, 4, 1]
    alone = Text.from_strings(["Rain and rain", "a"]).words
    assert hashes.tolist() == alone.hashes.tolist()

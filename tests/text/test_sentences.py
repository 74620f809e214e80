"""Sentences: the kernel against a plain twin, on all of Unicode, however texts are cut into batches; and what the rules are for."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.text import sentences as finding
from curation.text.sentences import sentence_terminal_marks
from curation.text.text import Text
from tests.meeting import meets, met

WEAK, NEEDS_SPACE = ".…", ".…!?"
MARKS = "".join({*sentence_terminal_marks(), "…"})


def is_closer(character: str) -> bool:
    return character in "'\"" or unicodedata.category(character) in ("Pe", "Pf", "Pi")


CLOSERS = "".join(chr(point) for point in range(0x20000) if is_closer(chr(point)))
RUN = re.compile(f"[{re.escape(MARKS)}][{re.escape(MARKS + CLOSERS)}]*")


def is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] == "L" or character == "〇"


def is_number(character: str) -> bool:
    return unicodedata.category(character)[0] == "N" and character != "〇"


def after_initial(before: str) -> bool:
    """Tell whether a text ends in a lone capital letter, whatever is attached to it."""
    shown = [c for c in before if unicodedata.category(c)[0] != "M" and unicodedata.category(c) != "Cf"]
    lone = len(shown) < 2 or not (is_letter(shown[-2]) or is_number(shown[-2]))
    return bool(shown) and lone and unicodedata.category(shown[-1]) in ("Lu", "Lt")


def ends(line: str, run: re.Match[str]) -> bool:
    marks, rest = run[0], line[run.end() :]
    if any(mark in MARKS and mark not in NEEDS_SPACE for mark in marks):
        return not (marks[-1] in "．﹒" and is_number(rest[:1] or " "))
    if not rest[:1].isspace():
        return False
    if any(mark not in WEAK and not is_closer(mark) for mark in marks):
        return True
    following = rest.lstrip()[:1]
    lower = following != "" and unicodedata.category(following) == "Ll"
    return not lower and not (marks[0] == "." and after_initial(line[: run.start()]))


def sentences_of(text: str) -> list[str]:
    pieces = []
    for line in text.split("\n"):
        cuts = [run.end() for run in RUN.finditer(line) if ends(line, run)]
        pieces += [line[first:last].strip() for first, last in zip([0, *cuts], [*cuts, len(line)], strict=True)]
    return [piece for piece in pieces if any(map(is_letter, piece))]


def found(*texts: str) -> list[list[str]]:
    column = Text.from_strings(texts)
    sentences = column.sentences
    return [
        [
            column.data[column.offsets[i] + sentences.starts[k] : column.offsets[i] + sentences.ends[k]].tobytes().decode()
            for k in range(sentences.offsets[i], sentences.offsets[i + 1])
        ]
        for i in range(len(texts))
    ]


PIECES = st.sampled_from(
    [
        *"aZ1 \n.!?…。．﹒！？।؟'\"”»)」“(%,中กß\u0301\u200d\u00a0\u2028\t",
        *("A", "Mr", "e.g", ". ", ". b", ". B", "3.5", "．5", "...", "?! ", '." ', "É", "E\u0301. ", "你好", "ǅ", "〇", "Ⅳ", "ª"),
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(st.characters(exclude_categories=["Cs"]), max_size=3)), max_size=30).map("".join)


@meets(sentences=100)
@given(st.lists(TEXTS, max_size=4), st.integers(0, 4))
def test_sentences_equal_a_plain_twin_whatever_the_batch(texts: list[str], cut: int) -> None:
    expected = [sentences_of(text) for text in texts]
    met["sentences"] += sum(map(len, expected))
    assert found(*texts) == expected
    assert found(*texts[:cut]) + found(*texts[cut:]) == expected
    assert Text.from_strings(texts).sentences.counts.tolist() == [len(pieces) for pieces in expected]


@meets(letters=100)
@given(TEXTS)
def test_every_letter_is_in_one_sentence(text: str) -> None:
    met["letters"] += sum(map(is_letter, text))
    assert [c for sentence in found(text)[0] for c in sentence if is_letter(c)] == [c for c in text if is_letter(c)]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Rain fell. It stopped! Did it? Yes", ["Rain fell.", "It stopped!", "Did it?", "Yes"]),
        ("About approx. ten of 3.5 m, e.g. this one on site.org.", ["About approx. ten of 3.5 m, e.g. this one on site.org."]),
        ("J. S. Bach wrote it. The U.S. Army did not.", ["J. S. Bach wrote it.", "The U.S. Army did not."]),
        ('She said "No." Then (at last!) he left.', ['She said "No."', "Then (at last!)", "he left."]),
        ("Wait... what? Fine… Good.", ["Wait... what?", "Fine…", "Good."]),
        ("Contents\n1. First steps\n2. Last steps\n\n* * *\n", ["Contents", "First steps", "Last steps"]),
        ("今天下雨。「明天呢？」不知道！好", ["今天下雨。", "「明天呢？」", "不知道！", "好"]),
        ("値は3．5です．次は4．", ["値は3．5です．", "次は4．"]),
        ("वर्षा हुई। फिर रुकी।", ["वर्षा हुई।", "फिर रुकी।"]),
        ("هل نزل المطر؟ نعم.", ["هل نزل المطر؟", "نعم."]),
        ("ฝนตกทั้งวัน เราอยู่บ้าน\nพรุ่งนี้ไป", ["ฝนตกทั้งวัน เราอยู่บ้าน", "พรุ่งนี้ไป"]),
        ("1066. 42! ***", []),
        ("", []),
    ],
)
def test_sentences(text: str, sentences: list[str]) -> None:
    assert found(text) == [sentences]


def test_a_sliced_column_has_the_sentences_of_a_whole_one() -> None:
    whole = Text.from_strings(["One. Two.", "Three. Four", ""])
    assert Text(whole.data, whole.offsets[1:]).sentences.counts.tolist() == [2, 0]


def test_the_kinds_of_characters_are_found_once_for_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = finding._kinds()
    finding._kinds.cache_clear()
    monkeypatch.setattr(finding, "_make_kinds", pytest.fail)
    assert (finding._kinds() == kinds).all()
    assert not kinds.flags.writeable

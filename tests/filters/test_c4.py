"""C4's rules: lines against a plain twin, edit and filter together against datatrove's order of rules; paragraphs; lists of bad words."""

import dataclasses
import heapq
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import InputError, RecipeError
from curation.ingest.edits.c4_lines import C4Lines
from curation.text.text import Text
from filters.bad_words import BadWords
from filters.c4_paragraphs import C4Paragraphs
from filters.c4_quality import C4Quality
from filters.contract import Filter
from tests.meeting import meets, met
from tests.running import curate

CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
EDITS = [
    C4Lines(),
    C4Lines(min_words=5, end_marks='.?!"'),
    C4Lines(require_end_mark=False),
    C4Lines(min_words=0, require_end_mark=False, max_word_length=6),
    C4Lines(remove_citations=False, drop_javascript=False, drop_policy=False, end_marks=".。"),
]


def edited(edit: C4Lines, *texts: str) -> tuple[list[str], dict[str, list[int]]]:
    result = edit.apply(Text.from_strings(texts))
    return [result.text.string(i) for i in range(len(texts))], {name: count.tolist() for name, count in result.counts.items()}


def signals(made: Filter, *texts: str) -> list[dict[str, object]]:
    found = made.signals(Text.from_strings(texts), None)
    columns = {name: pa.array(found[name], kind).to_pylist() for name, kind in made.signal_types.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


# --- lines --------------------------------------------------------------------------------------------------------------------------------


def judged(edit: C4Lines, line: str, words: list[str]) -> str:
    """Return what becomes of a line without citations: the rule that drops it, "stays", or "condemns"."""
    if edit.require_end_mark and (not line.endswith(tuple(edit.end_marks)) or line.endswith("...")):
        return "no_end_mark"
    if len(words) < edit.min_words:
        return "few_words"
    lowered = line.lower()
    if "lorem ipsum" in lowered:
        return "condemns"
    if edit.drop_javascript and "javascript" in lowered:
        return "javascript"
    if "{" in line:
        return "condemns"
    return "policy" if edit.drop_policy and any(phrase in lowered for phrase in POLICY) else "stays"


def has_long_word(edit: C4Lines, line: str) -> bool:
    return any(len(word) > edit.max_word_length for word in line.split())


def plain_line(edit: C4Lines, line: str) -> tuple[str, str, int]:
    """Return (rule or "stays", text, citations taken out)."""
    line = line.strip()
    if has_long_word(edit, line):
        return "long_words", "", 0
    once, taken = CITATION.subn("", line) if edit.remove_citations else (line, 0)
    first = judged(edit, once, line.split())
    if first not in ("stays", "condemns") or not taken:
        return first, once, 0
    clean, more = once, 1
    while more:
        clean, more = CITATION.subn("", clean)
        taken += more
    clean = clean.strip()
    again = "long_words" if has_long_word(edit, clean) else judged(edit, clean, clean.split())
    if first == "condemns" and again != "condemns":
        return "condemns", line, 0
    return again, clean, taken


def plain_c4_lines(edit: C4Lines, text: str) -> tuple[str, dict[str, int]]:
    kept, counts = [], dict.fromkeys(("long_words", "no_end_mark", "few_words", "javascript", "policy", "citations"), 0)
    for line in text.splitlines():
        rule, clean, taken = plain_line(edit, line)
        if rule in ("stays", "condemns"):
            kept.append(clean)
            counts["citations"] += taken
        elif line.strip():
            counts[rule] += 1
    return "\n".join(kept).strip(), counts


def until_stable(edit: C4Lines, text: str) -> tuple[str | None, str]:
    """Return (rule that drops the page, its text) as datatrove's filter has them, run until it changes nothing more."""
    while True:
        kept = []
        for line in map(str.strip, text.splitlines()):
            if has_long_word(edit, line):
                continue
            once = CITATION.sub("", line) if edit.remove_citations else line
            rule = judged(edit, once, line.split())
            if rule == "condemns":
                return ("lorem_ipsum" if "lorem ipsum" in once.lower() else "curly_bracket"), text
            if rule == "stays":
                kept.append(once)
        before, text = text, "\n".join(kept).strip()
        if text == before:
            return None, text


PIECES = st.sampled_from(
    [
        *" \n\n\t\r\v\x1c\x1f\x85\xa0\u2003\u2028\u3000\ufeff",
        *"a.?!\"'。{}[]1é中K",
        *("\r\n", "...", "[1]", "[", "]", "[edit]", "[citation needed]", "[٣]", "[[1]2]", "citation needed", " word ", " two words.\n"),
        *("JavaScript", "java", "script", "lorem ", "Lorem Ipsum ", "ipsum", "Privacy Policy", "use coo\u212aies", "terms of use"),
        "long" * 300,
        *("This line stays as it is.\n", "So does “this one” here!\n", "Home | About | Contact\n", 'He said "yes, of course."\n'),
    ]
)
LINES = st.sampled_from(
    [
        *(
            "This line stays as it is.",
            "So does “this one” here!",
            'He said "yes, of course."',
            "A line[1] with citations[citation needed].",
        ),
        *(
            "It ends in no mark",
            "Two words.",
            "To be continued in the next...",
            "Please turn on JavaScript to see this page.",
            "longwords in it.",
        ),
        *("We tell it in our privacy policy today.", "Here is lorem ipsum for all of you.", "It says { and so it goes on.", "one 。", ""),
        *("The java[2]script of old was fine.", "Lorem ip[edit]sum is what it says.", "A [[1]2] nested one stays.", "It ends here. [3]"),
    ]
)
TEXTS = st.one_of(
    st.lists(LINES, max_size=8).map("\n".join),
    st.lists(st.one_of(PIECES, st.text(st.characters(exclude_categories=["Cs"]), max_size=2)), max_size=25).map("".join),
)


@pytest.mark.parametrize("edit", EDITS, ids=repr)
@meets(kept=10, dropped=40)
@given(texts=st.lists(TEXTS, max_size=4))
def test_lines_equal_a_plain_twin(edit: C4Lines, texts: list[str]) -> None:
    expected = [plain_c4_lines(edit, text) for text in texts]
    found, counts = edited(edit, *texts)
    assert found == [text for text, _ in expected]
    for row, (_, numbers) in enumerate(expected):
        assert {name: counts[name][row] for name in numbers} == numbers
    met["kept"] += sum(bool(text) for text, _ in expected)
    met["dropped"] += sum(sum(numbers.values()) for _, numbers in expected)


@pytest.mark.parametrize("edit", EDITS, ids=repr)
@meets(condemned=3, edited=2)
@given(text=TEXTS)
def test_edit_and_filter_give_what_datatrove_s_rules_give_until_nothing_changes(edit: C4Lines, text: str) -> None:
    rule, stable = until_stable(edit, text)
    if rule == "lorem_ipsum" and "lorem ipsum" not in text.lower():
        return  # the one case that the edit's docstring leaves open
    (found,), _ = edited(edit, text)
    (measured,) = signals(C4Quality(), found)
    assert bool(measured["lorem_ipsum"] or measured["curly_brackets"]) == (rule is not None)
    assert rule is not None or found == stable
    met["condemned"] += rule is not None
    met["edited"] += rule is None and stable != text and bool(stable)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Menu\nThe sea is salt.\n\nRead more...\nIt is deep too.\n", "The sea is salt.\nIt is deep too."),
        ("One two three\r\nOne two three.\u2028Four five six!", "One two three.\nFour five six!"),
        ("Too short.\nJust long enough.", "Just long enough."),
        ("Salt is common.[1][citation needed]\nSalt is rare. [2]", "Salt is common."),
        ("[edit] It was made by hand.", "It was made by hand."),
        ("See [1] there.\nSee it [1] there.", "See it  there."),
        ("Please turn on JavaScript now.\nWe use cooKies on this site.", ""),
        ("x" * 1001 + " is one word.\n" + "x" * 1000 + " is one word.", "x" * 1000 + " is one word."),
    ],
)
def test_lines(text: str, expected: str) -> None:
    assert edited(C4Lines(), text)[0] == [expected]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Here lorem ipsum stands.", True),
        ("Here { stands too.", True),
        ("Our privacy policy { stands before it.", True),
        ("JavaScript { is dropped before.", False),
        ("Lorem ipsum in JavaScript stays.", True),
        ("Lorem ipsum without end mark", False),
        ("Too {.", False),
        ("Hide [1] {.", True),
    ],
)
def test_what_condemns_a_page_is_left_for_the_filter(text: str, left: bool) -> None:
    assert edited(C4Lines(), text)[0] == [text if left else ""]


def test_the_case_that_is_left_open() -> None:
    text = "lorem[citation needed] ipsum."
    assert until_stable(C4Lines(), text)[0] == "lorem_ipsum"
    assert edited(C4Lines(), text)[0] == [text]
    assert signals(C4Quality(), text)[0]["lorem_ipsum"] == 0


def test_nested_citations_cost_no_more_than_plain_ones() -> None:
    """A line of many thousand brackets within each other; taking out one layer at a time would not end in a test's time."""
    depth = 200_000
    text = "A deep nest" + "[" * depth + "1" + "]" * depth + " is empty."
    assert edited(C4Lines(max_word_length=10**6), text)[0] == ["A deep nest is empty."]


def test_an_edit_without_end_marks_is_refused() -> None:
    with pytest.raises(RecipeError, match="require_end_mark = false"):
        C4Lines(end_marks="")


# --- pages --------------------------------------------------------------------------------------------------------------------------------


@meets(sentences=140, curly=10, lorem=6)
@given(st.lists(TEXTS, max_size=4))
def test_page_signals_equal_a_plain_twin(texts: list[str]) -> None:
    sentences = Text.from_strings(texts).sentences.counts  # proved equal to their own twin in test_sentences
    assert signals(C4Quality(), *texts) == [
        {
            "sentences": sentences[row],
            "lorem_ipsum": text.lower().count("lorem ipsum"),
            "curly_brackets": text.count("{"),
            "characters": len(text),
        }
        for row, text in enumerate(texts)
    ]
    met["sentences"] += int(sentences.sum())
    met["curly"] += sum("{" in text for text in texts)
    met["lorem"] += sum("lorem ipsum" in text.lower() for text in texts)


def test_the_length_of_a_page_is_judged_where_it_is_asked_for() -> None:
    assert "too_many_characters" not in C4Quality().rules()
    assert C4Quality(min_sentences=3, max_characters=190_000).rules()["too_many_characters"].threshold == 190_000


@meets(three=20, fewer=30)
@given(st.lists(st.lists(st.integers(0, 5), max_size=6).map(lambda sizes: "\n".join("é" * size for size in sizes)), max_size=4))
def test_paragraphs_equal_a_plain_twin(texts: list[str]) -> None:
    lines = [text.split("\n") for text in texts]
    assert signals(C4Paragraphs(), *texts) == [
        {"paragraphs": len(each), "third_longest": min(heapq.nlargest(3, map(len, each))) if len(each) >= 3 else 0} for each in lines
    ]
    met["three"] += sum(len(each) >= 3 for each in lines)
    met["fewer"] += sum(len(each) < 3 for each in lines)


# --- bad words ----------------------------------------------------------------------------------------------------------------------------

ENTRIES = ["drat", "drat it", "Über-Drat", "blast", "bl@st", "💣", "性", "a_b", "no\u0301"]
WORDS = st.lists(
    st.sampled_from([*ENTRIES, "DRAT", "über-drat", "ÜBER", " ", "_", "s", "'", "\n", "\u0301", "中", "it", "-", "1", "İ"]), max_size=12
).map("".join)


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("lists") / "entries.txt"
    path.write_text("\ufeff" + "\r\n".join([*ENTRIES, "", "  blast  "]), "utf-8")
    return str(path)


@pytest.mark.parametrize("within", [False, True])
@meets(clean=20, found=20)
@given(texts=st.lists(WORDS, max_size=4))
def test_bad_words_equal_the_pattern_of_c4(entries: str, within: bool, texts: list[str]) -> None:
    escaped = "|".join(re.escape(entry.lower()) for entry in ENTRIES)
    pattern = re.compile(escaped if within else rf"(?:\W|^)({escaped})(?:\W|$)")
    for text, found in zip(texts, signals(BadWords(lists=(entries,), within_words=within), *texts), strict=True):
        assert bool(found["hits"]) == bool(pattern.search(text.lower())) == (found["first"] is not None)
        assert found["first"] is None or found["first"] in text.lower()
        met["found" if found["hits"] else "clean"] += 1


def test_a_hit_names_the_entry(entries: str) -> None:
    made = BadWords(lists=(entries,))
    assert signals(made, "Oh DRAT it! And drat.", "dratted", "") == [
        {"hits": 3, "first": "drat it"},
        {"hits": 0, "first": None},
        {"hits": 0, "first": None},
    ]
    assert made.rules()["holds_bad_word"].evidence == ("first",)
    assert made.files().keys() == {"0 entries.txt"}
    assert dataclasses.replace(made, max_hits=3).measuring() == made.measuring()


@pytest.mark.parametrize(("content", "message"), [(b"\n \n", "holds no entry"), (b"\xff\xfe", "is not UTF-8 text")])
def test_a_file_that_is_no_list_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"list.txt {message}"):
        BadWords(lists=(str(path),)).signals(Text.from_strings(["x"]), None)


def test_a_changed_list_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    made = BadWords(lists=(str(path),))
    path.write_text("drat")
    before = made.files()
    assert signals(made, "blast")[0]["hits"] == 0
    path.write_text("blast it\nblast")
    assert made.files() != before
    assert signals(made, "blast")[0]["hits"] == 1


# --- through the command line -------------------------------------------------------------------------------------------------------------

TIDES = "Tides rise. Tides fall.\nThe moon pulls at the sea. So does the sun. Both add up at new moon."
PAGE = "Home | News\n" + TIDES.replace("fall.", "fall.[1]") + "\nTurn on JavaScript, please.\n"


def test_the_recipe_edits_lines_and_judges_pages(tmp_path: Path) -> None:
    pages = {
        "tides": PAGE,
        "code": PAGE + "Then f(x) {} is called.",
        "short": "Tides rise twice a day.",
        "theme": PAGE + "Lorem ipsum is here.",
    }
    (tmp_path / "pages.jsonl").write_text("".join(json.dumps({"id": name, "text": text}) + "\n" for name, text in pages.items()))
    curate("run", "c4", tmp_path / "pages.jsonl", "--out", tmp_path / "out")
    ledger = pq.read_table(tmp_path / "out/ledger", columns=["id", "fate", "rule"]).to_pylist()
    assert {row["id"]: row["rule"] for row in ledger} == {
        "tides": None,
        "code": "c4_quality.curly_bracket",
        "short": "c4_quality.too_few_sentences",
        "theme": "c4_quality.lorem_ipsum",
    }
    kept = pq.read_table(tmp_path / "out/dataset/data")["text"].to_pylist()
    assert kept == [TIDES]

"""Tables at any width: no number is ever cut, every label that is shown is shown whole, and what has no room is named."""

import io
import itertools
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from pipelines.inspect.funnel import funnel
from pipelines.inspect.signal_split import signal_by
from pipelines.inspect.thresholds import retention, threshold_effect
from pipelines.inspect.views import signal_summary
from pipelines.inspect.why import duplicates, why
from pipelines.report import signal_tables, tables
from pipelines.terminal.sheets import Sheet, wrapped
from pipelines.terminal.terminal import WIDTH_WHEN_PLAIN, new_console, new_table, print_pairs, print_table
from tests.meeting import meets, met
from tests.toy_run import write_run

WIDTHS = (60, 80, 100, 200)
NUMBER = re.compile(r"\d[\d,.]*\d|\d")


def printed(sheet: Sheet, width: int) -> str:
    stream = io.StringIO()
    print_table(Console(file=stream, width=width, markup=False, emoji=False, highlight=False), sheet)
    return stream.getvalue()


LABELS = st.text(st.sampled_from("abcdefgh_./- 漢字é"), min_size=1, max_size=70).filter(lambda text: text.strip())


def test_numbers_stand_whole_and_labels_are_complete() -> None:
    @meets(table=2, list=2, wrapped=2, dropped=2)
    @given(
        st.lists(st.tuples(LABELS, st.lists(st.integers(0, 10**15), min_size=6, max_size=6)), min_size=1, max_size=5),
        st.integers(2, 6),
        st.booleans(),
        st.sampled_from((20, 30, 40, *WIDTHS)),
    )
    def check(rows: list[tuple[str, list[int]]], count: int, may_drop: bool, width: int) -> None:
        headers = ["NAME", *(f"N{chr(65 + place)} LONG" for place in range(count))]
        sheet = new_table(*headers, droppable=range(2, count + 1) if may_drop else ())
        for label, numbers in rows:
            sheet.add_row(label, *(f"{number:,}" for number in numbers[:count]))
        text = printed(sheet, width)
        gone = re.search(r"No room for: ([^.]*)\.", text)
        dropped = gone[1].count(",") + 1 if gone else 0
        body = text.replace(gone[0], "") if gone else text
        expected = [f"{number:,}" for _, numbers in rows for number in (*numbers[:1], *numbers[1 + dropped : count])]
        assert sorted(NUMBER.findall(body)) == sorted(expected)
        letters = "".join(re.findall(r"[^\d\s,A-Z·─]", body))
        assert letters == "".join("".join(label.split()) for label, _ in rows)
        is_list = "─" not in text
        if width > 40 or not is_list:
            assert max(map(cell_len, text.splitlines())) <= width
        met["list" if is_list else "table"] += 1
        met["dropped"] += bool(gone)
        met["wrapped"] += len(text.splitlines()) > len(rows) + 4

    check()


@meets(wrapped=9)
@given(
    st.one_of(
        st.text(st.sampled_from("ab 漢._/-1,.5"), max_size=60),
        st.lists(st.sampled_from(["ab", "漢字", "1,234,567", "a/b_c.d", "12"]), max_size=9).map(" ".join),
    ),
    st.integers(4, 30),
)
def test_wrapping_loses_nothing_and_keeps_to_the_width(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(cell_len(line) <= width or NUMBER.search(line) for line in lines)
    met["wrapped"] += len(lines) > 1


def test_a_number_is_not_broken_where_it_meets_a_word() -> None:
    assert wrapped("gopher_quality.too_many_words (100,000)", 20) == ["gopher_quality.too_", "many_words (100,000)"]
    assert wrapped("drops 123,456,789,012", 8) == ["drops", "123,456,789,012"]


def test_columns_go_in_the_order_stated_and_are_named() -> None:
    sheet = new_table("name", "one", "two", "three", "", bars=True, droppable=(2, 3))
    sheet.add_row("a label of some length", "1" * 12, "2" * 12, "3" * 12, "█" * 40)
    texts = [printed(sheet, width) for width in (110, 80, 60, 45, 30, 20)]
    assert [("█" in text, "222" in text, "333" in text, "No room for" in text) for text in texts] == [
        (True, True, True, False),
        (True, True, True, False),
        (False, True, True, False),
        (False, False, True, True),
        (False, False, False, True),
        (False, True, True, False),  # as a list
    ]
    assert "No room for: two.\n" in texts[3]
    assert "No room for: two, three.\n" in texts[4]
    assert texts[5].splitlines()[0] == "a label of some"


def test_pairs_keep_to_the_width() -> None:
    pairs = {"short": "x" * 150, "a name that is much longer than the terminal is wide, and goes on": 1234567890, "none": None}
    for width in (30, *WIDTHS):
        stream = io.StringIO()
        print_pairs(Console(file=stream, width=width, markup=False, emoji=False), pairs)
        text = stream.getvalue()
        assert max(map(cell_len, text.splitlines())) <= width
        assert "1234567890" in text
        assert "none" not in text
        assert text.count("x") == 150


def test_a_long_value_goes_on_beside_its_name() -> None:
    stream = io.StringIO()
    print_pairs(Console(file=stream, width=40, markup=False, emoji=False), {"short": "1", "longer name": "word " * 12})
    first, *rest = stream.getvalue().splitlines()
    assert first.split() == ["short", "1"]
    at = first.index("1")
    assert rest[0].split()[:2] == ["longer", "name"]
    assert [line[:at].strip() for line in rest] == ["longer name", *[""] * (len(rest) - 1)]
    assert len(rest) > 1
    assert all(line[at:].startswith("word") for line in rest)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_run(tmp_path_factory.mktemp("run")))


def numbers_in(value: Any) -> set[str]:
    """Return all digits that a result may be printed with: those of its JSON form, whole or rounded as views do."""
    return set(NUMBER.findall(json.dumps(tables.as_plain(value))))


@pytest.mark.parametrize("width", WIDTHS)
def test_every_view_says_the_same_at_every_width(
    run: str, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "gopher_quality.words"
    views = [
        lambda: tables.show_funnel(funnel(run)),
        lambda: signal_tables.show_signal(signal_summary(run, words)),
        lambda: signal_tables.show_signal_split(signal_by(run, words, "source")),
        lambda: signal_tables.show_threshold(threshold_effect(run, words, 80)),
        lambda: signal_tables.show_retention(retention(run, words)),
        lambda: tables.show_why(why(run, "doc-004")),
        lambda: tables.show_duplicates(duplicates(run, "doc-004")),
    ]
    for view in views:
        found = {}
        for columns in (2000, width):
            monkeypatch.setenv("COLUMNS", str(columns))
            view()
            found[columns] = capsys.readouterr().out
        widest, here = (Counted(found[columns]) for columns in (2000, width))
        assert here.numbers <= widest.numbers
        assert max(map(cell_len, here.text.splitlines())) <= width
        assert "…" not in here.text.replace("…", "", widest.text.count("…"))


class Counted:
    def __init__(self, text: str) -> None:
        self.text = text
        self.numbers = set(NUMBER.findall(text))


def test_into_a_pipe_results_are_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert new_console().width == WIDTH_WHEN_PLAIN
    monkeypatch.setenv("COLUMNS", "72")
    assert new_console().width == 72


def test_big_numbers_in_the_funnel_s_table_at_80_columns() -> None:
    sheet = new_table("", "rule", "documents", "text", "share", "left", "already dropped", droppable=(6, 3, 4))
    for place in range(3):
        sheet.add_row(
            "judge",
            "gopher_repetition.duplicate_10_gram (0.1)",
            f"-{200_039 * 10**place:,}",
            "1,023.9 TiB",
            "100.0%",
            "123,456,789,012",
            "9,999",
        )
    for width, shown in zip(WIDTHS, (4, 5, 7, 7), strict=True):
        text = printed(sheet, width)
        assert [number in text for number in ("-200,039", "-2,000,390", "-20,003,900")] == [True] * 3
        assert text.count("123,456,789,012") == 3
        columns = re.split(r"\s{2,}", text.splitlines()[-3 if "No room" in text else -2].strip())
        assert len(columns) <= shown
    assert list(itertools.chain(*re.findall(r"(1,023\.9)|(TiB)", printed(sheet, 60)))) == []


@pytest.mark.parametrize("environment", [{}, {"COLUMNS": "50"}, {"FORCE_COLOR": "1", "TERM": "xterm-256color"}])
def test_a_console_prints_text_as_it_is(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """No markup, no emoji and no colours for numbers, on a terminal either: what is printed may come from a crawl."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    console = new_console()
    with console.capture() as printed:
        console.print("[red]12[/red] :smile: x = 'y'")
    assert printed.get() == "[red]12[/red] :smile: x = 'y'\n"
    assert console.width == int(environment.get("COLUMNS", WIDTH_WHEN_PLAIN)) or "TERM" in environment

"""What the report's charts draw: every bar, figure and label where the numbers say."""

from xml.etree import ElementTree

import pytest

from pipelines.inspect.histogram import Bin
from pipelines.report import charts


def drawn(markup: str) -> tuple[list[tuple[str, float, float, float, float]], list[str]]:
    """Return the bars of a chart (class, x, y, width, height) and its texts, in order."""
    root = ElementTree.fromstring(markup)
    bars = [(rect.attrib["class"], *(float(rect.attrib[side]) for side in ("x", "y", "width", "height"))) for rect in root.iter("rect")]
    return bars, [text.text or "" for text in root.iter("text")]


def test_a_level_of_the_funnel_has_a_bar_for_what_stays_and_one_for_what_goes() -> None:
    levels = [
        charts.FunnelLevel("records", 100, 0, "ignored"),
        charts.FunnelLevel("ingest", 60, 40, "dropped"),
        charts.FunnelLevel("kept", 30, 30, "duplicate"),
    ]
    bars, texts = drawn(charts.funnel_chart(levels, charts.WIDE))
    assert [(kind, x, y, width) for kind, x, y, width, _ in bars] == [
        ("stays", 210, 8, 560),
        ("stays", 210, 48, 336),
        ("dropped", 546, 48, 224),
        ("kept", 210, 88, 168),
        ("duplicate", 378, 88, 168),
    ]
    assert texts == ["records", "100", "ingest", "60", "−40", "kept", "30", "−30"]
    narrow, same = drawn(charts.funnel_chart(levels, charts.NARROW))
    assert [(kind, x, y, width) for kind, x, y, width, _ in narrow][:2] == [("stays", 0, 30, 240), ("stays", 0, 86, 144)]
    assert same == texts


def test_what_is_tiny_or_nothing_is_drawn_so() -> None:
    levels = [
        charts.FunnelLevel("much", 10**6, 0, "ignored"),
        charts.FunnelLevel("one", 1, 1, "dropped"),
        charts.FunnelLevel("none", 0, 0, "dropped"),
    ]
    bars, _ = drawn(charts.funnel_chart(levels, charts.WIDE))
    assert [width for *_, width, _ in bars] == [560, 1, 1.5, 0]


def test_a_histogram_names_its_edges_and_its_thresholds_on_the_side_that_has_room() -> None:
    bins = [Bin(0, 1, 4, 3, 1), Bin(1, 2, 0, 0, 0), Bin(2, 3, 4, 1, 0)]
    bars, texts = drawn(charts.histogram_chart("a", bins, [0.5, 2.5, 99.0]))
    assert [kind for kind, *_ in bars] == ["kept", "dropped", "kept", "elsewhere"]
    kept, dropped = bars[0], bars[1]
    room = (340 - 18 - 38) / len(bins)
    assert [bar[1] for bar in bars] == pytest.approx([38.5, 38.5, 38.5 + 2 * room, 38.5 + 2 * room], abs=0.1)
    assert [bar[3] for bar in bars] == pytest.approx([room - 1] * 4, abs=0.1), "a pixel stays free between two bars"
    assert kept[4] == pytest.approx(3 * dropped[4])
    assert dropped[2] + dropped[4] == pytest.approx(kept[2])
    assert texts[-2:] == ["0.5", "2.5"]
    marks = [
        text for text in ElementTree.fromstring(charts.histogram_chart("a", bins, [0.5, 2.5])).iter("text") if text.text in ("0.5", "2.5")
    ]
    assert [mark.attrib["class"].split()[-1] for mark in marks] == ["start", "end"]


def test_bars_stand_below_each_other_and_divide_at_what_was_kept() -> None:
    bars, texts = drawn(charts.bars_chart("language", [("a language of a long name", 16, 4), ("de", 4, 4)]))
    assert [(kind, x, y, width) for kind, x, y, width, _ in bars] == [
        ("kept", 84, 6, 50),
        ("elsewhere", 134, 6, 150),
        ("kept", 84, 28, 100),
        ("elsewhere", 184, 28, 0),
    ]
    assert texts == ["a language o", "16", "de", "4"]


@pytest.mark.parametrize(
    ("bins", "labelled"),
    [
        (0, []),
        (1, [0, 1]),
        (2, [0, 1, 2]),
        (6, [0, 2, 4, 6]),
        (7, [0, 2, 4, 6, 7]),
        (10, [0, 2, 4, 6, 8, 10]),
        (11, [0, 3, 6, 9, 11]),
        (13, [0, 3, 6, 9, 13]),
        (40, [0, 10, 20, 30, 40]),
    ],
)
def test_about_five_edges_of_a_histogram_are_labelled_and_the_last_one_always(bins: int, labelled: list[int]) -> None:
    chart = ElementTree.fromstring(charts.histogram_chart("a", [Bin(place, place + 1, 1, 1, 0) for place in range(bins)], []))
    assert [int(text.text or "") for text in chart.iter("text") if text.attrib["class"] == "tick middle"] == labelled

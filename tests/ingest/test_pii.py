"""Personal data in lines written for it: floors of precision and recall by kind; `tests/benchmark/pii.py` prints the table."""

import pytest

from curation.ingest.edits.pii import Pii
from curation.text.text import Text
from tests.benchmark.pii import MARKS, Figures, Line, listing, masked_spans, measure, read_lines, table

FLOORS = {"email": (0.98, 0.98), "phone": (0.98, 0.98), "ip": (1.0, 1.0), "card": (1.0, 0.94), "iban": (1.0, 0.95)}
"""Kind -> least precision and recall."""


def test_precision_and_recall_hold() -> None:
    lines = read_lines()
    assert len(lines) >= 300
    assert 2 * sum(not line.spans for line in lines) >= len(lines)
    figures, errors = measure(lines)
    print("\n" + "\n".join(table(figures)), *listing(errors), sep="\n")
    below = {kind for kind, (precision, recall) in FLOORS.items() if figures[kind].precision < precision or figures[kind].recall < recall}
    assert not below


def test_lines_are_read_as_marked() -> None:
    """What the marks say is what the edit masks: the span that is read is cut out by the edit, and what surrounds it stays."""
    lines = {line.text: line for line in read_lines()}
    line = lines["Reach the ranger at 907-555-0110, or at the gate."]
    assert line.spans == {(20, 32, "phone")}
    masked = Pii(mask="[{kind}]").apply(Text.from_strings([line.text])).text.string(0)
    assert masked == f"{line.text[:20]}[phone]{line.text[32:]}" == "Reach the ranger at [phone], or at the gate."
    template = lines["{{ user.name }}@{{ host }}"]
    assert template.spans == frozenset()
    assert Pii().apply(Text.from_strings([template.text])).text.string(0) == template.text


def test_a_mask_that_is_too_long_is_a_miss_and_a_false_alarm() -> None:
    line = Line("made", "call 907-555-0110 now", frozenset({(5, 17, "phone")}))
    open_, close = MARKS
    assert masked_spans(line, f"call {open_}phone{close} now") == line.spans
    assert masked_spans(line, f"call {open_}phone{close}now") == {(5, 18, "phone")}
    assert masked_spans(line, line.text) == frozenset()


@pytest.mark.parametrize(("figures", "precision", "recall"), [((3, 1, 0), 1.0, 0.75), ((3, 0, 1), 0.75, 1.0), ((0, 2, 0), 1.0, 0.0)])
def test_figures(figures: tuple[int, int, int], precision: float, recall: float) -> None:
    assert (Figures(*figures).precision, Figures(*figures).recall) == (precision, recall)

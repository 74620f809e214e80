"""Numbers and facts in words, as tables, reports and cards show them."""

import pytest

from pipelines.inspect.why import ClusterMember, EarlierCopy
from pipelines.report.tables import _of_earlier
from pipelines.terminal.wording import compact, cut_in_words, dropped_side, number, size


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (0, "0"),
        (1234567.0, "1,234,567"),
        (0.123456, "0.1235"),
        (1e15, "1e+15"),
        (1e15 - 1, "999,999,999,999,999"),
        (-2.5, "-2.5"),
    ],
)
def test_a_number_has_all_digits_when_it_is_whole_and_four_when_it_is_not(value: float | None, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.12345, "0.123"),
        (9999, "9,999"),
        (10_000, "10k"),
        (123_456, "123k"),
        (1e6, "1M"),
        (2.5e9, "2.5G"),
        (1e12, "1T"),
        (-20_000, "-20k"),
    ],
)
def test_narrow_places_have_three_digits_and_a_unit(value: float, shown: str) -> None:
    assert compact(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0 B"), (1023, "1,023 B"), (1024, "1.0 KiB"), (1536 << 10, "1.5 MiB"), (1 << 30, "1.0 GiB"), (1 << 52, "4,096.0 TiB")],
)
def test_bytes_have_a_binary_unit(value: float, shown: str) -> None:
    assert size(value) == shown


def test_rules_and_cuts_are_told_in_sentences() -> None:
    assert dropped_side(None, 3) == "is not a plain threshold"
    assert dropped_side("below", 0.5) == "drops values below 0.5"
    assert dropped_side("above", None) == "drops values above a threshold that depends on the document"
    assert cut_in_words(1, 2, 2048) == "Cut from kept documents: 1 repeated line or paragraph, 2.0 KiB, in 2 documents"


def test_the_copy_of_an_earlier_run_is_told_with_its_place_if_there_is_one() -> None:
    document = ClusterMember("a", "https://a.example/", "s", "web", "kept", None, None, 11, "An \x1b excerpt.")
    assert _of_earlier(None) == {}
    assert _of_earlier(EarlierCopy("0123", None, None, None)) == {"of earlier run": "0123"}
    assert _of_earlier(EarlierCopy("0123", "/old", "it is gone", document)) == {"of earlier run": "0123 at /old", "not found": "it is gone"}
    told = _of_earlier(EarlierCopy("0123", "/old", None, document))
    assert told["there"].startswith("https://a.example/: An ")
    assert "\x1b" not in told["there"]

"""Strings of a table's row that are too large: the text refuses its row, another field is left out and counted."""

from collections import Counter

import pytest

from curation.ingest.readers import parquet
from curation.ingest.readers.parquet import row_strings
from curation.ingest.readers.repair import BadRow


def test_a_text_that_is_too_large_refuses_its_row_and_another_field_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MAX_RECORD_BYTES", 4)
    repairs = Counter[str]()
    assert row_strings(("text", "n", "other"), (b"tide", 7, b"floods"), "text", repairs) == {"text": "tide", "n": 7}
    assert repairs == {"too_large": 1}
    with pytest.raises(BadRow) as refused:
        row_strings(("n", "text"), (7, b"tides"), "text", repairs)
    assert refused.value.reason == "too_large"
    assert "'text' has 5 bytes, more than 4" in str(refused.value)

"""Floors of the language filter on real paragraphs in 88 languages; `tests/benchmark/language_identification.py` prints the tables."""

from pathlib import Path

import pytest

from tests.benchmark.language_identification import accuracies, by_filter, cut, read_paragraphs, scored, without_language


@pytest.mark.parametrize(
    ("length", "overall", "languages_right"), [(None, 0.985, 85), (200, 0.985, 84), (100, 0.97, 83), (50, 0.97, 80), (20, 0.91, 62)]
)
def test_accuracy_holds(real_data: Path, length: int | None, overall: float, languages_right: int) -> None:
    paragraphs, unknown = read_paragraphs(real_data / "langid" / "udhr.parquet")
    assert len({paragraph.language for paragraph in paragraphs}) >= 88
    assert unknown == ["Sunda"]
    found = by_filter(cut(paragraphs, length))
    right = sum(label == paragraph.language for paragraph, label in zip(paragraphs, found, strict=True))
    assert right / len(paragraphs) >= overall
    assert sum(value >= 0.95 for value in accuracies(paragraphs, found).values()) >= languages_right


def test_what_is_in_no_language_does_not_pass_for_english() -> None:
    texts = without_language()
    labels, scores = scored(list(texts.values()))
    passed = {name for name, label, score in zip(texts, labels, scores, strict=True) if label == "en" and score >= 0.65}
    assert passed == set()

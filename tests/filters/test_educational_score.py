"""The educational score as a filter: what it measures, what it drops, and what it says of a bad model."""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curation.errors import InputError
from curation.storage.digests import digest_of_file
from curation.text.text import Text
from filters.contract import FilterChoice
from filters.educational_score import EducationalScore

SHIPPED = "filters:models/edu.safetensors"
MODELS = Path(__file__).parents[2] / "filters" / "models"
LESSON = EducationalScore.examples[0][0]
SHOP = EducationalScore.examples[1][0]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    for ending in ("safetensors", "json"):
        shutil.copy(MODELS / f"edu.{ending}", tmp_path / f"mine.{ending}")
    return tmp_path / "mine.safetensors"


def measured(texts: list[str | None], model: str = SHIPPED) -> pl.DataFrame:
    return pl.DataFrame(
        {name: pl.Series(column) for name, column in EducationalScore(model).signals(Text.from_strings(texts), None).items()}
    )


def scores(texts: list[str | None], model: str = SHIPPED) -> list[float | None]:
    found = measured(texts, model)["score"].to_list()
    assert len(found) == len(texts)
    return found


def test_examples_get_their_verdicts() -> None:
    made = EducationalScore()
    for text, reason in made.examples:
        dropped = [name for name, rule in made.rules().items() if measured([text]).select(rule.drops).item()]
        assert dropped == ([reason] if reason else [])


def test_what_cannot_be_judged_has_no_score_and_a_reason() -> None:
    german = (
        "Die Kraft ist gleich der Masse mal der Beschleunigung, und deshalb fällt ein schwerer Körper nicht schneller als ein leichter, "
        "wenn die Luft fehlt."
    )
    russian = "Съешь ещё этих мягких французских булок, да выпей чаю. " * 9
    found = measured(["", None, "?!" * 50, "the cell", russian, german, german * 30, LESSON])
    assert found["unscored"].to_list() == ["short"] * 4 + ["other_language"] * 3 + [None]
    for name in ("score", "score_max", "score_share"):
        assert found[name].is_null().to_list() == [True] * 7 + [False]


def test_unusual_english_is_still_english() -> None:
    code = "def add(a, b):\n    return a + b\n\nThe function above adds two numbers, and returns their sum to whoever called it. " * 3
    names = (
        "Mr. Xylqtz of Qwrtborough met Ms. Zzyzxx of Vbnmton, and they spoke of Plokmijn and its Ujmnhy rivers all day long in the garden."
    )
    assert measured([code, names, LESSON.upper()])["unscored"].to_list() == [None] * 3


def test_the_labels_are_english_and_other_languages_are_not(real_data: Path) -> None:
    labels = pl.read_parquet(real_data / "edu_scores" / "wide.parquet")["text"].to_list()
    english = measured(labels)["unscored"]
    assert (english == "other_language").sum() < 0.01 * len(labels)
    paragraphs = pl.read_parquet(next((real_data / "langid").glob("*.parquet")))
    texts = paragraphs["text"].to_list()
    codes = paragraphs[next(name for name in ("bcp47", "code", "language") if name in paragraphs.columns)].to_list()
    found = measured(texts)["unscored"].to_list()
    others = [reason for reason, code, text in zip(found, codes, texts, strict=True) if not code.startswith("en") and len(text) > 200]
    assert len(others) > 100
    assert sum(reason is None for reason in others) < 0.03 * len(others)


def test_windows_of_a_long_text() -> None:
    lesson, shop = (f"{text} " * (4000 // len(text)) for text in (LESSON, SHOP))
    both = measured([lesson, shop, lesson + shop])
    low, high = both["score"][1], both["score"][0]
    assert high > low + 1.5
    assert abs(both["score"][2] - (high + low) / 2) < 0.4
    assert both["score_max"][2] >= high - 0.3
    assert both["score_share"].to_list() == pytest.approx([float(high >= 3), 0.0, 0.5 * (high >= 3)], abs=0.13)


def test_odd_texts_are_scored_or_null() -> None:
    odd = ["\0", "the\0cell", "é" * 10_000, "the " * 200_000, "a" * 1_000_000, "\n\n\n", "🙂 the 🙂"]
    assert all(score is None or 0 <= score <= 5 for score in scores(odd))


def test_a_score_does_not_depend_on_its_neighbours() -> None:
    texts = [text for text, _ in EducationalScore.examples] * 3
    assert scores(texts) == [scores([text])[0] for text in texts]


def test_a_threshold_moves_no_signal() -> None:
    strict, lenient = (FilterChoice("educational_score", {"min_score": bound}) for bound in (4.5, 0.5))
    assert strict.measuring() == lenient.measuring()
    assert strict.identity() != lenient.identity()


def test_the_model_is_part_of_what_signals_depend_on(model: Path) -> None:
    assert EducationalScore(str(model)).files() == {"model": digest_of_file(model)}
    assert EducationalScore().files() == {"model": digest_of_file(model)}


def test_own_texts_are_ranked_as_labelled() -> None:
    folder = MODELS.parents[1] / "sample_data" / "texts"
    rows: list[dict[str, Any]] = [
        json.loads(line) for name in ("textbook", "web") for line in (folder / f"{name}.jsonl").read_text("utf-8").splitlines()
    ]
    frame = pl.DataFrame({"label": [float(row["score"]) for row in rows], "score": scores([row["text"] for row in rows])})
    assert frame.drop_nulls().select(pl.corr("label", "score", method="spearman")).item() > 0.8


def test_a_damaged_model_is_a_clear_error_even_after_it_was_read(model: Path) -> None:
    scores([LESSON], str(model))
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    for use in (lambda: EducationalScore(str(model)).files(), lambda: scores([LESSON], str(model))):
        with pytest.raises(InputError, match=r"mine\.safetensors is damaged"):
            use()


def test_a_model_without_its_card_or_file_is_a_clear_error(model: Path) -> None:
    model.with_suffix(".json").unlink()
    with pytest.raises(InputError, match=r"has no card mine\.json"):
        EducationalScore(str(model)).files()
    model.unlink()
    with pytest.raises(InputError, match="no such file"):
        EducationalScore(str(model)).files()
    with pytest.raises(InputError, match="ships no file"):
        EducationalScore("filters:models/none.safetensors").files()

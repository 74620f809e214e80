"""The educational score as a filter: what it measures, what it drops, and what it says of a bad model."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from curation.errors import InputError
from curation.storage.digests import digest_of_file
from curation.text.text import Text
from filters.contract import FilterChoice
from filters.educational_score import EducationalScore

MODELS = Path(__file__).parents[2] / "filters" / "models"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    for ending in ("npz", "json"):
        shutil.copy(MODELS / f"edu.{ending}", tmp_path / f"mine.{ending}")
    return tmp_path / "mine.npz"


def scores(texts: list[str | None], model: str = "filters:models/edu.npz") -> list[float | None]:
    found = EducationalScore(model).signals(Text.from_strings(texts), None)["score"]
    assert len(found) == len(texts)
    values: list[float | None] = found.to_pylist()
    return values


def test_examples_get_their_verdicts() -> None:
    made = EducationalScore()
    for text, reason in made.examples:
        signals = pl.DataFrame({"score": scores([text])}, schema={"score": pl.Float64})
        dropped = [name for name, rule in made.rules().items() if signals.select(rule.drops).item()]
        assert dropped == ([reason] if reason else [])


def test_what_has_no_known_word_has_no_score() -> None:
    found = scores(["", None, "?!", "Съешь ещё этих мягких французских булок", "the energy of a moving body"])
    assert found[:4] == [None] * 4
    assert found[4] is not None
    assert 0 <= found[4] <= 5


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
    rows = [json.loads(line) for name in ("textbook", "web") for line in (folder / f"{name}.jsonl").read_text("utf-8").splitlines()]
    frame = pl.DataFrame({"label": [float(row["score"]) for row in rows], "score": scores([row["text"] for row in rows])})
    assert frame.select(pl.corr("label", "score", method="spearman")).item() > 0.8


def test_a_damaged_model_is_a_clear_error_even_after_it_was_read(model: Path) -> None:
    scores(["the cell"], str(model))
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    for use in (lambda: EducationalScore(str(model)).files(), lambda: scores(["the cell"], str(model))):
        with pytest.raises(InputError, match=r"mine\.npz is damaged"):
            use()


def test_a_model_without_its_card_or_file_is_a_clear_error(model: Path) -> None:
    model.with_suffix(".json").unlink()
    with pytest.raises(InputError, match=r"has no card mine\.json"):
        EducationalScore(str(model)).files()
    model.unlink()
    with pytest.raises(InputError, match="no such file"):
        EducationalScore(str(model)).files()
    with pytest.raises(InputError, match="ships no file"):
        EducationalScore("filters:models/none.npz").files()

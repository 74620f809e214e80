"""The search of settings: by number or by time, told in the card, and repeated to the same bytes."""

import json
from pathlib import Path

import pytest

from curation.errors import InputError
from pipelines.train.held_out import HOLDOUTS
from pipelines.train.linear_trainer import LinearTrainer
from pipelines.train.settings import USUAL, all_settings, to_try
from pipelines.train.training import train_model
from tests.pipelines.test_training import invented_rows, write_jsonl
from tests.verbs import call


@pytest.fixture
def labels(tmp_path: Path) -> str:
    return write_jsonl(tmp_path / "labels.jsonl", invented_rows())


class Clock:
    """A clock that goes on by a minute whenever it is read."""

    def __init__(self) -> None:
        self.minutes = -1

    def __call__(self) -> float:
        self.minutes += 1
        return 60.0 * self.minutes


@pytest.mark.parametrize("trainer", USUAL)
def test_a_search_tries_a_beginning_of_one_list(trainer: str) -> None:
    those = all_settings(trainer)
    assert len(set(those)) == len(those) > 70
    assert those[: len(USUAL[trainer])] == USUAL[trainer] == tuple(to_try(trainer, None, None))
    assert {settings.name for settings in those[len(USUAL[trainer]) :][:4]} == {settings.name for settings in USUAL[trainer]}
    assert tuple(to_try(trainer, 7, None)) == those[:7]
    assert tuple(to_try(trainer, None, 6.5, Clock())) == those[:7]
    assert tuple(to_try(trainer, 3, 6.5, Clock())) == those[:3]
    assert tuple(to_try(trainer, None, 0, Clock())) == those[:1]
    assert tuple(to_try(trainer, 10**6, None)) == those


def test_a_search_by_time_is_repeated_by_number_to_the_same_bytes(labels: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outs, told = [tmp_path / f"{name}.safetensors" for name in ("timed", "counted", "usual", "pinned")], []
    monkeypatch.setattr("pipelines.train.training.to_try", lambda *given: to_try(*given, Clock()))
    timed = train_model([labels], str(outs[0]), minutes=4, tell=told.append)
    counted = train_model([labels], str(outs[1]), trials=4)
    assert outs[0].read_bytes() == outs[1].read_bytes()
    assert timed.tried == counted.tried
    assert [dict(tried.settings) for tried in timed.tried] == [vars(settings) for settings in all_settings("linear")[:4]]
    assert [tried.is_best for tried in timed.tried].count(True) == 1
    assert {**timed.settings} in [{**tried.settings} for tried in timed.tried if tried.is_best]
    assert sum(tried.outer_holdouts for tried in timed.tried) == HOLDOUTS
    best = max(timed.tried, key=lambda tried: (tried.auc or 0) + (tried.quadratic_kappa or 0))
    assert best.is_best
    assert [line.startswith("tried linear (cost ") for line in told] == [True] * 4
    card = json.loads(outs[0].with_suffix(".json").read_text())
    assert [tried["auc"] for tried in card["tried"]] == [tried.auc for tried in timed.tried]
    page = outs[0].with_suffix(".md").read_text()
    assert "`--trainer linear --trials 4` tries the same" in page
    assert page.count("| linear | cost ") == 3
    assert page.count("| linear (this model) | cost ") == 1
    train_model([labels], str(outs[2]))
    train_model([labels], str(outs[3]), trials=2)
    assert outs[2].read_bytes() == outs[3].read_bytes()


def test_the_command_tells_each_trial(labels: str, tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    for options, tried in ((("--search-minutes", "0"), 1), (("--search-minutes", "60", "--trials", "2"), 2), ((), 2)):
        said = call("train", "score", labels, "--out", out, *options)
        assert said.code == 0, said.all
        assert said.err.count("curate: tried linear (cost ") == tried
        assert f"{tried}; the same are tried by --trainer linear --trials {tried}" in " ".join(said.out.split())
    assert call("train", "score", labels, "--out", out, "--search-minutes", "nan").code == 2


def test_settings_that_cannot_learn_are_told_and_not_chosen(labels: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hopeless = LinearTrainer(least_texts=10_000)
    monkeypatch.setattr("pipelines.train.training.to_try", lambda *_: iter([hopeless, LinearTrainer()]))
    made = train_model([labels], str(tmp_path / "model.safetensors"))
    assert [tried.is_best for tried in made.tried] == [False, True]
    assert (made.tried[0].auc, made.tried[0].outer_holdouts) == (None, 0)
    assert "no word occurs in 10000 of them" in made.tried[0].failure
    assert "no word occurs in 10000 of them" in (tmp_path / "model.md").read_text()
    monkeypatch.setattr("pipelines.train.training.to_try", lambda *_: iter([hopeless]))
    with pytest.raises(InputError, match="no word occurs in 10000 of them"):
        train_model([labels], str(tmp_path / "model.safetensors"))

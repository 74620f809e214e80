"""Intervals of held-out figures: whole groups are drawn, the seed is fixed, and an undefined figure does not count."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines.train.held_out import figures
from pipelines.train.intervals import FIGURES, group_intervals
from tests.pipelines.test_training import invented_rows, write_jsonl
from tests.verbs import call


def invented_scores(rows: int, groups: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, predictions whose error is mostly that of their group, and groups."""
    chance = np.random.default_rng(5)
    labels, group = chance.integers(0, 6, rows).astype(float), chance.integers(0, groups, rows)
    return labels, np.clip(labels + chance.normal(0, 1, groups)[group] + chance.normal(0, 0.3, rows), 0, 5), group.astype(str)


def test_intervals_hold_the_figure_and_come_again() -> None:
    labels, predicted, groups = invented_scores(600, 40)
    found, bounds = figures(labels.tolist(), predicted.tolist(), 0), group_intervals(labels, predicted, groups)
    assert set(bounds) == set(FIGURES)
    for name in set(FIGURES) - {"calibration_error"}:  # an absolute value, which noise raises
        assert bounds[name][0] < getattr(found, name) < bounds[name][1]
    order = np.random.default_rng(1).permutation(600)
    assert group_intervals(labels[order], predicted[order], groups[order]) == bounds


def test_whole_groups_are_drawn() -> None:
    labels, predicted, groups = invented_scores(2000, 12)
    width = {}
    for name, of_rows in (("groups", groups), ("texts", np.arange(2000).astype(str))):
        low, high = group_intervals(labels, predicted, of_rows)["mean_absolute_error"]
        width[name] = high - low
    assert width["groups"] > 4 * width["texts"]
    group_errors = [np.abs(labels - predicted)[groups == group].mean() for group in np.unique(groups)]
    assert width["groups"] == pytest.approx(2 * 1.96 * np.std(group_errors) / 12**0.5, rel=0.25)


def test_a_draw_without_a_figure_does_not_count() -> None:
    labels, predicted = np.array([0.0, 1.0, 5.0, 0.0]), np.array([0.0, 1.0, 4.0, 1.0])
    bounds = group_intervals(labels, predicted, np.array(["a", "b", "c", "d"]))
    assert bounds["auc"] == (1.0, 1.0)
    assert group_intervals(labels[:2], predicted[:2], np.array(["a", "b"])).keys() == {
        "quadratic_kappa", "mean_absolute_error", "calibration_error",
    }  # fmt: skip


def test_the_card_and_the_command_tell_intervals(tmp_path: Path) -> None:
    labels, out = write_jsonl(tmp_path / "labels.jsonl", invented_rows(groups=20)), tmp_path / "model.safetensors"
    said = call("train", "score", labels, "--out", out)
    assert said.code == 0
    card = json.loads(out.with_suffix(".json").read_text())["held_out"]
    low, high = card["intervals"]["auc"]
    assert low < card["auc"] < high
    assert f"| ROC AUC, score at least 3 | {card['auc']:.3f} ({low:.3f} to {high:.3f}) |" in out.with_suffix(".md").read_text()
    assert f"({low} to {high})" in said.out

"""Labels chosen by a judge beside labels chosen at random: what does the same number of labels teach?

    python tests/benchmark/active_labels.py LABELS.parquet... [--counts 1000 2000] [--beginnings 2] [--holdouts 5]

Simulated as `curate annotate` works. A judge learns from the first labels, which are drawn at random. It chooses the next ones among the
texts that it has not seen (`choose_excerpts`), learns again, and so on. Holdouts hold whole groups; each judge is tried on the one that it
never chose from. Printed, for each way of choosing: AUC, average precision and kappa, their means over holdouts and beginnings, and by how
much they exceed those of random choice with the same holdout and beginning, with the standard error of that difference. Kappa is told
twice: of scores as they are, and of scores whose curve was fitted to half of the first labels alone, since chosen labels have more good
texts than the world has.
"""

import argparse
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.text.text import Text
from filters.support.scorer import Scorer, calibrate
from pipelines.annotate.choosing import choose_excerpts
from pipelines.annotate.excerpts import Excerpt
from pipelines.train.calibration import fit_curves
from pipelines.train.evaluation import EvaluationPool, pool_of
from pipelines.train.examples import without_copies
from pipelines.train.held_out import HOLDOUTS, figures, holdouts_of
from pipelines.train.labels import read_labels
from pipelines.train.linear_trainer import LinearTrainer
from pipelines.train.trainers import scorer_of

Numbers = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

STEP = 250
TRAINER = LinearTrainer()
WAYS = ("random", "active", "stratified")
FIGURES = ("AUC at 3", "average precision", "kappa", "kappa, calibrated")


def scorer_from(pool: EvaluationPool, learn: Indices) -> Scorer:
    """Return what the shipped model's trainer learns from some labels."""
    return scorer_of(TRAINER.fit(pool.examples(TRAINER, learn)), TRAINER)


def chosen(pool: EvaluationPool, way: str, rest: Indices, count: int, scorer: Scorer, chance: np.random.Generator) -> Indices:
    """Return `count` of the texts without labels."""
    if way == "random":
        return chance.permutation(rest)[:count]
    texts = Text.from_arrow(pool.texts.to_arrow().take(pa.array(rest)))
    windows, seen = scorer.score_windows(texts)
    logits, _ = scorer.logits(texts)
    begins, lengths = seen.windows.offsets[:-1], np.diff(seen.windows.offsets)
    scores = np.add.reduceat(windows, begins) / lengths
    good = np.add.reduceat(1 / (1 + np.exp(-np.clip(logits[:, scorer.level_of_good], -500, 500))), begins) / lengths
    excerpts = [
        Excerpt(text=str(row), source=pool.rows[row].source, group="", license="", url=None, score=float(score), chance=float(of_good))
        for row, score, of_good in zip(rest, scores, good, strict=True)
    ]
    return np.array([int(excerpt.text) for excerpt in choose_excerpts(excerpts, count, active=way == "active")], np.int64)


def told(pool: EvaluationPool, have: Indices, tried: Indices, scorer: Scorer, at_random: int) -> list[float]:
    """Return FIGURES of a judge. Its curve is fitted to what a judge of its other labels says of some that were drawn at random."""
    predicted = pool.predicted(scorer, tried)
    truth = pool.scores[tried].tolist()
    found = figures(truth, np.clip(predicted, 0, 5).tolist(), 0)
    aside, others = have[:at_random], have[at_random:]
    bands, curves = fit_curves(pool.predicted(scorer_from(pool, others), aside), pool.tokens[aside], pool.scores[aside])
    corrected = figures(truth, calibrate(predicted, pool.tokens[tried], bands, curves).tolist(), 0)
    return [value or 0.0 for value in (found.auc, found.average_precision, found.quadratic_kappa, corrected.quadratic_kappa)]


def simulated(
    pool: EvaluationPool, holdouts: int, beginnings: int, begin: int, counts: Sequence[int]
) -> dict[tuple[str, int], list[list[float]]]:
    """Return, for each way and count, FIGURES of every holdout and beginning."""
    dealt = holdouts_of(pool.groups.tolist(), HOLDOUTS)
    holdout_of = np.array([dealt[group] for group in pool.groups.tolist()])
    steps = sorted({*range(begin, max(counts) + 1, STEP), *counts})
    found: dict[tuple[str, int], list[list[float]]] = {}
    for holdout in range(min(holdouts, HOLDOUTS)):
        tried, others = np.flatnonzero(holdout_of == holdout), np.flatnonzero(holdout_of != holdout)
        for beginning in range(beginnings):
            first = np.random.default_rng([holdout, beginning]).permutation(others)[: steps[0]]
            for way in WAYS:
                chance, have = np.random.default_rng([beginning, holdout]), first
                for before, count in pairwise(steps):
                    rest = np.setdiff1d(others, have)
                    have = np.concatenate([have, chosen(pool, way, rest, count - before, scorer_from(pool, have), chance)])
                    if count in counts:
                        found.setdefault((way, count), []).append(told(pool, have, tried, scorer_from(pool, have), begin // 2))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", nargs="+")
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 1500, 2000, 3000, 4000])
    parser.add_argument("--begin", type=int, default=500, help="labels drawn at random before the first choice")
    parser.add_argument("--beginnings", type=int, default=2)
    parser.add_argument("--holdouts", type=int, default=HOLDOUTS)
    given = parser.parse_args(arguments)
    pool = pool_of(without_copies(read_labels(given.labels, "text", "score", "group")))
    found = simulated(pool, given.holdouts, given.beginnings, given.begin, given.counts)
    print(f"| labels, of {len(pool.rows):,} | chosen | {' | '.join(FIGURES)} |\n|---:|---|{'---:|' * len(FIGURES)}")
    for count in given.counts:
        for way in WAYS:
            values = np.array(found[way, count])
            more = values - np.array(found["random", count])
            error = more.std(axis=0, ddof=1) / np.sqrt(len(more)) if len(more) > 1 else np.full(len(FIGURES), np.nan)
            cells = [
                f"{mean:.4f} ({by:+.4f} ± {of:.4f})" for mean, by, of in zip(values.mean(axis=0), more.mean(axis=0), error, strict=True)
            ]
            print(f"| {count:,} | {way} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

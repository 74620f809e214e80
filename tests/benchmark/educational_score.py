"""The educational score beside every simpler or older way to make one, on labels held out by group.

    python tests/benchmark/educational_score.py LABELS.parquet... [--unlabelled TEXTS.parquet] [--only NAME...] [--resamples N]

Label files have text, score, group, and may have kind. Five holdouts of whole groups, the same for every method. Predictions go through the
same calibration (`pipelines.train.calibration`), fitted on the other holdouts; the shipped method calibrates itself. Printed, as Markdown
tables: figures of all texts with 95 % intervals from resampling groups (F1 is that of rounded scores), AUC and kappa by file, by kind and
by length, and the transfers that leave one file out.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.text.text import Text
from filters.support.scorer import calibrate
from pipelines.train.calibration import BANDS, fit_curves
from pipelines.train.evaluation import EvaluationPool, pool_of, train
from pipelines.train.examples import Examples, without_copies
from pipelines.train.fasttext_trainer import FastTextTrainer
from pipelines.train.held_out import HOLDOUTS, figures, holdouts_of
from pipelines.train.intervals import FIGURES, RESAMPLES, group_intervals
from pipelines.train.labels import read_labels
from pipelines.train.linear_trainer import LinearTrainer
from pipelines.train.linear_training import SparseRows, fit_logistic
from pipelines.train.settings import LINEAR
from pipelines.train.trainers import LearntModel, Trainer, known_features, level_of, levels_of, scorer_of

Numbers = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Method = Callable[[EvaluationPool, Indices, Indices], Numbers]
"""Learns from some texts of a pool, and scores others."""


def length_alone(pool: EvaluationPool, learn: Indices, tried: Indices) -> Numbers:
    """The number of bytes, up to 5,000."""
    return np.minimum(pool.texts.lengths[tried], 5000) / 1000


def of_trainer(trainer: Trainer) -> Method:
    """What a trainer of the project's learns, with settings that are fixed."""

    def method(pool: EvaluationPool, learn: Indices, tried: Indices) -> Numbers:
        return pool.predicted(scorer_of(trainer.fit(pool.examples(trainer, learn)), trainer), tried)

    return method


SHIPPED = "linear, as shipped"


def as_shipped(pool: EvaluationPool, learn: Indices, tried: Indices) -> Numbers:
    """The whole training: settings and calibration from inner holdouts."""
    return pool.predicted(train(pool, LINEAR, learn, 3).scorer, tried)


def tokens_of(pool: EvaluationPool) -> list[str]:
    """Return the texts as fastText reads them best: lower case, every symbol a token."""
    words = pool.texts.words
    names = [f"{token:x}" for token in words.lowered.tolist()]
    return [" ".join(names[begin:end]) for begin, end in zip(words.offsets[:-1], words.offsets[1:], strict=True)]


def six_classes(expected: bool) -> Method:
    """Plain fastText with six classes, word pairs: the expected value of the classes, or the likeliest one."""

    def method(pool: EvaluationPool, learn: Indices, tried: Indices) -> Numbers:
        import fasttext

        lines = tokens_of(pool)
        order = np.random.default_rng(0).permutation(learn)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("".join(f"__label__{level_of(pool.scores[[row]])[0]} {lines[row]}\n" for row in order.tolist()))
            file.flush()
            model = fasttext.train_supervised(
                file.name, dim=16, epoch=25, lr=0.3, minCount=2, wordNgrams=2, bucket=500_000, thread=1, seed=1, verbose=0
            )
        labels, chances = model.predict([lines[row] for row in tried.tolist()], k=-1)
        values = [np.array([int(label[9:]) for label in of_text]) for of_text in labels]
        if expected:
            return np.array([float(value @ chance) for value, chance in zip(values, chances, strict=True)])
        return np.array([float(value[0]) for value in values])

    return method


@dataclass(frozen=True)
class CountingTrainer:
    """TF-IDF in the usual form: 1 + log of counts, plain idf, length 1; ordinal logistic regression, or ridge regression of the score."""

    ridge: bool = False
    cost: float = 16.0
    pairs: bool = True
    name: str = "tfidf"
    once: bool = False
    unit: bool = True

    def rows(self, examples: Examples, features: npt.NDArray[np.uint64], weights: Numbers) -> SparseRows:
        """Return the texts' TF-IDF vectors."""
        order = np.argsort(features)
        places = np.minimum(np.searchsorted(features[order], examples.features), len(features) - 1)
        columns = order[places]
        is_known = features[columns] == examples.features
        text = np.repeat(np.arange(len(examples)), np.diff(examples.offsets))[is_known]
        both, counts = np.unique(text * len(features) + columns[is_known], return_counts=True)
        text, columns = both // len(features), both % len(features)
        values = (1 + np.log(counts)) * weights[columns]
        values /= np.sqrt(np.bincount(text, values**2, minlength=len(examples)))[text]
        return SparseRows(np.searchsorted(text, np.arange(len(examples) + 1)), columns.astype(np.int32), values, len(features))

    def __call__(self, pool: EvaluationPool, learn: Indices, tried: Indices) -> Numbers:
        """Learn and score."""
        reading: Any = self
        examples, others = pool.examples(reading, learn), pool.examples(reading, tried)
        features, texts = known_features(examples, 2)
        weights = 1.0 + np.log((len(examples) + 1) / (texts + 1))
        rows, those = self.rows(examples, features, weights), self.rows(others, features, weights)
        if self.ridge:
            mean = float(examples.scores.mean())
            return np.clip(those.times(_ridge(rows, examples.scores - mean, 1 / self.cost)[:, None])[:, 0] + mean, 0, 5)
        reached = level_of(examples.scores)
        fitted = [fit_logistic(rows, reached >= level, np.full(len(examples), self.cost)) for level in levels_of(examples)]
        logits = those.times(np.stack([weights for weights, _ in fitted], axis=1)) + np.array([intercept for _, intercept in fitted])
        return (1 / (1 + np.exp(-logits))).sum(axis=1)


def _ridge(rows: SparseRows, target: Numbers, penalty: float) -> Numbers:
    """Return the weights of least squares with an L2 penalty, by conjugate gradients."""

    def turned(of_rows: Numbers) -> Numbers:
        spread = np.repeat(of_rows, np.diff(rows.offsets)) * rows.values
        return np.bincount(rows.columns, spread, minlength=rows.width)

    weights = np.zeros(rows.width)
    rest = turned(target)
    way = rest.copy()
    size = rest @ rest
    for _ in range(100):
        moved = turned(rows.times(way[:, None])[:, 0]) + penalty * way
        step = size / (way @ moved)
        weights += step * way
        rest -= step * moved
        before, size = size, rest @ rest
        if size < 1e-8 * before or size < 1e-12:
            break
        way = rest + size / before * way
    return weights


def distilled(texts: Sequence[str], groups: Sequence[str]) -> Method:
    """fastText that learnt from what `linear` says of unlabelled texts, beside the labels; texts of groups that are tried are left out."""
    more, of_groups = Text.from_strings(texts), np.array(groups, str)

    def method(pool: EvaluationPool, learn: Indices, tried: Indices) -> Numbers:
        teacher = scorer_of(LinearTrainer().fit(pool.examples(LinearTrainer(), learn)), LinearTrainer())
        windows, seen = teacher.score_windows(more)
        told = np.add.reduceat(windows, seen.windows.offsets[:-1]) / np.diff(seen.windows.offsets)
        trainer = FastTextTrainer()
        unseen = np.flatnonzero(~np.isin(of_groups, pool.groups[tried]))
        labels, extra = pool.examples(trainer, learn), _examples(more, told, trainer).of(unseen)
        joined = Examples(
            np.concatenate([labels.features, extra.features]),
            np.concatenate([labels.offsets, labels.offsets[-1] + extra.offsets[1:]]),
            np.concatenate([labels.scores, extra.scores]),
            np.concatenate([labels.costs, extra.costs]),
        )
        judge: LearntModel = trainer.fit(joined)
        return pool.predicted(scorer_of(judge, trainer), tried)

    return method


def _examples(texts: Text, scores: Numbers, trainer: Trainer) -> Examples:
    from pipelines.train.examples import examples_of

    return examples_of(texts, scores.tolist(), pairs=trainer.pairs, once=trainer.once)


def methods_of(unlabelled: Sequence[str], groups: Sequence[str]) -> Mapping[str, Method]:
    """Return name -> method."""
    return {
        "length alone": length_alone,
        "fastText, six classes, likeliest": six_classes(expected=False),
        "fastText, six classes, expected value": six_classes(expected=True),
        "fasttext (levels, folded)": of_trainer(FastTextTrainer()),
        **({"fasttext, distilled": distilled(unlabelled, groups)} if unlabelled else {}),
        "TF-IDF ridge": CountingTrainer(ridge=True),
        "TF-IDF ordinal logistic": CountingTrainer(),
        "linear, words alone": of_trainer(LinearTrainer(pairs=False)),
        SHIPPED: as_shipped,
    }


def calibrated(pool: EvaluationPool, raw: Numbers, holdout_of: Indices) -> Numbers:
    """Return predictions that went through the curves fitted on the other holdouts."""
    found = np.empty(len(raw))
    for holdout in range(int(holdout_of.max()) + 1):
        inside = holdout_of == holdout
        bands, curves = fit_curves(np.clip(raw[~inside], 0, 5), pool.tokens[~inside], pool.scores[~inside])
        found[inside] = calibrate(np.clip(raw[inside], 0, 5), pool.tokens[inside], bands, curves)
    return found


def with_intervals(pool: EvaluationPool, predicted: Numbers, resamples: int) -> list[str]:
    """Return each of FIGURES with its bounds."""
    found, bounds = figures(pool.scores.tolist(), predicted.tolist(), 0), group_intervals(pool.scores, predicted, pool.groups, resamples)
    return [
        f"{getattr(found, name):.3f} ({low:.3f}-{high:.3f})" if name in bounds else "-"
        for name in FIGURES
        for low, high in [bounds.get(name, (0, 0))]
    ]


def table(title: str, head: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Print one table."""
    print(f"\n{title}\n\n| | {' | '.join(head)} |\n|---|{'---:|' * len(head)}")
    for line in lines:
        print(f"| {' | '.join(line)} |")
    sys.stdout.flush()


def in_short(pool: EvaluationPool, predicted: Numbers, chosen: Indices) -> str:
    """Return AUC and kappa of some texts."""
    found = figures(pool.scores[chosen].tolist(), predicted[chosen].tolist(), 0)
    return " / ".join("-" if value is None else f"{value:.3f}" for value in (found.auc, found.quadratic_kappa))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="The educational score beside its baselines.")
    parser.add_argument("labels", nargs="+")
    parser.add_argument(
        "--unlabelled", help="Parquet file with texts to distil from, in column text; column group leaves out what is tried"
    )
    parser.add_argument("--only", nargs="*", help="methods to run (beginnings of their names)")
    parser.add_argument("--resamples", type=int, default=RESAMPLES)
    parser.add_argument("--holdouts", type=int, default=HOLDOUTS)
    given = parser.parse_args(arguments)
    files = {Path(path).stem: read_labels([path], "text", "score", "group") for path in given.labels}
    file_of = {row.text: name for name, rows in files.items() for row in rows}
    pool = pool_of(without_copies([row for rows in files.values() for row in rows]))
    more = pl.read_parquet(given.unlabelled) if given.unlabelled else pl.DataFrame({"text": [], "group": []}, {"text": str, "group": str})
    texts = more["text"].str.head(1000).to_list()
    told = more["group"].to_list() if "group" in more.columns else [""] * len(texts)
    methods = {name: method for name, method in methods_of(texts, told).items() if not given.only or name.startswith(tuple(given.only))}
    dealt = holdouts_of(pool.groups.tolist(), given.holdouts)
    holdout_of = np.array([dealt[group] for group in pool.groups.tolist()])
    predicted, seconds = {}, {}
    for name, method in methods.items():
        began = time.process_time()
        raw = np.empty(len(pool.rows))
        for holdout in range(int(holdout_of.max()) + 1):
            raw[holdout_of == holdout] = method(pool, np.flatnonzero(holdout_of != holdout), np.flatnonzero(holdout_of == holdout))
        predicted[name] = raw if name == SHIPPED else calibrated(pool, raw, holdout_of)
        seconds[name] = time.process_time() - began
        print(f"{name}: {seconds[name]:.0f} s of processor time", file=sys.stderr)
    lines = [[name, *with_intervals(pool, values, given.resamples)] for name, values in predicted.items()]
    title = f"{len(pool.rows):,} texts of {len(dealt):,} groups held out"
    table(title, ["AUC at 3", "kappa", "average precision", "mean error", "F1", "calibration error"], lines)

    file, kinds = np.array([file_of[row.text] for row in pool.rows]), np.array([row.kind for row in pool.rows])
    parts = {f"file {name}": np.flatnonzero(file == name) for name in files}
    parts |= {name: np.flatnonzero(kinds == name) for name in np.unique(kinds) if (kinds == name).sum() >= 100}
    bands = np.searchsorted(np.array(BANDS), pool.tokens, side="right") - 1
    parts |= {f"{begin} tokens and more": np.flatnonzero(bands == place) for place, begin in enumerate(BANDS) if (bands == place).any()}
    names = list(predicted)
    body = [[f"{part} ({len(chosen)})", *(in_short(pool, predicted[name], chosen) for name in names)] for part, chosen in parts.items()]
    table("AUC / kappa by part", names, body)

    body = []
    for left in files if len(files) > 1 else ():
        learn, tried = np.flatnonzero(file != left), np.flatnonzero(file == left)
        apart = learn[~np.isin(pool.groups[learn], pool.groups[tried])]
        if len(set(pool.groups[apart].tolist())) > 2:
            of_methods = [_transferred(pool, method, apart, tried) for method in methods.values()]
            body.append([f"{left} ({len(tried)})", *of_methods])
    if body:
        table("AUC / kappa of one file, learnt from the groups that are in the others only", names, body)


def _transferred(pool: EvaluationPool, method: Method, learn: Indices, tried: Indices) -> str:
    raw = np.clip(method(pool, learn, tried), 0, 5)
    scored = np.full(len(pool.rows), np.nan)
    scored[tried] = raw
    return in_short(pool, scored, tried)


if __name__ == "__main__":
    main()

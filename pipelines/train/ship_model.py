"""Builds the model that the project ships, filters/models/edu.safetensors, from texts whose licence allows it.

    python -m pipelines.train.ship_model LABELS.parquet... [--out MODEL.safetensors]

The label files have the columns text, score, group, source (repository) and license, and may have kind. The release contains weights of
hashed words and pairs, but no text. The model learns from the texts written for this project (sample_data/texts) and from the rows that
`is_free` accepts. It rejects licences that forbid commercial use or changed copies, the GPL, and people's mail; such rows only help to
evaluate.

The figures cover all rows, by group held out; next to them are the figures of a model that learns from every row. Other trainers and
baselines are in tests/benchmark/educational_score.py.

Invariant: the same rows give the same bytes.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np

from curation.arrays import Floats
from pipelines.train.evaluation import EvaluationPool, pool_of, search_settings, try_out
from pipelines.train.examples import without_copies
from pipelines.train.held_out import least_score
from pipelines.train.labels import NO_KIND, LabelledText, read_labels
from pipelines.train.model_card import TrainingResult
from pipelines.train.settings import LINEAR
from pipelines.train.training import held_out_figures, model_place, write_model

PRECISION = 0.7
"""The lowest acceptable share of labels of 3 or more among the web pages that a recipe keeps."""

NOTES = (
    "Learnt from are rows under licences of every kind but those that forbid commercial use or changed copies (NC, ND), the GPL, and mail; "
    "many web pages state no licence. What is released are weights of hashed words and pairs: no text, no phrase.",
    "The texts in sample_data are learnt from: what this model says of them is no evidence.",
    "The labels are a large language model's, on excerpts of 1,000 characters at most; English only.",
)
"""Notes for readers of the card."""

_OWN = ("sample_data:texts/textbook.jsonl", "sample_data:texts/web.jsonl")
_OWN_LICENSE = "Apache-2.0 (this project's own)"
_RESERVED = re.compile(r"\bNC\b|\bND\b|GPL|enron|\bmail\b", re.IGNORECASE)
_BOOKS = frozenset({"textbook", "public-domain book", NO_KIND})


def is_free(row: LabelledText) -> bool:
    """Return whether the model may learn from a row: neither its licence nor its origin is reserved."""
    return not _RESERVED.search(row.license) and not _RESERVED.search(row.source)


def is_web_page(row: LabelledText) -> bool:
    """Return whether a row comes from a web page, and not from a book, a lesson of this project or an unknown origin."""
    return row.kind not in _BOOKS


def own_texts() -> list[LabelledText]:
    """Return the texts written for this project; a group is a source."""
    return [
        replace(row, source=path.replace(":", "/"), license=_OWN_LICENSE)
        for path in _OWN
        for row in read_labels([path], "text", "score", "source")
    ]


def pool_to_ship(labels: Sequence[str]) -> tuple[EvaluationPool, int]:
    """Return the rows of label files and the project's own texts without copies, and the number of removed copies."""
    rows = read_labels(labels, "text", "score", "group") + own_texts()
    pool = pool_of(without_copies(rows))
    return pool, len(rows) - len(pool.rows)


def to_learn(pool: EvaluationPool) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return for each row whether the model learns from it."""
    return np.array([is_free(row) for row in pool.rows])


def thresholds_of(pool: EvaluationPool, held_out: Floats) -> Mapping[str, float | None]:
    """Return thresholds that a recipe may use."""
    pages = np.flatnonzero([is_web_page(row) for row in pool.rows])
    bound = least_score(pool.scores[pages].tolist(), held_out[pages].tolist(), PRECISION)
    return {f"of web pages kept, {PRECISION:.0%} labelled 3 or more": bound}


def ship(labels: Sequence[str], out: Path) -> TrainingResult:
    """Evaluate, train, write model and card."""
    pool, copies = pool_to_ship(labels)
    learn = to_learn(pool)
    own = np.array([row.license == _OWN_LICENSE for row in pool.rows])

    def tried(held_out: Floats) -> Floats:
        return np.where(own, np.nan, held_out)

    searched = search_settings(pool, LINEAR, learn)
    searched = replace(searched, held_out=tried(searched.held_out))
    compared = {
        "learnt from every row, whatever its licence (not shipped)": held_out_figures(pool, tried(try_out(pool, LINEAR, learn | True))),
    }
    thresholds = thresholds_of(pool, np.where(np.isnan(searched.held_out), -1.0, searched.held_out))
    return write_model(pool, learn, searched, out, among="linear", copies=copies, compared=compared, thresholds=thresholds, notes=NOTES)


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the model from the command line."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.train.ship_model", description="Build the shipped educational score.")
    parser.add_argument("labels", nargs="+", help="Parquet files with text, score, group, source and license")
    parser.add_argument(
        "--out", default=str(files("filters") / "models" / "edu.safetensors"), help="where the model goes (default: into the package)"
    )
    given = parser.parse_args(arguments)
    result = ship(given.labels, model_place(given.out))
    print(f"{given.out}  sha256 {result.sha256}  {result.bytes:,} bytes  held-out AUC {result.held_out.auc}")


if __name__ == "__main__":
    main()

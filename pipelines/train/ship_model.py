"""Builds the model that the project ships, filters/models/edu.npz, from texts whose licence allows it.

    python -m pipelines.train.ship_model SCORES.parquet [--out MODEL.npz]

SCORES.parquet has the columns text, score, group, source (repository) and license. Learnt are its rows under one of FREE_LICENSES, and the
texts written for this project (sample_data/texts). A licence with any reservation is not free: "upstream data set; repository states none",
a licence of the database alone, two statements that disagree. Such rows only help to evaluate; no model that has read them is written.

The figures are over all rows of SCORES.parquet, by group held out; beside them those of a model that learns from every row.

Invariant: the same rows and the same fastText give the same bytes.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from pipelines.train.fasttext_training import TrainingSettings
from pipelines.train.labels import LabelledText, read_labels
from pipelines.train.model_card import TrainingResult
from pipelines.train.training import evaluate, model_place, write_model

FREE_LICENSES = frozenset({"MIT", "Apache-2.0", "MIT OR Apache-2.0", "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "public domain"})
"""The licences under which a row may be learnt from, written exactly so."""

NOTES = (
    "Settings (words without symbols, no word pairs, five levels, epochs) were chosen on these same texts, so the figures flatter a bit.",
    "The texts in sample_data are learnt from: what this model says of them is no evidence.",
    "The labels are a large language model's, on excerpts of 1,000 characters at most; English only.",
)
"""What a reader of the card should know."""

_OWN = ("sample_data:texts/textbook.jsonl", "sample_data:texts/web.jsonl")


def own_texts() -> list[LabelledText]:
    """Return the texts written for this project; a group is a source."""
    rows = read_labels(_OWN, "text", "score", "source")
    return [replace(row, source=f"sample_data/texts/{row.source}", license="Apache-2.0 (this project's own)") for row in rows]


def scored_texts(scores: str) -> list[LabelledText]:
    """Return the rows of SCORES.parquet; a row's source is its repository."""
    grouped, sourced = (read_labels([scores], "text", "score", column) for column in ("group", "source"))
    return [replace(row, source=origin.group) for row, origin in zip(grouped, sourced, strict=True)]


def learnt(rows: Sequence[LabelledText]) -> list[LabelledText]:
    """Return what the shipped model learns from: the free rows and the project's own."""
    return [row for row in rows if row.license in FREE_LICENSES] + own_texts()


def ship(scores: str, out: Path) -> TrainingResult:
    """Evaluate, train, write model and card."""
    rows, settings = scored_texts(scores), TrainingSettings()
    everything = evaluate([*rows, *own_texts()], rows, settings)
    held_out = evaluate(learnt(rows), rows, settings)
    compared = {"trained on every row, whatever its licence (not shipped)": everything}
    return write_model(learnt(rows), out, held_out, settings, compared, NOTES)


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the model from the command line."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.train.ship_model", description="Build the shipped educational score.")
    parser.add_argument("scores", help="Parquet file with text, score, group, source and license")
    parser.add_argument(
        "--out", default=str(files("filters") / "models" / "edu.npz"), help="where the model goes (default: into the package)"
    )
    given = parser.parse_args(arguments)
    result = ship(given.scores, model_place(given.out))
    print(f"{given.out}  sha256 {result.sha256}  {result.bytes:,} bytes  held-out AUC {result.held_out.auc}")


if __name__ == "__main__":
    main()

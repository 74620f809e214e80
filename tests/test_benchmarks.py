"""Every benchmark runs, on a tiny input and against nobody: what is run by hand only now and then would rot unseen.

A new script in `tests/benchmark` that has a command line of its own must be listed here.
"""

import json
import os
import random
import re
import resource
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

FOLDER = Path(__file__).parent / "benchmark"
PARTS = {
    "child.py", "datatrove_peer.py", "environments.py", "export_peer.py", "extraction_peer.py", "filter_speed_ours.py",
    "filter_speed_peer.py", "near_dedup_child.py",
    "planted.py", "signature_child.py",
}  # fmt: skip
"""What other scripts start or import."""

SCRIPTS = {
    "near_dedup.py": ["--corpus", "corpus", "--no-peer", "--work", "work"],
    "end_to_end.py": ["--corpus", "corpus", "--no-peer", "--work", "work", "--workers", "1"],
    "signatures.py": ["--texts", "corpus/small.jsonl", "--no-peer", "--work", "work", "--repeat", "1", "--mb", "0.2"],
    "global_steps.py": ["--documents", "2000", "--work", "work-global"],
    "five_million.py": ["--documents", "2000", "--workers", "1", "--work", "work"],
    "filter_speed.py": ["texts.parquet", "--no-peer", "--repeat", "1"],
    "extraction_speed.py": ["pages.parquet", "--repeat", "1"],
    "extraction.py": ["gold.parquet", "--no-peer"],
    "structure.py": ["gold.parquet", "--show", "3"],
    "decontamination.py": ["--benchmarks", "questions.jsonl", "--hosts", "hosts/texts.parquet", "--phi"],
    "language_identification.py": ["languages.parquet"],
    "pii.py": [],
    "kept_pages.py": ["gold.parquet", "--labels", "excerpts.parquet", "--recipe", "score.toml", "--work", "kept"],
    "fasttext_speed.py": ["texts.parquet", "--dimensions", "4", "--buckets", "1000", "--repeat", "1"],
    "many_units.py": ["200", "2"],
    "synthesis_speed.py": ["--rows", "5", "--repeat", "1"],
    "export_large.py": ["--documents", "800", "--shard-mib", "1", "--work", "work-large"],
    "export_speed.py": ["--documents", "2000", "--repeat", "1", "--no-peer", "--work", "work-export"],
    "serve_pages.py": ["--documents", "2000", "--copies", "2", "--work", "work-serve"],
    "active_labels.py": ["labels.parquet", "--begin", "120", "--counts", "150", "--beginnings", "1", "--holdouts", "2"],
    "educational_score.py": [
        "labels.parquet",
        "more-labels.parquet",
        "--unlabelled",
        "texts.parquet",
        "--resamples",
        "5",
        "--holdouts",
        "2",
    ],
}
"""Their arguments, with paths relative to the folder of the test: they must not matter to children that run elsewhere."""

CORPUS = ["corpus", "--mb", "1", "--packages", "packages"]

LANGUAGES = {
    "en": "Everyone has the right to education, and education shall be free, at least in its elementary and fundamental stages.",
    "de": "Jeder hat das Recht auf Bildung, und die Bildung ist unentgeltlich, zum mindesten der Unterricht in den Grundschulen.",
    "fr": "Toute personne a droit à l'éducation, qui doit être gratuite, au moins en ce qui concerne l'enseignement élémentaire.",
    "es": "Toda persona tiene derecho a la educación, que debe ser gratuita, al menos en lo concerniente a la instrucción elemental.",
}


def prose(chance: random.Random, words: int) -> str:
    """Return sentences of made-up words."""
    syllables = ["ka", "lo", "mer", "ti", "sun", "dra", "pel", "vo", "nis", "gar", "the", "and", "qui", "ster", "ol", "em"]
    made = ["".join(chance.choices(syllables, k=chance.randint(1, 4))) for _ in range(words)]
    lines = [" ".join(made[place : place + 12]).capitalize() + "." for place in range(0, words, 12)]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny inputs of every kind, made from a seed."""
    here = tmp_path_factory.mktemp("benchmarks")
    chance = random.Random(9)
    for package in ("first-doc", "second-doc"):
        (here / "packages" / package).mkdir(parents=True)
        for page in range(20):
            (here / "packages" / package / f"page-{page}.txt").write_text(prose(chance, 7000), "utf-8")
    texts = [prose(chance, 300) for _ in range(60)]
    (here / "hosts").mkdir()
    for path in ("texts.parquet", "hosts/texts.parquet"):
        pl.DataFrame({"text": texts}).write_parquet(here / path)
    body = "".join(f"<p>{line}</p>" for line in texts[0].splitlines())
    pl.DataFrame({"html": [f"<html><body><main><h1>{page}</h1>{body}</main></body></html>" for page in range(20)]}).write_parquet(
        here / "pages.parquet"
    )
    gold = [prose(chance, 150) for _ in range(12)]
    marked = [
        f"<html><body><nav><a href=/>Home</a></nav><main>{''.join(f'<p>{line}</p>' for line in text.splitlines())}</main></body></html>"
        for text in gold
    ]
    hosts = [f"host-{number}.example" for number in range(12)]
    names = [f"page{number}" for number in range(12)]
    pl.DataFrame({"id": names, "html": marked, "gold_text": gold, "host": hosts, "page_type": ["article"] * 12}).write_parquet(
        here / "gold.parquet"
    )
    pl.DataFrame({"doc_id": [f"gold:{name}:0" for name in names], "score": [4] * 12}).write_parquet(here / "excerpts.parquet")
    (here / "score.toml").write_text('[extractor]\nname = "blocks"\n[[filter]]\nname = "educational_score"\n', "utf-8")
    questions = [{"id": number, "question": prose(chance, 25), "answer": "42"} for number in range(10)]
    (here / "questions.jsonl").write_text("".join(f"{json.dumps(question)}\n" for question in questions), "utf-8")
    rows = [(code, code, text) for code, text in LANGUAGES.items() for _ in range(3)]
    pl.DataFrame(rows, schema=["bcp47", "name", "text"], orient="row").write_parquet(here / "languages.parquet")
    for name in ("labels", "more-labels"):
        scored = [(chance.randrange(6), f"{name} {number % 4}") for number in range(160)]
        words = [" ".join(chance.choices(["prove", "explain", "sale", "click"], [s, s, 5 - s, 5 - s], k=40)) for s, _ in scored]
        labelled = {"text": words, "score": [score for score, _ in scored], "group": [group for _, group in scored]}
        pl.DataFrame(labelled).write_parquet(here / f"{name}.parquet")
    run(here, "corpus.py", CORPUS)
    return here


def run(here: Path, script: str, arguments: list[str]) -> str:
    """Run a benchmark as a user in that folder; return what it prints."""
    done = subprocess.run(
        [sys.executable, FOLDER / script, *arguments],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(FOLDER.parent.parent)},
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-1000:]
    return done.stdout


def test_every_script_is_run_here_or_part_of_another() -> None:
    assert {path.name for path in FOLDER.glob("*.py")} == {"corpus.py", *PARTS, *SCRIPTS}


@pytest.mark.parametrize("script", SCRIPTS)
def test_it_runs_alone_and_prints_a_table(folder: Path, script: str) -> None:
    began = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    printed = run(folder, script, SCRIPTS[script])
    print(f"{script}: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - began:.1f} s of processor time")
    assert "|---" in printed
    assert not re.search(r"\bnan\b", printed)
    assert all(line.count("|") > 2 for line in printed.splitlines() if line.startswith("|"))

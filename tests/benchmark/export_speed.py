"""Shards of kept documents by `curate export` and by datatrove, in turn, on one core: Parquet, shuffled and in order, and tokens as `.ds`.

    python tests/benchmark/export_speed.py [--documents 100000] [--repeat 3] [--peer-python PYTHON | --no-peer] [--work DIR]

Runs a recipe that keeps everything over short documents, trains a byte-level BPE of 2,000 tokens on some, and exports the run. datatrove
reads the same texts, with their ids, from Parquet. Prints Markdown: processor time of whole processes with their start-up (medians), MB of
text a second, and our speed beside the peer's. datatrove has no shuffled writer, so its ordered one stands beside both. A run in DIR is
used again. Linux only (one core by `os.sched_setaffinity`).
"""

import argparse
import os
import shutil
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import child
import environments
import five_million
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
EXPORTS: Mapping[str, tuple[str, Sequence[str]]] = {
    "Parquet, shuffled": ("parquet", ()),
    "Parquet, in order": ("parquet", ("--order",)),
    "tokens (.ds), in order": ("ds", ("--order", "--format", "ds", "--eos", "<|end|>")),
}


def made(work: Path, documents: int) -> tuple[Path, Path, float]:
    """Return a run that keeps all its documents, a tokenizer, and the megabytes of text."""
    folder = work / f"export-{documents}"
    tokenizer, texts = folder / "tokenizer.json", folder / "texts" / "texts.parquet"
    if not (folder / "out" / "report.html").exists():
        texts.parent.mkdir(parents=True, exist_ok=True)
        written = five_million.texts_of(np.arange(documents, dtype=np.uint64))
        pq.write_table(pa.table({"id": [f"d{number}" for number in range(documents)], "text": written}), texts)
        _trained(written[:3000]).save(str(tokenizer))
        (folder / "own.toml").write_text('[[input]]\npath = "texts/texts.parquet"\n')
        command = [sys.executable, "-m", "pipelines.cli", "run", folder / "own.toml", "--out", folder / "out", "--workers", "1"]
        child.run(command, ROOT, folder / "printed.txt")
    size = sum(map(len, pq.read_table(texts, columns=["text"])["text"].to_pylist())) / 1e6
    return folder / "out", tokenizer, size


def _trained(texts: Sequence[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=2000, special_tokens=["<|end|>"], initial_alphabet=letters, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def table(work: Path, run: Path, tokenizer: Path, megabytes: float, python: Path | None, repeat: int) -> Iterator[str]:
    """Yield the lines of the table of exports."""
    yield "| | curate, s | MB/s | datatrove, s | MB/s | our speed beside it |"
    yield "|---|---:|---:|---:|---:|---:|"
    for name, (kind, options) in EXPORTS.items():
        ours, peers = [], []
        for _ in range(repeat):
            out, theirs = _emptied(work / "exported"), _emptied(work / "peer-exported")
            given = ["--tokenizer", tokenizer] if kind == "ds" else []
            command = [sys.executable, "-m", "pipelines.cli", "export", run, "--out", out, "--workers", "1", *options, *given]
            ours.append(child.run(command, ROOT, work / "printed.txt").cpu)
            if python is not None:
                command = [python, HERE / "export_peer.py", kind, run.parent / "texts", theirs, tokenizer]
                peers.append(child.run(command, work, work / "peer.txt").cpu)
        mine = statistics.median(ours)
        other = statistics.median(peers) if peers else None
        beside = f"{other:.1f} | {megabytes / other:.1f} | {other / mine:.2f}" if other else " | | "
        yield f"| {name} | {mine:.1f} | {megabytes / mine:.1f} | {beside} |"


def _emptied(folder: Path) -> Path:
    """Return a folder's path with nothing there."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(f"{folder}-logs", ignore_errors=True)
    return folder


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--work", type=Path, default=Path("benchmark-work"), help="where the run is written, and stays")
    parser.add_argument("--peer-python", type=Path, help="the Python of an environment that has datatrove")
    parser.add_argument("--no-peer", action="store_true", help="measure ours alone")
    given = parser.parse_args()
    work = given.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    python = None
    if not given.no_peer:
        python = environments.of_peer("datatrove", [given.peer_python] if given.peer_python else [], work)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    run, tokenizer, megabytes = made(work, given.documents)
    print(f"{megabytes:.0f} MB of text, one core, load {psutil.getloadavg()[0]:.1f} at the start\n")
    for line in table(work, run, tokenizer, megabytes, python, given.repeat):
        print(line, flush=True)


if __name__ == "__main__":
    main()

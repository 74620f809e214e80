"""Deduplication at five million documents: what each step takes, and what of it grows faster than the documents.

    python tests/benchmark/five_million.py [--documents 5000000 ...] [--workers 2] [--work DIR]

Makes short documents (about 300 bytes, as many as fit on a disk, so that counts matter and not text) in Parquet files, runs
`curate run dedup` on them as a user does, and prints Markdown: for each step seconds, rows and MB of text a second, the peak of the largest
worker and of the driver within that step, and the bytes it leaves on disk. Of several numbers of documents, also the seconds per million.
About 2 GB of disk for a million documents. Linux only (peaks within a step are the kernel's high-water marks, set back between steps).

A document is a function of its number: 70 % are originals, 10 % exact copies of some earlier document's original, 18 % copies with one word
changed, and 2 % one of a hundred pages with a word changed, so that some buckets grow with the corpus.
"""

import argparse
import json
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import child
import numpy as np
import numpy.typing as npt
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).parent.parent.parent
PER_FILE = 250_000
PER_ROW_GROUP = 25_000
LONGEST, SHORTEST = 56, 36
PAGES = 100

_SYLLABLES = [first + second for first in "bcdfghjklmnprstvwz" for second in ("a", "e", "i", "o", "u", "an", "er", "il", "on", "us")]
_WORDS = np.array([first + second + third for first in _SYLLABLES for second in _SYLLABLES for third in ("", "r", "ten")])

Numbers = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Measured:
    """One run: the rows of its table and what it kept."""

    documents: int
    megabytes: float
    usage: child.Usage
    stages: Sequence[dict]
    disk: dict[str, int]
    kept: int


def drawn(numbers: Numbers, purpose: int) -> Numbers:
    """Return a number by chance for each number (SplitMix64)."""
    value = numbers * np.uint64(0x9E3779B97F4A7C15) + np.uint64(purpose * 0x632BE59BD9B4E019 % 2**64)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def texts_of(numbers: Numbers) -> list[str]:
    """Return the documents of these numbers."""
    kind = drawn(numbers, 1) % np.uint64(100)
    earlier = drawn(numbers, 2) % np.maximum(numbers, np.uint64(1))
    page = drawn(numbers, 3) % np.uint64(PAGES)
    original = np.where(kind < 70, numbers, np.where(kind < 98, earlier, page))
    lengths = SHORTEST + drawn(original, 4) % np.uint64(LONGEST - SHORTEST)
    seeds = original[:, None] * np.uint64(LONGEST) + np.arange(LONGEST, dtype=np.uint64)
    share = drawn(seeds.ravel(), 5).reshape(seeds.shape) / 2.0**64
    words = (len(_WORDS) * share**2).astype(np.int64)
    rows = np.flatnonzero(kind >= 80)
    words[rows, (drawn(numbers[rows], 6) % lengths[rows]).astype(np.int64)] = drawn(numbers[rows], 7) % np.uint64(len(_WORDS))
    return [" ".join(_WORDS[own[:length]].tolist()) for own, length in zip(words, lengths.tolist(), strict=True)]


def build(folder: Path, documents: int) -> float:
    """Write the documents in files of PER_FILE and return the megabytes of their text."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    size = 0
    for start in range(0, documents, PER_FILE):
        end = min(start + PER_FILE, documents)
        schema = pa.schema([("id", pa.string()), ("text", pa.string())])
        with pq.ParquetWriter(folder / f"part-{start // PER_FILE:05d}.parquet", schema, compression="zstd") as writer:
            for begin in range(start, end, PER_ROW_GROUP):
                numbers = np.arange(begin, min(begin + PER_ROW_GROUP, end), dtype=np.uint64)
                texts = texts_of(numbers)
                size += sum(map(len, texts))
                writer.write_table(pa.table({"id": [f"d{number}" for number in numbers.tolist()], "text": texts}, schema=schema))
    return size / 1e6


def measure(work: Path, documents: int, workers: int) -> Measured:
    """Make the documents, run, and take away both."""
    megabytes = build(work / "texts", documents)
    out = work / "out"
    shutil.rmtree(out, ignore_errors=True)
    inputs = sorted((work / "texts").glob("*.parquet"))
    command = [sys.executable, "-m", "pipelines.cli", "run", "dedup", *inputs, "--out", out, "--workers", str(workers)]
    usage = child.run(command, ROOT, work / "printed.txt", _Steps(out))
    session = json.loads((out / "run.json").read_text("utf-8"))["sessions"][-1]
    stages, kept = session["stages"], session["books"]["fates"]["kept"]
    measured = Measured(documents, megabytes, usage, stages, _disk(out), kept)
    shutil.rmtree(out)
    shutil.rmtree(work / "texts")
    return measured


class _Steps:
    """Says which step a run is in: that of the stage folder that appeared last, or what comes after the last one's seal."""

    def __init__(self, out: Path) -> None:
        self._stages = out / "stages"
        self._seen: list[str] = []

    def __call__(self) -> str:
        self._seen += sorted(_folders(self._stages).keys() - set(self._seen))
        if not self._seen:
            return START
        return END if self._seen[-1] == LAST and (self._stages / LAST / "_seal.json").exists() else self._seen[-1]


START, LAST, END = "start-up", "7-export", "books, report"


def _disk(out: Path) -> dict[str, int]:
    """Return the bytes of every folder that stages write."""
    own = {name: _size(path) for name, path in _folders(out / "stages").items()}
    return {**own, "5-select": own["5-select"] + _size(out / "ledger"), LAST: own[LAST] + _size(out / "dataset")}


def _folders(stages: Path) -> dict[str, Path]:
    """Return the folders of all stages there are by now, also those of rounds and levels, which lie in a folder of their own."""
    found = (path for path in [*stages.glob("*"), *stages.glob("*/*")] if path.is_dir())
    return {path.relative_to(stages).as_posix(): path for path in found if not any(each.is_dir() for each in path.iterdir())}


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def table(run: Measured, workers: int) -> Iterator[str]:
    """Yield the table of one run."""
    kept = f"{run.kept:,} kept"
    yield f"{run.documents:,} documents, {run.megabytes:.0f} MB of text, {workers} workers: {run.usage.wall:.0f} s, {kept}\n"
    yield "| step | units | wall, s | worker s | rows/s | MB/s | worker, MiB | driver, MiB | disk, MB |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for stage in run.stages:
        name, wall = stage["stage"], max(stage["seconds"], 0.001)
        driver, worker = run.usage.steps.get(name, (0.0, 0.0))
        speed = f"{run.documents / wall:,.0f} | {run.megabytes / wall:,.0f}"
        took = f"{stage['units']} | {wall:.1f} | {stage['worker_seconds']:.1f}"
        yield f"| {name} | {took} | {speed} | {worker:.0f} | {driver:.0f} | {run.disk[name] / 1e6:.0f} |"
    rest = run.usage.wall - sum(stage["seconds"] for stage in run.stages)
    driver = max(run.usage.steps.get(name, (0.0, 0.0))[0] for name in (START, END))
    yield f"| start-up, books, report | | {rest:.1f} | | | | | {driver:.0f} | |"
    usage, wall = run.usage, run.usage.wall
    speed = f"{run.documents / wall:,.0f} | {run.megabytes / wall:,.1f}"
    yield f"| whole | | {wall:.1f} | | {speed} | {usage.worker_mib:.0f} | {usage.driver_mib:.0f} | {sum(run.disk.values()) / 1e6:.0f} |\n"


def growth(runs: Sequence[Measured]) -> Iterator[str]:
    """Yield, for every step, the worker seconds that a million documents take, at each number of documents; rounds are taken together."""
    yield "Worker seconds for a million documents\n"
    yield "| step | " + " | ".join(f"at {run.documents:,}" for run in runs) + " |"
    yield "|---|" + "---:|" * len(runs)
    spent: dict[str, list[float]] = {}
    for place, run in enumerate(runs):
        for stage in run.stages:
            name = re.sub(r"-(round|level)-\d+/.*", r"-\1s", stage["stage"])
            spent.setdefault(name, [0.0] * len(runs))[place] += stage["worker_seconds"] / run.documents * 1e6
    for name, each in sorted(spent.items()):
        yield f"| {name} | " + " | ".join(f"{seconds:.1f}" for seconds in each) + " |"


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, nargs="+", default=[5_000_000], help="how many; several give the table of growth")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path("benchmark-work"), help="where documents and runs are written, and deleted again")
    asked = parser.parse_args()
    work = asked.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    print(f"load {psutil.getloadavg()[0]:.1f} at the start\n")
    runs = []
    for documents in asked.documents:
        runs.append(measure(work, documents, asked.workers))
        print(*table(runs[-1], asked.workers), sep="\n", flush=True)
    if len(runs) > 1:
        print(*growth(runs), sep="\n")


if __name__ == "__main__":
    main()

"""A shuffled export of many gigabytes with a split: its time and memory, the sizes of its shards, and whether chance ordered it.

    python tests/benchmark/export_large.py [--documents 1040000] [--shard-mib 256] [--work DIR]

Runs a recipe that keeps everything over documents of random words (about 5.2 KB) from eight sources, exports the run with a
validation split and the defaults otherwise, in one process, and verifies the export. Prints Markdown: seconds, MB of text a second, peak
memory, and of the shards of the split `train`: the text of each beside what was asked for, sources in each (chi-squared with seven degrees
of freedom, whose mean is seven), and neighbours of one source (standard deviations from what chance gives). A run in DIR is used again.
Disk: five times the text.
"""

import argparse
import shutil
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import child
import numpy as np
import numpy.typing as npt
import polars as pl
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).parent.parent.parent
SOURCES = 8
WORDS = 750
PER_ROW_GROUP = 2000


def made(work: Path, documents: int) -> Path:
    """Return a run that keeps all its documents, made unless it is there."""
    folder = work / f"large-{documents}"
    if (folder / "out" / "report.html").exists():
        return folder / "out"
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(1)
    lengths = chance.integers(2, 12, 8192)
    words = np.array(["".join(map(chr, chance.integers(97, 123, length))) for length in lengths], object)
    inputs = []
    for number in range(SOURCES):
        with pq.ParquetWriter(folder / f"s{number}.parquet", pa.schema([("id", pa.string()), ("text", pa.string())])) as writer:
            for begin in range(number, documents, SOURCES * PER_ROW_GROUP):
                names = range(begin, min(begin + SOURCES * PER_ROW_GROUP, documents), SOURCES)
                drawn = words[chance.integers(0, len(words), (len(names), WORDS))]
                writer.write_table(pa.table({"id": [f"d{name}" for name in names], "text": [" ".join(own) for own in drawn]}))
        inputs.append(f'\n[[input]]\npath = "s{number}.parquet"\nsource = "s{number}"\n')
    (folder / "own.toml").write_text("".join(inputs))
    usage = child.run([*_CURATE, "run", folder / "own.toml", "--out", folder / "out", "--workers", "1"], ROOT, folder / "printed.txt")
    print(f"the run took {usage.wall:.0f} s, {usage.cpu:.0f} s of processor time, {usage.driver_mib:.0f} MiB\n", flush=True)
    return folder / "out"


_CURATE = [sys.executable, "-m", "pipelines.cli"]


def exported(run: Path, out: Path, shard_mib: int, printed: Path) -> Iterator[str]:
    """Export a run and verify that; yield what it took."""
    shutil.rmtree(out, ignore_errors=True)
    given = ["--out", out, "--split", "validation=0.5%", "--shard-mib", str(shard_mib), "--workers", "1"]
    usage = child.run([*_CURATE, "export", run, *given], ROOT, printed)
    text = pl.scan_parquet(out / "data/*.parquet").select(pl.col("text").str.len_bytes().sum()).collect(engine="streaming").item()
    peak = max(usage.driver_mib, usage.worker_mib)
    yield f"| export of {text / 1e9:.2f} GB of text | {usage.wall:.0f} s, {text / 1e6 / usage.wall:.0f} MB/s by the clock |"
    yield f"| its processor time | {usage.cpu:.0f} s, {text / 1e6 / usage.cpu:.0f} MB/s |"
    yield f"| most memory of a process | {peak:.0f} MiB |"
    usage = child.run([*_CURATE, "verify", out], ROOT, printed)
    yield f"| `curate verify` of it | {usage.wall:.0f} s, {usage.cpu:.0f} s of processor time |"


def order(run: Path, out: Path, shard_mib: int) -> Iterator[str]:
    """Yield the statistics of an export's order."""
    files = sorted((out / "data").glob("train-*.parquet"))
    shards = [pl.read_parquet(file, columns=["id", "source"]) for file in files]
    sizes = [_text_bytes(file) / 2**20 for file in files]
    least, most = min(sizes[:-1]), max(sizes[:-1])
    yield f"| text of {len(files) - 1} shards of train (all but the last), {shard_mib} MiB asked | {least:.1f} to {most:.1f} MiB |"
    source = pl.concat(shards)["source"].cast(pl.Categorical).to_physical().to_numpy()
    counts = np.bincount(source)
    begin, found = 0, []
    for shard in shards[:-1]:
        seen = np.bincount(source[begin : begin + shard.height], minlength=len(counts))
        expected = counts / counts.sum() * shard.height
        found.append(float(((seen - expected) ** 2 / expected).sum()))
        begin += shard.height
    yield f"| sources of a shard, chi-squared of {len(counts) - 1} degrees | mean {np.mean(found):.1f}, at most {max(found):.1f} |"
    yield f"| neighbours of one source | {_neighbours(source, counts):.1f} standard deviations from chance |"
    ids = pl.concat([pl.read_parquet(file, columns=["id"]) for file in sorted((out / "data").glob("*.parquet"))])["id"]
    whole = pl.concat([pl.read_parquet(file, columns=["id"]) for file in sorted((run / "dataset/data").glob("*.parquet"))])["id"]
    yield f"| ids | {len(ids):,}, {'those of the run' if ids.sort().equals(whole.sort()) else 'NOT those of the run'} |"


def _text_bytes(file: Path) -> int:
    return int(pl.scan_parquet(file).select(pl.col("text").str.len_bytes().sum()).collect(engine="streaming").item())


def _neighbours(source: npt.NDArray[np.uint32], counts: npt.NDArray[np.int64]) -> float:
    """Return how far the number of neighbours of one source is from what chance gives, in standard deviations."""
    alike = float(np.sum((counts / counts.sum()) ** 2))
    pairs = len(source) - 1
    return float((np.count_nonzero(source[1:] == source[:-1]) - pairs * alike) / np.sqrt(pairs * alike * (1 - alike)))


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=1_040_000)
    parser.add_argument("--shard-mib", type=int, default=256)
    parser.add_argument("--work", type=Path, default=Path("benchmark-work"), help="where the run is written, and stays")
    given = parser.parse_args()
    work = given.work.resolve()
    run = made(work, given.documents)
    print(f"load {psutil.getloadavg()[0]:.1f} at the start\n\n| | |\n|---|---|")
    out = work / "exported"
    for line in chain(exported(run, out, given.shard_mib, work / "printed.txt"), order(run, out, given.shard_mib)):
        print(line, flush=True)


if __name__ == "__main__":
    main()

"""Other people's fastText models: our filter beside `fasttext.predict` of a list, and fastText's own command, on the same texts and core.

    python tests/benchmark/fasttext_speed.py TEXTS.parquet... [--dimensions 64 100] [--buckets 2000000] [--command FASTTEXT] [--repeat 5]

TEXTS have a column `text` or `gold_text`. For each width a model of two labels and word pairs learns them for one epoch, under labels
that mean nothing: speed does not depend on them. All sides then score all texts, in turn, on one core; ours is the whole filter, from
Arrow to signals. Printed, as Markdown: MB of text a second of processor time and ratios (medians), the command's on eight times the texts
and without the time that it takes to read the model; the largest difference of a probability; what two threads take beside one, by the
clock, for twice the texts and by processor time (2 and 1 at best); and the private memory, in MiB, that the model costs one more process.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import fasttext
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from curation.text.text import Text
from filters.fasttext import FastText

ROWS, TIMES = 512, 8
LABEL = "__label__hq"
HEAD = ("ours", "predict(list)", "ratio", "command", "ratio", "apart", "two threads, clock", "processor", "MiB a process")


def texts_of(paths: Sequence[Path]) -> list[str]:
    """Return the texts of files, line breaks made spaces as `predict` needs it."""
    found: list[str] = []
    for path in paths:
        names = pq.ParquetFile(path).schema_arrow.names
        column = pq.read_table(path, columns=["text" if "text" in names else "gold_text"]).column(0)
        found += [text.replace("\n", " ") for text in column.to_pylist() if text]
    return found


def trained(folder: Path, texts: Sequence[str], dimensions: int, buckets: int) -> Path:
    """Train a model of two labels; return its file."""
    lines, path = folder / "lines.txt", folder / f"{dimensions}.bin"
    lines.write_text("".join(f"{(LABEL, '__label__cc')[place % 2]} {text}\n" for place, text in enumerate(texts)), "utf-8")
    model = fasttext.train_supervised(str(lines), dim=dimensions, epoch=1, wordNgrams=2, bucket=buckets, thread=1, verbose=0)
    model.save_model(str(path))
    return path


def scores(made: FastText, batches: Sequence[pa.Array]) -> list[float]:
    """Score batches with our filter."""
    return [score for batch in batches for score in made.signals(Text.from_arrow(batch), None)["score"].to_pylist()]


def spent(run: Callable[[], object], who: int = resource.RUSAGE_SELF) -> float:
    """Return the processor seconds that a call takes."""
    before = resource.getrusage(who)
    run()
    after = resource.getrusage(who)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def in_threads(count: int, made: FastText, batches: Sequence[pa.Array]) -> tuple[float, float]:
    """Return the seconds by the clock and of processor time that threads take for as many times the batches."""
    threads = [threading.Thread(target=scores, args=(made, batches)) for _ in range(count)]

    def run() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    began = time.perf_counter()
    processor = spent(run)
    return time.perf_counter() - began, processor


def own_mib(model: Path) -> float:
    """Return the MiB of private memory by which a process of its own grows with a model."""
    done = subprocess.run([sys.executable, __file__, str(model), "--own-memory"], check=True, capture_output=True, text=True)
    return float(done.stdout.splitlines()[-1])


def tell_own_memory(model: Path) -> None:
    """Print by how many MiB this process grows with a model; libraries and kernels are there before, for a tiny one."""
    batch = Text.from_strings(["these are words"] * ROWS)
    with tempfile.TemporaryDirectory() as folder:
        FastText(str(trained(Path(folder), ["these are words"] * 9, 2, 1000))).signals(batch, None)
        before = psutil.Process().memory_full_info().uss
        FastText(str(model)).signals(batch, None)
        print((psutil.Process().memory_full_info().uss - before) / 2**20)


def measured(model: Path, texts: list[str], command: Path | None, repeat: int) -> list[str]:
    """Return the cells of a model's line."""
    peer, made, column = fasttext.load_model(str(model)), FastText(str(model), LABEL), pa.array(texts, pa.large_string())
    batches = [column[place : place + ROWS] for place in range(0, len(column), ROWS)]
    lines, nothing = model.with_suffix(".txt"), model.with_suffix(".empty")
    lines.write_text(("\n".join(texts) + "\n") * TIMES, "utf-8")
    nothing.write_text("")

    def by_command(path: Path) -> float:
        line = [str(command), "predict-prob", str(model), str(path)]
        return spent(lambda: subprocess.run(line, check=True, stdout=subprocess.DEVNULL), resource.RUSAGE_CHILDREN)

    ours = np.array(scores(made, batches))
    answers = peer.predict(texts, k=-1)
    theirs = np.array([chances[list(names).index(LABEL)] for names, chances in zip(*answers, strict=True)])
    apart = np.abs(np.minimum(theirs, 1) - np.minimum(ours, 1)).max()
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [max(cores)])
    taken: dict[str, list[float]] = {"ours": [], "predict": [], "command": []}
    for _ in range(repeat):
        taken["ours"].append(spent(lambda: scores(made, batches)))
        taken["predict"].append(spent(lambda: peer.predict(texts)))
        if command:
            taken["command"].append(max(by_command(lines) - by_command(nothing), 1e-3) / TIMES)
    os.sched_setaffinity(0, cores)
    one, two = ([in_threads(count, made, batches * 4) for _ in range(repeat)] for count in (1, 2))
    clock, processor = (min(run[part] for run in two) / min(run[part] for run in one) for part in range(2))
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    medians = {side: statistics.median(times) for side, times in taken.items() if times}
    own = medians.pop("ours")
    beside = [
        f"{megabytes / medians[side]:.1f} | {medians[side] / own:.1f}" if side in medians else "- | -" for side in ("predict", "command")
    ]
    return [
        f"{megabytes / own:.0f}", *beside, f"{apart:.1e}", f"{2 / clock:.2f}", f"{2 / processor:.2f}", f"{own_mib(model):.0f}"
    ]  # fmt: skip


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", type=Path, nargs="+")
    parser.add_argument("--dimensions", type=int, nargs="+", default=[64, 100])
    parser.add_argument("--buckets", type=int, default=2_000_000)
    parser.add_argument("--command", type=Path, help="fastText's own program, where it was built")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--own-memory", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.own_memory:
        tell_own_memory(asked.texts[0])
        return
    texts = texts_of(asked.texts)
    print(f"| dimensions | {' | '.join(HEAD)} |\n|---|{'---:|' * len(HEAD)}")
    for dimensions in asked.dimensions:
        with tempfile.TemporaryDirectory() as folder:
            line = measured(trained(Path(folder), texts, dimensions, asked.buckets), texts, asked.command, asked.repeat)
            print(f"| {dimensions} | {' | '.join(line)} |", flush=True)


if __name__ == "__main__":
    main()

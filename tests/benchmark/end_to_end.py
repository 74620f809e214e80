"""JSON Lines -> Gopher and FineWeb filters -> MinHash 14 x 8 -> Parquet, by `curate run` and by datatrove, in turn, on the same cores.

    python tests/benchmark/end_to_end.py [--peer-python PYTHON | --no-peer] [--peer-share 0.1] [--repeat 3]

Prints Markdown: wall, processor time and memory of both with their ratios; what both kept, and how many of the planted copies they left;
our MB/s per stage and core; and our memory when the input doubles. Both are whole processes from spawn to end, with as many workers, after
one run on a small file (kernels compiled, files in the page cache).

datatrove lives in an environment of its own, because its dependencies clash with ours: `--peer-python` names its Python, else one is made
below WORK with pip. On the whole corpus it takes about ten minutes; `--peer-share S` gives it that share of every file, and a quarter of
it, and draws the line through both to the whole, so that its start-up counts once.
"""

import argparse
import json
import shutil
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import child
import corpus
import environments
import psutil
import pyarrow.parquet as pq

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


@dataclass(frozen=True)
class Ran:
    """One side's run: what it took, on how many MB of text, and the ids it kept."""

    usage: child.Usage
    megabytes: float
    kept: frozenset[str]


def run_ours(work: Path, inputs: Sequence[Path], workers: int) -> Ran:
    """Run the reference recipe as a user types it, into WORK/ours."""
    out = _emptied(work / "ours")
    command = [sys.executable, "-m", "pipelines.cli", "run", HERE / "reference.toml", *inputs, "--out", out, "--workers", str(workers)]
    usage = child.run(command, ROOT, work / "ours.txt")
    return Ran(usage, _megabytes(inputs), _ids(out / "dataset" / "data"))


def run_peer(work: Path, python: Path, inputs: Sequence[Path], workers: int) -> Ran:
    """Run datatrove, into WORK/peer."""
    out = _emptied(work / "peer")
    usage = child.run([python, HERE / "datatrove_peer.py", out, *inputs, "--workers", str(workers)], work, work / "peer.txt")
    return Ran(usage, _megabytes(inputs), _ids(out / "kept"))


def run_peer_on_share(work: Path, python: Path, inputs: Sequence[Path], workers: int, share: float) -> Ran:
    """Run datatrove on a share of every input, and on a quarter of that; return what the line through both says of the whole."""
    quarter, part = (run_peer(work, python, _shares(work, inputs, wanted), workers) for wanted in (share / 4, share))
    whole = _megabytes(inputs)

    def on_line(few: float, many: float) -> float:
        return many + (many - few) * (whole - part.megabytes) / (part.megabytes - quarter.megabytes)

    wall, cpu = on_line(quarter.usage.wall, part.usage.wall), on_line(quarter.usage.cpu, part.usage.cpu)
    return Ran(replace(part.usage, wall=wall, cpu=cpu), whole, part.kept)


def comparison(ours: Sequence[Ran], peers: Sequence[Ran], texts: Path, share: float) -> Iterator[str]:
    """Yield the table of both, from the medians of their runs."""
    own, peer = ours[-1], peers[-1]
    yield "| | curate | datatrove | ratio |"
    yield "|---|---:|---:|---:|"
    for name, field in (("wall, s", "wall"), ("processor time, s", "cpu"), ("largest worker, MiB", "worker_mib")):
        mine, theirs = (statistics.median(getattr(ran.usage, field) for ran in runs) for runs in (ours, peers))
        yield f"| {name} | {mine:.1f} | {theirs:.1f} | {theirs / mine:.1f} |"
    mine, theirs = (ran.megabytes / statistics.median(each.usage.wall for each in runs) for ran, runs in ((own, ours), (peer, peers)))
    yield f"| MB of text a second | {mine:.1f} | {theirs:.2f} | {mine / theirs:.1f} |"
    if share == 1:
        yield f"| documents kept | {len(own.kept)} | {len(peer.kept)} | |"
        yield f"| kept by both | {len(own.kept & peer.kept)} | | |"
        for kind, left in _copies_left(texts / "truth.jsonl", own.kept, peer.kept).items():
            yield f"| planted {kind} copies left beside their original | {left[0]} | {left[1]} | |"
    else:
        yield f"\ndatatrove ran on {share:.0%} of the corpus and on a quarter of that; its times are the line through both, at the whole."


def stages(out: Path, megabytes: float, wall: float) -> Iterator[str]:
    """Yield the table of our stages, from run.json."""
    session = json.loads((out / "run.json").read_text("utf-8"))["sessions"][-1]
    yield "| stage | units | wall, s | worker s | MB/s a core | largest worker so far, MiB |"
    yield "|---|---:|---:|---:|---:|---:|"
    for stage in session["stages"]:
        spent = stage["worker_seconds"]
        speed = f"{megabytes / spent:.0f}" if spent else ""
        yield f"| {stage['stage']} | {stage['units']} | {stage['seconds']:.2f} | {spent:.2f} | {speed} | {stage['peak_worker_mib']:.0f} |"
    within = sum(stage["seconds"] for stage in session["stages"])
    busy = sum(stage["worker_seconds"] for stage in session["stages"])
    yield f"| all stages | | {within:.2f} | {busy:.2f} | {megabytes / busy:.0f} | |"
    yield f"| start-up, books, report | | {wall - within:.2f} | | | |"


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="a folder made by corpus.py; made where it is absent (default: WORK/corpus)")
    parser.add_argument("--work", type=Path, default=Path("benchmark-work"), help="where runs write")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each side, in turn; medians are told")
    parser.add_argument("--peer-python", type=Path, help="the Python of an environment that has datatrove")
    parser.add_argument("--peer-share", type=float, default=1.0, help="share of every file that datatrove gets")
    parser.add_argument("--workers", type=int, default=2, help="worker processes of each side")
    parser.add_argument("--no-peer", action="store_true", help="measure ours alone")
    asked = parser.parse_args()
    work = asked.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    texts = (asked.corpus or work / "corpus").resolve()
    if not (texts / "truth.jsonl").exists():
        corpus.build(texts, 224, 7)
    once, more = sorted(texts.glob("texts-*.jsonl")), sorted(texts.glob("more-*.jsonl"))
    given = [asked.peer_python] if asked.peer_python else []
    python = None if asked.no_peer else environments.of_peer("datatrove", given, work)
    if python is None and not asked.no_peer:
        raise SystemExit(f"{asked.peer_python} has no datatrove")
    print(
        f"{_megabytes(once):.0f} MB of text in {len(once)} files, {asked.workers} workers, load {psutil.getloadavg()[0]:.1f} at the start\n"
    )
    run_ours(work, [texts / "small.jsonl"], asked.workers)
    ours, peers = [], []
    for _ in range(asked.repeat):
        ours.append(run_ours(work, once, asked.workers))
        if python is not None:
            settings = (work, python, once, asked.workers)
            peers.append(run_peer(*settings) if asked.peer_share == 1 else run_peer_on_share(*settings, asked.peer_share))
    if peers:
        print(*comparison(ours, peers, texts, asked.peer_share), "", sep="\n")
    print(*stages(work / "ours", ours[-1].megabytes, ours[-1].usage.wall), "", sep="\n")
    doubled = run_ours(work, [*once, *more], asked.workers)
    print("| input, MB | wall, s | largest worker, MiB | driver, MiB |", "|---:|---:|---:|---:|", sep="\n")
    for ran in (ours[-1], doubled):
        print(f"| {ran.megabytes:.0f} | {ran.usage.wall:.1f} | {ran.usage.worker_mib:.0f} | {ran.usage.driver_mib:.0f} |")


def _megabytes(inputs: Sequence[Path]) -> float:
    """Return the UTF-8 bytes of all texts, in 10^6."""
    size = 0
    for path in inputs:
        with path.open("rb") as lines:
            size += sum(len(json.loads(line)["text"].encode()) for line in lines)
    return size / 1e6


def _shares(work: Path, inputs: Sequence[Path], share: float) -> list[Path]:
    """Write the first lines of every input, that share of its bytes; return the files."""
    folder = _emptied(work / "shares")
    folder.mkdir()
    made = []
    for path in inputs:
        lines = path.read_bytes().splitlines(keepends=True)
        ends = accumulate(map(len, lines))
        (folder / path.name).write_bytes(
            b"".join(line for line, end in zip(lines, ends, strict=True) if end <= share * path.stat().st_size)
        )
        made.append(folder / path.name)
    return made


def _ids(folder: Path) -> frozenset[str]:
    return frozenset(own_id for path in folder.glob("*.parquet") for own_id in pq.read_table(path, columns=["id"])["id"].to_pylist())


def _copies_left(truth: Path, *kept: frozenset[str]) -> dict[str, list[int]]:
    """Return kind -> for each set of kept ids, how many copies of that kind are in it together with their original."""
    copies = [json.loads(line) for line in truth.read_text("utf-8").splitlines()]
    return {
        kind: [sum(copy["kind"] == kind and copy["id"] in ids and copy["of"] in ids for copy in copies) for ids in kept]
        for kind in ("exact", "near")
    }


def _emptied(folder: Path) -> Path:
    """Return a folder's path with nothing there."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


if __name__ == "__main__":
    main()

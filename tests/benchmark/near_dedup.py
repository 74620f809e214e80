"""Near-deduplication from Parquet to Parquet: ours beside peers, each on the same one core, in turn; and how well each does it.

    python tests/benchmark/near_dedup.py [--corpus DIR] [--peer-python PYTHON]... [--no-peer] [--share 0.05] [--repeat 3]

Prints Markdown: wall, processor time and peak memory of each process from spawn to end, with everything it starts; how many times faster
than it ours is, with and without verification; and how many planted pairs it left and how many documents it removed falsely, by exact
similarities (`planted.py`). Then our seconds and memory per stage. All on one core run once on a fiftieth before anything is
measured.

Ours is three: in one process, as Python offers it (`curation.in_memory.near_duplicates`), which does what the peers do, and verifies; the
whole run `curate run dedup`, with keys and counts, ledger, books, and a dataset with its card; and that with two workers on two cores. "Not
verified" is a script on our signatures and components that does what the simplest peer does (`near_dedup_child.py`). text-dedup (whose
command ends with an Arrow dataset, not Parquet) and datatrove get a share of the families of documents, and a quarter of that; their times
are the line through both, at the whole, and their memory is the share's.

The corpus is a folder made by `corpus.py`; environments are those of `signatures.py`.
"""

import argparse
import os
import shutil
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import child
import corpus
import environments
import polars as pl
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from end_to_end import stages
from planted import ALIKE, UNLIKE, Planted, Quality, families
from signature_child import BANDS, NGRAM, PERMUTATIONS, ROWS

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
WARMING = 0.02
ROW_GROUP = 2000

Command = Callable[[Path, Sequence[Path]], list[str | Path]]


@dataclass(frozen=True)
class Contestant:
    """A tool: its name, what it is set to, the command for an output folder and input files, its cores, the share of the corpus it gets."""

    name: str
    settings: str
    command: Command
    cores: int = 1
    share: float = 1.0


@dataclass(frozen=True)
class Ran:
    """What a run took, and the ids it kept."""

    usage: child.Usage
    kept: frozenset[str]

    @property
    def peak_mib(self) -> float:
        """The peak of the largest process."""
        return max(self.usage.driver_mib, self.usage.worker_mib)


def verified(workers: int, out: Path, files: Sequence[Path]) -> list[str | Path]:
    """`curate run dedup`, as a user types it."""
    return [sys.executable, "-m", "pipelines.cli", "run", "dedup", *files, "--out", out, "--workers", str(workers)]


def by_child(python: Path, name: str, out: Path, files: Sequence[Path]) -> list[str | Path]:
    """An implementation in `near_dedup_child.py`."""
    return [python, HERE / "near_dedup_child.py", name, out, *files]


def text_dedup(python: Path, out: Path, files: Sequence[Path]) -> list[str | Path]:
    """text-dedup's command line, with its fast hash and no second process."""
    inputs = ["--path", "parquet", "--data_files", files[0].parent / "*.parquet", "--split", "train", "--column", "text"]
    minhash = ["--ngram", str(NGRAM), "--num_perm", str(PERMUTATIONS), "--b", str(BANDS), "--r", str(ROWS), "--hash_func", "xxh3"]
    return [
        python,
        "-m",
        "text_dedup.minhash",
        *inputs,
        *minhash,
        "--num_proc",
        "1",
        "--cache_dir",
        out / "cache",
        "--output",
        out / "kept",
    ]


def contestants(given: Sequence[Path] | None, work: Path, share: float) -> list[Contestant]:
    """Return who runs; a peer that no given Python has is left out, and said; of None given, all are."""
    ours = Path(sys.executable)
    found = [
        Contestant("**curate**", "`find_duplicates`, exact similarities", partial(by_child, ours, "curate_verified")),
        Contestant("curate, not verified", "14 x 8, whole components", partial(by_child, ours, "curate_unverified")),
        Contestant("curate, whole run", "`curate run dedup`, exact similarities", partial(verified, 1)),
        Contestant("curate, two workers", "`curate run dedup`, exact similarities", partial(verified, 2), cores=2),
    ]
    for module, name, settings, command, part in (
        ()
        if given is None
        else (
            ("daft", "Daft", "14 x 8; components by SciPy", partial(by_child, name="daft"), 1.0),
            ("gaoya", "gaoya", "index, 14 x 8, estimate at 0.75", partial(by_child, name="gaoya"), 1.0),
            ("rensa", "rensa", "RMinHashDeduplicator, 14 bands, estimate at 0.75", partial(by_child, name="rensa"), 1.0),
            ("datasketch", "datasketch", "MinHashLSH, 14 x 8, xxh32", partial(by_child, name="datasketch"), 1.0),
            ("text_dedup", "text-dedup", "`text_dedup.minhash`, 14 x 8, xxh3", text_dedup, share),
            ("datatrove", "datatrove", "four steps, 14 x 8", partial(by_child, name="datatrove"), share),
        )
    ):
        python = environments.of_peer(module, given, work)
        if python is None:
            print(f"no Python that was named has {module}: left out", file=sys.stderr)
        else:
            found.append(Contestant(name, settings, _with_python(command, python), share=part))
    return found


def run(contestant: Contestant, work: Path, files: Sequence[Path]) -> Ran:
    """Run a contestant on some files, into a folder of its own."""
    name = contestant.name.strip("*").replace(",", "").replace(" ", "-")
    out = work / "out" / name
    shutil.rmtree(out, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    with child.pinned(contestant.cores):
        usage = child.run(contestant.command(out, files), ROOT, work / f"{name}.txt")
    return Ran(usage, ids_in(out))


def run_whole(contestant: Contestant, work: Path, inputs: "Inputs") -> Ran:
    """Run a contestant on the corpus, or on its share and a quarter of that: then the usage is what the line through both says."""
    if contestant.share == 1:
        return run(contestant, work, inputs.files(1))
    few, many = (run(contestant, work, inputs.files(share)) for share in (contestant.share / 4, contestant.share))
    whole, some, part = (inputs.megabytes(share) for share in (1, contestant.share / 4, contestant.share))

    def on_line(less: float, more: float) -> float:
        return more + (more - less) * (whole - part) / (part - some)

    usage = replace(many.usage, wall=on_line(few.usage.wall, many.usage.wall), cpu=on_line(few.usage.cpu, many.usage.cpu))
    return Ran(usage, many.kept)


class Inputs:
    """The corpus as Parquet, and shares of it: a share holds whole families, chosen by a hash, so that planted pairs stay together."""

    def __init__(self, texts: Path, work: Path) -> None:
        self.copies = families(texts / "truth.jsonl")
        self._given = sorted(texts.glob("texts-*.jsonl"))
        self._folder = work / "parquet"
        shutil.rmtree(self._folder, ignore_errors=True)

    def files(self, share: float) -> list[Path]:
        """Return the files of a share, written at first use."""
        folder = self._folder / f"{share:g}"
        if not folder.exists():
            folder.mkdir(parents=True)
            for path in self._given:
                table = pl.read_ndjson(path)
                table = table.filter([self._chance(own_id) < share for own_id in table["id"]])
                schema = pa.schema([(name, pa.string()) for name in ("id", "text", "url")])
                rows = table.select(schema.names).to_arrow().cast(schema)
                pq.write_table(rows, folder / f"{path.stem}.parquet", compression="zstd", row_group_size=ROW_GROUP)
        return sorted(folder.iterdir())

    def megabytes(self, share: float) -> float:
        """Return the UTF-8 bytes of a share's texts, in 10^6."""
        return sum(pl.read_parquet(path, columns=["text"])["text"].str.len_bytes().sum() for path in self.files(share)) / 1e6

    def _chance(self, own_id: str) -> float:
        return xxhash.xxh3_64_intdigest(self.copies.get(own_id, own_id).encode()) / 2**64


def ids_in(out: Path) -> frozenset[str]:
    """Return the ids that a run kept, from wherever its tool writes them."""
    found: set[str] = set()
    for folder in (out / "dataset" / "data", out / "kept", out):
        for path in folder.glob("*.parquet"):
            found |= set(pq.read_table(path, columns=["id"])["id"].to_pylist())
        for path in folder.glob("*.arrow"):
            with pa.memory_map(str(path)) as source:
                found |= set(pa.ipc.open_stream(source).read_all()["id"].to_pylist())
        if found:
            return frozenset(found)
    raise SystemExit(f"{out} holds no document")


def comparison(runs: dict[Contestant, list[Ran]], quality: dict[Contestant, Quality]) -> Iterator[str]:
    """Yield the table of all, from the medians of their runs."""
    walls = {contestant: statistics.median(ran.usage.wall for ran in its) for contestant, its in runs.items()}
    own, unverified = list(walls.values())[:2]
    yield (
        f"| | settings | cores | wall, s | processor, s | times curate | times not verified | peak, MiB | kept | pairs >= {ALIKE} left "
        f"| removed | nothing kept >= {UNLIKE} |"
    )
    yield "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for contestant, its in runs.items():
        wall, found = walls[contestant], quality[contestant]
        share = "" if contestant.share == 1 else f" ({contestant.share:.0%} of the corpus)"
        facts = [
            contestant.name + share,
            contestant.settings,
            f"{contestant.cores}",
            f"{wall:.1f}",
            f"{statistics.median(ran.usage.cpu for ran in its):.1f}",
            f"{wall / own:.2f}",
            f"{wall / unverified:.2f}",
            f"{max(ran.peak_mib for ran in its):.0f}",
            f"{found.kept}",
            f"{found.left} of {found.pairs}",
            f"{found.removed}",
            f"{found.false}",
        ]
        yield f"| {' | '.join(facts)} |"


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="a folder made by corpus.py; made where it is absent (default: WORK/corpus)")
    parser.add_argument("--work", type=Path, default=Path("benchmark-work"), help="where environments and runs go")
    parser.add_argument("--repeat", type=int, default=1, help="rounds of all; medians are told")
    parser.add_argument("--peer-python", type=Path, action="append", default=[], help="the Python of an environment that has peers")
    parser.add_argument("--no-peer", action="store_true", help="measure ours alone")
    parser.add_argument("--share", type=float, default=0.05, help="share of the corpus that text-dedup and datatrove get")
    parser.add_argument("--only", nargs="+", help="names of peers to run; ours run always")
    asked = parser.parse_args()
    work = asked.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    texts = (asked.corpus or work / "corpus").resolve()
    if not (texts / "truth.jsonl").exists():
        corpus.build(texts, 224, 7)
    os.environ["HF_HOME"] = str(work / "hf")
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "jemalloc"  # as `curate` has it; to all alike
    inputs = Inputs(texts, work)
    running = contestants(None if asked.no_peer else asked.peer_python, work, asked.share)
    running = [each for each in running if not asked.only or each.name in asked.only or "curate" in each.name]
    print(f"{inputs.megabytes(1):.0f} MB of text in {len(inputs.files(1))} files, load {psutil.getloadavg()[0]:.1f} at the start\n")
    for contestant in running:
        if contestant.cores == 1:
            run(contestant, work, inputs.files(WARMING))
    runs: dict[Contestant, list[Ran]] = {contestant: [] for contestant in running}
    for _ in range(asked.repeat):
        for contestant, its in runs.items():
            its.append(run_whole(contestant, work, inputs))
    planted = {share: Planted.of(inputs.files(share), inputs.copies) for share in {each.share for each in running}}
    quality = {contestant: planted[contestant.share].quality(its[-1].kept) for contestant, its in runs.items()}
    print(*comparison(runs, quality), "", sep="\n")
    print(*stages(work / "out" / "curate-whole-run", inputs.megabytes(1), runs[running[2]][-1].usage.wall), sep="\n")


def _with_python(command: Any, python: Path) -> Command:
    return lambda out, files: command(python=python, out=out, files=files)


if __name__ == "__main__":
    main()

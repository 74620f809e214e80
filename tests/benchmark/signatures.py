"""MinHash signatures, 112 values of word 5-grams: ours beside those of peers and of a C++ twin, each on the same one core, in turn.

    python tests/benchmark/signatures.py [--texts FILE...] [--mb 224] [--peer-python PYTHON]... [--no-peer] [--repeat 3]

Prints Markdown: MB of text and documents a second, how many times faster ours is, and the peak memory of the process, its texts included.
What is timed is processor time of the signing alone: texts lie in memory in the form that the implementation takes (see
`signature_child.py`), kernels are compiled. Each is a process of its own; a round runs all of them, and the median of all repetitions is
told. Slow ones get the first few MB.

The twin (`minhash_twin.cpp`, compiled here where there is a g++) is what the processor could do: it reads words 64 bytes at a time. It
does less: ASCII case and nothing else of Unicode, and no hash of the whole text. Before anything is timed, its signatures are compared with
those of its own plain loop, and ours, of 10,000 documents, bit by bit with datasketch's of the same 32-bit shingle hashes.

Peers live in environments of their own: `--peer-python` names a Python, several times if need be, and a peer runs in the first that has it,
or is left out; where none is named, two environments are made below WORK with pip.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import child
import corpus
import environments
import numpy as np
import polars as pl
import psutil
import pyarrow as pa
import signature_child
from datasketch import MinHash

from curation.duplicates.minhash import PRESETS, signatures
from curation.duplicates.shingles import shingle
from curation.text.text import Text

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
COMPARED = 10_000
"""Documents whose signatures are compared bit by bit."""


@dataclass(frozen=True)
class Contestant:
    """An implementation: its function in `signature_child.py`, how it was set, its module (None: it runs here), the most MB it gets."""

    function: str
    named: str
    settings: str
    module: str | None = None
    most_mb: float = float("inf")


CURATE, TWIN = "curate", "twin"
CONTESTANTS = (
    Contestant(CURATE, "**curate**", "`curation.duplicates.minhash.signatures`, Arrow"),
    Contestant("curate_shingles", "curate, shingles alone", "`curation.duplicates.shingles.shingle`, Arrow"),
    Contestant(TWIN, "C++ twin", "`minhash_twin.cpp`, g++ -O3 -march=native"),
    Contestant("twin_shingles", "C++ twin, shingles alone", ""),
    Contestant("daft", "Daft", "normalize, minhash(112, 5, xxhash64), Arrow", "daft"),
    Contestant("gaoya", "gaoya", "14 x 8, word analyzer, inserting into its index", "gaoya"),
    Contestant("rensa", "rensa", "RMinHash, Python shingles", "rensa", 60),
    Contestant("datasketch", "datasketch", "update_batch, affine32, xxh32, Python shingles", "datasketch", 40),
    Contestant("text_dedup", "text-dedup", "embed_func, xxh3", "text_dedup", 20),
    Contestant("datatrove", "datatrove", "MinhashDedupSignature, its defaults", "datatrove", 3),
)


@dataclass(frozen=True)
class Measured:
    """Texts that one contestant signed, the processor seconds of every repetition, and the peak of its process in MiB."""

    documents: int
    megabytes: float
    seconds: tuple[float, ...]
    peak_mib: float

    @property
    def speed(self) -> float:
        """MB of text a second."""
        return self.megabytes / statistics.median(self.seconds)


def gather(files: Sequence[Path], megabytes: float, path: Path) -> Any:
    """Write the first texts of JSON Lines or Parquet files to an Arrow file of one batch, and return them as they lie in it."""
    columns = [pl.read_ndjson(file) if file.suffix == ".jsonl" else pl.read_parquet(file, columns=["text"]) for file in files]
    found = pl.concat([frame.select("text").drop_nulls() for frame in columns], rechunk=True)["text"].to_arrow().cast(pa.large_string())
    table = pa.table({"text": signature_child.first_megabytes(found, megabytes)}).combine_chunks()
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)
    return signature_child.read_texts(path)


def check_ours(texts: Any) -> str:
    """Compare our signatures bit by bit with datasketch's of the same shingle hashes. Raises SystemExit where one differs."""
    settings = PRESETS["14x8"]
    column = Text.from_arrow(texts.slice(0, COMPARED))
    ours, shingles = signatures(column, settings), shingle(column, settings.ngram)
    hashes = (shingles.hashes >> np.uint64(32)).tolist()
    model = MinHash(settings.permutations, hashfunc=int, seed=settings.seed, scheme=settings.scheme)
    for row, (start, end) in enumerate(pairwise(shingles.offsets)):
        theirs = MinHash(model.num_perm, hashfunc=int, seed=settings.seed, scheme=settings.scheme, permutations=model.permutations)
        theirs.update_batch(hashes[start:end])
        if not np.array_equal(ours[row], theirs.hashvalues):
            raise SystemExit(f"document {row}: our signature is not datasketch's")
    return f"{len(column)} of {len(column)} signatures are datasketch's, bit by bit, of the same {len(hashes)} shingle hashes."


def compile_twin(work: Path) -> Path | None:
    """Compile the twin; None, and said, where there is no g++ or the processor has no AVX2."""
    compiler, library = shutil.which("g++"), work / "minhash_twin.so"
    if compiler is None:
        print("there is no g++: the twin is left out", file=sys.stderr)
        return None
    command = [compiler, "-O3", "-march=native", "-shared", "-fPIC", HERE / "minhash_twin.cpp", "-o", library]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    if made.returncode:
        print(f"the twin is left out:\n{made.stderr}", file=sys.stderr)
        return None
    return library


def check_twin(texts: Any, library: Path) -> str:
    """Compare the twin's signatures with those of its plain loop, and its number of shingles with ours."""
    some = texts.slice(0, COMPARED // 5)
    ours = len(shingle(Text.from_arrow(some)).hashes)
    quick, plain = (signature_child.twin(some, str(library), function)() for function in ("sign_texts", "sign_plainly"))
    if not np.array_equal(quick, plain):
        raise SystemExit("the twin's signatures are not those of its plain loop")
    counted = signature_child.twin_shingles(some, str(library))()
    return f"The twin's {len(some)} signatures are those of its plain loop; it finds {counted} shingles there, curate {ours}."


def measure(contestant: Contestant, python: Path, texts: Path, most: float, options: Sequence[str]) -> Measured:
    """Run a contestant once, in a process on one core."""
    command = [python, HERE / "signature_child.py", contestant.function, texts, "--mb", str(min(most, contestant.most_mb)), *options]
    with child.pinned(1):
        usage = child.run(command, ROOT, texts.with_name(f"{contestant.function}.txt"))
    told = json.loads(usage.output.splitlines()[-1])
    return Measured(told["documents"], told["megabytes"], tuple(told["seconds"]), usage.driver_mib)


def joined(rounds: Sequence[Measured]) -> Measured:
    """Return the rounds of one contestant as one."""
    first = rounds[0]
    seconds = tuple(second for measured in rounds for second in measured.seconds)
    return Measured(first.documents, first.megabytes, seconds, max(measured.peak_mib for measured in rounds))


def pythons(given: Sequence[Path], work: Path, contestants: Sequence[Contestant]) -> dict[str, Path]:
    """Return function -> the Python it runs in; what no given one has is left out, and said."""
    found = {}
    for contestant in contestants:
        python: Path | None = Path(sys.executable)
        if contestant.module is not None:
            python = environments.of_peer(contestant.module, given, work)
        if python is None:
            print(f"no Python that was named has {contestant.module}: left out", file=sys.stderr)
        else:
            found[contestant.function] = python
    return found


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, nargs="+", help="JSON Lines or Parquet with a column `text` (default: WORK/corpus, made)")
    parser.add_argument("--mb", type=float, default=224, help="megabytes of text at most")
    parser.add_argument("--work", type=Path, default=Path("benchmark-work"), help="where environments, texts and logs go")
    parser.add_argument("--repeat", type=int, default=3, help="rounds of all; each repeats three times")
    parser.add_argument("--peer-python", type=Path, action="append", default=[], help="the Python of an environment that has peers")
    parser.add_argument("--no-peer", action="store_true", help="measure ours and the twin alone")
    parser.add_argument("--only", nargs="+", choices=[each.function for each in CONTESTANTS], help="measure these alone, and curate")
    asked = parser.parse_args()
    work = asked.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    if not asked.texts and not (work / "corpus" / "truth.jsonl").exists():
        corpus.build(work / "corpus", 224, 7)
    path = work / "texts.arrow"
    texts = gather(asked.texts or sorted((work / "corpus").glob("texts-*.jsonl")), asked.mb, path)
    library = compile_twin(work)
    running = [each for each in CONTESTANTS if not asked.only or each.function in (CURATE, *asked.only)]
    running = [each for each in running if library or not each.function.startswith(TWIN)]
    running = [each for each in running if not (asked.no_peer and each.module)]
    in_python = pythons(asked.peer_python, work, running)
    running = [each for each in running if each.function in in_python]
    megabytes = signature_child.megabytes_of(texts)
    print(f"{len(texts)} documents, {megabytes:.1f} MB of text, one core, load {psutil.getloadavg()[0]:.1f} at the start\n")
    print(check_ours(texts))
    print(*([check_twin(texts, library)] if library else []), "", sep="\n")
    rounds: dict[Contestant, list[Measured]] = {contestant: [] for contestant in running}
    for _ in range(asked.repeat):
        for contestant, measured in rounds.items():
            options = ["--library", str(library)] if contestant.function.startswith(TWIN) else []
            measured.append(measure(contestant, in_python[contestant.function], path, megabytes, options))
    own = joined(rounds[CONTESTANTS[0]]).speed
    print(
        "| implementation | settings | MB | MB/s | documents/s | curate is faster by | peak, MiB |",
        "|---|---|---:|---:|---:|---:|---:|",
        sep="\n",
    )
    for contestant, measured in rounds.items():
        whole = joined(measured)
        documents = whole.documents / whole.megabytes * whole.speed
        facts = f"{whole.megabytes:.0f} | {_rounded(whole.speed)} | {documents:.0f} | {own / whole.speed:.2f} | {whole.peak_mib:.0f}"
        print(f"| {contestant.named} | {contestant.settings} | {facts} |")


def _rounded(speed: float) -> str:
    """Return a number with three digits, or all it has before the point."""
    return f"{speed:.0f}" if speed >= 100 else f"{speed:.3g}"


if __name__ == "__main__":
    main()

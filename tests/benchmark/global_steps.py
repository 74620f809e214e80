"""The steps that see a whole corpus at once, over documents that are nothing but numbers: time and memory for each document.

    python tests/benchmark/global_steps.py [--documents 10000000 ...] [--work DIR]

Prints Markdown: for each number of documents and each step the processor time, the time for a million documents, the peak memory of its
process, and the bytes of its files. About 0.2 GB of disk for a million documents. The steps:

    numbers      every document gets its number, from the shards' rows
    components   edges between documents become components (`curation.duplicates.components`), one worker in this process
    books        ledger and dataset are counted and compared (`curation.ledger.books`)

A document is a function of its number: 3 of 10 have an edge to an earlier one, a third of these to one of a hundred documents that many
point at, and of the ledger's rows 7 of 10 are kept, 1 dropped and 2 duplicates of a kept one.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.duplicates.components import find_components, write_edges
from curation.duplicates.union_find import Edges
from curation.engine.runner import LocalRunner
from curation.engine.session import Session
from curation.engine.stage import Output, Stage, Unit, Workspace
from curation.ingest.ingest import Ingest
from curation.ledger.books import add_up
from curation.shuffle.numbering import numbered_groups
from curation.storage.location import Location
from curation.storage.records import encode_record
from curation.storage.shards import Shard

sys.path.insert(0, str(Path(__file__).parent))
from five_million import Numbers, drawn

PER_FILE = 250_000
HUBS = 100


@dataclass(frozen=True)
class Counted:
    """A shard of documents, of which only the rows count."""

    counted: Shard


@dataclass(frozen=True)
class MakeEdges(Stage):
    """Writes the edges of the documents in a range."""

    name: ClassVar[str] = "0-edges"

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        """Write the edges of three documents out of ten, each to an earlier document."""
        numbers = np.arange(unit.extra["low"], unit.extra["high"], dtype=np.uint64)
        right = numbers[(drawn(numbers, 1) % np.uint64(10) < 3) & (numbers > HUBS)]
        to_hub = drawn(right, 2) % np.uint64(3) == 0
        left = np.where(to_hub, drawn(right, 3) % np.uint64(HUBS), drawn(right, 4) % right)
        write_edges(output, unit.name, Edges(left.astype(np.int64), right.astype(np.int64), to_hub), ("left", "right"))
        return {}


def ranges_of(documents: int) -> list[tuple[int, int]]:
    """Return the ranges of documents that the files hold."""
    return [(low, min(low + PER_FILE, documents)) for low in range(0, documents, PER_FILE)]


def numbers(documents: int, folder: Path) -> None:
    """Number all documents."""
    shards = [
        Counted(Shard(f"part-{low:012d}", Location.of(str(folder / f"{low}")), high - low, 1, "")) for low, high in ranges_of(documents)
    ]
    groups = numbered_groups(shards)
    assert groups[-1].base + groups[-1].rows == documents


def components(documents: int, folder: Path) -> None:
    """Find the components of all edges; writing the edges counts too, and is a small part."""
    with Session.open(Location.of(str(folder / "components")), LocalRunner(), recipe="global") as session:
        units = [Unit(f"part-{low:012d}", extra={"low": low, "high": high}) for low, high in ranges_of(documents)]
        edges = session.run(MakeEdges(), units)
        find_components(session, edges.shards, documents, documents)


def write_books(documents: int, folder: Path) -> None:
    """Write a ledger, a dataset and ingest's sidecars that balance."""
    out = Location.of(str(folder / "books"))
    sidecars = Workspace(out).sidecars(Ingest)
    for path in (folder / "books/ledger", folder / "books/dataset/data", Path(sidecars.path)):
        path.mkdir(parents=True)
    for low, high in ranges_of(documents):
        own = np.arange(low, high, dtype=np.uint64)
        kind = drawn(own, 5) % np.uint64(10)
        first = np.uint64(low) + np.flatnonzero(kind < 7)[0].astype(np.uint64)
        ids = ids_of(own)
        fates = pa.array(np.array(["kept", "dropped", "duplicate"])[np.where(kind < 7, 0, np.where(kind < 8, 1, 2))])
        survivors = pa.array(np.where(kind >= 8, np.array(ids_of(np.array([first]))[0].as_py()), None), pa.string())
        nothing = pa.nulls(len(own), pa.string())
        file = pa.array([f"crawl/part-{low:012d}.warc.gz"]).take(pa.array(np.zeros(len(own), np.int32)))
        columns = {"id": ids, "file_path": file, "fate": fates, "duplicate_of": survivors, "duplicate_run": nothing, "evidence": nothing}
        pq.write_table(pa.table(columns), folder / f"books/ledger/part-{low:012d}.parquet")
        kept = ids.filter(pa.array(kind < 7))
        web = pa.array(["web"]).take(pa.array(np.zeros(len(kept), np.int32)))
        pq.write_table(pa.table({"id": kept, "origin": web}), folder / f"books/dataset/data/part-{low:012d}.parquet")
        facts = {"files": {f"crawl/part-{low:012d}.warc.gz": {"records": len(own), "ignored": {}}}}
        sidecar = {"key": "", "folder": "stages/1-ingest", "outputs": [], "counts": facts}
        (sidecars / f"part-{low:012d}.json").write_bytes(encode_record(sidecar))


def ids_of(own: Numbers) -> Any:
    """Return the ids of documents: text of 36 bytes, as long as a WARC record's."""
    return pa.array(np.char.add("urn:uuid:", np.char.zfill(own.astype(str), 27)))


def books(documents: int, folder: Path) -> None:
    """Count and compare everything that `write_books` wrote."""
    found = add_up(Location.of(str(folder / "books")), lambda run: ([], f"there is no run {run}"))
    found.require_balance()
    assert found.records == documents


STEPS: dict[str, Callable[[int, Path], None]] = {"numbers": numbers, "components": components, "write_books": write_books, "books": books}


def step_alone(step: str, documents: int, folder: Path) -> None:
    """Take one step in this process, and print seconds of processor time and MiB."""
    STEPS[step](1000, folder / "warm")  # libraries are loaded, kernels compiled
    before, began = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    STEPS[step](documents, folder)
    print(time.process_time() - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, began / 1024)


def size_of(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, nargs="+", default=[10_000_000])
    parser.add_argument("--work", type=Path, default=Path("global-steps"))
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.step:
        step_alone(asked.step, asked.documents[0], asked.work)
        return
    print("| documents | step | processor | a million documents | peak memory | at the start | files |\n|--:|---|--:|--:|--:|--:|--:|")
    for documents in asked.documents:
        for step in STEPS:
            if step != "books":  # it reads what the step before wrote
                shutil.rmtree(asked.work, ignore_errors=True)
                asked.work.mkdir(parents=True)
            command = [sys.executable, __file__, "--step", step, "--documents", str(documents), "--work", str(asked.work)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            seconds, peak, began = map(float, done.stdout.split()[-3:])
            if step != "write_books":
                size = size_of(asked.work / step) / 1e6
                each = seconds / documents * 1e6
                print(f"| {documents:,} | {step} | {seconds:.1f} s | {each:.2f} s | {peak:.0f} MiB | {began:.0f} MiB | {size:.0f} MB |")
            sys.stdout.flush()
    shutil.rmtree(asked.work)


if __name__ == "__main__":
    main()

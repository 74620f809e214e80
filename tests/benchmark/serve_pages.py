"""The pages of `curate serve` over a million documents: what each takes, the first time and afterwards.

    python tests/benchmark/serve_pages.py [--documents 1000000] [--copies 1] [--workers 1] [--work DIR]

Runs a small recipe with one filter and deduplication over short documents of eight sources, serves the run, and asks for every page three
times in turn: the first view of a server, and the better of two later ones. Prints Markdown: seconds by the clock until something is shown
and until the page is whole, processor seconds of the server, KB of the page, and the most memory the server had by then. A run in DIR is
used again. About 1 GB of disk for a million documents.

`--copies 10` serves a run of ten times as many documents without making it: its shards are there ten times, under other names and with
other ids. Keys and texts repeat in it.
"""

import argparse
import http.client
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import child
import five_million
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.storage.contents import CONTENTS, Contents, digest_at, read_contents
from curation.storage.digests import plain
from curation.storage.location import Location
from curation.storage.records import write_record

ROOT = Path(__file__).parent.parent.parent
SOURCES = 8
RECIPE = """[[filter]]
name = "gopher_quality"
min_words = 40
min_stop_words = 0

[deduplicate]
bands = 4
rows = 5
"""
PAGES = (
    ("overview", "/"),
    ("a signal", "/signals?signal=gopher_quality.words"),
    ("another signal", "/signals?signal=gopher_quality.mean_word_length"),
    ("a threshold", "/api/threshold?signal=gopher_quality.words&at=50"),
    ("a threshold, and its nearest", "/api/threshold?signal=gopher_quality.words&at=60&near=1"),
    ("lab", "/lab"),
    ("lab, judged again", "/lab?t.gopher_quality.too_few_words=60&t.gopher_quality.too_many_words=80"),
    ("documents", "/documents"),
    ("documents, page 100", "/documents?page=100"),
    ("documents of a source, kept", "/documents?source=s3&fate=kept"),
    ("documents by a signal", "/documents?signal=gopher_quality.mean_word_length&sort=down"),
    ("documents by a signal's range", "/documents?signal=gopher_quality.words&low=60&high=62"),
    ("search of texts", "/documents?q=ba"),
    ("search of texts, in vain", "/documents?q=not+there"),
    ("the same by a signal", "/documents?q=not+there&signal=gopher_quality.words&sort=up"),
    ("search by a regular expression", "/documents?q=/z%5Baeiou%5Dn.b/"),
    ("search of ids", "/documents?q=d99999&in=id"),
    ("a document", "/document?id=d765"),
    ("a document beside its record", "/document?id=d765&view=record"),
    ("duplicates", "/duplicates"),
    ("generated rows", "/synthetic"),
    ("label", "/label"),
)


def run_of(work: Path, documents: int, workers: int) -> Path:
    """Return the run over so many documents, made unless it is there."""
    folder = work / f"run-{documents}"
    if (folder / "out" / "report.html").exists():
        return folder / "out"
    folder.mkdir(parents=True, exist_ok=True)
    inputs = []
    for number in range(SOURCES):
        numbers = np.arange(number, documents, SOURCES, dtype=np.uint64)
        names = numbers.tolist()
        schema = pa.schema([(name, pa.string()) for name in ("id", "url", "text")])
        with pq.ParquetWriter(folder / f"s{number}.parquet", schema, compression="zstd") as writer:
            for begin in range(0, len(names), five_million.PER_ROW_GROUP):
                some = slice(begin, begin + five_million.PER_ROW_GROUP)
                ids = [f"d{name}" for name in names[some]]
                urls = [f"https://s{number}.example/{name}" for name in names[some]]
                writer.write_table(pa.table({"id": ids, "url": urls, "text": five_million.texts_of(numbers[some])}))
        inputs.append(f'\n[[input]]\npath = "s{number}.parquet"\nsource = "s{number}"\n')
    (folder / "own.toml").write_text(RECIPE + "".join(inputs))
    curate = [sys.executable, "-m", "pipelines.cli", "run", folder / "own.toml", "--out", folder / "out", "--workers", str(workers)]
    usage = child.run(curate, ROOT, folder / "printed.txt")
    print(f"the run took {usage.wall:.0f} s, {usage.cpu:.0f} s of processor time\n", flush=True)
    return folder / "out"


def copied(out: Path, copies: int) -> Path:
    """Return a run whose shards of documents, signals and fates are there so many times."""
    folder, place = out.parent / f"out-{copies}-times", Location.of(str(out))
    if folder.exists():
        return folder
    contents = read_contents(place)
    if contents is None:
        raise SystemExit(f"{out} has not ended")
    files = {}
    for path, facts in contents.files.items():
        where, _, name = path.rpartition("/")
        is_shard = where in ("ledger", "stages/1-ingest", "stages/2-measure") and name.endswith(".parquet")
        if is_shard or not where:
            (folder / where).mkdir(parents=True, exist_ok=True)
            for path_of_copy in [path, *(f"{where}/{number}-{name}" for number in range(1, copies) if is_shard)]:
                if path_of_copy == path or where != "ledger":
                    shutil.copyfile(out / path, folder / path_of_copy)
                else:
                    _rename(out / path, folder / path_of_copy, path_of_copy.partition("-")[0].removeprefix("ledger/"))
                files[path_of_copy] = digest_at(Location.of(str(folder / path_of_copy))) or facts
    shutil.copyfile(out / "run.json", folder / "run.json")
    write_record(Location.of(str(folder)) / CONTENTS, plain(Contents(files, {}, contents.live)))
    return folder


def _rename(ledger: Path, copy: Path, number: str) -> None:
    """Write a ledger whose documents have other ids."""
    with pq.ParquetFile(ledger) as file:
        table, said = file.read(), file.metadata.metadata
    for name in ("id", "duplicate_of"):
        place, field = table.schema.get_field_index(name), table.schema.field(name)
        table = table.set_column(place, field, pc.binary_join_element_wise(table[name], f"-{number}", "").cast(field.type))
    pq.write_table(table.replace_schema_metadata({b"curation.keys_sha256": said[b"curation.keys_sha256"]}), copy, compression="zstd")


@contextmanager
def served(out: Path, work: Path) -> Iterator[tuple[psutil.Process, int, str]]:
    """Serve a run; yield the server's process, its port and the cookie."""
    labels = work / "labels.parquet"
    labels.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pipelines.cli", "serve", out, "--port", "0", "--labels", labels]
    server = psutil.Popen([str(part) for part in command], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        said = re.search(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)", server.stderr.readline())
        if said is None:
            raise SystemExit(server.stderr.read())
        yield server, int(said[1]), f"curate-{said[1]}={said[2]}"
    finally:
        server.terminate()
        server.communicate(timeout=30)


GOES_ON = b'id="under-way"'
"""What a page of a search that has not ended holds."""


def asked(server: psutil.Process, port: int, cookie: str, address: str) -> tuple[float, float, float, int]:
    """Ask for a page as its script does, and for a search that stopped as its reader does, until it has ended.

    Return seconds to the first answer and to the page, processor seconds, and bytes of the page.
    """
    began, before = time.perf_counter(), sum(server.cpu_times()[:2])
    content = _content(port, cookie, address)
    painted = time.perf_counter() - began
    while (is_frame := b"<div data-waiting>" in content) or GOES_ON in content:
        if is_frame:
            _content(port, cookie, address, waits="1")
        content = _content(port, cookie, address)
    return painted, time.perf_counter() - began, sum(server.cpu_times()[:2]) - before, len(content)


def _content(port: int, cookie: str, address: str, waits: str | None = None) -> bytes:
    """Return what an address answers. Raises SystemExit where it is refused."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("GET", address, headers={"Cookie": cookie, **({"Curate-Waits": waits} if waits else {})})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status not in (200, 204):
        raise SystemExit(f"{address}: {answer.status}\n{content.decode()[-2000:]}")
    return content


def table(out: Path, work: Path) -> Iterator[str]:
    """Yield the lines of the table of pages."""
    yield "| page | first paint, s | first, s | processor s | later, s | processor s | KB | memory, MiB |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    with served(out, work) as (server, port, cookie):
        for name, address in PAGES:
            first, *others = (asked(server, port, cookie, address) for _ in range(3))
            later = min(others, key=lambda one: one[1])
            seconds = " | ".join(f"{part:.2f}" for part in (*first[:3], *later[1:3]))
            yield f"| {name} | {seconds} | {first[3] / 1e3:.0f} | {child.peak_mib(server):.0f} |"


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--copies", type=int, default=1, help="how many times the run's shards are served")
    parser.add_argument("--workers", type=int, default=1, help="of the run that is served")
    parser.add_argument("--work", type=Path, default=Path("benchmark-work"), help="where the run is written, and stays")
    given = parser.parse_args()
    work = given.work.resolve()
    out = run_of(work, given.documents, given.workers)
    out = copied(out, given.copies) if given.copies > 1 else out
    print(f"load {psutil.getloadavg()[0]:.1f} at the start\n")
    for line in table(out, work):
        print(line, flush=True)


if __name__ == "__main__":
    main()

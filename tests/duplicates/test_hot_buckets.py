"""Hot buckets: pages that a crawl has by the hundred thousand cost no more than as many others.

Three kinds, each in one bucket: identical pages; near-identical ones, which differ in two of 200 words; and pages that share a frame of
160 words around 40 of their own, too little to be duplicates, so that all are kept and every one meets all the others.

What is counted decides, not seconds: the comparisons made, and those left out because a bucket had `compared` better ones. The whole runs
a quarter, a half and all of 200,000 identical and 50,000 of each other kind, and looks at the workers' memory; the part that runs by
default does a fortieth of that.
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

import curation.duplicates.compare
from tests.deduplicating import cut, document, run
from tests.running import curate, stages

FRAME = [f"frame{place}word" for place in range(200)]
BANDS, MOST = 14, 8
FEW, MANY = 1250, 50_000


@dataclass(frozen=True)
class Cost:
    """What deduplication of one kind of pages took: counts over all units, and the largest worker in MiB."""

    pages: int
    kept: int
    edges: int
    shingled: int
    compared: int
    skipped: int
    seconds: float
    worker_mib: float


def identical(pages: int) -> Iterator[str]:
    for _ in range(4 * pages):
        yield " ".join(FRAME)


def near_identical(pages: int) -> Iterator[str]:
    chance = random.Random(1)
    for place in range(pages):
        own = FRAME.copy()
        for changed in chance.sample(range(len(own)), 2):
            own[changed] = f"own{place}x{changed}"
        yield " ".join(own)


def framed(pages: int) -> Iterator[str]:
    for place in range(pages):
        yield " ".join([*FRAME[:160], *(f"own{place}x{word}" for word in range(40))])


KINDS = {"identical": identical, "near-identical": near_identical, "framed": framed}


def in_process(folder: Path, texts: list[str]) -> Path:
    """Deduplicate by the stages alone, and return their folder."""
    rows = [document(f"page{place}", text) for place, text in enumerate(texts)]
    run(folder, cut(rows, 3))
    return folder / "out"


def as_a_user(folder: Path, texts: list[str]) -> Path:
    """Deduplicate by the command line, with two worker processes, and return the run's folder."""
    folder.mkdir()
    lines = [json.dumps({"id": f"page{place}", "text": text}) for place, text in enumerate(texts)]
    for place in range(4):
        (folder / f"part-{place}.jsonl").write_text("\n".join(lines[place::4]))
    curate("run", "dedup", *sorted(folder.glob("*.jsonl")), "--out", folder / "out", "--workers", 2)
    return folder / "out"


def cost(out: Path, pages: int) -> Cost:
    """Add up what a run's stages counted."""
    counts: Counter[str] = Counter()
    for path in out.glob("stages/4*/[!_]*.json"):
        counts.update({f"{path.parent.name} {name}": count for name, count in json.loads(path.read_text())["counts"].items()})
    assert counts["4a-sign documents"] == pages
    steps = [stage for name, stage in stages(out).items() if name.startswith("4")]
    return Cost(
        pages=pages,
        kept=pages - counts["4-deduplicate duplicates"],
        edges=counts["4b-buckets edges"] + counts["4c-candidates edges"],
        shingled=counts["4e-gather shingled"],
        compared=counts["4f-compare compared"],
        skipped=counts["4f-compare skipped"],
        seconds=round(sum(stage["worker_seconds"] for stage in steps), 2),
        worker_mib=max(stage["peak_worker_mib"] for stage in steps),
    )


def costs(folder: Path, kind: str, pages: int, ran: Callable[[Path, list[str]], Path]) -> list[Cost]:
    """Return what a quarter, a half and all of the pages cost; print them for whoever looks."""
    found = []
    for part in (4, 2, 1):
        texts = list(KINDS[kind](pages // part))
        found.append(cost(ran(folder / str(part), texts), len(texts)))
    print(kind, *found, sep="\n  ")
    return found


def check_identical(found: list[Cost]) -> None:
    for each in found:
        assert (each.kept, each.edges, each.shingled, each.compared, each.skipped) == (1, each.pages - 1, 0, 0, 0)


def check_near_identical(found: list[Cost]) -> None:
    """A page is compared with the first that stayed, or with the few others that stayed because they missed it.

    Of fifty thousand pages one shares no band with any other.
    """
    for each in found:
        assert each.kept <= 20
        assert each.pages - 2 <= each.shingled <= each.pages
        assert each.pages - each.kept <= each.compared <= 1.1 * each.pages
        assert each.edges <= BANDS * each.pages


def check_framed(found: list[Cost]) -> None:
    """Each page is compared with at most `compared` others of each bucket; the rest is counted, and grows with the square."""
    for each in found:
        assert each.kept == each.pages
        assert each.edges <= BANDS * each.pages
        assert each.compared <= BANDS * MOST * each.pages
        assert each.skipped > each.compared
    for fewer, more in pairwise(found):
        assert more.compared <= 2.2 * fewer.compared
        assert more.skipped > 3 * fewer.skipped


CHECKS = {"identical": check_identical, "near-identical": check_near_identical, "framed": check_framed}


@pytest.mark.parametrize("kind", KINDS)
def test_a_hot_bucket_costs_no_more_than_its_pages(tmp_path, kind):
    CHECKS[kind](costs(tmp_path, kind, FEW, in_process))


def test_ranges_are_cut_by_what_rows_take_in_memory(tmp_path, monkeypatch):
    """Near copies compress to a fraction of their size: by the size of their file, a range of them would have no bound."""
    monkeypatch.setattr(curation.duplicates.compare, "COMPARED_RANGE_BYTES", 50_000)
    made = in_process(tmp_path, list(near_identical(FEW))) / "stages"
    (sidecar,) = (json.loads(path.read_text()) for path in (made / "4e-gather").glob("[!_]*.json"))
    files, rows = sum(size for _, _, size, _ in sidecar["outputs"]), sidecar["counts"]["bytes"]
    assert files < rows / 2
    assert len(list((made / "4f-compare").glob("[!_]*.json"))) == -(-rows // 50_000)


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS)
def test_a_bucket_of_many_thousands(tmp_path, kind):
    """What hangs together is judged in one unit, so a page of 2.5 KB costs some memory there, but no more than a few KB."""
    found = costs(tmp_path, kind, MANY, as_a_user)
    CHECKS[kind](found)
    fewer, *_, more = found
    assert more.worker_mib - fewer.worker_mib <= 4 * (more.pages - fewer.pages) / 1024 + 32

"""`curation.in_memory.near_duplicates` and `curate run dedup` decide the same of the same files: every fate, reason, similarity and
survivor.

Texts are such that the order of survivors matters: many are equally long, exact copies and whole records occur again, dates differ, are
equal or missing, and chains make what stays depend on who was looked at first. Records of one key (id, URL and text) are one record that
stands there twice: one of them stays, and which is not told apart.
"""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import InputError
from curation.in_memory.near_duplicates import find_duplicates
from curation.in_memory.record_ranks import jsonl_ranks, parquet_ranks
from curation.in_memory.text_batches import jsonl_texts, parquet_texts
from pipelines.pipeline import RunRequest, run_recipe

SEED = 20261128
WORDS = [f"w{number:03d}x" for number in range(900)]  # of one length: changing a word leaves a text as long as it was


def corpus(documents: int) -> list[dict[str, Any]]:
    """Return rows of a crawl: pages, copies of pages with words changed, the same page again, the same record again."""
    chance = random.Random(SEED)
    rows: list[dict[str, Any]] = []
    pages: list[list[str]] = []
    while len(rows) < documents:
        drawn = chance.random()
        if not pages or drawn < 0.45:
            words = chance.choices(WORDS, k=chance.randint(20, 80))
        elif drawn < 0.97:
            words = list(chance.choice(pages[-400:]))
            for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
                words[chance.randrange(len(words))] = chance.choice(WORDS)
        else:
            rows.append(dict(chance.choice(rows[-400:])))
            continue
        pages.append(words)
        date = chance.choice((None, "2024-05-01T00:00:00Z", "2024-05-02T00:00:00Z"))
        rows.append({"id": f"d{len(rows)}", "text": " ".join(words), "url": f"https://{len(rows) % 7}.example/{len(rows)}", "date": date})
    return rows


def written(folder: Path, rows: list[dict[str, Any]], ending: str) -> list[Path]:
    """Deal rows to three files."""
    paths = []
    for place in range(3):
        own = rows[place::3]
        paths.append(folder / f"part-{place}.{ending}")
        if ending == "parquet":
            pq.write_table(pa.Table.from_pylist(own), paths[-1], row_group_size=1000)
        else:
            paths[-1].write_text("".join(f"{json.dumps(row)}\n" for row in own), "utf-8")
    return paths


def by_run(folder: Path, paths: list[Path]) -> list[tuple[Any, ...]]:
    """Return what a run decided of each record, by id."""
    run_recipe(RunRequest("dedup", tuple(map(str, paths)), str(folder / "out")))
    ledger = pl.read_parquet(folder / "out" / "ledger" / "*.parquet")
    told = ledger.select("id", "rule", "duplicate_of", "similarity").rows()
    return sorted(((_plain(own), rule, _plain(of), similarity) for own, rule, of, similarity in told), key=str)


def _plain(own_id: str | None) -> str | None:
    """Return an id without what a run adds where several records have it."""
    return None if own_id is None else own_id.partition("~")[0]


def by_call(paths: list[Path], texts: Any, ranks: Any) -> list[tuple[Any, ...]]:
    """Return what one process decides of each text, by id."""
    found = find_duplicates(texts, ranks=ranks)
    ids = [row["id"] for path in paths for row in (pl.read_parquet if path.suffix == ".parquet" else pl.read_ndjson)(path).to_dicts()]
    told = found.table(ids).to_pylist()
    return sorted(((row["id"], row["rule"], row["duplicate_of"], row["similarity"]) for row in told), key=str)


def check(folder: Path, documents: int, ending: str) -> None:
    """Compare both; and see that the order of survivors mattered, so that the comparison can fail."""
    paths = written(folder, corpus(documents), ending)
    texts, ranks = (parquet_texts, parquet_ranks) if ending == "parquet" else (jsonl_texts, jsonl_ranks)
    piped = by_run(folder, paths)
    called = by_call(paths, texts(paths), ranks(paths))
    differing = [(one, other) for one, other in zip(piped, called, strict=True) if one != other]
    assert not differing, f"{len(differing)} of {len(piped)}, such as {differing[:3]}"
    rules = [rule for _, rule, _, _ in piped]
    assert min(rules.count(rule) for rule in (None, "exact", "near_duplicate", "same_record")) > documents // 200
    without = by_call(paths, texts(paths), None)
    kept, first_come = (Counter(row[0] for row in rows if row[1] is None) for rows in (piped, without))
    assert (kept - first_come).total() > documents // 50, "ties were too few to tell"
    print(f"{documents} documents: {kept.total()} kept by both, {first_come.total()} where the first of equally long ones stays")


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_a_run_and_one_process_decide_the_same(tmp_path: Path, ending: str) -> None:
    check(tmp_path, 2000, ending)


@pytest.mark.full
def test_they_do_so_of_a_hundred_thousand_documents(tmp_path: Path) -> None:
    check(tmp_path, 120_000, "parquet")


def test_a_row_that_is_no_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one two three"}\n{"text": "one two three", "id": {}}\n{"id": 4}\n')
    with pytest.raises(InputError, match=r"a\.jsonl, line 2 of the texts is not a record"):
        jsonl_ranks([path])(pl.Series([0, 2]).to_numpy())

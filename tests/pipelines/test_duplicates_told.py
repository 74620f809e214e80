"""What the command line tells of deduplication: the plan, what was compared, and the alarm of a source that loses much."""

import json
import re
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.duplicates.candidates import BUCKETS_PER_UNIT
from curation.duplicates.deduplicate import DeduplicateSettings
from curation.duplicates.gather import GatherShingles
from curation.engine.stage import Workspace, finished_units
from curation.shuffle.merging import levels_for
from curation.shuffle.numbering import GROUP_ROWS
from curation.storage.location import Location
from pipelines.plan import duplicates_plan
from pipelines.plan.duplicates_plan import Expected, plan_duplicates
from tests.deduplicating import words
from tests.running import curate


def texts(folder: Path, name: str, count: int, first: int) -> str:
    rows = [{"id": f"{name}{place}", "text": " ".join(words(60, 1000 * (first + place)))} for place in range(count)]
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f'[[input]]\npath = "{folder / name}.jsonl"\nsource = "{name}"\n'


def test_a_source_that_loses_much_is_told_and_an_ordered_source_wins(tmp_path: Path) -> None:
    inputs = texts(tmp_path, "own", 30, 0) + texts(tmp_path, "mirror", 24, 0) + texts(tmp_path, "other", 30, 500)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f'{inputs}\n[deduplicate]\npreset = "20x13"\nsources = ["own"]\nalarm_documents = 20\n')
    told = curate("run", recipe, "--out", tmp_path / "out")
    assert "Alarm: source mirror lost 24 of 24 documents (100%) as duplicates, more than 50%." in told
    assert "source own lost" not in told
    funnel = json.loads(curate("inspect", tmp_path / "out", "--json"))
    assert [(alarm["source"], alarm["share"]) for alarm in funnel["alarms"]] == [("mirror", 1.0)]
    assert "**Alarm:** source mirror lost 24 of 24 documents (100%)" in (tmp_path / "out/dataset/README.md").read_text()
    assert "source mirror lost 24 of 24 documents (100%)" in (tmp_path / "out/report.html").read_text()
    assert funnel["comparisons"] == {"documents": 48, "compared": 0, "skipped": 0}
    assert funnel["generated_comparisons"] is None
    recipe.write_text(recipe.read_text().replace("alarm_documents = 20", "alarm_share = 1.0"))
    assert "Alarm" not in curate("run", recipe, "--out", tmp_path / "out")
    assert all("Alarm:" not in (tmp_path / "out" / name).read_text() for name in ("dataset/README.md", "report.html"))


def test_what_is_dropped_for_repeated_lines_was_compared_too(tmp_path: Path) -> None:
    own, mirror = texts(tmp_path, "own", 11, 0), texts(tmp_path, "mirror", 11, 0)
    heads, tails = ([" ".join(words(60, 1000 * (first + place))) for place in range(13)] for first in (50, 70))
    for name, turned in (("own", 0), ("mirror", 1)):
        rows = [{"id": f"{name}-of-lines{place}", "text": f"{heads[place]}\n{tails[place - turned]}"} for place in range(13)]
        with (tmp_path / f"{name}.jsonl").open("a") as file:
            file.write("".join(json.dumps(row) + "\n" for row in rows))
    recipe, out = tmp_path / "recipe.toml", tmp_path / "out"
    recipe.write_text(f'{own}{mirror}[deduplicate]\nsources = ["own"]\nalarm_documents = 20\nalarm_share = 0.4\n[repeated_lines]\n')
    told = curate("run", recipe, "--out", out)
    ledger = pl.read_parquet(out / "ledger/*.parquet").filter(source="mirror")
    dropped = ledger.filter(stage="repeated_lines").height
    assert (ledger.height, ledger.filter(fate="duplicate").height) == (24, 11)
    assert dropped
    assert "Alarm: source mirror lost 11 of 24 documents (46%) as duplicates, more than 40%." in told
    between = (11 / 24 + 11 / (24 - dropped)) / 2
    recipe.write_text(recipe.read_text().replace("alarm_share = 0.4", f"alarm_share = {between}"))
    assert "Alarm" not in curate("run", recipe, "--out", out)


def test_bands_that_were_chosen_and_sources_that_nothing_has_are_told(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f"{texts(tmp_path, 'own', 3, 0)}\n[deduplicate]\npermutations = 128\nsources = ['onw', 'own']\n")
    told = curate("run", recipe, "--out", tmp_path / "out")
    assert "Settings of the comparison: 5 words per shingle, 11 bands of 11 rows, duplicates from 0.75." in told
    assert "The recipe prefers sources that have no document: onw." in told
    funnel = json.loads(curate("inspect", tmp_path / "out", "--json"))
    assert funnel["compared_by"] == {"shingles": "5 words", "bands": 11, "rows": 11, "threshold": 0.75}
    assert funnel["unknown_sources"] == ["onw"]


def crowd(folder: Path) -> Path:
    """Write 20 texts that share a frame and their first line."""
    frame = " ".join(words(280, 0))
    rows = [{"id": f"d{place}", "text": f"The first line of each.\n{frame} {' '.join(words(5, 1000 * place))}"} for place in range(1, 21)]
    (folder / "crowd.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "crowd.jsonl"


def test_the_report_tells_cuts_and_comparisons_in_the_terminal_s_words(tmp_path: Path) -> None:
    recipe, out = tmp_path / "recipe.toml", tmp_path / "out"
    recipe.write_text("[deduplicate]\nthreshold = 0.99\ncompared = 2\n\n[repeated_lines]\n")
    told = curate("run", recipe, crowd(tmp_path), "--out", out)
    funnel = json.loads(curate("inspect", out, "--json"))
    found = funnel["comparisons"]
    assert found["documents"] == 20
    assert found["skipped"] > 0
    passed_over = f"{found['skipped']:,} more pairs in crowded buckets were skipped"
    for line in (
        "Cut from kept documents: 19 repeated lines or paragraphs, 456 B, in 19 documents.",
        f"20 documents had a candidate, and {found['compared']} pairs were compared; {passed_over}.",
        "Settings of the comparison: 5 words per shingle, 14 bands of 8 rows, duplicates from 0.99.",
    ):
        assert line in told.splitlines()
        assert f'<p class="note">{line}</p>' in (out / "report.html").read_text("utf-8")
    recipe.write_text("")
    curate("run", recipe, tmp_path / "crowd.jsonl", "--out", out)
    assert not [line for line in ("Cut from", "had a candidate", "Compared by") if line in (out / "report.html").read_text("utf-8")]


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_columns_of_other_names_are_deduplicated(tmp_path: Path, ending: str) -> None:
    rows = [{"name": f"d{place}", "body": " ".join(words(60, 1000 * (place % 5)))} for place in range(7)]
    if ending == "jsonl":
        (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    (tmp_path / "recipe.toml").write_text("[[input]]\ntext = 'body'\nid = 'name'\n\n[deduplicate]\n")
    curate("run", tmp_path / "recipe.toml", tmp_path / f"a.{ending}", "--out", tmp_path / "out")
    ledger = pl.read_parquet(tmp_path / "out/ledger/*.parquet")
    dropped = {name: (of, similarity) for name, of, similarity in ledger.select("id", "duplicate_of", "similarity").iter_rows() if of}
    assert ledger["id"].sort().to_list() == [f"d{place}" for place in range(7)]
    assert len(dropped) == 2
    assert {frozenset((name, of)) for name, (of, _) in dropped.items()} == {frozenset(("d0", "d5")), frozenset(("d1", "d6"))}
    assert all(similarity == 1.0 for _, similarity in dropped.values())


def test_plan_tells_the_curve_and_the_bytes(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f"{texts(tmp_path, 'own', 30, 0)}\n[deduplicate]\npermutations = 128\nthreshold = 0.7\n")
    plan = json.loads(curate("plan", recipe, "--json"))["duplicates"]
    chosen = DeduplicateSettings(permutations=128, threshold=0.7).minhash
    assert (plan["bands"], plan["rows"]) == (chosen.bands, chosen.rows)
    assert [each["similarity"] for each in plan["meetings"]] == [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0]
    assert plan["meetings"][4]["candidates"] == pytest.approx(1 - (1 - 0.7**chosen.rows) ** chosen.bands, abs=1e-4)
    assert plan["meetings"][-1]["candidates"] == 1.0
    printed = curate("plan", recipe)
    assert f"{chosen.bands} bands of {chosen.rows}" in printed


def test_plan_tells_what_comparison_takes(tmp_path: Path) -> None:
    recipe, out, given = tmp_path / "recipe.toml", tmp_path / "out", crowd(tmp_path)
    with given.open("a") as file:
        file.write("".join(json.dumps({"id": f"alone{place}", "text": " ".join(words(60, 90000 * place))}) + "\n" for place in range(1, 9)))
    recipe.write_text("[deduplicate]\n")
    plan = json.loads(curate("plan", recipe, given, "--json"))["duplicates"]
    curate("run", recipe, given, "--out", out)
    counts = [unit.counts for unit in finished_units(Workspace(Location.of(out)), GatherShingles)]
    assert plan["comparison_bytes"] == sum(count["bytes"] for count in counts) > 20 * 280 * 8
    gathered = plan["comparison_bytes"] / sum(count["documents"] for count in counts)  # a document
    alone = len(" ".join(words(60, 90000))) * 8 / 6 + 14 * 8 + 150
    assert plan["full_comparison_bytes"] == pytest.approx(20 * gathered + 8 * alone, rel=0.1)
    assert plan["worker_bytes"] == max(28 * 600, 2 * plan["comparison_bytes"])
    assert plan["driver_bytes"] == (3 << 20) + 28 * 17
    printed = curate("plan", recipe, given)
    assert re.search(r"disk +comparison, with the sample.s share of candidates +[\d.]+ KiB", printed)
    assert re.search(r"memory +a worker with its largest unit +[\d.]+ KiB", printed)


def test_memory_of_a_worker_and_of_the_driver_has_a_bound() -> None:
    sample = Expected(1000, 3_000_000, 1_000_000)
    some, many = (plan_duplicates(DeduplicateSettings(), sample.times(scale)) for scale in (10**6, 10**8))
    assert many.worker_bytes == some.worker_bytes <= 256 << 20
    assert many.driver_bytes == some.driver_bytes <= 600 << 20
    for name in ("comparison_bytes", "full_comparison_bytes"):
        assert getattr(many, name) == 100 * getattr(some, name) > 0


def test_the_arithmetic_on_paper_is_that_of_the_code() -> None:
    about = duplicates_plan.__doc__ or ""
    for documents, disk in ((10**9, "0.48 TB"), (10**11, "48 TB")):
        plan = plan_duplicates(DeduplicateSettings(), Expected(documents))
        assert f"{plan.signature_bytes / 1e12:.2g} TB" == disk
        assert f"{plan.bucket_bytes / 1e12:.2g} TB" in about
        assert f"{-(-documents // GROUP_ROWS):,}" in about
        assert f"{-(-documents * 16 // BUCKETS_PER_UNIT):,} units" in about
        assert f"{documents * 3000 / 170e6 / 3600:.0f} core hours" in about
        levels = levels_for(-(-documents // GROUP_ROWS))
        assert f"{levels} level" in about
        hours = documents * 16 * levels * 290e-9 / 3600
        assert f"{hours:.1f} core hours" in about or f"{hours:.0f} core hours" in about

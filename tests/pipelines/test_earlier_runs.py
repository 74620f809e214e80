"""Deduplication against earlier runs, through the command line: what wins, what is told, what is refused, and that places do not matter."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from curation.duplicates.deduplicate import DeduplicateSettings
from curation.duplicates.minhash import MinHashSettings, bucket_hashes, sign
from curation.duplicates.shingles import distinct, shingle
from curation.errors import InputError
from curation.ledger.books import add_up
from curation.storage.location import Location
from curation.text.text import Text
from pipelines.inspect.earlier_runs import find_earlier, ledger_of, open_earlier, run_name
from pipelines.recipes.recipe import load
from tests.engine.test_faults import kill_in
from tests.object_store import object_store
from tests.running import SMALL_RECIPE, curate, made, many_files, rerecorded, shards

SETTINGS = MinHashSettings()
THRESHOLD = 0.75


def recipe(folder: Path, *earlier: Path | str, name: str = "recipe", settings: str = "") -> Path:
    """Write a recipe that deduplicates against some runs."""
    path = folder / f"{name}.toml"
    against = json.dumps([str(run) for run in earlier])
    path.write_text(SMALL_RECIPE.replace("[deduplicate]", f"[deduplicate]\nagainst = {against}\n{settings}"))
    return path


def run(folder: Path, chosen: Path, inputs: str, out: str, *options: object, code: int = 0) -> str:
    return curate("run", chosen, folder / inputs / "*.jsonl", "--out", folder / out, *options, code=code)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three parts of a corpus; `first` and `second`, runs on two of them, and `whole`, a run on the third against the first."""
    folder = tmp_path_factory.mktemp("earlier")
    for seed, part in enumerate(("one", "two", "input")):
        many_files(folder / part, files=5, rows=40, seed=seed + 1)
    run(folder, recipe(folder, name="plain"), "one", "first")
    run(folder, folder / "plain.toml", "two", "second")
    run(folder, recipe(folder, folder / "first"), "input", "whole")
    return folder


def ledger(out: Path, origin: str = "") -> pl.DataFrame:
    return pl.read_parquet(out / "ledger" / origin / "*.parquet")


def dataset(out: Path) -> pl.DataFrame:
    return pl.read_parquet(out / "dataset/data/*.parquet", columns=["id", "text", "origin"])


def texts(out: Path) -> dict[str, str]:
    """Return the text of every web document by id; this corpus uses no id twice."""
    found = pl.read_parquet(out / "stages/1-ingest/*[0-9].parquet", columns=["id", "text"])
    return dict(found.iter_rows())


def similar_candidates(rows: list[str], others: list[str]) -> list[tuple[int, int]]:
    """Return the pairs that share a bucket and whose shingles pass the threshold, by comparing all with all."""
    columns = [Text.from_strings(each) for each in (rows, others)]
    buckets = [bucket_hashes(sign(column, SETTINGS).signatures, SETTINGS) for column in columns]
    sets = []
    for column in columns:
        found = distinct(shingle(column, SETTINGS.ngram, SETTINGS.characters))
        sets.append([set(found.hashes[a:b].tolist()) for a, b in zip(found.offsets, found.offsets[1:], strict=False)])
    pairs = []
    for one, mine in enumerate(sets[0]):
        for other in np.flatnonzero((buckets[0][:, one, None] == buckets[1]).any(axis=0)):
            if len(mine & sets[1][other]) >= THRESHOLD * len(mine | sets[1][other]):
                pairs.append((one, int(other)))
    return pairs


def told(verb: str, *arguments: object, env: dict[str, str] | None = None, code: int = 0) -> Any:
    return json.loads(curate(verb, *arguments, "--json", env=env, code=code))


def test_what_an_earlier_run_kept_wins_and_is_not_repeated(world: Path) -> None:
    rows, first = ledger(world / "whole"), ledger(world / "first")
    name = run_name(Location.of(world / "first"))
    copies = rows.filter(pl.col("duplicate_run").is_not_null())
    assert set(copies["duplicate_run"]) == {name}
    assert copies.height >= 20
    assert set(copies["duplicate_of"]) <= set(first.filter(pl.col("fate") == "kept")["id"])
    mine, theirs = texts(world / "whole"), texts(world / "first")
    near = copies.filter(pl.col("rule") == "near_duplicate")
    assert near["similarity"].min() >= THRESHOLD
    for own_id, kept in near.select("id", "duplicate_of").iter_rows():
        assert similar_candidates([mine[own_id]], [theirs[kept]])
    assert set(rows["file_path"]) == {path.name for path in (world / "input").iterdir()}
    verified = told("verify", world / "whole")
    assert (verified["faults"], verified["records"]) == ([], told("inspect", world / "whole")["web"]["came"]["documents"])
    kept = dataset(world / "whole")
    assert kept.height == rows.filter(pl.col("fate") == "kept").height + ledger(world / "whole", "synthetic").filter(fate="kept").height


def test_the_union_is_as_clean_as_a_joint_run(world: Path) -> None:
    shutil.copytree(world / "one", world / "both")
    for path in (world / "input").iterdir():
        shutil.copy(path, world / "both" / f"second-{path.name}")
    run(world, world / "plain.toml", "both", "joint")
    kept = [dataset(world / out)["text"].to_list() for out in ("first", "whole", "joint")]
    assert kept[1]
    assert similar_candidates(kept[1], kept[0]) == []
    for one in (kept[1], kept[2]):
        assert [pair for pair in similar_candidates(one, one) if pair[0] != pair[1]] == []
    gone = ledger(world / "whole").filter(fate="duplicate")
    mine, survivors = texts(world / "whole"), {None: texts(world / "whole"), gone["duplicate_run"].max(): texts(world / "first")}
    for own_id, survivor, from_run, rule in gone.select("id", "duplicate_of", "duplicate_run", "rule").iter_rows():
        assert rule == "exact" or similar_candidates([mine[own_id]], [survivors[from_run][survivor]])


def test_generated_rows_are_held_against_earlier_ones_too(world: Path) -> None:
    before, after = ledger(world / "first", "synthetic"), ledger(world / "whole", "synthetic")
    assert before.filter(fate="kept").height
    assert after.filter(fate="kept").height == 0
    again = after.filter(fate="duplicate", rule="same_record")
    assert set(again["duplicate_of"]) == set(before.filter(fate="kept")["id"])
    assert again["duplicate_run"].null_count() == 0
    compared = told("inspect", world / "whole")["generated_comparisons"]
    assert compared["documents"] >= 2 * after.filter(fate="duplicate").height
    counted = f"Generated rows and kept documents: {compared['documents']:,} documents had a candidate, "
    assert counted in curate("inspect", world / "whole")
    assert counted in (world / "whole/report.html").read_text("utf-8")


def test_an_earlier_run_is_the_same_wherever_it_lies(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "first", tmp_path / "moved/elsewhere")
    chosen = recipe(tmp_path, tmp_path / "moved/elsewhere")
    run(world, chosen, "input", "beside-moved", "--workers", 2)
    assert shards(world / "beside-moved") == shards(world / "whole")
    run(world, chosen, "input", "beside-moved", "--frozen")
    assert made(world / "beside-moved") == {}


def test_an_earlier_run_may_lie_on_an_object_store(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = "s3://crawls/runs/first"
    chosen = recipe(tmp_path, place)
    out = tmp_path / "out"
    with object_store() as store:
        store.upload(world / "first", "runs/first")
        before = store.names("")

        def held(*options: object, code: int = 0) -> str:
            return curate("run", chosen, world / "input/*.jsonl", "--out", *options, code=code, env=store.env)

        held(out, "--workers", 2)
        assert shards(out) == shards(world / "whole")
        assert told("verify", out, env=store.env)["faults"] == []
        assert store.names("") == before
        copy = ledger(out).filter(pl.col("duplicate_run").is_not_null()).row(0, named=True)
        (story,) = told("why", out, copy["id"], env=store.env)
        assert story["earlier"]["place"] == place
        assert story["earlier"]["document"]["id"] == copy["duplicate_of"]
        held(out, "--frozen")
        assert made(out) == {}
        assert "cannot be earlier than itself" in " ".join(held(place, "--replace", "--replies", tmp_path / "replies", code=2).split())
        assert all(name.startswith("runs/first/") for name in before)
        signed = [name for name in before if "/4a-sign/" in name and name.endswith(".parquet")]
        assert len(signed) == 6
        for key in signed:
            shard = world / "first" / key.removeprefix("runs/first/")
            store.client.delete_object(Bucket="crawls", Key=key)
            with monkeypatch.context() as patched:
                for name, value in store.env.items():
                    patched.setenv(name, value)
                with pytest.raises(InputError, match="first is not whole: 4a-sign"):
                    open_earlier(load(str(chosen)).deduplicate or DeduplicateSettings(), Location.of(out))
            if key != signed[-1]:
                store.client.upload_file(str(shard), "crawls", key)
        assert "first is not whole: 4a-sign" in " ".join(held(out, code=2).split())
        chosen = recipe(tmp_path, "s3://crawls/runs/nowhere")
        assert "s3://crawls/runs/nowhere is not there" in " ".join(held(out, code=2).split())


@pytest.mark.full
def test_a_killed_run_ends_with_the_same_bytes(world: Path) -> None:
    assert any(kill_in(world, stage, 0.5, number) for number, stage in enumerate(("4b-buckets", "4e-gather", "2-measure")))


def test_why_and_duplicates_follow_into_the_earlier_run(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "first", tmp_path / "first")
    run(world, recipe(tmp_path, tmp_path / "first"), "input", "followed")
    copy = ledger(world / "followed").filter(pl.col("duplicate_run").is_not_null()).row(0, named=True)
    (story,) = told("why", world / "followed", copy["id"])
    assert (story["duplicate_run"], story["earlier"]["place"]) == (copy["duplicate_run"], str(tmp_path / "first"))
    assert story["earlier"]["document"]["id"] == copy["duplicate_of"]
    assert texts(world / "first")[copy["duplicate_of"]].startswith(story["earlier"]["document"]["excerpt"][:20])
    cluster = told("duplicates", world / "followed", copy["id"])
    assert cluster["size"] == len(cluster["members"]) == copy["cluster_size"]
    assert [member["fate"] for member in cluster["members"]] == ["kept"] + ["duplicate"] * (cluster["size"] - 1)
    assert copy["duplicate_run"] in curate("why", world / "followed", copy["id"])
    assert str(tmp_path / "first") in "".join(curate("duplicates", world / "followed", copy["id"]).split())

    shutil.rmtree(tmp_path / "first")
    (story,) = told("why", world / "followed", copy["id"])
    assert story["earlier"]["document"] is None
    assert f"is not at {tmp_path / 'first'} any more" in story["earlier"]["fault"]
    assert "any more" in " ".join(curate("why", world / "followed", copy["id"]).split())
    cluster = told("duplicates", world / "followed", copy["id"])
    assert (cluster["stayed"], cluster["size"]) == (copy["duplicate_of"], copy["cluster_size"])
    assert "any more" in " ".join(curate("duplicates", world / "followed", copy["id"]).split())
    assert "Duplicates" in Path(told("report", world / "followed")["report"]).read_text("utf-8")
    assert told("verify", world / "followed")["faults"] == []
    assert "is not there" in run(world, tmp_path / "recipe.toml", "input", "followed", code=2)


def test_a_run_against_two_names_the_one_listed_first(world: Path) -> None:
    names = {out: run_name(Location.of(world / out)) for out in ("first", "second")}
    found = {}
    for order in (("first", "second"), ("second", "first")):
        out = "-".join(order)
        run(world, recipe(world, *(world / each for each in order), name=out), "input", out)
        rows = ledger(world / out)
        assert set(rows["duplicate_run"].drop_nulls()) == set(names.values())
        kept = dataset(world / out)["text"].to_list()
        for each in order:
            assert similar_candidates(kept, dataset(world / each)["text"].to_list()) == []
            pointed = rows.filter(duplicate_run=names[each])["duplicate_of"]
            assert set(pointed) <= set(ledger(world / each).filter(fate="kept")["id"])
        found[order[0]] = rows.sort("key")
    assert found["first"]["fate"].to_list() == found["second"]["fate"].to_list()
    in_both = (found["first"]["duplicate_run"] == names["first"]) & (found["second"]["duplicate_run"] == names["second"])
    assert in_both.sum() >= 10


def test_an_earlier_run_that_changed_redoes_what_depends_on_it(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "first", tmp_path / "first")
    shutil.copytree(world / "whole", tmp_path / "out")
    shutil.copytree(world / "one", tmp_path / "one")
    chosen = recipe(tmp_path, tmp_path / "first")
    stricter = recipe(tmp_path, name="plain")
    stricter.write_text(stricter.read_text().replace("min_words = 40", "min_words = 150"))
    run(tmp_path, stricter, "one", "first")
    curate("run", chosen, world / "input/*.jsonl", "--out", tmp_path / "out", "--frozen", code=3)
    curate("run", chosen, world / "input/*.jsonl", "--out", tmp_path / "out")
    assert not made(tmp_path / "out").keys() & {"1-ingest", "2-measure", "3-judge", "4a-sign"}
    assert made(tmp_path / "out")["4b-buckets"] >= 1
    assert set(ledger(tmp_path / "out")["duplicate_run"].drop_nulls()) == {run_name(Location.of(tmp_path / "first"))}
    assert ledger(tmp_path / "out").filter(fate="kept").height > ledger(world / "whole").filter(fate="kept").height
    assert told("verify", tmp_path / "out")["faults"] == []


def rewrite(shard: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Change the rows of a ledger shard, and the size in its sidecar, as if it had been written so."""
    schema = pq.read_schema(shard)
    facts = {name: value for name, value in pq.read_metadata(shard).metadata.items() if name != b"ARROW:schema"}
    table = change(pl.read_parquet(shard)).to_arrow().cast(schema).replace_schema_metadata(facts)
    pq.write_table(table, shard)
    rerecorded(shard.parent.parent / f"stages/5-select/{shard.stem}.json", shard)


def shard_with(out: Path, wanted: pl.Expr) -> tuple[Path, dict[str, Any]]:
    """Return the first ledger shard that has such a row, and the row."""
    for shard in sorted((out / "ledger").glob("*.parquet")):
        rows = pl.read_parquet(shard).filter(wanted)
        if rows.height:
            return shard, rows.row(0, named=True)
    raise AssertionError(f"{out} has no such row")


def test_the_books_notice_a_copy_of_what_the_earlier_run_did_not_keep(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "first", tmp_path / "first")
    chosen, out = recipe(tmp_path, tmp_path / "first"), tmp_path / "out"
    run(world, chosen, "input", str(out))
    assert (told("verify", out)["faults"], told("verify", out)["unchecked"]) == ([], [])
    name = run_name(Location.of(tmp_path / "first"))
    _, gone = shard_with(tmp_path / "first", pl.col("fate") == "dropped")
    shard, copy = shard_with(out, pl.col("duplicate_run") == name)
    pointed = pl.when(pl.col("id") == copy["id"]).then(pl.lit(gone["id"])).otherwise("duplicate_of").alias("duplicate_of")
    rewrite(shard, lambda rows: rows.with_columns(pointed))
    fault = f"ledger: duplicates point at 1 id that the earlier run {name} does not keep, such as {gone['id']!r}"
    assert fault in told("verify", out, code=3)["faults"]
    assert fault in run(world, chosen, "input", str(out), code=1)

    kept = next((tmp_path / "first/ledger").glob("*[0-9].parquet"))
    content = kept.read_bytes()
    half = len(content) // 2
    for damaged, said in (
        (content[:4] + bytes(half) + content[4 + half :], "cannot be read"),
        (bytes(len(content)), "cannot be read"),
        (content[:half], "has lost files of its ledger"),
    ):
        kept.write_bytes(damaged)
        found = add_up(Location.of(out), partial(ledger_of, Location.of(out)))
        assert (found.faults, len(found.unchecked)) == ([], 1)
        assert said in found.unchecked[0]
    shutil.rmtree(tmp_path / "first")
    found = add_up(Location.of(out), partial(ledger_of, Location.of(out)))
    assert (found.faults, found.unchecked) == ([], [f"the earlier run {name} is not at {tmp_path / 'first'} any more"])
    assert "can no longer be looked up" in curate("verify", out)


def test_a_place_that_cannot_be_reached_is_told(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(self: Location) -> bool:
        raise OSError("no route to host")

    monkeypatch.setattr(Location, "is_folder", unreachable)
    place, fault = find_earlier(Location.of(world / "whole"), run_name(Location.of(world / "first")))
    assert place is None
    assert "cannot be reached at" in fault
    assert "no route to host" in fault


def refused(world: Path, chosen: Path) -> str:
    """Run into a folder that must not come to be, and return what was said, on one line."""
    said = run(world, chosen, "input", "refused", code=2)
    assert not (world / "refused").exists()
    return " ".join(said.split())


def test_other_settings_are_refused_before_any_work(world: Path) -> None:
    said = refused(world, recipe(world, world / "first", name="wide", settings="bands = 20\nrows = 13"))
    assert "first was signed with other settings" in said
    assert "bands 14 -> 20; rows 8 -> 13" in said
    assert "ngram" not in said


def test_what_is_no_earlier_run_is_refused_before_any_work(world: Path, tmp_path: Path) -> None:
    assert "is not there" in refused(world, recipe(world, tmp_path / "nowhere", name="wrong"))
    assert "has no ledger/" in refused(world, recipe(world, world / "one", name="wrong"))
    shutil.copytree(world / "first", tmp_path / "unsigned", ignore=shutil.ignore_patterns("4a-sign"))
    assert "has no stages/4a-sign/" in refused(world, recipe(world, tmp_path / "unsigned", name="wrong"))
    shutil.copytree(world / "first", tmp_path / "first")
    assert "is the same run as" in refused(world, recipe(world, world / "first", tmp_path / "first", name="wrong"))
    next((tmp_path / "first/stages/1-ingest").glob("*[0-9].parquet")).unlink()
    assert "is not whole: 1-ingest" in refused(world, recipe(world, tmp_path / "first", name="wrong"))
    (tmp_path / "first/stages/5-select/_seal.json").unlink()
    assert "is not whole" in refused(world, recipe(world, tmp_path / "first", name="wrong"))
    said = curate(
        "run", recipe(world, world / "first", name="wrong"), world / "input/*.jsonl", "--out", world / "first", "--replace", code=2
    )
    assert "cannot be earlier than itself" in " ".join(said.split())
    (world / "wrong.toml").write_text('[deduplicate]\nagainst = "first"\n')
    assert "against" in refused(world, world / "wrong.toml")

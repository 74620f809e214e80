"""Faults: runs whose processes are really killed, in every stage, and what the rerun makes of them.

A fault is seeded: the stage in which the kill falls, and how many of that stage's units are done by then. The whole suite kills in every
stage twice and kills Ray workers and a raylet; the part that runs by default is a seeded sample of it.

What must hold after the rerun: every shard is byte for byte that of an undisturbed run, no temporary is left, and no more units were begun
in vain than workers were running.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import psutil
import pytest

from curation.storage.location import TEMPORARY
from tests.running import CURATE, SMALL_RECIPE, made, many_files, shards, stages

WORKERS = 2
SEED = 20261123


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe, 40 input files and `whole`, the undisturbed run."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "recipe.toml").write_text(SMALL_RECIPE)
    many_files(folder / "input", files=40, rows=25)
    finish(start(folder, "whole"))
    return folder


def start(world: Path, out: str, *options: str) -> "subprocess.Popen[str]":
    command = [str(CURATE), "run", str(world / "recipe.toml"), str(world / "input/*.jsonl"), "--out", str(world / out), *options]
    if "--runner" not in options:
        command += ["--workers", str(WORKERS)]
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: "subprocess.Popen[str]") -> None:
    printed, noted = process.communicate(timeout=300)
    assert process.returncode == 0, printed + noted


def kill_group(process: "subprocess.Popen[str]") -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def wait_until_within(folder: Path, done: int, process: "subprocess.Popen[str]") -> bool:
    """Wait until the stage has begun and `done` of its units are finished; False when it was sealed (or the run ended) before that."""
    while process.poll() is None:
        if (folder / "_seal.json").exists():
            return False
        if folder.is_dir() and sum(path.suffix == ".json" for path in folder.iterdir()) >= done:
            return True
        time.sleep(0.0005)
    return False


def all_stages(world: Path) -> list[str]:
    return [name for name in stages(world / "whole") if stages(world / "whole")[name]["units"]]


def check_rerun(world: Path, out: str) -> None:
    finish(start(world, out))
    assert shards(world / out) == shards(world / "whole")
    assert not [path for path in (world / out).rglob("*") if path.name.startswith(TEMPORARY)]
    sessions = json.loads((world / out / "run.json").read_text())["sessions"]
    for stage in (stage for session in sessions for stage in session["stages"]):
        lost = stage["interrupted"]
        assert len({entry.partition(".")[0] for entry in lost}) <= WORKERS, f"{stage['stage']} lost {lost}"
    assert sessions[-1]["outcome"] == "done"


def kill_within(world: Path, stage: str, share: float, out: str) -> bool:
    """Run, and kill the whole process group within a stage; False when the stage was over before the kill fell."""
    units = stages(world / "whole")[stage]["units"]
    process = start(world, out)
    hit = wait_until_within(world / out / "stages" / stage, int(share * units), process)
    kill_group(process)
    return hit


def kill_in(world: Path, stage: str, share: float, number: int) -> bool:
    """Kill a new run within a stage, rerun and check; False when the stage was over before the kill fell."""
    hit = kill_within(world, stage, share, f"killed-{number}")
    if hit:
        check_rerun(world, f"killed-{number}")
    return hit


def test_kills_at_seeded_moments(world: Path) -> None:
    """Each kill falls on the rerun after the one before, in a later stage; the last rerun ends what all of them left."""
    chance, there = random.Random(SEED), all_stages(world)
    chosen = sorted(chance.sample(there, 4), key=there.index)
    hits = sum(kill_within(world, stage, chance.random() * 0.8, "killed") for stage in chosen)
    assert hits >= 2
    check_rerun(world, "killed")


@pytest.mark.full
def test_kills_in_every_stage_twice(world: Path) -> None:
    chance = random.Random(SEED)
    tally = {}
    number = 1000
    for stage in all_stages(world):
        hits = 0
        for _ in range(8):
            number += 1
            hits += kill_in(world, stage, chance.random() * 0.8, number)
            if hits == 2:
                break
        tally[stage] = hits
    print(json.dumps(tally, indent=1))
    assert sum(tally.values()) >= 20
    assert all(hits >= 2 for hits in tally.values()), tally


def ray_workers(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """Return the live Ray worker processes that run our tasks."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            if child.cmdline() and child.cmdline()[0].startswith("ray::attempt"):
                found.append(child)
        except psutil.Error:
            continue
    return found


def kill_ray_workers(world: Path, out: str, kills: int) -> int:
    """Kill busy Ray workers at seeded moments while a run goes on; return how many."""
    chance = random.Random(SEED)
    process = start(world, out, "--runner", "ray", "--workers", str(WORKERS))
    killed = 0
    while process.poll() is None and killed < kills:
        for victim in ray_workers(process)[:1]:
            victim.send_signal(signal.SIGKILL)
            killed += 1
        time.sleep(0.02 + chance.random() * 0.3)
    finish(process)
    assert shards(world / out) == shards(world / "whole")
    return killed


@pytest.mark.full
def test_killed_ray_workers_cost_nothing_but_time(world: Path) -> None:
    assert kill_ray_workers(world, "ray-killed", 2) >= 1


@pytest.mark.full
def test_ten_killed_ray_workers(world: Path) -> None:
    killed = 0
    for number in range(10):
        killed += kill_ray_workers(world, f"ray-killed-{number}", 3)
        if killed >= 10:
            break
    assert killed >= 10


CLUSTER = """
import os, signal, sys, threading, time
from pathlib import Path
import ray
from ray.cluster_utils import Cluster
from pipelines.pipeline import Request, run_recipe

if __name__ == "__main__":
    recipe, inputs, out = sys.argv[1:]
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()

    def kill_raylet():
        while len(list(Path(out, "stages/2-measure").glob("*.json"))) < 3:
            time.sleep(0.001)
        cluster.remove_node(second, allow_graceful=False)
        print("killed a raylet", flush=True)

    threading.Thread(target=kill_raylet, daemon=True).start()
    run_recipe(Request(recipe, (inputs,), out, "ray", cluster.address, 2))
    cluster.shutdown()
"""


@pytest.mark.full
def test_a_killed_raylet_of_two(world: Path, tmp_path: Path) -> None:
    script = tmp_path / "two_nodes.py"
    script.write_text(CLUSTER)
    arguments = [str(world / "recipe.toml"), str(world / "input/*.jsonl"), str(world / "raylet")]
    done = subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "killed a raylet" in done.stdout
    assert shards(world / "raylet") == shards(world / "whole")


def test_the_record_that_crashes_its_reader_is_named(tmp_path: Path) -> None:
    """A user's extractor that dies on one page (as a native parser would) costs that page alone."""
    pages = tmp_path / "pages"
    pages.mkdir()
    for number in range(6):
        body = "CRASH " * 20 if number == 3 else "The sea rises and falls twice a day, and the moon is why. " * 8
        (pages / f"page-{number}.html").write_text(f"<html><body><main><p>{body}</p></main></body></html>")
    plugin = tmp_path / "crashing_site"
    plugin.mkdir()
    (plugin / "sitecustomize.py").write_text(
        "import os, signal\n"
        "from curation.ingest.extraction.plain import Plain\n"
        "whole = Plain.extract\n"
        "def extract(self, html):\n"
        "    if 'CRASH' in html:\n"
        "        os.kill(os.getpid(), signal.SIGSEGV)\n"
        "    return whole(self, html)\n"
        "Plain.extract = extract\n"
    )
    (tmp_path / "recipe.toml").write_text('[extractor]\nname = "plain"\n')
    out = tmp_path / "out"
    command = [str(CURATE), "run", str(tmp_path / "recipe.toml"), str(pages), "--out", str(out), "--workers", "2", "--json"]
    environment = {**os.environ, "PYTHONPATH": f"{plugin}{os.pathsep}{Path(__file__).parents[2]}"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    ledger = pl.read_parquet(out / "ledger/*.parquet")
    assert ledger.filter(pl.col("fate") == "unreadable").select("file_path", "rule").rows() == [("page-3.html", "crashed")]
    assert ledger.filter(pl.col("fate") == "kept").height == 5
    assert made(out)["1-ingest"] >= 1

"""The scripts for Slurm and Kubernetes: they parse, they quote what users give, and the command in them is one that `curate` takes."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.running import TEXTS
from tests.verbs import call

ODD = "crawl's $(touch run).jsonl"


def test_a_batch_script_is_sound_and_runs_one_command(tmp_path: Path) -> None:
    said = call("slurm", "dedup", TEXTS / "web.jsonl", ODD, "--out", tmp_path / "out", "--nodes", "3", "--option", "--limit=3")
    assert said.code == 0, said.all
    script = tmp_path / "job.sbatch"
    script.write_text(said.out)
    subprocess.run(["bash", "-n", str(script)], check=True)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, body in {"scontrol": 'printf "one\\ntwo\\nthree\\n"', "srun": 'printf "%s\\n" "$@" > "$ASKED"'}.items():
        (tools / name).write_text(f"#!/bin/bash\n{body}\n")
        (tools / name).chmod(0o755)
    asked = tmp_path / "asked"
    slurm = {"SLURM_JOB_NODELIST": "n[1-3]", "SLURM_JOB_NUM_NODES": "3", "SLURM_CPUS_PER_TASK": "16", "ASKED": str(asked)}
    environment = {**os.environ, **slurm, "PATH": f"{tools}:{os.environ['PATH']}"}
    subprocess.run(["bash", str(script)], check=True, env=environment, cwd=tmp_path)
    words = asked.read_text().splitlines()
    assert words[:6] == ["ray", "symmetric-run", "--address", "one:6379", "--min-nodes", "3"]
    command = words[words.index("--") + 1 :]
    assert command[:5] == ["curate", "run", "dedup", str(TEXTS / "web.jsonl"), ODD]
    assert command[-5:] == ["--limit=3", "--runner", "ray", "--address", "one:6379"]
    assert not (tmp_path / "run").exists()
    assert "#SBATCH --nodes=3\n" in said.out


def test_a_ray_job_is_yaml_that_runs_one_command() -> None:
    said = call("kuberay", "dedup", ODD, "--out", "s3://data/out", "--image", "me/curate:1", "--nodes", "5", "--cpus", "8")
    assert said.code == 0, said.all
    job = yaml.safe_load(said.out)
    assert (job["kind"], job["metadata"]["name"]) == ("RayJob", "curate-dedup")
    command = shlex.split(job["spec"]["entrypoint"])
    assert command[:4] == ["curate", "run", "dedup", ODD]
    assert "--take-over" in command
    assert "the job looks for this inside its pods" in " ".join(said.err.split())
    remote = call("kuberay", "dedup", "s3://data/in/*.jsonl", "--out", "s3://data/out", "--image", "me/curate:1")
    assert (remote.code, remote.err) == (0, "")
    workers = job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]
    assert (workers["replicas"], workers["template"]["spec"]["containers"][0]["resources"]["requests"]) == (5, {"cpu": 8, "memory": "16Gi"})


@pytest.mark.parametrize("verb", [("slurm",), ("kuberay", "--image", "me/curate:1")])
def test_a_recipe_that_does_not_load_makes_no_script(verb: tuple[str, ...], tmp_path: Path) -> None:
    wrong, folder = tmp_path / "wrong.toml", tmp_path / "folder"
    wrong.write_text("dedup = 3")
    folder.mkdir()
    for recipe, option, told in (
        (folder, "--frozen", "is neither a file nor a shipped recipe"),
        (wrong, "--frozen", "unknown key 'dedup'"),
        ("dedup", "--set=deduplicate.band=3", "no parameter 'band'"),
    ):
        said = call(*verb, recipe, "s3://data/in/*.jsonl", "--out", "s3://data/out", "--option", option)
        assert (said.code, said.out) == (2, ""), said.all
        assert told in " ".join(said.err.split())
    set_apart = ("--option", "--set", "--option", "deduplicate.bands=3")
    assert call(*verb, "dedup", "s3://data/in/*.jsonl", "--out", "s3://data/out", *set_apart).code == 0


def test_a_recipe_of_an_image_need_not_lie_here() -> None:
    image = ("--image", "me/curate:1")
    assert call("kuberay", "/in/the/image.toml", "s3://data/in/*.jsonl", "--out", "s3://data/out", *image).code == 0
    assert call("slurm", "/in/the/image.toml", "s3://data/in/*.jsonl", "--out", "s3://data/out").code == 2

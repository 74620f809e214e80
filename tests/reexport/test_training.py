"""A model trains on exported tokens. By hand, because torch is large: `CURATION_TORCH_PYTHON` names a Python that has torch and numpy."""

import json
import math
import os
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.reexport.test_tokens import export

VOCABULARY = 400


def losses_of(file: Path) -> list[float]:
    """Train in the Python that has torch; return the loss of each step."""
    command = [os.environ["CURATION_TORCH_PYTHON"], str(Path(__file__).parent / "train_torch.py"), str(file), str(VOCABULARY)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: list[float] = json.loads(done.stdout)
    return found


@pytest.mark.full
@pytest.mark.skipif("CURATION_TORCH_PYTHON" not in os.environ, reason="CURATION_TORCH_PYTHON does not name a Python that has torch")
def test_a_model_of_two_layers_learns_from_each_format_of_tokens(corpus_run: Path, tokenizer: Path, tmp_path: Path) -> None:
    files: dict[str, Path] = {}
    for name, ending in (("ds", "ds"), ("megatron", "bin")):
        out = export(corpus_run, tmp_path / name, "--tokenizer", tokenizer, "--eos", "</s>", "--format", name)
        files[name] = min((out / "data").glob(f"*.{ending}"))
    out = export(corpus_run, tmp_path / "packed", "--tokenizer", tokenizer, "--eos", "</s>", "--format", "packed", "--sequence-length", 129)
    rows = pl.read_parquet(sorted((out / "data").glob("*.parquet")))
    held = {"ids": np.array(rows["input_ids"].to_list()), "mask": np.array(rows["document_mask"].to_list())}
    files["packed"] = tmp_path / "packed.npz"
    np.savez(files["packed"], **held)
    files["noise"] = tmp_path / "noise.npz"
    np.savez(files["noise"], ids=np.random.default_rng(1).integers(0, VOCABULARY, held["ids"].shape), mask=held["mask"])
    last = {}
    for name, file in files.items():
        losses = losses_of(file)
        first, last[name] = losses[0], sum(losses[-5:]) / 5
        print(f"{name}: loss {first:.2f} at first, {last[name]:.2f} at last")
        assert len(losses) == 50
    assert last["noise"] > math.log(VOCABULARY) - 0.1  # nothing is there to learn, so the others' fall is of what the tokens say
    assert max(last["ds"], last["megatron"], last["packed"]) < math.log(VOCABULARY) - 1
    assert last["ds"] == last["megatron"]  # the same ids

"""What goes wrong is told in one line of plain words: a wrong command line, a place that may not be read, a folder without a run, an
empty dataset."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from curation.system_errors import error_in_words, unreadable
from tests.running import CURATE, curate
from tests.verbs import call


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("run", "missing argument 'RECIPE'; see curate run --help"),
        ("rum demo", "no such command 'rum'. Did you mean 'run'? See curate --help"),
        ("train scor", "no such command 'scor'. Did you mean 'score'? See curate train --help"),
        ("run demo --out", "option '--out' requires an argument; see curate run --help"),
        ("run demo --ouut x", "no such option: --ouut (Possible options: --out, --quiet); see curate run --help"),
        (
            "run demo --workers 0",
            "invalid value for '--workers': Input should be greater than or equal to 1; see curate run --help",
        ),
    ],
)
def test_a_wrong_command_line_is_one_line_that_names_the_help(line: str, told: str) -> None:
    done = call(*line.split())
    assert (done.code, done.out) == (2, "")
    assert done.err == f"curate: {told}\n"
    document = json.loads(call(*line.split(), "--json").out) if not line.endswith("--out") else None
    assert document is None or document["error"]["kind"] == "usage_error"


@pytest.mark.parametrize("verb", [[], ["train"]])
def test_a_verb_without_arguments_prints_its_help(verb: list[str]) -> None:
    done = call(*verb)
    assert done.code == 2
    assert done.err.startswith(f"Usage: {' '.join(['curate', *verb])} [OPTIONS] COMMAND")
    assert len(done.err.splitlines()) > 5


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name, why in (("nope", ": there is no such folder"), ("empty", "")):
        done = call("verify", tmp_path / name)
        wanted = f"holds no run and no dataset{why}; give the --out of a `curate run` or of a `curate export`"
        assert (done.code, done.err) == (2, f"curate: {tmp_path / name} {wanted}\n")


def test_a_run_that_keeps_nothing_says_which_rule_removed_most(tmp_path: Path) -> None:
    short = [f"Only {number} words here." for number in range(5)]
    long = "The hills that you have seen with us are of the same age, and they will be here when we are gone. " * 6
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in [*short, long]), "utf-8")
    (tmp_path / "own.toml").write_text('[[filter]]\nname = "gopher_quality"\nmax_words = 100\n')
    out = tmp_path / "out"
    done = call("run", tmp_path / "own.toml", tmp_path / "in.jsonl", "--out", out)
    (line,) = (line for line in done.err.splitlines() if "the dataset is empty" in line)
    assert done.code == 0
    assert "nothing was kept of 6 documents; the rule that removed most, 5, is gopher_quality.too_few_words; see" in line
    command = line.partition("; see curate ")[2].split()
    assert "too_few_words" in curate(*command)
    kept = call("run", tmp_path / "own.toml", tmp_path / "in.jsonl", "--out", out, "--set", "filter.gopher_quality.max_words=1000")
    assert kept.code == 0
    assert "the dataset is empty" not in kept.err


def test_a_run_that_could_read_nothing_says_only_that(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"body": "A text."}\n', "utf-8")
    done = call("run", "dedup", tmp_path / "in.jsonl", "--out", tmp_path / "out")
    assert done.code == 1
    assert "nothing could be read" in done.err
    assert "the dataset is empty" not in done.err


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(2, "No such file or directory", "/x/y"), "/x/y: no such file or directory"),
        (OSError(2, "Failed to open local file '/x/y'. Detail: [errno 2] No such file or directory"), "/x/y: no such file or directory"),
        (OSError(28, "No space left on device"), "no space left on device"),
        (OSError("AWS Error ACCESS_DENIED"), "AWS Error ACCESS_DENIED"),
        (ValueError("[Errno 13]"), "[Errno 13]"),
    ],
)
def test_errors_of_the_system_have_no_numbers(error: Exception, told: str) -> None:
    assert error_in_words(error) == told


def test_an_error_names_its_place_once(tmp_path: Path) -> None:
    missing = tmp_path / "missing.html"
    assert call("extract", missing).err == f"curate: {missing}: no such file or directory\n"
    assert unreadable("a.parquet", ValueError("no magic bytes")) == "a.parquet cannot be read: no magic bytes"


def test_a_fault_and_an_unknown_id_say_what_to_do(demo_run: Path, tmp_path: Path) -> None:
    unknown = call("why", demo_run, "no-such-id-at-all")
    assert (unknown.code, "`curate serve` searches their texts" in unknown.err) == (2, True)
    out = shutil.copytree(demo_run, tmp_path / "out")
    shard = next((out / "dataset/data").iterdir())
    shard.write_bytes(shard.read_bytes()[:-1])
    verified = call("verify", out)
    size = shard.stat().st_size
    assert f"{shard} is not what was written: it has {size:,} bytes, and {size + 1:,} were recorded" in " ".join(verified.out.split())
    assert "The command that made this folder writes again what is damaged or missing." in verified.out


def _without_privileges() -> list[str]:
    """Return a prefix under which permissions hold for this user; skips if there is none."""
    if os.geteuid():
        return []
    if not shutil.which("setpriv"):
        pytest.skip("root may read everything, and setpriv is not there")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def test_what_may_not_be_read_is_named_without_a_number(tmp_path: Path) -> None:
    prefix = _without_privileges()
    text = '{"id": "a", "text": "A text of some words."}\n'
    (tmp_path / "closed").mkdir()
    for name in ("in.jsonl", "closed/in.jsonl", "own.toml", "page.html"):
        (tmp_path / name).write_text(text)
    for name, mode in (("in.jsonl", 0), ("closed", 0), ("own.toml", 0), ("page.html", 0)):
        (tmp_path / name).chmod(mode)
        if prefix:
            os.chown(tmp_path / name, 65534, 65534)
    for arguments, place, refused, code in (
        (["run", "dedup", "in.jsonl", "--out", "a"], "in.jsonl", "read", 1),
        (["plan", "dedup", "in.jsonl"], "in.jsonl", "read", 1),
        (["run", "dedup", "closed/in.jsonl", "--out", "b"], "closed/in.jsonl", "reached", 2),
        (["run", "dedup", "closed", "--out", "b"], "closed", "read", 2),
        (["run", "own.toml", "--out", "b"], "own.toml", "read", 1),
        (["extract", "page.html"], "page.html", "read", 2),
        (["verify", "closed"], "closed", "read", 1),
    ):
        done = subprocess.run([*prefix, str(CURATE), *arguments], capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == code, done.stderr
        assert f"{tmp_path / place} may not be {refused} (permission denied: check its owner and mode)" in done.stderr
        assert "errno" not in done.stderr.lower()
    (tmp_path / "closed").chmod(0o700)

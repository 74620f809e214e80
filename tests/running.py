"""Running the command line, and looking at what it left: helpers of the end-to-end and fault tests."""

import contextlib
import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from curation.storage.records import decode_record, encode_record
from tests.verbs import call

CURATE = Path(sys.executable).parent / "curate"
ROOT = Path(__file__).parent.parent
TEXTS = ROOT / "sample_data" / "texts"

SMALL_RECIPE = """
description = "All stages, quickly."

[[edit]]
name = "whitespace"

[[filter]]
name = "gopher_quality"
min_words = 40
min_alphabetic_word_ratio = 0.6

[[filter]]
name = "gopher_repetition"

[deduplicate]

[synthesize]
teacher = { name = "procedural" }
tasks = [{ name = "worked_problem", count = 40 }]

[export]
shard_mib = 1
"""


def curate(*arguments: object, code: int = 0, env: dict[str, str] | None = None, cwd: Path | None = None, apart: bool = False) -> str:
    """Run `curate`, check its exit code, and return what it printed to stdout (if the check fails, everything is shown).

    It runs in this process, which has the libraries and kernels loaded, unless it shall run `apart` or starts Ray.
    """
    if apart or "ray" in arguments:
        command, environment = [str(CURATE), *map(str, arguments)], {**os.environ, **(env or {})}
        ended = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=cwd, env=environment)
        done, out, err = ended.returncode, ended.stdout, ended.stderr
    else:
        with contextlib.chdir(cwd or "."), mock.patch.dict(os.environ, env or {}):
            done, out, err = (said := call(*arguments)).code, said.out, said.err
    assert done == code, f"exit {done}, wanted {code}\n{out}\n{err}"
    return out if code == 0 else out + err


def shards(out: Path) -> dict[str, str]:
    """Return relative path -> SHA-256 of every Parquet file and sidecar that a run left: what must not depend on how it was run."""
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*.parquet"))
        if path.is_file()
    }


def reworded(record: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change what a record says, and let its digest agree: what somebody would do who means harm."""
    content = decode_record(record.read_bytes())
    change(content)
    record.write_bytes(encode_record(content))


def rerecorded(sidecar: Path, shard: Path) -> None:
    """Let a sidecar say of a shard that was changed what its bytes are, as if it had been written so."""
    content = shard.read_bytes()

    def agree(record: dict[str, Any]) -> None:
        for output in record["outputs"]:
            if output[0] == shard.name:
                output[2:] = [len(content), hashlib.sha256(content).hexdigest()]

    reworded(sidecar, agree)


def stages(out: Path, session: int = -1) -> dict[str, dict[str, Any]]:
    """Return what run.json says of a session's stages, by name."""
    entry = json.loads((out / "run.json").read_text("utf-8"))["sessions"][session]
    return {stage["stage"]: stage for stage in entry["stages"]}


def made(out: Path) -> dict[str, int]:
    """Return the units that the last session made, for the stages where it made any."""
    return {name: stage["made"] for name, stage in stages(out).items() if stage["made"]}


def many_files(folder: Path, files: int = 24, rows: int = 12, seed: int = 1) -> Path:
    """Write JSONL files of perturbed sample texts: many small units, with duplicates across files."""
    lines = [json.loads(line) for name in ("textbook", "web") for line in (TEXTS / f"{name}.jsonl").read_text("utf-8").splitlines()]
    chance = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        picked = [chance.choice(lines) for _ in range(rows)]
        content = [
            json.dumps({"id": f"{number}-{row}", "text": _perturbed(entry["text"], chance), "url": f"https://site{number}.example/{row}"})
            for row, entry in enumerate(picked)
        ]
        (folder / f"part-{number:03d}.jsonl").write_text("\n".join([*content, "{broken", ""]), "utf-8")
    return folder


def _perturbed(text: str, chance: random.Random) -> str:
    words = text.split(" ")
    for _ in range(chance.randrange(3)):
        words[chance.randrange(len(words))] = chance.choice(["tide", "lever", "proof", "seed"])
    return " ".join(words)


def picture(funnel: dict[str, Any]) -> str:
    """Draw the funnel of `curate inspect --json` as the README shows it."""
    steps, synthetic = funnel["web"]["steps"], funnel["synthetic"]
    most = funnel["web"]["came"]["documents"]
    left = most
    lines = [_bar("documents", most, most, "")]
    for stage in ("ingest", "judge", "deduplicate"):
        taken = [(step["fate"], step["rule"], step["taken"]["documents"]) for step in steps if step["stage"] == stage]
        left -= sum(count for _, _, count in taken)
        unreadable = sum(count for fate, _, count in taken if fate == "unreadable")
        rules = sorted(((rule, count) for fate, rule, count in taken if fate != "unreadable"), key=lambda entry: (-entry[1], entry[0]))
        if stage == "judge":
            rules = [("rules of the filters", sum(count for _, count in rules))]
        notes = [("unreadable", unreadable)] * bool(unreadable) + rules
        lines.append(_bar(stage, left, most, ", ".join(f"{rule} {count}" for rule, count in notes if count)))
    kept, came = synthetic["kept"]["documents"], synthetic["came"]["documents"]
    lines.append(_bar("kept", left, most, ""))
    lines.append(_bar("generated", kept, most, f"{came} worked problems, {came - kept} dropped"))
    lines.append(_bar("dataset", funnel["dataset"]["rows"], most, ""))
    return "\n".join(line.rstrip() for line in lines)


def _bar(name: str, count: int, most: int, note: str) -> str:
    eighths = round(320 * count / most)
    bar = "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]
    return f"{name:<11}{count:>5}  {bar:<40}   {note}"

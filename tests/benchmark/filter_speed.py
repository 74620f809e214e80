"""Filters beside datatrove's on the same texts and the same core: Gopher quality and repetition, C4 and FineWeb, each and together.

    python tests/benchmark/filter_speed.py TEXTS.parquet... [--peer-python PYTHON | --no-peer] [--peer-mb 2] [--repeat 3]

TEXTS are Parquet files with a column `text` (or `gold_text`). Prints Markdown: MB of UTF-8 text a second of processor time, ours, theirs
and the ratio; our other filters and what they share beside them; and peak memory on a quarter of the texts and on all.

Each side is a child process on one core, its kernels compiled and its models read beforehand. Every filter sees every text, whatever the
others say of it. "Together" is one batch after the other through all four, so words and lines are found once; C4's rules for lines write
the text anew, which is part of their time. datatrove reads `--peer-mb` of the texts only, evenly drawn, for it takes seconds a megabyte.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import environments

HERE = Path(__file__).parent
PAIRS = {
    "gopher_quality": "GopherQualityFilter",
    "gopher_repetition": "GopherRepetitionFilter",
    "c4": "C4QualityFilter",
    "fineweb_quality": "FineWebQualityFilter",
    "together": "together",
}


def measured(python: Path, script: str, *arguments: object) -> dict[str, float]:
    """Run a child on one core; return the figures that it prints last."""
    core = min(os.sched_getaffinity(0))
    command = [python, HERE / script, *arguments, "--core", core]
    done = subprocess.run(list(map(str, command)), cwd=HERE.parent.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{script} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", type=Path, nargs="+")
    parser.add_argument("--peer-python", type=Path, help="the Python of an environment that has datatrove; else one is made below WORK")
    parser.add_argument("--peer-mb", type=float, default=2.0, help="megabytes that datatrove reads")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each side, in turn; medians are told")
    parser.add_argument("--no-peer", action="store_true", help="measure ours alone")
    parser.add_argument("--work", type=Path, default=Path("benchmark-work"), help="where the environment goes")
    asked = parser.parse_args()
    given = [asked.peer_python] if asked.peer_python else []
    python = None if asked.no_peer else environments.of_peer("datatrove", given, asked.work.resolve())
    if python is None and not asked.no_peer:
        raise SystemExit(f"{asked.peer_python} has no datatrove")
    texts = [path.resolve() for path in asked.texts]  # children run in another folder
    ours, peers = [], []
    for _ in range(asked.repeat):
        ours.append(measured(Path(sys.executable), "filter_speed_ours.py", *texts))
        if python is not None:
            peers.append(measured(python, "filter_speed_peer.py", *texts, "--mb", asked.peer_mb))
    own = {name: statistics.median(run[name] for run in ours) for name in ours[0]}
    peer = {name: statistics.median(run[name] for run in peers) for name in peers[0]} if peers else {}
    print(f"{own['megabytes']:.1f} MB in {own['texts']:,.0f} texts; datatrove on {peer.get('megabytes', 0):.2f} MB of them.\n")
    print("| | curate, MB/s | datatrove, MB/s | ratio |\n|---|---:|---:|---:|")
    for name, theirs in PAIRS.items():
        beside = f"{peer[theirs]:.3f} | {own[name] / peer[theirs]:.0f}" if peer else " | "
        print(f"| {name} | {own[name]:.1f} | {beside} |")
    for name, speed in own.items():
        if name not in (*PAIRS, "megabytes", "texts", "peak_mib"):
            print(f"| {name} | {speed:.1f} | | |")
    quarter = measured(Path(sys.executable), "filter_speed_ours.py", *texts, "--share", 0.25)
    print(f"\nPeak memory: {quarter['peak_mib']:.0f} MiB on {quarter['megabytes']:.1f} MB, {own['peak_mib']:.0f} MiB on all.")


if __name__ == "__main__":
    main()

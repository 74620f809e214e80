"""A task that Ray ends because its node runs out of memory is tried again with twice as much, and told."""

import os
import subprocess
import sys

import pytest

from tests.running import ROOT

SCRIPT = """
import time

from curation.engine.ray_runner import RayRunner
from curation.engine.runner import Need


def slow(number):
    time.sleep(5)


if __name__ == "__main__":
    runner = RayRunner(1)
    runner.tell = print
    for outcome in runner.map(slow, [1], lambda item: Need(f"item {item}", 256 << 20)):
        print("killed" if outcome.killed else "done", outcome.line)
    runner.close()
"""


@pytest.mark.full
def test_it_is_tried_again_with_twice_the_memory() -> None:
    scarce = {"RAY_memory_usage_threshold": "0.02", "RAY_memory_monitor_refresh_ms": "100", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=200, env={**os.environ, **scarce})
    assert "item 1 ran out of memory: it is tried again with 0.5 GiB of memory" in done.stdout, done.stderr
    assert "item 1 ran out of memory: it is tried again with 1.0 GiB of memory" in done.stdout
    assert "killed its node ran out of memory 3 times" in done.stdout
